//! Cost of not trusting: the same rounds through a relay that everybody believes, without signatures, proofs or a disk.

use std::{
    collections::BTreeMap,
    sync::Arc,
    time::{Duration, Instant},
};

use axum::{
    Router,
    body::Bytes,
    extract::{Path, State},
    routing::{get, post},
};
use futures::future::join_all;
use tokio::{
    net::TcpListener,
    sync::{Mutex, Notify},
};

use crate::report::median_ms;

/// Posts by round and index.
#[derive(Default)]
struct Relay {
    n: usize,
    rounds: Mutex<BTreeMap<u32, BTreeMap<u16, Bytes>>>,
    news: Notify,
}

/// The median time until all of `n` parties have posted and read a round.
pub async fn round_ms(n: u16, bytes: u32, rounds: u32) -> f64 {
    let relay = Arc::new(Relay {
        n: usize::from(n),
        ..Relay::default()
    });
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let router = Router::new()
        .route("/{round}/{index}", post(take))
        .route("/{round}", get(give))
        .with_state(relay);
    let serving = tokio::spawn(async move { axum::serve(listener, router).await });
    let http = reqwest::Client::new();
    let mut times: Vec<Duration> = Vec::new();
    for round in 0..rounds {
        let began = Instant::now();
        let parties = (0..n).map(async |index| {
            let words = vec![7_u8; bytes as usize];
            let posted = http.post(format!("{url}/{round}/{index}")).body(words);
            posted.send().await.unwrap();
            let read = http.get(format!("{url}/{round}")).send().await.unwrap();
            read.bytes().await.unwrap().len()
        });
        let read = join_all(parties).await;
        assert!(
            read.iter()
                .all(|read| *read == usize::from(n) * bytes as usize)
        );
        times.push(began.elapsed());
    }
    serving.abort();
    median_ms(times)
}

async fn take(
    State(relay): State<Arc<Relay>>,
    Path((round, index)): Path<(u32, u16)>,
    words: Bytes,
) {
    relay
        .rounds
        .lock()
        .await
        .entry(round)
        .or_default()
        .insert(index, words);
    relay.news.notify_waiters();
}

/// Answers when the round is complete.
async fn give(State(relay): State<Arc<Relay>>, Path(round): Path<u32>) -> Vec<u8> {
    loop {
        let news = relay.news.notified();
        tokio::pin!(news);
        // Before looking, so that nothing is missed.
        news.as_mut().enable();
        if let Some(posts) = relay.rounds.lock().await.get(&round)
            && posts.len() == relay.n
        {
            return posts.values().flatten().copied().collect();
        }
        news.await;
    }
}
