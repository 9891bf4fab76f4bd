//! The replicas that a client talks to: whom to ask next.

mod direct;
mod event;
mod follow;
mod handing;
mod heights;
mod http;
mod lateness;
mod links;
mod listing;
mod openings;
mod proxy;
mod race;
mod reading;
mod rpc;
#[cfg(test)]
pub(crate) mod served;
mod submitting;
mod tally;
mod wakeups;

use std::{
    sync::{
        Arc, Mutex as StdMutex,
        atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering},
    },
    time::Duration,
};

pub(crate) use event::BlockEvent;
pub(crate) use follow::follow;
use futures::{StreamExt, stream::FuturesUnordered};
pub use heights::{Freshness, ReplicaHeight};
use lateness::Lateness;
pub(crate) use listing::{AskedFor, Listed, Listing};
pub(crate) use openings::Openings;
use reading::Known;
pub(crate) use rpc::Endpoint;
use submitting::Woken;
pub(crate) use submitting::{HandedOver, Replies};
pub(crate) use tally::Tally;
use tokio::{
    sync::{Mutex, Semaphore},
    time::{Instant, timeout_at},
};
pub(crate) use wakeups::{Seen, Wake, Wakeups};

use crate::{
    Error,
    bounds::Bounds,
    checked::{Checked, lock},
    read::Lie,
    trust::{Mark, NewerRules, Trust},
};

/// Time to wait for one replica before another one is asked, too: at least, and at most where all are late.
const HEDGE: Bounds = Bounds::ms(300, 2_000);
/// The same for one that hasn't answered anything yet: it may be one that never does.
const FIRST_HEDGE: Duration = Duration::from_millis(25);
/// Largest number of questions, and of entries, that a process has on their way at once; the next ones wait for their turn. All
/// of them at once would be answered no sooner, but all late, and a replica takes so many connections only.
const AT_ONCE: usize = 64;
/// Time to wait for slower replicas when enough have answered, at least and at most: twice as long as those took.
const PATIENCE: Bounds = Bounds::ms(50, 700);

/// The configured replicas.
pub(crate) struct Replicas {
    all: Vec<Replica>,
    /// Position of the one that is asked first.
    preferred: AtomicUsize,
    known: Known,
    /// Memory of what was checked once, for all of the client's sessions.
    pub(crate) checked: Arc<Checked>,
    /// The highest height that was verified.
    highest: AtomicU64,
    /// The highest state that was verified; at first the one of the trust file that this client has begun with.
    mark: StdMutex<Option<Mark>>,
    /// The height of that trust file: nothing below is taken.
    floor: u64,
    /// Number of them that proved a state of the newest era when all were asked last; `None` before.
    answered: StdMutex<Option<usize>>,
    /// When all of them were asked last. Held while they are asked.
    asked_all: Mutex<Option<Asked>>,
    /// Turns of questions, and of entries that are handed over.
    asking: Semaphore,
    handing: Semaphore,
    /// The last time that engines were sent to because no block came otherwise. Held while they are sent to.
    woken: Mutex<Option<Woken>>,
    /// Time until all but as many replicas as may be malicious say that they have an entry.
    answers: Lateness,
    /// Time until entries are shown.
    shown: Lateness,
}

/// Asking all replicas how far the board is.
struct Asked {
    at: Instant,
    found: Result<u64, Error>,
}

struct Replica {
    endpoint: Arc<Endpoint>,
    /// It gave an answer that can't be true, and is asked last.
    lied: AtomicBool,
    /// It had a transaction that the board didn't show in time, or didn't take one: others get them first.
    doubted: AtomicBool,
    /// It let itself be waited for when it was asked last: others are asked first, and nobody waits for it alone.
    late: AtomicBool,
    /// It has answered something.
    heard: AtomicBool,
}

