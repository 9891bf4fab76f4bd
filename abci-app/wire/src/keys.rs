//! Keys and signatures that are refused where they enter when they aren't what they should be.

use core::fmt;

use curve25519_dalek::edwards::CompressedEdwardsY;
use ed25519_dalek::VerifyingKey;

/// Why a key was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BadKey {
    /// Not 32 bytes, or no point of the curve.
    #[error("not the encoding of a curve point (32 bytes)")]
    NotAPoint,
    /// A second encoding of a point that has another one.
    #[error("not the canonical encoding of the point")]
    NotCanonical,
    /// A point of small order, which anybody can sign for or agree with.
    #[error("a point of small order")]
    Weak,
    /// A point outside the prime-order group.
    #[error("a point with a torsion component")]
    Torsion,
}

/// An Ed25519 identity key: canonical, not weak, without torsion. It is kept as its 32 bytes, so that a roster weighs in
/// memory what its session has reserved for it; a verification parses it again, at a tenth of its own cost.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct IdentityKey([u8; 32]);

impl IdentityKey {
    /// Checks and parses a key.
    ///
    /// # Errors
    /// [`BadKey`] says which of the checks failed.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, BadKey> {
        let key = Self::from_unchecked(bytes)?;
        key.check()?;
        Ok(key)
    }

    /// 32 bytes that were checked when the board took them, and that the board's root commits to: only for what is read back from
    /// there and compared with it. The checks cost as much as a signature's.
    ///
    /// # Errors
    /// [`BadKey::NotAPoint`] when they aren't 32.
    pub fn from_accepted(bytes: &[u8]) -> Result<Self, BadKey> {
        Self::from_unchecked(bytes)
    }

    /// 32 bytes of which [`IdentityKey::check`] hasn't said yet that they are a key.
    pub(crate) fn from_unchecked(bytes: &[u8]) -> Result<Self, BadKey> {
        bytes.try_into().map(Self).map_err(|_| BadKey::NotAPoint)
    }

    /// The checks that cost as much as a signature's.
    pub(crate) fn check(&self) -> Result<(), BadKey> {
        let point = CompressedEdwardsY(self.0)
            .decompress()
            .ok_or(BadKey::NotAPoint)?;
        if point.compress().0 != self.0 {
            return Err(BadKey::NotCanonical);
        }
        if point.is_small_order() {
            return Err(BadKey::Weak);
        }
        if !point.is_torsion_free() {
            return Err(BadKey::Torsion);
        }
        Ok(())
    }

    /// The 32 bytes.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// Whether `signature` over `message` is this key's, by the strict rule that every replica applies.
    #[must_use]
    pub fn verify(&self, message: &[u8], signature: &Signature) -> bool {
        let signature = ed25519_dalek::Signature::from_bytes(&signature.0);
        VerifyingKey::from_bytes(&self.0)
            .is_ok_and(|key| key.verify_strict(message, &signature).is_ok())
    }
}

impl fmt::Display for IdentityKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.as_bytes()
            .iter()
            .try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}
impl fmt::Debug for IdentityKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Kind of an encryption key: DHKEM(X25519, HKDF-SHA256).
pub const KEM_X25519: u8 = 1;

/// An X25519 key that a party brings to one session: canonical, not of low order.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct EncryptionKey([u8; 32]);

impl EncryptionKey {
    /// Checks a key of the kind [`KEM_X25519`].
    ///
    /// # Errors
    /// [`BadKey`] says which of the checks failed.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, BadKey> {
        let bytes: [u8; 32] = bytes.try_into().map_err(|_| BadKey::NotAPoint)?;
        if !below_field_size(&bytes) {
            return Err(BadKey::NotCanonical);
        }
        if LOW_ORDER.contains(&bytes) {
            return Err(BadKey::Weak);
        }
        Ok(Self(bytes))
    }

    /// The 32 bytes.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl fmt::Debug for EncryptionKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&crate::Hash(self.0), f)
    }
}

/// 2^255 - 19 and a little less, little-endian: `0xed` is the field's size itself.
const fn near_field_size(lowest: u8) -> [u8; 32] {
    let mut bytes = [0xff; 32];
    bytes[0] = lowest;
    bytes[31] = 0x7f;
    bytes
}

/// A small number, little-endian.
const fn small(number: u8) -> [u8; 32] {
    let mut bytes = [0; 32];
    bytes[0] = number;
    bytes
}

