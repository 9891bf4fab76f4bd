//! The command line of White City: identities, sessions, and multi-party EdDSA.
//!
//! Results go to stdout, progress and logs to stderr; with `--json` stdout has one JSON object a line, the last of which is
//! the result. Exit codes: 0 success; 1 other error; 2 usage, configuration or files; 3 no replica reachable; 4 refused by the
//! board; 5 session aborted or declined; 6 late or out; 7 verification failed; 8 protocol error with a named party;
//! 9 other parties have to act first (`--once`); 130 interrupted.
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
mod eddsa;
mod failure;
mod identity;
mod journal;
mod network;
mod output;
mod presets;
mod progress;
mod receipt;
mod session;
mod unlock;

use std::{ffi::OsString, io::IsTerminal, process::ExitCode};

use args::{Cli, Command};
use clap::Parser;
use failure::Failure;
use output::Output;
use serde_json::json;
use tracing_subscriber::EnvFilter;

/// What an interrupted program exits with, by convention.
const INTERRUPTED: u8 = 130;

/// Runs the program with these arguments, the first of which is its name.
pub fn run(args: impl IntoIterator<Item = OsString>) -> ExitCode {
    let cli = match Cli::try_parse_from(args) {
        Ok(cli) => cli,
        Err(error) => {
            // Where it can't be printed there is nobody to tell.
            let _ = error.print();
            return ExitCode::from(u8::try_from(error.exit_code()).unwrap_or(2));
        }
    };
    log_to_stderr();
    let output = Output::new(cli.json);
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
            if failure.is_waiting() {
                output.result(&json!({ "waiting": failure.text }), &failure.text);
            } else {
                output.failure(&failure);
            }
            ExitCode::from(failure.code)
        }
    }
}

fn log_to_stderr() {
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("warn"));
    let logs = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal())
        .try_init();
    // Whoever calls this as a library may log already.
    let _ = logs;
}

async fn interruptible(cli: Cli, output: &Output) -> Result<(), Failure> {
    tokio::select! {
        result = dispatch(cli, output) => result,
        _ = tokio::signal::ctrl_c() => Err(Failure::new(
            INTERRUPTED,
            "interrupted; what was sent stays on the board, and the same command goes on with it",
        )),
    }
}

async fn dispatch(cli: Cli, output: &Output) -> Result<(), Failure> {
    let result = match cli.command {
        Command::Identity(command) => identity::run(&command, output),
        Command::Session(command) => session::run(command, &cli.network, output).await,
        Command::Verify { file } => receipt::verify(&file, &cli.network, output),
        Command::Journal(command) => journal::run(command, &cli.network, output).await,
        Command::Eddsa(command) => eddsa::run(command, &cli.network, output).await,
    };
    if let Err(Failure {
        fork: Some(fork), ..
    }) = &result
    {
        receipt::keep_fork(fork, cli.fork_dir.as_deref(), &cli.network, output)?;
    }
    result
}