/// The reasons why asking one replica gave nothing to use.
#[derive(Debug)]
pub(crate) enum ReadError {
    /// No usable answer.
    Unreachable(String),
    /// An answer that can't be true.
    Lied(Lie),
    /// A header of another network than the one that is trusted. It is as little use as a lie.
    Stranger(Lie),
    /// A refusal: a hint.
    Refused { code: u32, text: String },
    /// A true answer, but an old one: of this height, and another was expected at least.
    Behind { shown: u64, expected: u64 },
    /// Not the replica's fault: asking another one changes nothing.
    Final(Error),
}

impl From<NewerRules> for ReadError {
    fn from(newer: NewerRules) -> Self {
        Self::Final(Error::NewerRules(newer))
    }
}

impl From<Lie> for ReadError {
    fn from(lie: Lie) -> Self {
        Self::Lied(lie)
    }
}

impl Replicas {
    /// # Errors
    /// [`Error::Usage`] without a replica, or with an address that is none.
    pub(crate) fn new(urls: &[String], timeout: Duration, trust: Trust) -> Result<Self, Error> {
        let mut all: Vec<Replica> = Vec::new();
        for url in urls {
            let endpoint = Arc::new(Endpoint::new(url, timeout)?);
            // One replica named twice would count as two that agree.
            if all
                .iter()
                .all(|other| other.endpoint.name() != endpoint.name())
            {
                all.push(Replica {
                    endpoint,
                    lied: AtomicBool::new(false),
                    doubted: AtomicBool::new(false),
                    late: AtomicBool::new(false),
                    heard: AtomicBool::new(false),
                });
            }
        }
        if all.is_empty() {
            return Err(Error::usage("replicas", "the address of at least one"));
        }
        let wanted = usize::from(trust.faults()).saturating_add(1);
        if all.len() < wanted {
            tracing::warn!(
                configured = all.len(),
                wanted,
                "too few replicas for one of them to be honest for sure: they can delay this client for ever"
            );
        }
        Ok(Self {
            all,
            preferred: AtomicUsize::new(0),
            known: Known::new(trust),
            checked: Arc::default(),
            highest: AtomicU64::new(0),
            mark: StdMutex::default(),
            floor: 0,
            answered: StdMutex::default(),
            asked_all: Mutex::new(None),
            asking: Semaphore::new(AT_ONCE),
            handing: Semaphore::new(AT_ONCE),
            woken: Mutex::new(None),
            answers: Lateness::default(),
            shown: Lateness::default(),
        })
    }

    /// As they were, for whoever has verified this state before: nothing older is taken.
    pub(crate) fn not_behind(mut self, mark: Mark) -> Self {
        self.floor = mark.height();
        self.highest.store(mark.height(), Ordering::Relaxed);
        self.known.begin_with(mark.header());
        self.mark = StdMutex::new(Some(mark));
        self
    }

    /// The highest state that was verified, if any was.
    pub(crate) fn mark(&self) -> Option<Mark> {
        lock(&self.mark).clone()
    }

    /// The height below which nothing is taken.
    pub(crate) const fn floor(&self) -> u64 {
        self.floor
    }

    /// Addresses of all of them.
    pub(crate) fn addresses(&self) -> impl Iterator<Item = &str> {
        self.all.iter().map(|replica| replica.endpoint.name())
    }

    /// Number of them that have to say something before at least one honest replica has: `f + 1` of the newest era, or all.
    pub(crate) fn witnesses(&self) -> usize {
        let wanted = usize::from(self.trust().faults()).saturating_add(1);
        wanted.min(self.all.len())
    }

    /// How many have proved how far the board is, once all were asked.
    pub(crate) fn freshness(&self) -> Option<Freshness> {
        let answered = *lock(&self.answered);
        answered.map(|answered| Freshness {
            answered,
            needed: usize::from(self.trust().faults()).saturating_add(1),
        })
    }

