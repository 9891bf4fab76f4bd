//! Costs of the board, each figure beside a reference of the same run on the same machine: see `docs/benchmarks.md`.
//!
//! `cargo bench -p white-city-tests --bench board -- SCENARIO`; without one, all of them but the two that take many minutes.

mod ceremony;
mod clients;
mod cpu;
mod crowd;
mod delays;
mod engine;
mod faults;
mod full;
mod large;
mod plot;
mod relay;
mod report;
mod rounds;
mod sender;
mod services;
mod several;
mod throughput;
mod warm_up;
#[path = "../../e2e/world.rs"]
mod world;

use std::path::PathBuf;

use clap::{Parser, Subcommand};

use crate::{
    report::Report,
    world::{Setup, World, world},
};

/// Costs of the board, beside those of its engine.
#[derive(Parser)]
struct Args {
    #[command(subcommand)]
    scenario: Option<Scenario>,
    /// Homes on disk instead of in memory.
    #[arg(long, global = true)]
    disk: bool,
    /// Number of replicas.
    #[arg(long, global = true, default_value_t = 4)]
    replicas: usize,
    /// JSON instead of tables.
    #[arg(long, global = true)]
    json: bool,
    /// A directory for SCENARIO.json and SCENARIO.svg.
    #[arg(long, global = true)]
    out: Option<PathBuf>,
    /// Given by cargo.
    #[arg(long, global = true, hide = true)]
    bench: bool,
}

#[derive(Subcommand)]
enum Scenario {
    /// Rounds beside blocks of the bare engine, with proposals that wait and that don't.
    Rounds(rounds::Args),
    /// Key generation and a signature, beside blocks of the bare engine and the protocol alone.
    Ceremony(ceremony::Args),
    /// Posts a second beside what the engine takes under an application that does nothing.
    Throughput(throughput::Args),
    /// Many sessions at once, beside what the engine takes.
    Sessions(several::Args),
    /// Signatures by services, many at once, beside the client library alone.
    Services(services::Args),
    /// One round of sealed payloads for everybody and rounds of broadcasts, with hundreds of parties.
    Large(large::Args),
    /// Rounds on a board that is full of sessions that have ended, beside rounds on an empty one.
    Full(full::Args),
    /// Key generation and a signature while a replica is dead or frozen, beside the same undisturbed.
    Faults(faults::Args),
    /// Rounds of replicas that are far from each other, beside four times the way between them.
    Delays(delays::Args),
}

/// Choices that all scenarios know.
struct Bench {
    disk: bool,
    replicas: usize,
}

impl Bench {
    /// Replicas of the board; `None`, loudly, where CometBFT can't be had.
    async fn board(&self, setup: Setup) -> Option<World> {
        let setup = Setup {
            tmpfs: !self.disk,
            replicas: Some(self.replicas),
            ..setup
        };
        world(setup).await
    }

    /// Ends a board whose replicas still agree.
    async fn end(world: World) {
        world.agree().await;
        world.stop().await;
    }
}

#[tokio::main]
async fn main() {
    let args = Args::parse();
    let bench = Bench {
        disk: args.disk,
        replicas: args.replicas,
    };
    let scenarios = match args.scenario {
        Some(one) => vec![one],
        None => usual(),
    };
    for scenario in scenarios {
        let Some(report) = run(&bench, scenario).await else {
            return;
        };
        report.show(args.json, args.out.as_deref());
    }
}

/// The scenarios that take a few minutes in all.
fn usual() -> Vec<Scenario> {
    let names = [
        "rounds",
        "ceremony",
        "faults",
        "throughput",
        "sessions",
        "delays",
    ];
    let parsed = names.map(|name| Args::parse_from(["board", name]).scenario);
    parsed.into_iter().flatten().collect()
}

async fn run(bench: &Bench, scenario: Scenario) -> Option<Report> {
    match scenario {
        Scenario::Rounds(args) => rounds::run(bench, &args).await,
        Scenario::Ceremony(args) => ceremony::run(bench, &args).await,
        Scenario::Throughput(args) => throughput::run(bench, &args).await,
        Scenario::Sessions(args) => several::run(bench, &args).await,
        Scenario::Services(args) => services::run(bench, &args).await,
        Scenario::Large(args) => large::run(bench, &args).await,
        Scenario::Full(args) => full::run(bench, &args).await,
        Scenario::Faults(args) => faults::run(bench, &args).await,
        Scenario::Delays(args) => delays::run(bench, &args).await,
    }
}
