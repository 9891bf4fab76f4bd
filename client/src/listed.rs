//! Lists of sessions, of any length: what they name is read with proof before it is shown.

use std::{collections::VecDeque, sync::Arc};

use futures::future::join_all;
use white_city_wire::{
    IdentityKey, SessionId, board::Status, json::SessionLine, read::Statuses, tx::Open,
};

use crate::{
    Client, Error,
    read::{Lie, ReadLeaf, ReadSignedSpec, SessionRef, SessionSummary, Verified},
    replicas::{AskedFor, Listed, Listing, Replicas, Tally},
};

/// Sessions of a list that are read at once.
const AT_ONCE: usize = 16;

/// The sessions that a list is to have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SessionFilter {
    statuses: Statuses,
    from_number: u64,
}

impl SessionFilter {
    /// All of them.
    #[must_use]
    pub const fn all() -> Self {
        Self {
            statuses: Statuses::ALL,
            from_number: 0,
        }
    }

    /// Those that haven't ended.
    #[must_use]
    pub const fn live() -> Self {
        Self {
            statuses: Statuses::LIVE,
            from_number: 0,
        }
    }

    /// Those with one of these statuses.
    #[must_use]
    pub fn with(statuses: impl IntoIterator<Item = Status>) -> Self {
        Self {
            statuses: Statuses::of(statuses),
            from_number: 0,
        }
    }

    /// Of these, those with this number or a higher one.
    #[must_use]
    pub const fn from_number(self, from_number: u64) -> Self {
        Self {
            from_number,
            ..self
        }
    }
}

/// A session that a list has named, as the board proves it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FoundSession {
    /// Its number.
    pub number: u64,
    /// Its id.
    pub id: SessionId,
    /// Its status in the state that was read.
    pub status: Status,
    /// What opened it; nothing after its erasure.
    pub open: Option<Open>,
}

impl From<&FoundSession> for SessionLine {
    fn from(found: &FoundSession) -> Self {
        let protocol = found.open.as_ref().map(|open| open.spec.protocol.clone());
        Self {
            session: found.id,
            number: found.number,
            status: found.status,
            protocol: protocol.unwrap_or_default(),
        }
    }
}

impl FoundSession {
    /// The index of an identity in its roster.
    #[must_use]
    pub fn index_of(&self, party: &IdentityKey) -> Option<u16> {
        let mut roster = self.open.iter().flat_map(|open| &open.spec.roster);
        let index = roster.position(|key| key == party)?;
        u16::try_from(index).ok()
    }
}

/// A list of sessions that is being read, the newest first. It is what `f + 1` replicas list together: one that leaves a session out hides
/// it from nobody, and one that makes one up, or repeats itself, is named as a liar and left.
pub struct SessionList {
    replicas: Arc<Replicas>,
    asked_for: AskedFor,
    listing: Listing,
    /// What is listed and not read yet.
    listed: VecDeque<Vec<Listed>>,
    /// What was read and not given yet.
    found: VecDeque<FoundSession>,
}

impl Client {
    /// The sessions with this identity in their roster, the newest first. Erased ones have no roster any more.
    ///
    /// # Errors
    /// [`Error::OtherNetwork`], [`Error::Unreachable`]; as [`Client::status`].
    pub async fn sessions_of(
        &self,
        party: &IdentityKey,
        filter: SessionFilter,
    ) -> Result<SessionList, Error> {
        let height = self.status().await?.height();
        Ok(self.listed_since(height, Some(*party), filter))
    }

    /// The sessions of everybody, the newest first.
    ///
    /// # Errors
    /// As [`Client::sessions_of`].
    pub async fn sessions(&self, filter: SessionFilter) -> Result<SessionList, Error> {
        let height = self.status().await?.height();
        Ok(self.listed_since(height, None, filter))
    }

    /// A list as it is in a state of this height, or later.
    pub(crate) fn listed_since(
        &self,
        height: u64,
        party: Option<IdentityKey>,
        filter: SessionFilter,
    ) -> SessionList {
        let replicas = Arc::clone(self.replicas());
        let asked_for = AskedFor {
            party,
            statuses: filter.statuses,
            from_number: filter.from_number,
        };
        SessionList {
            listing: Listing::new(Arc::clone(&replicas), asked_for.clone(), height),
            replicas,
            asked_for,
            listed: VecDeque::new(),
            found: VecDeque::new(),
        }
    }
}

impl SessionList {
    /// The next session; nothing at the end. After an error it goes on where it was.
    ///
    /// # Errors
    /// [`Error::Unreachable`], [`Error::ReplicaLied`] or [`Error::Behind`] when so few replicas give a list that all of them may leave
    /// something out; [`Error::Fork`].
    pub async fn next(&mut self) -> Result<Option<FoundSession>, Error> {
        loop {
            if let Some(found) = self.found.pop_front() {
                return Ok(Some(found));
            }
            while self.listed.len() < AT_ONCE
                && let Some(said) = self.listing.next().await?
            {
                self.listed.push_back(said);
            }
            if self.listed.is_empty() {
                return Ok(None);
            }
            self.read().await?;
        }
    }

    /// All that is left of it, but no more than this.
    ///
    /// # Errors
    /// As [`SessionList::next`].
    pub async fn take(&mut self, most: usize) -> Result<Vec<FoundSession>, Error> {
        let mut all = Vec::new();
        while all.len() < most
            && let Some(found) = self.next().await?
        {
            all.push(found);
        }
        Ok(all)
    }

