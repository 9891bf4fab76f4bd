//! `white-city-replica-faulty`: the same program, built with fault points, for tests of crashes.
#![cfg_attr(
    not(test),
    deny(
        clippy::unwrap_used,
        clippy::expect_used,
        clippy::panic,
        clippy::indexing_slicing
    )
)]

fn main() -> std::process::ExitCode {
    white_city_replica::program::run_program()
}
