//! The charter in force, and what the operators say of the next one.

use std::collections::BTreeSet;

use white_city_wire::{
    Bitmap, Charter, Hash,
    approve::{Proposal, proposals_hash},
    pb::{self, query::Question},
    tx::{charter_from_pb, proposal_from_pb},
};

use super::{Lie, OrLie, Proven, Read, Sealed, body};

/// The charter in force for the next block, and the operators' words about the one after it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CharterNow {
    /// The charter.
    pub charter: Charter,
    /// Height of the block that enacted it; 0 in term 0.
    pub term_height: u64,
    /// Number of the era of its validators.
    pub era: u32,
    /// Version of the rules that the last block was executed by.
    pub protocol: u32,
    /// Positions of the replicas whose validators have been seen to vote.
    pub proven: Bitmap,
    /// The words that stand, ascending by operator.
    pub words: Vec<Proposal>,
    /// The charters that they name, each once.
    pub proposed: Vec<Charter>,
}

impl CharterNow {
    /// Number of operators who approve a charter.
    #[must_use]
    pub fn approvals(&self, charter: &Hash) -> usize {
        let words = self.words.iter();
        words.filter(|word| word.charter_hash == *charter).count()
    }

    /// Number of operators who have to: more than two thirds.
    #[must_use]
    pub const fn needed(&self) -> usize {
        self.charter.replicas.len().saturating_mul(2) / 3 + 1
    }

    /// The word of an operator, if it has said any in this term.
    #[must_use]
    pub fn word_of(&self, operator: u16) -> Option<&Proposal> {
        self.words.iter().find(|word| word.operator == operator)
    }
}

/// Asks for the charter in force.
#[derive(Debug, Clone, Copy)]
pub struct ReadCharter;

impl Sealed for ReadCharter {}

impl Read for ReadCharter {
    type Value = CharterNow;

    fn question(&self) -> Question {
        Question::Charter(pb::CharterQuery {})
    }

    fn check(&self, proven: &Proven<'_>) -> Result<CharterNow, Lie> {
        let answer = body!(proven, Charter)?;
        let board = proven.board();
        let charter = answer.charter.as_ref();
        let charter = charter.ok_or_else(|| Lie::new("an answer without the charter"))?;
        let charter = charter_from_pb(charter).or_lie("charter")?;
        if charter.hash() != board.charter_hash || charter.term != board.term {
            return Err(Lie::new("a charter that isn't the one in force"));
        }
        let words = answer.proposals.iter().map(proposal_from_pb);
        let words = words.collect::<Result<Vec<_>, _>>().or_lie("proposals")?;
        if proposals_hash(&words) != board.proposals_hash {
            return Err(Lie::new("other words than the operators'"));
        }
        let proposed = answer.proposed.iter().map(charter_from_pb);
        let proposed = proposed.collect::<Result<Vec<_>, _>>().or_lie("proposed")?;
        let named: BTreeSet<Hash> = words.iter().map(|word| word.charter_hash).collect();
        let given: BTreeSet<Hash> = proposed.iter().map(Charter::hash).collect();
        let is_withdrawn = |hash: &&Hash| **hash != Hash::ZERO;
        if given.len() != proposed.len() || !named.iter().filter(is_withdrawn).eq(&given) {
            return Err(Lie::new("other charters than those that the words name"));
        }
        let places = Bitmap::from_bytes(256, &board.proven);
        let proven = places.ok_or_else(|| Lie::new("a state without the proven replicas"))?;
        Ok(CharterNow {
            charter,
            term_height: board.term_height,
            era: board.eras,
            protocol: board.protocol,
            proven,
            words,
            proposed,
        })
    }
}
