//! Reading with proof: whom to ask, which header certifies the answer, and what to remember of lies.

use std::{
    collections::{BTreeMap, VecDeque},
    sync::{Arc, Mutex, Weak, atomic::Ordering},
};

use futures::{StreamExt, stream::FuturesUnordered};
use tokio::time::{Instant, sleep, timeout};
use white_city_wire::{
    pb,
    read::{decode_answer, encode_query},
};

use super::{Asked, Endpoint, ReadError, Replicas, Tally, gather};
use crate::{
    checked::lock,
    error::{Error, Fork, ReplicaLie},
    read::{BoardStatus, Exchange, Lie, OrLie, Read, ReadStatus, Verified, check_decoded},
    trust::{Trust, VerifiedHeader},
};

/// Most headers that are kept.
const HEADERS_KEPT: usize = 256;
/// Most lies that are kept, the newest ones.
const LIES_KEPT: usize = 16;

/// What a client has verified once, for all of its sessions.
pub(super) struct Known {
    trust: Trust,
    headers: Mutex<BTreeMap<u64, Arc<VerifiedHeader>>>,
    /// Heights whose header is being fetched, each with a lock that whoever fetches it holds.
    fetching: Mutex<BTreeMap<u64, Weak<tokio::sync::Mutex<()>>>>,
    lies: Mutex<VecDeque<Arc<ReplicaLie>>>,
}

impl Known {
    pub(super) fn new(trust: Trust) -> Self {
        Self {
            trust,
            headers: Mutex::default(),
            fetching: Mutex::default(),
            lies: Mutex::default(),
        }
    }

    fn header(&self, height: u64) -> Option<Arc<VerifiedHeader>> {
        lock(&self.headers).get(&height).cloned()
    }

    /// What whoever fetches the header of a height holds.
    fn turn(&self, height: u64) -> Arc<tokio::sync::Mutex<()>> {
        let mut fetching = lock(&self.fetching);
        if let Some(turn) = fetching.get(&height).and_then(Weak::upgrade) {
            return turn;
        }
        fetching.retain(|_, turn| turn.strong_count() > 0);
        let turn = Arc::default();
        fetching.insert(height, Arc::downgrade(&turn));
        turn
    }

    /// Keeps a header.
    ///
    /// # Errors
    /// Another header that the validators have signed, of this height or the one before or after, on another chain.
    fn keep(&self, header: VerifiedHeader) -> Result<Arc<VerifiedHeader>, Arc<VerifiedHeader>> {
        let mut headers = lock(&self.headers);
        let height = header.height();
        let near = headers.range(height.saturating_sub(1)..=height.saturating_add(1));
        for (_, other) in near {
            if !header.is_of_one_chain_with(other) {
                return Err(Arc::clone(other));
            }
        }
        // The same block may have been signed by others: the first header is as good.
        if let Some(same) = headers.get(&height) {
            return Ok(Arc::clone(same));
        }
        let header = Arc::new(header);
        headers.insert(header.height(), Arc::clone(&header));
        while headers.len() > HEADERS_KEPT {
            headers.pop_first();
        }
        Ok(header)
    }
}

impl Replicas {
    /// What is trusted.
    pub(crate) const fn trust(&self) -> &Trust {
        &self.known.trust
    }

    /// The highest height that was verified.
    pub(crate) fn highest(&self) -> u64 {
        self.highest.load(Ordering::Relaxed)
    }

    /// The lies that are remembered, the oldest first.
    pub(crate) fn lies(&self) -> Vec<Arc<ReplicaLie>> {
        lock(&self.known.lies).iter().cloned().collect()
    }

    /// Asks the preferred replica, and others when it is slow, silent, behind `floor` or lying.
    ///
    /// # Errors
    /// What the replicas said, when none gave an answer that verifies; [`Error::Fork`].
    pub(crate) async fn read<R: Read>(
        &self,
        read: &R,
        floor: u64,
    ) -> Result<Verified<R::Value>, Error> {
        self.read_noting(read, floor, &mut Tally::default()).await
    }

    /// As [`Replicas::read`], with what went wrong added to what was noted before.
    pub(crate) async fn read_noting<R: Read>(
        &self,
        read: &R,
        floor: u64,
        tally: &mut Tally,
    ) -> Result<Verified<R::Value>, Error> {
        // Never closed, so it can't fail.
        let mut turn = Some(self.asking.acquire().await);
        let mut others = self.in_order().into_iter();
        let mut asked = FuturesUnordered::new();
        loop {
            let answered = tokio::select! {
                Some(answered) = asked.next() => answered,
                () = sleep(self.hedge()), if !asked.is_empty() && others.len() > 0 => {
                    // A replica that is silent doesn't keep the others from being asked.
                    drop(turn.take());
                    asked.extend(others.next().map(|e| self.ask_one(e, read, floor)));
                    continue;
                }
                else => {
                    let Some(next) = others.next() else {
                        return Err(tally.error());
                    };
                    asked.push(self.ask_one(next, read, floor));
                    continue;
                }
            };
            match answered {
                (_, Ok(value)) => return Ok(value),
                (endpoint, Err(error)) => self.note(tally, &endpoint, error)?,
            }
        }
    }

    async fn ask_one<R: Read>(
        &self,
        endpoint: Arc<Endpoint>,
        read: &R,
        floor: u64,
    ) -> (Arc<Endpoint>, Result<Verified<R::Value>, ReadError>) {
        let read = self.read_from(&endpoint, read, floor).await;
        (endpoint, read)
    }

