//! Sending a transaction: to all replicas themselves while blocks follow on one another; to one replica's engine, which keeps a block
//! for it and passes it on to the others; and to all engines when that isn't enough.

use std::{
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use futures::{StreamExt, stream::FuturesUnordered};
use tokio::{
    sync::mpsc,
    time::{Instant, timeout},
};

use super::{Endpoint, Replicas, by_size, direct::Handed, rpc::Submitted};
use crate::error::{Error, ReplicaFault};

/// How long the first replica may take to answer before the others get it, too: at least, and at most where all are late. It checks
/// a transaction in a moment, but many may be waiting.
const FIRST_ALONE: (Duration, Duration) = (Duration::from_millis(500), Duration::from_secs(4));

/// Largest entry that is handed over to each replica itself, bytes. A larger one goes to one engine: the replicas' links carry it to
/// the others, and the party's own, which may be slow, only once.
const HANDED_BYTES_MAX: usize = 128 << 10;

/// What the replicas said to a transaction, as far as they have answered.
#[derive(Default)]
pub(crate) struct Replies {
    pub(crate) taken: usize,
    /// By code, text and replica.
    pub(crate) refused: Vec<(u32, String, String)>,
    pub(crate) faults: Vec<ReplicaFault>,
    /// The only one that it was sent to, and that has taken it.
    entrance: Option<Arc<Endpoint>>,
}

/// What came of handing an entry over to all but as many replicas as may be malicious.
enum HandedOver {
    /// They have it, and say that a block comes that can have it.
    Coming,
    /// They have it, but one of them says that no block comes.
    Idle,
    /// Too few of them have it.
    No,
}

/// An entry that was brought to engines because no block came otherwise.
#[derive(Clone, Copy)]
pub(super) struct Woken {
    /// When sending it began: the block that it makes has whatever the replicas had before.
    since: Instant,
    /// Whether all engines were sent to, so that no malicious one can keep it to itself.
    are_all: bool,
}

impl Replicas {
    /// Hands an entry over to the replicas themselves, past their engines' mempools.
    ///
    /// - Where too few of them take it, one engine gets it; all of them do if it `is_again`, which is when it was sent before and the
    ///   board didn't show it.
    /// - Where no block comes for it, likewise; but if another entry of this process is brought there after this one was
    ///   handed over, that one's block is enough. Hundreds that come after a pause would cost an engine more than all their blocks.
    pub(crate) async fn submit_entry(&self, tx: &Arc<Vec<u8>>, is_again: bool) -> Replies {
        let handed = self.hand_over(tx).await;
        let handed_at = Instant::now();
        let brought = Replies {
            taken: self.all.len(),
            ..Replies::default()
        };
        match handed {
            HandedOver::Coming => return brought,
            HandedOver::No => return self.submit_to_engines(tx, is_again).await,
            HandedOver::Idle => {}
        }
        // Whoever has the turn may wait long for engines that are silent; then the board is looked at meanwhile.
        let Ok(mut woken) = timeout(FIRST_ALONE.0, self.woken.lock()).await else {
            return brought;
        };
        let is_enough = |woken: Woken| woken.since >= handed_at && (woken.are_all || !is_again);
        if woken.is_some_and(is_enough) {
            return brought;
        }
        let since = Instant::now();
        let replies = self.submit_to_engines(tx, is_again).await;
        // Whatever came of it: the others would hear the same.
        *woken = Some(Woken {
            since,
            are_all: is_again,
        });
        replies
    }

    async fn submit_to_engines(&self, tx: &Arc<Vec<u8>>, all: bool) -> Replies {
        match all {
            true => self.submit(tx).await,
            false => self.submit_to_one(tx).await,
        }
    }

    /// Sends to each replica whose port is known, since whose proposal is next isn't known here, and waits for all but as many as may
    /// be malicious, so that none of them can slow a party down. One that says that no block comes is believed.
    async fn hand_over(&self, tx: &Arc<Vec<u8>>) -> HandedOver {
        let validators = self.trust().network().validators.len();
        if tx.len() > HANDED_BYTES_MAX || self.all.len() < validators {
            return HandedOver::No;
        }
        let faults = usize::from(self.trust().network().faults());
        let enough = self.all.len().saturating_sub(faults);
        let ports = self.all.iter().filter_map(|replica| {
            let url = replica.endpoint.submit_url()?;
            Some((&replica.endpoint, url))
        });
        let ports: Vec<_> = ports.collect();
        if ports.len() < enough {
            return HandedOver::No;
        }
        // Never closed, so it can't fail.
        let _turn = self.handing.acquire().await;
        let began = Instant::now();
        // They get it even if whoever waits here stops.
        let handed = ports.iter();
        let handed = handed.filter_map(|(endpoint, url)| endpoint.hand_over(url, tx));
        let mut answers: FuturesUnordered<_> = handed.collect();
        let (mut have_it, mut are_coming) = (0_usize, true);
        let enough_have_it = async {
            while have_it < enough && have_it.saturating_add(answers.len()) >= enough {
                match answers.next().await {
                    Some(Ok(Some(Handed::Coming))) => {}
                    Some(Ok(Some(Handed::Idle))) => are_coming = false,
                    _ => continue,
                }
                have_it = have_it.saturating_add(1);
            }
        };
        let patience = self.hedge().saturating_add(by_size(tx.len()));
        let _ = timeout(patience, enough_have_it).await;
        // Where each of them could have answered, as few as may be malicious can make it neither longer nor shorter.
        if have_it.saturating_add(answers.len()) == self.all.len() {
            self.answers.note(began.elapsed(), Instant::now());
        }
        match (have_it >= enough, are_coming) {
            (true, true) => HandedOver::Coming,
            (true, false) => HandedOver::Idle,
            (false, _) => HandedOver::No,
        }
    }

    /// Sends a transaction to one replica, the one that is asked first unless it is doubted; to all others, too, if that one
    /// doesn't take it.
    pub(crate) async fn submit_to_one(&self, tx: &Arc<Vec<u8>>) -> Replies {
        let mut order = self.in_order();
        let first = order.iter().position(|endpoint| !self.is_doubted(endpoint));
        let first = order.swap_remove(first.unwrap_or(0));
        let mut replies = Replies::default();
        let mut sent = self.send(std::slice::from_ref(&first), tx);
        match timeout(
            self.answers.patience(FIRST_ALONE, Instant::now()),
            sent.recv(),
        )
        .await
        {
            Ok(Some((endpoint, reply))) => replies.note(endpoint.name(), reply),
            _ => {
                self.note_late(&first, true);
                replies.note(first.name(), Err("no answer in time".into()));
            }
        }
        if replies.taken > 0 {
            replies.entrance = Some(first);
            return replies;
        }
        self.doubt(&first);
        self.collect(replies, self.send(&order, tx)).await
    }

    /// Sends a transaction to all replicas. Returns when one has taken it, or when all have answered; the others are
    /// still sent to.
    pub(crate) async fn submit(&self, tx: &Arc<Vec<u8>>) -> Replies {
        self.collect(Replies::default(), self.send(&self.in_order(), tx))
            .await
    }

    /// The only replica that got a transaction had it, and the board doesn't show it: others get the next ones first.
    pub(crate) fn doubt_entrance(&self, replies: &Replies) {
        if let Some(endpoint) = &replies.entrance {
            tracing::debug!(replica = endpoint.name(), "what it took isn't shown");
            self.doubt(endpoint);
        }
    }

    /// Sends to these, whoever listens.
    fn send(
        &self,
        endpoints: &[Arc<Endpoint>],
        tx: &Arc<Vec<u8>>,
    ) -> mpsc::Receiver<(Arc<Endpoint>, Result<Submitted, String>)> {
        let (sender, receiver) = mpsc::channel(self.all.len());
        for endpoint in endpoints {
            let (endpoint, tx, sender) = (Arc::clone(endpoint), Arc::clone(tx), sender.clone());
            tokio::spawn(async move {
                let reply = endpoint.submit(&tx).await;
                // Nobody listens any more once one replica has taken it.
                let _ = sender.send((endpoint, reply)).await;
            });
        }
        receiver
    }

    async fn collect(
        &self,
        mut replies: Replies,
        mut sent: mpsc::Receiver<(Arc<Endpoint>, Result<Submitted, String>)>,
    ) -> Replies {
        while let Some((endpoint, reply)) = sent.recv().await {
            replies.note(endpoint.name(), reply);
            if replies.taken > 0 {
                break;
            }
        }
        replies
    }

    fn is_doubted(&self, endpoint: &Endpoint) -> bool {
        self.replica(endpoint)
            .is_some_and(|replica| replica.doubted.load(Ordering::Relaxed))
    }

    /// Once all are doubted, none is.
    fn doubt(&self, endpoint: &Endpoint) {
        if let Some(replica) = self.replica(endpoint) {
            replica.doubted.store(true, Ordering::Relaxed);
        }
        let mut all = self.all.iter();
        if all.all(|replica| replica.doubted.load(Ordering::Relaxed)) {
            for replica in &self.all {
                replica.doubted.store(false, Ordering::Relaxed);
            }
        }
    }
}

impl Replies {
    fn note(&mut self, name: &str, reply: Result<Submitted, String>) {
        let replica = name.to_owned();
        match reply {
            Ok(Submitted::Taken) => self.taken += 1,
            Ok(Submitted::Refused { code, text }) => {
                tracing::debug!(%replica, code, %text, "not taken");
                self.refused.push((code, text, replica));
            }
            Err(reason) => {
                tracing::debug!(%replica, %reason, "not reached");
                self.faults.push(ReplicaFault { replica, reason });
            }
        }
    }

    /// The refusal, when enough replicas refuse for good and none has taken it.
    pub(crate) fn refusal(&self, witnesses: usize) -> Option<Error> {
        let for_good: Vec<_> = self
            .refused
            .iter()
            .filter(|(code, ..)| !white_city_wire::Refusal::is_transient(*code))
            .collect();
        let (code, text, replica) = for_good.first()?;
        (self.taken == 0 && for_good.len() >= witnesses)
            .then(|| Error::from_code(*code, text.clone(), replica.clone()))
    }

    /// Whether nobody was reached.
    pub(crate) const fn is_silence(&self) -> bool {
        self.taken == 0 && self.refused.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicU8;

    use tokio::task::JoinHandle;
    use white_city_wire::read::HANDING_PATH;

    use super::{
        super::{
            HEDGE,
            served::{Request, serve},
            tests::{replicas, replicas_at},
        },
        *,
    };

    type Requests = Vec<mpsc::Receiver<Request>>;

    /// Four replicas that have been slow: what comes to the RPC of each, and to the direct ports of these.
    async fn four(ports: impl IntoIterator<Item = usize>) -> (Arc<Replicas>, Requests, Requests) {
        let (mut rpc, mut urls) = (Vec::new(), Vec::new());
        for _ in 0..4 {
            let (requests, port) = serve("/").await;
            rpc.push(requests);
            urls.push(format!("http://127.0.0.1:{port}"));
        }
        let replicas = replicas_at(&urls, 1);
        // The test's own machine may stand still for longer than an answer is waited for at least.
        replicas.answers.note(HEDGE.1, Instant::now());
        let mut direct = Vec::new();
        for at in ports {
            let (requests, port) = serve(HANDING_PATH).await;
            replicas.all[at].endpoint.know_direct_port(port).await;
            direct.push(requests);
        }
        (Arc::new(replicas), rpc, direct)
    }

    /// Sends an entry; gives how many replicas are said to have it.
    fn submit(replicas: &Arc<Replicas>, entry: u8, is_again: bool) -> JoinHandle<usize> {
        let replicas = Arc::clone(replicas);
        tokio::spawn(async move {
            let entry = Arc::new(vec![entry]);
            replicas.submit_entry(&entry, is_again).await.taken
        })
    }

    fn take_at_rpc(request: Request) {
        let result = r#"{"jsonrpc":"2.0","id":1,"result":{"code":0}}"#;
        request.answer.send(result.into()).unwrap();
    }

    /// Takes what comes to a direct port, for which no block comes.
    fn idle(mut requests: mpsc::Receiver<Request>) {
        tokio::spawn(async move {
            while let Some(request) = requests.recv().await {
                let count = request.entries().len();
                request.take(count, false);
            }
        });
    }

    fn is_nothing_there(requests: &mut Requests) -> bool {
        requests.iter_mut().all(|r| r.try_recv().is_err())
    }

    #[tokio::test]
    async fn an_entry_is_handed_over_where_all_but_the_malicious_ones_can_have_it() {
        let (replicas, mut rpc, mut direct) = four([0, 1, 3]).await;
        let submitting = submit(&replicas, 7, false);
        for requests in &mut direct {
            let request = requests.recv().await.unwrap();
            assert_eq!(request.entries(), [[7]]);
            request.take(1, true);
        }
        assert_eq!(submitting.await.unwrap(), 4);
        assert!(is_nothing_there(&mut rpc));
        let (replicas, mut rpc, mut direct) = four([0, 3]).await;
        let submitting = submit(&replicas, 7, false);
        take_at_rpc(rpc[0].recv().await.unwrap());
        assert_eq!(submitting.await.unwrap(), 1);
        assert!(is_nothing_there(&mut rpc) && is_nothing_there(&mut direct));
    }

    #[tokio::test]
    async fn what_was_sent_before_goes_to_all_engines_where_too_few_take_it_or_no_block_comes() {
        for ports in [0..2, 0..4] {
            let (replicas, mut rpc, direct) = four(ports).await;
            direct.into_iter().for_each(idle);
            // One engine has got another entry a moment ago, and may keep it to itself.
            *replicas.woken.lock().await = Some(Woken {
                since: Instant::now() + Duration::from_secs(60),
                are_all: false,
            });
            let submitting = submit(&replicas, 7, true);
            for requests in &mut rpc {
                take_at_rpc(requests.recv().await.unwrap());
            }
            assert!(submitting.await.unwrap() > 0);
        }
    }

    #[tokio::test]
    async fn one_that_keeps_silent_or_takes_nothing_changes_nothing() {
        for is_silent in [true, false] {
            let (replicas, mut rpc, mut direct) = four(0..4).await;
            let submitting = submit(&replicas, 7, false);
            let first = direct[0].recv().await.unwrap();
            let silent = match is_silent {
                true => Some(first),
                // The answer to other transactions than it got.
                false => {
                    first.take(2, true);
                    None
                }
            };
            for requests in &mut direct[1..] {
                requests.recv().await.unwrap().take(1, true);
            }
            assert_eq!(submitting.await.unwrap(), 4);
            assert!(is_nothing_there(&mut rpc));
            drop(silent);
        }
    }

    #[tokio::test]
    async fn where_too_many_take_nothing_an_engine_gets_it_at_once() {
        let (replicas, mut rpc, mut direct) = four(0..4).await;
        let began = Instant::now();
        let submitting = submit(&replicas, 7, false);
        let mut silent = Vec::new();
        for (at, requests) in direct.iter_mut().enumerate() {
            let request = requests.recv().await.unwrap();
            match at {
                0 | 1 => request.take(2, true),
                _ => silent.push(request),
            }
        }
        take_at_rpc(rpc[0].recv().await.unwrap());
        assert_eq!(submitting.await.unwrap(), 1);
        assert!(began.elapsed() < HEDGE.1);
    }

    #[tokio::test]
    async fn of_the_entries_that_no_block_comes_for_engines_get_a_few() {
        const ENTRIES: u8 = 24;
        let (replicas, mut rpc, direct) = four(0..4).await;
        let first = submit(&replicas, 0, false);
        direct.into_iter().for_each(idle);
        let request = rpc[0].recv().await.unwrap();
        // Its engine has that one; whoever comes now may be too late for its block, but not for the next one's.
        let others: Vec<_> = (1..ENTRIES)
            .map(|entry| submit(&replicas, entry, false))
            .collect();
        take_at_rpc(request);
        assert_eq!(first.await.unwrap(), 1);
        let mut more = rpc.remove(0);
        let count = Arc::new(AtomicU8::new(0));
        let taken = Arc::clone(&count);
        tokio::spawn(async move {
            while let Some(request) = more.recv().await {
                taken.fetch_add(1, Ordering::Relaxed);
                take_at_rpc(request);
            }
        });
        for other in others {
            assert!(other.await.unwrap() > 0);
        }
        assert!(is_nothing_there(&mut rpc));
        let count = count.load(Ordering::Relaxed);
        assert!((1..=ENTRIES / 2).contains(&count), "{count}");
    }

    #[test]
    fn a_refusal_counts_when_one_honest_replica_says_it_for_good_and_none_has_taken_it() {
        let replicas = replicas(1);
        assert_eq!(replicas.witnesses, 2);
        let said = |codes: &[u32]| {
            let mut replies = Replies::default();
            for (replica, code) in codes.iter().enumerate() {
                let submitted = match code {
                    0 => Submitted::Taken,
                    code => Submitted::Refused {
                        code: *code,
                        text: String::new(),
                    },
                };
                replies.note(&replica.to_string(), Ok(submitted));
            }
            replies.refusal(replicas.witnesses)
        };
        assert_eq!(said(&[80]), None, "a single replica may be malicious");
        assert!(matches!(
            said(&[80, 80]),
            Some(Error::Refused { code: 80, .. })
        ));
        assert!(matches!(
            said(&[81, 81]),
            Some(Error::QuotaExceeded { code: 81, .. })
        ));
        assert_eq!(said(&[80, 80, 0]), None);
        assert_eq!(said(&[67, 68, 128]), None, "those pass");
    }

    #[test]
    fn whoever_is_doubted_gets_nothing_first_until_all_are() {
        let replicas = replicas(1);
        let all = replicas.in_order();
        let doubted = || -> Vec<bool> { all.iter().map(|e| replicas.is_doubted(e)).collect() };
        replicas.doubt(&all[1]);
        assert_eq!(doubted(), [false, true, false, false]);
        for endpoint in [&all[0], &all[3]] {
            replicas.doubt(endpoint);
        }
        assert_eq!(doubted(), [true, true, false, true]);
        replicas.doubt(&all[2]);
        assert_eq!(doubted(), [false; 4]);
    }
}
