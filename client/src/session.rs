//! A party's handle on one session.

mod begin;
mod dispute;
mod inbox;
mod memory;
mod notes;
mod observer;
mod on_all_cores;
mod receipt;
mod rounds;
mod slot;
mod write;

use std::{ops::Deref, path::Path, sync::Arc};

pub use dispute::Answer;
use dispute::Words;
pub use inbox::Inbox;
pub use observer::{Observer, Progress};
pub use rounds::Rounds;
pub use white_city_party::End;
use white_city_party::{Party, Place};
use white_city_wire::{IdentityKey, SessionId};

use self::memory::Found;
use crate::{
    Error, client::Client, journal::Journal, kem::PartyKem, signer::Signer, vault::Unlock,
};

/// One party's part in one session: it joins, posts, reads, finishes.
///
/// It signs one entry for each slot and keeps the bytes, so joining or waiting again sends the same ones until the board
/// shows them or the round has closed with them. A post or a finish needs that all rounds before closed with what this party
/// signed; once one didn't ([`Error::SlotTaken`], [`Error::NoJournal`], [`Error::Late`]), or two histories were seen
/// ([`Error::Fork`]), joins, posts and finishes fail with that same error.
/// With a journal ([`Client::resume`]) a new process goes on where this one stopped; without one it can't, and says so.
/// Everything of [`Observer`] is there, too.
pub struct Session {
    observer: Observer,
    party: Party<PartyKem>,
    signer: Arc<dyn Signer>,
    journal: Option<Journal>,
    /// Whether it stops where the other parties have to act first.
    never_waits: bool,
    /// The words that were signed in a dispute.
    words: Words,
}

impl Deref for Session {
    type Target = Observer;

    fn deref(&self) -> &Observer {
        &self.observer
    }
}

impl Session {
    pub(crate) async fn new(
        client: Client,
        id: SessionId,
        journal: Option<(&Path, Option<&Unlock>)>,
    ) -> Result<Self, Error> {
        let signer = client.signer()?;
        let mut found = match journal {
            Some(journal) => Found::open(journal, &client, id, &*signer)?,
            None => Found::default(),
        };
        let identity = signer.identity();
        let (observer, place) = match Self::observe(client, id, identity, found.height()).await {
            Ok(observed) => observed,
            Err(error) => {
                found.discard();
                return Err(error);
            }
        };
        let secret = found.secret(&place, observer.spec().kem)?;
        let mut session = Self {
            observer,
            party: Party::new(place, secret),
            signer,
            journal: None,
            never_waits: false,
            words: Words::default(),
        };
        found.restore(&mut session)?;
        Ok(session)
    }

    /// Reads the session as this identity, from a state of this height or higher, and finds it in the roster.
    async fn observe(
        client: Client,
        id: SessionId,
        identity: IdentityKey,
        height: u64,
    ) -> Result<(Observer, Place), Error> {
        let observer = Observer::new(client, id, Some(&identity), height).await?;
        let network = observer.client().network();
        let place = Place::of(network, id, observer.spec(), identity)?;
        Ok((observer, place))
    }

    /// From now on nothing waits for other parties: what would have to fails with [`Error::Waiting`], once everything that this
    /// party can do is done and on the board. For a party that comes by once a round, with a journal.
    pub const fn never_wait(&mut self) {
        self.never_waits = true;
    }

    /// This party's index in the roster.
    #[must_use]
    pub const fn index(&self) -> u16 {
        self.party.place().index
    }

    /// Whether this party has joined, as far as this process or its journal knows.
    #[must_use]
    pub fn has_signed(&self) -> bool {
        self.party.has_signed()
    }

    /// Whether this party has left by name, in this process or another one.
    #[must_use]
    pub fn has_left(&self) -> bool {
        self.party.has_left(self.observer.seen())
    }

    /// The roster's size.
    #[must_use]
    pub const fn n(&self) -> u16 {
        self.party.place().n
    }