    /// The replicas to ask: the preferred one first, those that are late after all others, those that lied last.
    pub(crate) fn in_order(&self) -> Vec<Arc<Endpoint>> {
        let start = self.preferred.load(Ordering::Relaxed);
        let turned = self.all.iter().cycle().skip(start).take(self.all.len());
        let mut turned: Vec<&Replica> = turned.collect();
        turned.sort_by_key(|replica| (is(&replica.lied), is(&replica.late)));
        let endpoints = turned.into_iter();
        endpoints
            .map(|replica| Arc::clone(&replica.endpoint))
            .collect()
    }

    /// Time to wait for one replica before another one is asked, too.
    pub(crate) fn hedge(&self) -> Duration {
        self.answers.patience(HEDGE, Instant::now())
    }

    /// Whether it gave an answer that can't be true.
    fn has_lied(&self, endpoint: &Endpoint) -> bool {
        self.replica(endpoint).is_some_and(|one| is(&one.lied))
    }

    fn is_late(&self, endpoint: &Endpoint) -> bool {
        self.replica(endpoint).is_some_and(|one| is(&one.late))
    }

    fn was_heard(&self, endpoint: &Endpoint) -> bool {
        self.replica(endpoint).is_some_and(|one| is(&one.heard))
    }

    /// Notes whether it has answered in time.
    fn note_late(&self, endpoint: &Endpoint, is_late: bool) {
        if let Some(replica) = self.replica(endpoint) {
            replica.late.store(is_late, Ordering::Relaxed);
            replica.heard.fetch_or(!is_late, Ordering::Relaxed);
        }
    }

    /// Time to wait for an engine, which depends on how late answers are of late.
    pub(crate) fn patience_for_answers(&self, bounds: Bounds) -> Duration {
        self.answers.patience(bounds, Instant::now())
    }

    /// Time to wait for the board, which depends on how late entries are shown of late.
    pub(crate) fn patience_until_shown(&self, bounds: Bounds) -> Duration {
        self.shown.patience(bounds, Instant::now())
    }

    /// Notes how long an entry took to be shown, or as long as it is waited for at most.
    pub(crate) fn note_shown(&self, took: Duration) {
        self.shown.note(took, Instant::now());
    }

    /// Whether each of them gave an answer that can't be true.
    pub(crate) fn all_lied(&self, tally: &Tally) -> bool {
        tally.liars() >= self.all.len()
    }

    /// Asks this one first from now on.
    pub(crate) fn prefer(&self, endpoint: &Endpoint) {
        if let Some(position) = self.position(endpoint) {
            self.preferred.store(position, Ordering::Relaxed);
        }
    }

    /// The one with this address.
    pub(crate) fn named(&self, name: &str) -> Option<Arc<Endpoint>> {
        let replica = self.all.iter().find(|r| r.endpoint.name() == name);
        replica.map(|replica| Arc::clone(&replica.endpoint))
    }

    /// The replica with this endpoint, and what is known of it.
    fn replica(&self, endpoint: &Endpoint) -> Option<&Replica> {
        self.all.get(self.position(endpoint)?)
    }

    fn position(&self, endpoint: &Endpoint) -> Option<usize> {
        self.all
            .iter()
            .position(|replica| replica.endpoint.name() == endpoint.name())
    }

    /// Notes why `endpoint` gave no answer, so that another one is asked.
    ///
    /// # Errors
    /// What asking another replica wouldn't change.
    pub(crate) fn note(
        &self,
        tally: &mut Tally,
        endpoint: &Endpoint,
        error: ReadError,
    ) -> Result<(), Error> {
        if matches!(error, ReadError::Lied(_) | ReadError::Stranger(_))
            && let Some(liar) = self.replica(endpoint)
        {
            liar.lied.store(true, Ordering::Relaxed);
        }
        tally.note(endpoint, error)
    }
}

fn is(flag: &AtomicBool) -> bool {
    flag.load(Ordering::Relaxed)
}

/// Time to wait for slower ones when enough have answered after this time, if any of them is usually in time.
fn patience(took: Duration, is_any_in_time: bool) -> Duration {
    match is_any_in_time {
        true => PATIENCE.doubled(took),
        false => took.min(PATIENCE.most),
    }
}

