//! Filling a slot: the one place where an entry is signed, and sending it until the board shows it.

use std::{sync::Arc, time::Duration};

use tokio::time::Instant;
use white_city_wire::{
    Hash, SignedTx,
    board::slot_leaf,
    tx::{Action, Join},
};

use super::Session;
use crate::Error;

/// First and longest pause before the same bytes are sent again.
const RESEND: (Duration, Duration) = (Duration::from_millis(500), Duration::from_secs(8));

/// How often a refusal may speak of a state that this party doesn't see yet, before it is believed.
const HINTS_MAX: u32 = 3;

/// Whether the refusal is about what the session is doing or what a slot holds: the board itself will say so, too.
const fn is_about_state(refusal: &Error) -> bool {
    matches!(refusal, Error::Refused { code: 48..=68, .. })
}

/// What a transaction is to bring about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Goal {
    /// This party's slot of a round holds this digest.
    Slot { round: u32, digest: Hash },
    /// This party has left with this digest.
    Left { digest: Hash },
}

impl Session {
    /// Signs what fills a slot of this party, at most once for each slot, and remembers it.
    ///
    /// Nothing else signs joins and entries. Whoever keeps a journal on disk writes it here, before the first sending.
    pub(super) async fn sign_for_slot(
        &mut self,
        round: u32,
        action: Action,
    ) -> Result<(Arc<Vec<u8>>, Goal), Error> {
        if let Some(existing) = self.signed.get(&round).copied() {
            return Err(Error::SlotTaken { round, existing });
        }
        let digest = match &action {
            Action::Join(join) => Join::digest(join),
            Action::Post(post) => post.header.digest(),
            Action::Finish(finish) => finish.digest(),
            _ => return Err(Error::usage("entry", "a join, a post or a finish")),
        };
        let tx = self.sign(action).await?;
        self.signed.insert(round, digest);
        Ok((tx, Goal::Slot { round, digest }))
    }

    /// Signs and encodes.
    pub(super) async fn sign(&self, action: Action) -> Result<Arc<Vec<u8>>, Error> {
        let network = self.client().network();
        let signature = self.signer.sign(&action, &network.id).await?;
        let tx = SignedTx::new(action, signature).map_err(Error::Spec)?;
        let max = network.params.max_tx;
        if tx.bytes() > max {
            return Err(Error::usage(
                "transaction",
                format!("at most {max} bytes, it has {}", tx.bytes()),
            ));
        }
        // A signer that signs with another key would only be noticed by everybody else.
        let checked = tx
            .clone()
            .verify(&self.signer.identity(), self.n(), &network.id);
        checked.map_err(Error::Spec)?;
        Ok(Arc::new(tx.encode()))
    }

    /// Sends the same bytes to all replicas, again and again, until the board shows that the goal is reached or can't be.
    pub(super) async fn send_until(&mut self, tx: Arc<Vec<u8>>, goal: Goal) -> Result<(), Error> {
        let mut pause = RESEND.0;
        let mut sent: u32 = 0;
        loop {
            sent = sent.saturating_add(1);
            self.observer.hurry();
            let replies = self.client().replicas().submit(&tx).await;
            let again = Instant::now() + pause;
            if let Some(refusal) = replies.refusal(self.client().replicas().witnesses) {
                // What was refused may be on the board all the same, or the round may have closed.
                self.observer.sync().await?;
                if self.is_reached(goal)? {
                    return Ok(());
                }
                if sent >= HINTS_MAX || !is_about_state(&refusal) {
                    return Err(refusal);
                }
            }
            if replies.is_silence() {
                tracing::warn!(faults = ?replies.faults, "nobody was reached; trying again");
            }
            while Instant::now() < again {
                let _ = tokio::time::timeout_at(again, self.observer.wait_news()).await;
                self.observer.sync().await?;
                if self.is_reached(goal)? {
                    return Ok(());
                }
            }
            pause = pause.saturating_mul(2).min(RESEND.1);
        }
    }

    /// Whether the goal is reached, as far as the board has been read.
    ///
    /// # Errors
    /// Why it can't be reached any more.
    fn is_reached(&self, goal: Goal) -> Result<bool, Error> {
        match goal {
            Goal::Slot { round, digest } => self.is_slot_filled(round, &digest),
            Goal::Left { digest } => {
                let view = self.observer.view().map(crate::Unproven::unproven_value);
                let left = view.is_some_and(|view| view.left.contains(&(self.index, digest)));
                Ok(left || self.observer.end().is_some())
            }
        }
    }

    fn is_slot_filled(&self, round: u32, digest: &Hash) -> Result<bool, Error> {
        if self.observer.history().open_round() > round {
            return self.check_own_slot(round).map(|()| true);
        }
        let leaf = self
            .observer
            .view()
            .map(|view| view.unproven_value())
            .filter(|view| view.open_round == round)
            .map_or(Hash::ZERO, |view| view.slot(self.index));
        if leaf == slot_leaf(Some(digest)) {
            return Ok(true);
        }
        if leaf != Hash::ZERO {
            let existing = leaf;
            return Err(Error::SlotTaken { round, existing });
        }
        self.observer.ended().map_or(Ok(false), Err)
    }
}
