//! `white-city session …`

use std::{path::PathBuf, time::Duration};

use clap::{ArgGroup, Args, Subcommand, ValueEnum};
use white_city_client::{IdentityKey, Kem, SessionId};

use super::{
    ComplainArgs, FinishArgs, IdentityArgs, InboxArgs, MaybeUnlockArgs, PostArgs, RandomnessArgs,
    RecallArgs, RememberArgs, SignerArgs,
    rounds::POST_EXAMPLES,
    values::{Bytes, Which, duration, hex_bytes, hex32, identity, session_id},
};

/// Examples of opening a session.
const OPEN_EXAMPLES: &str = "Examples:
  white-city session open --identity alice.key --key-file alice.key32 --preset eddsa-keygen --threshold 2 \\
      --party $ALICE --party $BOB --party $CAROL
  white-city session open --identity alice.key --key-file alice.key32 --preset eddsa-sign --public-key $KEY \\
      --message hello --party $ALICE --party $CAROL";

#[derive(Debug, Subcommand)]
pub enum SessionCommand {
    /// Open a session, and print its id for the parties; run again after an interruption, it goes on with the same one
    ///
    /// A board may ask whoever isn't among its listed openers for a proof of work, which is computed on all cores.
    #[command(after_help = OPEN_EXAMPLES)]
    Open(Box<OpenArgs>),
    /// List sessions, the newest first: what f + 1 replicas list together, read with proof
    List(ListArgs),
    /// Show what a session is and how it stands
    Show {
        /// Id or number
        session: Which,
    },
    /// Consent to a session; whatever runs its rounds goes on from the journal, which takes the same --key-file or --passphrase-file
    Join {
        /// Id
        #[arg(value_parser = session_id)]
        session: SessionId,
        #[command(flatten)]
        identity: IdentityArgs,
        #[command(flatten)]
        unlock: MaybeUnlockArgs,
        /// Consent to what `session show` says of it [without it: asked on a terminal, refused elsewhere]
        #[arg(long)]
        yes: bool,
        /// Journal of this party in this session [default: IDENTITY.journals/SESSION]
        #[arg(long, value_name = "FILE")]
        journal: Option<PathBuf>,
    },
    /// Post in a round, from files; the same again is fine, and anything else for the round is refused
    #[command(after_help = POST_EXAMPLES)]
    Post(Box<PostArgs>),
    /// Wait until a round has closed, and write what it holds for this party
    Inbox(Box<InboxArgs>),
    /// Say that this party is done, and wait for the others; its keys stay until `journal forget`
    Finish(Box<FinishArgs>),
    /// Complain about a payload that can't be opened (`session inbox` names its sender, with exit code 8): the session ends of it
    Complain(Box<ComplainArgs>),
    /// Write 32 secret bytes that are always the same in this session: a script that draws from them can be killed and run again
    Randomness(Box<RandomnessArgs>),
    /// Keep a script's own state in the journal, encrypted and on the disk, before posting what depends on it
    Remember(Box<RememberArgs>),
    /// Write a state that was remembered, also by a run that was killed; exit code 11 if there is none
    Recall(Box<RecallArgs>),
    /// Refuse to join a session
    Decline {
        /// Id
        #[arg(value_parser = session_id)]
        session: SessionId,
        #[command(flatten)]
        identity: SignerArgs,
        /// Number that the protocol gives a meaning
        #[arg(long, default_value_t = 0)]
        reason: u16,
    },
    /// Follow a session to its end
    Watch {
        /// Id
        #[arg(value_parser = session_id)]
        session: SessionId,
    },
    /// Write a file that proves something about a session to anyone, offline: see `white-city verify`
    Receipt(ReceiptArgs),
    /// Write what speaks against parties of a session, each as a file that proves it
    Evidence {
        /// Id
        #[arg(value_parser = session_id)]
        session: SessionId,
        /// Folder for the files, which is made if it isn't there
        #[arg(long, value_name = "DIR")]
        out: PathBuf,
    },
    /// Leave a session after joining it
    Abort {
        /// Id
        #[arg(value_parser = session_id)]
        session: SessionId,
        #[command(flatten)]
        identity: SignerArgs,
        /// Number that the protocol gives a meaning
        #[arg(long, default_value_t = 0)]
        cause: u16,
    },
}

