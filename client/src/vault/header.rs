//! The head of a vault file: magic, kind, how the key is made, salt, nonce.

use argon2::Params;

use super::VaultError;

/// First bytes of every vault file; the last of them is the version.
const MAGIC: &[u8; 8] = b"WCVAULT1";
/// Longest kind, bytes.
pub const KIND_BYTES_MAX: usize = 32;
const ARGON2ID: u8 = 1;
const KEY_FILE: u8 = 2;

/// What Argon2id costs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cost {
    /// Memory, KiB, 8 192 to 1 048 576.
    pub memory_kib: u32,
    /// Passes, 1 to 16.
    pub passes: u32,
    /// Lanes, 1 to 8.
    pub lanes: u32,
}

impl Default for Cost {
    /// 64 MiB, 3 passes, 1 lane: more than what is commonly recommended for logins, since a file can be attacked offline.
    fn default() -> Self {
        Self {
            memory_kib: 64 << 10,
            passes: 3,
            lanes: 1,
        }
    }
}

impl Cost {
    #[cfg(test)]
    pub(super) const CHEAPEST: Self = Self {
        memory_kib: 8 << 10,
        passes: 1,
        lanes: 1,
    };

    pub(super) fn params(self) -> Result<Params, VaultError> {
        self.check()?;
        Params::new(self.memory_kib, self.passes, self.lanes, Some(32)).map_err(|_| {
            VaultError::Format {
                expected: "parameters that Argon2id takes",
            }
        })
    }

    fn check(self) -> Result<(), VaultError> {
        let limits = [
            ("memory in KiB", self.memory_kib, 8 << 10, 1 << 20),
            ("passes", self.passes, 1, 16),
            ("lanes", self.lanes, 1, 8),
        ];
        match limits
            .into_iter()
            .find(|(_, got, min, max)| !(min..=max).contains(&got))
        {
            None => Ok(()),
            Some((field, got, min, max)) => Err(VaultError::Cost {
                field,
                got,
                min,
                max,
            }),
        }
    }
}

/// How the key is made.
pub(super) enum Kdf {
    Argon2id(Cost),
    KeyFile,
}

impl Kdf {
    pub(super) const fn opened_with(&self) -> &'static str {
        match self {
            Self::Argon2id(_) => "a passphrase",
            Self::KeyFile => "a key file",
        }
    }
}

pub(super) struct Header {
    pub(super) kind: String,
    pub(super) kdf: Kdf,
    pub(super) salt: [u8; 16],
    pub(super) nonce: [u8; 24],
}

impl Header {
    /// A header with a fresh salt and nonce.
    pub(super) fn draw(kind: &str, kdf: Kdf) -> Result<Self, VaultError> {
        if !(1..=KIND_BYTES_MAX).contains(&kind.len()) {
            return Err(VaultError::Format {
                expected: "a kind of 1 to 32 bytes",
            });
        }
        let (mut salt, mut nonce) = ([0; 16], [0; 24]);
        getrandom::fill(&mut salt).map_err(VaultError::Random)?;
        getrandom::fill(&mut nonce).map_err(VaultError::Random)?;
        Ok(Self {
            kind: kind.to_owned(),
            kdf,
            salt,
            nonce,
        })
    }

    /// Magic, length and text of the kind, number of the KDF, its cost (zeros for a key file), salt, nonce.
    pub(super) fn encode(&self) -> Vec<u8> {
        let mut bytes = MAGIC.to_vec();
        bytes.push(u8::try_from(self.kind.len()).unwrap_or(u8::MAX));
        bytes.extend_from_slice(self.kind.as_bytes());
        let (number, cost) = match self.kdf {
            Kdf::Argon2id(cost) => (ARGON2ID, [cost.memory_kib, cost.passes, cost.lanes]),
            Kdf::KeyFile => (KEY_FILE, [0; 3]),
        };
        bytes.push(number);
        bytes.extend(cost.iter().flat_map(|value| value.to_be_bytes()));
        bytes.extend_from_slice(&self.salt);
        bytes.extend_from_slice(&self.nonce);
        bytes
    }

    /// Takes a file apart: the header, its bytes, and the ciphertext behind it.
    pub(super) fn decode(file: &[u8]) -> Result<(Self, &[u8], &[u8]), VaultError> {
        Self::read(file).ok_or(VaultError::Format {
            expected: "a whole header of version 1",
        })
    }

    fn read(file: &[u8]) -> Option<(Self, &[u8], &[u8])> {
        let rest = file.strip_prefix(MAGIC)?;
        let (kind_len, rest) = rest.split_first()?;
        let (kind, rest) = rest.split_at_checked(usize::from(*kind_len))?;
        let kind = std::str::from_utf8(kind).ok()?.to_owned();
        let (number, rest) = rest.split_first()?;
        let (memory, rest) = rest.split_first_chunk::<4>()?;
        let (passes, rest) = rest.split_first_chunk::<4>()?;
        let (lanes, rest) = rest.split_first_chunk::<4>()?;
        let (salt, rest) = rest.split_first_chunk::<16>()?;
        let (nonce, sealed) = rest.split_first_chunk::<24>()?;
        let cost = Cost {
            memory_kib: u32::from_be_bytes(*memory),
            passes: u32::from_be_bytes(*passes),
            lanes: u32::from_be_bytes(*lanes),
        };
        let kdf = match *number {
            ARGON2ID => Kdf::Argon2id(cost),
            KEY_FILE => Kdf::KeyFile,
            _ => return None,
        };
        let header = Self {
            kind,
            kdf,
            salt: *salt,
            nonce: *nonce,
        };
        let aad = file.get(..file.len().checked_sub(sealed.len())?)?;
        Some((header, aad, sealed))
    }
}
