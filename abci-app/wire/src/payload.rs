//! p2p payloads: sealed to the key that the recipient's join brought (HPKE Base, DHKEM(X25519, HKDF-SHA256),
//! HKDF-SHA256, ChaCha20-Poly1305), the same way each time, so that one revealed payload can be judged by anyone.

use alloc::vec::Vec;
use core::convert::Infallible;

use hkdf::Hkdf;
use hpke::{
    Deserializable, OpModeR, OpModeS, Serializable,
    aead::ChaCha20Poly1305,
    kdf::HkdfSha256,
    kem::X25519HkdfSha256,
    rand_core::{TryCryptoRng, TryRng},
};
use sha2::Sha256;
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

use crate::{
    hash::{Hash, NetworkId, SessionId, sha256},
    keys::{EncryptionKey, IdentityKey},
};

/// The KEM in the library's own arithmetic: with it disputes are judged.
pub type LibraryKem = X25519HkdfSha256;
type PublicKey = <LibraryKem as hpke::Kem>::PublicKey;
type Encapped = <LibraryKem as hpke::Kem>::EncappedKey;

/// DHKEM(X25519, HKDF-SHA256), whoever does the arithmetic: it gives the same bytes.
pub trait PayloadKem: hpke::Kem<PublicKey = PublicKey, EncappedKey = Encapped> {}

impl<K: hpke::Kem<PublicKey = PublicKey, EncappedKey = Encapped>> PayloadKem for K {}

/// Bytes of the encapsulated key in front of the ciphertext.
const ENCAPPED_BYTES: usize = 32;

/// Place that a payload belongs to. All of it is authenticated.
#[derive(Debug, Clone)]
pub struct PayloadContext<'a> {
    /// The network.
    pub network: NetworkId,
    /// The session.
    pub session: SessionId,
    /// The transcript of the last closed round.
    pub transcript: Hash,
    /// The round.
    pub round: u32,
    /// The sender's index.
    pub from: u16,
    /// The recipient's index.
    pub to: u16,
    /// The sender's identity.
    pub from_key: &'a IdentityKey,
    /// The recipient's identity.
    pub to_key: &'a IdentityKey,
    /// Digest of the recipient's join.
    pub to_join: Hash,
}

impl PayloadContext<'_> {
    fn info(&self) -> Vec<u8> {
        let mut info = lp(b"white-city/hpke/1");
        info.extend_from_slice(&self.network.0);
        info.extend_from_slice(&self.session.0);
        info
    }

    fn aad(&self) -> Vec<u8> {
        let mut aad = Vec::with_capacity(136);
        aad.extend_from_slice(&self.transcript.0);
        aad.extend_from_slice(&self.round.to_be_bytes());
        aad.extend_from_slice(&self.from.to_be_bytes());
        aad.extend_from_slice(&self.to.to_be_bytes());
        aad.extend_from_slice(self.from_key.as_bytes());
        aad.extend_from_slice(self.to_key.as_bytes());
        aad.extend_from_slice(&self.to_join.0);
        aad
    }
}

/// The 32 random bytes from which a party's encryption key and all its sealing of one session derive.
#[derive(Clone, Zeroize, ZeroizeOnDrop)]
pub struct SessionSeed([u8; 32]);

/// A party's decryption key of one session.
pub struct DecryptionKey<K: PayloadKem>(K::PrivateKey);

/// A payload that could not be sealed or opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PayloadError {
    /// Empty plaintexts don't exist.
    #[error("an empty payload can't be sealed")]
    Empty,
    /// The recipient's key can't be sealed to.
    #[error("the recipient's key can't be sealed to")]
    Key,
    /// The ciphertext wasn't sealed for this place and key.
    #[error("the payload can't be opened")]
    CannotOpen,
}

