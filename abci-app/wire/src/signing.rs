//! Bytes that a signature covers: a purpose, the network, and one digest. There is no way to sign other bytes.

use alloc::vec::Vec;

use crate::hash::{Hash, NetworkId, Preimage, SessionId};

/// Purpose of a signature. The numbers are part of what is signed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Purpose {
    /// Opens a session; the digest is the session id.
    Open = 1,
    /// Joins a session.
    Join = 2,
    /// Posts in a round.
    Post = 3,
    /// Finishes.
    Finish = 4,
    /// Leaves after joining.
    Abort = 5,
    /// Complains about a p2p payload.
    Complain = 6,
    /// Answers a complaint.
    Reveal = 7,
    /// Leaves before joining.
    Decline = 8,
    /// An operator's word about the next charter.
    Approve = 9,
    /// Becomes an operator; the digest is the charter's hash.
    Operate = 10,
    /// An operator's card: where its node is and which keys it has. No network is bound, as there may be none yet: zeros.
    Card = 11,
    /// An operator's consent to a genesis file; the digest is of its bytes.
    Genesis = 12,
}

impl Purpose {
    const fn number(self) -> u8 {
        match self {
            Self::Open => 1,
            Self::Join => 2,
            Self::Post => 3,
            Self::Finish => 4,
            Self::Abort => 5,
            Self::Complain => 6,
            Self::Reveal => 7,
            Self::Decline => 8,
            Self::Approve => 9,
            Self::Operate => 10,
            Self::Card => 11,
            Self::Genesis => 12,
        }
    }
}

/// The bytes that an Ed25519 signature covers.
#[must_use]
pub fn signed_bytes(purpose: Purpose, network: &NetworkId, digest: &Hash) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(83);
    bytes.extend_from_slice(b"white-city sig v1\0");
    bytes.push(purpose.number());
    bytes.extend_from_slice(&network.0);
    bytes.extend_from_slice(&digest.0);
    bytes
}

/// Digest of a join.
#[must_use]
pub fn join_digest(session: &SessionId, index: u16, kem: u8, enc_pk: &[u8]) -> Hash {
    Preimage::new("white-city/join/1")
        .raw(&session.0)
        .u16(index)
        .u8(kem)
        .lp(enc_pk)
        .finish()
}

/// Digest of a decline.
#[must_use]
pub fn decline_digest(session: &SessionId, index: u16, reason: u16) -> Hash {
    Preimage::new("white-city/decline/1")
        .raw(&session.0)
        .u16(index)
        .u16(reason)
        .finish()
}

/// Digest of an abort. `about` is an index or [`crate::limits::NOBODY`].
#[must_use]
pub fn abort_digest(
    session: &SessionId,
    index: u16,
    cause: u16,
    about: u16,
    detail: &Hash,
) -> Hash {
    Preimage::new("white-city/abort/1")
        .raw(&session.0)
        .u16(index)
        .u16(cause)
        .u16(about)
        .hash(detail)
        .finish()
}

/// Digest of a complaint about the p2p payload that `accused` sent in `round`.
#[must_use]
pub fn complain_digest(
    session: &SessionId,
    round: u32,
    index: u16,
    accused: u16,
    accused_post_digest: &Hash,
    p2p_leaf: &Hash,
) -> Hash {
    Preimage::new("white-city/complain/1")
        .raw(&session.0)
        .u32(round)
        .u16(index)
        .u16(accused)
        .hash(accused_post_digest)
        .hash(p2p_leaf)
        .finish()
}

/// Digest of the answer to a complaint, signed by the accused at `index`.
#[must_use]
pub fn reveal_digest(
    complain_digest: &Hash,
    index: u16,
    ikm_e: &[u8; 32],
    plaintext_hash: &Hash,
) -> Hash {
    Preimage::new("white-city/reveal/1")
        .hash(complain_digest)
        .u16(index)
        .raw(ikm_e)
        .hash(plaintext_hash)
        .finish()
}
