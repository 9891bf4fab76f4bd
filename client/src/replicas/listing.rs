//! Lists of sessions from the newest one down: what so many replicas say together that one of them is honest, so that no single one
//! can leave a session out.

use std::{
    collections::{BTreeSet, VecDeque},
    sync::Arc,
    time::Duration,
};

use futures::future::join_all;
use tokio::time::{Instant, sleep, timeout};
use white_city_wire::{IdentityKey, read::Statuses};

use super::{Endpoint, ReadError, Replicas, Tally, gather};
use crate::{
    Error,
    read::{Exchange, Lie, ReadSessionsPage, SessionLine},
};

/// Longest time for a page of a list that has begun; then another replica goes on with it.
const PAGE: Duration = Duration::from_secs(3);
/// Longest time for replicas to reach the state that the list is of, and the pause before they are asked again.
const CATCHING_UP: Duration = Duration::from_secs(10);
const CATCHING_UP_PAUSE: Duration = Duration::from_millis(50);

/// The sessions that are asked for.
#[derive(Debug, Clone)]
pub(crate) struct AskedFor {
    /// Only those with this party in their roster.
    pub(crate) party: Option<IdentityKey>,
    /// Only those with one of these statuses.
    pub(crate) statuses: Statuses,
    /// The lowest number.
    pub(crate) from_number: u64,
}

/// A list that is being read. What is dropped while it waits goes on where it was.
pub(crate) struct Listing {
    replicas: Arc<Replicas>,
    asked_for: AskedFor,
    /// Height of the oldest state that a page may be of.
    floor: u64,
    /// The number below which the list goes on.
    below: u64,
    sources: Vec<Source>,
    tally: Tally,
    /// Numbers that were given, where a single replica is asked: if that one lies the list begins again with another one.
    given: BTreeSet<u64>,
}

/// One of the replicas that the list is from.
struct Source {
    endpoint: Arc<Endpoint>,
    /// Its next lines.
    lines: VecDeque<Listed>,
    /// The number below which its next page begins.
    down_to: u64,
}

/// A line of a page, and the page.
#[derive(Clone)]
pub(crate) struct Listed {
    pub(crate) line: SessionLine,
    pub(crate) page: Arc<Page>,
}

/// A page as it travelled.
pub(crate) struct Page {
    endpoint: Arc<Endpoint>,
    /// The height of its state.
    pub(crate) height: u64,
    exchange: Option<Exchange>,
}

impl Listing {
    /// A list as it is in a state of this height, or later.
    pub(crate) const fn new(replicas: Arc<Replicas>, asked_for: AskedFor, floor: u64) -> Self {
        Self {
            replicas,
            asked_for,
            floor,
            below: u64::MAX,
            sources: Vec::new(),
            tally: Tally::new(),
            given: BTreeSet::new(),
        }
    }

    /// The replicas' words on the next number for which any of them lists a session.
    ///
    /// # Errors
    /// What the replicas said, when too few give a list.
    pub(crate) async fn next(&mut self) -> Result<Option<Vec<Listed>>, Error> {
        loop {
            let said = self.next_number().await?;
            let number = said.first().map(|listed| listed.line.number);
            let Some(number) = number else {
                return Ok(None);
            };
            if self.replicas.witnesses() > 1 || self.given.insert(number) {
                return Ok(Some(said));
            }
        }
    }

    /// This wasn't given after all, because nobody believes whoever has said it.
    pub(crate) fn take_back(&mut self, said: &[Listed]) {
        for listed in said {
            self.given.remove(&listed.line.number);
        }
    }

    async fn next_number(&mut self) -> Result<Vec<Listed>, Error> {
        let least = self.asked_for.from_number;
        while self.below > least {
            if self.sources.len() < self.wanted() {
                self.begin().await?;
            } else if self.sources.iter().any(|source| source.is_dry(least)) {
                self.go_on().await?;
            } else {
                break;
            }
        }
        let next = self.sources.iter().filter_map(Source::next);
        let Some(newest) = next.max() else {
            return Ok(Vec::new());
        };
        self.below = newest;
        let said = self.sources.iter_mut().filter_map(|source| {
            let is_it = source.next() == Some(newest);
            is_it.then(|| source.lines.pop_front()).flatten()
        });
        Ok(said.collect())
    }

    /// Number of replicas that the list has to be from: one that was found lying is one of those that may be malicious.
    fn wanted(&self) -> usize {
        let wanted = self.replicas.witnesses();
        wanted.saturating_sub(self.tally.liars()).max(1)
    }

