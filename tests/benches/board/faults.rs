//! Ceremonies while one of the replicas is dead or frozen, beside the same ceremonies undisturbed.

use std::time::Duration;

use serde_json::json;
use tokio::time::sleep;
use white_city_client::Client;

use crate::{
    Bench,
    ceremony::{Protocol, ceremony},
    report::{Report, median_ms},
    warm_up::warm_up,
    world::{Setup, World, keys},
};

#[derive(clap::Args)]
pub struct Args {
    /// Number of parties. More than half of them sign.
    #[arg(long, default_value_t = 3)]
    parties: u16,
    /// Number of ceremonies for each fault.
    #[arg(long, default_value_t = 5)]
    times: u32,
    /// Replicas that are disturbed, one after the other. Clients name replica 0 first.
    #[arg(long, default_values_t = [0, 3])]
    replica: Vec<usize>,
    /// Time that every byte between two replicas takes, milliseconds.
    #[arg(long, default_value_t = 0)]
    delay_ms: u64,
}

/// Fault of a replica.
#[derive(Clone, Copy)]
enum Fault {
    Killed,
    Frozen,
}

impl Fault {
    const fn name(self) -> &'static str {
        match self {
            Self::Killed => "killed",
            Self::Frozen => "frozen",
        }
    }

    async fn begin(self, world: &World, replica: usize) {
        match self {
            Self::Killed => world.net.kill(replica).await.unwrap(),
            Self::Frozen => world.net.pause(replica).await.unwrap(),
        }
    }

    async fn end(self, world: &World, replica: usize) {
        match self {
            Self::Killed => world.net.start(replica).await.unwrap(),
            Self::Frozen => world.net.resume(replica).await.unwrap(),
        }
        world.agree().await;
        warm_up(world).await;
    }
}

pub async fn run(bench: &Bench, args: &Args) -> Option<Report> {
    let mut report = Report::new("faults", "A key and a signature while a replica is down");
    let setup = Setup {
        link_delay: Duration::from_millis(args.delay_ms),
        ..Setup::default()
    };
    let world = bench.board(setup).await?;
    warm_up(&world).await;
    let usual = median(&world, args).await;
    let mut row = |replica: Option<usize>, fault: &str, ms: f64| {
        report.row(vec![
            ("replica", json!(replica)),
            ("fault", json!(fault)),
            ("ceremony ms", json!(ms)),
            ("times undisturbed", json!(ms / usual)),
        ]);
    };
    row(None, "none", usual);
    for fault in [Fault::Killed, Fault::Frozen] {
        for replica in &args.replica {
            fault.begin(&world, *replica).await;
            // What was on its way there is over.
            sleep(Duration::from_secs(1)).await;
            row(Some(*replica), fault.name(), median(&world, args).await);
            fault.end(&world, *replica).await;
        }
    }
    Bench::end(world).await;
    Some(report)
}

/// Of ceremonies by clients that are new each time.
async fn median(world: &World, args: &Args) -> f64 {
    let mut times = Vec::new();
    for _ in 0..args.times {
        let keys = keys(args.parties);
        let clients: Vec<Client> = keys.iter().map(|key| world.client(key)).collect();
        times.push(ceremony(&clients, &keys, Protocol::Threshold).await);
    }
    median_ms(times)
}
