//! Lists of sessions, each as one replica says.

use std::{sync::Arc, time::Duration};

use futures::{StreamExt, stream::FuturesUnordered};
use tokio::time::{Instant, sleep, timeout_at};
use white_city_wire::IdentityKey;

use super::{Endpoint, ReadError, Replicas, Tally};
use crate::{
    Unproven,
    error::Error,
    read::{ListSessions, SessionLine},
};

/// Most sessions of one list.
pub(crate) const LIST_MAX: usize = 100_000;
/// Time to wait for one replica before another one is asked, too.
const NEXT_AFTER: Duration = Duration::from_secs(2);
/// Longest time for the last page of a list, and how much more the list gets for each page before that one.
const LAST_PAGE: Duration = Duration::from_secs(10);
const PAGE: Duration = Duration::from_secs(1);

impl Replicas {
    /// The sessions in the order of their numbers, from whichever replica has given all of them first.
    ///
    /// # Errors
    /// What the replicas said, when none gave a list.
    pub(crate) async fn sessions(
        &self,
        party: Option<&IdentityKey>,
    ) -> Result<Unproven<Vec<SessionLine>>, Error> {
        let mut tally = Tally::default();
        let mut others = self.in_order().into_iter();
        let mut asked = FuturesUnordered::new();
        loop {
            asked.extend(others.next().map(|endpoint| list(endpoint, party)));
            let (endpoint, listed) = tokio::select! {
                Some(listed) = asked.next() => listed,
                () = sleep(NEXT_AFTER), if others.len() > 0 => continue,
                else => return Err(tally.error()),
            };
            match listed {
                Ok(lines) => return Ok(Unproven::new(lines, endpoint.name().to_owned())),
                Err(error) => self.note(&mut tally, &endpoint, error)?,
            }
        }
    }
}

/// All that one replica lists.
async fn list(
    endpoint: Arc<Endpoint>,
    party: Option<&IdentityKey>,
) -> (Arc<Endpoint>, Result<Vec<SessionLine>, ReadError>) {
    let listed = pages(&endpoint, party).await;
    (endpoint, listed)
}

async fn pages(
    endpoint: &Endpoint,
    party: Option<&IdentityKey>,
) -> Result<Vec<SessionLine>, ReadError> {
    let (mut lines, mut from) = (Vec::new(), 0);
    let mut until = Instant::now() + LAST_PAGE;
    loop {
        let page = timeout_at(until, read_sessions(endpoint, party, from)).await;
        let late = |_| ReadError::Unreachable("no list in time".into());
        let (page, next) = page.map_err(late)??;
        lines.extend(page);
        match next {
            Some(next) if lines.len() < LIST_MAX => from = next,
            _ => return Ok(lines),
        }
        until += PAGE;
    }
}

/// One page, and the number at which the next one begins if there is one.
async fn read_sessions(
    endpoint: &Endpoint,
    party: Option<&IdentityKey>,
    from_number: u64,
) -> Result<(Vec<SessionLine>, Option<u64>), ReadError> {
    let list = ListSessions { party, from_number };
    let answer = endpoint.ask(list.question()).await?;
    Ok(list.check(answer)?)
}
