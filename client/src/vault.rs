//! Secrets at rest: encrypted under a passphrase or a key file, in files that are never overwritten.
//!
//! A vault file is a header and a ciphertext (XChaCha20-Poly1305). The header says how the key is made (Argon2id with its
//! cost, or a key file) and what kind of secret it is; all of it is authenticated, so a share can't be passed off as
//! something else, and what Argon2id may cost is limited before it runs.

mod header;
mod kdf;

use std::path::Path;

use chacha20poly1305::{
    KeyInit, XChaCha20Poly1305, XNonce,
    aead::{Aead, Payload},
};
use header::Header;
pub use header::KIND_BYTES_MAX;
pub use kdf::Cost;
pub(crate) use kdf::Kdf;
use zeroize::Zeroizing;

use crate::files::{FileError, create_secret, read_secret};

/// Largest secret, bytes.
pub const SECRET_BYTES_MAX: u64 = 1 << 20;
/// Largest passphrase file, bytes.
const PASSPHRASE_BYTES_MAX: u64 = 4_096;
/// Size of a key file, bytes.
const KEY_FILE_BYTES: u64 = 32;
/// Largest vault file: header, secret, tag, with room.
const FILE_BYTES_MAX: u64 = SECRET_BYTES_MAX + 1_024;

/// The passphrase or key that opens a vault.
pub enum Unlock {
    /// A passphrase, stretched by Argon2id.
    Passphrase(Zeroizing<Vec<u8>>),
    /// The 32 bytes of a key file.
    Key(Zeroizing<[u8; 32]>),
}

/// Why a secret could not be stored or read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum VaultError {
    /// A file can't be read or written.
    #[error(transparent)]
    File(#[from] FileError),
    /// Not a vault file of this version.
    #[error("not a vault file: expected {expected}")]
    Format {
        /// The format that was expected.
        expected: &'static str,
    },
    /// A secret of another kind.
    #[error("the vault holds a secret of the kind {got:?}, expected {expected:?}")]
    Kind {
        /// The kind that the file has.
        got: String,
        /// The kind that was asked for.
        expected: String,
    },
    /// Argon2id parameters outside the limits.
    #[error("Argon2id {field} is {got}, expected {min} to {max}")]
    Cost {
        /// The parameter's name.
        field: &'static str,
        /// The value that the file has.
        got: u32,
        /// The least.
        min: u32,
        /// The most.
        max: u32,
    },
    /// Sealed with a passphrase and a key file was given, or the other way round.
    #[error("it was encrypted with {expected}, and is opened with nothing else")]
    OtherUnlock {
        /// Name of what opens it.
        expected: &'static str,
    },
    /// A wrong passphrase or key, or a changed file: which of them can't be told.
    #[error("wrong passphrase or key, or the file was changed")]
    Locked,
    /// A passphrase or key file that is none.
    #[error("{what}: expected {expected}")]
    Unlock {
        /// Name of what it is about: the passphrase, or one of the files.
        what: &'static str,
        /// The content that it should have.
        expected: &'static str,
    },
    /// Larger than any secret that is stored.
    #[error("the secret has {got} bytes, at most {SECRET_BYTES_MAX} are stored")]
    TooLarge {
        /// Its size, bytes.
        got: usize,
    },
    /// The operating system gave no random bytes.
    #[error("no random bytes: {0}")]
    Random(getrandom::Error),
}

impl Unlock {
    /// Reads a passphrase from a file that only its owner can read; one line break at the end isn't part of it.
    ///
    /// # Errors
    /// [`VaultError::File`], or [`VaultError::Unlock`] when it is empty.
    pub fn passphrase_file(path: &Path) -> Result<Self, VaultError> {
        let mut bytes = read_secret(path, PASSPHRASE_BYTES_MAX)?;
        let kept = bytes.strip_suffix(b"\n").unwrap_or(&bytes);
        let kept = kept.strip_suffix(b"\r").unwrap_or(kept).len();
        bytes.truncate(kept);
        if bytes.is_empty() {
            return Err(VaultError::Unlock {
                what: "passphrase file",
                expected: "at least one byte",
            });
        }
        Ok(Self::Passphrase(bytes))
    }

