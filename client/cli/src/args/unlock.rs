//! Options that name what opens the files that a party has encrypted.

use std::path::PathBuf;

use clap::Args;

/// The passphrase or key of a share, and of its session's journal.
#[derive(Debug, Clone, Args)]
#[group(required = true, multiple = false)]
pub struct UnlockArgs {
    /// File with the passphrase that encrypts the share and the session's journal; opens the identity, too, if nothing else is said
    #[arg(long, value_name = "FILE")]
    pub passphrase_file: Option<PathBuf>,
    /// File of 32 bytes that encrypts the share and the session's journal; opens the identity, too, if nothing else is said
    #[arg(long, value_name = "FILE")]
    pub key_file: Option<PathBuf>,
}

/// The same for commands that may need nothing of it.
#[derive(Debug, Args)]
#[group(multiple = false)]
pub struct MaybeUnlockArgs {
    /// File with the passphrase that opens what this party has encrypted
    #[arg(long, value_name = "FILE")]
    pub passphrase_file: Option<PathBuf>,
    /// File of 32 bytes that opens what this party has encrypted
    #[arg(long, value_name = "FILE")]
    pub key_file: Option<PathBuf>,
}

/// The passphrase or key that a new file is encrypted with.
#[derive(Debug, Args)]
#[group(required = true, multiple = false)]
pub struct ProtectArgs {
    /// File with the passphrase that encrypts it
    #[arg(long, value_name = "FILE")]
    pub passphrase_file: Option<PathBuf>,
    /// File of 32 bytes that encrypts it
    #[arg(long, value_name = "FILE")]
    pub key_file: Option<PathBuf>,
    /// Don't encrypt it: whoever reads the file is this party
    #[arg(long)]
    pub plain: bool,
}

/// An identity, and what opens it if it is encrypted.
#[derive(Debug, Clone, Args)]
pub struct IdentityArgs {
    /// File of the identity
    #[arg(long, value_name = "FILE")]
    pub identity: PathBuf,
    /// File with the passphrase that opens the identity, if that isn't what opens the rest
    #[arg(long, value_name = "FILE", conflicts_with = "identity_key_file")]
    pub identity_passphrase_file: Option<PathBuf>,
    /// File of 32 bytes that opens the identity, if that isn't what opens the rest
    #[arg(long, value_name = "FILE")]
    pub identity_key_file: Option<PathBuf>,
}

/// An identity for commands that open nothing else.
#[derive(Debug, Args)]
pub struct SignerArgs {
    /// File of the identity
    #[arg(long, value_name = "FILE")]
    pub identity: PathBuf,
    #[command(flatten)]
    pub unlock: MaybeUnlockArgs,
}
