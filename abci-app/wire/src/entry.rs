//! Entries: what a slot of a running round holds, without its payloads.

use alloc::vec::Vec;

use crate::{
    board::{Culprit, Offence},
    hash::{Hash, NetworkId, Preimage, SessionId},
    keys::{IdentityKey, Signature},
    signing::{Purpose, signed_bytes},
};

/// The hashed part of a post.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PostHeader {
    /// The session.
    pub session: SessionId,
    /// The round, from 1.
    pub round: u32,
    /// The author's index.
    pub index: u16,
    /// The transcript of the last closed round.
    pub transcript: Hash,
    /// Hash of the broadcast, zeros without one.
    pub bcast_hash: Hash,
    /// Size of the broadcast, bytes, 0 without one.
    pub bcast_len: u32,
    /// Root over the sealed payloads' leaves.
    pub p2p_root: Hash,
    /// Size of all sealed payloads, bytes.
    pub p2p_bytes: u32,
}

impl PostHeader {
    /// Digest that the author signs, and that the slot commits to.
    #[must_use]
    pub fn digest(&self) -> Hash {
        Preimage::new("white-city/post/1")
            .raw(&self.session.0)
            .u32(self.round)
            .u16(self.index)
            .hash(&self.transcript)
            .hash(&self.bcast_hash)
            .u32(self.bcast_len)
            .hash(&self.p2p_root)
            .u32(self.p2p_bytes)
            .finish()
    }
}

/// A finish: its author is done and names the outcome.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FinishHeader {
    /// The session.
    pub session: SessionId,
    /// The round, from 1.
    pub round: u32,
    /// The author's index.
    pub index: u16,
    /// The transcript of the last closed round.
    pub transcript: Hash,
    /// Digest of the outcome.
    pub outcome: Hash,
}

impl FinishHeader {
    /// Digest that the author signs, and that the slot commits to.
    #[must_use]
    pub fn digest(&self) -> Hash {
        Preimage::new("white-city/finish/1")
            .raw(&self.session.0)
            .u32(self.round)
            .u16(self.index)
            .hash(&self.transcript)
            .hash(&self.outcome)
            .finish()
    }
}

/// An entry: a post or a finish.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Entry {
    /// One party's payloads of one round.
    Post(PostHeader),
    /// One party's word that it is done.
    Finish(FinishHeader),
}

impl Entry {
    /// Digest that the author signs.
    #[must_use]
    pub fn digest(&self) -> Hash {
        match self {
            Self::Post(header) => header.digest(),
            Self::Finish(header) => header.digest(),
        }
    }

    /// The session, round and index of its slot.
    #[must_use]
    pub const fn slot(&self) -> (SessionId, u32, u16) {
        match self {
            Self::Post(h) => (h.session, h.round, h.index),
            Self::Finish(h) => (h.session, h.round, h.index),
        }
    }

    /// The transcript that it names.
    #[must_use]
    pub const fn transcript(&self) -> Hash {
        match self {
            Self::Post(h) => h.transcript,
            Self::Finish(h) => h.transcript,
        }
    }

    /// Purpose of its signature.
    #[must_use]
    pub const fn purpose(&self) -> Purpose {
        match self {
            Self::Post(_) => Purpose::Post,
            Self::Finish(_) => Purpose::Finish,
        }
    }
}

/// An entry and a signature that may or may not be its author's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignedEntry {
    /// The entry.
    pub entry: Entry,
    /// Said to be its author's.
    pub signature: Signature,
}

impl SignedEntry {
    /// Bytes that its author has signed, for `network`.
    #[must_use]
    pub fn signed_bytes(&self, network: &NetworkId) -> Vec<u8> {
        signed_bytes(self.entry.purpose(), network, &self.entry.digest())
    }

    /// Whether `key` signed it for `network`.
    #[must_use]
    pub fn is_signed_by(&self, key: &IdentityKey, network: &NetworkId) -> bool {
        key.verify(&self.signed_bytes(network), &self.signature)
    }
}

/// Why two entries convict nobody.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NoEquivocation {
    /// They are for two slots: both may be right.
    TwoSlots,
    /// They are one, perhaps under two signatures.
    Same,
    /// The smaller digest comes first, so that one pair has one form.
    Order,
}

/// The culprit whom two entries convict, if their author has signed both: an honest party signs one for a slot. The one place that
/// says what an equivocation is.
///
/// # Errors
/// [`NoEquivocation`].
pub fn equivocation([first, second]: &[SignedEntry; 2]) -> Result<Culprit, NoEquivocation> {
    let (_, round, index) = first.entry.slot();
    if first.entry.slot() != second.entry.slot() {
        return Err(NoEquivocation::TwoSlots);
    }
    let (a, b) = (first.entry.digest(), second.entry.digest());
    match a.cmp(&b) {
        core::cmp::Ordering::Equal => Err(NoEquivocation::Same),
        core::cmp::Ordering::Greater => Err(NoEquivocation::Order),
        core::cmp::Ordering::Less => Ok(Culprit {
            index,
            offence: Offence::Equivocation,
            round,
            a,
            b,
        }),
    }
}

/// Hash of a broadcast; zeros where there is none.
#[must_use]
pub fn bcast_hash(payload: &[u8]) -> Hash {
    if payload.is_empty() {
        return Hash::ZERO;
    }
    Preimage::new("white-city/bcast/1").raw(payload).finish()
}

/// Leaf of a sealed payload; zeros where there is none.
#[must_use]
pub fn p2p_leaf(ciphertext: &[u8]) -> Hash {
    if ciphertext.is_empty() {
        return Hash::ZERO;
    }
    Preimage::leaf("white-city/p2p/1").raw(ciphertext).finish()
}
