//! An identity key in a file of this machine.

use std::{fmt, path::Path};

use ed25519_dalek::{Signer as _, SigningKey};
use futures::future::{BoxFuture, ready};
use hkdf::Hkdf;
use sha2::Sha256;
use white_city_wire::{IdentityKey, NetworkId, Signature, keys::BadKey, tx};
use zeroize::Zeroizing;

use super::{SignError, Signer};
use crate::files::{FileError, create_secret, read_secret};

/// First line of a key file.
const HEAD: &str = "white-city identity key, version 1";
/// What tells the storage key from everything else that may be derived from the secret.
const STORAGE_INFO: &[u8] = b"white-city/storage-key/1";
/// Largest key file, bytes.
const FILE_BYTES_MAX: u64 = 1_024;

/// Why there is no key.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum KeyFileError {
    /// The file can't be read or written.
    #[error(transparent)]
    File(#[from] FileError),
    /// Not a key file of this version.
    #[error("not an identity key file: expected {expected}")]
    Format {
        /// What was expected.
        expected: &'static str,
    },
    /// The key may not be used.
    #[error("the identity key may not be used: {0}")]
    Key(#[from] BadKey),
    /// The operating system gave no random bytes.
    #[error("no random bytes: {0}")]
    Random(getrandom::Error),
}

/// An Ed25519 key in memory; wiped when dropped.
pub struct LocalKey {
    secret: SigningKey,
    identity: IdentityKey,
}

impl fmt::Debug for LocalKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LocalKey")
            .field("identity", &self.identity)
            .finish_non_exhaustive()
    }
}

impl LocalKey {
    /// A key from its 32 secret bytes.
    ///
    /// # Errors
    /// [`BadKey`], which no honestly drawn key meets.
    pub fn from_seed(seed: &[u8; 32]) -> Result<Self, BadKey> {
        let secret = SigningKey::from_bytes(seed);
        let identity = IdentityKey::from_bytes(secret.verifying_key().as_bytes())?;
        Ok(Self { secret, identity })
    }

    /// Draws a new key and writes it to a new file with mode 600.
    ///
    /// # Errors
    /// [`KeyFileError::File`] when the file exists or can't be written; [`KeyFileError::Random`].
    pub fn create(path: &Path) -> Result<Self, KeyFileError> {
        let mut seed = Zeroizing::new([0; 32]);
        getrandom::fill(&mut *seed).map_err(KeyFileError::Random)?;
        let key = Self::from_seed(&seed)?;
        let secret = Zeroizing::new(hex::encode(*seed));
        let text = Zeroizing::new(format!(
            "{HEAD}\npublic {}\nsecret {}\n",
            key.identity, *secret
        ));
        create_secret(path, text.as_bytes())?;
        Ok(key)
    }

    /// Reads a key file, which only its owner may be able to read or write.
    ///
    /// # Errors
    /// [`KeyFileError`] says what is wrong with the file.
    pub fn load(path: &Path) -> Result<Self, KeyFileError> {
        Self::parse(&read_secret(path, FILE_BYTES_MAX)?)
    }

    fn parse(bytes: &[u8]) -> Result<Self, KeyFileError> {
        let format = |expected| KeyFileError::Format { expected };
        let text = std::str::from_utf8(bytes).map_err(|_| format("text"))?;
        let mut lines = text.lines();
        if lines.next() != Some(HEAD) {
            return Err(format("\"white-city identity key, version 1\" in line 1"));
        }
        let public = lines.next().and_then(|line| line.strip_prefix("public "));
        let public = public.ok_or(format("\"public\" and 64 hex digits in line 2"))?;
        let secret = lines.next().and_then(|line| line.strip_prefix("secret "));
        let secret = secret.ok_or(format("\"secret\" and 64 hex digits in line 3"))?;
        if lines.next().is_some() {
            return Err(format("three lines"));
        }
        let mut seed = Zeroizing::new([0; 32]);
        hex::decode_to_slice(secret, &mut *seed)
            .map_err(|_| format("\"secret\" and 64 hex digits in line 3"))?;
        let key = Self::from_seed(&seed)?;
        if public != key.identity.to_string() {
            return Err(format("the public key of line 2 to belong to the secret"));
        }
        Ok(key)
    }
}

