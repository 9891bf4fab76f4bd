//! Parties with keys from seeds, and what they sign.

use ed25519_dalek::{
    Sha512, Signer as _, SigningKey,
    hazmat::{ExpandedSecretKey, raw_sign},
};
use white_city_wire::{
    EncryptionKey, Entry, IdentityKey, Kem, NetworkId, SessionId, Signature, SignedEntry, SignedTx,
    VerifiedTx,
    hash::sha256,
    payload::SessionSeed,
    signing::signed_bytes,
    tx::{Action, bytes_to_sign},
};

/// One identity.
#[derive(Clone)]
pub struct Party {
    signing: SigningKey,
    key: IdentityKey,
}

impl Party {
    /// The identity that a number decides.
    ///
    /// # Panics
    /// Never: every Ed25519 secret has a good public key.
    #[must_use]
    pub fn new(number: u64) -> Self {
        let signing = SigningKey::from_bytes(&Self::seed(number));
        let key = IdentityKey::from_bytes(signing.verifying_key().as_bytes());
        Self {
            key: key.expect("the key of a secret scalar is a good key"),
            signing,
        }
    }

    /// The seed of the identity that a number decides.
    #[must_use]
    pub fn seed(number: u64) -> [u8; 32] {
        let mut seed = b"party".to_vec();
        seed.extend_from_slice(&number.to_be_bytes());
        sha256(&seed).0
    }

    /// Identities 0 to `count - 1`.
    #[must_use]
    pub fn several(count: u64) -> Vec<Self> {
        (0..count).map(Self::new).collect()
    }

    /// Its public key.
    #[must_use]
    pub const fn key(&self) -> &IdentityKey {
        &self.key
    }

    /// An X25519 key; another `variant` is another key.
    #[must_use]
    pub fn encryption_key(&self, variant: u8) -> EncryptionKey {
        self.encryption_key_of(Kem::X25519, variant)
    }

    /// An encryption key of this kind; another `variant` is another key.
    ///
    /// # Panics
    /// Never: the bytes of one are below the field's size and of no low order, the others are derived.
    #[must_use]
    pub fn encryption_key_of(&self, kem: Kem, variant: u8) -> EncryptionKey {
        let mut bytes = sha256(&[self.key.as_bytes(), &[variant][..]].concat()).0;
        let key = match kem {
            Kem::X25519 => {
                bytes[31] &= 0x3f;
                EncryptionKey::from_bytes(kem, &bytes)
            }
            Kem::XWing => SessionSeed::new(bytes).encryption_key(kem, &SessionId::ZERO, 0),
        };
        key.expect("a good key")
    }

    /// Signs bytes.
    #[must_use]
    pub fn sign(&self, bytes: &[u8]) -> Signature {
        Signature(self.signing.sign(bytes).to_bytes())
    }

    /// Signs an action. Evidence is signed by nobody.
    ///
    /// # Panics
    /// When the action isn't one that can be encoded, which is a mistake in the test.
    #[must_use]
    pub fn tx(&self, action: Action, network: &NetworkId) -> SignedTx {
        let signature =
            bytes_to_sign(&action, network).map_or(Signature([0; 64]), |bytes| self.sign(&bytes));
        SignedTx::new(action, signature).expect("an action that can be encoded")
    }

    /// Signs an action in another way: the same key and digest, other bytes.
    ///
    /// # Panics
    /// When the action isn't one that is signed and can be encoded, which is a mistake in the test.
    #[must_use]
    pub fn tx_again(&self, action: Action, network: &NetworkId) -> SignedTx {
        let bytes = bytes_to_sign(&action, network).expect("an action that is signed");
        let mut secret = ExpandedSecretKey::from(self.signing.as_bytes());
        // What makes the nonce; any other value gives another valid signature.
        secret.hash_prefix = [7; 32];
        let signature = raw_sign::<Sha512>(&secret, &bytes, &self.signing.verifying_key());
        SignedTx::new(action, Signature(signature.to_bytes()))
            .expect("an action that can be encoded")
    }

    /// Signs an action, and verifies it under this party's key whoever should have signed.
    ///
    /// # Panics
    /// When a recipient isn't among the `parties`, which is a mistake in the test.
    #[must_use]
    pub fn verified(&self, action: Action, parties: u16, network: &NetworkId) -> VerifiedTx {
        self.tx(action, network)
            .verify(&self.key, parties, network)
            .expect("its own signature verifies")
    }

    /// Signs an entry without its payloads, as evidence carries it.
    #[must_use]
    pub fn entry(&self, entry: Entry, network: &NetworkId) -> SignedEntry {
        let bytes = signed_bytes(entry.purpose(), network, &entry.digest());
        SignedEntry {
            signature: self.sign(&bytes),
            entry,
        }
    }
}