/// The statuses of sessions that are listed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum State {
    /// Those that haven't ended
    Live,
    /// Those that wait for their parties
    Joining,
    /// Those whose rounds run
    Running,
    /// Those in which a complaint waits for its answer
    Dispute,
    /// Those that have an outcome
    Finished,
    /// Those that ended without one
    Aborted,
    /// Those whose payloads and specs are gone; nobody knows their parties any more
    Erased,
}

#[derive(Debug, Args)]
pub struct ListArgs {
    /// Only those with this party
    #[arg(long, value_name = "HEX", value_parser = identity)]
    pub party: Option<IdentityKey>,
    /// Only those with the party of --identity
    #[arg(long, requires = "identity", conflicts_with = "party")]
    pub mine: bool,
    /// File of the identity whose sessions are listed
    #[arg(long, value_name = "FILE", requires = "mine")]
    pub identity: Option<PathBuf>,
    #[command(flatten)]
    pub unlock: MaybeUnlockArgs,
    /// Only those with this status; may be given several times
    #[arg(long, value_enum)]
    pub state: Vec<State>,
    /// Only those with this number or a higher one
    #[arg(long, value_name = "NUMBER", default_value_t = 0)]
    pub from: u64,
    /// No more than so many [default: all]
    #[arg(long, value_name = "COUNT")]
    pub limit: Option<usize>,
}

/// The kind of a receipt: what it is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum ReceiptKind {
    /// Everything that was signed, and how the session ended
    Ceremony,
    /// The session's end, certified by the replicas and, where it finished, by the parties
    End,
    /// That a party's join or entry is on the board (--round, --party)
    Submission,
    /// That a party's slot stayed empty (--round, --party)
    Absence,
    /// That a party signed two entries for one slot (--party)
    Equivocation,
}

#[derive(Debug, Args)]
pub struct ReceiptArgs {
    /// Id
    #[arg(value_parser = session_id)]
    pub session: SessionId,
    /// New file
    #[arg(long, value_name = "FILE")]
    pub out: PathBuf,
    /// The kind of receipt
    #[arg(long, value_enum, default_value = "ceremony")]
    pub kind: ReceiptKind,
    /// The round; 0 is joining
    #[arg(long, value_name = "R", required_if_eq_any([("kind", "submission"), ("kind", "absence")]))]
    pub round: Option<u32>,
    /// The party's index
    #[arg(long, value_name = "I", required_if_eq_any([("kind", "submission"), ("kind", "absence"), ("kind", "equivocation")]))]
    pub party: Option<u16>,
}

/// Kind of a session's encryption keys.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum KemArg {
    /// Of 32 bytes; a quantum computer will open what is sealed to them
    #[value(name = "x25519")]
    X25519,
    /// ML-KEM-768 and X25519 together: each payload takes 1 088 bytes more
    #[value(name = "x-wing")]
    XWing,
}

impl From<KemArg> for Kem {
    fn from(kem: KemArg) -> Self {
        match kem {
            KemArg::X25519 => Self::X25519,
            KemArg::XWing => Self::XWing,
        }
    }
}

/// A protocol that this program runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Preset {
    /// Make an Ed25519 key of which some of the parties can sign together
    #[value(name = "eddsa-keygen")]
    Keygen,
    /// Give such a key other shares: all who have one take part
    #[value(name = "eddsa-refresh")]
    Refresh,
    /// Give such a key other holders and another threshold: enough who have a share deal it to those who get one
    #[value(name = "eddsa-reshare")]
    Reshare,
    /// Sign with such a key
    #[value(name = "eddsa-sign")]
    Sign,
    /// Sign many messages with such a key, in one session
    #[value(name = "eddsa-sign-many")]
    SignMany,
    /// Sign, all together, each with a key of its own
    #[value(name = "eddsa-aggregate-sign")]
    AggregateSign,
}

