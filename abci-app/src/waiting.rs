//! Waiting of a proposal for rounds to fill. Pure: it is told when entries came and what time it is.
//!
//! An engine asks for a proposal as soon as the first transaction is there; a round that is proposed one entry at a time
//! costs several blocks. So a proposal waits while rounds fill, bounded three times over: a round that nobody has written
//! into for a while isn't waited for, what is complete is held back only a moment for what isn't, and no proposal waits
//! longer than its budget. A round that isn't complete can't close, so waiting costs its own parties nothing.
//!
//! The moment follows from what the last block took, up to a bound: the slower blocks are, the more a session loses that just
//! misses one, and the more is won by sharing them. So a busy board has fewer and larger blocks, its sessions go in step, and on a
//! quick one nobody is held back for long.

use std::time::{Duration, Instant};

/// Factor from the time that the last block took to that for which what is complete is held back: parties that are busy need that
/// long to read a block and to answer it. With 64 sessions at once on two cores 1 makes 50 blocks for a life of seven, 2 makes 20
/// to 30, 4 makes 13.
const HOLD_BLOCKS: u32 = 4;

/// The bounds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bounds {
    /// The longest that a proposal waits.
    pub budget: Duration,
    /// Time after its last entry for which a round still counts as filling.
    pub gap: Duration,
    /// The longest that a complete round, or anything else that waits for nobody, is held back for rounds that fill.
    pub hold: Duration,
}

/// State of a round that a proposal could wait for, or be held back by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Round {
    /// The last block has opened it, and nothing has come yet.
    Opened,
    /// Entries have come, and some are missing.
    Filling {
        /// When the last one came.
        last: Instant,
    },
    /// Everything has come, or nothing more belongs to it.
    Complete {
        /// When the last one came.
        since: Instant,
    },
}

impl Bounds {
    /// The bounds after a block that took so long.
    pub fn after(self, last_block: Duration) -> Self {
        Self {
            hold: self.hold.min(last_block.saturating_mul(HOLD_BLOCKS)),
            ..self
        }
    }

