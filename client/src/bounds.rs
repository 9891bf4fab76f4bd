//! Bounds of how long something is waited for.

use std::time::Duration;

/// The least and the most of a time that depends on what is usual, or grows from the one to the other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Bounds {
    pub(crate) least: Duration,
    pub(crate) most: Duration,
}

impl Bounds {
    /// In milliseconds.
    pub(crate) const fn ms(least: u64, most: u64) -> Self {
        Self {
            least: Duration::from_millis(least),
            most: Duration::from_millis(most),
        }
    }

    /// The time that is nearest to this one within them.
    pub(crate) fn clamp(self, time: Duration) -> Duration {
        time.clamp(self.least, self.most)
    }

    /// The next time after this one, where each is twice as long as the one before.
    pub(crate) fn doubled(self, time: Duration) -> Duration {
        self.clamp(time.saturating_mul(2))
    }
}
