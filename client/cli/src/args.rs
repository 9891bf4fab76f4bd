//! The arguments.

mod eddsa;
mod journal;
mod session;
mod unlock;
mod values;

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};
pub use eddsa::{EddsaCommand, ExpectedArgs, KeyCommand, KeygenArgs, PartyArgs, SignArgs};
pub use journal::JournalCommand;
pub use session::{OpenArgs, Preset, ReceiptArgs, ReceiptKind, SessionCommand};
pub use unlock::{IdentityArgs, MaybeUnlockArgs, ProtectArgs, SignerArgs, UnlockArgs};
pub use values::{Bytes, hex32};

/// What the program exits with.
const EXIT_CODES: &str = "Exit codes:
    0  success
    1  another error; also a result that could not be printed
    2  arguments, configuration, files, or a session that isn't the expected one
    3  no replica answers
    4  refused by the board
    5  the session aborted, or this party declined or left
    6  too late, or out
    7  an answer or a file that can't be true
    8  another party broke the protocol; the text names it
    9  other parties have to act first (--once)
  130  interrupted
  141  whoever read the output has gone";

/// Parties compute together over a bulletin board that no single server controls.
#[derive(Debug, Parser)]
#[command(name = "white-city", version, propagate_version = true, after_help = EXIT_CODES)]
pub struct Cli {
    #[command(flatten)]
    pub network: NetworkArgs,
    /// Print one JSON object a line, the last of which is the result
    #[arg(long, global = true)]
    pub json: bool,
    /// Where a proof is written if the replicas turn out to have signed two histories [default: the working directory]
    #[arg(long, global = true, value_name = "DIR")]
    pub fork_dir: Option<PathBuf>,
    #[command(subcommand)]
    pub command: Command,
}

/// Which network, and where its replicas are.
#[derive(Debug, Args)]
pub struct NetworkArgs {
    /// File that says where genesis and replicas are, as white-city-testnet writes it [env: WHITE_CITY_NETWORK]
    #[arg(long, global = true, value_name = "FILE", conflicts_with = "replica")]
    pub network: Option<PathBuf>,
    /// Genesis of the network, from somebody whom you trust: the validators that it names are all that is trusted
    #[arg(
        long = "trust",
        visible_alias = "genesis",
        global = true,
        value_name = "GENESIS"
    )]
    pub genesis: Option<PathBuf>,
    /// Address of a replica; as many as you know
    #[arg(long, global = true, value_name = "URL")]
    pub replica: Vec<String>,
}

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Make and show identity keys
    #[command(subcommand)]
    Identity(IdentityCommand),
    /// Open, join, follow and leave sessions
    #[command(subcommand)]
    Session(SessionCommand),
    /// Say what a receipt proves, with nothing but the genesis (--trust): no replica is asked
    Verify {
        /// The receipt
        file: PathBuf,
    },
    /// List and delete journals, with which interrupted sessions go on
    #[command(subcommand)]
    Journal(JournalCommand),
    /// Make keys and signatures together
    #[command(subcommand)]
    Eddsa(EddsaCommand),
}

#[derive(Debug, Subcommand)]
pub enum IdentityCommand {
    /// Make a new identity key and print its public key
    New {
        /// New file, readable by its owner only, and encrypted unless that is refused
        #[arg(long, value_name = "FILE")]
        out: PathBuf,
        #[command(flatten)]
        protect: ProtectArgs,
    },
    /// Print the public key of an identity
    Show {
        /// File of the identity
        file: PathBuf,
        #[command(flatten)]
        unlock: MaybeUnlockArgs,
    },
}

#[cfg(test)]
mod tests;
