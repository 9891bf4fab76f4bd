//! `white-city eddsa …`

use std::path::PathBuf;

use clap::{ArgGroup, Args, Subcommand};
use white_city_client::{IdentityKey, SessionId};

use super::{
    IdentityArgs, UnlockArgs,
    values::{Bytes, hex_bytes, hex32, identity, session_id},
};

/// Examples of making a key, at a terminal and elsewhere.
const KEYGEN_EXAMPLES: &str = "Examples:
  white-city eddsa keygen --identity alice.key --key-file alice.key32 --session $SESSION --out alice.share
  white-city eddsa keygen --identity alice.key --key-file alice.key32 --session $SESSION --out alice.share \\
      --threshold 2 --party $ALICE --party $BOB --party $CAROL";
/// Example of signing something.
const SIGN_EXAMPLES: &str = "Example:
  white-city eddsa sign --identity alice.key --key-file alice.key32 --session $SESSION --share alice.share --message hello";

/// Example of refreshing shares.
const REFRESH_EXAMPLES: &str = "Example:
  white-city session open --identity alice.key --key-file alice.key32 --preset eddsa-refresh --public-key $KEY \\
      --previous $KEYGEN --party $ALICE --party $BOB --party $CAROL
  white-city eddsa refresh --identity alice.key --key-file alice.key32 --session $SESSION --share alice.share --out alice.share2";

/// Examples of other holders: one who deals and stays, one who leaves, one who comes.
const RESHARE_EXAMPLES: &str = "Examples:
  white-city session open --identity alice.key --key-file alice.key32 --preset eddsa-reshare --public-key $KEY --threshold 2 \\
      --previous $KEYGEN --party $ALICE --party $BOB --party $DAVE --leaves $BOB --joins $DAVE
  white-city eddsa reshare --identity alice.key --key-file alice.key32 --session $SESSION --share alice.share --out alice.share2
  white-city eddsa reshare --identity bob.key --key-file bob.key32 --session $SESSION --share bob.share
  white-city eddsa reshare --identity dave.key --key-file dave.key32 --session $SESSION --out dave.share";

#[derive(Debug, Subcommand)]
pub enum EddsaCommand {
    /// Join a session that makes a key, and run this party to the end
    #[command(after_help = KEYGEN_EXAMPLES)]
    Keygen(KeygenArgs),
    /// Join a session that refreshes the shares of a key, and run this party to the end: the same key, other shares
    #[command(after_help = REFRESH_EXAMPLES)]
    Refresh(RefreshArgs),
    /// Join a session that gives a key other holders, and run this party to the end: the same key, other shares
    #[command(after_help = RESHARE_EXAMPLES)]
    Reshare(ReshareArgs),
    /// Join a session that signs, and run this party to the end
    #[command(after_help = SIGN_EXAMPLES)]
    Sign(SignArgs),
    /// Signing keys of single parties, and the key of all of them together, for aggregated signatures
    #[command(subcommand)]
    Key(KeyCommand),
    /// Make a new key file: 32 random bytes that encrypt identity, shares and journals
    KeyFile {
        /// New file, readable by its owner only
        #[arg(long, value_name = "FILE")]
        out: PathBuf,
    },
}

#[derive(Debug, Subcommand)]
pub enum KeyCommand {
    /// Make a new signing key
    New {
        /// New, encrypted file
        #[arg(long, value_name = "FILE")]
        out: PathBuf,
        #[command(flatten)]
        unlock: UnlockArgs,
    },
    /// Print the public key of a signing key
    Show {
        /// Its encrypted file
        file: PathBuf,
        #[command(flatten)]
        unlock: UnlockArgs,
    },
    /// Print the public key that these signers' aggregated signatures verify under
    Aggregate {
        /// Public signing key of a signer, in the order of the roster: another order is another key
        #[arg(long, value_name = "HEX", required = true, value_parser = hex32)]
        signing_key: Vec<[u8; 32]>,
    },
}

