//! An attacker who only sends, as much as it can.

mod ammunition;
pub mod report;
pub mod target;

use std::{path::PathBuf, process::ExitCode, sync::Arc, time::Duration};

use tokio::{task::JoinSet, time::Instant};
use white_city_tests::adversary::Flood;

use ammunition::Ammunition;
use report::Report;
use target::Target;

/// Arguments of `spam`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The network.json of a running network.
    #[arg(long, value_name = "FILE")]
    network: PathBuf,
    /// Kind of what is sent; may be given several times. All kinds in turn unless given.
    #[arg(long, value_enum)]
    kind: Vec<Flood>,
    /// A session to send posts for, its id or number. The latest one unless given.
    #[arg(long, value_name = "SESSION")]
    session: Option<String>,
    /// A replica to send to, from 0; may be given several times. All of them unless given.
    #[arg(long, value_name = "K")]
    replica: Vec<usize>,
    /// Number of transactions that are under way at once.
    #[arg(long, default_value_t = 8, value_parser = clap::value_parser!(u16).range(1..=1_000))]
    connections: u16,
    /// Time that it lasts; until it is ended unless given.
    #[arg(long)]
    seconds: Option<u64>,
    /// One JSON object instead of a table.
    #[arg(long)]
    json: bool,
}

/// Sends until it is over.
pub fn run(args: &Args) -> ExitCode {
    let runtime = match tokio::runtime::Runtime::new() {
        Ok(runtime) => runtime,
        Err(error) => return fail(&error.to_string()),
    };
    match runtime.block_on(attack(args)) {
        Ok(report) => {
            print!(
                "{}",
                if args.json {
                    report.json()
                } else {
                    report.text()
                }
            );
            ExitCode::SUCCESS
        }
        Err(error) => fail(&error),
    }
}

fn fail(error: &str) -> ExitCode {
    eprintln!("white-city-hostile: {error}");
    ExitCode::from(2)
}

async fn attack(args: &Args) -> Result<Report, String> {
    let target = Target::find(&args.network, &args.replica, args.session.as_deref()).await?;
    let kinds = if args.kind.is_empty() {
        Flood::ALL.to_vec()
    } else {
        args.kind.clone()
    };
    let ammunition = Arc::new(Ammunition::make(&kinds, &target));
    let report = Report::start();
    let until = args
        .seconds
        .map(|seconds| Instant::now() + Duration::from_secs(seconds));
    eprintln!("sending");
    let mut senders = JoinSet::new();
    for number in 0..usize::from(args.connections) {
        let rpc = target.rpc(number)?;
        let (ammunition, report, kinds) = (Arc::clone(&ammunition), report.clone(), kinds.clone());
        senders.spawn(async move {
            let mut shot = u64::try_from(number).unwrap_or(0);
            while until.is_none_or(|until| Instant::now() < until) {
                for kind in &kinds {
                    let tx = ammunition.next(*kind, shot);
                    report.count(kind.name(), &rpc.send(&tx).await);
                    shot = shot.wrapping_add(1_000);
                }
            }
        });
    }
    tokio::select! {
        () = async { while senders.join_next().await.is_some() {} } => {}
        // Without a handler for it, the signal would have ended the process: so there is one.
        _ = tokio::signal::ctrl_c() => {}
    }
    Ok(report)
}
