//! Handing entries over to one replica: what comes while others are on their way goes together in the next request.

use std::{
    collections::VecDeque,
    mem,
    sync::{Arc, Mutex},
    time::Duration,
};

use reqwest::Url;
use tokio::{sync::oneshot, time::timeout};
use white_city_wire::read::HANDING_TXS_MAX;

use super::direct::{self, DirectPort, Handed, PortUse};
use crate::checked::lock;

/// Largest number of requests that are on their way to one replica at once.
const REQUESTS: usize = 4;
/// About how many bytes of entries go together; the first one goes whatever its size.
const TOGETHER_BYTES: usize = 256 << 10;
/// Largest number of entries that wait for one replica. It gets no further one then: who keeps silent costs a party a bounded
/// number of connections and entries, and no time.
const WAITING_MAX: usize = 128;
/// Longest time for a replica to answer a request, before its direct port is left alone for a while.
const ANSWER_WITHIN: Duration = Duration::from_secs(10);

/// The entries that wait for one replica.
#[derive(Default)]
pub(super) struct Queue(Mutex<QueueState>);

#[derive(Default)]
struct QueueState {
    waiting: VecDeque<WaitingEntry>,
    /// Number of requests that are on their way.
    requests: usize,
}

struct WaitingEntry {
    tx: Arc<Vec<u8>>,
    /// `None` when nothing useful was heard.
    answer: oneshot::Sender<Option<Handed>>,
}

/// The direct port at which one replica takes them.
pub(super) struct Port {
    pub(super) name: String,
    pub(super) http: reqwest::Client,
    pub(super) url: Url,
    pub(super) direct: Arc<DirectPort>,
}

/// The right to have a request on its way. It ends when it is dropped.
struct Turn(Option<Arc<Queue>>);

impl Drop for Turn {
    fn drop(&mut self) {
        if let Some(queue) = &self.0 {
            lock(&queue.0).end();
        }
    }
}

impl QueueState {
    const fn end(&mut self) {
        self.requests = self.requests.saturating_sub(1);
    }

    /// The entries that go together next.
    fn take(&mut self) -> Vec<WaitingEntry> {
        let mut together: Vec<WaitingEntry> = Vec::new();
        let mut bytes: usize = 0;
        while let Some(next) = self.waiting.front() {
            bytes = bytes.saturating_add(next.tx.len());
            let is_full = together.len() >= HANDING_TXS_MAX || bytes > TOGETHER_BYTES;
            if is_full && !together.is_empty() {
                break;
            }
            together.extend(self.waiting.pop_front());
        }
        together
    }
}

/// Hands a transaction over to the replica of a queue, also if nobody waits for the answer; `None` when too many wait already.
pub(super) fn hand_over(
    queue: &Arc<Queue>,
    tx: &Arc<Vec<u8>>,
    port: impl FnOnce() -> Port,
) -> Option<oneshot::Receiver<Option<Handed>>> {
    let (answer, answered) = oneshot::channel();
    let mut state = lock(&queue.0);
    if state.waiting.len() >= WAITING_MAX {
        return None;
    }
    let tx = Arc::clone(tx);
    state.waiting.push_back(WaitingEntry { tx, answer });
    if state.requests < REQUESTS {
        state.requests = state.requests.saturating_add(1);
        drop(state);
        let turn = Turn(Some(Arc::clone(queue)));
        tokio::spawn(hand_waiting_over(Arc::clone(queue), port(), turn));
    }
    Some(answered)
}

