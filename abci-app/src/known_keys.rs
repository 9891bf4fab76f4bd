//! Keys of rosters that were found good: parties meet again, and each check costs as much as a signature's.

use std::{collections::BTreeSet, mem};

/// Most keys of one generation; two are kept. A key takes about 50 bytes.
const GENERATION_KEYS_MAX: usize = 16_384;

/// Good keys, in two generations: when the young one is full it becomes the old one, and what was old is forgotten.
#[derive(Default)]
pub struct KnownKeys {
    young: BTreeSet<[u8; 32]>,
    old: BTreeSet<[u8; 32]>,
}

impl KnownKeys {
    /// Whether a key was found good not long ago.
    pub fn contains(&self, key: &[u8; 32]) -> bool {
        self.young.contains(key) || self.old.contains(key)
    }

    /// Remembers a good key.
    pub fn insert(&mut self, key: [u8; 32]) {
        if self.young.len() >= GENERATION_KEYS_MAX {
            self.old = mem::take(&mut self.young);
        }
        self.young.insert(key);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_remembered_is_bounded_and_the_latest_stays() {
        let mut known = KnownKeys::default();
        let key = |number: usize| {
            let mut key = [0; 32];
            key[..8].copy_from_slice(&number.to_be_bytes());
            key
        };
        for number in 0..GENERATION_KEYS_MAX * 3 + 1 {
            known.insert(key(number));
        }
        assert!(known.contains(&key(GENERATION_KEYS_MAX * 3)));
        assert!(known.contains(&key(GENERATION_KEYS_MAX * 2)));
        assert!(!known.contains(&key(GENERATION_KEYS_MAX * 2 - 1)));
        assert!(known.young.len() + known.old.len() <= GENERATION_KEYS_MAX * 2);
    }
}
