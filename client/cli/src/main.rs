//! `white-city`: the command line.

use std::process::ExitCode;

fn main() -> ExitCode {
    white_city_cli::run(std::env::args_os())
}
