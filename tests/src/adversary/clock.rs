//! The clocks that a hostile validator can vote with.

use clap::ValueEnum;

/// Clock of a validator, by which it votes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Clock {
    /// The time that its node asks it to sign.
    Honest,
    /// An hour ago.
    HourAgo,
    /// In an hour.
    HourAhead,
    /// A millisecond after its vote before.
    HardlyMoving,
}

/// An hour, nanoseconds.
const HOUR_NS: i128 = 3_600 * 1_000_000_000;
/// Step of the clock that hardly moves, nanoseconds.
const STEP_NS: i128 = 1_000_000;

impl Clock {
    /// Its name on the command line and in the tally.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Honest => "honest",
            Self::HourAgo => "hour-ago",
            Self::HourAhead => "hour-ahead",
            Self::HardlyMoving => "hardly-moving",
        }
    }

    /// Time that this clock shows at `now_ns`, nanoseconds since 1970, when it showed `last_ns` before.
    #[must_use]
    pub fn shows(self, now_ns: i128, last_ns: Option<i128>) -> i128 {
        match self {
            Self::Honest => now_ns,
            Self::HourAgo => now_ns - HOUR_NS,
            Self::HourAhead => now_ns + HOUR_NS,
            Self::HardlyMoving => last_ns.map_or(now_ns, |last| last + STEP_NS),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_clock_that_hardly_moves_looks_back() {
        assert_eq!(Clock::HourAgo.shows(HOUR_NS + 5, Some(9)), 5);
        assert_eq!(Clock::HourAhead.shows(5, Some(9)), HOUR_NS + 5);
        assert_eq!(Clock::Honest.shows(5, Some(9)), 5);
        assert_eq!(Clock::HardlyMoving.shows(5, None), 5);
        assert_eq!(
            Clock::HardlyMoving.shows(HOUR_NS, Some(5)),
            5 + STEP_NS,
            "however long it was"
        );
    }
}
