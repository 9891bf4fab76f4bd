//! The program: from the command line to the end of the process.

use std::{
    io::{IsTerminal as _, Write as _},
    path::PathBuf,
    process::ExitCode,
    sync::{
        Arc,
        mpsc::{self, Receiver},
    },
    thread,
};

use clap::Parser;
use signal_hook::{
    consts::{SIGINT, SIGTERM},
    iterator::Signals,
};
use tendermint_abci::Application;
use tracing_subscriber::EnvFilter;

use crate::{
    Config, Halt, Replica, Store,
    abci::Server,
    alarm, app,
    config::{Listen, LogFormat},
    direct::{DirectPort, tls::Tls},
    front::Board,
    halt::Stop,
    health::{HealthPort, Monitor},
    joined, links,
    metrics::Measured,
    query,
};

/// A bad configuration, or a socket or store that can't be opened.
const EXIT_USAGE: u8 = 2;
/// The replica can't go on; the diagnosis is on stderr.
const EXIT_HALTED: u8 = 3;
/// The next block is under rules that this program doesn't know; what to do is on stderr.
const EXIT_OUTDATED: u8 = 4;

/// One replica of a White City board: the application that a CometBFT node drives.
///
/// Start it before its node. It ends cleanly on SIGTERM and SIGINT (exit code 0). It exits with 2 when its
/// configuration, socket or store can't be used, and with 3 when it can't go on: a refused genesis, a committed block
/// that is invalid here, a store that fails. It exits with 4 when the operators have agreed on rules that this program
/// doesn't know: it has stored the block that they agreed in, and a later program goes on with the same home.
#[derive(Debug, Parser)]
#[command(version)]
pub struct Args {
    /// Folder with replica.toml.
    #[arg(long, value_name = "DIR")]
    pub home: PathBuf,
    /// Checks the configuration, says as JSON which program this is and which rules' numbers it knows, and exits.
    #[arg(long)]
    pub check: bool,
}

/// Runs a replica until it is told to stop, or can't go on; gives the exit code.
#[must_use]
pub fn run_program() -> ExitCode {
    run(&Args::parse(), |replica| replica)
}

/// Runs what `wrap` makes of the replica, which is the replica itself but for tests of hostile ones.
#[must_use]
pub fn run<A: Application + Board + Sync>(
    args: &Args,
    wrap: impl FnOnce(Replica) -> A,
) -> ExitCode {
    let config = match Config::load(&args.home) {
        Ok(config) => config,
        Err(error) => return fail(&error.to_string()),
    };
    if args.check {
        return tell(&config);
    }
    start_log(&config);
    serve(&config, wrap).unwrap_or_else(|error| fail(&error))
}

fn tell(config: &Config) -> ExitCode {
    let program = serde_json::to_string(&query::program(config.known)).map_err(Into::into);
    match program.and_then(|program| writeln!(std::io::stdout(), "{program}")) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => fail(&error.to_string()),
    }
}

fn fail(error: &str) -> ExitCode {
    eprintln!("white-city-replica: {error}");
    ExitCode::from(EXIT_USAGE)
}

fn start_log(config: &Config) {
    let filter = EnvFilter::try_new(&config.log).unwrap_or_default();
    let log = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        // In a file they only stand between the words.
        .with_ansi(std::io::stderr().is_terminal());
    match config.log_format {
        LogFormat::Text => log.init(),
        LogFormat::Json => log.json().init(),
    }
}

