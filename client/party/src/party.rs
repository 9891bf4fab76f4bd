//! A party in one session: what it may write, and what it remembers of it.

mod dispute;
mod inbox;
mod memory;
mod notes;
mod slot;
mod write;

use std::{collections::BTreeMap, sync::Arc};

pub use dispute::Answer;
pub use inbox::Inbox;
pub use memory::{Memory, Secret, Unrestored};
use notes::Notes;
pub use slot::Goal;
use white_city_verify::{
    history::History,
    read::{SessionState, Verified},
};
use white_city_wire::{
    Hash, IdentityKey, Network, NetworkId, SessionId, Spec, board::slot_leaf, payload::PayloadKem,
    tx::Action,
};
use zeroize::Zeroizing;

use crate::{End, Error};

/// How a session stands, as its reader has checked it.
#[derive(Clone, Copy)]
pub struct Seen<'a> {
    /// The rounds that have closed.
    pub history: &'a History,
    /// The state that was read last, in the round that follows them.
    pub now: Option<&'a Verified<SessionState>>,
    /// The end, once it has been confirmed.
    pub end: Option<&'a End>,
}

impl Seen<'_> {
    /// The height of the state that was read last.
    #[must_use]
    pub fn height(&self) -> u64 {
        self.now.map_or(0, Verified::height)
    }

    const fn spec(&self) -> &Spec {
        self.history.spec()
    }
}

/// The place of a party: which one it is, in which session of which network.
#[derive(Debug, Clone, Copy)]
pub struct Place {
    /// The network.
    pub network: NetworkId,
    /// Largest transaction that it takes, bytes.
    pub max_tx: u32,
    /// The session.
    pub session: SessionId,
    /// The party's index in the roster.
    pub index: u16,
    /// The roster's size.
    pub n: u16,
    /// The party's key.
    pub identity: IdentityKey,
}

impl Place {
    /// The place of an identity in a session.
    ///
    /// # Errors
    /// [`Error::NotMember`].
    pub fn of(
        network: &Network,
        session: SessionId,
        spec: &Spec,
        identity: IdentityKey,
    ) -> Result<Self, Error> {
        let index = spec.index_of(&identity).ok_or_else(|| Error::NotMember {
            identity: Box::new(identity),
        })?;
        Ok(Self {
            network: network.id,
            max_tx: network.params.max_tx,
            session,
            index,
            n: spec.parties(),
            identity,
        })
    }
}

/// The join or entry with which this party fills one slot. Nothing else is ever signed for that slot.
pub struct Filling {
    /// Its digest.
    pub digest: Hash,
    /// What is signed.
    pub action: Action,
    /// The plaintexts that were sealed in it, should somebody claim that it can't be opened; `None` for an entry from the
    /// journal, until the protocol has posted it again.
    plaintexts: Option<Vec<(u16, Zeroizing<Vec<u8>>)>>,
    /// The signed bytes; `None` until they are kept.
    pub tx: Option<Arc<Vec<u8>>>,
    /// Whether the board shows it.
    pub is_shown: bool,
    /// The round has closed with it.
    is_checked: bool,
}

/// The joins and entries that were signed, by round.
type Fillings = BTreeMap<u32, Filling>;

/// One party's part in one session: it decides once what fills a slot.
///
/// A post or a finish needs that all rounds before closed with what this party signed; once one didn't, or [`Party::fail`] was told
/// why, joins, posts and finishes fail with that same error.
pub struct Party<K: PayloadKem> {
    place: Place,
    secret: Secret<K>,
    signed: Fillings,
    /// Why this party may not write any more.
    failed: Option<Error>,
    /// The digest and the bytes with which this party leaves.
    leave: Option<(Hash, Arc<Vec<u8>>)>,
    /// What the protocol wants to find again.
    notes: Notes,
}

impl<K: PayloadKem> Party<K> {
    /// A party that has signed nothing yet.
    #[must_use]
    pub fn new(place: Place, secret: Secret<K>) -> Self {
        Self {
            place,
            secret,
            signed: Fillings::new(),
            failed: None,
            leave: None,
            notes: Notes::default(),
        }
    }

    /// This party's place.
    #[must_use]
    pub const fn place(&self) -> &Place {
        &self.place
    }

    /// Whether this party has joined, as far as is remembered.
    #[must_use]
    pub fn has_signed(&self) -> bool {
        !self.signed.is_empty() || self.leave.is_some()
    }