    /// Reads a key file: 32 random bytes that only their owner can read.
    ///
    /// # Errors
    /// [`VaultError::File`], or [`VaultError::Unlock`] when it isn't 32 bytes.
    pub fn key_file(path: &Path) -> Result<Self, VaultError> {
        let bytes = read_secret(path, KEY_FILE_BYTES)?;
        let key = <[u8; 32]>::try_from(bytes.as_slice()).map_err(|_| VaultError::Unlock {
            what: "key file",
            expected: "exactly 32 bytes",
        })?;
        Ok(Self::Key(Zeroizing::new(key)))
    }
}

/// Draws 32 random bytes into a new key file.
///
/// # Errors
/// [`VaultError::File`] when the file exists or can't be written; [`VaultError::Random`].
pub fn create_key_file(path: &Path) -> Result<(), VaultError> {
    let mut key = Zeroizing::new([0; 32]);
    getrandom::fill(&mut *key).map_err(VaultError::Random)?;
    Ok(create_secret(path, &*key)?)
}

/// Encrypts a secret of a kind (at most 32 bytes of text) into a new file.
///
/// # Errors
/// [`VaultError::File`] when the file exists or can't be written; [`VaultError::TooLarge`]; [`VaultError::Random`].
pub fn store(path: &Path, kind: &str, secret: &[u8], unlock: &Unlock) -> Result<(), VaultError> {
    let bytes = seal(kind, secret, unlock, Cost::default())?;
    Ok(create_secret(path, &bytes)?)
}

/// Reads and decrypts a secret of a kind.
///
/// # Errors
/// [`VaultError`] says what is wrong; a wrong passphrase and a changed file are the same error.
pub fn load(path: &Path, kind: &str, unlock: &Unlock) -> Result<Zeroizing<Vec<u8>>, VaultError> {
    open(&read_secret(path, FILE_BYTES_MAX)?, kind, unlock)
}

fn seal(kind: &str, secret: &[u8], unlock: &Unlock, cost: Cost) -> Result<Vec<u8>, VaultError> {
    if u64::try_from(secret.len()).unwrap_or(u64::MAX) > SECRET_BYTES_MAX {
        return Err(VaultError::TooLarge { got: secret.len() });
    }
    let kdf = Kdf::of(unlock, cost);
    let header = Header::draw(kind, kdf)?;
    let mut bytes = header.encode();
    let payload = Payload {
        msg: secret,
        aad: &bytes,
    };
    let sealed = cipher(&header, unlock)?
        .encrypt(&XNonce::from(header.nonce), payload)
        .map_err(|_| VaultError::Locked)?;
    bytes.extend_from_slice(&sealed);
    Ok(bytes)
}

/// Whether these are a vault file's bytes, of whatever kind.
pub(crate) fn is_vault(bytes: &[u8]) -> bool {
    bytes.starts_with(header::MAGIC)
}

/// Decrypts a secret of a kind from a vault file's bytes.
pub(crate) fn open(
    bytes: &[u8],
    kind: &str,
    unlock: &Unlock,
) -> Result<Zeroizing<Vec<u8>>, VaultError> {
    let (header, aad, sealed) = Header::decode(bytes)?;
    if header.kind != kind {
        return Err(VaultError::Kind {
            got: header.kind,
            expected: kind.to_owned(),
        });
    }
    cipher(&header, unlock)?
        .decrypt(&XNonce::from(header.nonce), Payload { msg: sealed, aad })
        .map(Zeroizing::new)
        .map_err(|_| VaultError::Locked)
}

fn cipher(header: &Header, unlock: &Unlock) -> Result<XChaCha20Poly1305, VaultError> {
    let key = header.kdf.key(unlock, &header.salt)?;
    Ok(XChaCha20Poly1305::new((&*key).into()))
}

#[cfg(test)]
mod tests {
    use super::*;

    const CHEAP: Cost = Cost::CHEAPEST;

    fn key(byte: u8) -> Unlock {
        Unlock::Key(Zeroizing::new([byte; 32]))
    }

    fn passphrase(text: &str) -> Unlock {
        Unlock::Passphrase(Zeroizing::new(text.as_bytes().to_vec()))
    }

