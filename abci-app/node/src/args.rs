//! The command line

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};
use white_city_node::guard::GuardArgs;

/// Exit codes of the program, for its help.
const EXIT_CODES: &str = "Exit codes:
  0  success; ended as it was told to
  1  it failed, for the reason that is on stderr; starting it again may help
  2  wrong arguments
  3  it can't go on, and would end again at once: the genesis isn't signed by all, or the replica has halted
  4  doctor, or genesis check, found something";

/// One replica of a White City board with its engine, as one company runs it.
///
/// A board begins with a ceremony: each operator runs `init` and hands the card to the others (`share`, `take`); all agree on a draft
/// (`genesis draft`), each makes the same genesis of it (`genesis make`) and signs it (`genesis sign`); then each runs `start`.
/// docs/operating.md goes through it.
#[derive(Debug, Parser)]
#[command(name = "white-city-node", version, after_help = EXIT_CODES)]
pub struct Cli {
    /// The node's directory
    #[arg(long, global = true, default_value = ".", value_name = "DIR")]
    pub home: PathBuf,
    /// The command.
    #[command(subcommand)]
    pub command: Command,
}

/// Commands of the program.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Make a node: keys, configuration, and its card
    Init(InitArgs),
    /// Show this node's card, or sign a new one with other addresses: when the node moves
    Card(CardArgs),
    /// Print what this node has for the others, to be sent to them: cards, genesis, consents
    Share,
    /// Take what others have printed with `share`, or their cards
    ///
    /// Once there is a genesis, only cards of its operators are taken, and those of others are told: whoever has a card here is a peer.
    Take {
        /// Take cards of operators that the genesis doesn't list, too: of a later charter
        #[arg(long)]
        newcomers: bool,
        /// The files
        #[arg(required = true, value_name = "FILE")]
        files: Vec<PathBuf>,
    },
    /// Make, sign and check the genesis of a new board
    #[command(subcommand)]
    Genesis(GenesisCommand),
    /// Run the node in the foreground, until SIGTERM, SIGINT or SIGHUP
    Start,
    /// Show how the node that runs here is
    Status {
        /// As JSON
        #[arg(long)]
        json: bool,
    },
    /// Look for everything that can be wrong with this node
    Doctor {
        /// As JSON
        #[arg(long)]
        json: bool,
    },
    /// Have the next start begin with a snapshot of the running board, which is verified now: for a node that is new, or has lost its chain
    Join,
    /// Copy what can't be fetched from the others into a new folder: keys, cards, genesis; never the chain, or what the validator signed last
    Backup {
        /// The new folder
        #[arg(long, value_name = "DIR")]
        to: PathBuf,
    },
    /// Make a node of a backup; `join` is next
    Restore {
        /// The backup
        #[arg(long, value_name = "DIR")]
        from: PathBuf,
    },
    /// Give disk back that the chain doesn't need any more: the node has to be stopped
    Compact,
    /// Print the path of CometBFT; builds it if it isn't there yet
    Engine,
    /// Runs one program and ends it when standard input closes.
    #[command(hide = true)]
    Guard(GuardArgs),
}

/// Options of `init`.
#[derive(Debug, Args)]
pub struct InitArgs {
    /// Name that people know the node by: 1 to 50 letters, digits, '-', '_' or '.'
    #[arg(long)]
    pub name: String,
    /// Address at which the other nodes dial this one
    #[arg(long, value_name = "HOST:PORT")]
    pub p2p: String,
    /// Address of the node's RPC for clients and the other operators, http:// or https://; empty: not told
    #[arg(long, value_name = "URL", default_value = "")]
    pub rpc_url: String,
    /// Where the node listens for the others
    #[arg(long, value_name = "ADDRESS:PORT", default_value = "0.0.0.0:26656")]
    pub listen_p2p: SocketAddr,
    /// Where the node answers clients
    #[arg(long, value_name = "ADDRESS:PORT", default_value = "127.0.0.1:26657")]
    pub listen_rpc: SocketAddr,
    /// Where the replica answers clients itself; empty: nowhere
    #[arg(long, value_name = "ADDRESS:PORT", default_value = "")]
    pub direct: String,
    /// The operator's key.
    #[command(flatten)]
    pub operator: OperatorArgs,
}

/// The operator's key.
#[derive(Debug, Args)]
pub struct OperatorArgs {
    /// The operator's identity, as `white-city identity new` makes it [default: operator.key in the home, which `init` makes]
    #[arg(long, value_name = "FILE")]
    pub operator: Option<PathBuf>,
    /// File with the passphrase that opens it
    #[arg(long, value_name = "FILE", conflicts_with = "key_file")]
    pub passphrase_file: Option<PathBuf>,
    /// File of 32 bytes that opens it
    #[arg(long, value_name = "FILE")]
    pub key_file: Option<PathBuf>,
}

/// Options of `card`.
#[derive(Debug, Args)]
pub struct CardArgs {
    /// New address at which the other nodes dial this one
    #[arg(long, value_name = "HOST:PORT")]
    pub p2p: Option<String>,
    /// New address of the node's RPC, http:// or https://; empty: not told
    #[arg(long, value_name = "URL")]
    pub rpc_url: Option<String>,
    /// The operator's key.
    #[command(flatten)]
    pub operator: OperatorArgs,
}

/// Commands about the genesis.
#[derive(Debug, Subcommand)]
pub enum GenesisCommand {
    /// Print a draft with all defaults, for the operators to agree on
    Draft {
        /// Name of the chain: 1 to 50 letters, digits, '-', '_' or '.'
        #[arg(long)]
        chain_id: String,
    },
    /// Make the genesis of a draft, this node's card and all that it has taken: everybody gets the same file
    Make {
        /// The draft
        #[arg(long, value_name = "FILE")]
        draft: PathBuf,
    },
    /// Sign the genesis, after it was compared with the others' (`genesis check` prints its hash)
    Sign(OperatorArgs),
    /// Show the genesis: its hash, who has signed it, who hasn't, what is in it, and what of this node's settings doesn't fit it
    Check,
}
