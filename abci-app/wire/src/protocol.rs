//! Numbers of the rules, and those that a program knows.

use core::ops::RangeInclusive;

use crate::limits::PROTOCOL;

/// The number after the newest that a program of a user knows. Its rules are those of the one before, but for one that harms nobody: it
/// is there so that tests move a board from one number to the next, with what really runs.
pub const NEXT: u32 = PROTOCOL + 1;

/// The numbers that a program knows: all from [`PROTOCOL`] up to one. What it knows is a value that it is given, and no part of any
/// state: so tests have programs that know one more without another build of everything, and no program of a user is given more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Known {
    newest: u32,
}

impl Known {
    /// Those of every program that users run.
    pub const RELEASED: Self = Self { newest: PROTOCOL };
    /// One more, for tests.
    pub const WITH_NEXT: Self = Self { newest: NEXT };

    /// The newest of them.
    #[must_use]
    pub const fn newest(self) -> u32 {
        self.newest
    }

    /// All of them.
    #[must_use]
    pub const fn all(self) -> RangeInclusive<u32> {
        PROTOCOL..=self.newest
    }

    /// Whether this is one of them.
    #[must_use]
    pub fn has(self, number: u32) -> bool {
        self.all().contains(&number)
    }
}

impl Default for Known {
    fn default() -> Self {
        Self::RELEASED
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_knows_all_numbers_from_2_up_to_its_newest() {
        assert_eq!(
            [1, 2, 3].map(|n| Known::default().has(n)),
            [false, true, false]
        );
        assert_eq!(
            [1, 2, 3, 4].map(|n| Known::WITH_NEXT.has(n)),
            [false, true, true, false]
        );
        assert_eq!(Known::RELEASED.newest(), PROTOCOL);
    }
}
