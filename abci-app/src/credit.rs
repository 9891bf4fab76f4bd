//! Credit of proposals: bound on the work that a replica does for what is new to it, since whatever was gossiped or handed over was
//! checked before.
//!
//! A block's work is bounded by rule, but the dearest block that a hostile proposer can think of still costs much more than a usual
//! one, each time that it has its turn, whether the block is valid or not. What honest proposers bring is hardly ever new, so work
//! that is has a credit, which grows with the height. Who is the proposer doesn't count: it is only said. A proposal that is over the
//! credit is voted down as one that came too late is. Each that is makes room for twice as much at the same height, up to any block:
//! this can delay a block by a few consensus rounds, and never stop the board.

/// Credit that is earned at each height, in units of work: a hostile replica of four costs a usual block's time in each of its turns.
const EARNED: u32 = 128;
/// The most that is saved up: a block of any work under the usual bound.
const SAVED_MAX: u32 = 8_192;

/// The credit for what is new in proposals.
pub struct Credit {
    left: u32,
    height: u64,
    /// Proposals at this height that were over it.
    refused: u32,
}

impl Default for Credit {
    fn default() -> Self {
        Self {
            left: SAVED_MAX,
            height: 0,
            refused: 0,
        }
    }
}

impl Credit {
    /// Pays for `work` at `height`, if there is enough.
    pub fn spend(&mut self, work: u32, height: u64) -> bool {
        if height > self.height {
            let heights = u32::try_from(height - self.height).unwrap_or(u32::MAX);
            let earned = EARNED.saturating_mul(heights);
            self.left = self.left.saturating_add(earned).min(SAVED_MAX);
            (self.height, self.refused) = (height, 0);
        }
        let allowed = match self.refused {
            0 => 0,
            refused => EARNED.saturating_mul(1_u32.checked_shl(refused).unwrap_or(u32::MAX)),
        };
        if work > self.left.max(allowed) {
            self.refused = self.refused.saturating_add(1);
            return false;
        }
        self.left = self.left.saturating_sub(work);
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_new_is_paid_for_and_earned_with_the_height() {
        let mut credit = Credit::default();
        assert!(credit.spend(SAVED_MAX, 1), "all of it at once");
        assert!(credit.spend(0, 1), "what was checked before costs nothing");
        assert!(!credit.spend(1, 1));
        assert!(!credit.spend(EARNED + 1, 2));
        assert!(
            credit.spend(EARNED, 3),
            "the height before has earned as much"
        );
        assert!(credit.spend(EARNED, 3));
        assert!(!credit.spend(1, 3));
        assert!(credit.spend(SAVED_MAX, u64::MAX), "and no more than that");
        assert!(!credit.spend(1, u64::MAX));
    }

    #[test]
    fn every_block_is_judged_after_a_few_others_at_the_same_height() {
        for max_work in [1, EARNED, 8_192, 65_536, u32::MAX] {
            let mut credit = Credit::default();
            credit.spend(SAVED_MAX, 7);
            let refused = (0..64).take_while(|_| !credit.spend(max_work, 7)).count();
            let most = max_work.div_ceil(EARNED).next_power_of_two().ilog2().max(1);
            assert_eq!(refused, usize::try_from(most).unwrap(), "{max_work}");
        }
    }

    #[test]
    fn what_a_refused_proposal_makes_room_for_is_gone_with_the_height() {
        let mut credit = Credit::default();
        credit.spend(SAVED_MAX, 1);
        for _ in 0..10 {
            credit.spend(u32::MAX, 2);
        }
        assert!(credit.spend(8_192, 2));
        assert!(!credit.spend(8_192, 3));
    }
}
