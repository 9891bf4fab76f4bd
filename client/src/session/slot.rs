//! Filling a slot: the one place where an entry is signed, and what of the board shows that it is there.

use std::{collections::btree_map::Entry, sync::Arc, time::Duration};

use tokio::time::{Instant, timeout_at};
use white_city_wire::{Hash, SignedTx, board::slot_leaf, tx::Action};
use zeroize::Zeroizing;

use super::{Filling, Session, memory::entry_digest};
use crate::{
    Error,
    checked::Good,
    sending::{Target, TxKind, Usual, View, send},
};

/// The change that a transaction is to bring about.
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

    /// Sends the same bytes until the board shows that the goal is reached or can't be.
    pub(super) async fn send_until(&mut self, tx: Arc<Vec<u8>>, goal: Goal) -> Result<(), Error> {
        let kind = match goal {
            Goal::Slot { .. } => TxKind::Entry,
            Goal::Left { .. } | Goal::Dispute => TxKind::Word,
        };
        let client = self.client().clone();
        let mut reaching = Reaching {
            session: self,
            goal,
        };
        send(client.replicas(), &tx, kind, &mut reaching).await
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

    /// The digest in this party's slot of the open round, in the state that was read last.
    pub(super) fn own_slot(&self, round: u32) -> Option<Hash> {
        let now = self.observer.now()?;
        let leaf = now.slot(self.index);
        (now.leaf.open_round == round && leaf != Hash::ZERO).then_some(leaf)
    }
}

/// A session on the way to a goal.
struct Reaching<'a> {
    session: &'a mut Session,
    goal: Goal,
}

impl Target for Reaching<'_> {
    fn begin(&mut self) {
        self.session.observer.hurry();
    }

    fn view(&self, usual: Usual) -> View {
        let (spec, observer) = (self.session.spec(), &self.session.observer);
        let whole_ms = match observer.history().open_round() {
            0 => spec.join_ms,
            _ => spec.round_ms,
        };
        View {
            usual,
            left: observer.time_left(),
            whole: Duration::from_millis(whole_ms),
            is_disputed: observer.dispute().is_some(),
            // Entries are welcome after a deadline, too, as long as last call goes on: whoever looks sees the round close.
            is_too_late: false,
        }
    }

    async fn look(&mut self) -> Result<bool, Error> {
        self.session.sync().await?;
        self.session.is_reached(self.goal)
    }

    async fn wait(&mut self, until: Instant) -> Result<bool, Error> {
        let _ = timeout_at(until, self.session.observer.wait_news()).await;
        self.look().await
    }
}
