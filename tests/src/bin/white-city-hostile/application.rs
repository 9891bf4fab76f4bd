//! A real replica, with a liar between it and its node.

mod answers;
mod liar;
mod openings;
mod orders;
mod proposals;

use std::{path::Path, process::ExitCode};

use white_city_replica::program;

/// Runs it until it is told to stop.
pub fn run(args: &program::Args) -> ExitCode {
    let home: &Path = &args.home;
    program::run(args, |replica| liar::Liar::new(replica, home))
}
