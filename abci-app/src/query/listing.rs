//! Lists of sessions, a page at a time. A page costs what it has, not what the whole list has.

use std::sync::Arc;

use white_city_state_machine::Session;
use white_city_wire::{
    Refusal,
    board::Status,
    pb,
    read::{SESSIONS_LOOKED, SESSIONS_PAGE, Statuses},
};

use super::Reader;

impl Reader<'_> {
    pub(super) fn sessions(
        &self,
        query: &pb::SessionsQuery,
    ) -> Result<pb::SessionsAnswer, Refusal> {
        let party = match query.party.as_slice() {
            [] => None,
            party => Some(<&[u8; 32]>::try_from(party).map_err(|_| Refusal::Field {
                field: "party",
                expected: "32 bytes",
            })?),
        };
        match query.down_from {
            Some(down_from) => self.sessions_down(party, query, down_from),
            None if query.statuses == 0 => self.sessions_up(party, query.from_number),
            None => Err(Refusal::Field {
                field: "statuses",
                expected: "down_from, too",
            }),
        }
    }

    fn sessions_up(
        &self,
        party: Option<&[u8; 32]>,
        from_number: u64,
    ) -> Result<pb::SessionsAnswer, Refusal> {
        let all = self.committed.state.sessions();
        let from = u32::try_from(from_number).unwrap_or(u32::MAX);
        let numbers: Vec<u32> = match party {
            None => (from..=u32::MAX)
                .take_while(|number| u64::from(*number) < all.len())
                .take(SESSIONS_PAGE)
                .collect(),
            Some(party) => self
                .committed
                .snapshot
                .sessions_of(party, from, SESSIONS_PAGE)?,
        };
        let next_number = match numbers.last() {
            Some(last) if numbers.len() == SESSIONS_PAGE => u64::from(*last).saturating_add(1),
            _ => all.len(),
        };
        let mut sessions = Vec::new();
        for number in numbers {
            sessions.extend(self.line(number)?);
        }
        Ok(pb::SessionsAnswer {
            sessions,
            next_number,
        })
    }

    fn sessions_down(
        &self,
        party: Option<&[u8; 32]>,
        query: &pb::SessionsQuery,
        down_from: u64,
    ) -> Result<pb::SessionsAnswer, Refusal> {
        let statuses = Statuses::from_bits(query.statuses).ok_or(Refusal::Field {
            field: "statuses",
            expected: "bits of known statuses",
        })?;
        let mut page = pb::SessionsAnswer {
            sessions: Vec::new(),
            next_number: query.from_number,
        };
        let newest = self.committed.state.sessions().len().checked_sub(1);
        let to = newest.map(|newest| down_from.min(newest));
        let to = to.and_then(|to| u32::try_from(to).ok());
        let (Some(to), Ok(from)) = (to, u32::try_from(query.from_number)) else {
            return Ok(page);
        };
        let numbers = self.numbers_down(party, statuses, (from, to))?;
        // Below the last one that is looked at there may be more.
        if numbers.len() >= SESSIONS_LOOKED {
            page.next_number = numbers.last().copied().unwrap_or(from).into();
        }
        for number in numbers {
            if !statuses.has(self.status(number)) {
                continue;
            }
            page.sessions.extend(self.line(number)?);
            if page.sessions.len() >= SESSIONS_PAGE {
                page.next_number = number.into();
                break;
            }
        }
        Ok(page)
    }

    /// Numbers of the sessions that may match, the highest first; of those that have ended there may be more.
    fn numbers_down(
        &self,
        party: Option<&[u8; 32]>,
        statuses: Statuses,
        (from, to): (u32, u32),
    ) -> Result<Vec<u32>, Refusal> {
        let (live, snapshot) = (&self.committed.live, &self.committed.snapshot);
        if from > to {
            return Ok(Vec::new());
        }
        Ok(match party {
            None => (from..=to).rev().take(SESSIONS_LOOKED).collect(),
            Some(party) if statuses.is_within(Statuses::LIVE) => {
                live.down(party, from, to).take(SESSIONS_LOOKED).collect()
            }
            Some(party) => snapshot.sessions_of_down(party, (from, to), SESSIONS_LOOKED)?,
        })
    }

    /// The status of a session that there is. Of those that were erased the state has only that.
    fn status(&self, number: u32) -> Status {
        let session = self.committed.state.sessions().get(number);
        session.map_or(Status::Erased, |session| session.status())
    }

    fn line(&self, number: u32) -> Result<Option<pb::SessionLine>, Refusal> {
        let session = self.numbered(number)?;
        let line = session.map(|session: Arc<Session>| {
            Ok::<_, Refusal>(pb::SessionLine {
                number: session.number.into(),
                id: session.id().0.to_vec(),
                status: session.status().number().into(),
                protocol: self.protocol(&session)?,
            })
        });
        line.transpose()
    }

    /// The name of a session's protocol; nothing after erasure.
    fn protocol(&self, session: &Session) -> Result<String, Refusal> {
        Ok(match (&session.body, &session.rest) {
            (Some(body), _) => body.spec.protocol.clone(),
            (None, Some(_)) => self.committed.snapshot.protocol(session.number)?,
            (None, None) => String::new(),
        })
    }
}
