//! The arguments.

mod board;
mod eddsa;
mod gateway;
mod group;
mod journal;
mod party;
mod rounds;
mod session;
mod unlock;
mod values;

use std::{ffi::OsString, path::PathBuf};

pub use board::{BoardCommand, CharterCommand, TrustCommand};
use clap::{Args, CommandFactory, FromArgMatches, Parser, Subcommand};
pub use eddsa::{
    EddsaCommand, ExpectedArgs, KeyCommand, KeygenArgs, PartyArgs, RefreshArgs, ReshareArgs,
    SignArgs,
};
pub use gateway::GatewayArgs;
pub use group::{ContactsCommand, GroupCommand, GroupKeygenArgs, GroupSignArgs, MemberArgs};
pub use journal::JournalCommand;
pub use party::{PartyCommand, ServeArgs};
pub use rounds::{
    ComplainArgs, FinishArgs, InboxArgs, JoinedArgs, PostArgs, RandomnessArgs, RecallArgs,
    RememberArgs,
};
pub use session::{ListArgs, OpenArgs, Preset, ReceiptArgs, ReceiptKind, SessionCommand, State};
pub use unlock::{IdentityArgs, MaybeUnlockArgs, ProtectArgs, SignerArgs, UnlockArgs};
pub use values::{Bytes, Whom, duration, hex32, identity};

use crate::keeping::Keeping;

/// The exit codes of the program.
const EXIT_CODES: &str = "Exit codes:
    0  success
    1  another error; also a result that could not be printed
    2  arguments, configuration, files, or a session that isn't the expected one
    3  no replica answers, or all that do are behind what was verified before
    4  refused by the board
    5  the session aborted, or this party declined or left
    6  too late, also because the session has finished; or out
    7  an answer or a file that can't be true
    8  another party broke the protocol; the text names it
    9  other parties have to act first (--once)
   10  a receipt proves what it says, but rests on validators of an older era than is asked for: renew it
   11  nothing is remembered under this name
  130  interrupted
  141  whoever read the output has gone";

/// Pointer to the exit codes, for a command's own help.
const SEE_EXIT_CODES: &str = "Exit codes: white-city --help";
/// Heading of what may stand after any command.
const EVERYWHERE: &str = "Options of every command";

/// Parties compute together over a bulletin board that no single server controls.
#[derive(Debug, Parser)]
#[command(name = "white-city", version, propagate_version = true, after_help = EXIT_CODES)]
pub struct Cli {
    #[command(flatten)]
    pub network: NetworkArgs,
    /// Print one JSON object a line, the last of which is the result
    #[arg(long, global = true, help_heading = EVERYWHERE)]
    pub json: bool,
    /// Directory for the proof if the replicas turn out to have signed two histories [default: the working directory]
    #[arg(long, global = true, value_name = "DIR", help_heading = EVERYWHERE)]
    pub fork_dir: Option<PathBuf>,
    /// Folder with contacts and groups, whose names are shown instead of indices [env: WHITE_CITY_HOME] [default: ~/.white-city]
    #[arg(long, global = true, value_name = "DIR", help_heading = EVERYWHERE)]
    pub home: Option<PathBuf>,
    #[command(subcommand)]
    pub command: Command,
}

impl Cli {
    /// Reads the arguments, the first of which is the program's name.
    ///
    /// # Errors
    /// Whatever is wrong with them; or help or the version, if they are asked for.
    pub fn read(args: impl IntoIterator<Item = OsString>) -> Result<Self, clap::Error> {
        let mut command = program();
        let mut matches = command.try_get_matches_from_mut(args)?;
        Self::from_arg_matches_mut(&mut matches).map_err(|error| error.format(&mut command))
    }
}

/// The program with all its commands, each of which says where the exit codes are.
fn program() -> clap::Command {
    fn pointing(command: clap::Command) -> clap::Command {
        command.mut_subcommands(|inner| {
            let own = inner.get_after_help().map(|help| format!("{help}\n\n"));
            let help = own.unwrap_or_default() + SEE_EXIT_CODES;
            pointing(inner.after_help(help))
        })
    }
    pointing(Cli::command())
}

