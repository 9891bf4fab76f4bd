//! Stamps: the proof of work that a charter may ask of openers which it doesn't list.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use rayon::prelude::*;
use tokio::{sync::watch, task::spawn_blocking};
use white_city_wire::{SessionId, stamp::is_stamp};

use crate::Error;

/// Number of hashes that a core does until others have their turn, and progress is told: a few milliseconds.
const TOGETHER: u64 = 1 << 14;
/// Time after which it is known how fast this machine is.
const TRIED: Duration = Duration::from_millis(200);
/// Part of the time left that has to be enough on average: of a hundred stamps two take four times as long as that.
const PART: u32 = 4;

/// A stamp that is being computed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stamping {
    /// Leading zero bits that it needs.
    pub bits: u8,
    /// Number of hashes so far.
    pub hashes: u64,
    /// Time that they have taken.
    pub elapsed: Duration,
}

impl Stamping {
    /// Number of hashes that such a stamp takes on average. However many were computed before, it takes as many more: each is a new
    /// chance.
    #[must_use]
    pub const fn expected_hashes(&self) -> u64 {
        match 1_u64.checked_shl(self.bits as u32) {
            Some(hashes) => hashes,
            None => u64::MAX,
        }
    }

    /// Number of hashes that this machine computes in a second, with all cores that it gives.
    #[must_use]
    pub fn hashes_per_second(&self) -> u64 {
        let micros = self.elapsed.as_micros().max(1);
        let hashes = u128::from(self.hashes).saturating_mul(1_000_000);
        u64::try_from(hashes / micros).unwrap_or(u64::MAX)
    }

    /// Time that such a stamp takes on average.
    #[must_use]
    pub fn expected(&self) -> Duration {
        let per_second = u128::from(self.hashes_per_second().max(1));
        let millis = u128::from(self.expected_hashes()).saturating_mul(1_000) / per_second;
        Duration::from_millis(u64::try_from(millis).unwrap_or(u64::MAX))
    }

    /// Whether it would take too long, with so much time from its beginning on.
    fn is_too_long(&self, time: Duration) -> bool {
        self.expected() > time / PART
    }

    fn refused(&self, time: Duration) -> Error {
        Error::Stamp {
            bits: self.bits,
            hashes: self.expected_hashes(),
            hashes_per_second: self.hashes_per_second(),
            left_ms: u64::try_from(time.as_millis()).unwrap_or(u64::MAX),
        }
    }
}

/// Stops the search when whoever wants the stamp has gone.
struct Wanted {
    is_over: Arc<AtomicBool>,
    news: watch::Sender<Option<Stamping>>,
}

impl Drop for Wanted {
    fn drop(&mut self) {
        self.is_over.store(true, Ordering::SeqCst);
        self.news.send_replace(None);
    }
}

/// Finds the least stamp of a session, on all cores that `rayon` has, beside the runtime's own threads. Dropped, it stops.
///
/// # Errors
/// [`Error::Stamp`] as soon as it is known that it takes too long for so much `time`, or when that has passed.
pub(crate) async fn find(
    session: SessionId,
    bits: u8,
    time: Duration,
    news: &watch::Sender<Option<Stamping>>,
) -> Result<u64, Error> {
    let wanted = Wanted {
        is_over: Arc::default(),
        news: news.clone(),
    };
    let (is_over, news) = (Arc::clone(&wanted.is_over), news.clone());
    let found = spawn_blocking(move || {
        search(&session, bits, time, |now| {
            // Under the channel's lock, so that nothing is told after the end.
            news.send_if_modified(|told| {
                let goes_on = !is_over.load(Ordering::SeqCst);
                if goes_on {
                    *told = Some(now);
                }
                goes_on
            })
        })
    });
    let found = found.await;
    drop(wanted);
    found.map_err(|_| Error::usage("runtime", "one that goes on until the stamp is found"))?
}

