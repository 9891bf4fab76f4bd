//! Posts a second, beside what the engine takes under an application that does nothing.

use std::time::{Duration, Instant};

use futures::future::join_all;
use serde_json::json;
use white_city_client::SpecBuilder;

use crate::{
    Bench,
    crowd::Crowd,
    engine::{Blocks, Engine, POST_BYTES},
    report::Report,
    sender::Sender,
    world::{Setup, World, keys},
};

#[derive(clap::Args)]
pub struct Args {
    /// Number of sessions that take one round's posts.
    #[arg(long, default_value_t = 64)]
    sessions: u16,
    /// Number of parties of each.
    #[arg(long, default_value_t = 64)]
    parties: u16,
    /// Bytes that each broadcasts.
    #[arg(long, default_value_t = 100)]
    bytes: u32,
    /// Number of transactions that are under way at once.
    #[arg(long, default_value_t = 64)]
    at_once: usize,
    /// Number of them that go in one request, as those of one process do that are under way together; may be given several times.
    #[arg(long, default_values_t = [1, 16])]
    together: Vec<usize>,
}

pub async fn run(bench: &Bench, args: &Args) -> Option<Report> {
    let mut report = Report::new("throughput", "Transactions a second");
    let count = usize::from(args.sessions) * usize::from(args.parties);
    let bytes = args.bytes as usize + POST_BYTES;
    let mut engine = Engine::start(bench, Setup::default()).await?;
    let before = engine.flood(count, bytes, args.at_once).await;
    let again = engine.flood(count, bytes, args.at_once).await;
    engine.stop().await;
    let a_second = |time: Duration| count as f64 / time.as_secs_f64();
    let setup = Setup {
        // A stranger wouldn't be let open so many at once.
        opener: Some(keys(1)[0]),
        ..Setup::default()
    };
    let world = bench.board(setup).await?;
    let urls = world.net.rpc_urls();
    let sender = Sender::new(&world).await;
    let engine_a_second = f64::midpoint(a_second(before), a_second(again));
    for together in &args.together {
        let posts = posts(&world, args).await;
        let mut blocks = Blocks::follow(&urls[0]).await.with_seals();
        let began = Instant::now();
        let flood = sender.flood(&posts, args.at_once, *together);
        let ((), used) = tokio::join!(flood, blocks.until(count));
        let took = began.elapsed();
        report.row(vec![
            ("in a request", json!(together)),
            ("transactions", json!(count)),
            ("bytes", json!(posts[0].len())),
            ("engine a second", json!(engine_a_second)),
            ("board a second", json!(a_second(took))),
            ("board/engine", json!(a_second(took) / engine_a_second)),
            ("blocks", json!(used)),
        ]);
    }
    Bench::end(world).await;
    Some(report)
}

/// Signed posts of the first round of many sessions, one session after the other.
async fn posts(world: &World, args: &Args) -> Vec<Vec<u8>> {
    let all = keys(args.sessions * args.parties);
    let client = world.client(&all[0]);
    let sessions = all.chunks(args.parties.into()).map(async |keys| {
        let spec = |spec: SpecBuilder| spec.payloads(args.bytes, 0);
        let id = world.open_by(&client, keys, spec).await;
        let mut observer = client.observe(id).await.unwrap();
        let crowd = Crowd::new(world, keys, 0, &observer).await;
        crowd.join().await;
        while observer.history().open_round() == 0 {
            observer.wait_news().await;
            observer.sync().await.unwrap();
        }
        let transcript = observer.history().transcript();
        crowd.posts(1, transcript, args.bytes).await
    });
    let mut posts = Vec::new();
    // A few at a time: what is measured comes later.
    let mut sessions: Vec<_> = sessions.collect();
    while !sessions.is_empty() {
        let some = sessions.drain(..sessions.len().min(4));
        posts.extend(join_all(some).await.into_iter().flatten());
    }
    posts
}
