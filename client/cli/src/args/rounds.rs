//! What a party of any protocol does in a session's rounds: `white-city session post|inbox|finish|complain|randomness|remember|recall`.

use std::path::PathBuf;

use clap::{ArgGroup, Args};
use white_city_client::SessionId;

use super::{
    IdentityArgs, MaybeUnlockArgs,
    values::{Payload, hex32, session_id},
};

/// Example of a round.
pub const POST_EXAMPLES: &str = "Example, a round of a script that may be killed and run again:
  white-city session post  $SESSION --identity alice.key --key-file alice.key32 --round 1 --broadcast sent --to 2=secret
  white-city session inbox $SESSION --identity alice.key --key-file alice.key32 --round 1 --out round1";

/// A party that has joined, and its journal.
#[derive(Debug, Args)]
pub struct JoinedArgs {
    /// Id
    #[arg(value_parser = session_id)]
    pub session: SessionId,
    #[command(flatten)]
    pub identity: IdentityArgs,
    #[command(flatten)]
    pub unlock: MaybeUnlockArgs,
    /// Journal of this party in this session, which `session join` has begun [default: IDENTITY.journals/SESSION]
    #[arg(long, value_name = "FILE")]
    pub journal: Option<PathBuf>,
    /// Do what can be done now and exit with 9 if other parties have to act first: run the same command again later
    #[arg(long)]
    pub once: bool,
}

#[derive(Debug, Args)]
pub struct PostArgs {
    #[command(flatten)]
    pub party: JoinedArgs,
    /// The round, from 1 on; it is waited for
    #[arg(long, value_name = "R", value_parser = clap::value_parser!(u32).range(1..))]
    pub round: u32,
    /// File with what everybody gets; - is standard input
    #[arg(long, value_name = "FILE")]
    pub broadcast: Option<PathBuf>,
    /// File with what one party alone gets, by its index; - is standard input
    #[arg(long = "to", value_name = "I=FILE")]
    pub to: Vec<Payload>,
    /// Folder of such files, whose names are the indices
    #[arg(long, value_name = "DIR")]
    pub p2p: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub struct InboxArgs {
    #[command(flatten)]
    pub party: JoinedArgs,
    /// The round, from 1 on; its end is waited for
    #[arg(long, value_name = "R", value_parser = clap::value_parser!(u32).range(1..))]
    pub round: u32,
    /// Folder for broadcast/I and p2p/I, a file for each sender I; made if it isn't there [without it: JSON, with --json]
    #[arg(long, value_name = "DIR")]
    pub out: Option<PathBuf>,
}

#[derive(Debug, Args)]
#[command(group(ArgGroup::new("result").args(["outcome", "outcome_of"]).required(true)))]
pub struct FinishArgs {
    #[command(flatten)]
    pub party: JoinedArgs,
    /// Outcome: 32 bytes that name the result, the same for all parties
    #[arg(long, value_name = "HEX", value_parser = hex32)]
    pub outcome: Option<[u8; 32]>,
    /// File whose SHA-256 is the outcome; - is standard input
    #[arg(long, value_name = "FILE")]
    pub outcome_of: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub struct ComplainArgs {
    #[command(flatten)]
    pub party: JoinedArgs,
    /// The round that the payload was sent in
    #[arg(long, value_name = "R")]
    pub round: u32,
    /// Its sender
    #[arg(long, value_name = "I")]
    pub from: u16,
}

#[derive(Debug, Args)]
pub struct RandomnessArgs {
    #[command(flatten)]
    pub party: JoinedArgs,
    /// The bytes' purpose: each has others
    #[arg(long, value_name = "TEXT")]
    pub purpose: String,
    /// File for the 32 bytes, readable by its owner only
    #[arg(long, value_name = "FILE")]
    pub out: PathBuf,
}

#[derive(Debug, Args)]
pub struct RememberArgs {
    #[command(flatten)]
    pub party: JoinedArgs,
    /// Name of the state: 1 to 64 printable characters without spaces. What was remembered under it before doesn't count any more
    #[arg(long, value_name = "NAME")]
    pub name: String,
    /// File with the state, of at most 1 MiB; - for standard input
    #[arg(long, value_name = "FILE")]
    pub state: PathBuf,
}

#[derive(Debug, Args)]
pub struct RecallArgs {
    #[command(flatten)]
    pub party: JoinedArgs,
    /// Name of the state
    #[arg(long, value_name = "NAME")]
    pub name: String,
    /// File for it, readable by its owner only
    #[arg(long, value_name = "FILE")]
    pub out: PathBuf,
}
