//! Reproducible randomness: one seed decides everything, or bytes do.

/// A stream of numbers that its seed decides (SplitMix64). Not for secrets.
///
/// Choices can also be read from bytes, as long as there are some: what a fuzzer changes there changes one choice, and those
/// after it stay what they were.
#[derive(Debug, Clone)]
pub struct Rng {
    state: u64,
    /// Bytes that decide the next choices, the first one last.
    told: Vec<u8>,
}

impl Rng {
    /// A stream.
    #[must_use]
    pub const fn new(seed: u64) -> Self {
        Self {
            state: seed,
            told: Vec::new(),
        }
    }

    /// A stream whose choices are read from bytes.
    #[must_use]
    pub fn told(bytes: &[u8]) -> Self {
        Self {
            state: 0,
            told: bytes.iter().rev().copied().collect(),
        }
    }

    /// Whether there are bytes left that decide something.
    #[must_use]
    pub const fn is_told(&self) -> bool {
        !self.told.is_empty()
    }

    /// The next 64 bits.
    pub const fn next(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.state;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number below `end`, which is at least 1.
    pub fn below(&mut self, end: u64) -> u64 {
        let Some(first) = self.told.pop() else {
            return self.next() % end;
        };
        // No more of them than it takes to tell all choices from each other.
        let mut choice = u64::from(first);
        let mut choices = 1_u64 << 8;
        while choices < end && choices < 1 << 32 {
            choice = choice << 8 | u64::from(self.told.pop().unwrap_or(0));
            choices <<= 8;
        }
        choice % end
    }

    /// A number from `low` to `high`, both included.
    pub fn between(&mut self, low: u64, high: u64) -> u64 {
        low + self.below(high - low + 1)
    }

    /// True in `percent` of all cases.
    pub fn chance(&mut self, percent: u64) -> bool {
        self.below(100) < percent
    }

    /// One of several, `None` of none.
    pub fn pick<'a, T>(&mut self, from: &'a [T]) -> Option<&'a T> {
        if from.is_empty() {
            return None;
        }
        let len = u64::try_from(from.len()).unwrap_or(u64::MAX);
        from.get(usize::try_from(self.below(len)).unwrap_or(0))
    }

    /// 32 bytes.
    pub fn bytes32(&mut self) -> [u8; 32] {
        let mut bytes = [0; 32];
        for chunk in bytes.chunks_mut(8) {
            chunk.copy_from_slice(&self.next().to_be_bytes());
        }
        bytes
    }

    /// `len` bytes.
    pub fn bytes(&mut self, len: usize) -> Vec<u8> {
        (0..len).map(|_| self.next().to_be_bytes()[0]).collect()
    }

    /// Puts the items into another order.
    pub fn shuffle<T>(&mut self, items: &mut [T]) {
        for end in (1..items.len()).rev() {
            let bound = u64::try_from(end).unwrap_or(0) + 1;
            items.swap(end, usize::try_from(self.below(bound)).unwrap_or(0));
        }
    }
}
