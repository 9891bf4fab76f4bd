//! The head of a vault file: magic, kind, how the key is made, salt, nonce.

use super::{VaultError, kdf::Kdf};

/// First bytes of every vault file; the last of them is the version.
pub(super) const MAGIC: &[u8; 8] = b"WCVAULT1";
/// Longest kind, bytes.
pub const KIND_BYTES_MAX: usize = 32;

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
        bytes.extend_from_slice(&self.kdf.encode());
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
        let (kdf, rest) = rest.split_first_chunk::<{ Kdf::BYTES }>()?;
        let (salt, rest) = rest.split_first_chunk::<16>()?;
        let (nonce, sealed) = rest.split_first_chunk::<24>()?;
        let header = Self {
            kind,
            kdf: Kdf::decode(kdf)?,
            salt: *salt,
            nonce: *nonce,
        };
        let aad = file.get(..file.len().checked_sub(sealed.len())?)?;
        Some((header, aad, sealed))
    }
}
