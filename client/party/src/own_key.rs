//! An identity's secret key.

use std::fmt;

use ed25519_dalek::{Signer as _, SigningKey};
use hkdf::Hkdf;
use sha2::Sha256;
use white_city_wire::{
    Hash, IdentityKey, NetworkId, Signature,
    keys::BadKey,
    signing::{Purpose, signed_bytes},
    tx,
};
use zeroize::Zeroizing;

/// The label that tells the storage key from everything else that may be derived from the secret.
const STORAGE_INFO: &[u8] = b"white-city/storage-key/1";

/// Why there is no signature.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SignError {
    /// Evidence carries its own signatures.
    #[error("this kind of transaction isn't signed")]
    NotSigned,
    /// The signer has no key for files.
    #[error("the signer has no storage key, which encrypts journals")]
    NoStorageKey,
    /// The signer gave another reason.
    #[error("the signer refused: {0}")]
    Refused(String),
}

/// An Ed25519 key in memory; wiped when dropped.
pub struct OwnKey {
    secret: SigningKey,
    identity: IdentityKey,
}

impl fmt::Debug for OwnKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OwnKey")
            .field("identity", &self.identity)
            .finish_non_exhaustive()
    }
}

impl OwnKey {
    /// A key from its 32 secret bytes.
    ///
    /// # Errors
    /// [`BadKey`], which no honestly drawn key meets.
    pub fn from_seed(seed: &[u8; 32]) -> Result<Self, BadKey> {
        let secret = SigningKey::from_bytes(seed);
        let identity = IdentityKey::from_bytes(secret.verifying_key().as_bytes())?;
        Ok(Self { secret, identity })
    }

    /// The identity's public key.
    #[must_use]
    pub const fn identity(&self) -> IdentityKey {
        self.identity
    }

    /// Signs an action for a network.
    ///
    /// # Errors
    /// [`SignError::NotSigned`].
    pub fn sign(&self, action: &tx::Action, network: &NetworkId) -> Result<Signature, SignError> {
        let bytes = tx::bytes_to_sign(action, network).ok_or(SignError::NotSigned)?;
        Ok(Signature(self.secret.sign(&bytes).to_bytes()))
    }

    /// Signs a digest for another purpose than an action.
    #[must_use]
    pub fn signs(&self, purpose: Purpose, network: &NetworkId, digest: &Hash) -> Signature {
        let bytes = signed_bytes(purpose, network, digest);
        Signature(self.secret.sign(&bytes).to_bytes())
    }

    /// 32 secret bytes from which the keys of this identity's journals are derived. They sign nothing.
    ///
    /// # Errors
    /// [`SignError::NoStorageKey`], which 32 bytes never come to.
    pub fn storage_key(&self) -> Result<Zeroizing<[u8; 32]>, SignError> {
        let mut key = Zeroizing::new([0; 32]);
        // 32 bytes are one block of HKDF-SHA256, which can't be too long.
        Hkdf::<Sha256>::new(None, self.secret.as_bytes())
            .expand(STORAGE_INFO, &mut *key)
            .map_err(|_| SignError::NoStorageKey)?;
        Ok(key)
    }
}
