//! Reading the board: typed answers of one replica, checked as far as signatures go.

mod answers;
mod inbox;
mod view;

pub(crate) use answers::{Lied, body, read_joins, read_leaves, read_open};
pub use answers::{RoundStatus, SessionLine};
#[cfg(test)]
pub(crate) use answers::{check_join, check_open};
pub use inbox::Entry;
pub use view::SessionView;
use white_city_wire::{Hash, SessionId, pb};

use crate::replicas::{Endpoint, ReadError};

/// Something that a replica says without proof, and the state that it says it about.
///
/// The value is a hint: signatures inside of it may have been checked, but that it is all there is, or the newest, or how a
/// session ended, only the replica vouches for. Taking it out says so in the code.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unproven<T> {
    value: T,
    replica: String,
    height: u64,
    board_ms: u64,
}

impl<T> Unproven<T> {
    fn new(value: T, endpoint: &Endpoint, answer: &pb::Answer) -> Self {
        Self {
            value,
            replica: endpoint.name().to_owned(),
            height: answer.height,
            board_ms: answer.board_ms,
        }
    }

    /// The value, which nobody has proven.
    #[must_use]
    pub const fn unproven_value(&self) -> &T {
        &self.value
    }

    /// The value, which nobody has proven.
    #[must_use]
    pub fn into_unproven_value(self) -> T {
        self.value
    }

    /// Who says so.
    #[must_use]
    pub fn replica(&self) -> &str {
        &self.replica
    }

    /// The height of the state that it is about, as the replica says.
    #[must_use]
    pub const fn height(&self) -> u64 {
        self.height
    }

    /// The board time of that state, milliseconds, as the replica says.
    #[must_use]
    pub const fn board_ms(&self) -> u64 {
        self.board_ms
    }
}

/// Which session is meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SessionRef {
    /// By its id.
    Id(SessionId),
    /// By its number, which only a replica vouches for.
    Number(u64),
}

impl SessionRef {
    pub(crate) fn to_pb(self) -> Option<pb::SessionRef> {
        let inner = match self {
            Self::Id(id) => pb::session_ref::Ref::Id(id.0.to_vec()),
            Self::Number(number) => pb::session_ref::Ref::Number(number),
        };
        Some(pb::SessionRef { r#ref: Some(inner) })
    }
}

impl From<SessionId> for SessionRef {
    fn from(id: SessionId) -> Self {
        Self::Id(id)
    }
}

impl std::fmt::Display for SessionRef {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Id(id) => write!(f, "{id}"),
            Self::Number(number) => write!(f, "number {number}"),
        }
    }
}

/// Numbers and sizes of the board itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BoardStatus {
    /// How many sessions were opened.
    pub sessions: u64,
    /// Time that the board was down, milliseconds.
    pub paused_ms: u64,
    /// The state's root.
    pub root: Hash,
}

/// Takes 32-byte values apart.
fn hashes(what: &str, bytes: &[u8]) -> Result<Vec<Hash>, ReadError> {
    white_city_wire::read::split_hashes(bytes)
        .ok_or_else(|| ReadError::Lied(format!("{what}: not a multiple of 32 bytes")))
}

fn hash(what: &str, bytes: &[u8]) -> Result<Hash, ReadError> {
    Hash::from_slice(bytes).ok_or_else(|| ReadError::Lied(format!("{what}: not 32 bytes")))
}