    #[test]
    fn a_vault_opens_with_what_sealed_it_and_with_nothing_else() {
        for (unlock, wrong) in [
            (key(1), [key(2), passphrase("one")]),
            (passphrase("one"), [passphrase("two"), key(1)]),
        ] {
            let sealed = seal("share", b"secret", &unlock, CHEAP).unwrap();
            assert_eq!(&**open(&sealed, "share", &unlock).unwrap(), b"secret");
            for wrong in wrong {
                assert!(open(&sealed, "share", &wrong).is_err());
            }
            assert!(matches!(
                open(&sealed, "other", &unlock),
                Err(VaultError::Kind { .. })
            ));
            let found = sealed.windows(6).any(|window| window == b"secret");
            assert!(!found, "the secret isn't in the file");
        }
    }

    #[test]
    fn a_vault_with_any_byte_changed_added_or_cut_off_stays_shut() {
        let sealed = seal("share", b"secret", &key(1), CHEAP).unwrap();
        for position in 0..sealed.len() {
            let mut bad = sealed.clone();
            bad[position] ^= 1;
            assert!(open(&bad, "share", &key(1)).is_err(), "byte {position}");
            assert!(
                open(&sealed[..position], "share", &key(1)).is_err(),
                "cut at {position}"
            );
        }
        assert!(open(&[&sealed[..], &[0]].concat(), "share", &key(1)).is_err());
    }

    #[test]
    fn costs_outside_their_limits_are_refused_before_they_are_paid() {
        let sealed = seal("share", b"secret", &passphrase("one"), CHEAP).unwrap();
        // Behind the magic, the kind and the KDF's number come memory, passes and lanes.
        let start = 8 + 1 + "share".len() + 1;
        for (offset, bad) in [
            (0, [0, 0, 0, 0]),
            (0, [0x00, 0x00, 0x1f, 0xff]),
            (0, [0x00, 0x10, 0x00, 0x01]),
            (0, [0xff; 4]),
            (4, [0; 4]),
            (4, [0, 0, 0, 17]),
            (8, [0; 4]),
            (8, [0, 0, 0, 9]),
        ] {
            let mut changed = sealed.clone();
            changed[start + offset..start + offset + 4].copy_from_slice(&bad);
            assert!(
                matches!(
                    open(&changed, "share", &passphrase("one")),
                    Err(VaultError::Cost { .. })
                ),
                "{offset} {bad:?}"
            );
        }
    }

    #[test]
    fn the_same_secret_is_never_sealed_to_the_same_bytes() {
        let sealed = || seal("share", b"secret", &key(1), CHEAP).unwrap();
        assert_ne!(sealed(), sealed());
    }

    #[test]
    fn files_hold_vaults_passphrases_and_keys() {
        let dir = tempfile::tempdir().unwrap();
        let [vault, key, phrase] = ["vault", "key", "phrase"].map(|name| dir.path().join(name));
        create_key_file(&key).unwrap();
        let unlock = Unlock::key_file(&key).unwrap();
        store(&vault, "share", b"secret", &unlock).unwrap();
        assert_eq!(&**load(&vault, "share", &unlock).unwrap(), b"secret");
        assert!(
            store(&vault, "share", b"secret", &unlock).is_err(),
            "never overwritten"
        );
        create_secret(&phrase, b"horse\r\n").unwrap();
        let Unlock::Passphrase(read) = Unlock::passphrase_file(&phrase).unwrap() else {
            panic!("a passphrase file gives a passphrase");
        };
        assert_eq!(&**read, b"horse");
        assert!(Unlock::key_file(&phrase).is_err(), "not 32 bytes");
        for (number, nothing) in ["", "\n", "\r\n"].into_iter().enumerate() {
            let empty = dir.path().join(format!("empty{number}"));
            create_secret(&empty, nothing.as_bytes()).unwrap();
            let refused = Unlock::passphrase_file(&empty);
            assert!(matches!(refused, Err(VaultError::Unlock { .. })));
        }
    }

    #[test]
    fn a_secret_is_stored_up_to_its_limit_and_refused_past_it() {
        let max = usize::try_from(SECRET_BYTES_MAX).unwrap();
        assert!(seal("share", &vec![0; max], &key(1), CHEAP).is_ok());
        assert!(matches!(
            seal("share", &vec![0; max + 1], &key(1), CHEAP),
            Err(VaultError::TooLarge { .. })
        ));
    }
}
