//! How late answers are of late: where everything is slow, more of the same help makes it slower.

use std::{
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};

/// How many times as late as usual something has to be before help is called.
const UNUSUAL: u32 = 4;
/// How much a new one counts: one part in so many.
const PARTS: u64 = 8;

/// A running mean, in microseconds.
#[derive(Default)]
pub(crate) struct Lateness(AtomicU64);

impl Lateness {
    /// Notes how long something took. What it was must not be in the hands of a single replica.
    pub(crate) fn note(&self, took: Duration) {
        let took = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
        let mean = |mean: u64| mean - mean / PARTS + took / PARTS;
        // Two at once: one of them is enough.
        let _ = self
            .0
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |old| Some(mean(old)));
    }

    /// How long to wait for the next one, at least and at most this long.
    pub(crate) fn patience(&self, (least, most): (Duration, Duration)) -> Duration {
        let mean = Duration::from_micros(self.0.load(Ordering::Relaxed));
        mean.saturating_mul(UNUSUAL).clamp(least, most)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patience_follows_what_is_usual_within_its_bounds() {
        let ms = Duration::from_millis;
        let bounds = (ms(300), ms(2_000));
        let lateness = Lateness::default();
        assert_eq!(lateness.patience(bounds), bounds.0);
        for _ in 0..100 {
            lateness.note(ms(10));
        }
        assert_eq!(lateness.patience(bounds), bounds.0);
        for _ in 0..100 {
            lateness.note(ms(200));
        }
        let patience = lateness.patience(bounds);
        assert!((ms(790)..=ms(800)).contains(&patience), "{patience:?}");
        for _ in 0..100 {
            lateness.note(Duration::MAX);
        }
        assert_eq!(lateness.patience(bounds), bounds.1);
        for _ in 0..1_000 {
            lateness.note(ms(1));
        }
        assert_eq!(lateness.patience(bounds), bounds.0);
    }
}
