//! `white-city-hostile`: the parts of an adversary, each to be set on a running network by hand or by a test.

mod application;
mod direct;
mod signer;
mod spam;

use std::{ffi::OsString, process::ExitCode};

use clap::{Parser, Subcommand};

/// An adversary to test a White City board against.
///
/// Never for a network that anybody relies on. `white-city-testnet up` makes one to play with:
///
///   white-city-testnet up --dir ~/board --replica-program white-city-hostile --remote-signer 3
///   white-city-hostile signer --home ~/board/replica3 --socket ~/board/run/sign3.sock --clock hour-ago
///   echo wrong-root > ~/board/replica0/app/hostile
///
/// A replica without the file `hostile` in its home is honest.
#[derive(Parser)]
#[command(name = "white-city-hostile", version, verbatim_doc_comment)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// A replica that lies to its node, and through it to everybody.
    ///
    /// It is a real replica behind its usual socket, and takes the arguments of white-city-replica; with these and no
    /// subcommand the program is this one, so that it can stand in for that. How it lies is said by the file `hostile`
    /// in its home, which is read before every call (one name of `lies`; no file, an empty one: honest), or else by the
    /// variable WHITE_CITY_HOSTILE. The file `lies` in its home counts what it did.
    Application(white_city_replica::program::Args),
    /// Lists the ways in which `application` can lie.
    Lies,
    /// A remote signer with a clock of its own, for one validator.
    ///
    /// CometBFT listens at its `priv_validator_laddr`, and this dials, again and again. It signs with the key in the
    /// home's config/priv_validator_key.json whatever it is asked to sign, without a memory of what it signed before.
    /// The file `votes` in the home counts the votes that it gave another time than its node's.
    Signer(signer::Args),
    /// Load against the replicas' RPC endpoints, at full speed.
    ///
    /// It ends after --seconds, or on Ctrl-C, and says how many transactions of each kind it sent, and what came back: a
    /// refusal's number, 0 for taken, or why there was no answer.
    Spam(spam::Args),
    /// Attacks on the replicas' direct ports, from this machine's addresses 127.0.0.2 and on.
    ///
    /// It ends after --seconds, or on Ctrl-C, and says what came of it.
    Direct(direct::Args),
}

fn main() -> ExitCode {
    match Cli::parse_from(arguments(std::env::args_os().collect())).command {
        Command::Application(args) => application::run(&args),
        Command::Lies => {
            for lie in white_city_tests::adversary::Lie::ALL {
                println!("{:<15} {}", lie.name(), lie.about());
            }
            ExitCode::SUCCESS
        }
        Command::Signer(args) => signer::run(&args),
        Command::Spam(args) => spam::run(&args),
        Command::Direct(args) => direct::run(&args),
    }
}

/// With the arguments of `white-city-replica` alone, it is `application`.
fn arguments(mut given: Vec<OsString>) -> Vec<OsString> {
    let like_a_replica = given
        .get(1)
        .and_then(|first| first.to_str())
        .is_some_and(|first| first.starts_with("--home") || first == "--check");
    if like_a_replica {
        given.insert(1, "application".into());
    }
    given
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    #[test]
    fn the_command_line_is_consistent_and_the_replicas_arguments_are_enough() {
        Cli::command().debug_assert();
        let given = ["white-city-hostile", "--home", "/a"].map(OsString::from);
        let cli = Cli::parse_from(arguments(given.to_vec()));
        assert!(matches!(cli.command, Command::Application(_)));
        assert!(Cli::try_parse_from(arguments(vec!["x".into(), "--help".into()])).is_err());
    }
}
