//! Reading with proof: whom to ask, which header certifies the answer, and what to remember of lies.

use std::{
    collections::{BTreeMap, VecDeque},
    sync::{Arc, Mutex, Weak, atomic::Ordering},
    time::Duration,
};

use futures::{StreamExt, stream::FuturesUnordered};
use tokio::time::{Instant, sleep, timeout};
use white_city_wire::{pb, read::encode_query};

use super::{Asked, Endpoint, ReadError, Replicas, Tally, gather, race::Race};
use crate::{
    Error, Fork, ReplicaLie,
    checked::lock,
    read::{
        BoardStatus, Exchange, Lie, Read, ReadStatus, Verified, check_decoded, is_ahead, shape,
    },
    trust::{BadHeader, Mark, Trust, VerifiedHeader},
};

/// Most headers that are kept.
const HEADERS_KEPT: usize = 256;
/// Longest time for replicas to reach a height that one of them has, and the pause before they are asked again.
const CATCHING_UP: Duration = Duration::from_secs(10);
const CATCHING_UP_PAUSE: Duration = Duration::from_millis(50);
/// Most lies that are kept, the newest ones, and most bytes of them; the last one is, whatever its size.
const LIES_KEPT: usize = 16;
const LIES_BYTES_KEPT: usize = 16 << 20;

