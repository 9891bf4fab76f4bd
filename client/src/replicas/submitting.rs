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
const FIRST_ALONE: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(4));

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

impl Replicas {
    /// Hands an entry over to all replicas themselves, past their engines' mempools, where that is possible and a block comes that
    /// can have it; otherwise as [`Replicas::submit_to_one`].
    pub(crate) async fn submit_entry(&self, tx: &Arc<Vec<u8>>) -> Replies {
        match self.hand_over(tx).await {
            true => Replies {
                taken: self.all.len(),
                ..Replies::default()
            },
            false => self.submit_to_one(tx).await,
        }
    }

    /// Whether the replicas of the network have it and say that a block comes: all are sent to, since whose proposal is next isn't
    /// known here, and all but as many as may be malicious are waited for, so that none of them can slow a party down. One that
    /// says otherwise is believed.
    async fn hand_over(&self, tx: &Arc<Vec<u8>>) -> bool {
        let replicas = self.trust().network().validators.len();
        if tx.len() > HANDED_BYTES_MAX || self.all.len() < replicas {
            return false;
        }
        let urls = self.all.iter().map(|replica| replica.endpoint.submit_url());
        let Some(urls) = urls.collect::<Option<Vec<_>>>() else {
            return false;
        };
        // Never closed, so it can't fail.
        let _turn = self.handing.acquire().await;
        let began = Instant::now();
        // They get it even if whoever waits here stops.
        let handed = self.all.iter().zip(&urls);
        let handed = handed.filter_map(|(replica, url)| replica.endpoint.hand_over(url, tx));
        let mut answers: FuturesUnordered<_> = handed.collect();
        let faults = usize::from(self.trust().network().faults());
        let enough = self.all.len().saturating_sub(faults);
        let are_enough = async {
            for _ in 0..enough {
                if answers.next().await != Some(Ok(Some(Handed::Coming))) {
                    return false;
                }
            }
            true
        };
        let are_enough = timeout(self.hedge().saturating_add(by_size(tx.len())), are_enough).await;
        // As few of them as may be malicious can make it neither longer nor shorter.
        if are_enough != Ok(false) {
            self.answers.note(began.elapsed(), Instant::now());
        }
        are_enough.unwrap_or(false)
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
            _ => replies.note(first.name(), Err("no answer in time".into())),
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
    use super::{super::tests::replicas, *};

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