    /// Asks one replica and checks its answer.
    pub(crate) async fn read_from<R: Read>(
        &self,
        endpoint: &Endpoint,
        read: &R,
        floor: u64,
    ) -> Result<Verified<R::Value>, ReadError> {
        let answer = endpoint.ask(read.question()).await?;
        let checked = match decode_answer(answer.clone()).or_lie("answer") {
            Ok(decoded) if decoded.height < floor => return Err(ReadError::Behind),
            Ok(decoded) => self.check_answer(endpoint, read, &decoded).await,
            Err(lie) => Err(lie.into()),
        };
        let exchange = || Exchange {
            question: encode_query(read.question()),
            answer,
        };
        match checked {
            Ok(value) => {
                self.highest.fetch_max(value.height(), Ordering::Relaxed);
                Ok(value.said_by(endpoint.name(), exchange()))
            }
            Err(ReadError::Lied(lie)) => {
                self.remember(endpoint.name(), &lie, exchange());
                Err(ReadError::Lied(lie))
            }
            Err(other) => Err(other),
        }
    }

    async fn check_answer<R: Read>(
        &self,
        endpoint: &Endpoint,
        read: &R,
        answer: &pb::Answer,
    ) -> Result<Verified<R::Value>, ReadError> {
        let trust = &self.known.trust;
        let header = self.header(endpoint, answer.height).await?;
        match check_decoded(read, trust, answer, &header) {
            Ok(value) => Ok(value),
            Err(lie) => {
                // Another block of that height, with the validators' signatures, would be worse than a lie.
                self.header_of(endpoint, answer.height).await?;
                Err(lie.into())
            }
        }
    }

    /// The header of a height: once for all who need it, from this replica if nobody has it. Whoever waits for another one's
    /// replica to answer doesn't wait long.
    pub(super) async fn header(
        &self,
        endpoint: &Endpoint,
        height: u64,
    ) -> Result<Arc<VerifiedHeader>, ReadError> {
        if let Some(known) = self.known.header(height) {
            return Ok(known);
        }
        let turn = self.known.turn(height);
        let _mine = timeout(self.hedge(), turn.lock()).await;
        if let Some(known) = self.known.header(height) {
            return Ok(known);
        }
        self.header_of(endpoint, height).await
    }

    /// The header of a height from this replica, verified, kept, and compared with the one that is known.
    async fn header_of(
        &self,
        endpoint: &Endpoint,
        height: u64,
    ) -> Result<Arc<VerifiedHeader>, ReadError> {
        let signed = endpoint.commit(height).await?;
        let header = self.known.trust.verify(signed).or_lie("header")?;
        if header.height() != height {
            return Err(Lie::new("the header of another height").into());
        }
        let second = header.encode();
        self.known.keep(header).map_err(|first| {
            let fork = pb::fork_receipt::Fork::Headers(pb::HeaderFork {
                first: first.encode(),
                second,
            });
            let what = format!("two blocks at height {height} that aren't of one chain");
            let fork = Fork::new(what, [fork], &self.known.trust);
            ReadError::Final(Error::Fork(Box::new(fork)))
        })
    }

    /// Keeps a lie, and says so.
    pub(crate) fn remember(&self, replica: &str, lie: &Lie, exchange: Exchange) {
        tracing::warn!(replica, what = %lie, "a replica gave an answer that can't be true");
        let lie = ReplicaLie {
            replica: replica.to_owned(),
            what: lie.to_string(),
            question: exchange.question,
            answer: exchange.answer.into(),
        };
        let mut lies = lock(&self.known.lies);
        lies.push_back(Arc::new(lie));
        while lies.len() > LIES_KEPT {
            lies.pop_front();
        }
    }

    /// The highest height that was found when all replicas were asked last: after `since`, by whoever needed it.
    ///
    /// # Errors
    /// As [`Replicas::freshest`].
    pub(crate) async fn asked_all(&self, since: Instant) -> Result<u64, Error> {
        let mut last = self.asked_all.lock().await;
        if let Some(asked) = last.as_ref().filter(|asked| asked.at >= since) {
            return asked.found.clone();
        }
        let at = Instant::now();
        let found = self.freshest().await.map(|status| status.height());
        let asked = last.insert(Asked { at, found });
        asked.found.clone()
    }

    /// The highest state that any replica proves: all are asked, and the one that is furthest goes first from then on.
    ///
    /// # Errors
    /// What the replicas said, when none gave an answer that verifies; [`Error::Fork`].
    pub(crate) async fn freshest(&self) -> Result<Verified<BoardStatus>, Error> {
        let order = self.in_order();
        let asked = order.iter().map(async |endpoint| {
            let status = self.read_from(endpoint, &ReadStatus, 0).await;
            status.map_err(|error| (endpoint, error))
        });
        let mut tally = Tally::default();
        let mut highest: Option<Verified<BoardStatus>> = None;
        for answer in gather(self.witnesses, asked).await {
            match answer {
                Ok(status) => {
                    if highest
                        .as_ref()
                        .is_none_or(|h| h.height() < status.height())
                    {
                        highest = Some(status);
                    }
                }
                Err((endpoint, error)) => self.note(&mut tally, endpoint, error)?,
            }
        }
        let highest = highest.ok_or_else(|| tally.error())?;
        if let Some(endpoint) = order.iter().find(|e| e.name() == highest.replica()) {
            self.prefer(endpoint);
        }
        Ok(highest)
    }
}
