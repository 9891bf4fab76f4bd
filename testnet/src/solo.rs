//! The engine without CometBFT: one process, one key, no fault tolerated.
//!
//! It drives the same application through the same ABCI calls, and signs real headers with its one key, so that
//! clients do with it all that they do with CometBFT.

mod chain;
mod genesis;
mod hashes;
mod rpc;

use std::{
    net::SocketAddr,
    path::{Path, PathBuf},
    sync::{Arc, mpsc},
    time::Duration,
};

use tokio::{net::TcpListener, sync::oneshot, task::JoinHandle, time::timeout};
use white_city_replica::{Config, Halt, Replica, Store};

use self::{chain::Chain, genesis::SoloGenesis};
use crate::Error;

/// Time that clients may take to end their connections.
const CLOSING: Duration = Duration::from_secs(5);

/// A running Solo engine.
#[derive(Debug)]
pub struct Solo {
    address: SocketAddr,
    stop_rpc: oneshot::Sender<()>,
    rpc: JoinHandle<()>,
    blocks: JoinHandle<()>,
    chain: Arc<Chain>,
}

impl Solo {
    /// Starts the engine over a home made by the launcher (`config/` with the genesis and the
    /// validator's key, `app/` for the application's store), its RPC on a port of 127.0.0.1.
    ///
    /// # Errors
    /// [`Error::Solo`] says what of the home, the store or the port can't be used.
    pub async fn start(home: &Path, rpc_port: u16) -> Result<Self, Error> {
        let app = home.join("app");
        std::fs::create_dir_all(&app).map_err(|error| Error::Solo(error.to_string()))?;
        Self::run(home, Some(app.join("board.redb")), rpc_port).await
    }

    /// Starts the engine with a board in memory, which ends with it.
    ///
    /// # Errors
    /// As [`Solo::start`].
    pub async fn start_in_memory(home: &Path, rpc_port: u16) -> Result<Self, Error> {
        Self::run(home, None, rpc_port).await
    }

    async fn run(home: &Path, store: Option<PathBuf>, rpc_port: u16) -> Result<Self, Error> {
        let failed = |error: &dyn std::fmt::Display| Error::Solo(error.to_string());
        let genesis = SoloGenesis::load(&home.join("config")).map_err(|e| failed(&e))?;
        let store = match store {
            Some(path) => Store::open(&path),
            None => Store::in_memory(),
        };
        let store = store.map_err(|error| failed(&error))?;
        let (stops, stopped) = mpsc::channel();
        // A block costs nothing here, so that none waits to be worth it.
        let config = Config {
            proposal_wait_ms: 0,
            ..Config::default()
        };
        let replica =
            Replica::new(&config, store, Halt::new(stops)).map_err(|error| failed(&error))?;
        let chain = Chain::start(replica, genesis, stopped).map_err(Error::Solo)?;
        let chain = Arc::new(chain);
        let listener = TcpListener::bind(("127.0.0.1", rpc_port))
            .await
            .map_err(|error| failed(&error))?;
        let address = listener.local_addr().map_err(|error| failed(&error))?;
        let (stop_rpc, rpc_stopped) = oneshot::channel();
        let rpc = tokio::spawn(rpc::serve(listener, Arc::clone(&chain), rpc_stopped));
        let blocks = tokio::spawn(Arc::clone(&chain).make_blocks());
        Ok(Self {
            address,
            stop_rpc,
            rpc,
            blocks,
            chain,
        })
    }

    /// Address of its RPC.
    #[must_use]
    pub fn rpc_url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Ends it, with everything written.
    ///
    /// # Errors
    /// [`Error::Solo`] when it had halted before.
    pub async fn stop(self) -> Result<(), Error> {
        self.chain.stop();
        let _ = self.stop_rpc.send(());
        // Both end by themselves; a task that panicked has said so.
        let _ = self.blocks.await;
        let mut rpc = self.rpc;
        if timeout(CLOSING, &mut rpc).await.is_err() {
            rpc.abort();
        }
        self.chain
            .diagnosis()
            .map_or(Ok(()), |diagnosis| Err(Error::Solo(diagnosis)))
    }
}