    /// Waits until joining has closed and round 1 is open with this party in it.
    ///
    /// # Errors
    /// [`Error::Aborted`] names who is missing or declined; [`Error::Late`] when joining closed without this party.
    pub async fn wait_ready(&mut self) -> Result<(), Error> {
        self.wait_round_closed(0).await
    }

    /// Waits until a round is open, if it is the next one, and this party has written in the one that is open now.
    ///
    /// # Errors
    /// [`Error::WrongRound`] for a later one, or while this party has to write first; as [`Session::wait_round_closed`].
    pub async fn wait_round_open(&mut self, round: u32) -> Result<(), Error> {
        let open = self.observer.history().open_round();
        if round <= open {
            return Ok(());
        }
        let has_written = self.party.filling(open).is_some();
        let is_next = round == open.saturating_add(1) && has_written;
        if !is_next && self.observer.end().is_none() {
            return Err(Error::WrongRound {
                asked: round,
                expected: match open {
                    0 => "to join first".into(),
                    _ => format!("round {open}, which is open"),
                },
            });
        }
        self.wait_round_closed(open).await
    }

    /// Waits until a round has closed with this party's entry in it. Round 0 is joining.
    ///
    /// # Errors
    /// [`Error::Aborted`] or [`Error::Finished`] when the session ended in that round or before; [`Error::Late`] when it closed
    /// without this party's entry; [`Error::SlotTaken`] or [`Error::NoJournal`] when with another one; [`Error::Left`] when this
    /// party has left, which the others don't wait for; [`Error::Fork`].
    pub async fn wait_round_closed(&mut self, round: u32) -> Result<(), Error> {
        loop {
            if self.observer.history().open_round() > round {
                return self.party.check_own_slot(self.observer.seen(), round);
            }
            self.sync().await?;
            if self.observer.history().open_round() > round {
                continue;
            }
            if let Some(ended) = self.party.ended(self.observer.seen()) {
                return Err(ended);
            }
            if self.has_left() {
                return Err(Error::Left);
            }
            let own = self.party.filling(round);
            if own.is_some_and(|own| !own.is_shown) {
                self.send_slot(round).await?;
                continue;
            }
            self.wait_for_others().await?;
        }
    }

    /// Waits until there is reason to look again, unless this party never waits.
    async fn wait_for_others(&mut self) -> Result<(), Error> {
        if self.never_waits {
            let now = self.observer.now();
            return Err(Error::Waiting {
                round: self.observer.history().open_round(),
                missing: self.observer.waiting_for(),
                deadline_ms: now.map_or(0, |now| now.leaf.deadline_ms),
                board_ms: now.map_or(0, |now| now.board_ms()),
            });
        }
        self.observer.wait_news().await;
        Ok(())
    }

    /// Looks at the board again, and answers a complaint against this party if there is one: [`Session::answer`].
    ///
    /// # Errors
    /// As [`Observer::sync`]. After [`Error::Fork`] this party doesn't write any more.
    pub async fn sync(&mut self) -> Result<(), Error> {
        let synced = self.observer.sync().await;
        if let Err(fork @ Error::Fork(_)) = &synced {
            self.party.fail(fork.clone());
        }
        synced?;
        self.answer_complaint().await;
        Ok(())
    }

    /// Waits until there is reason to look again: [`Session::sync`].
    pub async fn wait_news(&mut self) {
        self.observer.wait_news().await;
    }

    /// Waits until the session has ended.
    ///
    /// # Errors
    /// As [`Session::sync`]. An abort is no error here: it is an [`End`].
    pub async fn wait_end(&mut self) -> Result<End, Error> {
        loop {
            self.sync().await?;
            if let Some(end) = self.party.as_seen_by_me(self.observer.seen()) {
                return Ok(end);
            }
            self.wait_for_others().await?;
        }
    }
}
