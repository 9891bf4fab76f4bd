//! Sending as clients do: to the replicas themselves where a block comes, and otherwise to one engine.

use std::time::Duration;

use futures::{StreamExt as _, future::join_all};
use prost::Message as _;
use serde_json::json;
use white_city_client::wire::{
    pb::{self, query::Question},
    read::{DIRECT_PORT_HINT, HANDING_PATH, QUERY_PATH, encode_query},
};

use crate::{engine, world::World};

/// Sends to the replicas of one network.
pub struct Sender {
    http: reqwest::Client,
    urls: Vec<String>,
    direct: Vec<String>,
}

impl Sender {
    /// Asks all replicas for their direct ports.
    pub async fn new(world: &World) -> Self {
        // Shorter than the engine keeps connections that nobody uses.
        let http = reqwest::Client::builder().pool_idle_timeout(Duration::from_secs(2));
        let http = http.build().unwrap();
        let urls = world.net.rpc_urls().to_vec();
        let mut direct = Vec::new();
        for url in &urls {
            let port = port(&http, url).await;
            let (host, _) = url.rsplit_once(':').unwrap();
            direct.push(format!("{host}:{port}{HANDING_PATH}"));
        }
        Self { http, urls, direct }
    }

    /// Sends a transaction; `at` says whose engine gets it if one has to.
    pub async fn send(&self, at: usize, tx: &[u8]) {
        self.send_together(at, &[tx.to_vec()]).await;
    }

    /// Sends transactions in one request to each replica.
    async fn send_together(&self, at: usize, txs: &[Vec<u8>]) {
        let handing = pb::Handing { txs: txs.to_vec() }.encode_to_vec();
        let handing = self.direct.iter().map(async |url| {
            let answer = self.http.post(url).body(handing.clone()).send().await;
            let answer = pb::Handed::decode(answer.unwrap().bytes().await.unwrap()).unwrap();
            assert_eq!(answer.txs.len(), txs.len());
            answer.txs
        });
        let answers = join_all(handing).await;
        for (index, tx) in txs.iter().enumerate() {
            if !answers.iter().all(|answer| answer[index].block_comes) {
                let engine = &self.urls[(at + index) % self.urls.len()];
                engine::submit(&self.http, engine, tx).await;
            }
        }
    }

    /// Sends all of them, so many at once, and so many of those in one request.
    pub async fn flood(&self, txs: &[Vec<u8>], at_once: usize, together: usize) {
        let sending = futures::stream::iter(txs.chunks(together).enumerate());
        let sending = sending.map(|(at, txs)| self.send_together(at, txs));
        let sending = sending.buffer_unordered(at_once.div_ceil(together));
        sending.collect::<Vec<_>>().await;
    }
}

/// The port that a replica's answers name.
async fn port(http: &reqwest::Client, url: &str) -> String {
    let query = hex::encode(encode_query(Question::Params(pb::ParamsQuery {})));
    let params = json!({ "path": QUERY_PATH, "data": query, "height": "0", "prove": false });
    let answer = engine::call(http, url, "abci_query", &params).await;
    let info = answer["result"]["response"]["info"].as_str().unwrap();
    info.strip_prefix(DIRECT_PORT_HINT).unwrap().to_owned()
}
