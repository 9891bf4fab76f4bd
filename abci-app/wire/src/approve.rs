//! Approvals: how operators change the charter together. What an approval has to be to count is the state machine's.

use alloc::{boxed::Box, vec::Vec};

use crate::{
    charter::Charter,
    hash::{Hash, Preimage},
    keys::Signature,
};

/// An operator's word about the charter of the next term.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Approve {
    /// The present term.
    pub term: u32,
    /// Position of the operator's replica in the present charter.
    pub operator: u16,
    /// One more than that of the operator's last word in this term, from 1.
    pub sequence: u32,
    /// What it says.
    pub word: Word,
}

/// Content of an operator's word.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Word {
    /// It approves this charter.
    Charter {
        /// The charter.
        charter: Box<Charter>,
        /// Signatures of those of its operators who are none in the present charter, in the charter's order: nobody becomes an operator
        /// by a mistyped key.
        newcomers: Vec<Signature>,
    },
    /// It takes back what it approved.
    Withdraw,
}

impl Approve {
    /// Hash of what it approves; zeros for nothing any more.
    #[must_use]
    pub fn charter_hash(&self) -> Hash {
        match &self.word {
            Word::Charter { charter, .. } => charter.hash(),
            Word::Withdraw => Hash::ZERO,
        }
    }

    /// Digest that the operator signs.
    #[must_use]
    pub fn digest(&self) -> Hash {
        Preimage::new("white-city/approve/2")
            .u32(self.term)
            .u16(self.operator)
            .u32(self.sequence)
            .hash(&self.charter_hash())
            .finish()
    }

    /// Cost of checking it: its signature, and all keys and signatures of a charter.
    #[must_use]
    pub fn work(&self) -> u32 {
        let count = |of: usize| u32::try_from(of).unwrap_or(u32::MAX);
        match &self.word {
            Word::Charter { charter, .. } => count(charter.replicas.len())
                .saturating_mul(2)
                .saturating_add(count(charter.openers.len()))
                .saturating_add(1),
            Word::Withdraw => 1,
        }
    }
}

/// The word of an operator as it stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Proposal {
    /// Position of its replica in the present charter.
    pub operator: u16,
    /// Sequence number of its last word.
    pub sequence: u32,
    /// Board time at which it last approved a charter, ms.
    pub board_ms: u64,
    /// Hash of the charter that it approves; zeros for none.
    pub charter_hash: Hash,
}

/// Hash of all that stand, ascending by operator; zeros if none.
#[must_use]
pub fn proposals_hash(proposals: &[Proposal]) -> Hash {
    if proposals.is_empty() {
        return Hash::ZERO;
    }
    let count = u16::try_from(proposals.len()).unwrap_or(u16::MAX);
    let head = Preimage::new("white-city/proposals/2").u16(count);
    proposals
        .iter()
        .fold(head, |so_far, proposal| {
            so_far
                .u16(proposal.operator)
                .u32(proposal.sequence)
                .u64(proposal.board_ms)
                .hash(&proposal.charter_hash)
        })
        .finish()
}
