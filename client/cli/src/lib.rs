//! The command line of White City: identities, sessions, and multi-party EdDSA.
//!
//! Results go to stdout, progress and logs to stderr; with `--json` stdout has one JSON object a line, the last of which is
//! the result. Exit codes are listed in `white-city --help`.
#![cfg_attr(
    not(test),
    deny(
        clippy::unwrap_used,
        clippy::expect_used,
        clippy::panic,
        clippy::indexing_slicing
    )
)]

mod args;
mod board;
mod contacts;
mod eddsa;
mod failure;
mod gateway;
#[cfg(test)]
mod golden;
mod group;
mod identity;
mod journal;
mod keeping;
mod message;
mod network;
mod output;
mod party;
mod people;
mod presets;
mod progress;
mod receipt;
mod session;
mod standing;
mod unlock;
mod verify;

use std::{
    ffi::OsString,
    io::{self, IsTerminal},
    path::Path,
    process::ExitCode,
};

use args::{Cli, Command, NetworkArgs};
use clap::error::ErrorKind;
use failure::Failure;
use output::Output;
use tracing_subscriber::EnvFilter;

/// Exit code of an interrupted program, by convention.
const INTERRUPTED: u8 = 130;

/// Logs that are shown where `RUST_LOG` doesn't say: what a gateway does is told by its log alone.
const LOGS: &str = "warn,white_city_gateway=info";

/// Runs the program with these arguments, the first of which is its name.
pub fn run(args: impl IntoIterator<Item = OsString>) -> ExitCode {
    let args: Vec<OsString> = args.into_iter().collect();
    let cli = match Cli::read(args.iter().cloned()) {
        Ok(cli) => cli,
        Err(error) => return misused(&args, &error),
    };
    log_to_stderr();
    let output = Output::new(cli.json).of(people::home(cli.home.as_deref()));
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build();
    let result = match runtime {
        Ok(runtime) => {
            let result = runtime.block_on(interruptible(cli, &output));
            // Requests that are under way aren't waited for.
            runtime.shutdown_background();
            result
        }
        Err(error) => Err(Failure::other(format!("no runtime: {error}"))),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            if failure.is_result() {
                // The exit code says it, too.
                let _ = output.result(&failure.to_json(), &failure.text);
            } else if !failure.is_closed() {
                output.failure(&failure);
            }
            ExitCode::from(failure.code)
        }
    }
}

/// Says what is wrong with the arguments, to machines as every other failure; or prints help or the version, which were asked for.
fn misused(args: &[OsString], error: &clap::Error) -> ExitCode {
    let is_machine = args.iter().any(|arg| arg == "--json");
    if error.use_stderr() && is_machine {
        let failure = Failure::usage(misuse(error));
        Output::new(true).failure(&failure);
        return ExitCode::from(failure.code);
    }
    // Where it can't be printed there is nobody to tell.
    let failure = match error.print() {
        Ok(()) if !error.use_stderr() => return ExitCode::SUCCESS,
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Failure::closed(),
        Err(error) => Failure::other(error.to_string()),
        Ok(()) => Failure::usage(misuse(error)),
    };
    ExitCode::from(failure.code)
}

/// The error in the arguments, in words.
fn misuse(error: &clap::Error) -> String {
    // Otherwise it is the whole help.
    if error.kind() == ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand {
        return "a command is missing: --help lists what is expected".into();
    }
    let text = error.to_string();
    let text = text.trim_end();
    text.strip_prefix("error: ").unwrap_or(text).into()
}

fn log_to_stderr() {
    // The library's parser panics over spaces before other letters.
    let said = std::env::var("RUST_LOG").ok().filter(|log| log.is_ascii());
    let filter = said.and_then(|log| EnvFilter::try_new(log).ok());
    let logs = tracing_subscriber::fmt()
        .with_env_filter(filter.unwrap_or_else(|| EnvFilter::new(LOGS)))
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal())
        .try_init();
    // Whoever calls this as a library may log already.
    let _ = logs;
}

async fn interruptible(cli: Cli, output: &Output) -> Result<(), Failure> {
    // It tells whoever waits that it ends.
    let ends_itself = matches!(cli.command, Command::Gateway(_));
    let result = tokio::select! {
        result = dispatch(cli.command, cli.fork_dir.as_deref(), &cli.network, output) => result,
        _ = tokio::signal::ctrl_c(), if !ends_itself => Err(Failure::new(
            INTERRUPTED,
            "interrupted; what was sent stays on the board, and the same command goes on with it",
        )),
    };
    // Also of a command that has failed: it has learned all the same.
    let kept = cli.network.keeping.keep(output);
    let result = result.and(kept);
    if let Err(Failure {
        fork: Some(fork), ..
    }) = &result
    {
        receipt::keep_fork(fork, cli.fork_dir.as_deref(), &cli.network, output)?;
    }
    result
}

async fn dispatch(
    command: Command,
    forks: Option<&Path>,
    network: &NetworkArgs,
    output: &Output,
) -> Result<(), Failure> {
    match command {
        Command::Identity(command) => identity::run(&command, output),
        Command::Session(command) => session::run(command, network, output).await,
        Command::Board(command) => board::run(command, network, output).await,
        Command::Contacts(command) => contacts::run(command, output),
        Command::Group(command) => group::run(command, network, output).await,
        Command::Verify(args) => verify::run(&args, network, output),
        Command::Journal(command) => journal::run(command, network, output).await,
        Command::Party(command) => party::run(command, network, output).await,
        Command::Eddsa(command) => eddsa::run(command, network, output).await,
        Command::Gateway(args) => gateway::run(&args, forks, network, output).await,
    }
}
