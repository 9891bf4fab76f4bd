//! Filling a slot: what was decided is signed, kept and sent.

use std::{sync::Arc, time::Duration};

use tokio::time::{Instant, timeout_at};
use white_city_party::Goal;
use white_city_wire::tx::Action;

use super::Session;
use crate::{
    Error,
    sending::{Target, TxKind, Usual, View, send},
};

impl Session {
    /// Has what was decided for a slot signed. It is in the journal, and on the disk, before it is sent.
    pub(super) async fn sign_for_slot(&mut self, round: u32) -> Result<(), Error> {
        let signed = self.signed_bytes(round).await;
        if signed.is_err() {
            // There is no signature that was ever sent.
            self.party.undecide(round);
        }
        signed.map(|_| ())
    }

    /// The bytes for a slot that has been decided about.
    async fn signed_bytes(&mut self, round: u32) -> Result<Arc<Vec<u8>>, Error> {
        let own = self.party.filling(round);
        let own = own.ok_or(Error::NoJournal { round })?;
        if let Some(tx) = &own.tx {
            return Ok(Arc::clone(tx));
        }
        let tx = self.sign(own.action.clone()).await?;
        // Nothing waits from here on, so nobody can give up in between.
        self.record_entry(round, &tx)?;
        self.party.keep(round, &tx);
        Ok(tx)
    }

    /// Sends what was signed for a slot until the board shows it.
    pub(super) async fn send_slot(&mut self, round: u32) -> Result<(), Error> {
        let tx = self.signed_bytes(round).await?;
        let own = self.party.filling(round);
        let digest = own.ok_or(Error::NoJournal { round })?.digest;
        self.send_until(tx, Goal::Slot { round, digest }).await?;
        self.party.note_shown(round);
        Ok(())
    }

    /// As [`Session::send_slot`], for a slot that the board may show already.
    pub(super) async fn show_slot(&mut self, round: u32) -> Result<(), Error> {
        let own = self.party.filling(round);
        let own = own.ok_or(Error::NoJournal { round })?;
        let (digest, is_shown) = (own.digest, own.is_shown);
        let seen = self.observer.seen();
        if !is_shown && !self.party.is_slot_filled(seen, round, &digest)? {
            return self.send_slot(round).await;
        }
        self.party.note_shown(round);
        Ok(())
    }

    /// Signs and encodes.
    pub(super) async fn sign(&self, action: Action) -> Result<Arc<Vec<u8>>, Error> {
        let network = self.client().network();
        let signature = self.signer.sign(&action, &network.id).await?;
        let checked = &self.client().replicas().checked;
        self.party.signed_tx(action, signature, checked)
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
        let Session {
            party, observer, ..
        } = &mut *self.session;
        party.is_reached(observer.seen(), self.goal)
    }

    async fn wait(&mut self, until: Instant) -> Result<bool, Error> {
        let _ = timeout_at(until, self.session.observer.wait_news()).await;
        self.look().await
    }
}