    /// Reads what is listed.
    async fn read(&mut self) -> Result<(), Error> {
        let listing = &mut self.listing;
        self.listed.retain_mut(|said| {
            if !said.iter().any(|listed| listing.is_believed(listed)) {
                listing.take_back(said);
                return false;
            }
            said.retain(|listed| listing.is_believed(listed));
            true
        });
        let judged = self.listed.iter().map(|said| self.judge(said));
        let judged = join_all(judged).await;
        let judged = judged.into_iter().collect::<Result<Vec<_>, Error>>()?;
        for (said, judged) in std::mem::take(&mut self.listed).iter().zip(judged) {
            for (at, lie) in judged.lies {
                if let Some(listed) = said.get(at) {
                    self.listing.convict(listed, lie)?;
                }
            }
            self.found.extend(judged.found);
        }
        Ok(())
    }

    /// Reads what several replicas list under one number.
    async fn judge(&self, said: &[Listed]) -> Result<Judged, Error> {
        let Some(first) = said.first() else {
            return Ok(Judged::default());
        };
        let (number, id) = (first.line.number, first.line.id);
        let height = said.iter().map(|listed| listed.page.height).max();
        let height = height.unwrap_or(0);
        let opened = match said.iter().all(|listed| listed.line.id == id) {
            true => self.opened(id, height).await?,
            false => None,
        };
        let opened = opened.filter(|opened| opened.number() == Some(number));
        let found = match opened {
            Some(opened) => found(number, id, opened),
            // Whatever is wrong, the board has one session of this number.
            None => {
                let leaf = self.summary(SessionRef::Number(number), height).await?.leaf;
                let opened = match leaf.status {
                    Status::Erased => None,
                    _ => self.opened(leaf.session, height).await?,
                };
                let erased = FoundSession {
                    number,
                    id: leaf.session,
                    status: Status::Erased,
                    open: None,
                };
                opened.map_or(erased, |opened| found(number, leaf.session, opened))
            }
        };
        let end = match is_said_to_live(said) && !found.status.is_live() {
            true => self.summary(found.id.into(), height).await?.terminal,
            false => None,
        };
        let end = end.map(|end| end.height);
        let party = self.asked_for.party.as_ref();
        let lies = said.iter().enumerate();
        let lies = lies.filter_map(|(at, listed)| Some((at, lie(listed, &found, end, party)?)));
        let is_of_party = party.is_none_or(|party| found.index_of(party).is_some());
        let is_asked_for = is_of_party && self.asked_for.statuses.has(found.status);
        Ok(Judged {
            lies: lies.collect(),
            found: is_asked_for.then_some(found),
        })
    }

    /// What opened a session, in a state of this height or later; nothing of one that is unknown or erased.
    async fn opened(&self, id: SessionId, height: u64) -> Result<Option<Opened>, Error> {
        let (read, mut tally) = (ReadSignedSpec(id), Tally::new());
        let opened = self.replicas.read_reached(&read, height, &mut tally).await;
        match opened.map_err(|error| error.or_erased()) {
            Ok(opened) => {
                // Whoever finds it reads on.
                let opening = Arc::new(opened.clone().into_value());
                self.replicas.checked.note_opening(id, opening);
                Ok(Some(opened))
            }
            Err(Error::Refused { .. } | Error::Erased) => Ok(None),
            Err(error) => Err(error),
        }
    }

    async fn summary(&self, session: SessionRef, height: u64) -> Result<SessionSummary, Error> {
        let (read, mut tally) = (ReadLeaf(session), Tally::new());
        let summary = self.replicas.read_reached(&read, height, &mut tally).await;
        summary.map(Verified::into_value)
    }
}

type Opened = Verified<(Open, white_city_wire::Signature)>;

/// What replicas have listed under one number, after it was read.
#[derive(Default)]
struct Judged {
    found: Option<FoundSession>,
    /// By the position of who has said it.
    lies: Vec<(usize, Lie)>,
}

fn found(number: u64, id: SessionId, opened: Opened) -> FoundSession {
    let status = opened.leaf().map_or(Status::Erased, |leaf| leaf.status);
    let (open, _) = opened.into_value();
    FoundSession {
        number,
        id,
        status,
        open: Some(open),
    }
}

fn is_said_to_live(said: &[Listed]) -> bool {
    said.iter().any(|listed| listed.line.status.is_live())
}

/// Why a line can't be true beside what the board proves of a later state, and the height at which the session ended.
fn lie(
    listed: &Listed,
    found: &FoundSession,
    end: Option<u64>,
    party: Option<&IdentityKey>,
) -> Option<Lie> {
    let Listed { line, page } = listed;
    let number = line.number;
    if line.id != found.id {
        return Some(Lie(format!(
            "it lists another session under the number {number}"
        )));
    }
    let is_foreign = |party| found.open.is_some() && found.index_of(party).is_none();
    if party.is_some_and(is_foreign) {
        return Some(Lie(format!(
            "it lists session {number}, which the party isn't in"
        )));
    }
    let is_over = line.status.is_live() && end.is_some_and(|end| end <= page.height);
    let is_possible = match (stage(line.status), stage(found.status)) {
        (1, 1) => line.status == found.status,
        (said, now) => said <= now,
    };
    (is_over || !is_possible).then(|| Lie(format!("it lists session {number} with another status")))
}

/// Stages of a session's life.
const fn stage(status: Status) -> u8 {
    match status {
        Status::Joining | Status::Running | Status::Dispute => 0,
        Status::Finished | Status::Aborted => 1,
        Status::Erased => 2,
    }
}