fn serve<A: Application + Board + Sync>(
    config: &Config,
    wrap: impl FnOnce(Replica) -> A,
) -> Result<ExitCode, String> {
    let (sender, stops) = mpsc::channel();
    let halt = Halt::new(sender);
    watch_signals(halt.clone()).map_err(|error| format!("signals: {error}"))?;
    let store = Store::open(&config.store)
        .map_err(|error| format!("{}: {error}", config.store.display()))?;
    // Before anything else is read of it: other rules may lay it out in another way.
    let unknown = app::unknown_rules(&store, config.known).map_err(|error| error.to_string())?;
    if let Some(diagnosis) = unknown {
        return Ok(outdated(&diagnosis));
    }
    let replica = Replica::new(config, store, halt.clone()).map_err(|error| error.to_string())?;
    let metrics = Arc::clone(replica.metrics());
    let direct_port = bind_direct_port(config)?;
    if let Some(port) = &direct_port {
        tracing::info!(address = %port.address(), "direct port");
        let plain = config.direct_tls().is_none();
        let plain = plain.then(|| port.address().port());
        replica.announce_direct_port(plain, &config.direct_url);
    }
    if !config.engine_rpc.is_empty() {
        watch_engine(config, &replica)?;
    }
    serve_health_port(config, &replica)?;
    let application = wrap(replica);
    let listen = config.listen().map_err(|error| error.to_string())?;
    let server =
        Server::bind(&listen).map_err(|error| format!("listen {}: {error}", config.listen))?;
    if let Some(port) = direct_port {
        let served = port
            .counted_by(Arc::clone(&metrics))
            .serve(&application, &halt);
        served.map_err(|error| format!("direct port: {error}"))?;
    }
    let application = Measured::new(application, metrics);
    tracing::info!(listen = config.listen, "waiting for CometBFT");
    thread::spawn(move || server.serve(&application, &halt));
    let code = wait(&stops);
    if let Listen::Unix(socket) = listen {
        // The next start would replace it, too.
        let _ = std::fs::remove_file(socket);
    }
    Ok(code)
}

/// Starts what asks the replica's own node.
fn watch_engine(config: &Config, replica: &Replica) -> Result<(), String> {
    let due = {
        let replica = replica.clone();
        move || replica.alarm_due()
    };
    let watched = alarm::watch(due, config.engine_rpc.clone());
    watched.map_err(|error| format!("alarms: {error}"))?;
    let watched = links::watch(replica.clone(), config.engine_rpc.clone());
    watched.map_err(|error| format!("links: {error}"))?;
    let (own, others) = (config.engine_rpc.clone(), config.other_rpcs.clone());
    let watched = joined::watch(replica.clone(), own, others);
    watched.map_err(|error| format!("after a snapshot: {error}"))
}

/// Starts the port for operators, if there is to be one.
fn serve_health_port(config: &Config, replica: &Replica) -> Result<(), String> {
    let address = &config.health_address;
    if address.is_empty() {
        return Ok(());
    }
    let refused = |error| format!("health_address {address}: {error}");
    let port = HealthPort::bind(address).map_err(refused)?;
    tracing::info!(address = %port.address(), "health port");
    let monitor = Monitor::start(replica.clone(), config).map_err(refused)?;
    port.serve(monitor).map_err(refused)
}

fn bind_direct_port(config: &Config) -> Result<Option<DirectPort>, String> {
    let address = &config.direct_address;
    let wanted = Some(address).filter(|address| !address.is_empty());
    let bound = wanted
        .map(|address| DirectPort::bind(address, config.direct_limits()))
        .transpose();
    let bound = bound.map_err(|error| format!("direct_address {address}: {error}"))?;
    let tls = config.direct_tls().map(Tls::new).transpose();
    let tls = tls.map_err(|error| format!("direct_tls_certificate: {error}"))?;
    Ok(bound.map(|port| port.behind(tls)))
}

fn watch_signals(halt: Halt) -> std::io::Result<()> {
    let mut signals = Signals::new([SIGINT, SIGTERM])?;
    thread::spawn(move || {
        for _ in &mut signals {
            halt.request();
        }
    });
    Ok(())
}

fn outdated(diagnosis: &str) -> ExitCode {
    eprintln!("white-city-replica: {diagnosis}");
    ExitCode::from(EXIT_OUTDATED)
}

/// Waits for the reason to stop. What isn't committed by then is asked for again by CometBFT.
fn wait(stops: &Receiver<Stop>) -> ExitCode {
    match stops.recv() {
        Ok(Stop::Halted(diagnosis)) => {
            eprintln!("white-city-replica halts: {diagnosis}");
            ExitCode::from(EXIT_HALTED)
        }
        Ok(Stop::Outdated(diagnosis)) => outdated(&diagnosis),
        Ok(Stop::Requested) | Err(_) => {
            tracing::info!("stopped");
            ExitCode::SUCCESS
        }
    }
}
