//! Pace of proposals: the amount that a replica packs into them, so that the others have them before they give up on the proposer,
//! and so that large entries of some sessions don't make everybody's blocks slow.
//!
//! What takes how long isn't known: it follows from links, processors and everything else that replicas do. So it is found out, as
//! congestion windows are: what gets through about as fast as small blocks do makes room for more, a proposal that was voted down or
//! took much longer for less. Entries of sessions in last call are never left out for it.

use std::time::Duration;

/// The least that is packed, bytes.
const FLOOR_BYTES: u64 = 256 << 10;
/// Most that is saved up of it for a block, bytes: more than the largest transaction takes, so that one goes into every fourth of
/// its blocks at worst.
const SAVED_BYTES: u64 = 1 << 20;
/// Amount that is packed at first, bytes.
const START_BYTES: u64 = 2 << 20;
/// The most that is packed, bytes: more than any engine takes.
const CEILING_BYTES: u64 = 1 << 30;
/// Bytes that take about as long to bring to the others as a unit of work takes there: mostly they have checked it before.
const BYTES_A_WORK: u64 = 1 << 8;

/// Up to this size a block takes what every block takes, bytes.
const SMALL_BYTES: u64 = 64 << 10;
/// Time that a block may take beyond twice that.
const SLACK: Duration = Duration::from_millis(50);

/// Cost of transactions to those who have to take them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Load {
    /// Their bytes.
    pub bytes: u64,
    /// Their work.
    pub work: u32,
}

/// Amount that is packed, as it grows and shrinks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pace {
    bytes: u64,
    /// Amount that the next proposal may have: what earlier ones have left of it is saved up.
    next: u64,
    /// Up to where it grows fast: half of what was too much.
    fast_until: u64,
    /// Time that small blocks take, from proposal to storing: a mean that ages.
    usual: Option<Duration>,
}

impl Default for Pace {
    fn default() -> Self {
        Self {
            bytes: START_BYTES,
            next: START_BYTES,
            fast_until: u64::MAX,
            usual: None,
        }
    }
}

impl Pace {
    /// The most that a proposal may have.
    pub fn limit(self) -> Load {
        Load {
            bytes: self.next,
            work: u32::try_from(self.next / BYTES_A_WORK).unwrap_or(u32::MAX),
        }
    }

    /// A proposal of this replica's with so much in it was decided, and took so long from then until it was stored.
    pub fn decided(&mut self, load: Load, took: Duration) {
        self.learn(load, took);
        let left = self.next.saturating_sub(size(load));
        let most = self.bytes.max(SAVED_BYTES);
        self.next = left.saturating_add(self.bytes).min(most);
    }

    fn learn(&mut self, load: Load, took: Duration) {
        if size(load) < SMALL_BYTES {
            self.usual = Some(self.usual.map_or(took, |usual| (usual * 7 + took) / 8));
            return;
        }
        if self.usual.is_some_and(|usual| took > usual * 2 + SLACK) {
            return self.shrink(load);
        }
        if size(load) < self.bytes / 2 {
            return;
        }
        let grown = if self.bytes < self.fast_until {
            self.bytes.saturating_mul(2).min(self.fast_until)
        } else {
            self.bytes.saturating_add(self.bytes / 8)
        };
        self.bytes = grown.min(CEILING_BYTES);
    }

    /// One was voted down, or came too late.
    pub fn failed(&mut self, load: Load) {
        self.shrink(load);
        self.next = self.bytes;
    }

    fn shrink(&mut self, load: Load) {
        if size(load) < FLOOR_BYTES {
            // That wasn't for its size.
            return;
        }
        self.bytes = (size(load) / 2).clamp(FLOOR_BYTES, self.bytes);
        self.fast_until = self.bytes;
    }
}

/// The size of what takes as long.
pub fn size(load: Load) -> u64 {
    load.bytes.max(u64::from(load.work) * BYTES_A_WORK)
}

#[cfg(test)]
mod tests {
    use super::*;

    const QUICK: Duration = Duration::from_millis(10);

    fn bytes(bytes: u64) -> Load {
        Load { bytes, work: 0 }
    }

    #[test]
    fn what_gets_through_makes_room_for_more_and_what_does_not_for_half_of_it() {
        let mut pace = Pace::default();
        pace.decided(bytes(START_BYTES), QUICK);
        assert_eq!(pace.limit().bytes, 2 * START_BYTES);
        pace.failed(bytes(2 * START_BYTES - 1));
        assert_eq!(pace.limit().bytes, START_BYTES - 1);
        pace.decided(bytes(START_BYTES - 1), QUICK);
        let slow = (START_BYTES - 1) + (START_BYTES - 1) / 8;
        assert_eq!(pace.limit().bytes, slow, "slowly, from where it failed");
    }

    #[test]
    fn work_counts_as_bytes_do() {
        let mut pace = Pace::default();
        let all = pace.limit();
        assert_eq!(u64::from(all.work) * BYTES_A_WORK, all.bytes);
        pace.failed(Load { bytes: 0, ..all });
        assert_eq!(pace.limit().bytes, START_BYTES / 2);
    }

    #[test]
    fn small_proposals_say_nothing_about_large_ones() {
        let mut pace = Pace::default();
        pace.decided(bytes(START_BYTES / 2 - 1), QUICK);
        pace.failed(bytes(FLOOR_BYTES - 1));
        assert_eq!(pace, Pace::default());
        pace.decided(bytes(START_BYTES / 2), QUICK);
        assert_eq!(pace.limit().bytes, 2 * START_BYTES);
    }

    #[test]
    fn what_takes_much_longer_than_small_blocks_makes_room_for_less() {
        let ms = Duration::from_millis;
        let mut pace = Pace::default();
        // Nothing is known yet of what small blocks take.
        pace.decided(bytes(START_BYTES), ms(10_000));
        assert_eq!(pace.limit().bytes, 2 * START_BYTES);
        pace.decided(bytes(SMALL_BYTES - 1), ms(100));
        pace.decided(bytes(2 * START_BYTES), ms(250));
        assert_eq!(
            pace.limit().bytes,
            4 * START_BYTES,
            "twice as long and 50 ms"
        );
        pace.decided(bytes(3 * START_BYTES), ms(251));
        assert_eq!(pace.limit().bytes, 3 * START_BYTES / 2);
        // Slow links make every block slow: the mean follows.
        for _ in 0..100 {
            pace.decided(bytes(0), ms(200));
        }
        pace.decided(bytes(3 * START_BYTES / 2), ms(400));
        assert!(pace.limit().bytes > 3 * START_BYTES / 2);
    }

    #[test]
    fn there_is_room_for_the_largest_transaction_in_every_fourth_proposal_at_worst() {
        let mut pace = Pace::default();
        for _ in 0..100 {
            pace.failed(bytes(u64::MAX));
            pace.failed(pace.limit());
        }
        assert_eq!(pace.limit().bytes, FLOOR_BYTES);
        let largest = white_city_wire::limits::TX_BYTES_MAX.into();
        assert!(SAVED_BYTES > largest);
        for _ in 0..3 {
            let mut small = 0;
            while pace.limit().bytes < largest {
                pace.decided(bytes(0), QUICK);
                small += 1;
            }
            assert!((1..=3).contains(&small), "{small}");
            // It takes long.
            pace.decided(bytes(largest), QUICK * 1_000);
        }
        for _ in 0..1_000 {
            pace.decided(pace.limit(), QUICK);
        }
        assert_eq!(pace.limit().bytes, CEILING_BYTES);
    }
}