impl Signer for LocalKey {
    fn identity(&self) -> IdentityKey {
        self.identity
    }

    fn sign<'a>(
        &'a self,
        action: &'a tx::Action,
        network: &'a NetworkId,
    ) -> BoxFuture<'a, Result<Signature, SignError>> {
        let signature = tx::bytes_to_sign(action, network)
            .map(|bytes| Signature(self.secret.sign(&bytes).to_bytes()))
            .ok_or(SignError::NotSigned);
        Box::pin(ready(signature))
    }

    fn storage_key(&self) -> Result<Zeroizing<[u8; 32]>, SignError> {
        let mut key = Zeroizing::new([0; 32]);
        // 32 bytes are one block of HKDF-SHA256, which can't be too long.
        Hkdf::<Sha256>::new(None, self.secret.as_bytes())
            .expand(STORAGE_INFO, &mut *key)
            .map_err(|_| SignError::NoStorageKey)?;
        Ok(key)
    }
}

#[cfg(test)]
mod tests {
    use white_city_wire::{SessionId, SignedTx};

    use super::*;

    #[test]
    fn a_key_file_gives_back_the_key_that_was_created() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("identity.key");
        let created = LocalKey::create(&path).unwrap();
        assert_eq!(
            LocalKey::load(&path).unwrap().identity(),
            created.identity()
        );
        assert!(matches!(
            LocalKey::create(&path),
            Err(KeyFileError::File(FileError::Exists { .. }))
        ));
    }

    #[test]
    fn a_key_file_that_others_can_read_is_refused() {
        use std::os::unix::fs::PermissionsExt;
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("identity.key");
        LocalKey::create(&path).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o644)).unwrap();
        assert!(matches!(
            LocalKey::load(&path),
            Err(KeyFileError::File(FileError::Mode { mode: 0o644, .. }))
        ));
    }

    #[test]
    fn a_changed_key_file_is_refused_whatever_was_changed() {
        let key = LocalKey::from_seed(&[7; 32]).unwrap();
        let good = format!(
            "{HEAD}\npublic {}\nsecret {}\n",
            key.identity,
            "07".repeat(32)
        );
        assert!(LocalKey::parse(good.as_bytes()).is_ok());
        for position in 0..good.len() - 1 {
            let mut bad = good.clone().into_bytes();
            bad[position] ^= 1;
            assert!(LocalKey::parse(&bad).is_err(), "byte {position}");
        }
        for cut in 0..good.len() - 1 {
            assert!(
                LocalKey::parse(&good.as_bytes()[..cut]).is_err(),
                "cut at {cut}"
            );
        }
        assert!(LocalKey::parse(format!("{good}more\n").as_bytes()).is_err());
    }

    #[test]
    fn nothing_prints_the_secret() {
        let key = LocalKey::from_seed(&[7; 32]).unwrap();
        assert!(!format!("{key:?}").contains("0707"));
    }

    #[tokio::test]
    async fn a_signature_holds_for_its_action_and_network_only() {
        let key = LocalKey::from_seed(&[7; 32]).unwrap();
        let leave = |reason| tx::Action::Leave {
            session: SessionId([1; 32]),
            index: 0,
            leave: tx::Leave::Decline { reason },
        };
        let network = NetworkId([2; 32]);
        let signature = key.sign(&leave(3), &network).await.unwrap();
        let verify = |reason, network: &NetworkId| {
            let tx = SignedTx::new(leave(reason), signature).unwrap();
            tx.verify(&key.identity(), 1, network).is_ok()
        };
        assert!(verify(3, &network));
        assert!(!verify(4, &network));
        assert!(!verify(3, &NetworkId([3; 32])));
    }
}