    /// Asks all others for the next page, until there are enough.
    async fn begin(&mut self) -> Result<(), Error> {
        let until = Instant::now() + CATCHING_UP;
        loop {
            let missing = self.wanted().saturating_sub(self.sources.len());
            let mut others = self.replicas.in_order();
            others.retain(|other| self.tally.may_ask(other) && !self.is_source(other));
            let asked = others.iter().map(|other| {
                let is_last = self.replicas.is_late(other) || self.replicas.has_lied(other);
                (is_last, self.page(other, self.below))
            });
            let answers = gather(missing, asked).await;
            self.tally.is_any_behind = false;
            let mut found = Vec::new();
            for (at, answer) in answers {
                match (answer, others.get(at)) {
                    (Ok(source), _) => found.push(source),
                    (Err(error), Some(other)) => {
                        self.replicas.note(&mut self.tally, other, error)?;
                    }
                    (Err(_), None) => {}
                }
            }
            found.sort_by_key(|source| self.replicas.has_lied(&source.endpoint));
            self.sources.extend(found.into_iter().take(missing));
            if self.sources.len() >= self.wanted() {
                return Ok(());
            }
            if !self.tally.is_any_behind || Instant::now() > until {
                return Err(self.tally.error());
            }
            sleep(CATCHING_UP_PAUSE).await;
        }
    }

    /// Asks for the next pages of those who have told all that they have.
    async fn go_on(&mut self) -> Result<(), Error> {
        let least = self.asked_for.from_number;
        let dry = self.sources.iter().filter(|source| source.is_dry(least));
        let dry: Vec<_> = dry
            .map(|source| (Arc::clone(&source.endpoint), source.down_to))
            .collect();
        let pages = dry.iter().map(|(endpoint, below)| async {
            let page = timeout(PAGE, self.page(endpoint, *below)).await;
            page.unwrap_or_else(|_| Err(ReadError::Unreachable("no page in time".into())))
        });
        for ((endpoint, _), page) in dry.iter().zip(join_all(pages).await) {
            self.leave(endpoint);
            match page {
                Ok(source) => self.sources.push(source),
                Err(error) => self.note(endpoint, error)?,
            }
        }
        Ok(())
    }

    fn is_source(&self, endpoint: &Endpoint) -> bool {
        let mut sources = self.sources.iter();
        sources.any(|source| source.endpoint.name() == endpoint.name())
    }

    /// The page of one replica that begins below a number.
    async fn page(&self, endpoint: &Arc<Endpoint>, below: u64) -> Result<Source, ReadError> {
        let read = ReadSessionsPage {
            party: self.asked_for.party.as_ref(),
            statuses: self.asked_for.statuses,
            from_number: self.asked_for.from_number,
            down_from: below.saturating_sub(1),
        };
        let mut answer = self.replicas.read_from(endpoint, &read, self.floor).await?;
        let page = Arc::new(Page {
            endpoint: Arc::clone(endpoint),
            height: answer.height(),
            exchange: answer.take_exchange(),
        });
        let answer = answer.into_value();
        let lines = answer.lines.into_iter().map(|line| Listed {
            line,
            page: Arc::clone(&page),
        });
        Ok(Source {
            endpoint: Arc::clone(endpoint),
            lines: lines.collect(),
            down_to: answer.down_to,
        })
    }

    /// Whether whoever has said this wasn't found lying since.
    pub(crate) fn is_believed(&self, listed: &Listed) -> bool {
        self.tally.may_ask(&listed.page.endpoint)
    }

    /// Leaves a replica that has listed what can't be true, and names it.
    ///
    /// # Errors
    /// None that is about a lie.
    pub(crate) fn convict(&mut self, listed: &Listed, lie: Lie) -> Result<(), Error> {
        let page = &listed.page;
        if let Some(exchange) = page.exchange.clone() {
            self.replicas.remember(page.endpoint.name(), &lie, exchange);
        }
        self.leave(&page.endpoint);
        self.note(&page.endpoint, ReadError::Lied(lie))
    }

    fn leave(&mut self, endpoint: &Endpoint) {
        self.sources
            .retain(|source| source.endpoint.name() != endpoint.name());
    }

    fn note(&mut self, endpoint: &Endpoint, error: ReadError) -> Result<(), Error> {
        if self.replicas.witnesses() == 1 && matches!(error, ReadError::Lied(_)) {
            // Whatever it has left out nobody else was asked for.
            self.below = u64::MAX;
        }
        self.replicas.note(&mut self.tally, endpoint, error)
    }
}

impl Source {
    fn next(&self) -> Option<u64> {
        self.lines.front().map(|listed| listed.line.number)
    }

    /// Whether it has more to tell, and nothing of it is there.
    fn is_dry(&self, least: u64) -> bool {
        self.lines.is_empty() && self.down_to > least
    }
}
