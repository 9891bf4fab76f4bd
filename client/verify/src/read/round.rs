//! Rounds: which slots are filled, who joined, and the transcript over all of them.

use white_city_wire::{
    Hash, SessionId, Spec,
    board::{slot_leaf, transcript_after},
    pb::{self, query::Question},
    proof::RoundProof,
    tree::slot_root,
    tx::Join,
};

use super::{Lie, Proven, Read, Sealed, SessionRef, body, hashes, session::check_join};

impl Proven<'_> {
    /// Whether the session has this root for the round, closed or open.
    fn check_round_root(&self, id: SessionId, round: u32, root: &Hash) -> Result<(), Lie> {
        let leaf = &self.session(id.into())?.leaf;
        let is_it = match &self.round {
            Some(proof) => proof.is_of(leaf, round, root),
            None => round == leaf.open_round && *root == leaf.slots_root,
        };
        if is_it {
            return Ok(());
        }
        Err(Lie::new("the slots aren't those of the round"))
    }
}

/// The slots of a round that are filled, and those that are empty.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RoundStatus {
    /// The round.
    pub round: u32,
    /// Whether it has closed.
    pub closed: bool,
    /// From the round to the transcript, once it has closed.
    pub proof: Option<RoundProof>,
    /// Leaves of its slots in the order of the roster, zeros where empty.
    pub slots: Vec<Hash>,
}

impl RoundStatus {
    /// Indices of the members whose slots are empty.
    #[must_use]
    pub fn empty(&self) -> Vec<u16> {
        (0_u16..)
            .zip(&self.slots)
            .filter(|(_, leaf)| **leaf == Hash::ZERO)
            .map(|(index, _)| index)
            .collect()
    }
}

/// Asks which slots of a round are filled.
#[derive(Debug, Clone, Copy)]
pub struct ReadRound<'a> {
    /// The session.
    pub id: SessionId,
    /// Its spec, checked against the id.
    pub spec: &'a Spec,
    /// The round: a closed one or the open one.
    pub round: u32,
}

impl Sealed for ReadRound<'_> {}

impl Read for ReadRound<'_> {
    type Value = RoundStatus;

    fn question(&self) -> Question {
        Question::Round(pb::RoundQuery {
            session: SessionRef::Id(self.id).to_pb(),
            round: self.round,
        })
    }

    fn check(&self, proven: &Proven<'_>) -> Result<RoundStatus, Lie> {
        let answer = body!(proven, Slots)?;
        let slots = hashes("slots", &answer.slots)?;
        if answer.round != self.round {
            return Err(Lie::new("an answer about another round"));
        }
        if slots.len() != self.spec.roster.len() {
            return Err(Lie::new("slots of another roster"));
        }
        proven.check_round_root(self.id, self.round, &slot_root(slots.clone()))?;
        Ok(RoundStatus {
            round: self.round,
            closed: proven.round.is_some(),
            proof: proven.round.clone(),
            slots,
        })
    }
}

/// Asks who has joined so far.
#[derive(Debug, Clone, Copy)]
pub struct ReadRoster<'a> {
    /// The session.
    pub id: SessionId,
    /// Its spec, checked against the id.
    pub spec: &'a Spec,
}

impl Sealed for ReadRoster<'_> {}

impl Read for ReadRoster<'_> {
    type Value = Vec<Join>;

    fn question(&self) -> Question {
        Question::Roster(pb::RosterQuery {
            session: SessionRef::Id(self.id).to_pb(),
        })
    }

    fn check(&self, proven: &Proven<'_>) -> Result<Vec<Join>, Lie> {
        let answer = body!(proven, Roster)?;
        if !answer.joins.is_sorted_by(|a, b| a.index < b.index) {
            return Err(Lie::new("joins that are there twice, or out of order"));
        }
        let joins = answer.joins.iter();
        let joins: Vec<Join> = joins
            .map(|join| Ok(check_join(join, self.id, self.spec, proven.trust, None)?.0))
            .collect::<Result<_, Lie>>()?;
        let mut slots = vec![Hash::ZERO; self.spec.roster.len()];
        for join in &joins {
            if let Some(slot) = slots.get_mut(usize::from(join.index)) {
                *slot = slot_leaf(Some(&join.digest()));
            }
        }
        proven.check_round_root(self.id, 0, &slot_root(slots))?;
        Ok(joins)
    }
}

/// Asks for the roots of all closed rounds.
#[derive(Debug, Clone, Copy)]
pub struct ReadTranscript(pub SessionId);

impl Sealed for ReadTranscript {}

impl Read for ReadTranscript {
    type Value = Vec<Hash>;

    fn question(&self) -> Question {
        Question::Transcript(pb::TranscriptQuery {
            session: SessionRef::Id(self.0).to_pb(),
        })
    }

    fn check(&self, proven: &Proven<'_>) -> Result<Vec<Hash>, Lie> {
        let leaf = &proven.session(self.0.into())?.leaf;
        let roots = hashes("roots", &body!(proven, Transcript)?.roots)?;
        let transcript = (0..)
            .zip(&roots)
            .fold(Hash(self.0.0), |so_far, (round, root)| {
                transcript_after(&so_far, round, root)
            });
        let open_round = u32::try_from(roots.len()).unwrap_or(u32::MAX);
        if (open_round, transcript) != (leaf.open_round, leaf.transcript) {
            return Err(Lie::new("the roots don't lead to the transcript"));
        }
        Ok(roots)
    }
}
