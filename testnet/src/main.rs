//! `white-city-testnet`: a local network of replicas
#![cfg_attr(
    not(test),
    deny(
        clippy::unwrap_used,
        clippy::expect_used,
        clippy::panic,
        clippy::indexing_slicing
    )
)]

mod commands;

use std::io::{IsTerminal as _, Write as _};
use std::process::ExitCode;

use clap::Parser as _;
use commands::{Cli, Command};
use white_city_testnet::{Error, NodeError};

fn main() -> ExitCode {
    let cli = Cli::parse();
    if let Command::Guard(args) = &cli.command {
        return ExitCode::from(u8::try_from(white_city_testnet::guard::run(args)).unwrap_or(1));
    }
    tracing_subscriber::fmt()
        .with_env_filter(white_city_node::logs::filter("white_city_testnet=info"))
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal())
        .without_time()
        .with_target(false)
        .init();
    let result = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .map_err(|error| Error::Refused(error.to_string()))
        .and_then(|runtime| runtime.block_on(commands::run(cli.command)));
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // Standard error may be closed; there is nobody left to tell then.
            let _ = writeln!(std::io::stderr(), "error: {error}");
            match error {
                // As for every other argument that is wrong.
                Error::Node(NodeError::Option { .. }) | Error::NoReplica { .. } => {
                    ExitCode::from(2)
                }
                _ => ExitCode::FAILURE,
            }
        }
    }
}
