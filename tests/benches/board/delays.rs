//! Replicas that are far from each other: a round is four ways (to the proposer, the proposal, two votes), and little else.

use std::time::Duration;

use serde_json::json;
use white_city_testnet::Profile;

use crate::{
    Bench, clients::Clients, report::Report, rounds::session, warm_up::warm_up, world::Setup,
};

#[derive(clap::Args)]
pub struct Args {
    /// Time that a byte takes from one replica to another, milliseconds; may be given several times.
    #[arg(long, default_values_t = [10, 50, 100])]
    delay_ms: Vec<u64>,
    /// Number of parties.
    #[arg(long, default_value_t = 4)]
    parties: u16,
    /// Rounds of a session.
    #[arg(long, default_value_t = 15)]
    rounds: u32,
}

/// Ways from replica to replica that a round can't do without.
const WAYS: f64 = 4.0;

pub async fn run(bench: &Bench, args: &Args) -> Option<Report> {
    let mut report = Report::new("delays", "Rounds of replicas that are far from each other");
    report = report.over("delay ms");
    for delay_ms in &args.delay_ms {
        let mut measured = Vec::new();
        let link_delay = Duration::from_millis(*delay_ms);
        let waiting = Profile::for_links(link_delay);
        let naive = Profile {
            proposal_wait: 0,
            ..waiting
        };
        for profile in [waiting, naive] {
            let setup = Setup {
                link_delay,
                profile: Some(profile),
                ..Setup::default()
            };
            let world = bench.board(setup).await?;
            warm_up(&world).await;
            measured.push(session(&world, Clients::Near, args.parties, 250, args.rounds).await);
            Bench::end(world).await;
        }
        let four_ways = WAYS * *delay_ms as f64;
        report.row(vec![
            ("delay ms", json!(delay_ms)),
            ("four ways ms", json!(four_ways)),
            ("round ms", json!(measured[0].round_ms)),
            ("round/ways", json!(measured[0].round_ms / four_ways)),
            ("blocks", json!(measured[0].blocks)),
            ("naive ms", json!(measured[1].round_ms)),
            ("naive blocks", json!(measured[1].blocks)),
        ]);
    }
    Some(report)
}
