//! An identity key in a file of this machine.

use std::path::Path;

use futures::future::{BoxFuture, ready};
use white_city_party::OwnKey;
use white_city_wire::{
    Charter, Hash, IdentityKey, NetworkId, Signature, keys::BadKey, signing::Purpose, tx,
};
use zeroize::Zeroizing;

use super::{SignError, Signer};
use crate::{
    files::{FileError, create_secret, read_secret},
    vault::{self, Unlock, VaultError},
};

/// First line of a key file.
const HEAD: &str = "white-city identity key, version 1";
/// Kind of the vaults that hold identities.
const KIND: &str = "identity";
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
        /// The format that was expected.
        expected: &'static str,
    },
    /// The file is encrypted, and nothing was given that opens it.
    #[error("the identity is encrypted: expected the passphrase or the key file that opens it")]
    Locked,
    /// The file is encrypted, and what was given doesn't open it.
    #[error("the identity: {0}")]
    Vault(#[from] VaultError),
    /// The key may not be used.
    #[error("the identity key may not be used: {0}")]
    Key(#[from] BadKey),
    /// The operating system gave no random bytes.
    #[error("no random bytes: {0}")]
    Random(getrandom::Error),
}

/// An Ed25519 key in memory; wiped when dropped.
#[derive(Debug)]
pub struct LocalKey(OwnKey);

impl LocalKey {
    /// A key from its 32 secret bytes.
    ///
    /// # Errors
    /// [`BadKey`], which no honestly drawn key meets.
    pub fn from_seed(seed: &[u8; 32]) -> Result<Self, BadKey> {
        OwnKey::from_seed(seed).map(Self)
    }

    /// Signature with which an operator that the present charter hasn't yet accepts its place in the next one: whoever approves that
    /// charter adds it, so that nobody becomes an operator by a mistyped key.
    #[must_use]
    pub fn accepts(&self, charter: &Charter, network: &NetworkId) -> Signature {
        self.0.signs(Purpose::Operate, network, &charter.hash())
    }

    /// Signature under an operator's card: where its node is and which keys it has.
    #[must_use]
    pub fn signs_card(&self, digest: &Hash) -> Signature {
        let nowhere = NetworkId(Hash::ZERO.0);
        self.0.signs(Purpose::Card, &nowhere, digest)
    }

    /// Signature with which an operator consents to a network's genesis file.
    #[must_use]
    pub fn consents(&self, network: &NetworkId, file: &Hash) -> Signature {
        self.0.signs(Purpose::Genesis, network, file)
    }

    /// Draws a new key and writes it to a new file with mode 600, encrypted.
    ///
    /// # Errors
    /// [`KeyFileError::File`] when the file exists or can't be written; [`KeyFileError::Vault`]; [`KeyFileError::Random`].
    pub fn create(path: &Path, unlock: &Unlock) -> Result<Self, KeyFileError> {
        let seed = draw()?;
        let key = Self::from_seed(&seed)?;
        match vault::store(path, KIND, &*seed, unlock) {
            Err(VaultError::File(error)) => Err(error.into()),
            stored => Ok(stored.map(|()| key)?),
        }
    }

    /// As [`LocalKey::create`], but not encrypted: whoever reads the file is this party.
    ///
    /// # Errors
    /// [`KeyFileError::File`] when the file exists or can't be written; [`KeyFileError::Random`].
    pub fn create_plain(path: &Path) -> Result<Self, KeyFileError> {
        let seed = draw()?;
        let key = Self::from_seed(&seed)?;
        let secret = Zeroizing::new(hex::encode(*seed));
        let text = Zeroizing::new(format!(
            "{HEAD}\npublic {}\nsecret {}\n",
            key.0.identity(),
            *secret
        ));
        create_secret(path, text.as_bytes())?;
        Ok(key)
    }

    /// Reads a key file, which only its owner may be able to read or write. For one that isn't encrypted `unlock` isn't needed.
    ///
    /// # Errors
    /// [`KeyFileError`] says what is wrong with the file.
    pub fn load(path: &Path, unlock: Option<&Unlock>) -> Result<Self, KeyFileError> {
        let bytes = read_secret(path, FILE_BYTES_MAX)?;
        if !vault::is_vault(&bytes) {
            return Self::parse(&bytes);
        }
        let seed = vault::open(&bytes, KIND, unlock.ok_or(KeyFileError::Locked)?)?;
        let seed = <&[u8; 32]>::try_from(seed.as_slice()).map_err(|_| KeyFileError::Format {
            expected: "32 encrypted bytes",
        })?;
        Ok(Self::from_seed(seed)?)
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
        if public != key.0.identity().to_string() {
            return Err(format("the public key of line 2 to belong to the secret"));
        }
        Ok(key)
    }
}

fn draw() -> Result<Zeroizing<[u8; 32]>, KeyFileError> {
    let mut seed = Zeroizing::new([0; 32]);
    getrandom::fill(&mut *seed).map_err(KeyFileError::Random)?;
    Ok(seed)
}

impl Signer for LocalKey {
    fn identity(&self) -> IdentityKey {
        self.0.identity()
    }

    fn sign<'a>(
        &'a self,
        action: &'a tx::Action,
        network: &'a NetworkId,
    ) -> BoxFuture<'a, Result<Signature, SignError>> {
        Box::pin(ready(self.0.sign(action, network)))
    }

    fn storage_key(&self) -> Result<Zeroizing<[u8; 32]>, SignError> {
        self.0.storage_key()
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
        let created = LocalKey::create_plain(&path).unwrap();
        assert_eq!(
            LocalKey::load(&path, None).unwrap().identity(),
            created.identity()
        );
        for again in [
            LocalKey::create_plain(&path),
            LocalKey::create(&path, &key(1)),
        ] {
            assert!(matches!(
                again,
                Err(KeyFileError::File(FileError::Exists { .. }))
            ));
        }
    }

    fn key(byte: u8) -> Unlock {
        Unlock::Key(Zeroizing::new([byte; 32]))
    }

    #[test]
    fn an_encrypted_key_is_opened_by_what_encrypted_it_and_by_nothing_else() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("identity.key");
        let created = LocalKey::create(&path, &key(1)).unwrap();
        let loaded = LocalKey::load(&path, Some(&key(1))).unwrap();
        assert_eq!(loaded.identity(), created.identity());
        let secret = vault::load(&path, KIND, &key(1)).unwrap();
        let file = std::fs::read(&path).unwrap();
        let hex = hex::encode(&*secret);
        for plain in [&secret[..], hex.as_bytes()] {
            assert!(!file.windows(plain.len()).any(|window| window == plain));
        }
        assert!(matches!(
            LocalKey::load(&path, None),
            Err(KeyFileError::Locked)
        ));
        let phrase = Unlock::Passphrase(Zeroizing::new(b"one".to_vec()));
        assert!(matches!(
            LocalKey::load(&path, Some(&phrase)),
            Err(KeyFileError::Vault(VaultError::OtherUnlock { .. }))
        ));
        assert!(matches!(
            LocalKey::load(&path, Some(&key(2))),
            Err(KeyFileError::Vault(VaultError::Locked))
        ));
        // A vault of something else is no identity.
        let other = dir.path().join("share");
        vault::store(&other, "eddsa-share", &secret, &key(1)).unwrap();
        assert!(matches!(
            LocalKey::load(&other, Some(&key(1))),
            Err(KeyFileError::Vault(VaultError::Kind { .. }))
        ));
    }

    #[test]
    fn a_key_file_that_others_can_read_is_refused() {
        use std::os::unix::fs::PermissionsExt;
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("identity.key");
        LocalKey::create_plain(&path).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o644)).unwrap();
        assert!(matches!(
            LocalKey::load(&path, None),
            Err(KeyFileError::File(FileError::Mode { mode: 0o644, .. }))
        ));
    }

    #[test]
    fn a_changed_key_file_is_refused_whatever_was_changed() {
        let key = LocalKey::from_seed(&[7; 32]).unwrap();
        let good = format!(
            "{HEAD}\npublic {}\nsecret {}\n",
            key.identity(),
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
