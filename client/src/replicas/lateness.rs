//! The usual lateness of answers, of late: where everything is slow, more of the same help makes it slower.

use std::{sync::Mutex, time::Duration};

use tokio::time::Instant;

use crate::{bounds::Bounds, checked::lock};

/// Factor by which something has to be later than usual before help is called.
const UNUSUAL: u32 = 4;
/// Weight of a new one: one part in so many.
const PARTS: u32 = 8;
/// Time without anything new after which what was usual counts half.
const HALF_LIFE: Duration = Duration::from_secs(2);

/// A running mean of what lately came.
#[derive(Default)]
pub(crate) struct Lateness(Mutex<Option<(Duration, Instant)>>);

impl Lateness {
    /// Notes, `now`, how long something took. What it was must not be in the hands of a single replica.
    pub(crate) fn note(&self, took: Duration, now: Instant) {
        let mut usual = lock(&self.0);
        let mean = mean(*usual, now);
        let mean = mean
            .saturating_sub(mean / PARTS)
            .saturating_add(took / PARTS);
        *usual = Some((mean, now));
    }

    /// Time to wait for the next one, within these bounds.
    pub(crate) fn patience(&self, bounds: Bounds, now: Instant) -> Duration {
        let mean = mean(*lock(&self.0), now);
        bounds.clamp(mean.saturating_mul(UNUSUAL))
    }
}

/// The mean, aged.
fn mean(usual: Option<(Duration, Instant)>, now: Instant) -> Duration {
    let Some((mean, at)) = usual else {
        return Duration::ZERO;
    };
    let age = now.saturating_duration_since(at).as_millis();
    let halves = age.checked_div(HALF_LIFE.as_millis()).unwrap_or(0);
    let halves = u32::try_from(halves).unwrap_or(u32::MAX);
    mean / 2_u32.saturating_pow(halves)
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn ms(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    const BOUNDS: Bounds = Bounds::ms(300, 2_000);

    #[test]
    fn patience_follows_what_is_usual_within_its_bounds() {
        let (lateness, now) = (Lateness::default(), Instant::now());
        let note = |times: u32, took| (0..times).for_each(|_| lateness.note(took, now));
        assert_eq!(lateness.patience(BOUNDS, now), BOUNDS.least);
        note(100, ms(10));
        assert_eq!(lateness.patience(BOUNDS, now), BOUNDS.least);
        note(100, ms(200));
        let patience = lateness.patience(BOUNDS, now);
        assert!((ms(790)..=ms(800)).contains(&patience), "{patience:?}");
        note(100, Duration::MAX);
        assert_eq!(lateness.patience(BOUNDS, now), BOUNDS.most);
        note(1_000, ms(1));
        assert_eq!(lateness.patience(BOUNDS, now), BOUNDS.least);
    }

    #[test]
    fn what_was_usual_is_forgotten() {
        let (lateness, now) = (Lateness::default(), Instant::now());
        for _ in 0..200 {
            lateness.note(ms(400), now);
        }
        let after = |time| lateness.patience(BOUNDS, now + time).as_millis();
        assert!((1_580..=1_600).contains(&after(HALF_LIFE - ms(1))));
        assert!((790..=800).contains(&after(HALF_LIFE)));
        assert!((395..=400).contains(&after(HALF_LIFE * 2)));
        assert_eq!(after(HALF_LIFE * 3), 300);
        assert_eq!(after(HALF_LIFE * 100), 300);
        // What comes then counts from there.
        lateness.note(ms(0), now + HALF_LIFE);
        let patience = lateness.patience(BOUNDS, now + HALF_LIFE);
        assert!((ms(690)..=ms(700)).contains(&patience), "{patience:?}");
    }
}