/// Memory of what a client has verified once, for all of its sessions.
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

    /// Begins with a header that was verified before this client began.
    pub(super) fn begin_with(&self, header: &Arc<VerifiedHeader>) {
        lock(&self.headers).insert(header.height(), Arc::clone(header));
    }

    fn header(&self, height: u64) -> Option<Arc<VerifiedHeader>> {
        lock(&self.headers).get(&height).cloned()
    }

    pub(super) fn is_empty(&self) -> bool {
        lock(&self.headers).is_empty()
    }

    /// The lock that whoever fetches the header of a height holds.
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
    /// The genesis that is trusted.
    pub(crate) const fn trust(&self) -> &Trust {
        &self.known.trust
    }

    /// The highest height that was verified.
    pub(crate) fn highest(&self) -> u64 {
        self.highest.load(Ordering::Relaxed)
    }

    /// Notes a state that was verified.
    fn note_verified(&self, mark: Mark) {
        self.highest.fetch_max(mark.height(), Ordering::Relaxed);
        let mut highest = lock(&self.mark);
        if highest
            .as_ref()
            .is_none_or(|highest| highest.height() < mark.height())
        {
            *highest = Some(mark);
        }
    }

    /// The lies that are remembered, the oldest first.
    pub(crate) fn lies(&self) -> Vec<Arc<ReplicaLie>> {
        lock(&self.known.lies).iter().cloned().collect()
    }

    /// As [`Replicas::read_noting`], of everybody. Those who are behind what was verified before this client began may catch up.
    ///
    /// # Errors
    /// As [`Replicas::read_noting`].
    pub(crate) async fn read<R: Read>(
        &self,
        read: &R,
        floor: u64,
    ) -> Result<Verified<R::Value>, Error> {
        let mut tally = Tally::default();
        match floor < self.floor() {
            true => self.read_reached(read, self.floor(), &mut tally).await,
            false => self.read_noting(read, floor, &mut tally).await,
        }
    }

    /// In a state as new as the newest that any replica proves now, for who reads once: an old one might hide what has come since.
    ///
    /// # Errors
    /// As [`Replicas::read_noting`].
    pub(crate) async fn read_newest<R: Read>(&self, read: &R) -> Result<Verified<R::Value>, Error> {
        self.asked_all(Instant::now()).await?;
        // What was found is among what was verified.
        let newest = self.highest();
        self.read_reached(read, newest, &mut Tally::default()).await
    }

    /// As [`Replicas::read_noting`], while replicas catch up with what one of them has.
    ///
    /// # Errors
    /// As [`Replicas::read_noting`].
    pub(crate) async fn read_reached<R: Read>(
        &self,
        read: &R,
        floor: u64,
        tally: &mut Tally,
    ) -> Result<Verified<R::Value>, Error> {
        let until = Instant::now() + CATCHING_UP;
        loop {
            tally.is_any_behind = false;
            let answered = self.read_noting(read, floor, tally).await;
            if answered.is_ok() || !tally.is_any_behind || Instant::now() > until {
                return answered;
            }
            sleep(CATCHING_UP_PAUSE).await;
        }
    }

    /// Asks the preferred replica, and others when it is slow, silent, behind `floor` or lying. What went wrong is added to what
    /// was noted before; who was set aside isn't asked.
    ///
    /// # Errors
    /// What the replicas said, when none gave an answer that verifies, or when so many deny it that one of them is honest and
    /// others only keep silent; [`Error::Fork`].
    pub(crate) async fn read_noting<R: Read>(
        &self,
        read: &R,
        floor: u64,
        tally: &mut Tally,
    ) -> Result<Verified<R::Value>, Error> {
        // Never closed, so it can't fail.
        let mut turn = Some(self.asking.acquire().await);
        let mut race = Race::new(self, tally);
        let mut asked = FuturesUnordered::new();
        loop {
            if race.is_over(self) {
                return Err(tally.error());
            }
            let answered = tokio::select! {
                Some(answered) = asked.next() => answered,
                () = sleep(race.hedge(self)), if !asked.is_empty() && race.has_help() => {
                    // A replica that is silent doesn't keep the others from being asked.
                    drop(turn.take());
                    let Some(next) = race.help() else {
                        return Err(tally.error());
                    };
                    asked.push(self.ask_one(next, read, floor));
                    continue;
                }
                else => {
                    let Some(next) = race.next() else {
                        return Err(tally.error());
                    };
                    asked.push(self.ask_one(next, read, floor));
                    continue;
                }
            };
            let (endpoint, answer) = answered;
            race.note_answer(self, &endpoint, &answer);
            match answer {
                Ok(value) => return Ok(value),
                Err(error) => self.note(tally, &endpoint, error)?,
            }
            // Those that are on their way go on, and have one more beside them.
            asked.extend(race.next_honest().map(|e| self.ask_one(e, read, floor)));
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
        let question = read.question();
        let floor = floor.max(self.floor());
        let answer = endpoint.ask(question.clone()).await?;
        let checked = match shape::decode(&question, answer.clone()) {
            Ok(decoded) if decoded.height < floor => {
                return Err(ReadError::Behind {
                    shown: decoded.height,
                    expected: floor,
                });
            }
            Ok(decoded) => self.check_answer(endpoint, read, &decoded).await,
            // What other rules make of answers can't be read.
            Err(lie) => match self.check_rules_of(endpoint, &answer).await {
                Err(ReadError::Final(newer)) => Err(ReadError::Final(newer)),
                _ => Err(lie.into()),
            },
        };
        let exchange = || Exchange {
            question: encode_query(question),
            answer,
        };
        match checked {
            Ok(value) => {
                self.note_verified(value.mark());
                Ok(value.said_by(endpoint.name(), exchange()))
            }
            Err(ReadError::Lied(lie)) => {
                self.remember(endpoint.name(), &lie, exchange());
                Err(ReadError::Lied(lie))
            }
            Err(ReadError::Stranger(lie)) => {
                // Kept, too, but there is no telling who is wrong before others have answered.
                self.keep_lie(endpoint.name(), &lie, exchange());
                Err(ReadError::Stranger(lie))
            }
            Err(other) => Err(other),
        }
    }

    /// Checks that the rules are known of the block whose state an answer is of, if that is all that can be read of it.
    async fn check_rules_of(&self, endpoint: &Endpoint, answer: &[u8]) -> Result<(), ReadError> {
        if let Some(height) = shape::height(answer) {
            let header = self.header(endpoint, height).await?;
            self.known.trust.check_rules(&header)?;
        }
        Ok(())
    }

    async fn check_answer<R: Read>(
        &self,
        endpoint: &Endpoint,
        read: &R,
        answer: &pb::Answer,
    ) -> Result<Verified<R::Value>, ReadError> {
        let trust = &self.known.trust;
        let header = self.header(endpoint, answer.height).await?;
        trust.check_rules(&header)?;
        let mut checked = check_decoded(read, trust, answer, &header);
        if checked.is_err() && is_ahead(trust, answer, &header) {
            self.catch_up(endpoint, || is_ahead(trust, answer, &header))
                .await?;
            checked = check_decoded(read, trust, answer, &header);
        }
        match checked {
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
        let trust = &self.known.trust;
        let mut verified = trust.verify(signed.clone());
        if verified.as_ref().is_err_and(BadHeader::is_ahead) {
            let is_ahead = || {
                trust
                    .verify(signed.clone())
                    .is_err_and(|bad| bad.is_ahead())
            };
            self.catch_up(endpoint, is_ahead).await?;
            verified = trust.verify(signed);
        }
        let header = verified.map_err(|bad| {
            let is_stranger = bad.is_of_another_network();
            let lie = Lie::new(format!("header: {bad}"));
            match is_stranger {
                true => ReadError::Stranger(lie),
                false => ReadError::Lied(lie),
            }
        })?;
        if header.height() != height {
            return Err(Lie::new("the header of another height").into());
        }
        let second = header.clone();
        self.known.keep(header).map_err(|first| {
            let what = format!("two blocks at height {height} that aren't of one chain");
            let fork = Fork::of_headers(what, [&first, &second], &self.known.trust);
            ReadError::Final(Error::Fork(Box::new(fork)))
        })
    }

    /// Keeps a lie, and says so.
    pub(crate) fn remember(&self, replica: &str, lie: &Lie, exchange: Exchange) {
        tracing::warn!(replica, what = %lie, "a replica gave an answer that can't be true");
        self.keep_lie(replica, lie, exchange);
    }

    fn keep_lie(&self, replica: &str, lie: &Lie, exchange: Exchange) {
        let lie = ReplicaLie {
            replica: replica.to_owned(),
            what: lie.to_string(),
            question: exchange.question,
            answer: exchange.answer.into(),
        };
        let mut lies = lock(&self.known.lies);
        lies.push_back(Arc::new(lie));
        while lies.len() > LIES_KEPT || (lies.len() > 1 && bytes_of(&lies) > LIES_BYTES_KEPT) {
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
        let until = Instant::now() + CATCHING_UP;
        loop {
            match self.freshest_now().await {
                // All that one of them has shown once, the others will reach.
                Err(Error::Behind { .. }) if Instant::now() < until => {
                    sleep(CATCHING_UP_PAUSE).await;
                }
                found => return found,
            }
        }
    }

    async fn freshest_now(&self) -> Result<Verified<BoardStatus>, Error> {
        let order = self.in_order();
        let asked = order.iter().map(|endpoint| {
            let status = self.read_from(endpoint, &ReadStatus, 0);
            (self.is_late(endpoint), status)
        });
        let answers = gather(self.witnesses(), asked).await;
        for (at, endpoint) in order.iter().enumerate() {
            let is_late = answers.iter().all(|(answered, _)| *answered != at);
            self.note_late(endpoint, is_late);
        }
        // Those of an era that is over have nothing newer to show, however many they are.
        let newest = self.trust().newest_era();
        let good = answers
            .iter()
            .filter_map(|(_, answer)| answer.as_ref().ok());
        let proved = good.filter(|status| self.trust().era_of(status.header()) == newest);
        *lock(&self.answered) = Some(proved.count());
        let mut tally = Tally::default();
        let mut highest: Option<Verified<BoardStatus>> = None;
        for (at, answer) in answers {
            match answer {
                Ok(status) => {
                    if highest
                        .as_ref()
                        .is_none_or(|h| h.height() < status.height())
                    {
                        highest = Some(status);
                    }
                }
                Err(error) => {
                    if let Some(endpoint) = order.get(at) {
                        self.note(&mut tally, endpoint, error)?;
                    }
                }
            }
        }
        let highest = highest.ok_or_else(|| tally.error())?;
        if let Some(endpoint) = order.iter().find(|e| e.name() == highest.replica()) {
            self.prefer(endpoint);
        }
        Ok(highest)
    }
}

fn bytes_of(lies: &VecDeque<Arc<ReplicaLie>>) -> usize {
    let bytes = lies.iter();
    let bytes = bytes.map(|lie| lie.question.len().saturating_add(lie.answer.len()));
    bytes.fold(0, usize::saturating_add)
}

#[cfg(test)]
mod tests {
    use super::{super::tests::replicas, *};

    #[test]
    fn the_newest_lies_are_kept_and_no_more_bytes_than_there_is_room_for() {
        let replicas = replicas(1);
        let lie = |bytes: usize| {
            let exchange = Exchange {
                question: Vec::new(),
                answer: vec![0; bytes].into(),
            };
            replicas.remember("http://a:1", &Lie::new(bytes.to_string()), exchange);
            replicas.lies().len()
        };
        for kept in 1..=LIES_KEPT {
            assert_eq!(lie(1), kept);
        }
        assert_eq!(lie(1), LIES_KEPT);
        assert_eq!(lie(LIES_BYTES_KEPT - LIES_KEPT + 1), LIES_KEPT);
        assert_eq!(lie(1), LIES_KEPT);
        assert_eq!(lie(LIES_KEPT), 2, "the large one is gone");
        assert_eq!(lie(LIES_BYTES_KEPT + 1), 1, "the last one is kept");
        assert_eq!(lie(1), 1);
    }
}
