//! `white-city-replica-faulty`: the same program, built with fault points, for tests of crashes.

fn main() -> std::process::ExitCode {
    white_city_replica::program::run_program()
}
