//! SHA-256 values, and the one way in which values are laid out before they are hashed.

use alloc::string::String;
use core::fmt;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

/// Declares a 32-byte value that prints as hex and is never mixed up with another kind.
macro_rules! hash_type {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
        #[serde(into = "String", try_from = "String")]
        pub struct $name(pub [u8; 32]);

        impl $name {
            /// 32 zero bytes: the value that stands for *absent*.
            pub const ZERO: Self = Self([0; 32]);

            /// Reads exactly 32 bytes; anything else is `None`.
            #[must_use]
            pub fn from_slice(bytes: &[u8]) -> Option<Self> {
                bytes.try_into().ok().map(Self)
            }

            /// Reads exactly 64 hex digits; anything else is `None`.
            #[must_use]
            pub fn from_hex(text: &str) -> Option<Self> {
                let mut bytes = [0; 32];
                hex::decode_to_slice(text, &mut bytes).ok()?;
                Some(Self(bytes))
            }

            /// The bytes.
            #[must_use]
            pub const fn as_bytes(&self) -> &[u8; 32] {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(self, f)
            }
        }

        impl From<$name> for String {
            fn from(value: $name) -> String {
                hex::encode(value.0)
            }
        }

        impl TryFrom<String> for $name {
            type Error = NotHash;

            fn try_from(text: String) -> Result<Self, NotHash> {
                Self::from_hex(&text).ok_or(NotHash)
            }
        }
    };
}

hash_type!(
    /// A SHA-256 value: a digest, a leaf, a root, a transcript.
    Hash
);
hash_type!(
    /// Names a network: its chain, validators and parameters.
    NetworkId
);
hash_type!(
    /// Names a session: its network, opener and spec.
    SessionId
);

/// A text that isn't 64 hex digits.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("expected 64 hex digits")]
pub struct NotHash;

/// SHA-256 of raw bytes.
#[must_use]
pub fn sha256(bytes: &[u8]) -> Hash {
    Hash(Sha256::digest(bytes).into())
}

/// The values of one hash, laid out: integers big-endian, [`Preimage::lp`] for what has no fixed length.
#[derive(Clone)]
pub struct Preimage {
    hasher: Sha256,
    len: u64,
}

impl Preimage {
    /// Begins with a tag, under its length.
    #[must_use]
    pub fn new(tag: &str) -> Self {
        Self::raw_start().lp(tag.as_bytes())
    }

    /// Begins a tree leaf: byte 0, then the tag.
    #[must_use]
    pub fn leaf(tag: &str) -> Self {
        Self::raw_start().u8(0).lp(tag.as_bytes())
    }

    fn raw_start() -> Self {
        Self {
            hasher: Sha256::new(),
            len: 0,
        }
    }

    /// Bytes of a fixed length, as they are.
    #[must_use]
    pub fn raw(mut self, bytes: &[u8]) -> Self {
        self.hasher.update(bytes);
        self.len = self
            .len
            .saturating_add(u64::try_from(bytes.len()).unwrap_or(u64::MAX));
        self
    }

    /// Bytes behind their length as a u32. Whatever is hashed has passed a limit far below 4 GiB.
    #[must_use]
    pub fn lp(self, bytes: &[u8]) -> Self {
        self.u32(u32::try_from(bytes.len()).unwrap_or(u32::MAX))
            .raw(bytes)
    }

    /// One byte.
    #[must_use]
    pub fn u8(self, value: u8) -> Self {
        self.raw(&[value])
    }

    /// Two bytes.
    #[must_use]
    pub fn u16(self, value: u16) -> Self {
        self.raw(&value.to_be_bytes())
    }

    /// Four bytes.
    #[must_use]
    pub fn u32(self, value: u32) -> Self {
        self.raw(&value.to_be_bytes())
    }

    /// Eight bytes.
    #[must_use]
    pub fn u64(self, value: u64) -> Self {
        self.raw(&value.to_be_bytes())
    }

    /// Eight bytes, signed.
    #[must_use]
    pub fn i64(self, value: i64) -> Self {
        self.raw(&value.to_be_bytes())
    }

    /// A 32-byte value.
    #[must_use]
    pub fn hash(self, value: &Hash) -> Self {
        self.raw(&value.0)
    }

    /// Number of bytes that have been laid out.
    #[must_use]
    pub const fn len(&self) -> u64 {
        self.len
    }

    /// Whether nothing has been laid out.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The SHA-256 of all of it.
    #[must_use]
    pub fn finish(self) -> Hash {
        Hash(self.hasher.finalize().into())
    }
}
