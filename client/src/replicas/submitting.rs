//! The ways that a transaction can be sent: to all replicas themselves, past their engines' mempools; to one replica's engine, which
//! keeps a block for it and passes it on to the others; to all engines. Which it is, [`crate::sending`] decides.

use std::{
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use futures::{StreamExt, stream::FuturesUnordered};
use reqwest::Url;
use tokio::{
    sync::mpsc,
    time::{Instant, timeout},
};
use white_city_wire::Refusal;

use super::{Endpoint, Replicas, direct::Handed, rpc::Submitted};
use crate::{Error, ReplicaFault};

/// The answers of replicas to a transaction, as far as they have answered.
#[derive(Default)]
pub(crate) struct Replies {
    pub(crate) taken: usize,
    /// By code, text and replica.
    pub(crate) refused: Vec<(u32, String, String)>,
    pub(crate) faults: Vec<ReplicaFault>,
    /// The only one that it was sent to, and that has taken it.
    entrance: Option<Arc<Endpoint>>,
}

/// The result of handing an entry over to all but as many replicas as may be malicious.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum HandedOver {
    /// They have it, and say that a block comes that can have it.
    Coming,
    /// They have it, but one of them says that no block comes.
    Idle,
    /// Too few of them have it.
    TooFew,
}

/// An entry that was brought to engines because no block came otherwise.
#[derive(Clone, Copy)]
pub(super) struct Woken {
    /// When sending it began: the block that it makes has whatever the replicas had before.
    pub(super) since: Instant,
    /// Whether all engines were sent to, so that no malicious one can keep it to itself.
    pub(super) are_all: bool,
}

impl Replicas {
    /// Has an engine make a block for an entry, or all of them, unless another entry was brought there meanwhile: that one's block is
    /// enough. Whoever has the turn may wait long for engines that are silent; after this time the board is looked at meanwhile.
    pub(crate) async fn wake(
        &self,
        tx: &Arc<Vec<u8>>,
        all: bool,
        turn: Duration,
        patience: Duration,
    ) -> Replies {
        let handed_at = Instant::now();
        // As if all had taken it: whoever brought the other entry sees to the block.
        let brought = Replies {
            taken: self.all.len(),
            ..Replies::default()
        };
        let Ok(mut woken) = timeout(turn, self.woken.lock()).await else {
            return brought;
        };
        let is_enough = |woken: Woken| woken.since >= handed_at && (woken.are_all || !all);
        if woken.is_some_and(is_enough) {
            return brought;
        }
        let since = Instant::now();
        let replies = match all {
            true => self.submit(tx).await,
            false => self.submit_to_one(tx, patience).await,
        };
        // Whatever came of it: the others would hear the same.
        *woken = Some(Woken {
            since,
            are_all: all,
        });
        replies
    }

    /// Number of replicas that have to have an entry that was handed over: all but as many as may be malicious.
    fn enough(&self) -> usize {
        let faults = usize::from(self.trust().faults());
        self.all.len().saturating_sub(faults)
    }

    /// The direct ports that are known.
    fn ports(&self) -> Vec<(&Arc<Endpoint>, Url)> {
        let ports = self.all.iter().filter_map(|replica| {
            let url = replica.endpoint.submit_url()?;
            Some((&replica.endpoint, url))
        });
        ports.collect()
    }

    /// Whether enough direct ports are known, of a network whose replicas are all configured.
    pub(crate) fn are_ports_known(&self) -> bool {
        let validators = usize::from(self.trust().replicas());
        self.all.len() >= validators && self.ports().len() >= self.enough()
    }

    /// Sends to each replica whose port is known, since whose proposal is next isn't known here, and waits for all but as many as may
    /// be malicious, so that none of them can slow a party down. One that says that no block comes is believed.
    pub(crate) async fn hand_over(&self, tx: &Arc<Vec<u8>>, patience: Duration) -> HandedOver {
        let enough = self.enough();
        // Never closed, so it can't fail.
        let _turn = self.handing.acquire().await;
        let began = Instant::now();
        // They get it even if whoever waits here stops.
        let handed = self.ports().into_iter();
        let handed = handed.filter_map(|(endpoint, url)| endpoint.hand_over(&url, tx));
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
        let _ = timeout(patience, enough_have_it).await;
        // Where each of them could have answered, as few as may be malicious can make it neither longer nor shorter.
        if have_it.saturating_add(answers.len()) == self.all.len() {
            self.answers.note(began.elapsed(), Instant::now());
        }
        match (have_it >= enough, are_coming) {
            (true, true) => HandedOver::Coming,
            (true, false) => HandedOver::Idle,
            (false, _) => HandedOver::TooFew,
        }
    }

    /// Sends a transaction to one replica, the one that is asked first unless it is doubted; to all others, too, if that one
    /// doesn't take it so soon.
    pub(crate) async fn submit_to_one(&self, tx: &Arc<Vec<u8>>, patience: Duration) -> Replies {
        let mut order = self.in_order();
        let first = order.iter().position(|endpoint| !self.is_doubted(endpoint));
        let first = order.swap_remove(first.unwrap_or(0));
        let mut replies = Replies::default();
        let mut sent = self.send(std::slice::from_ref(&first), tx);
        match timeout(patience, sent.recv()).await {
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
    pub(crate) fn refusal(&self, witnesses: usize) -> Option<(u32, Error)> {
        let for_good: Vec<_> = self
            .refused
            .iter()
            .filter(|(code, ..)| !Refusal::is_transient(*code))
            .collect();
        let (code, text, replica) = for_good.first()?;
        (self.taken == 0 && for_good.len() >= witnesses).then(|| {
            (
                *code,
                Error::from_code(*code, text.clone(), replica.clone()),
            )
        })
    }

    /// The refusal that lasts longest, when enough replicas refuse for now and none has taken it.
    pub(crate) fn refusal_for_now(&self, witnesses: usize) -> Option<(u32, Error)> {
        if self.taken > 0 || self.refused.len() < witnesses {
            return None;
        }
        let mut refused: Vec<_> = self.refused.iter().collect();
        // `false` comes first: what lasts longer than a moment.
        refused.sort_by_key(|(code, ..)| Refusal::is_for_a_moment(*code));
        let (code, text, replica) = refused.first()?;
        Some((
            *code,
            Error::from_code(*code, text.clone(), replica.clone()),
        ))
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
        assert_eq!(replicas.witnesses(), 2);
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
            replies
                .refusal(replicas.witnesses())
                .map(|(_, error)| error)
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
