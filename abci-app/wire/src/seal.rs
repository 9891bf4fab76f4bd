//! The seal: the first item of every block, which carries the root of the state after it.

use alloc::vec::Vec;

use crate::{
    hash::{Hash, sha256},
    limits::SEAL_BYTES,
};

const HEAD: &[u8; 8] = b"\0WCSEAL1";

/// A point in time as CometBFT writes it in a header.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct BlockTime {
    /// Whole seconds since 1970.
    pub seconds: i64,
    /// Nanoseconds within the second.
    pub nanos: u32,
}

impl BlockTime {
    /// Whole milliseconds since 1970; 0 before that.
    #[must_use]
    pub fn millis(&self) -> u64 {
        let seconds = u64::try_from(self.seconds).unwrap_or(0);
        seconds
            .saturating_mul(1_000)
            .saturating_add(u64::from(self.nanos / 1_000_000))
    }
}

/// A block's seal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Seal {
    /// Root of the state after this block.
    pub root: Hash,
    /// Hash of the block before; zeros in the first block.
    pub parent_hash: Hash,
    /// Header time of the block before; the genesis time in the first block.
    pub parent_time: BlockTime,
}

impl Seal {
    /// The 84 bytes.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(crate::spec::to_usize(SEAL_BYTES));
        bytes.extend_from_slice(HEAD);
        bytes.extend_from_slice(&self.root.0);
        bytes.extend_from_slice(&self.parent_hash.0);
        bytes.extend_from_slice(&self.parent_time.seconds.to_be_bytes());
        bytes.extend_from_slice(&self.parent_time.nanos.to_be_bytes());
        bytes
    }

    /// Reads a seal; `None` for anything else.
    #[must_use]
    pub fn decode(bytes: &[u8]) -> Option<Self> {
        let rest = bytes.strip_prefix(HEAD)?;
        let (root, rest) = rest.split_first_chunk::<32>()?;
        let (parent_hash, rest) = rest.split_first_chunk::<32>()?;
        let (seconds, rest) = rest.split_first_chunk::<8>()?;
        let nanos: &[u8; 4] = rest.try_into().ok()?;
        Some(Self {
            root: Hash(*root),
            parent_hash: Hash(*parent_hash),
            parent_time: BlockTime {
                seconds: i64::from_be_bytes(*seconds),
                nanos: u32::from_be_bytes(*nanos),
            },
        })
    }

    /// Whether these bytes begin like a seal, which no transaction does.
    #[must_use]
    pub fn is_seal(bytes: &[u8]) -> bool {
        bytes.first() == Some(&0)
    }

    /// Its leaf in the header's `data_hash`.
    #[must_use]
    pub fn data_leaf(&self) -> Hash {
        data_leaf(&self.encode())
    }
}

/// The leaf of one of a block's transactions in the header's `data_hash`.
#[must_use]
pub fn data_leaf(tx: &[u8]) -> Hash {
    let mut leaf = Vec::with_capacity(33);
    leaf.push(0);
    leaf.extend_from_slice(&sha256(tx).0);
    sha256(&leaf)
}
