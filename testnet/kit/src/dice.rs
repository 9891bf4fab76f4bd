//! Numbers that look random and are the same in every run.

use white_city_client::wire::hash::{Hash, Preimage, sha256};

/// Dice: the same seed throws the same numbers. Not for secrets.
#[derive(Debug, Clone)]
pub struct Dice(Hash);

impl Dice {
    /// Dice of this seed.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self(Preimage::new("white-city/kit/dice/1").u64(seed).finish())
    }

    /// 32 bytes.
    pub fn bytes(&mut self) -> [u8; 32] {
        self.0 = sha256(&self.0.0);
        sha256(&self.0.0).0
    }

    /// A number below `end`; 0 if that is 0.
    pub fn below(&mut self, end: u32) -> u32 {
        let [a, b, c, d, ..] = self.bytes();
        u32::from_be_bytes([a, b, c, d])
            .checked_rem(end)
            .unwrap_or(0)
    }

    /// Whether something happens that happens in so many of a hundred cases.
    pub fn percent(&mut self, percent: u32) -> bool {
        self.below(100) < percent
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_throws_the_same_numbers_and_all_of_them() {
        let throws = |seed| {
            let mut dice = Dice::new(seed);
            (0..100).map(|_| dice.below(6)).collect::<Vec<_>>()
        };
        assert_eq!(throws(1), throws(1));
        assert_ne!(throws(1), throws(2));
        assert!((0..6).all(|number| throws(1).contains(&number)));
        assert_eq!(Dice::new(1).below(0), 0);
    }
}
