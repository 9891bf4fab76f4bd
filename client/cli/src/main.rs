//! `white-city`: the command line.

use std::process::ExitCode;

fn main() -> ExitCode {
    // Secrets are in memory: nobody may dump or trace it. Where the platform doesn't allow that, it isn't worth a failure.
    #[cfg(target_os = "linux")]
    let _ = nix::sys::prctl::set_dumpable(false);
    white_city_cli::run(std::env::args_os())
}
