//! Discovery: what there is for an identity, and what comes.

use std::{collections::BTreeSet, mem};

use white_city_wire::IdentityKey;

use crate::{
    Client, Error,
    listed::{FoundSession, SessionFilter, SessionList},
    replicas::Openings,
};

/// The sessions of an identity that haven't ended, and each new one as it is opened.
///
/// Events of `f + 1` replicas, which have the beginnings of the roster's keys, say when to look, and a look is at the lists of `f + 1`
/// replicas, in a state as new as any of them proves. One of them that hides a session from its lists and its events hides it from
/// nobody. Should events be lost altogether, the board's own count of sessions is read every few seconds, with proof, and a session
/// that wasn't told of is found by it.
pub struct Discovery {
    client: Client,
    party: IdentityKey,
    openings: Openings,
    /// Below this number all sessions that haven't ended were given.
    complete: u64,
    /// Those above it that were given.
    given: BTreeSet<u64>,
    look: Option<Look>,
}

/// A look at the lists.
struct Look {
    list: SessionList,
    /// Number of sessions of the state that the lists are of, or an earlier one.
    sessions: u64,
    has_found: bool,
}

impl Client {
    /// The sessions that there are for an identity, and those that come. It follows replicas from the first [`Discovery::next`] on.
    #[must_use]
    pub fn discover(&self, party: &IdentityKey) -> Discovery {
        Discovery {
            client: self.clone(),
            party: *party,
            openings: self.openings(party),
            complete: 0,
            given: BTreeSet::new(),
            look: None,
        }
    }
}

impl Discovery {
    /// The next session: first all that haven't ended, the newest first, then each new one as it comes. Which has ended before anybody
    /// has looked isn't given. It can be dropped, and after an error it goes on where it was, when it is asked again.
    ///
    /// # Errors
    /// As [`SessionList::next`].
    pub async fn next(&mut self) -> Result<FoundSession, Error> {
        loop {
            if self.look.is_none() {
                self.openings.next().await;
                self.look = self
                    .begin()
                    .await
                    .inspect_err(|_| self.openings.has_failed())?;
            }
            let Some(look) = &mut self.look else {
                continue;
            };
            match look.list.next().await {
                Ok(Some(found)) => {
                    if self.given.insert(found.number) {
                        look.has_found = true;
                        return Ok(found);
                    }
                }
                Ok(None) => self.end(),
                Err(error) => {
                    self.look = None;
                    self.openings.has_failed();
                    return Err(error);
                }
            }
        }
    }

    /// Begins a look, if the board has more sessions than were looked at.
    async fn begin(&mut self) -> Result<Option<Look>, Error> {
        self.openings.look();
        let status = self.client.status().await?;
        if status.sessions <= self.complete {
            self.openings.has_looked(false);
            return Ok(None);
        }
        let filter = SessionFilter::live().from_number(self.complete);
        let party = Some(self.party);
        Ok(Some(Look {
            list: self.client.listed_since(status.height(), party, filter),
            sessions: status.sessions,
            has_found: false,
        }))
    }

    fn end(&mut self) {
        if let Some(look) = mem::take(&mut self.look) {
            self.complete = look.sessions;
            self.given = self.given.split_off(&look.sessions);
            self.openings.has_looked(look.has_found);
        }
    }
}