/// The answers of several replicas, by their position, without waiting for those that are slow once `enough` have given an
/// answer; for those that are late as usual no longer than the others took.
async fn gather<T, E>(
    enough: usize,
    asked: impl IntoIterator<Item = (bool, impl Future<Output = Result<T, E>>)>,
) -> Vec<(usize, Result<T, E>)> {
    let began = Instant::now();
    let mut in_time = 0_usize;
    let asked = asked.into_iter().enumerate();
    let mut asked: FuturesUnordered<_> = asked
        .map(|(at, (is_late, answer))| {
            in_time = in_time.saturating_add((!is_late).into());
            async move { (at, is_late, answer.await) }
        })
        .collect();
    let (mut answers, mut good, mut until) = (Vec::new(), 0_usize, None);
    loop {
        let next = match until {
            None => asked.next().await,
            Some(until) => timeout_at(until, asked.next()).await.unwrap_or(None),
        };
        let Some((at, is_late, answer)) = next else {
            return answers;
        };
        good = good.saturating_add(answer.is_ok().into());
        in_time = in_time.saturating_sub((!is_late).into());
        answers.push((at, answer));
        if good >= enough {
            let patience = Instant::now() + patience(began.elapsed(), in_time > 0);
            // Longer only for the first one; shorter for each, when nobody else is left.
            until = match until {
                Some(until) if in_time > 0 => Some(until),
                Some(until) => Some(patience.min(until)),
                None => Some(patience),
            };
        }
    }
}

#[cfg(test)]
mod tests {
    use tokio::net::TcpListener;

    use super::*;
    use crate::read::ReadStatus;

    pub(super) fn replicas(faults: u16) -> Replicas {
        let urls = ["http://a:1", "http://b:1", "http://c:1", "http://d:1"].map(String::from);
        Replicas::new(&urls, Duration::from_secs(1), trust(faults)).unwrap()
    }

    /// The only replica of a network.
    pub(super) fn alone(url: &str) -> Replicas {
        replicas_at(&[url.into()], 0)
    }

    pub(super) fn replicas_at(urls: &[String], faults: u16) -> Replicas {
        Replicas::new(urls, Duration::from_secs(60), trust(faults)).unwrap()
    }

    fn trust(faults: u16) -> Trust {
        let validators = u8::try_from(3 * faults + 1).unwrap();
        Trust::new(crate::genesis::tests::network(validators)).unwrap()
    }

    fn names(replicas: &Replicas) -> Vec<String> {
        replicas
            .in_order()
            .iter()
            .map(|e| e.name().to_owned())
            .collect()
    }

    #[test]
    fn a_replica_that_lied_is_asked_last() {
        let replicas = replicas(1);
        let all = replicas.in_order();
        replicas.prefer(&all[2]);
        assert_eq!(
            names(&replicas),
            ["http://c:1", "http://d:1", "http://a:1", "http://b:1"]
        );
        let mut tally = Tally::default();
        replicas
            .note(&mut tally, &all[3], ReadError::Lied(Lie::new("no")))
            .unwrap();
        assert_eq!(
            names(&replicas),
            ["http://c:1", "http://a:1", "http://b:1", "http://d:1"]
        );
        assert!(matches!(
            tally.error(),
            Error::ReplicaLied { replica, .. } if replica == "http://d:1"
        ));
        for liar in &all {
            let lied = ReadError::Lied(Lie::new("no"));
            replicas.note(&mut Tally::default(), liar, lied).unwrap();
        }
        assert_eq!(names(&replicas).len(), 4);
    }

