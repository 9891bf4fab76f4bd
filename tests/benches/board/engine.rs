//! The bare engine: the same one, as it is configured for the board, under an application that does nothing.

use std::time::{Duration, Instant};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use futures::{StreamExt, future::join_all, stream::FuturesUnordered};
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio_tungstenite::{WebSocketStream, client_async, tungstenite::Message};

use crate::{
    Bench,
    report::median_ms,
    world::{PATIENCE, Setup, World},
};

/// Blocks that aren't measured.
const WARM_UP: u32 = 5;
/// Weight of a post beside its payload, about: header, signature and framing.
pub const POST_BYTES: usize = 150;

/// Replicas whose application does nothing.
pub struct Engine {
    world: World,
    http: reqwest::Client,
    blocks: Blocks,
    /// Makes each transaction another one.
    next: u64,
}

impl Engine {
    /// Starts them.
    pub async fn start(bench: &Bench, setup: Setup) -> Option<Self> {
        let noop = env!("CARGO_BIN_EXE_white-city-noop").into();
        let world = bench
            .board(Setup {
                replica_program: Some(noop),
                ..setup
            })
            .await?;
        Some(Self {
            blocks: Blocks::follow(&world.net.rpc_urls()[0]).await,
            http: reqwest::Client::new(),
            world,
            next: 0,
        })
    }

    pub async fn stop(self) {
        self.world.stop().await;
    }

    /// The median time of a block with one transaction of `bytes`: from sending it to all replicas until the first one has
    /// the block.
    pub async fn block_ms(&mut self, bytes: usize, blocks: u32) -> f64 {
        let mut times = Vec::new();
        for number in 0..WARM_UP + blocks {
            let tx = self.transaction(bytes);
            let began = Instant::now();
            self.commit(&tx).await;
            if number >= WARM_UP {
                times.push(began.elapsed());
            }
        }
        median_ms(times)
    }

    /// The median time until `count` transactions of `bytes` each, sent to the replicas in turn, are all in blocks; and how many
    /// blocks that takes.
    pub async fn transactions(&mut self, count: usize, bytes: usize, times: u32) -> (f64, f64) {
        let (mut took, mut blocks) = (Vec::new(), 0);
        for number in 0..WARM_UP + times {
            let (time, used) = self.all_at_once(count, bytes).await;
            if number >= WARM_UP {
                took.push(time);
                blocks += used;
            }
        }
        (median_ms(took), f64::from(blocks) / f64::from(times))
    }

    /// Time that `count` transactions of `bytes` take until they are all in blocks, at most so many under way at once.
    pub async fn flood(&mut self, count: usize, bytes: usize, at_once: usize) -> Duration {
        let txs: Vec<Vec<u8>> = (0..count).map(|_| self.transaction(bytes)).collect();
        let urls = self.world.net.rpc_urls();
        self.blocks.forget().await;
        let began = Instant::now();
        let (http, blocks) = (&self.http, &mut self.blocks);
        let ((), _) = tokio::join!(flood(http, urls, &txs, at_once), blocks.until(count));
        began.elapsed()
    }

    async fn all_at_once(&mut self, count: usize, bytes: usize) -> (Duration, u32) {
        let txs: Vec<Vec<u8>> = (0..count).map(|_| self.transaction(bytes)).collect();
        self.blocks.forget().await;
        let urls = self.world.net.rpc_urls();
        let began = Instant::now();
        let sending = txs.iter().enumerate().map(|(at, tx)| {
            let url = &urls[at % urls.len()];
            submit(&self.http, url, tx)
        });
        let (_, blocks) = tokio::join!(join_all(sending), self.blocks.until(count));
        (began.elapsed(), blocks)
    }

    /// Sends to all replicas and waits until the first one says that the transaction is in a block.
    async fn commit(&self, tx: &[u8]) {
        let params = json!({ "tx": STANDARD.encode(tx) });
        let urls = self.world.net.rpc_urls().iter();
        let mut asked: FuturesUnordered<_> = urls
            .map(|url| call(&self.http, url, "broadcast_tx_commit", &params))
            .collect();
        // A replica that gossip has reached before refuses, since it has the transaction.
        while let Some(answer) = asked.next().await {
            if answer["result"]["height"].is_string() {
                return;
            }
        }
        panic!("no replica has taken it");
    }

