//! The arithmetic with which a party seals and opens p2p payloads: X25519 by AWS-LC, whose code for it is proved correct and
//! takes half the time of the library's own. Everything else of HPKE is the library's.
//!
//! A party with hundreds of others seals and opens hundreds of payloads in a round. Disputes are judged with the library's
//! own arithmetic, in which nothing is foreign to the state machine; both give the same bytes.

use std::sync::Arc;

use aws_lc_rs::agreement::{self, UnparsedPublicKey, X25519};
use hpke::{
    Deserializable, HpkeError, Serializable,
    kdf::{HkdfSha256, Kdf},
    kem::SharedSecret,
    rand_core::CryptoRng,
};
use subtle::{Choice, ConstantTimeEq};
use white_city_wire::payload::LibraryKem;
use zeroize::Zeroizing;

type LibraryKey = <LibraryKem as hpke::Kem>::PrivateKey;
type PublicKey = <LibraryKem as hpke::Kem>::PublicKey;
type EncappedKey = <LibraryKem as hpke::Kem>::EncappedKey;

/// `"KEM" ‖ I2OSP(kem_id, 2)` (RFC 9180, section 4.1).
const SUITE_ID: [u8; 5] = *b"KEM\x00\x20";

/// DHKEM(X25519, HKDF-SHA256) for HPKE's base mode (RFC 9180, section 4.1). With a sender's key, as the authenticated modes
/// have it, it fails.
pub struct PartyKem;

impl hpke::Kem for PartyKem {
    type PublicKey = PublicKey;
    type PrivateKey = PartyKey;
    type EncappedKey = EncappedKey;
    type NSecret = <LibraryKem as hpke::Kem>::NSecret;
    const KEM_ID: u16 = LibraryKem::KEM_ID;

    fn sk_to_pk(private: &PartyKey) -> PublicKey {
        LibraryKem::sk_to_pk(&private.exported)
    }

    fn derive_keypair(ikm: &[u8]) -> (PartyKey, PublicKey) {
        let (private, public) = LibraryKem::derive_keypair(ikm);
        (PartyKey::new(private), public)
    }

    fn encap_with_rng(
        recipient: &PublicKey,
        sender: Option<(&PartyKey, &PublicKey)>,
        rng: &mut impl CryptoRng,
    ) -> Result<(SharedSecret<Self>, EncappedKey), HpkeError> {
        if sender.is_some() {
            return Err(HpkeError::EncapError);
        }
        let mut ikm = Zeroizing::new([0; 32]);
        rng.fill_bytes(ikm.as_mut_slice());
        let secret = Zeroizing::new(HkdfSha256::derive_x25519_sk_eph_bytes(
            &SUITE_ID,
            ikm.as_slice(),
        ));
        let ephemeral = KeyPair::new(&secret).ok_or(HpkeError::EncapError)?;
        let (encapped, recipient) = (ephemeral.public, recipient.to_bytes().into());
        let shared = ephemeral.shared(&recipient, [encapped, recipient]);
        let shared = shared.ok_or(HpkeError::EncapError)?;
        Ok((shared, EncappedKey::from_bytes(&encapped)?))
    }

    fn decap(
        recipient: &PartyKey,
        sender: Option<&PublicKey>,
        encapped: &EncappedKey,
    ) -> Result<SharedSecret<Self>, HpkeError> {
        if sender.is_some() {
            return Err(HpkeError::DecapError);
        }
        let own = recipient.pair.as_ref().ok_or(HpkeError::DecapError)?;
        let encapped = encapped.to_bytes().into();
        let shared = own.shared(&encapped, [encapped, own.public]);
        shared.ok_or(HpkeError::DecapError)
    }
}

/// A party's private key, ready for AWS-LC: its public key takes a base multiplication, and each opening needs both.
#[derive(Clone)]
pub struct PartyKey {
    exported: LibraryKey,
    /// Nothing where AWS-LC had no memory for it.
    pair: Option<Arc<KeyPair>>,
}

impl PartyKey {
    fn new(exported: LibraryKey) -> Self {
        let mut secret = Zeroizing::new([0; 32]);
        exported.write_exact(secret.as_mut_slice());
        let pair = KeyPair::new(&secret).map(Arc::new);
        Self { exported, pair }
    }
}

impl ConstantTimeEq for PartyKey {
    fn ct_eq(&self, other: &Self) -> Choice {
        self.exported.ct_eq(&other.exported)
    }
}

impl Serializable for PartyKey {
    type OutputSize = <LibraryKey as Serializable>::OutputSize;

    fn write_exact(&self, buffer: &mut [u8]) {
        self.exported.write_exact(buffer);
    }
}

impl Deserializable for PartyKey {
    fn from_bytes(bytes: &[u8]) -> Result<Self, HpkeError> {
        LibraryKey::from_bytes(bytes).map(Self::new)
    }
}

/// A private key as AWS-LC holds it, and its public key.
struct KeyPair {
    private: agreement::PrivateKey,
    public: [u8; 32],
}

impl KeyPair {
    fn new(secret: &[u8; 32]) -> Option<Self> {
        let private = agreement::PrivateKey::from_private_key(&X25519, secret).ok()?;
        let public = private
            .compute_public_key()
            .ok()?
            .as_ref()
            .try_into()
            .ok()?;
        Some(Self { private, public })
    }

    /// `ExtractAndExpand(DH(skX, pkY), kem_context)`; nothing where the Diffie-Hellman gives zeros.
    fn shared(&self, other: &[u8; 32], context: [[u8; 32]; 2]) -> Option<SharedSecret<PartyKem>> {
        let other = UnparsedPublicKey::new(&X25519, other);
        agreement::agree(&self.private, other, (), |dh| {
            let mut shared = SharedSecret::default();
            HkdfSha256::extract_and_expand(dh, &SUITE_ID, context.as_flattened(), &mut shared.0)
                .map_err(|_| ())?;
            Ok(shared)
        })
        .ok()
    }
}

#[cfg(test)]
mod tests;