/// Searches until `tell` says that nobody wants it any more.
fn search(
    session: &SessionId,
    bits: u8,
    time: Duration,
    tell: impl Fn(Stamping) -> bool,
) -> Result<u64, Error> {
    let threads = u64::try_from(rayon::current_num_threads()).unwrap_or(1);
    let at_once = TOGETHER.saturating_mul(threads.max(1));
    let began = Instant::now();
    let (mut from, mut is_tried) = (0_u64, false);
    loop {
        let end = from.saturating_add(at_once);
        let some = (from..end).into_par_iter();
        if let Some(stamp) = some.find_first(|stamp| is_stamp(session, *stamp, bits)) {
            return Ok(stamp);
        }
        from = end;
        let now = Stamping {
            bits,
            hashes: from,
            elapsed: began.elapsed(),
        };
        if now.elapsed >= time {
            return Err(now.refused(time));
        }
        // Once: later it may be slower for a while.
        if !is_tried && now.elapsed >= TRIED {
            is_tried = true;
            if now.is_too_long(time) {
                return Err(now.refused(time));
            }
        }
        if !tell(now) {
            return Err(now.refused(time));
        }
    }
}

#[cfg(test)]
mod tests {
    use tokio::time::timeout;
    use white_city_wire::stamp;

    use super::*;

    const SESSION: SessionId = SessionId([7; 32]);
    const LONG: Duration = Duration::from_secs(3_600);
    /// More than any machine finds while a test runs.
    const ENDLESS: u8 = 40;

    fn news() -> watch::Sender<Option<Stamping>> {
        watch::Sender::new(None)
    }

    /// Seen computing at a thousand hashes a second.
    fn at_a_thousand(bits: u8) -> Stamping {
        Stamping {
            bits,
            hashes: 10_000,
            elapsed: Duration::from_secs(10),
        }
    }

    #[tokio::test]
    async fn all_cores_find_what_one_finds() {
        for bits in [1, 8, 12, 16] {
            let found = find(SESSION, bits, LONG, &news()).await;
            assert_eq!(found.ok(), stamp::find(&SESSION, bits), "{bits} bits");
        }
    }

    #[test]
    fn a_stamp_may_take_a_quarter_of_the_time_that_is_left_and_no_more() {
        // 2^12 hashes are 4.096 s.
        let stamping = at_a_thousand(12);
        assert_eq!(stamping.expected(), Duration::from_millis(4_096));
        assert!(!stamping.is_too_long(Duration::from_millis(4 * 4_096)));
        assert!(stamping.is_too_long(Duration::from_millis(4 * 4_096 - 1)));
        assert_eq!(at_a_thousand(64).expected_hashes(), u64::MAX);
        let text = at_a_thousand(40).refused(Duration::from_secs(300));
        let text = text.to_string();
        for part in [
            "40 leading",
            "1099511627776 hashes",
            "305419 h",
            "300 s left",
        ] {
            assert!(text.contains(part), "{part}: {text}");
        }
    }

    #[tokio::test]
    async fn what_takes_too_long_is_refused_as_soon_as_that_is_known() {
        let (began, news) = (Instant::now(), news());
        let refused = find(SESSION, ENDLESS, LONG, &news).await.unwrap_err();
        assert!(began.elapsed() < LONG / 60);
        let Error::Stamp {
            bits,
            hashes,
            hashes_per_second,
            left_ms,
        } = refused
        else {
            panic!("{refused}");
        };
        assert_eq!((bits, hashes, left_ms), (40, 1 << 40, 3_600_000));
        assert!(hashes_per_second > 0);
        assert_eq!(*news.borrow(), None, "nothing is computed any more");
        // Time that has passed already is too little for anything that isn't found at once.
        let refused = find(SESSION, ENDLESS, Duration::ZERO, &news).await;
        assert!(matches!(refused, Err(Error::Stamp { left_ms: 0, .. })));
    }

    #[tokio::test]
    async fn it_tells_of_itself_lets_others_run_and_stops_when_it_is_dropped() {
        let sender = news();
        let mut news = sender.subscribe();
        let patient = Duration::MAX;
        let endless = find(SESSION, ENDLESS, patient, &sender);
        let told = async {
            let mut last = 0;
            // On the one thread of this runtime, which the search doesn't take.
            while last < 8 * TOGETHER {
                news.changed().await.unwrap();
                let now = news.borrow_and_update().unwrap();
                assert!(now.hashes > last && now.bits == ENDLESS);
                last = now.hashes;
            }
        };
        tokio::select! {
            found = endless => panic!("{found:?}"),
            () = told => {}
        }
        assert_eq!(*sender.borrow(), None);
        // Only the search had another sender, and drops it when it has stopped.
        drop(sender);
        let stopped = async { while news.changed().await.is_ok() {} };
        timeout(LONG, stopped).await.unwrap();
    }
}
