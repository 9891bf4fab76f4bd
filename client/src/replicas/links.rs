//! Walking from one era to the next, by the links that replicas have.

use std::time::Duration;

use tokio::time::{Instant, sleep};
use white_city_wire::pb::{self, answer::Body, query::Question};

use super::{Endpoint, ReadError, Replicas};
use crate::{
    Error, Fork,
    read::{Lie, shape},
    trust::{BadLink, LINKS_MAX, LinkFork},
};

/// Longest time for a replica to have the link to an era that it shows a block of, and the pause before it is asked again. A liar can
/// have a client wait for it, too: meanwhile others are asked.
const LINK_DUE: Duration = Duration::from_secs(3);
const LINK_PAUSE: Duration = Duration::from_millis(200);

impl Replicas {
    /// Learns eras from a replica, or sees others learn them, until something isn't ahead any more. A replica has the newest link a
    /// moment after the first block of its era.
    pub(super) async fn catch_up(
        &self,
        endpoint: &Endpoint,
        is_ahead: impl Fn() -> bool,
    ) -> Result<(), ReadError> {
        // Whoever has never verified anything may have the wrong genesis.
        let patience = match self.known.is_empty() {
            true => LINK_DUE / 10,
            false => LINK_DUE,
        };
        let until = Instant::now() + patience;
        while is_ahead() {
            if self.learn(endpoint).await? || !is_ahead() {
                continue;
            }
            if Instant::now() >= until {
                break;
            }
            sleep(LINK_PAUSE).await;
        }
        Ok(())
    }

    /// Walks by the links that this replica has, from the newest era that a state has confirmed: what is known beyond may leave eras out,
    /// if a set of validators has come back. Says whether any was new.
    async fn learn(&self, endpoint: &Endpoint) -> Result<bool, ReadError> {
        let trust = self.trust();
        let mut from_era = trust.confirmed_era();
        let (mut walked, mut is_any_new) = (0_usize, false);
        loop {
            let question = Question::Links(pb::LinksQuery { from_era });
            let answer = endpoint.ask(question.clone()).await?;
            let Some(Body::Links(links)) = shape::decode(&question, answer)?.body else {
                return Err(Lie::new("an answer to another question").into());
            };
            let count = links.links.len();
            let learned = trust.learn(&links.links).map_err(|bad| match bad {
                BadLink::Fork(fork) => ReadError::Final(self.fork_of_links(&fork)),
                bad => Lie::new(format!("links: {bad}")).into(),
            })?;
            is_any_new |= learned > 0;
            walked = walked.saturating_add(count);
            from_era = from_era.saturating_add(u32::try_from(count).unwrap_or(u32::MAX));
            if count == 0 || walked >= LINKS_MAX {
                return Ok(is_any_new);
            }
            if learned == 0 {
                continue;
            }
            let era = trust.newest_era();
            tracing::info!(
                era,
                replica = endpoint.name(),
                "the validators have handed over"
            );
        }
    }

    /// Two links from one era, with both headers.
    fn fork_of_links(&self, fork: &LinkFork) -> Error {
        let what = format!("two links to era {}", fork.era);
        let headers = [&*fork.known, &fork.other];
        let fork = Fork::of_headers(what, headers, self.trust());
        Error::Fork(Box::new(fork))
    }
}