#[derive(Debug, Args)]
#[command(group(ArgGroup::new("what").args(["preset", "protocol"]).required(true)))]
pub struct OpenArgs {
    #[command(flatten)]
    pub identity: SignerArgs,
    /// Public key of a party; in the order of the roster
    #[arg(long, value_name = "HEX", required = true, value_parser = identity)]
    pub party: Vec<IdentityKey>,
    /// Number of entries that close a round [default: all]
    #[arg(long, value_name = "M")]
    pub quorum: Option<u16>,
    /// Number of parties that may be corrupt [default: what the preset's secrets withstand; 0 without a preset]
    #[arg(long, value_name = "T")]
    pub corrupt: Option<u16>,
    /// Time for joining
    #[arg(long, value_name = "TIME", default_value = "10m", value_parser = duration)]
    pub join_timeout: Duration,
    /// Time for each round
    #[arg(long, value_name = "TIME", default_value = "5m", value_parser = duration)]
    pub round_timeout: Duration,
    /// Time for the answer to a complaint
    #[arg(long, value_name = "TIME", default_value = "5m", value_parser = duration)]
    pub reveal_timeout: Duration,
    /// Time that payloads stay after the end
    #[arg(long, value_name = "TIME", default_value = "1d", value_parser = duration)]
    pub retention: Duration,
    /// Kind of the parties' encryption keys [default: x-wing where there are p2p payloads and the largest posts have room]
    #[arg(long)]
    pub kem: Option<KemArg>,
    /// Longest time to wait for room in a quota of the opener's or of the board's: it comes when other sessions end
    #[arg(long, value_name = "TIME", default_value = "10m", value_parser = duration)]
    pub wait: Duration,
    /// The session that this one continues
    #[arg(long, value_name = "ID", value_parser = session_id)]
    pub previous: Option<SessionId>,
    /// A protocol that this program runs
    #[arg(long)]
    pub preset: Option<Preset>,
    /// A --party that has no share and gets one (preset eddsa-reshare)
    #[arg(long, value_name = "HEX", conflicts_with = "protocol", value_parser = identity)]
    pub joins: Vec<IdentityKey>,
    /// A --party that deals its share and gets no new one (preset eddsa-reshare)
    #[arg(long, value_name = "HEX", conflicts_with = "protocol", value_parser = identity)]
    pub leaves: Vec<IdentityKey>,
    /// Number of signers that it takes (presets eddsa-keygen, eddsa-reshare)
    #[arg(long, value_name = "SIGNERS", conflicts_with = "protocol")]
    pub threshold: Option<u16>,
    /// Text to sign
    #[arg(
        long,
        value_name = "TEXT",
        group = "to_sign",
        conflicts_with = "protocol"
    )]
    pub message: Option<String>,
    /// Bytes to sign
    #[arg(long, value_name = "HEX", group = "to_sign", conflicts_with = "protocol", value_parser = hex_bytes)]
    pub message_hex: Option<Bytes>,
    /// File to sign, of at most 64 MiB; if the session has no room for it, it names the file by its hash, and each signer needs the file
    #[arg(
        long,
        value_name = "FILE",
        group = "to_sign",
        conflicts_with = "protocol"
    )]
    pub message_file: Option<PathBuf>,
    /// File with the messages to sign, one a line, in hex (preset eddsa-sign-many)
    #[arg(
        long,
        value_name = "FILE",
        group = "to_sign",
        conflicts_with = "protocol"
    )]
    pub messages: Option<PathBuf>,
    /// Public key to sign with, or whose shares are changed (presets eddsa-sign, eddsa-sign-many, eddsa-refresh, eddsa-reshare)
    #[arg(long, value_name = "HEX", conflicts_with = "protocol", value_parser = hex32)]
    pub public_key: Option<[u8; 32]>,
    /// Public signing key of a party, in the order of the roster; one for each (preset eddsa-aggregate-sign)
    #[arg(long, value_name = "HEX", conflicts_with = "protocol", value_parser = hex32)]
    pub signing_key: Vec<[u8; 32]>,
    /// Name of any other protocol
    #[arg(long, value_name = "NAME")]
    pub protocol: Option<String>,
    /// Its version
    #[arg(long, value_name = "N", default_value_t = 1, conflicts_with = "preset")]
    pub protocol_version: u32,
    /// Its last round
    #[arg(
        long,
        value_name = "R",
        default_value_t = 16,
        conflicts_with = "preset"
    )]
    pub max_rounds: u32,
    /// Its largest broadcast, bytes
    #[arg(
        long,
        value_name = "BYTES",
        default_value_t = 65_536,
        conflicts_with = "preset"
    )]
    pub max_broadcast: u32,
    /// Its largest p2p plaintext for one recipient, bytes
    #[arg(
        long,
        value_name = "BYTES",
        default_value_t = 4_096,
        conflicts_with = "preset"
    )]
    pub max_p2p: u32,
    /// Largest size of all its entries together, bytes [default: enough for full posts in all rounds]
    #[arg(long, value_name = "BYTES", conflicts_with = "preset")]
    pub max_bytes: Option<u64>,
    /// Its input
    #[arg(long, value_name = "HEX", conflicts_with = "preset", value_parser = hex_bytes)]
    pub input_hex: Option<Bytes>,
}