/// The coordinates of all points of Curve25519 and its twist whose order divides 8: 0, 1, -1 and the two of order 8. A party whose
/// key is one of them shares the same secret with everybody. To look them up costs nothing, and each reader of a session looks at
/// each member's key.
const LOW_ORDER: [[u8; 32]; 5] = [
    small(0),
    small(1),
    near_field_size(0xec),
    [
        0xe0, 0xeb, 0x7a, 0x7c, 0x3b, 0x41, 0xb8, 0xae, 0x16, 0x56, 0xe3, 0xfa, 0xf1, 0x9f, 0xc4,
        0x6a, 0xda, 0x09, 0x8d, 0xeb, 0x9c, 0x32, 0xb1, 0xfd, 0x86, 0x62, 0x05, 0x16, 0x5f, 0x49,
        0xb8, 0x00,
    ],
    [
        0x5f, 0x9c, 0x95, 0xbc, 0xa3, 0x50, 0x8c, 0x24, 0xb1, 0xd0, 0xb1, 0x55, 0x9c, 0x83, 0xef,
        0x5b, 0x04, 0x44, 0x5c, 0xc4, 0x58, 0x1c, 0x8e, 0x86, 0xd8, 0x22, 0x4e, 0xdd, 0xd0, 0x9f,
        0x11, 0x57,
    ],
];

/// Whether a little-endian number is below 2^255 - 19.
fn below_field_size(bytes: &[u8; 32]) -> bool {
    const FIELD: [u8; 32] = near_field_size(0xed);
    bytes.iter().rev().lt(FIELD.iter().rev())
}

/// The 64 bytes of an Ed25519 signature, checked only when it is verified.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Signature(pub [u8; 64]);

impl Signature {
    /// Reads exactly 64 bytes; anything else is `None`.
    #[must_use]
    pub fn from_slice(bytes: &[u8]) -> Option<Self> {
        bytes.try_into().ok().map(Self)
    }
}

impl fmt::Debug for Signature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

#[cfg(test)]
mod tests {
    use curve25519_dalek::montgomery::MontgomeryPoint;

    use super::*;

    fn hex32(text: &str) -> [u8; 32] {
        let mut bytes = [0; 32];
        hex::decode_to_slice(text, &mut bytes).unwrap();
        bytes
    }

    #[test]
    fn identity_keys_that_are_weak_twisted_or_encoded_twice_are_refused() {
        let base = curve25519_dalek::constants::ED25519_BASEPOINT_POINT;
        assert!(IdentityKey::from_bytes(&base.compress().0).is_ok());
        let torsion = curve25519_dalek::constants::EIGHT_TORSION[1];
        assert_eq!(
            IdentityKey::from_bytes(&(base + torsion).compress().0),
            Err(BadKey::Torsion)
        );
        assert_eq!(
            IdentityKey::from_bytes(&torsion.compress().0),
            Err(BadKey::Weak)
        );
        // y = 1 + p encodes the identity a second time.
        let again = hex32("eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f");
        assert_eq!(IdentityKey::from_bytes(&again), Err(BadKey::NotCanonical));
        assert_eq!(IdentityKey::from_bytes(&[2; 31]), Err(BadKey::NotAPoint));
        let off_curve = (0..=255_u8)
            .map(|first| {
                let mut bytes = [0; 32];
                bytes[0] = first;
                bytes
            })
            .find(|bytes| CompressedEdwardsY(*bytes).decompress().is_none())
            .unwrap();
        assert_eq!(IdentityKey::from_bytes(&off_curve), Err(BadKey::NotAPoint));
    }

    #[test]
    fn encryption_keys_of_low_order_or_encoded_twice_are_refused() {
        let low_order = [
            "0000000000000000000000000000000000000000000000000000000000000000",
            "0100000000000000000000000000000000000000000000000000000000000000",
            "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
            "e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800",
            "5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157",
        ];
        for key in low_order {
            assert_eq!(
                EncryptionKey::from_bytes(&hex32(key)),
                Err(BadKey::Weak),
                "{key}"
            );
        }
        let not_canonical = [
            "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
            "0900000000000000000000000000000000000000000000000000000000000080",
            "ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
        ];
        for key in not_canonical {
            assert_eq!(
                EncryptionKey::from_bytes(&hex32(key)),
                Err(BadKey::NotCanonical),
                "{key}"
            );
        }
        let mut nine = [0; 32];
        nine[0] = 9;
        assert!(EncryptionKey::from_bytes(&nine).is_ok());
    }

    /// A clamped scalar is a multiple of 8, so it takes points of low order, and only them, to zero.
    fn is_taken_to_zero(bytes: [u8; 32]) -> bool {
        MontgomeryPoint(bytes).mul_clamped([0; 32]).0 == [0; 32]
    }

    #[test]
    fn the_points_of_low_order_are_those_that_multiplication_takes_to_zero() {
        assert!(LOW_ORDER.into_iter().all(is_taken_to_zero));
        for point in curve25519_dalek::constants::EIGHT_TORSION {
            assert!(LOW_ORDER.contains(&point.to_montgomery().0));
        }
        let near = |lowest: u8| [small(lowest), near_field_size(lowest)];
        let hashes = (0..=u8::MAX).map(|number| {
            let mut bytes = crate::hash::sha256(&[number]).0;
            bytes[31] &= 0x7f;
            bytes
        });
        for bytes in (0..=0xec).flat_map(near).chain(hashes) {
            assert_eq!(
                EncryptionKey::from_bytes(&bytes) == Err(BadKey::Weak),
                is_taken_to_zero(bytes),
                "{bytes:?}"
            );
        }
    }
}
