//! p2p payloads: sealed to the key that the recipient's join brought (HPKE Base, DHKEM(X25519, HKDF-SHA256) or X-Wing,
//! HKDF-SHA256, ChaCha20-Poly1305), the same way each time, so that one revealed payload can be judged by anyone.

use alloc::{boxed::Box, vec::Vec};
use core::convert::Infallible;

use hkdf::Hkdf;
use hpke::{
    Deserializable, OpModeR, OpModeS, Serializable,
    aead::ChaCha20Poly1305,
    kdf::HkdfSha256,
    kem::{X25519HkdfSha256, XWing},
    rand_core::{TryCryptoRng, TryRng},
};
use sha2::Sha256;
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

use crate::{
    hash::{Hash, NetworkId, SessionId, sha256},
    kem::{EncryptionKey, Kem},
    keys::{BadKey, IdentityKey},
};

/// DHKEM in the library's own arithmetic: with it disputes are judged.
pub type LibraryKem = X25519HkdfSha256;
type PublicKey = <LibraryKem as hpke::Kem>::PublicKey;
type Encapped = <LibraryKem as hpke::Kem>::EncappedKey;

/// DHKEM(X25519, HKDF-SHA256), whoever does the arithmetic: it gives the same bytes. X-Wing is the library's in any case.
pub trait PayloadKem: hpke::Kem<PublicKey = PublicKey, EncappedKey = Encapped> {}

impl<K: hpke::Kem<PublicKey = PublicKey, EncappedKey = Encapped>> PayloadKem for K {}

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
pub struct DecryptionKey<K: PayloadKem>(PrivateKey<K>);

enum PrivateKey<K: PayloadKem> {
    X25519(K::PrivateKey),
    XWing(Box<<XWing as hpke::Kem>::PrivateKey>),
}

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
    ///
    /// # Errors
    /// [`BadKey`] for a key that can't be one, which has never come of any seed.
    pub fn encryption_key(
        &self,
        kem: Kem,
        session: &SessionId,
        index: u16,
    ) -> Result<EncryptionKey, BadKey> {
        let ikm = self.key_material(session, index);
        match kem {
            Kem::X25519 => encryption_key::<LibraryKem>(kem, ikm.as_slice()),
            Kem::XWing => encryption_key::<XWing>(kem, ikm.as_slice()),
        }
    }

    /// The key with which the party opens what was sealed to it in this session.
    #[must_use]
    pub fn decryption_key<K: PayloadKem>(
        &self,
        kem: Kem,
        session: &SessionId,
        index: u16,
    ) -> DecryptionKey<K> {
        let ikm = self.key_material(session, index);
        DecryptionKey(match kem {
            Kem::X25519 => PrivateKey::X25519(K::derive_keypair(ikm.as_slice()).0),
            Kem::XWing => {
                let (private, _) = <XWing as hpke::Kem>::derive_keypair(ikm.as_slice());
                PrivateKey::XWing(Box::new(private))
            }
        })
    }

    fn key_material(&self, session: &SessionId, index: u16) -> Zeroizing<[u8; 32]> {
        let mut info = lp(b"white-city/kem/1");
        info.extend_from_slice(&session.0);
        info.extend_from_slice(&index.to_be_bytes());
        derive(&self.0, &info)
    }

    /// The keying material of one payload's ephemeral key: what its sender reveals when it is complained about.
    #[must_use]
    pub fn ikm_e(
        &self,
        kem: Kem,
        context: &PayloadContext<'_>,
        plaintext: &[u8],
    ) -> Zeroizing<[u8; 32]> {
        let mut info = lp(match kem {
            Kem::X25519 => b"white-city/eph/1",
            Kem::XWing => b"white-city/eph/2",
        });
        info.extend_from_slice(&context.aad());
        info.extend_from_slice(&sha256(plaintext).0);
        derive(&self.0, &info)
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
        seal_by::<K>(
            &self.ikm_e(to.kem(), context, plaintext),
            context,
            to,
            plaintext,
        )
    }
}

fn encryption_key<K: hpke::Kem>(kem: Kem, ikm: &[u8]) -> Result<EncryptionKey, BadKey> {
    let (_, public) = K::derive_keypair(ikm);
    EncryptionKey::from_bytes(kem, &public.to_bytes())
}

/// HKDF-SHA256 with an empty salt.
fn derive<const BYTES: usize>(secret: &[u8; 32], info: &[u8]) -> Zeroizing<[u8; BYTES]> {
    let mut out = Zeroizing::new([0; BYTES]);
    // One block of HKDF-SHA256, or two: it could give 255.
    let expanded = Hkdf::<Sha256>::new(None, secret).expand(info, out.as_mut_slice());
    debug_assert!(expanded.is_ok());
    out
}

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
    match to.kem() {
        Kem::X25519 => seal_to::<K>(ikm_e, context, to, plaintext),
        Kem::XWing => {
            // ML-KEM takes 32 bytes, X25519 the others.
            let randomness = derive::<64>(ikm_e, &lp(b"white-city/xwing/2"));
            seal_to::<XWing>(randomness.as_slice(), context, to, plaintext)
        }
    }
}

fn seal_to<K: hpke::Kem>(
    randomness: &[u8],
    context: &PayloadContext<'_>,
    to: &EncryptionKey,
    plaintext: &[u8],
) -> Result<Vec<u8>, PayloadError> {
    let key = K::PublicKey::from_bytes(to.as_bytes()).map_err(|_| PayloadError::Key)?;
    let (encapped, ciphertext) =
        hpke::single_shot_seal_with_rng::<ChaCha20Poly1305, HkdfSha256, K>(
            &OpModeS::Base,
            &key,
            &context.info(),
            plaintext,
            &context.aad(),
            &mut OneAnswer(randomness),
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
        match &self.0 {
            PrivateKey::X25519(key) => open_by::<K>(key, context, sealed),
            PrivateKey::XWing(key) => open_by::<XWing>(key, context, sealed),
        }
    }
}

fn open_by<K: hpke::Kem>(
    key: &K::PrivateKey,
    context: &PayloadContext<'_>,
    sealed: &[u8],
) -> Result<Zeroizing<Vec<u8>>, PayloadError> {
    let (encapped, ciphertext) = sealed
        .split_at_checked(K::EncappedKey::size())
        .ok_or(PayloadError::CannotOpen)?;
    let encapped = K::EncappedKey::from_bytes(encapped).map_err(|_| PayloadError::CannotOpen)?;
    hpke::single_shot_open::<ChaCha20Poly1305, HkdfSha256, K>(
        &OpModeR::Base,
        key,
        &encapped,
        &context.info(),
        ciphertext,
        &context.aad(),
    )
    .map(Zeroizing::new)
    .map_err(|_| PayloadError::CannotOpen)
}

/// "Randomness" that is derived: DHKEM draws the keying material of `DeriveKeyPair` once, X-Wing that of both its parts.
struct OneAnswer<'a>(&'a [u8]);

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
