//! `demo`: from nothing to a checked signature

use white_city_testnet::demo::{self, DemoOptions};
use white_city_testnet::{Engine, Error};

use white_city_node::process::interrupted;

use super::print;

/// Options of `demo`.
#[derive(Debug, clap::Args)]
pub struct DemoArgs {
    /// Number of replicas, 1 to 16.
    #[arg(long, default_value_t = 4)]
    replicas: usize,
    /// Number of parties that share the key, 2 to 64.
    #[arg(long, default_value_t = 3)]
    parties: usize,
    /// Number of them that sign, 2 to all.
    #[arg(long, default_value_t = 2)]
    threshold: usize,
    /// Message that they sign.
    #[arg(long, default_value = "Hello from White City")]
    message: String,
    /// cometbft or solo [default: cometbft where it can be built].
    #[arg(long)]
    engine: Option<Engine>,
    /// The last line is a JSON object with the result.
    #[arg(long)]
    json: bool,
    /// Leave the directory with logs, identities and shares behind.
    #[arg(long)]
    keep: bool,
}

/// Runs the demo. Ctrl-C ends it, and all that runs.
pub async fn run(args: DemoArgs) -> Result<(), Error> {
    let interrupted = interrupted()?;
    let options = DemoOptions {
        replicas: args.replicas,
        parties: args.parties,
        threshold: args.threshold,
        message: args.message,
        engine: args.engine,
        keep: args.keep,
    };
    // Whoever reads them has gone: the exit code says how it went.
    let mut tell = |line: &str| drop(print(&format!("{line}\n")));
    let outcome = demo::run(&options, &mut tell, interrupted).await?;
    if args.json {
        print(&format!("{}\n", outcome.to_json(&options)))?;
    }
    Ok(())
}
