//! `white-city-replica`: one replica of the board, for one CometBFT node.

fn main() -> std::process::ExitCode {
    white_city_replica::program::run_program()
}
