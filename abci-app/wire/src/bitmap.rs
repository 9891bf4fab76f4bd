//! Bitmaps over a roster or a validator set: bit `i` of byte `i / 8`, lowest bit first, spare bits zero.

use alloc::{vec, vec::Vec};

/// A set of indices below a fixed size.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Bitmap {
    size: u16,
    bytes: Vec<u8>,
}

impl Bitmap {
    /// The empty set below `size`.
    #[must_use]
    pub fn empty(size: u16) -> Self {
        Self {
            size,
            bytes: vec![0; usize::from(size).div_ceil(8)],
        }
    }

    /// Every index below `size`.
    #[must_use]
    pub fn full(size: u16) -> Self {
        (0..size).fold(Self::empty(size), |set, i| set.with(i))
    }

    /// Reads a bitmap of `size` bits; `None` when the length is wrong or a spare bit is set.
    #[must_use]
    pub fn from_bytes(size: u16, bytes: &[u8]) -> Option<Self> {
        let read = Self {
            size,
            bytes: bytes.to_vec(),
        };
        let members = read.iter().fold(Self::empty(size), Self::with);
        (members == read).then_some(read)
    }

    /// Number of indices, in the set or not.
    #[must_use]
    pub const fn size(&self) -> u16 {
        self.size
    }

    /// The bytes, `size / 8` rounded up.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Whether `index` is in the set; an index past the size isn't.
    #[must_use]
    pub fn contains(&self, index: u16) -> bool {
        index < self.size
            && self
                .bytes
                .get(usize::from(index >> 3))
                .is_some_and(|byte| byte & (1 << (index & 7)) != 0)
    }

    /// Puts `index` in; an index past the size changes nothing.
    pub fn insert(&mut self, index: u16) {
        if index < self.size
            && let Some(byte) = self.bytes.get_mut(usize::from(index >> 3))
        {
            *byte |= 1 << (index & 7);
        }
    }

    /// The set with `index` in it.
    #[must_use]
    pub fn with(mut self, index: u16) -> Self {
        self.insert(index);
        self
    }

    /// The indices in the set, ascending.
    pub fn iter(&self) -> impl Iterator<Item = u16> + '_ {
        (0..self.size).filter(|index| self.contains(*index))
    }

    /// Number of indices in the set.
    #[must_use]
    pub fn count(&self) -> u16 {
        u16::try_from(self.iter().count()).unwrap_or(u16::MAX)
    }

    /// Whether everything in this set is also in `other`.
    #[must_use]
    pub fn is_subset(&self, other: &Self) -> bool {
        self.iter().all(|index| other.contains(index))
    }
}

impl FromIterator<(u16, bool)> for Bitmap {
    /// From pairs of an ascending index, starting at 0, and whether it is in the set.
    fn from_iter<I: IntoIterator<Item = (u16, bool)>>(pairs: I) -> Self {
        let pairs: Vec<(u16, bool)> = pairs.into_iter().collect();
        let size = u16::try_from(pairs.len()).unwrap_or(u16::MAX);
        pairs
            .into_iter()
            .filter(|(_, set)| *set)
            .fold(Self::empty(size), |set, (index, _)| set.with(index))
    }
}