impl SessionSeed {
    /// From 32 random bytes.
    #[must_use]
    pub const fn new(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The bytes, for a journal.
    #[must_use]
    pub fn expose(&self) -> &[u8; 32] {
        &self.0
    }

    /// The key that others seal to in this session: what the party's join brings.
    #[must_use]
    pub fn encryption_key(&self, session: &SessionId, index: u16) -> EncryptionKeyBytes {
        self.key_pair::<LibraryKem>(session, index)
            .1
            .to_bytes()
            .into()
    }

    /// The key with which the party opens what was sealed to it in this session.
    #[must_use]
    pub fn decryption_key<K: PayloadKem>(
        &self,
        session: &SessionId,
        index: u16,
    ) -> DecryptionKey<K> {
        DecryptionKey(self.key_pair::<K>(session, index).0)
    }

    fn key_pair<K: PayloadKem>(
        &self,
        session: &SessionId,
        index: u16,
    ) -> (K::PrivateKey, PublicKey) {
        let mut info = lp(b"white-city/kem/1");
        info.extend_from_slice(&session.0);
        info.extend_from_slice(&index.to_be_bytes());
        K::derive_keypair(self.derive(&info).as_slice())
    }

    /// The keying material of one payload's ephemeral key: what its sender reveals when it is complained about.
    #[must_use]
    pub fn ikm_e(&self, context: &PayloadContext<'_>, plaintext: &[u8]) -> Zeroizing<[u8; 32]> {
        let mut info = lp(b"white-city/eph/1");
        info.extend_from_slice(&context.aad());
        info.extend_from_slice(&sha256(plaintext).0);
        self.derive(&info)
    }

    /// Seals a payload. The same payload at the same place gives the same bytes.
    ///
    /// # Errors
    /// [`PayloadError::Empty`], or [`PayloadError::Key`] for a key that no valid join brings.
    pub fn seal<K: PayloadKem>(
        &self,
        context: &PayloadContext<'_>,
        to: &EncryptionKey,
        plaintext: &[u8],
    ) -> Result<Vec<u8>, PayloadError> {
        seal_by::<K>(&self.ikm_e(context, plaintext), context, to, plaintext)
    }

    fn derive(&self, info: &[u8]) -> Zeroizing<[u8; 32]> {
        let mut out = Zeroizing::new([0; 32]);
        // 32 bytes are one block of HKDF-SHA256, which can't be too long.
        let expanded = Hkdf::<Sha256>::new(None, &self.0).expand(info, out.as_mut_slice());
        debug_assert!(expanded.is_ok());
        out
    }
}

/// The bytes of an encryption key, as a join carries them.
pub type EncryptionKeyBytes = [u8; 32];

/// `Seal(ikm_e, plaintext)`: what a judge recomputes from a reveal.
///
/// # Errors
/// As [`SessionSeed::seal`].
pub fn seal_with(
    ikm_e: &[u8; 32],
    context: &PayloadContext<'_>,
    to: &EncryptionKey,
    plaintext: &[u8],
) -> Result<Vec<u8>, PayloadError> {
    seal_by::<LibraryKem>(ikm_e, context, to, plaintext)
}

fn seal_by<K: PayloadKem>(
    ikm_e: &[u8; 32],
    context: &PayloadContext<'_>,
    to: &EncryptionKey,
    plaintext: &[u8],
) -> Result<Vec<u8>, PayloadError> {
    if plaintext.is_empty() {
        return Err(PayloadError::Empty);
    }
    let key = PublicKey::from_bytes(to.as_bytes()).map_err(|_| PayloadError::Key)?;
    let (encapped, ciphertext) =
        hpke::single_shot_seal_with_rng::<ChaCha20Poly1305, HkdfSha256, K>(
            &OpModeS::Base,
            &key,
            &context.info(),
            plaintext,
            &context.aad(),
            &mut OneAnswer(ikm_e),
        )
        .map_err(|_| PayloadError::Key)?;
    let mut sealed = encapped.to_bytes().to_vec();
    sealed.extend_from_slice(&ciphertext);
    Ok(sealed)
}

impl<K: PayloadKem> DecryptionKey<K> {
    /// Opens what was sealed to this key at this place.
    ///
    /// # Errors
    /// [`PayloadError::CannotOpen`].
    pub fn open(
        &self,
        context: &PayloadContext<'_>,
        sealed: &[u8],
    ) -> Result<Zeroizing<Vec<u8>>, PayloadError> {
        let (encapped, ciphertext) = sealed
            .split_at_checked(ENCAPPED_BYTES)
            .ok_or(PayloadError::CannotOpen)?;
        let encapped = Encapped::from_bytes(encapped).map_err(|_| PayloadError::CannotOpen)?;
        hpke::single_shot_open::<ChaCha20Poly1305, HkdfSha256, K>(
            &OpModeR::Base,
            &self.0,
            &encapped,
            &context.info(),
            ciphertext,
            &context.aad(),
        )
        .map(Zeroizing::new)
        .map_err(|_| PayloadError::CannotOpen)
    }
}

/// "Randomness" that is the derived keying material: HPKE fills it into `DeriveKeyPair`, once.
struct OneAnswer<'a>(&'a [u8; 32]);

impl TryRng for OneAnswer<'_> {
    type Error = Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Infallible> {
        let mut bytes = [0; 4];
        self.try_fill_bytes(&mut bytes)?;
        Ok(u32::from_be_bytes(bytes))
    }

    fn try_next_u64(&mut self) -> Result<u64, Infallible> {
        let mut bytes = [0; 8];
        self.try_fill_bytes(&mut bytes)?;
        Ok(u64::from_be_bytes(bytes))
    }

    fn try_fill_bytes(&mut self, to: &mut [u8]) -> Result<(), Infallible> {
        to.iter_mut()
            .zip(self.0.iter().cycle())
            .for_each(|(to, from)| *to = *from);
        Ok(())
    }
}

impl TryCryptoRng for OneAnswer<'_> {}

fn lp(bytes: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(bytes.len().saturating_add(68));
    out.extend_from_slice(&u32::try_from(bytes.len()).unwrap_or(u32::MAX).to_be_bytes());
    out.extend_from_slice(bytes);
    out
}
