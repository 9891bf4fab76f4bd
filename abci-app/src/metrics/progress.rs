//! How far a replica has come, by the clocks of its machine. Only operators are told.

use std::{
    sync::{Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use white_city_wire::seal::BlockTime;

/// Times of the last blocks, by the clocks of this machine.
#[derive(Debug)]
pub struct Progress(Mutex<Seen>);

#[derive(Debug)]
struct Seen {
    began: Instant,
    /// When the last block was stored.
    stored: Option<Instant>,
    /// Height of the last proposal that this replica has made or judged.
    judged: u64,
    /// Height of the last block that was decided after that, and when, by this machine's clock.
    decided: Option<(u64, SystemTime)>,
    offset_seconds: Option<f64>,
    /// Address of this replica's own validator.
    own: Option<[u8; 20]>,
}

impl Default for Progress {
    fn default() -> Self {
        Self(Mutex::new(Seen {
            began: Instant::now(),
            stored: None,
            judged: 0,
            decided: None,
            offset_seconds: None,
            own: None,
        }))
    }
}

impl Progress {
    /// A block was stored now.
    pub fn stored(&self) {
        self.seen().stored = Some(Instant::now());
    }

    /// A proposal at this height was made or judged: the engine takes part in the decision.
    pub fn judged(&self, height: u64) {
        self.seen().judged = height;
    }

    /// A block was decided at this moment. Its time is the median of what the validators' clocks said when they voted for the block
    /// before, which is compared with what this machine's clock said then. Blocks that others have decided long ago say nothing.
    pub fn decided(&self, height: u64, time: BlockTime, now: SystemTime) {
        let mut seen = self.seen();
        if seen.judged != height {
            seen.decided = None;
            return;
        }
        if let Some((before, then)) = seen.decided
            && before.checked_add(1) == Some(height)
        {
            seen.offset_seconds = Some(offset_seconds(then, time));
        }
        seen.decided = Some((height, now));
    }

    /// Time since the last block was stored; without one, since the start.
    #[must_use]
    pub fn block_age(&self) -> Duration {
        let seen = self.seen();
        seen.stored.unwrap_or(seen.began).elapsed()
    }

    /// Whether a block was stored since the start.
    #[must_use]
    pub fn has_stored(&self) -> bool {
        self.seen().stored.is_some()
    }

    /// How far this machine's clock is ahead of the board's, seconds; `None` as long as no two blocks were decided here.
    #[must_use]
    pub fn offset_seconds(&self) -> Option<f64> {
        self.seen().offset_seconds
    }

    /// Says which validator is this replica's own.
    pub fn set_own(&self, address: [u8; 20]) {
        self.seen().own = Some(address);
    }

    /// The address of this replica's own validator, once its node has said it.
    #[must_use]
    pub fn own(&self) -> Option<[u8; 20]> {
        self.seen().own
    }

    fn seen(&self) -> MutexGuard<'_, Seen> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn offset_seconds(local: SystemTime, board: BlockTime) -> f64 {
    let since_epoch = local.duration_since(UNIX_EPOCH).unwrap_or_default();
    let board = Duration::from_millis(board.millis());
    match since_epoch.checked_sub(board) {
        Some(ahead) => ahead.as_secs_f64(),
        None => -board.saturating_sub(since_epoch).as_secs_f64(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(ms: u64) -> SystemTime {
        UNIX_EPOCH + Duration::from_millis(ms)
    }

    fn time(ms: u32) -> BlockTime {
        BlockTime {
            seconds: i64::from(ms / 1_000),
            nanos: ms % 1_000 * 1_000_000,
        }
    }

    #[test]
    fn a_blocks_time_is_compared_with_what_the_clock_said_at_the_block_before() {
        let progress = Progress::default();
        for (height, board_ms, local_ms, offset) in [
            (1, 0, 5_000, None),
            // The heartbeat passes before the next one: that is no difference of clocks.
            (2, 5_000, 15_000, Some(0.0)),
            (3, 14_000, 15_100, Some(1.0)),
            (4, 17_100, 15_200, Some(-2.0)),
        ] {
            progress.judged(height);
            progress.decided(height, time(board_ms), at(local_ms));
            assert_eq!(progress.offset_seconds(), offset, "{height}");
        }
    }

    #[test]
    fn blocks_that_are_fetched_say_nothing_about_the_clock() {
        let progress = Progress::default();
        for height in 1..=3 {
            progress.decided(height, time(1_000), at(900_000));
        }
        progress.judged(4);
        progress.decided(4, time(2_000), at(901_000));
        assert_eq!(progress.offset_seconds(), None);
        progress.judged(6);
        progress.decided(6, time(2_000), at(901_000));
        assert_eq!(progress.offset_seconds(), None, "not the next height");
    }

    #[test]
    fn the_age_is_that_of_the_last_block_or_of_the_process() {
        let progress = Progress::default();
        std::thread::sleep(Duration::from_millis(20));
        let young = progress.block_age();
        assert!(young >= Duration::from_millis(20) && !progress.has_stored());
        progress.stored();
        assert!(progress.block_age() < young && progress.has_stored());
    }
}
