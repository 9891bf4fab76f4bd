//! Many sessions at once, each a whole life, beside what the engine takes.

use std::time::{Duration, Instant};

use futures::future::join_all;
use serde_json::json;
use tokio::task::JoinSet;
use white_city_client::SpecBuilder;

use crate::{
    Bench,
    clients::Clients,
    engine::Engine,
    report::Report,
    rounds::broadcast,
    warm_up::warm_up,
    world::{PATIENCE, Setup, World, finish, join, keys},
};

#[derive(clap::Args)]
pub struct Args {
    /// Number of sessions at once; may be given several times.
    #[arg(long, default_values_t = [1, 8, 64])]
    sessions: Vec<u16>,
    /// Number of parties of each session, the same in all.
    #[arg(long, default_value_t = 4)]
    parties: u16,
    /// Rounds of a session.
    #[arg(long, default_value_t = 4)]
    rounds: u16,
}

/// Bytes that each party broadcasts.
const BYTES: u32 = 100;

pub async fn run(bench: &Bench, args: &Args) -> Option<Report> {
    let mut report = Report::new("sessions", "Whole sessions at once").over("sessions");
    // Opening, joining, posts, finishes.
    let txs_each = 1 + args.parties * (args.rounds + 2);
    let most = args.sessions.iter().copied().max().unwrap_or(1);
    let mut engine = Engine::start(bench, Setup::default()).await?;
    let count = usize::from(most) * usize::from(txs_each);
    let mut flood = async || engine.flood(count, 250, 64).await;
    let (one, two) = (flood().await, flood().await);
    engine.stop().await;
    let engine_a_second = count as f64 / (one + two).div_f64(2.0).as_secs_f64();
    let world = bench.board(Setup::default()).await?;
    warm_up(&world).await;
    for sessions in &args.sessions {
        let (took, blocks) = at_once(&world, args, *sessions).await;
        let a_second = f64::from(*sessions) / took.as_secs_f64();
        let most = engine_a_second / f64::from(txs_each);
        report.row(vec![
            ("sessions", json!(sessions)),
            ("parties", json!(args.parties)),
            ("transactions each", json!(txs_each)),
            ("engine tx a second", json!(engine_a_second)),
            ("sessions a second", json!(a_second)),
            ("of the engine's", json!(a_second / most)),
            ("blocks", json!(blocks)),
        ]);
    }
    Bench::end(world).await;
    Some(report)
}

/// So many sessions from their opening to their end; how long that takes, and how many blocks.
async fn at_once(world: &World, args: &Args, sessions: u16) -> (Duration, u64) {
    let keys = keys(args.parties);
    // Each party is in all sessions.
    let clients = Clients::Separate.of(world, &keys);
    let before = clients[0].status().await.unwrap().height();
    let began = Instant::now();
    let mut running = JoinSet::new();
    let opening = (0..sessions).map(|_| {
        let spec = |spec: SpecBuilder| spec.payloads(BYTES, 0);
        world.open_by(&clients[0], &keys, spec)
    });
    for id in join_all(opening).await {
        for client in &clients {
            let (client, rounds) = (client.clone(), args.rounds);
            running.spawn(async move {
                let mut session = client.session(id).await.unwrap();
                join(&mut session).await.unwrap();
                for _ in 0..rounds {
                    broadcast(&mut session, BYTES).await.unwrap();
                }
                finish(&mut session).await.unwrap();
            });
        }
    }
    let ended = tokio::time::timeout(PATIENCE, running.join_all()).await;
    ended.expect("the sessions stand still");
    (began.elapsed(), clients[0].height() - before)
}
