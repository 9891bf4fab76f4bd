//! Filling a slot: the one place where an entry is signed, and sending it until the board shows it.

use std::{collections::btree_map::Entry, sync::Arc, time::Duration};

use tokio::time::{Instant, timeout};
use white_city_wire::{Hash, Refusal, SignedTx, board::slot_leaf, tx::Action};
use zeroize::Zeroizing;

use super::{Filling, Session, memory::entry_digest};
use crate::{Error, checked::Good, replicas::Replies};

/// Longest pause before the same bytes are sent again.
const RESEND: Duration = Duration::from_secs(8);

/// With less time than this an entry goes to all replicas at once.
const NEAR: Duration = Duration::from_secs(3);

/// How often a refusal may speak of a state that this party doesn't see yet, before it is believed.
const HINTS_MAX: u32 = 3;

/// Whether the board itself will say so, too.
const fn is_about_state(refusal: &Error) -> bool {
    matches!(refusal, Error::Refused { code, .. } if Refusal::is_about_state(*code))
}

/// What a transaction is to bring about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Goal {
    /// This party's slot of a round holds this digest.
    Slot { round: u32, digest: Hash },
    /// This party has left with this digest.
    Left { digest: Hash },
    /// The session is in dispute.
    Dispute,
}

impl Session {
    /// Decides what fills a slot of this party, once for each slot, and has it signed.
    ///
    /// Nothing else signs joins and entries. They are in the journal, and on the disk, before they are sent.
    pub(super) async fn sign_for_slot(
        &mut self,
        round: u32,
        action: Action,
        plaintexts: Vec<(u16, Zeroizing<Vec<u8>>)>,
    ) -> Result<(), Error> {
        self.check_not_failed()?;
        let digest = entry_digest(&action)
            .ok_or_else(|| Error::usage("entry", "a join, a post or a finish"))?;
        // Before the signer is asked: whoever stops waiting for it and asks again gets the same entry signed.
        let filling = Filling {
            digest,
            action,
            plaintexts: Some(plaintexts),
            tx: None,
            is_shown: false,
            is_checked: false,
        };
        match self.signed.entry(round) {
            Entry::Vacant(free) => free.insert(filling),
            Entry::Occupied(own) => {
                let existing = own.get().digest;
                return Err(Error::SlotTaken { round, existing });
            }
        };
        let signed = self.signed_bytes(round).await;
        if signed.is_err() {
            // There is no signature that was ever sent.
            self.signed.remove(&round);
        }
        signed.map(|_| ())
    }

    /// The bytes for a slot that has been decided about.
    async fn signed_bytes(&mut self, round: u32) -> Result<Arc<Vec<u8>>, Error> {
        let own = self.signed.get(&round).ok_or(Error::NoJournal { round })?;
        if let Some(tx) = &own.tx {
            return Ok(Arc::clone(tx));
        }
        let tx = self.sign(own.action.clone()).await?;
        // Nothing waits from here on, so nobody can give up in between.
        self.record_entry(round, &tx)?;
        if let Some(own) = self.signed.get_mut(&round) {
            own.tx = Some(Arc::clone(&tx));
        }
        Ok(tx)
    }

    /// Sends what was signed for a slot until the board shows it.
    pub(super) async fn send_slot(&mut self, round: u32) -> Result<(), Error> {
        let tx = self.signed_bytes(round).await?;
        let own = self.signed.get(&round).ok_or(Error::NoJournal { round })?;
        let digest = own.digest;
        self.send_until(tx, Goal::Slot { round, digest }).await?;
        if let Some(own) = self.signed.get_mut(&round) {
            own.is_shown = true;
        }
        Ok(())
    }

    /// As [`Session::send_slot`], for a slot that the board may show already.
    pub(super) async fn show_slot(&mut self, round: u32) -> Result<(), Error> {
        let own = self.signed.get(&round).ok_or(Error::NoJournal { round })?;
        let (digest, is_shown) = (own.digest, own.is_shown);
        if !is_shown && !self.is_slot_filled(round, &digest)? {
            return self.send_slot(round).await;
        }
        if let Some(own) = self.signed.get_mut(&round) {
            own.is_shown = true;
        }
        Ok(())
    }

    /// Signs and encodes.
    pub(super) async fn sign(&self, action: Action) -> Result<Arc<Vec<u8>>, Error> {
        let network = self.client().network();
        let signature = self.signer.sign(&action, &network.id).await?;
        let tx = SignedTx::new(action, signature).map_err(Error::Spec)?;
        // A signer that signs with another key would only be noticed by everybody else.
        let tx = tx.verify(&self.signer.identity(), self.n(), &network.id);
        let tx = tx.map_err(Error::Spec)?;
        self.client().replicas().checked.note(Good::of_tx(&tx));
        Ok(Arc::new(tx.encode()))
    }

