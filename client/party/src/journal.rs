//! A journal's bytes and records: what a party needs to go on after it was interrupted. Where it lies is its owner's matter.

mod format;
mod record;

use std::path::PathBuf;

pub use format::{
    HEADER_BYTES, Header, LOCK_BYTES, NONCE_BYTES, PREFIX_BYTES, RECORD_BYTES_MAX, Sealer, Torn,
};
pub use record::{EntryRecord, Record, Remembered, Seeds};
use white_city_wire::{IdentityKey, NetworkId, SessionId};

/// Why there is no journal.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum JournalError {
    /// The file can't be made, read or written.
    #[error("journal: {0}")]
    File(String),
    /// Another process, or another session handle of this one, goes on from it.
    #[error("journal {path}: another process uses it")]
    Locked {
        /// The file.
        path: PathBuf,
    },
    /// Not a journal of this version, session, network and identity.
    #[error("journal {path}: expected {expected}")]
    Other {
        /// The file.
        path: PathBuf,
        /// The journal that it should be.
        expected: &'static str,
    },
    /// Begun with a passphrase, and a key file or nothing was given, or the like.
    #[error("journal {path}: it was begun with {expected}, and is opened with nothing else")]
    OtherUnlock {
        /// The file.
        path: PathBuf,
        /// Name of what opens it beside the identity.
        expected: &'static str,
    },
    /// The cost of Argon2id in the header is outside its limits.
    #[error("journal {path}: {reason}")]
    Unlock {
        /// The file.
        path: PathBuf,
        /// Why.
        reason: String,
    },
    /// The file was changed, or it was written with another identity, passphrase or key file. It is never guessed what it said.
    #[error(
        "journal {path}: the record at byte {offset} was changed, or isn't of this journal, or the passphrase or key is wrong"
    )]
    Corrupt {
        /// The file.
        path: PathBuf,
        /// The byte with which the record begins.
        offset: u64,
    },
    /// Writing failed before; the file may end in the middle of a record.
    #[error("journal {path}: writing to it has failed before")]
    Broken {
        /// The file.
        path: PathBuf,
    },
    /// More than one record can hold.
    #[error("journal {path}: a record of {got} bytes, at most {max} fit")]
    TooLarge {
        /// The file.
        path: PathBuf,
        /// Its size, bytes.
        got: usize,
        /// The most, bytes.
        max: usize,
    },
    /// The operating system gave no random bytes.
    #[error("journal: no random bytes: {0}")]
    Random(String),
}

/// The one session of the one party that a journal is of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct JournalId {
    /// The network.
    pub network: NetworkId,
    /// The session.
    pub session: SessionId,
    /// The party.
    pub identity: IdentityKey,
}
