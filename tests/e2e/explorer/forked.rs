//! Two histories of one board, under the same validator's key, as the page sees them

use std::{fs, net::SocketAddr, time::Duration};

use serde_json::json;
use tokio::{net::TcpListener, time::Instant};
use white_city_client::{Client, IdentityKey, SpecBuilder, genesis};
use white_city_explorer::Explorer;
use white_city_testnet::{Engine, Options, Testnet, default_app_state, solo::Solo};

use super::browser::{self, Browser};
use crate::{
    module,
    world::{PATIENCE, keys},
};

/// Blocks that one history is ahead of the other: the page sees no two blocks of neighbouring heights by itself.
const AHEAD: u64 = 60;

async fn height(client: &Client) -> u64 {
    client.status().await.map_or(0, |status| status.height())
}

/// Has a board make blocks, one for each session that is opened.
async fn grown(client: &Client) {
    let until = Instant::now() + PATIENCE;
    while height(client).await == 0 {
        assert!(Instant::now() < until, "no first block");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let roster: Vec<IdentityKey> = keys(2).iter().map(|key| key.identity()).collect();
    while height(client).await < AHEAD {
        assert!(Instant::now() < until, "too slow");
        let spec = SpecBuilder::new("white-city/test", 1, roster.clone());
        client.open(spec.build().unwrap()).await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn two_histories_that_replicas_prove_are_told_before_anything_else() {
    if !module::is_possible() || !browser::is_possible() {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let mut app_state = default_app_state().unwrap();
    (app_state.params.heartbeat_ms, app_state.params.cap_ms) = (2_000, 60_000);
    let options = Options {
        engine: Engine::Solo,
        replicas: 1,
        app_state: Some(app_state),
        ..Options::new(dir.path().join("net"))
    };
    let home = Testnet::create(&options).await.unwrap().home(0);
    let start = async || Solo::start_in_memory(&home, 0).await.unwrap();
    let one = start().await;
    let file = dir.path().join("net/genesis.json");
    let trust = genesis::trust(&file).unwrap();
    let client = Client::builder(trust.clone())
        .replicas([one.rpc_url()])
        .signer(keys(1)[0].local());
    grown(&client.build().unwrap()).await;
    let other = start().await;
    let replicas = [&one, &other].map(|solo| solo.rpc_url().parse().unwrap());
    let verifier = fs::read(module::module()).unwrap();
    let explorer = Explorer::new(replicas.to_vec(), verifier).unwrap();
    let anywhere = SocketAddr::from(([127, 0, 0, 1], 0));
    let listener = TcpListener::bind(anywhere).await.unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    let serving = tokio::spawn(explorer.serve(listener));
    let page = tokio::task::spawn_blocking(move || {
        let mut browser = Browser::start();
        browser.tell(&json!(["goto", url]));
        browser.tell(&json!(["file", "#genesis-file", file]));
        browser.sees(
            "#alarms",
            "Believe nothing of this board until you know why: two histories",
        );
        // It stays, whatever else is looked at.
        browser.eval("location.hash = '#/replicas'");
        browser.sees(".replicas tr", "answers");
        browser.sees("#alarms", "Believe nothing of this board");
        browser.shot("fork");
    });
    page.await.unwrap();
    let behind = Client::builder(trust.clone()).replicas([other.rpc_url()]);
    let behind = height(&behind.build().unwrap()).await;
    assert!(
        (1..AHEAD).contains(&behind),
        "they came to one height: {behind}"
    );
    serving.abort();
    one.stop().await.unwrap();
    other.stop().await.unwrap();
}