/// Sends what waits, until nothing does.
async fn hand_waiting_over(queue: Arc<Queue>, port: Port, mut turn: Turn) {
    loop {
        let together = {
            let mut state = lock(&queue.0);
            let together = state.take();
            if together.is_empty() {
                // In the same moment, or what comes now would wait for the next one.
                state.end();
                turn.0 = None;
                return;
            }
            together
        };
        let txs = together.iter().map(|waiting| waiting.tx.to_vec());
        let handing = direct::hand_over(&port.http, port.url.clone(), txs.collect());
        let handed = timeout(ANSWER_WITHIN, handing).await;
        match handed.unwrap_or_else(|_| Err("no answer in time".into())) {
            Ok(handed) => {
                port.direct.note_useful(PortUse::Handing);
                for (waiting, handed) in together.into_iter().zip(handed) {
                    // Nobody may be listening any more.
                    let _ = waiting.answer.send(Some(handed));
                }
            }
            Err(reason) => {
                port.direct.avoid(PortUse::Handing, &port.name, &reason);
                let others = mem::take(&mut lock(&queue.0).waiting);
                for waiting in together.into_iter().chain(others) {
                    let _ = waiting.answer.send(None);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::ops::Range;

    use tokio::sync::mpsc;
    use white_city_wire::read::HANDING_PATH;

    use super::{
        super::{
            Endpoint,
            served::{Request, serve},
        },
        *,
    };

    type Answers = Vec<oneshot::Receiver<Option<Handed>>>;

    /// A replica's direct port, and what a client knows of it.
    async fn served() -> (mpsc::Receiver<Request>, Arc<Endpoint>, Url) {
        let (requests, port) = serve(HANDING_PATH).await;
        let endpoint = Endpoint::new("http://127.0.0.1:1", Duration::from_secs(60)).unwrap();
        endpoint.know_direct_port(port).await;
        let url = endpoint.submit_url().unwrap();
        (requests, Arc::new(endpoint), url)
    }

    /// Hands over entries that say which they are; gives the answers to those that were taken.
    fn hand_over(endpoint: &Arc<Endpoint>, url: &Url, numbers: Range<u8>) -> Answers {
        let entries = numbers.map(|number| Arc::new(vec![number]));
        let handed = entries.filter_map(|entry| endpoint.hand_over(url, &entry));
        handed.collect()
    }

    #[tokio::test]
    async fn what_comes_while_requests_are_on_their_way_goes_in_the_next_one() {
        let (mut requests, endpoint, url) = served().await;
        let (mut on_their_way, mut answers) = (Vec::new(), Vec::new());
        for number in 0..4 {
            answers.extend(hand_over(&endpoint, &url, number..number + 1));
            let request = requests.recv().await.unwrap();
            assert_eq!(request.entries(), [[number]]);
            on_their_way.push(request);
        }
        answers.extend(hand_over(&endpoint, &url, 4..37));
        for expected in [4..36, 36..37] {
            on_their_way.pop().unwrap().take(1, true);
            let request = requests.recv().await.unwrap();
            assert_eq!(request.entries().concat(), Vec::from_iter(expected.clone()));
            request.take(expected.len(), true);
        }
        for request in on_their_way {
            request.take(1, true);
        }
        for answer in answers {
            assert_eq!(answer.await, Ok(Some(Handed::Coming)));
        }
        // Whether or not the last request has ended: what comes now doesn't wait for ever.
        let answers = hand_over(&endpoint, &url, 37..38);
        let request = requests.recv().await.unwrap();
        assert_eq!(request.entries(), [[37]]);
        request.take(1, true);
        for answer in answers {
            assert_eq!(answer.await, Ok(Some(Handed::Coming)));
        }
    }

    #[tokio::test]
    async fn who_says_nothing_is_handed_so_many_and_who_fails_is_handed_no_more() {
        let (mut requests, endpoint, url) = served().await;
        let most = u8::try_from(WAITING_MAX).unwrap();
        let first = hand_over(&endpoint, &url, 0..most + 1);
        assert_eq!(first.len(), WAITING_MAX);
        let mut on_their_way = Vec::new();
        for _ in 0..REQUESTS {
            on_their_way.push(requests.recv().await.unwrap());
        }
        // Those are on their way, and as many can wait again.
        let answers = hand_over(&endpoint, &url, 0..most + 1);
        assert_eq!(answers.len(), WAITING_MAX);
        drop(on_their_way.pop());
        for answer in answers {
            assert_eq!(answer.await, Ok(None));
        }
        assert_eq!(endpoint.submit_url(), None);
    }

    #[tokio::test]
    async fn an_answer_to_other_transactions_says_nothing() {
        for count in [0, 2] {
            let (mut requests, endpoint, url) = served().await;
            let answers = hand_over(&endpoint, &url, 0..1);
            requests.recv().await.unwrap().take(count, true);
            for answer in answers {
                assert_eq!(answer.await, Ok(None));
            }
        }
    }

    #[test]
    fn entries_go_together_up_to_a_size() {
        let mut state = QueueState::default();
        let mut take = |sizes: &[usize]| {
            for size in sizes {
                let (tx, answer) = (Arc::new(vec![0; *size]), oneshot::channel().0);
                state.waiting.push_back(WaitingEntry { tx, answer });
            }
            state.take().len()
        };
        assert_eq!(take(&[]), 0);
        assert_eq!(take(&[TOGETHER_BYTES - 1, 1, 1]), 2);
        assert_eq!(take(&[]), 1);
        assert_eq!(take(&[TOGETHER_BYTES + 1, 1]), 1, "alone");
        assert_eq!(take(&[TOGETHER_BYTES]), 1);
        assert_eq!(take(&[]), 1);
        assert_eq!(take(&[0; HANDING_TXS_MAX + 1]), HANDING_TXS_MAX);
        assert_eq!(take(&[]), 1);
    }
}
