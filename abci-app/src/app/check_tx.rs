//! Check of transactions for this replica's mempool.

use std::{sync::Arc, time::Instant};

use white_city_state_machine::Block;
use white_city_wire::{
    Refusal, VerifiedTx,
    tx::{UncheckedTx, entry_from_pb},
};

use super::{Committed, Replica, told};
use crate::{
    alarm,
    front::{Source, Taken},
    parked,
    pending::{Account, signed_entry},
};

impl Replica {
    /// Checks a transaction that the engine puts into its mempool, against the last committed state and against what is pending
    /// here.
    ///
    /// # Errors
    /// A [`Refusal`].
    pub fn check_tx(&self, bytes: &[u8]) -> Result<(), Refusal> {
        self.hold(bytes, Source::Engine)
    }

    /// Checks a transaction, wherever it comes from, and holds it. Whoever hands one over is told whether a block comes: the engine
    /// makes one for what it puts into its mempool.
    pub(super) fn check_from(&self, bytes: &[u8], source: Source) -> Result<Taken, Refusal> {
        match source {
            Source::EngineAgain => self.shared.counters.rechecks.count(),
            Source::Engine | Source::Client => self.shared.counters.checks.count(),
        }
        let held = self.hold(bytes, source);
        self.shared.metrics.transaction(source, held.as_ref().err());
        held.inspect_err(|refusal| {
            tracing::debug!(code = refusal.code(), ?source, %refusal, "transaction refused");
        })?;
        Ok(match source != Source::Client || self.is_block_coming() {
            true => Taken::BlockComes,
            false => Taken::Held,
        })
    }

    fn hold(&self, bytes: &[u8], source: Source) -> Result<(), Refusal> {
        if source == Source::Client && self.shared.waiting.is_none() {
            return Err(Refusal::EngineOnly);
        }
        let committed = self.committed().ok_or(Refusal::NotReady)?;
        if !committed.tip.is_known() {
            return Err(Refusal::NotReady);
        }
        // Only in an engine's mempool does an alarm make a block. From a client it is refused below, as no transaction.
        if source != Source::Client && alarm::is_alarm(bytes) {
            return self.alarms().take(&committed, bytes);
        }
        let block = committed.peek();
        let network = &committed.state.network().id;
        let admit = |tx: &UncheckedTx| self.admit(&committed, tx);
        let verified = &self.shared.verified;
        let decoded = verified.decode(block.protocol(), bytes)?;
        let tx = verified.verify_decoded(&block, network, decoded, admit);
        let tx = tx.map_err(|refusal| told::unverified(&committed, bytes, refusal))?;
        if let Err(refusal) = block.check(&tx) {
            let refusal = match told::verified(&committed, &tx, refusal) {
                refusal @ Refusal::SlotTaken { .. } => {
                    self.note_second_entry(&committed, &tx);
                    refusal
                }
                refusal @ Refusal::RoundNotOpen { round, open }
                    if round == open.saturating_add(1) =>
                {
                    self.park(&committed, &tx).err().unwrap_or(refusal)
                }
                refusal => refusal,
            };
            // It may be held: the state took it before, and the engine asks again after each block.
            self.pending().release(&tx);
            return Err(refusal);
        }
        let account = Account::of(&committed.state, &tx)?;
        let (height, now) = (committed.tip.height, Instant::now());
        let mut pending = self.pending();
        self.check_same_rules(&block)?;
        let taken = pending.take(&tx, account, source, height, now);
        drop(pending);
        taken.inspect(|()| self.tell_proposal(&committed, &tx))
    }

    /// Checks that the rules are still those by which something was verified: with what it is to be put into locked, since that is emptied
    /// after they have changed.
    fn check_same_rules(&self, block: &Block) -> Result<(), Refusal> {
        let now = self.committed().ok_or(Refusal::NotReady)?;
        let same = now.state.charter().protocol == block.protocol();
        same.then_some(()).ok_or(Refusal::NotReady)
    }

    /// Verifies anew what is held, by the rules of the next block, and lets go of what they refuse.
    pub(super) fn verify_pending_again(&self) {
        let parked = self.parked().take_all();
        let held = self.pending().take_all();
        let parked = parked.into_iter().map(|tx| (tx, Source::Client));
        for (tx, source) in held.into_iter().chain(parked) {
            if let Err(refusal) = self.hold(&tx.encode(), source) {
                tracing::debug!(%refusal, "what was held isn't any more, by the new rules");
            }
        }
    }

    /// Keeps a member's entry for the round that opens next, if its session will take one as large.
    fn park(&self, committed: &Committed, tx: &Arc<VerifiedTx>) -> Result<(), Refusal> {
        let Some((session, _, index)) = signed_entry(tx).map(|signed| signed.entry.slot()) else {
            return Ok(());
        };
        let body = committed.state.session(&session)?.body()?;
        if !body.members.contains(index) || body.has_left(index) {
            return Ok(());
        }
        parked::check_sizes(body, tx)?;
        let mut parked = self.parked();
        self.check_same_rules(&committed.peek())?;
        let first = parked.park(tx, committed.tip.height);
        drop(parked);
        if let Some(first) = first.and_then(|first| signed_entry(&first)) {
            self.pending().note_equivocation(Some(first), tx);
        }
        Ok(())
    }

    /// Whether an opening deserves that its roster's keys are checked, a thousand of which take 50 ms: everything that costs less is
    /// asked first, and what strangers cost in all is bounded. Whatever else it is is admitted.
    fn admit(&self, committed: &Committed, tx: &UncheckedTx) -> Result<(), Refusal> {
        let Some(open) = tx.opening() else {
            return Ok(());
        };
        let network = committed.state.network();
        let id = open.session_id(&network.id);
        self.pending().check_opening(&id, &open.opener)?;
        self.shared.verified.check_opener(tx, &network.id)?;
        let known = committed.state.opener(&open.opener);
        if known.is_some_and(|(_, opener)| opener.listed) {
            return Ok(());
        }
        let now_ms = committed.tip.time.millis();
        self.budget().spend(open.spec.parties(), now_ms)
    }

    /// A second entry for a filled slot is evidence, which this replica will propose.
    fn note_second_entry(&self, committed: &Committed, tx: &Arc<VerifiedTx>) {
        let Some(second) = signed_entry(tx) else {
            return;
        };
        let (session, round, index) = second.entry.slot();
        let first = committed
            .state
            .number(&session)
            .ok()
            .and_then(|number| committed.snapshot.entry(number, round, index).ok()?)
            .and_then(|stored| entry_from_pb(stored.signed.as_ref()).ok());
        self.pending().note_equivocation(first, tx);
    }
}
