//! `white-city-node`: one replica of a board with its engine, as one company runs it
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
mod commands;

use std::io::{IsTerminal as _, Write as _};
use std::process::ExitCode;

use args::{Cli, Command};
use clap::Parser as _;
use white_city_node::Error;

fn main() -> ExitCode {
    let cli = Cli::parse();
    if let Command::Guard(args) = &cli.command {
        return ExitCode::from(u8::try_from(white_city_node::guard::run(args)).unwrap_or(1));
    }
    tracing_subscriber::fmt()
        .with_env_filter(white_city_node::logs::filter("white_city_node=info"))
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal())
        .with_target(false)
        .init();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build();
    let result = match runtime {
        Ok(runtime) => runtime.block_on(commands::run(cli)),
        Err(error) => Err(Error::io("start", std::path::Path::new("threads"))(error)),
    };
    match result {
        Ok(code) => code,
        Err(error) => {
            // Standard error may be closed; there is nobody left to tell then.
            let _ = writeln!(std::io::stderr(), "error: {error}");
            ExitCode::from(match error {
                Error::Option { .. } | Error::Malformed { .. } => 2,
                Error::Halted { .. } | Error::Unsigned { .. } => 3,
                _ => 1,
            })
        }
    }
}