    /// When a proposal that was asked for at `asked` should be made, if nothing more comes.
    pub fn propose_at(&self, asked: Instant, rounds: &[Round]) -> Instant {
        let limit = asked + self.budget;
        let (mut filling_until, mut held_until) = (asked, limit);
        for round in rounds {
            match *round {
                Round::Opened => filling_until = limit,
                Round::Filling { last } => filling_until = filling_until.max(last + self.gap),
                Round::Complete { since } => {
                    held_until = held_until.min(since.max(asked) + self.hold);
                }
            }
        }
        filling_until.min(held_until)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BOUNDS: Bounds = Bounds {
        budget: Duration::from_millis(200),
        gap: Duration::from_millis(50),
        hold: Duration::from_millis(10),
    };

    /// When entries come, ms after the proposal was asked for (they may have come before), and how many make a round.
    struct Arrivals {
        entries: usize,
        at_ms: Vec<i64>,
    }

    /// Plays arrivals against a clock that steps by a millisecond; gives when the proposal is made, and how many entries of
    /// each round are in it.
    fn play(rounds: &[Arrivals]) -> (i64, Vec<usize>) {
        let start = Instant::now() + Duration::from_secs(60);
        let at = |ms: i64| {
            let offset = Duration::from_millis(ms.unsigned_abs());
            if ms < 0 {
                start - offset
            } else {
                start + offset
            }
        };
        for now_ms in 0.. {
            let come = |round: &Arrivals| -> Vec<i64> {
                let come = round.at_ms.iter().copied().filter(|ms| *ms <= now_ms);
                come.collect()
            };
            let seen: Vec<Round> = rounds
                .iter()
                .map(|round| {
                    let come = come(round);
                    match come.iter().max() {
                        None => Round::Opened,
                        Some(last) if come.len() < round.entries => {
                            Round::Filling { last: at(*last) }
                        }
                        Some(last) => Round::Complete { since: at(*last) },
                    }
                })
                .collect();
            if at(now_ms) >= BOUNDS.propose_at(start, &seen) {
                let counts = rounds.iter().map(|round| come(round).len()).collect();
                return (now_ms, counts);
            }
        }
        unreachable!("a proposal is made some time")
    }

    fn round(entries: usize, at_ms: &[i64]) -> Arrivals {
        Arrivals {
            entries,
            at_ms: at_ms.to_vec(),
        }
    }

    #[test]
    fn with_nothing_to_wait_for_a_proposal_is_made_at_once() {
        assert_eq!(play(&[]), (0, vec![]));
        assert_eq!(play(&[round(3, &[-70, -30, -1])]), (0, vec![3]));
    }

    #[test]
    fn a_round_is_proposed_whole_when_its_last_entry_comes() {
        assert_eq!(play(&[round(4, &[-2, 3, 9, 17])]), (17, vec![4]));
        // Also one that the last block has opened.
        assert_eq!(play(&[round(4, &[30, 31, 79, 80])]), (80, vec![4]));
    }

    #[test]
    fn a_party_that_holds_back_is_waited_for_once_for_the_gap_and_not_again() {
        assert_eq!(play(&[round(4, &[0, 5, 9, 1_000])]), (59, vec![3]));
        assert_eq!(play(&[round(4, &[-41, -45, -50, 1_000])]), (9, vec![3]));
        assert_eq!(play(&[round(4, &[-51, -60, -60, 1_000])]), (0, vec![3]));
    }

    #[test]
    fn entries_that_drip_in_are_waited_for_until_the_budget_is_used_up() {
        let drip: Vec<i64> = (0..128).map(|index| index * 49).collect();
        assert_eq!(play(&[round(128, &drip)]), (200, vec![5]));
    }

    #[test]
    fn a_round_that_opened_and_stays_empty_costs_the_budget_when_nobody_else_is_there() {
        assert_eq!(play(&[round(4, &[])]), (200, vec![0]));
    }

    #[test]
    fn what_is_complete_is_held_back_a_moment_whatever_the_others_do() {
        let drip: Vec<i64> = (0..128).map(|index| index * 5).collect();
        let hostile = [
            round(4, &[]),
            round(2, &[0]),
            round(2, &[199]),
            round(128, &drip),
        ];
        for other in hostile {
            assert_eq!(play(&[round(3, &[-9, -3, 4]), other]).0, 14);
        }
        // What was complete before counts from when the proposal was asked for.
        assert_eq!(play(&[round(1, &[-500]), round(4, &[])]).0, 10);
    }

    #[test]
    fn what_is_complete_is_held_back_in_proportion_to_the_last_block_within_the_bound() {
        assert_eq!(BOUNDS.after(Duration::ZERO).hold, Duration::ZERO);
        let micros = Duration::from_micros;
        for (took, hold) in [
            (1, 4),
            (2_499, 9_996),
            (2_500, 10_000),
            (2_501, 10_000),
            (60_000_000, 10_000),
        ] {
            let bounds = BOUNDS.after(micros(took));
            assert_eq!(bounds.hold, micros(hold));
            assert_eq!((bounds.budget, bounds.gap), (BOUNDS.budget, BOUNDS.gap));
        }
    }

    #[test]
    fn a_hundred_sessions_in_different_phases_hold_each_other_back_no_longer_than_one_does() {
        // The first session's round is complete after 7 ms; each of the others fills a little later than the one before it.
        let others = (1..100).map(|k| round(3, &[k, k + 3, k + 7]));
        let sessions: Vec<Arrivals> = [round(3, &[-1, 2, 7])].into_iter().chain(others).collect();
        let (made_ms, taken) = play(&sessions);
        assert_eq!(made_ms, 17);
        let whole = taken.iter().filter(|count| **count == 3).count();
        assert_eq!(whole, 11, "those that were complete by then go with it");
    }
}
