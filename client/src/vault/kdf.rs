//! Derivation of a key from what its owner has: of a passphrase by Argon2id, or of a key file. Vaults and journals say it in the
//! same 13 bytes.

use argon2::{Algorithm, Argon2, Params, Version};
use zeroize::Zeroizing;

use super::{Unlock, VaultError};

const ARGON2ID: u8 = 1;
const KEY_FILE: u8 = 2;

/// The cost of Argon2id.
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
    pub(crate) const CHEAPEST: Self = Self {
        memory_kib: 8 << 10,
        passes: 1,
        lanes: 1,
    };

    fn params(self) -> Result<Params, VaultError> {
        self.check()?;
        Params::new(self.memory_kib, self.passes, self.lanes, Some(32)).map_err(|_| {
            VaultError::Format {
                expected: "parameters that Argon2id takes",
            }
        })
    }

    fn check(self) -> Result<(), VaultError> {
        self.check_from(Self {
            memory_kib: 8 << 10,
            passes: 1,
            lanes: 1,
        })
    }

    fn check_from(self, least: Self) -> Result<(), VaultError> {
        let limits = [
            ("memory in KiB", self.memory_kib, least.memory_kib, 1 << 20),
            ("passes", self.passes, least.passes, 16),
            ("lanes", self.lanes, least.lanes, 8),
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

/// The way in which the key is made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kdf {
    Argon2id(Cost),
    KeyFile,
}

impl Kdf {
    /// Size of what says how.
    pub(crate) const BYTES: usize = 1 + 3 * 4;

    /// The way in which a key is made anew.
    pub(crate) const fn of(unlock: &Unlock, cost: Cost) -> Self {
        match unlock {
            Unlock::Passphrase(_) => Self::Argon2id(cost),
            Unlock::Key(_) => Self::KeyFile,
        }
    }

    pub(crate) const fn opened_with(&self) -> &'static str {
        match self {
            Self::Argon2id(_) => "a passphrase",
            Self::KeyFile => "a key file",
        }
    }

    /// Refuses what costs a guesser less than a key that is made anew: for a file that somebody else may have put there, empty, to be
    /// written into.
    pub(crate) fn check_not_weak(&self) -> Result<(), VaultError> {
        match self {
            Self::Argon2id(cost) => cost.check_from(Cost::default()),
            Self::KeyFile => Ok(()),
        }
    }

    /// Its number, and Argon2id's memory, passes and lanes (zeros for a key file).
    pub(crate) fn encode(&self) -> [u8; Self::BYTES] {
        let (number, cost) = match self {
            Self::Argon2id(cost) => (ARGON2ID, [cost.memory_kib, cost.passes, cost.lanes]),
            Self::KeyFile => (KEY_FILE, [0; 3]),
        };
        let mut bytes = [number; Self::BYTES];
        let cost = cost.iter().flat_map(|value| value.to_be_bytes());
        for (to, from) in bytes.iter_mut().skip(1).zip(cost) {
            *to = from;
        }
        bytes
    }

    /// `None` for a number that nothing has, and for a key file that costs something.
    pub(crate) fn decode(bytes: &[u8; Self::BYTES]) -> Option<Self> {
        let (number, cost) = bytes.split_first()?;
        let (cost, _) = cost.as_chunks::<4>();
        let [memory_kib, passes, lanes] =
            <[[u8; 4]; 3]>::try_from(cost).ok()?.map(u32::from_be_bytes);
        match *number {
            ARGON2ID => Some(Self::Argon2id(Cost {
                memory_kib,
                passes,
                lanes,
            })),
            // One way to say it: a journal's key is made of what its header says, not of the header's bytes.
            KEY_FILE if (memory_kib, passes, lanes) == (0, 0, 0) => Some(Self::KeyFile),
            _ => None,
        }
    }

    /// The 32 bytes that it makes: a key file's as they are, whatever the salt.
    pub(crate) fn key(
        &self,
        unlock: &Unlock,
        salt: &[u8],
    ) -> Result<Zeroizing<[u8; 32]>, VaultError> {
        let mut key = Zeroizing::new([0; 32]);
        match (self, unlock) {
            (Self::Argon2id(cost), Unlock::Passphrase(passphrase)) => {
                Argon2::new(Algorithm::Argon2id, Version::V0x13, cost.params()?)
                    .hash_password_into(passphrase, salt, &mut *key)
                    .map_err(|_| VaultError::Unlock {
                        what: "passphrase",
                        expected: "one that Argon2id takes",
                    })?;
            }
            (Self::KeyFile, Unlock::Key(from_file)) => key.copy_from_slice(&**from_file),
            (kdf, _) => {
                return Err(VaultError::OtherUnlock {
                    expected: kdf.opened_with(),
                });
            }
        }
        Ok(key)
    }
}
