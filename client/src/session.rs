//! A party's handle on one session.

mod inbox;
mod observer;
mod slot;
#[cfg(test)]
mod tests;
mod write;

use std::{collections::BTreeMap, ops::Deref, sync::Arc};

pub use inbox::Inbox;
pub use observer::{End, Observer, Progress};
use white_city_wire::{
    Hash, SessionId,
    payload::{DecryptionKey, SessionSeed},
};

use crate::{Error, client::Client, signer::Signer};

/// One party's part in one session: it joins, posts, reads, finishes.
///
/// It signs one entry for each slot and remembers it, so waiting again or posting after a lost connection sends the same
/// bytes. What it remembers is in memory only: a new process can't go on where this one stopped, and says so.
/// Everything of [`Observer`] is there, too.
pub struct Session {
    observer: Observer,
    index: u16,
    signer: Arc<dyn Signer>,
    secret: Option<Secret>,
    /// What was signed, by round.
    signed: BTreeMap<u32, Hash>,
    /// What the entries so far count against this party's share, bytes.
    used_bytes: u64,
    left: bool,
}

/// What this party sealed and is sealed to with. Forgotten with the session.
struct Secret {
    seed: SessionSeed,
    key: DecryptionKey,
}

impl Deref for Session {
    type Target = Observer;

    fn deref(&self) -> &Observer {
        &self.observer
    }
}

impl Session {
    pub(crate) async fn new(client: Client, id: SessionId) -> Result<Self, Error> {
        let signer = client.signer()?;
        let identity = signer.identity();
        let observer = Observer::new(client, id, Some(&identity)).await?;
        let index = observer
            .spec()
            .index_of(&identity)
            .ok_or_else(|| Error::NotMember {
                identity: Box::new(identity),
            })?;
        Ok(Self {
            observer,
            index,
            signer,
            secret: None,
            signed: BTreeMap::new(),
            used_bytes: 0,
            left: false,
        })
    }

    /// This party's index in the roster.
    #[must_use]
    pub const fn index(&self) -> u16 {
        self.index
    }

    /// The roster's size.
    #[must_use]
    pub fn n(&self) -> u16 {
        self.observer.spec().parties()
    }

    /// Waits until joining has closed and round 1 is open with this party in it.
    ///
    /// # Errors
    /// [`Error::Aborted`] names who is missing or declined; [`Error::Late`] when joining closed without this party.
    pub async fn wait_ready(&mut self) -> Result<(), Error> {
        self.wait_round_closed(0).await
    }

    /// Waits until a round has closed with this party's entry in it. Round 0 is joining.
    ///
    /// # Errors
    /// [`Error::Aborted`] or [`Error::Finished`] when the session ended in that round or before; [`Error::Late`] when it closed
    /// without this party's entry; [`Error::Fork`] or [`Error::NoJournal`] when with another one.
    pub async fn wait_round_closed(&mut self, round: u32) -> Result<(), Error> {
        loop {
            self.observer.sync().await?;
            if self.observer.history().open_round() > round {
                return self.check_own_slot(round);
            }
            if let Some(ended) = self.observer.ended() {
                return Err(ended);
            }
            self.observer.wait_news().await;
        }
    }

    /// Looks at the board again.
    ///
    /// # Errors
    /// [`Error::Unreachable`], or what the replicas' answers contradict.
    pub async fn sync(&mut self) -> Result<(), Error> {
        self.observer.sync().await
    }

    /// Waits until the session has ended.
    ///
    /// # Errors
    /// As [`Session::sync`]. An abort is no error here: it is an [`End`].
    pub async fn wait_end(&mut self) -> Result<End, Error> {
        self.observer.wait_end().await
    }

    /// Whether the closed round holds what this party signed for it.
    fn check_own_slot(&self, round: u32) -> Result<(), Error> {
        let stored = self
            .observer
            .history()
            .round(round)
            .and_then(|closed| closed.digests.get(usize::from(self.index)).copied())
            .flatten();
        let (open, height) = (self.observer.history().open_round(), self.observer.height());
        match (stored, self.signed.get(&round)) {
            (Some(stored), Some(signed)) if stored == *signed => Ok(()),
            (Some(_), Some(_)) if round > 0 => Err(Error::Fork {
                round,
                what: "this party's slot holds another entry than the one it signed",
            }),
            (Some(existing), Some(_)) => Err(Error::SlotTaken { round, existing }),
            (Some(_), None) => Err(Error::NoJournal { round }),
            (None, _) => Err(Error::Late {
                round,
                open,
                height,
            }),
        }
    }
}