/// The party, and the session.
#[derive(Debug, Args)]
pub struct PartyArgs {
    #[command(flatten)]
    pub identity: IdentityArgs,
    /// Id of the session
    #[arg(long, value_name = "ID", value_parser = session_id)]
    pub session: SessionId,
    /// Journal with which an interrupted session goes on: run the same command again. It is removed when the result is safe
    /// [default: IDENTITY.journals/SESSION]. Never back it up: whoever opens it has this party's part of the session
    #[arg(long, value_name = "FILE")]
    pub journal: Option<PathBuf>,
    /// New file for a receipt of the whole session, once it has finished: what `verify` takes
    #[arg(long, value_name = "FILE")]
    pub receipt: Option<PathBuf>,
    /// Do what can be done now and exit with 9 if other parties have to act first: run the same command again later
    #[arg(long)]
    pub once: bool,
}

#[derive(Debug, Args)]
pub struct KeygenArgs {
    #[command(flatten)]
    pub session: PartyArgs,
    /// Join only if it takes so many signers [without it and --party: asked on a terminal, refused elsewhere]
    #[arg(long, value_name = "SIGNERS")]
    pub threshold: Option<u16>,
    /// Join only if the roster is made of exactly these public keys, in any order; one for each party
    #[arg(long, value_name = "HEX", value_parser = identity)]
    pub party: Vec<IdentityKey>,
    /// New, encrypted file for this party's share
    #[arg(long, value_name = "SHARE_FILE")]
    pub out: PathBuf,
    #[command(flatten)]
    pub unlock: UnlockArgs,
}

#[derive(Debug, Args)]
pub struct RefreshArgs {
    #[command(flatten)]
    pub session: PartyArgs,
    /// This party's share as it is. It stays: delete it when no session signs with it any more
    #[arg(long, value_name = "SHARE_FILE")]
    pub share: PathBuf,
    /// New, encrypted file for this party's new share
    #[arg(long, value_name = "SHARE_FILE")]
    pub out: PathBuf,
    #[command(flatten)]
    pub unlock: UnlockArgs,
}

#[derive(Debug, Args)]
pub struct ReshareArgs {
    #[command(flatten)]
    pub session: PartyArgs,
    /// This party's share as it is, if it deals one. It stays: delete it when no session signs with it any more
    #[arg(long, value_name = "SHARE_FILE")]
    pub share: Option<PathBuf>,
    /// New, encrypted file for this party's new share, if it gets one
    #[arg(long, value_name = "SHARE_FILE")]
    pub out: Option<PathBuf>,
    /// Join only if the key takes so many signers afterwards [without it and --party: asked on a terminal, refused elsewhere]
    #[arg(long, value_name = "SIGNERS")]
    pub threshold: Option<u16>,
    /// Join only if exactly these hold the key afterwards, in any order; one for each of them
    #[arg(long, value_name = "HEX", value_parser = identity)]
    pub party: Vec<IdentityKey>,
    /// Join only if this is the key [whoever brings a share knows it from there]
    #[arg(long, value_name = "HEX", value_parser = hex32)]
    pub public_key: Option<[u8; 32]>,
    #[command(flatten)]
    pub unlock: UnlockArgs,
}

#[derive(Debug, Args)]
pub struct SignArgs {
    #[command(flatten)]
    pub party: PartyArgs,
    /// This party's share, or its signing key for an aggregated signature
    #[arg(long, value_name = "SHARE_FILE")]
    pub share: PathBuf,
    #[command(flatten)]
    pub expected: ExpectedArgs,
    #[command(flatten)]
    pub unlock: UnlockArgs,
}

/// The message and the key that the session has to be about.
#[derive(Debug, Default, Args)]
#[command(group(ArgGroup::new("expected_message").required(true)))]
pub struct ExpectedArgs {
    /// Join only if this text is signed
    #[arg(long, value_name = "TEXT", group = "expected_message")]
    pub message: Option<String>,
    /// Join only if these bytes are signed
    #[arg(long, value_name = "HEX", group = "expected_message", value_parser = hex_bytes)]
    pub message_hex: Option<Bytes>,
    /// Join only if this file is signed, of at most 64 MiB
    #[arg(long, value_name = "FILE", group = "expected_message")]
    pub message_file: Option<PathBuf>,
    /// Join only if the messages of this file are signed, one a line, in hex
    #[arg(long, value_name = "FILE", group = "expected_message")]
    pub messages: Option<PathBuf>,
    /// Sign whatever the session's opener wants signed
    #[arg(long, group = "expected_message")]
    pub any_message: bool,
    /// Join only if it is signed under this key
    #[arg(long, value_name = "HEX", value_parser = hex32)]
    pub public_key: Option<[u8; 32]>,
}
