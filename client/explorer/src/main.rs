//! `white-city-explorer`: serves the explorer of a board.
#![cfg_attr(
    not(test),
    deny(
        clippy::unwrap_used,
        clippy::expect_used,
        clippy::panic,
        clippy::indexing_slicing
    )
)]

use std::{net::SocketAddr, path::PathBuf, process::ExitCode};

use clap::Parser;
use tokio::net::TcpListener;
use white_city_explorer::{Explorer, Replica};

/// Command that makes the verifier.
const MAKE: &str = "cargo build --release -p white-city-wasm --target wasm32-unknown-unknown";
/// The verifier's name beside the program.
const VERIFIER: &str = "white_city_wasm.wasm";

/// Serves a page that shows a board, and verifies in the browser what it shows
#[derive(Debug, Parser)]
#[command(name = "white-city-explorer", version)]
struct Args {
    /// A replica's RPC; NAME=URL where the page shall show a name instead of the address
    #[arg(long = "replica", value_name = "URL", required = true)]
    replicas: Vec<Replica>,
    /// Address that the page is served at
    #[arg(long, default_value = "127.0.0.1:8088")]
    listen: SocketAddr,
    /// The verifier [default: white_city_wasm.wasm beside this program]
    #[arg(long, value_name = "FILE")]
    verifier: Option<PathBuf>,
    /// Serves the page of a party at party.html, too, with this file, white_city_party_wasm.wasm: on the party's own machine
    #[arg(long, value_name = "FILE")]
    party: Option<PathBuf>,
}

#[tokio::main]
async fn main() -> ExitCode {
    match run(Args::parse()).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(text) => {
            eprintln!("white-city-explorer: {text}");
            ExitCode::from(2)
        }
    }
}

async fn run(args: Args) -> Result<(), String> {
    if args.party.is_some() && !args.listen.ip().is_loopback() {
        return Err(format!(
            "--listen {}: with --party expected an address of this machine alone, such as 127.0.0.1:8088",
            args.listen
        ));
    }
    let file = match args.verifier {
        Some(file) => file,
        None => std::env::current_exe()
            .map_err(|error| format!("this program's folder: {error}"))?
            .with_file_name(VERIFIER),
    };
    let verifier = std::fs::read(&file)
        .map_err(|error| format!("{}: {error}; it is made by `{MAKE}`", file.display()))?;
    let explorer = Explorer::new(args.replicas, verifier).map_err(|error| error.to_string())?;
    let explorer = match args.party {
        Some(file) => {
            let party = std::fs::read(&file);
            let party = party.map_err(|error| format!("{}: {error}", file.display()))?;
            explorer
                .with_party(party)
                .map_err(|error| error.to_string())?
        }
        None => explorer,
    };
    let listener = TcpListener::bind(args.listen).await;
    let listener = listener.map_err(|error| format!("{}: {error}", args.listen))?;
    let address = listener.local_addr().map_err(|error| error.to_string())?;
    println!("http://{address}/");
    tokio::select! {
        () = explorer.serve(listener) => Ok(()),
        stopped = tokio::signal::ctrl_c() => stopped.map_err(|error| error.to_string()),
    }
}
