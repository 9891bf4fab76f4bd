//! Filling a slot: what is signed for it, once, and what of the board shows that it is there.

use std::{collections::btree_map::Entry, sync::Arc};

use white_city_verify::checked::{Checked, Good};
use white_city_wire::{
    Hash, Signature, SignedTx,
    payload::PayloadKem,
    tx::{Action, Leave},
};
use zeroize::Zeroizing;

use super::{Filling, Party, Seen};
use crate::Error;

/// The change that a transaction is to bring about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Goal {
    /// This party's slot of a round holds this digest.
    Slot {
        /// The round.
        round: u32,
        /// The digest.
        digest: Hash,
    },
    /// This party has left with this digest.
    Left {
        /// The digest.
        digest: Hash,
    },
    /// The session is in dispute.
    Dispute,
}

impl<K: PayloadKem> Party<K> {
    /// Decides what fills a slot of this party, once for each slot.
    ///
    /// Nothing else decides on joins and entries. They are signed, and in the journal, before they are sent.
    pub(super) fn decide(
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
        Ok(())
    }

    /// Takes back what was decided for a slot and never kept: there is no signature that was ever sent.
    #[doc(hidden)]
    pub fn undecide(&mut self, round: u32) {
        if self.signed.get(&round).is_some_and(|own| own.tx.is_none()) {
            self.signed.remove(&round);
        }
    }

    /// The transaction with a signature of this party. A signer that signs with another key would only be noticed by everybody else.
    ///
    /// # Errors
    /// [`Error::Spec`].
    #[doc(hidden)]
    pub fn signed_tx(
        &self,
        action: Action,
        signature: Signature,
        checked: &Checked,
    ) -> Result<Arc<Vec<u8>>, Error> {
        let tx = SignedTx::new(action, signature).map_err(Error::Spec)?;
        let tx = tx.verify(&self.place.identity, self.place.n, &self.place.network);
        let tx = tx.map_err(Error::Spec)?;
        checked.note(Good::of_tx(&tx));
        Ok(Arc::new(tx.encode()))
    }

    /// Takes the signed bytes of a slot that was decided about, which are in the journal now, if there is one.
    #[doc(hidden)]
    pub fn keep(&mut self, round: u32, tx: &Arc<Vec<u8>>) {
        if let Some(own) = self.signed.get_mut(&round) {
            own.tx = Some(Arc::clone(tx));
        }
    }

    /// Notes that the board shows what fills a slot.
    #[doc(hidden)]
    pub fn note_shown(&mut self, round: u32) {
        if let Some(own) = self.signed.get_mut(&round) {
            own.is_shown = true;
        }
    }

    /// The digest of a leave of this party, and what is signed.
    #[doc(hidden)]
    #[must_use]
    pub fn leave(&self, leave: Leave) -> (Hash, Action) {
        let (session, index) = (self.place.session, self.place.index);
        let digest = leave.digest(&session, index);
        let action = Action::Leave {
            session,
            index,
            leave,
        };
        (digest, action)
    }

    /// Takes the bytes with which this party leaves, which are in the journal now, if there is one.
    #[doc(hidden)]
    pub fn keep_leave(&mut self, digest: Hash, tx: &Arc<Vec<u8>>) {
        self.leave = Some((digest, Arc::clone(tx)));
    }

    /// Whether the goal is reached.
    ///
    /// # Errors
    /// Why it can't be reached any more.
    pub fn is_reached(&mut self, seen: Seen<'_>, goal: Goal) -> Result<bool, Error> {
        match goal {
            Goal::Slot { round, digest } => self.is_slot_filled(seen, round, &digest),
            Goal::Dispute => self.is_disputed(seen),
            Goal::Left { digest } => {
                if seen.end.is_some() {
                    return Ok(true);
                }
                let left = (self.place.index, digest);
                Ok(seen.now.is_some_and(|now| now.left.contains(&left)))
            }
        }
    }
}

/// The digest of what can fill a slot.
pub(super) fn entry_digest(action: &Action) -> Option<Hash> {
    match action {
        Action::Join(join) => Some(join.digest()),
        Action::Post(post) => Some(post.header.digest()),
        Action::Finish(finish) => Some(finish.digest()),
        _ => None,
    }
}