/// The network, and the addresses of its replicas.
#[derive(Debug, Args)]
pub struct NetworkArgs {
    /// File that says where genesis and replicas are, as white-city-testnet writes it [env: WHITE_CITY_NETWORK]
    #[arg(
        long,
        global = true,
        value_name = "FILE",
        conflicts_with = "replica",
        help_heading = EVERYWHERE
    )]
    pub network: Option<PathBuf>,
    /// Genesis of the network, from somebody whom you trust: the validators that it names are all that is trusted. Or a trust file, from
    /// you or from somebody whom you trust: it knows who they have handed over to, and each command takes it forward
    #[arg(
        long = "trust",
        visible_alias = "genesis",
        global = true,
        value_name = "FILE",
        help_heading = EVERYWHERE
    )]
    pub genesis: Option<PathBuf>,
    /// Address of a replica, with --trust; as many as you know, each with its own --replica [default: those in the trust file]
    #[arg(long, global = true, value_name = "URL", help_heading = EVERYWHERE)]
    pub replica: Vec<String>,
    /// The clients of the command, whose knowledge is kept in trust files.
    #[arg(skip)]
    pub keeping: Keeping,
}

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Make and show identity keys
    #[command(subcommand)]
    Identity(IdentityCommand),
    /// Open, join, follow and leave sessions
    #[command(subcommand)]
    Session(SessionCommand),
    /// Operate the board: say what its operators change together, and whom a trust file trusts
    #[command(subcommand)]
    Board(BoardCommand),
    /// Give keys names
    #[command(subcommand)]
    Contacts(ContactsCommand),
    /// Groups of contacts, and the keys and signatures that they make together
    #[command(subcommand)]
    Group(GroupCommand),
    /// Say what a receipt proves, with nothing but the genesis or a trust file (--trust): no replica is asked
    Verify(VerifyArgs),
    /// List and delete journals, with which interrupted sessions go on
    #[command(subcommand)]
    Journal(JournalCommand),
    /// Take part by a policy, as a service, and answer what it asks people
    #[command(subcommand)]
    Party(PartyCommand),
    /// Make keys and signatures together
    #[command(subcommand)]
    Eddsa(EddsaCommand),
    /// Be a party for programs in any language on this machine, which ask by HTTP and JSON
    #[command(after_help = gateway::EXAMPLES)]
    Gateway(Box<GatewayArgs>),
}

#[derive(Debug, Args)]
pub struct VerifyArgs {
    /// The receipt
    pub file: PathBuf,
    /// Oldest era whose validators' word is good enough: where it rests on an older one, it has to be renewed [default: 0, or the
    /// newest era that the trust file knows]
    #[arg(long, value_name = "N")]
    pub min_era: Option<u32>,
    /// An EdDSA signature, or a file that holds one as 64 bytes or in hex: it has to be the one that the session finished with; of a
    /// session that signed many messages all of them in their order, or a file of them, one a line
    #[arg(long, value_name = "HEX|FILE")]
    pub signature: Vec<String>,
    /// Receipt of the end of the session that made the key, which --signature needs where no group here has that key
    #[arg(long, value_name = "FILE", requires = "signature")]
    pub key_receipt: Option<PathBuf>,
    /// Text that has to be what was signed
    #[arg(
        long,
        value_name = "TEXT",
        group = "verified_message",
        requires = "signature"
    )]
    pub message: Option<String>,
    /// Bytes that have to be what was signed
    #[arg(long, value_name = "HEX", group = "verified_message", requires = "signature", value_parser = values::hex_bytes)]
    pub message_hex: Option<Bytes>,
    /// File that has to be what was signed; needed where the session only names it by its hash
    #[arg(
        long,
        value_name = "FILE",
        group = "verified_message",
        requires = "signature"
    )]
    pub message_file: Option<PathBuf>,
    /// File with the messages that have to be those that were signed, one a line, in hex
    #[arg(
        long,
        value_name = "FILE",
        group = "verified_message",
        requires = "signature"
    )]
    pub messages: Option<PathBuf>,
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