    /// Sends the same bytes again and again until the board shows that the goal is reached or can't be: an entry twice as
    /// [`Replicas::submit_entry`](crate::replicas::Replicas::submit_entry) does, everything else and everything later to the engines
    /// of all replicas.
    pub(super) async fn send_until(&mut self, tx: Arc<Vec<u8>>, goal: Goal) -> Result<(), Error> {
        let began = Instant::now();
        let mut pause = self.first_pause(tx.len());
        let mut sent: u32 = 0;
        loop {
            sent = sent.saturating_add(1);
            self.observer.hurry();
            let is_handed = sent <= 2 && matches!(goal, Goal::Slot { .. });
            let replies = match is_handed && !self.is_deadline_near() {
                true => self.submit_entry(&tx, sent > 1).await,
                false => self.client().replicas().submit(&tx).await,
            };
            let again = Instant::now() + pause;
            if let Some(refusal) = replies.refusal(self.client().replicas().witnesses) {
                // What was refused may be on the board all the same, or the round may have closed.
                self.sync().await?;
                if self.is_reached(goal)? {
                    return Ok(());
                }
                // A dispute ends the session: whoever wants something else of it learns how.
                let waits = sent < HINTS_MAX || self.observer.dispute().is_some();
                if !waits || !is_about_state(&refusal) {
                    return Err(refusal);
                }
            }
            if replies.is_silence() {
                tracing::warn!(faults = ?replies.faults, "nobody was reached; trying again");
            }
            while Instant::now() < again {
                let _ = tokio::time::timeout_at(again, self.observer.wait_news()).await;
                self.sync().await?;
                if self.is_reached(goal)? {
                    // How long a pause was says nothing of what is usual.
                    if sent == 1 {
                        self.client().replicas().note_shown(began.elapsed());
                    }
                    return Ok(());
                }
            }
            self.client().replicas().doubt_entrance(&replies);
            pause = pause.saturating_mul(2).min(RESEND);
        }
    }

    /// As [`Replicas::submit_entry`](crate::replicas::Replicas::submit_entry); but if that takes much of the time that is left, all
    /// engines get it.
    async fn submit_entry(&self, tx: &Arc<Vec<u8>>, is_again: bool) -> Replies {
        let replicas = self.client().replicas();
        let submitting = replicas.submit_entry(tx, is_again);
        let submitted = timeout(self.time_at_least() / 4, submitting).await;
        match submitted {
            Ok(replies) => replies,
            Err(_) => replicas.submit(tx).await,
        }
    }

    /// How long what was sent is waited for at first: as long as is usual, but not too much of the time that is left.
    fn first_pause(&self, bytes: usize) -> Duration {
        let pause = self.client().replicas().until_shown(bytes);
        pause.min((self.time_at_least() / 8).max(NEAR / 8))
    }

    /// How much time the open round has left, at least: all of it while its clock hasn't started.
    fn time_at_least(&self) -> Duration {
        let spec = self.spec();
        let all_ms = match self.observer.history().open_round() {
            0 => spec.join_ms,
            _ => spec.round_ms,
        };
        let left = self.observer.time_left();
        left.unwrap_or(Duration::from_millis(all_ms))
    }

    /// Whether there may be no time to send again, should the first replica keep an entry to itself.
    fn is_deadline_near(&self) -> bool {
        let left = self.observer.time_left();
        left.is_some_and(|left| left < NEAR)
    }

    /// Whether the goal is reached, in the state that was read last.
    ///
    /// # Errors
    /// Why it can't be reached any more.
    fn is_reached(&mut self, goal: Goal) -> Result<bool, Error> {
        match goal {
            Goal::Slot { round, digest } => self.is_slot_filled(round, &digest),
            Goal::Dispute => self.is_disputed(),
            Goal::Left { digest } => {
                if self.observer.end().is_some() {
                    return Ok(true);
                }
                let left = (self.index, digest);
                Ok(self
                    .observer
                    .now()
                    .is_some_and(|now| now.left.contains(&left)))
            }
        }
    }

    fn is_slot_filled(&mut self, round: u32, digest: &Hash) -> Result<bool, Error> {
        if self.observer.history().open_round() > round {
            return self.check_own_slot(round).map(|()| true);
        }
        match self.own_slot(round) {
            Some(leaf) if leaf == slot_leaf(Some(digest)) => Ok(true),
            Some(existing) => Err(self.fail(Error::SlotTaken { round, existing })),
            None => self.ended().map_or(Ok(false), Err),
        }
    }

    /// What this party's slot of the open round holds, in the state that was read last.
    pub(super) fn own_slot(&self, round: u32) -> Option<Hash> {
        let now = self.observer.now()?;
        let leaf = now.slot(self.index);
        (now.leaf.open_round == round && leaf != Hash::ZERO).then_some(leaf)
    }
}
