//! Whole ceremonies: a key and a signature, from opening the first session to the verified signature.

mod exchange;
pub mod protocol;

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use futures::future::join_all;
use serde_json::json;
use tokio::{sync::Mutex, task::JoinSet};
use white_city_client::{Client, SessionId, SpecBuilder};
use white_city_eddsa::KeyShare;

pub use self::exchange::{InMemory, OnBoard};
use self::{
    exchange::Exchange,
    protocol::{aggregated, keygen, sign},
};
use crate::{
    Bench,
    clients::Clients,
    engine::Engine,
    report::{Report, median_ms},
    warm_up::warm_up,
    world::{Key, PATIENCE, Setup, World, join, keys},
};

#[derive(clap::Args)]
pub struct Args {
    /// Number of parties; may be given several times. More than half of them sign.
    #[arg(long, default_values_t = [3, 8, 16])]
    parties: Vec<u16>,
    /// Number of ceremonies.
    #[arg(long, default_value_t = 9)]
    times: u32,
}

const MESSAGE: &[u8] = b"a message";

/// One protocol's way to a signature.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Protocol {
    /// A key for any `n / 2 + 1`, and their signature.
    Threshold,
    /// A signature of all under the sum of their keys.
    Aggregate,
}

pub async fn run(bench: &Bench, args: &Args) -> Option<Report> {
    let mut report = Report::new("ceremony", "A key and a signature, from the first opening");
    report = report.over("parties");
    let mut engine = Engine::start(bench, Setup::default()).await?;
    let before_ms = engine.block_ms(1_000, 40).await;
    engine.stop().await;
    let world = bench.board(Setup::default()).await?;
    warm_up(&world).await;
    let mut measured = Vec::new();
    for n in &args.parties {
        for protocol in [Protocol::Threshold, Protocol::Aggregate] {
            let (mut times, mut blocks) = (Vec::new(), Vec::new());
            for _ in 0..args.times {
                let (time, used) = on_board(&world, protocol, *n).await;
                times.push(time);
                blocks.push(used);
            }
            blocks.sort_unstable();
            measured.push((*n, protocol, median_ms(times), blocks[blocks.len() / 2]));
        }
    }
    Bench::end(world).await;
    let mut engine = Engine::start(bench, Setup::default()).await?;
    let block_ms = f64::midpoint(before_ms, engine.block_ms(1_000, 40).await);
    engine.stop().await;
    for (n, protocol, time_ms, blocks) in measured {
        let alone = in_memory(protocol, n).await;
        let name = match protocol {
            Protocol::Threshold => "threshold",
            Protocol::Aggregate => "aggregate",
        };
        report.row(vec![
            ("parties", json!(n)),
            ("protocol", json!(name)),
            ("block ms", json!(block_ms)),
            ("ceremony ms", json!(time_ms)),
            ("blocks", json!(blocks)),
            (
                "ceremony/blocks",
                json!(time_ms / (blocks as f64 * block_ms)),
            ),
            ("alone ms", json!(alone.as_secs_f64() * 1e3)),
        ]);
    }
    Some(report)
}

/// The ceremony over the board: how long it takes, and how many blocks.
async fn on_board(world: &World, protocol: Protocol, n: u16) -> (Duration, u64) {
    let keys = keys(n);
    let clients = Clients::Separate.of(world, &keys);
    let before = clients[0].status().await.unwrap().height();
    let took = ceremony(&clients, &keys, protocol).await;
    (took, clients[0].height() - before)
}

/// The ceremony of parties with these clients: how long it takes.
pub async fn ceremony(clients: &[Client], keys: &[Key], protocol: Protocol) -> Duration {
    let n = u16::try_from(keys.len()).unwrap();
    let began = Instant::now();
    match protocol {
        Protocol::Aggregate => {
            let id = open(&clients[0], keys, 4).await;
            let parties = each(clients, id).await;
            all(parties, |exchange| aggregated(exchange, MESSAGE)).await;
        }
        Protocol::Threshold => {
            let id = open(&clients[0], keys, 3).await;
            let shares = all(each(clients, id).await, move |exchange| {
                keygen(exchange, n / 2 + 1)
            });
            let shares = shares.await;
            let signers = usize::from(n / 2 + 1);
            let id = open(&clients[0], &keys[..signers], 5).await;
            let parties = each(&clients[..signers], id).await;
            signed(parties, shares).await;
        }
    }
    began.elapsed()
}

/// The same without any board: what the arithmetic of all parties takes on this machine.
async fn in_memory(protocol: Protocol, n: u16) -> Duration {
    let began = Instant::now();
    match protocol {
        Protocol::Aggregate => {
            all(InMemory::parties(n), |exchange| {
                aggregated(exchange, MESSAGE)
            })
            .await;
        }
        Protocol::Threshold => {
            let keygen = move |exchange| keygen(exchange, n / 2 + 1);
            let shares = all(InMemory::parties(n), keygen).await;
            signed(InMemory::parties(n / 2 + 1), shares).await;
        }
    }
    began.elapsed()
}

async fn open(client: &Client, keys: &[Key], max_rounds: u32) -> SessionId {
    let roster = keys.iter().map(|key| key.identity()).collect();
    let minutes = Duration::from_secs(600);
    let n = u32::try_from(keys.len()).unwrap();
    let spec = SpecBuilder::new("white-city/bench", 1, roster)
        .max_rounds(max_rounds)
        .payloads(200 + 64 * n, 64)
        .times(minutes, minutes, minutes)
        .build();
    client.open(spec.unwrap()).await.unwrap()
}

/// Everybody's way to exchange messages in a session, when all have joined.
async fn each(clients: &[Client], id: SessionId) -> Vec<OnBoard> {
    let joining = clients.iter().map(async |client| {
        let mut session = client.session(id).await.unwrap();
        join(&mut session).await.unwrap();
        OnBoard::new(session)
    });
    join_all(joining).await
}

/// Runs all parties at once.
pub async fn all<E, T, F>(parties: Vec<E>, run: impl Fn(E) -> F) -> Vec<T>
where
    E: Exchange,
    T: Send + 'static,
    F: Future<Output = T> + Send + 'static,
{
    let mut running = JoinSet::new();
    for (index, party) in parties.into_iter().enumerate() {
        let run = run(party);
        running.spawn(async move { (index, run.await) });
    }
    let ended = tokio::time::timeout(PATIENCE, running.join_all()).await;
    let mut ended = ended.expect("the ceremony stands still");
    ended.sort_by_key(|(index, _)| *index);
    ended.into_iter().map(|(_, end)| end).collect()
}

/// The first holders of a share sign.
async fn signed<E: Exchange>(parties: Vec<E>, shares: Vec<KeyShare>) {
    let signers: Vec<u16> = (0..).take(parties.len()).collect();
    let shares: Vec<_> = shares.into_iter().map(Some).collect();
    let shares = Arc::new(Mutex::new(shares));
    all(parties, move |exchange| {
        let (shares, signers) = (Arc::clone(&shares), signers.clone());
        async move {
            let own = usize::from(exchange.index());
            let share = shares.lock().await[own].take().unwrap();
            sign(exchange, &share, &signers, MESSAGE).await;
        }
    })
    .await;
}
