//! Disputes: a complaint about a p2p payload that can't be opened, the answer to it, and the judgement.
//!
//! Judged is one thing only: whether the bytes under the leaf that the accused has signed are `Seal(ikm_e, plaintext)`, sealed
//! for exactly this place to exactly the key that the complainer has joined with. What the plaintext means isn't judged.
//!
//! **Nobody who follows the protocol is ever a culprit.** Whatever others do, with replicas as malicious as they like:
//!
//! - *An honest sender* (kind 2 needs its signature under a reveal). It signs one reveal for a complaint, and only for one that
//!   names a post that it has signed itself: the complaint's digest has the post's digest, and that has the session (so the
//!   network, the roster and its keys), the round, its index, T_{r-1} and the root over the payloads. T_{r-1} chains the joins
//!   that the sender has checked before it sealed to one of them. So everything under the seal is fixed by what it has signed,
//!   sealing is deterministic, and what it reveals is what it sealed: the judgement is equality. A reveal of another complaint,
//!   payload, session or history has another digest. The reveal fits a transaction wherever the post did.
//! - *An honest recipient* (kind 3 needs its signature under a complaint). It complains only when it has found the leaf in a
//!   signed post of a closed round of its own history, and its own key doesn't open the bytes under that leaf there. If they
//!   were `Seal(ikm_e, plaintext)` to the key of its join, its key would open them: HPKE's opening inverts its sealing for every
//!   key pair that it derives, with X-Wing but for one payload in 2^164 (FIPS 203, table 1), which nobody can look for. So no
//!   reveal gives the leaf, short of that or a collision of SHA-256.
//! - *Pieces of another history* don't fit: the leaf is tied to the post by its path, the post to the slot by its digest, the
//!   key to the slot of round 0 by the join's digest, and both slots to one transcript. Whoever judges away from the board has
//!   to take key and joins from the history whose T_{r-1} the post names ([`judge`] can't see that): a recipient may have
//!   signed two joins, and only one of them is what the sender sealed to.
//! - *Silence* convicts nobody: the accused may have slept or lost its journal.

use alloc::vec::Vec;

use crate::{
    board::{Cause, Offence},
    entry::{PostHeader, p2p_leaf},
    hash::{Hash, NetworkId, SessionId, sha256},
    kem::EncryptionKey,
    payload::{PayloadContext, seal_with},
    refusal::Refusal,
    signing::{complain_digest, reveal_digest},
    spec::Spec,
    tree::slot_root_from_path,
};

/// A party's word that it can't open a p2p payload.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Complain {
    /// The post that brought the payload. Session, round and accused are its own.
    pub post: PostHeader,
    /// Index of the party that complains, to which the payload was sent; not the post's.
    pub index: u16,
    /// The payload's leaf; never zeros, since anybody can see that a payload is absent.
    pub leaf: Hash,
    /// The leaf's siblings up to the post's p2p root, from the leaf up.
    pub path: Vec<Hash>,
}

impl Complain {
    /// Digest that the complaining party signs, and that stands for the dispute in the session's leaf.
    #[must_use]
    pub fn digest(&self) -> Hash {
        let post = &self.post;
        complain_digest(
            &post.session,
            post.round,
            self.index,
            post.index,
            &post.digest(),
            &self.leaf,
        )
    }

    /// Index of the party that is complained about.
    #[must_use]
    pub const fn accused(&self) -> u16 {
        self.post.index
    }

    /// Checks that the leaf is that of the payload for the complaining party in the post, in a roster of `parties`.
    ///
    /// # Errors
    /// [`Refusal::NoComplaint`].
    pub fn check_path(&self, parties: u16) -> Result<(), Refusal> {
        let root = slot_root_from_path(self.leaf, self.index, parties, &self.path);
        if root == Some(self.post.p2p_root) {
            return Ok(());
        }
        Err(Refusal::NoComplaint(
            "the payload's path doesn't lead to the post's p2p root",
        ))
    }
}

/// The answer to a complaint: one payload as it was before it was sealed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reveal {
    /// The session. The signature covers it by way of the complaint.
    pub session: SessionId,
    /// Digest of the complaint.
    pub complaint: Hash,
    /// Index of the accused.
    pub index: u16,
    /// Keying material of the payload's ephemeral key; of no use for any other payload.
    pub ikm_e: [u8; 32],
    /// The payload, at least one byte.
    pub plaintext: Vec<u8>,
}

impl Reveal {
    /// Digest that the accused signs.
    #[must_use]
    pub fn digest(&self) -> Hash {
        let plaintext = sha256(&self.plaintext);
        reveal_digest(&self.complaint, self.index, &self.ikm_e, &plaintext)
    }
}

/// Result of a reveal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// The accused has signed something else than what it reveals: the payload was bad.
    BadPayload,
    /// The payload is what the accused reveals, so its recipient could have opened it.
    FalseComplaint,
}

impl Verdict {
    /// Index of the culprit.
    #[must_use]
    pub const fn culprit(self, complain: &Complain) -> u16 {
        match self {
            Self::BadPayload => complain.accused(),
            Self::FalseComplaint => complain.index,
        }
    }

    /// Of what.
    #[must_use]
    pub const fn offence(self) -> Offence {
        match self {
            Self::BadPayload => Offence::BadPayload,
            Self::FalseComplaint => Offence::FalseComplaint,
        }
    }

    /// Cause of the session's end.
    #[must_use]
    pub const fn cause(self) -> Cause {
        match self {
            Self::BadPayload => Cause::BadPayload,
            Self::FalseComplaint => Cause::FalseComplaint,
        }
    }

    /// The verdict that a session has ended of, if it was one.
    #[must_use]
    pub const fn from_cause(cause: Cause) -> Option<Self> {
        match cause {
            Cause::BadPayload => Some(Self::BadPayload),
            Cause::FalseComplaint => Some(Self::FalseComplaint),
            _ => None,
        }
    }
}

/// Judges a reveal that answers this complaint, on a session with this spec in which the complaining party has joined with
/// `key`. Costs an encapsulation and sealing the plaintext.
///
/// Both have to be verified under their authors' keys, the complaint's path with them ([`crate::SignedTx::verify`]); the post has
/// to be that of its slot, and `key` that of the join in the history that the post names. Only then does the verdict convict.
///
/// # Errors
/// [`Refusal::OtherComplaint`], [`Refusal::NotTheAccused`], or [`Refusal::NotInRoster`].
pub fn judge(
    network: &NetworkId,
    spec: &Spec,
    key: &EncryptionKey,
    complain: &Complain,
    reveal: &Reveal,
) -> Result<Verdict, Refusal> {
    let expected = complain.digest();
    let (session, from, to) = (complain.post.session, complain.accused(), complain.index);
    if reveal.complaint != expected || reveal.session != session {
        return Err(Refusal::OtherComplaint { expected });
    }
    if reveal.index != from {
        return Err(Refusal::NotTheAccused { accused: from });
    }
    let context = PayloadContext {
        network: *network,
        session,
        transcript: complain.post.transcript,
        round: complain.post.round,
        from,
        to,
        from_key: spec.key(from)?,
        to_key: spec.key(to)?,
        to_join: key.join_digest(&session, to),
    };
    // What can't be sealed at all isn't what was sealed; an honest sender could not have posted it.
    let sealed = seal_with(&reveal.ikm_e, &context, key, &reveal.plaintext);
    Ok(match sealed {
        Ok(sealed) if p2p_leaf(&sealed) == complain.leaf => Verdict::FalseComplaint,
        _ => Verdict::BadPayload,
    })
}
