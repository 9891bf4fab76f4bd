//! The charter in force, and what the root says of its term.

use alloc::sync::Arc;

use white_city_wire::{Bitmap, Charter, Hash};

/// A term: the time for which a charter is in force.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Term {
    /// The charter.
    pub charter: Arc<Charter>,
    /// Its hash.
    pub charter_hash: Hash,
    /// Height of the block that enacted it; 0 in term 0.
    pub height: u64,
    /// Changes of the set of validators so far.
    pub eras: u32,
    /// Height of the block that made the last one; 0 without any.
    pub era_height: u64,
    /// Replicas whose validators have been seen to vote: a bitmap by position in the charter.
    pub proven: [u8; 32],
}

impl Term {
    /// Term 0, whose validators need no proof.
    #[must_use]
    pub fn first(charter: &Arc<Charter>) -> Self {
        Self {
            charter_hash: charter.hash(),
            height: 0,
            eras: 0,
            era_height: 0,
            proven: bits((0..charter.size()).fold(Bitmap::empty(256), Bitmap::with)),
            charter: Arc::clone(charter),
        }
    }
}

/// The 32 bytes of a bitmap of 256.
fn bits(of: Bitmap) -> [u8; 32] {
    of.as_bytes().try_into().unwrap_or_default()
}
