//! What is behind a session's leaf: in memory while it is live, in the store once it has ended, nowhere after erasure.

use std::borrow::Cow;

use white_city_state_machine::{Dispute, Session, Slot};
use white_city_wire::{Hash, Refusal, board::slot_leaf, pb, proof::RoundProof, read::join_hashes};

use super::Reader;
use crate::store::leavers;

/// Checks that a round is one that has opened.
pub fn check_round(session: &Session, round: u32) -> Result<(), Refusal> {
    if round > session.leaf.open_round {
        return Err(Refusal::NotFound("round"));
    }
    Ok(())
}

impl Reader<'_> {
    /// The slots of a round that has opened.
    pub(super) fn slots<'a>(
        &self,
        session: &'a Session,
        round: u32,
    ) -> Result<Cow<'a, [Slot]>, Refusal> {
        session.key(0)?;
        check_round(session, round)?;
        let Some(body) = &session.body else {
            let (number, parties) = (session.number, session.leaf.members.size());
            let slots = self.committed.snapshot.slots(number, round, parties)?;
            return Ok(Cow::Owned(slots));
        };
        let position = usize::try_from(round).unwrap_or(usize::MAX);
        Ok(Cow::Borrowed(match body.closed.get(position) {
            Some(closed) => &closed.slots,
            None => &body.slots,
        }))
    }

    pub(super) fn round(&self, session: &Session, round: u32) -> Result<pb::RoundAnswer, Refusal> {
        Ok(pb::RoundAnswer {
            round,
            slots: slot_leaves(&self.slots(session, round)?),
        })
    }

    /// The roots of the closed rounds.
    pub(super) fn transcript(&self, session: &Session) -> Result<pb::TranscriptAnswer, Refusal> {
        session.key(0)?;
        let roots: Vec<Hash> = match &session.body {
            Some(body) => body.closed.iter().map(|round| round.root).collect(),
            None => {
                let rounds = self.committed.snapshot.rounds_from(session.number, 0)?;
                rounds.into_iter().map(|round| round.root).collect()
            }
        };
        Ok(pb::TranscriptAnswer {
            roots: join_hashes(&roots),
        })
    }

    /// From a closed round to the transcript; `None` for the open one, and after erasure.
    pub(super) fn prove_round(
        &self,
        session: &Session,
        round: u32,
    ) -> Result<Option<RoundProof>, Refusal> {
        if let Some(body) = &session.body {
            let Ok(position) = usize::try_from(round) else {
                return Ok(None);
            };
            let later = body.closed.iter().skip(position.saturating_add(1));
            return Ok(body.closed.get(position).map(|closed| RoundProof {
                before: closed.before,
                later_roots: later.map(|closed| closed.root).collect(),
            }));
        }
        let rounds = self.committed.snapshot.rounds_from(session.number, round)?;
        let mut rounds = rounds.into_iter();
        Ok(rounds.next().map(|closed| RoundProof {
            before: closed.before,
            later_roots: rounds.map(|later| later.root).collect(),
        }))
    }

    /// The values behind the hashes of a session's leaf.
    pub(super) fn session_now(&self, session: &Session) -> Result<pb::SessionAnswer, Refusal> {
        let left = self.left(session)?;
        let slots = match session.key(0) {
            Ok(_) => slot_leaves(&self.slots(session, session.leaf.open_round)?),
            Err(_) => Vec::new(),
        };
        Ok(pb::SessionAnswer {
            slots,
            terminal: session.terminal.as_ref().map(pb::Terminal::from),
            culprits: session.culprits().iter().map(pb::Culprit::from).collect(),
            left: leavers(&left),
        })
    }

    /// The parties that left by name, in that order.
    pub(super) fn left(&self, session: &Session) -> Result<Vec<(u16, Hash)>, Refusal> {
        Ok(match (&session.body, &session.rest) {
            (Some(body), _) => body.left.clone(),
            (None, Some(rest)) if rest.leavers > 0 => {
                self.committed.snapshot.left(session.number)?
            }
            _ => Vec::new(),
        })
    }

    /// The complaint that was taken, if there was one.
    pub(super) fn dispute<'a>(
        &self,
        session: &'a Session,
    ) -> Result<Option<Cow<'a, Dispute>>, Refusal> {
        if let Some(body) = &session.body {
            return Ok(body.dispute.as_ref().map(Cow::Borrowed));
        }
        let terminal = session.terminal.as_ref();
        let dispute = self.committed.snapshot.dispute(session.number, terminal)?;
        Ok(dispute.map(Cow::Owned))
    }
}

fn slot_leaves(slots: &[Slot]) -> Vec<u8> {
    let leaves: Vec<_> = slots
        .iter()
        .map(|slot| slot_leaf(slot.digest().as_ref()))
        .collect();
    join_hashes(&leaves)
}
