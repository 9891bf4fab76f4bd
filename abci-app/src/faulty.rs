//! `white-city-replica-faulty`: the same program, built with fault points, for tests of crashes. With the file `next` in its home it knows
//! the number of the rules that is there for tests ([`white_city_wire::protocol`]), so that a file is what replacing a program takes.
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