    /// The join or entry that was decided for a slot of this party.
    #[must_use]
    pub fn filling(&self, round: u32) -> Option<&Filling> {
        self.signed.get(&round)
    }

    /// Whether this party has left by name, here or elsewhere.
    #[must_use]
    pub fn has_left(&self, seen: Seen<'_>) -> bool {
        let has_left = |now: &SessionState| now.leavers().contains(&self.place.index);
        self.leave.is_some() || seen.now.is_some_and(|now| has_left(now))
    }

    /// The digest and the bytes with which this party leaves, once it does.
    #[must_use]
    pub fn leaving(&self) -> Option<(Hash, Arc<Vec<u8>>)> {
        self.leave.clone()
    }

    /// The end as an error of whoever wanted to go on.
    #[must_use]
    pub fn ended(&self, seen: Seen<'_>) -> Option<Error> {
        Some(match self.as_seen_by_me(seen)? {
            End::Finished { outcome } => Error::Finished { outcome },
            End::Aborted(record) => Error::Aborted(record),
            End::Unknown(record) => Error::Unknown(record),
        })
    }

    /// The end; an abort that follows this party's own finish proves nothing.
    #[must_use]
    pub fn as_seen_by_me(&self, seen: Seen<'_>) -> Option<End> {
        let finished = |own: &Filling| matches!(own.action, Action::Finish(_));
        Some(match seen.end?.clone() {
            End::Aborted(record) if self.signed.values().any(finished) => End::Unknown(record),
            end => end,
        })
    }

    /// Whether the closed round holds what this party signed for it. If it doesn't, this party doesn't write any more.
    ///
    /// # Errors
    /// [`Error::SlotTaken`], [`Error::NoJournal`], [`Error::Late`].
    pub fn check_own_slot(&mut self, seen: Seen<'_>, round: u32) -> Result<(), Error> {
        let stored = seen
            .history
            .round(round)
            .and_then(|closed| closed.digests.get(usize::from(self.place.index)).copied())
            .flatten();
        let (open, height) = (seen.history.open_round(), seen.height());
        let failure = match (stored, self.signed.get_mut(&round)) {
            (Some(stored), Some(own)) if stored == own.digest => {
                (own.is_shown, own.is_checked) = (true, true);
                return Ok(());
            }
            (Some(existing), Some(_)) => Error::SlotTaken { round, existing },
            (Some(_), None) => Error::NoJournal { round },
            (None, _) => Error::Late {
                round,
                open,
                height,
            },
        };
        Err(self.fail(failure))
    }

    /// Whether all rounds before `round` closed with what this party signed for them.
    fn check_own_slots_before(&mut self, seen: Seen<'_>, round: u32) -> Result<(), Error> {
        for earlier in 0..round {
            let is_checked = self.signed.get(&earlier).is_some_and(|own| own.is_checked);
            if !is_checked {
                self.check_own_slot(seen, earlier)?;
            }
        }
        Ok(())
    }

    /// Keeps the first failure: joins, posts and finishes fail with it from now on.
    pub fn fail(&mut self, failure: Error) -> Error {
        self.failed.get_or_insert(failure).clone()
    }

    /// Whether this party may still write.
    ///
    /// # Errors
    /// Why it may not.
    pub fn check_not_failed(&self) -> Result<(), Error> {
        self.failed.clone().map_or(Ok(()), Err)
    }

    /// Whether the board shows this digest in this party's slot.
    ///
    /// # Errors
    /// Why it never will.
    pub fn is_slot_filled(
        &mut self,
        seen: Seen<'_>,
        round: u32,
        digest: &Hash,
    ) -> Result<bool, Error> {
        if seen.history.open_round() > round {
            return self.check_own_slot(seen, round).map(|()| true);
        }
        match self.own_slot(seen, round) {
            Some(leaf) if leaf == slot_leaf(Some(digest)) => Ok(true),
            Some(existing) => Err(self.fail(Error::SlotTaken { round, existing })),
            None => self.ended(seen).map_or(Ok(false), Err),
        }
    }

    /// The digest in this party's slot of the open round, in the state that was read last.
    fn own_slot(&self, seen: Seen<'_>, round: u32) -> Option<Hash> {
        let now = seen.now?;
        let leaf = now.slot(self.place.index);
        (now.leaf.open_round == round && leaf != Hash::ZERO).then_some(leaf)
    }
}

#[cfg(test)]
mod tests;
