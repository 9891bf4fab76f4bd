//! `white-city-noop`: an application that says yes to every transaction and every block, and keeps nothing but the height. The launcher
//! starts it in the replica's place, with the same arguments and configuration, to measure the engine alone: see
//! `benches/board/engine.rs`.

use std::{
    process::ExitCode,
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
        mpsc,
    },
};

use clap::Parser;
use tendermint_abci::Application;
use tendermint_proto::v0_38::abci::{
    ExecTxResult, RequestFinalizeBlock, RequestInfo, ResponseFinalizeBlock, ResponseInfo,
};
use white_city_replica::{Config, Halt, abci::Server, program::Args};

/// The height of the last block, which lives as long as the process: an engine that finds it at 0 again has all blocks executed anew.
#[derive(Clone, Default)]
struct Noop(Arc<AtomicI64>);

impl Application for Noop {
    fn info(&self, _request: RequestInfo) -> ResponseInfo {
        ResponseInfo {
            last_block_height: self.0.load(Ordering::SeqCst),
            ..Default::default()
        }
    }

    fn finalize_block(&self, request: RequestFinalizeBlock) -> ResponseFinalizeBlock {
        self.0.store(request.height, Ordering::SeqCst);
        ResponseFinalizeBlock {
            tx_results: vec![ExecTxResult::default(); request.txs.len()],
            ..Default::default()
        }
    }
}

fn main() -> ExitCode {
    let served = Config::load(&Args::parse().home)
        .and_then(|config| config.listen())
        .map_err(|error| error.to_string())
        .and_then(|listen| Server::bind(&listen).map_err(|error| error.to_string()));
    match served {
        Ok(server) => {
            server.serve(&Noop::default(), &Halt::new(mpsc::channel().0));
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("white-city-noop: {error}");
            ExitCode::FAILURE
        }
    }
}
