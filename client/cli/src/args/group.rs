//! `white-city contacts …` and `white-city group …`

use std::{path::PathBuf, time::Duration};

use clap::{Args, Subcommand};
use white_city_client::{IdentityKey, SessionId, groups::Name};

use super::{
    IdentityArgs, UnlockArgs,
    values::{Bytes, Whom, duration, hex_bytes, hex32, identity, session_id},
};

/// Examples of what groups do.
const GROUP_EXAMPLES: &str = "Examples:
  white-city group new treasury --member alice --member bob --member carol
  white-city group export treasury --out treasury.json
  white-city group keygen treasury --threshold 2 --open --identity alice.key --key-file alice.key32
  white-city group sign treasury --message hello --identity bob.key --key-file bob.key32";

#[derive(Debug, Subcommand)]
pub enum ContactsCommand {
    /// Give a key a name
    Add {
        /// A letter, and then letters, digits, ., - and _
        name: Name,
        /// Public key of an identity
        #[arg(value_parser = identity)]
        key: IdentityKey,
    },
    /// List the contacts with their fingerprints
    List,
    /// Show one, for comparing its fingerprint with whoever it is
    Show {
        /// Name or key
        whom: Whom,
    },
    /// Forget a name; groups with this member keep it
    Remove {
        /// Name
        name: Name,
    },
}

#[derive(Debug, Subcommand)]
#[command(after_help = GROUP_EXAMPLES)]
pub enum GroupCommand {
    /// Make a group of contacts; the order of the members is that of its sessions' rosters
    New {
        /// Its name
        group: Name,
        /// Name of a contact; one for each member, this person included
        #[arg(long, value_name = "NAME", required = true)]
        member: Vec<Name>,
    },
    /// Show members and keys
    Show {
        /// Its name
        group: Name,
    },
    /// List the groups
    List,
    /// Write a group to a file for the other members: nothing in it is about this machine
    Export {
        /// Its name
        group: Name,
        /// New file
        #[arg(long, value_name = "FILE")]
        out: PathBuf,
    },
    /// Take a group, or what is new of one, from another member's file; no name and no member gets another key
    Import {
        /// The file
        file: PathBuf,
        /// Name of the group here [default: the one in the file]
        #[arg(long = "as", value_name = "NAME")]
        named: Option<Name>,
        /// Take it [without it: asked on a terminal, refused elsewhere]
        #[arg(long)]
        yes: bool,
    },
    /// Forget a group; shares stay where they are
    Remove {
        /// Its name
        group: Name,
    },
    /// Make a key together: open the session for it (--open), or join the one that another member opens, and run this party to the end
    Keygen(GroupKeygenArgs),
    /// Sign together: open the session for it (--open), or join the one that another member opens, and run this party to the end
    Sign(Box<GroupSignArgs>),
}

/// This member, and which session it takes part in.
#[derive(Debug, Args)]
pub struct MemberArgs {
    #[command(flatten)]
    pub identity: IdentityArgs,
    #[command(flatten)]
    pub unlock: UnlockArgs,
    /// Open the session; one member does [without it: wait for the one that another member opens]
    #[arg(long, conflicts_with = "session")]
    pub open: bool,
    /// Join this session [default: the one that fits]
    #[arg(long, value_name = "ID", value_parser = session_id)]
    pub session: Option<SessionId>,
    /// Time for joining, with --open
    #[arg(long, value_name = "TIME", default_value = "10m", value_parser = duration)]
    pub join_timeout: Duration,
    /// Time for each round, with --open
    #[arg(long, value_name = "TIME", default_value = "5m", value_parser = duration)]
    pub round_timeout: Duration,
}

#[derive(Debug, Args)]
pub struct GroupKeygenArgs {
    /// Name of the group
    pub group: Name,
    /// Number of members that it takes to sign with the key
    #[arg(long, value_name = "SIGNERS")]
    pub threshold: u16,
    #[command(flatten)]
    pub member: MemberArgs,
    /// New, encrypted file for this party's share [default: in the folder --home]
    #[arg(long, value_name = "SHARE_FILE")]
    pub out: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub struct GroupSignArgs {
    /// Name of the group
    pub group: Name,
    #[command(flatten)]
    pub member: MemberArgs,
    /// Text to sign
    #[arg(long, value_name = "TEXT", group = "group_message", required = true)]
    pub message: Option<String>,
    /// Bytes to sign
    #[arg(long, value_name = "HEX", group = "group_message", value_parser = hex_bytes)]
    pub message_hex: Option<Bytes>,
    /// File to sign, of at most 64 MiB
    #[arg(long, value_name = "FILE", group = "group_message")]
    pub message_file: Option<PathBuf>,
    /// Public key to sign with, where the group has several
    #[arg(long, value_name = "HEX", value_parser = hex32)]
    pub public_key: Option<[u8; 32]>,
    /// Name of a member that signs, with --open; one for each [default: all]
    #[arg(long, value_name = "NAME", requires = "open")]
    pub signer: Vec<Name>,
    /// This party's share [default: where the group says that it is]
    #[arg(long, value_name = "SHARE_FILE")]
    pub share: Option<PathBuf>,
}
