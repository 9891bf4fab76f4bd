//! `white-city-tamper`: a proxy in front of a replica that changes what the replica answers.

use std::{net::SocketAddr, process::ExitCode};

use clap::Parser;
use white_city_tests::tampering::{Mutator, Proxy, mutators, named};

/// A proxy in front of a replica's RPC that tampers with its answers.
///
/// Never for a network that anybody relies on. Clients that take it for a replica have to notice. Ends on Ctrl-C, and says how
/// often it changed an answer in each way.
#[derive(Parser)]
struct Cli {
    /// Lists the ways to tamper.
    #[arg(long)]
    list: bool,
    /// The replica's RPC.
    #[arg(long, required_unless_present = "list")]
    target: Option<String>,
    /// Address where clients find it.
    #[arg(long, default_value = "127.0.0.1:0")]
    listen: SocketAddr,
    /// Ways to tamper, of `--list`; several take turns at random, none means all.
    #[arg(long = "mutator", value_parser = parse)]
    mutators: Vec<Mutator>,
    /// Decides all that is random.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Percentage of replies that are tampered with.
    #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u64).range(0..=100))]
    rate: u64,
}

fn parse(name: &str) -> Result<Mutator, String> {
    named(name).ok_or_else(|| "none of --list".to_owned())
}

#[tokio::main]
async fn main() -> ExitCode {
    let cli = Cli::parse();
    if cli.list {
        for mutator in mutators() {
            println!("{:<30} {}", mutator.name, mutator.about);
        }
        return ExitCode::SUCCESS;
    }
    match run(&cli).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => {
            eprintln!("{why}");
            ExitCode::FAILURE
        }
    }
}

async fn run(cli: &Cli) -> Result<(), String> {
    let target = cli.target.as_deref().unwrap_or_default();
    let proxy = Proxy::start(target, cli.listen, cli.seed).await?;
    let all = mutators();
    let chosen = if cli.mutators.is_empty() {
        &all
    } else {
        &cli.mutators
    };
    proxy.tamper(chosen, cli.rate);
    println!("{}", proxy.url());
    let stopped = tokio::signal::ctrl_c().await;
    for (name, count) in proxy.counts() {
        println!("{count:>8} {name}");
    }
    stopped.map_err(|error| error.to_string())
}
