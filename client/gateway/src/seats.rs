//! All sessions that are followed: each once, and no more than there is room for.

use std::{
    collections::BTreeMap,
    path::PathBuf,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use tokio::{
    sync::OnceCell,
    time::{Instant, sleep},
};
use white_city_client::{
    Client, Error, Session, SessionId,
    journal::{self, JournalError},
    vault::Unlock,
};

use crate::{failure::Failure, seat::Seat};

/// Longest time that a task that has ended may have a journal's lock, and the pause between two looks.
const LETTING_GO: Duration = Duration::from_secs(2);
const LOOK: Duration = Duration::from_millis(20);

/// A place for a session that is being opened, or is open.
type Place = Arc<OnceCell<Arc<Seat>>>;

pub(crate) struct Seats {
    client: Client,
    journals: PathBuf,
    unlock: Option<Unlock>,
    max: usize,
    places: Mutex<BTreeMap<SessionId, Place>>,
}

impl Seats {
    pub(crate) fn new(
        client: Client,
        journals: PathBuf,
        unlock: Option<Unlock>,
        max: usize,
    ) -> Self {
        Self {
            client,
            journals,
            unlock,
            max,
            places: Mutex::default(),
        }
    }

    /// Number of sessions that are followed.
    pub(crate) fn count(&self) -> usize {
        let mut places = self.places.lock().unwrap_or_else(PoisonError::into_inner);
        places.retain(|_, place| !is_free(place));
        places.len()
    }

    /// Whether this party has a journal of the session.
    pub(crate) fn is_known(&self, id: SessionId) -> bool {
        self.journal(id).exists()
    }

    /// The seat in a session that this party has a journal of, or in a new one if it may be begun.
    pub(crate) async fn seat(&self, id: SessionId, may_begin: bool) -> Result<Arc<Seat>, Failure> {
        if !may_begin && !self.is_known(id) {
            return Err(Failure::not_joined());
        }
        let place = self.place(id)?;
        let seat = place.get_or_try_init(async || Ok(Arc::new(Seat::new(self.open(id).await?))));
        let seat = seat.await.map(Arc::clone);
        seat.map_err(|error: Error| {
            self.leave(id, &place);
            error.into()
        })
    }

    /// Ends following all of them.
    pub(crate) fn clear(&self) {
        let mut places = self.places.lock().unwrap_or_else(PoisonError::into_inner);
        places.clear();
    }

    fn journal(&self, id: SessionId) -> PathBuf {
        self.journals.join(id.to_string())
    }

    fn place(&self, id: SessionId) -> Result<Place, Failure> {
        let mut places = self.places.lock().unwrap_or_else(PoisonError::into_inner);
        places.retain(|_, place| !is_free(place));
        if !places.contains_key(&id) && places.len() >= self.max {
            let ended = places.iter().find(|(_, place)| is_done(place));
            let ended = ended.map(|(id, _)| *id).ok_or_else(|| {
                let max = self.max;
                Failure::too_many(format!(
                    "{max} sessions are followed, and none of them has ended: expected at most --max-sessions {max}"
                ))
            })?;
            places.remove(&ended);
        }
        Ok(Arc::clone(places.entry(id).or_default()))
    }

    /// Gives up a place that nobody could take, unless somebody else has meanwhile.
    fn leave(&self, id: SessionId, place: &Place) {
        let mut places = self.places.lock().unwrap_or_else(PoisonError::into_inner);
        let is_same = places.get(&id).is_some_and(|now| Arc::ptr_eq(now, place));
        if is_same && !place.initialized() {
            places.remove(&id);
        }
    }

    async fn open(&self, id: SessionId) -> Result<Session, Error> {
        let until = Instant::now() + LETTING_GO;
        loop {
            let journal = self.journal(id);
            let opened = match &self.unlock {
                Some(unlock) => self.client.resume_locked(id, &journal, unlock).await,
                None => self.client.resume(id, &journal).await,
            };
            match opened {
                Err(Error::Journal(JournalError::Locked { .. })) if Instant::now() < until => {
                    sleep(LOOK).await;
                }
                opened => return opened,
            }
        }
    }

    /// Deletes a session's journal where nothing was ever signed, or the board can't be asked any more.
    pub(crate) fn forget_unread(&self, id: SessionId) -> Result<(), Error> {
        Ok(journal::forget(&self.journal(id), id)?)
    }
}

/// Whether its task has ended.
fn is_free(place: &Place) -> bool {
    place.get().is_some_and(|seat| seat.is_empty())
}

/// Whether the session has ended, and nobody asks it anything.
fn is_done(place: &Place) -> bool {
    let is_idle = |seat: &Arc<Seat>| seat.has_ended() && Arc::strong_count(seat) == 1;
    Arc::strong_count(place) == 1 && place.get().is_some_and(is_idle)
}