    #[tokio::test]
    async fn so_many_questions_are_asked_at_once_and_the_next_ones_have_their_turn() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let replicas = Arc::new(alone(&url));
        for _ in 0..2 * AT_ONCE + 1 {
            let replicas = Arc::clone(&replicas);
            tokio::spawn(async move { replicas.read(&ReadStatus, 0).await.map(|_| ()) });
        }
        for turn in [AT_ONCE, AT_ONCE, 1] {
            // They are closed without an answer when all of them are there.
            let mut asked = Vec::new();
            while asked.len() < turn {
                asked.push(listener.accept().await.unwrap());
            }
            let one_more = tokio::time::timeout(Duration::from_millis(200), listener.accept());
            assert!(one_more.await.is_err());
        }
    }

    #[test]
    fn a_replica_named_twice_is_one_witness() {
        let urls = ["http://a:1", "http://u:p@a:1/", "http://b:1"].map(String::from);
        let replicas = Replicas::new(&urls, Duration::from_secs(1), trust(5)).unwrap();
        assert_eq!(names(&replicas), ["http://a:1", "http://b:1"]);
        assert_eq!(replicas.witnesses(), 2);
    }

    #[tokio::test]
    async fn patience_begins_when_enough_have_answered() {
        let after = |ms: u64, answer: Result<u64, ()>| async move {
            tokio::time::sleep(Duration::from_millis(ms)).await;
            answer
        };
        let late = PATIENCE.most.as_millis() as u64 + 200;
        let asked = [after(0, Ok(0)), after(late, Ok(3)), after(60_000, Ok(9))];
        let asked = asked.map(|answer| (false, answer));
        assert_eq!(gather(2, asked).await, [(0, Ok(0)), (1, Ok(3))]);
        let asked = [after(0, Err(())), after(late, Ok(3))];
        let asked = asked.map(|answer| (false, answer));
        assert_eq!(gather(2, asked).await, [(0, Err(())), (1, Ok(3))]);
    }

    #[test]
    fn those_that_are_late_as_usual_are_waited_for_no_longer_than_the_others() {
        let [short, long] = [1, 60_000].map(Duration::from_millis);
        assert_eq!(patience(short, true), PATIENCE.least);
        assert_eq!(patience(PATIENCE.least, true), PATIENCE.least * 2);
        assert_eq!(patience(long, true), PATIENCE.most);
        assert_eq!(patience(short, false), short);
        assert_eq!(patience(PATIENCE.least, false), PATIENCE.least);
        assert_eq!(patience(long, false), PATIENCE.most);
    }

    #[tokio::test]
    async fn nobody_waits_for_ever_for_those_that_are_late() {
        let after = |is_late, answer: Option<u64>| {
            let answer = async move {
                match answer {
                    Some(answer) => Ok::<u64, ()>(answer),
                    None => std::future::pending().await,
                }
            };
            (is_late, answer)
        };
        for is_late in [true, false] {
            let asked = [after(is_late, None), after(false, Some(1))];
            assert_eq!(gather(1, asked).await, [(1, Ok(1))]);
        }
        // But an answer of theirs is as good as another one's.
        let asked = [after(true, None), after(true, Some(2))];
        assert_eq!(gather(1, asked).await, [(1, Ok(2))]);
    }

    #[test]
    fn one_that_is_late_is_asked_after_the_others_until_it_answers_in_time() {
        let replicas = replicas(1);
        let all = replicas.in_order();
        let lied = ReadError::Lied(Lie::new("no"));
        replicas.note(&mut Tally::default(), &all[1], lied).unwrap();
        replicas.note_late(&all[0], true);
        assert_eq!(
            names(&replicas),
            ["http://c:1", "http://d:1", "http://a:1", "http://b:1"]
        );
        replicas.note_late(&all[0], false);
        assert_eq!(names(&replicas)[0], "http://a:1");
    }

    #[test]
    fn addresses_without_http_are_refused_and_passwords_stay_out_of_names() {
        let new = |url: &str| Endpoint::new(url, Duration::from_secs(1));
        for url in ["", "127.0.0.1:26657", "tcp://127.0.0.1:26657", "http://"] {
            assert!(matches!(new(url), Err(Error::Usage { .. })), "{url}");
        }
        let endpoint = new("https://user:secret@replica.example:443/rpc/").unwrap();
        assert_eq!(endpoint.name(), "https://replica.example/rpc");
    }
}
