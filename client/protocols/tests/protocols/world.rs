//! Four replicas under CometBFT.

use tempfile::TempDir;
use white_city_kit::{Board, app_state};
use white_city_testnet::{Error, NodeError, Options, Testnet};

pub struct World {
    pub board: Board,
    net: Testnet,
    /// Removed with the world.
    _dir: TempDir,
}

/// Starts them; `None`, loudly, where CometBFT can't be had.
pub async fn four_replicas() -> Option<World> {
    let dir = tempfile::tempdir().unwrap();
    let mut options = Options::new(dir.path().join("net"));
    options.app_state = Some(app_state().unwrap());
    let net = match Testnet::create(&options).await {
        Ok(net) => net,
        Err(Error::Node(NodeError::Tooling(why))) => {
            assert!(
                std::env::var_os("WHITE_CITY_REQUIRE_COMETBFT").is_none(),
                "CometBFT is required here: {why}"
            );
            eprintln!("NOT RUN: this test needs CometBFT: {why}");
            return None;
        }
        Err(error) => panic!("{error}"),
    };
    net.start_all().await.unwrap();
    let urls = net.rpc_urls().iter().cloned();
    let board = Board::of(&net.dir().join("genesis.json"), urls).unwrap();
    Some(World {
        board,
        net,
        _dir: dir,
    })
}

impl World {
    pub async fn stop(self) {
        self.net.stop().await.unwrap();
    }
}
