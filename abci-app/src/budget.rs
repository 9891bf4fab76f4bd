//! Budget of this replica's time for strangers who open sessions. Local policy, never consensus.
//!
//! Anybody can make identities, each with a quota of its own, and each key of a roster costs as much as a signature: so
//! what strangers' openings cost is bounded for all of them together. Openers that the genesis lists are outside of it.

use white_city_wire::Refusal;

/// Cost of an opening beside its roster's keys, in keys: its place in a block, in the store and in memory.
const OPENING_KEYS: u32 = 16;
/// For how many seconds a budget that nobody uses is saved up.
const SAVED_SECONDS: u32 = 16;

/// Keys that may be checked for strangers. Its clock is that of the blocks, so that an idle board saves up.
pub struct Budget {
    per_second: u32,
    /// Thousandths of keys.
    left: u64,
    at_ms: u64,
}

impl Budget {
    /// A full one.
    pub fn new(per_second: u32) -> Self {
        let mut budget = Self {
            per_second,
            left: 0,
            at_ms: 0,
        };
        budget.left = budget.most();
        budget
    }

    /// Pays for an opening with a roster of `parties`, when the last block's time is `now_ms`.
    ///
    /// # Errors
    /// [`Refusal::OpeningsBusy`] when too little is left: later there is more.
    pub fn spend(&mut self, parties: u16, now_ms: u64) -> Result<(), Refusal> {
        let passed_ms = now_ms.saturating_sub(self.at_ms);
        self.at_ms = self.at_ms.max(now_ms);
        let earned = passed_ms.saturating_mul(self.per_second.into());
        self.left = self.left.saturating_add(earned).min(self.most());
        let needed = u32::from(parties).saturating_add(OPENING_KEYS);
        match self.left.checked_sub(u64::from(needed) * 1_000) {
            Some(left) => {
                self.left = left;
                Ok(())
            }
            None => Err(Refusal::OpeningsBusy {
                needed,
                left: u32::try_from(self.left / 1_000).unwrap_or(u32::MAX),
            }),
        }
    }

    /// Enough for one opening of any size, whatever is configured.
    fn most(&self) -> u64 {
        let saved = u64::from(self.per_second) * u64::from(SAVED_SECONDS);
        let largest =
            u64::from(white_city_wire::limits::ROSTER_PARTIES_MAX) + u64::from(OPENING_KEYS);
        saved.max(largest) * 1_000
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_spent_comes_back_with_the_blocks_time_and_no_more_than_that() {
        let mut budget = Budget::new(100);
        for _ in 0..8 {
            budget.spend(184, 50_000).unwrap();
        }
        // 1 600 keys are spent: everything.
        let refused = Err(Refusal::OpeningsBusy {
            needed: 17,
            left: 0,
        });
        assert_eq!(budget.spend(1, 50_000), refused);
        assert_eq!(budget.spend(1, 40_000), refused, "time that went back");
        let refused = Err(Refusal::OpeningsBusy {
            needed: 17,
            left: 16,
        });
        assert_eq!(budget.spend(1, 50_169), refused);
        budget.spend(1, 50_170).unwrap();
        for _ in 0..8 {
            budget.spend(184, 1_000_000).unwrap();
        }
        assert!(
            budget.spend(1, 1_000_000).is_err(),
            "idle time is saved up to a bound"
        );
    }

    #[test]
    fn the_largest_roster_always_fits_into_a_full_budget() {
        let mut budget = Budget::new(1);
        budget.spend(1_024, 0).unwrap();
        assert!(budget.spend(1, 0).is_err());
    }
}