    fn transaction(&mut self, bytes: usize) -> Vec<u8> {
        self.next += 1;
        let mut tx = vec![7; bytes.max(8)];
        tx[..8].copy_from_slice(&self.next.to_be_bytes());
        tx
    }
}

/// Sends all of them to the replicas in turn, at most so many under way at once.
pub async fn flood(http: &reqwest::Client, urls: &[String], txs: &[Vec<u8>], at_once: usize) {
    let sending = futures::stream::iter(txs.iter().enumerate());
    let sending = sending.map(|(at, tx)| submit(http, &urls[at % urls.len()], tx));
    sending.buffer_unordered(at_once).collect::<Vec<_>>().await;
}

/// Gives a replica a transaction; tries again while it says that it is too early.
pub async fn submit(http: &reqwest::Client, url: &str, tx: &[u8]) {
    let params = json!({ "tx": STANDARD.encode(tx) });
    let until = Instant::now() + PATIENCE;
    loop {
        let answer = call(http, url, "broadcast_tx_sync", &params).await;
        if answer["result"]["code"] == 0 || answer["error"]["data"] == "tx already exists in cache"
        {
            return;
        }
        assert!(Instant::now() < until, "not taken: {answer}");
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
}

pub async fn call(http: &reqwest::Client, url: &str, method: &str, params: &Value) -> Value {
    let request = json!({ "jsonrpc": "2.0", "id": 1, "method": method, "params": params });
    let answer = http.post(url).body(request.to_string()).send().await;
    let text = answer.unwrap().text().await.unwrap();
    serde_json::from_str(&text).unwrap()
}

/// Numbers of transactions in a replica's blocks, as it makes them.
pub struct Blocks {
    socket: WebSocketStream<TcpStream>,
    /// Number of each block's that aren't anybody's.
    seals: usize,
}

impl Blocks {
    /// Follows the replica at this address.
    pub async fn follow(url: &str) -> Self {
        let address = url.strip_prefix("http://").unwrap();
        let stream = TcpStream::connect(address).await.unwrap();
        let (mut socket, _) = client_async(format!("ws://{address}/websocket"), stream)
            .await
            .unwrap();
        let subscribe = json!({
            "jsonrpc": "2.0", "id": 1, "method": "subscribe",
            "params": { "query": "tm.event='NewBlockEvents'" },
        });
        let subscribe = Message::text(subscribe.to_string());
        futures::SinkExt::send(&mut socket, subscribe)
            .await
            .unwrap();
        let mut blocks = Self { socket, seals: 0 };
        // It confirms.
        blocks.next().await;
        blocks
    }

    /// Of a board, whose blocks begin with a seal.
    pub const fn with_seals(mut self) -> Self {
        self.seals = 1;
        self
    }

    /// Waits until so many transactions more are in blocks; gives in how many blocks with any.
    pub async fn until(&mut self, count: usize) -> u32 {
        let (mut seen, mut blocks) = (0, 0);
        while seen < count {
            let txs = self.next().await;
            seen += txs;
            blocks += u32::from(txs > 0);
        }
        blocks
    }

    /// Drops what was heard of blocks before.
    async fn forget(&mut self) {
        while tokio::time::timeout(Duration::from_millis(5), self.next())
            .await
            .is_ok()
        {}
    }

    /// The transactions of the next block.
    async fn next(&mut self) -> usize {
        loop {
            let message = tokio::time::timeout(PATIENCE, self.socket.next()).await;
            let message = message.expect("no block").unwrap().unwrap();
            if let Message::Text(text) = message {
                let event: Value = serde_json::from_str(&text).unwrap();
                let txs = event["result"]["data"]["value"]["num_txs"].as_str();
                let txs: usize = txs.map_or(0, |txs| txs.parse().unwrap());
                return txs.saturating_sub(self.seals);
            }
        }
    }
}
