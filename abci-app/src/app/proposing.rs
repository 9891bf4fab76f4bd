//! Putting a proposal together: what to wait for, and what goes in.

use std::{
    collections::BTreeSet,
    sync::{Arc, PoisonError},
    time::Instant,
};

use bytes::Bytes;
use white_city_state_machine::Block;
use white_city_wire::{SessionId, VerifiedTx, board::Status};

use super::{
    Committed, Replica,
    consensus::{Fatal, Proposed, context},
};
use crate::{
    execution::{self, Offered, Proposal, Room},
    fault::{Of, Step},
    pending::Pending,
    waiting::Round,
};

impl Replica {
    /// Puts a proposal together from what the engine offers and what this replica has. While rounds fill, it waits for them:
    /// no longer than the configuration allows, and without a lock, so that what they lack can come in the meantime.
    ///
    /// # Errors
    /// [`Fatal::NoGenesis`].
    pub fn propose(&self, proposed: Proposed, max_bytes: u64) -> Result<Vec<Bytes>, Fatal> {
        let committed = self.committed().ok_or(Fatal::NoGenesis)?;
        if !self.may_vote(&committed) {
            // It couldn't be sealed; the others vote it down.
            return Ok(Vec::new());
        }
        let context = context(&proposed, &committed);
        self.wait_for_rounds(&committed);
        let open = Block::begin(committed.state.clone(), context);
        let candidates = self.candidates(&committed, &open, &proposed.block);
        self.shared.fault.point(Step::Prepare, Of::Any);
        self.shared.counters.executions.count();
        let max_work = committed.state.params().max_work;
        let room = Room {
            bytes: max_bytes,
            others: self.consensus().pace.limit(),
        };
        let Proposal {
            executed,
            block,
            others,
        } = execution::propose(open, max_work, candidates, room);
        let key = execution::proposal_key(&context, &proposed.misbehavior, &block);
        self.remember_own(key, Arc::new(executed), others);
        self.shared.fault.point(Step::Prepared, Of::Any);
        Ok(block)
    }

    /// Waits while rounds fill.
    fn wait_for_rounds(&self, committed: &Committed) {
        let Some(bounds) = self.shared.waiting else {
            return;
        };
        let bounds = bounds.after(self.consensus().last_block);
        let asked = Instant::now();
        let mut pending = self.pending();
        loop {
            let at = bounds.propose_at(asked, &rounds(committed, &pending));
            let left = at.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return;
            }
            let waited = self.shared.news.wait_timeout(pending, left);
            pending = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    /// Candidates for a proposal: the evidence that this replica has found, what it holds of sessions in last call, what the engine
    /// offers; and whatever else it holds, if it waits for rounds: what has come since the engine looked into its mempool, and what
    /// was parked.
    fn candidates(&self, committed: &Committed, next: &Block, offered: &[Bytes]) -> Vec<Offered> {
        let network = &committed.state.network().id;
        let verified = |bytes: Bytes| {
            let tx = self.shared.verified.verify(next, network, &bytes).ok()?;
            Some(Offered {
                bytes: Some(bytes),
                tx,
            })
        };
        let pending = self.pending();
        let found = pending.found();
        let held: Vec<Arc<VerifiedTx>> = pending.held().cloned().collect();
        drop(pending);
        let mut candidates: Vec<Offered> = found
            .into_iter()
            .filter_map(|bytes| verified(bytes.into()))
            .collect();
        let (urgent, others): (Vec<_>, Vec<_>) =
            held.into_iter().partition(|tx| next.place(tx).1.is_some());
        candidates.extend(urgent.into_iter().map(Offered::held));
        candidates.extend(offered.iter().cloned().filter_map(verified));
        if self.shared.waiting.is_some() {
            let there: BTreeSet<*const VerifiedTx> =
                candidates.iter().map(|c| Arc::as_ptr(&c.tx)).collect();
            let others = others.into_iter();
            let missing = others.filter(|tx| !there.contains(&Arc::as_ptr(tx)));
            candidates.extend(missing.map(Offered::held));
        }
        // What comes twice is refused the second time, as stored already.
        candidates
    }

    /// Lets a proposal that waits look again, if there is reason to: nothing is awaited any more of the round of what has just
    /// been taken.
    pub(super) fn tell_proposal(&self, committed: &Committed, tx: &VerifiedTx) {
        let complete = match crate::pending::round_of(tx) {
            Some((session, round)) => {
                let pending = self.pending().arrivals().round(session, round);
                pending >= awaited(committed, session, round).unwrap_or(0)
            }
            None => true,
        };
        if complete {
            self.shared.news.notify_all();
        }
    }
}

/// The rounds that a proposal could wait for.
fn rounds(committed: &Committed, pending: &Pending) -> Vec<Round> {
    let arrivals = pending.arrivals();
    let mut rounds = Vec::new();
    for ((session, round), arrived) in arrivals.rounds() {
        match awaited(committed, *session, *round) {
            Some(awaited) if arrived.pending < awaited => {
                rounds.push(Round::Filling { last: arrived.at });
            }
            Some(_) => rounds.push(Round::Complete { since: arrived.at }),
            None => {}
        }
    }
    let others = arrivals.others();
    rounds.extend(others.map(|arrived| Round::Complete { since: arrived.at }));
    let opened = committed.state.unstarted().filter(|number| {
        let session = committed.state.sessions().get(*number);
        session.is_some_and(|session| {
            let fills = matches!(session.status(), Status::Joining | Status::Running);
            fills && arrivals.round(session.id(), session.leaf.open_round) == 0
        })
    });
    rounds.extend(opened.map(|_| Round::Opened));
    rounds
}

/// Number of members that a session's open round waits for, if that is `round`.
fn awaited(committed: &Committed, session: SessionId, round: u32) -> Option<usize> {
    let session = committed.state.session(&session).ok()?;
    let body = session.body().ok()?;
    (session.leaf.open_round == round).then(|| usize::from(body.awaited().count()))
}
