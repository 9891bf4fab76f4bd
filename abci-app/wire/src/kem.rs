//! Encryption keys that parties bring to a session, and their kinds: a spec names one kind, and every join brings a key of it.

use alloc::sync::Arc;
use core::fmt;

use crate::{
    hash::{Hash, SessionId},
    keys::BadKey,
    limits::{X25519_SEALING_BYTES, XWING_SEALING_BYTES},
    signing::join_digest,
};

/// Kind of a session's encryption keys.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kem {
    /// DHKEM(X25519, HKDF-SHA256): small, and open to whoever keeps what the board shows until there is a quantum computer.
    X25519,
    /// X-Wing, of ML-KEM-768 and X25519: opened by nobody who hasn't broken both.
    XWing,
}

impl Kem {
    /// Every kind, ascending by number.
    pub const ALL: [Self; 2] = [Self::X25519, Self::XWing];

    /// Numbers that name no kind are refused with this.
    pub(crate) const EXPECTED: &'static str = "1 (X25519) or 2 (X-Wing)";

    /// Its number in specs and joins.
    #[must_use]
    pub const fn number(self) -> u8 {
        match self {
            Self::X25519 => 1,
            Self::XWing => 2,
        }
    }

    /// The kind with this number.
    #[must_use]
    pub fn from_number(number: u32) -> Option<Self> {
        let mut all = Self::ALL.into_iter();
        all.find(|kem| u32::from(kem.number()) == number)
    }

    /// Bytes that sealing adds to a payload: the encapsulated key and a tag.
    #[must_use]
    pub const fn sealing_bytes(self) -> u32 {
        match self {
            Self::X25519 => X25519_SEALING_BYTES,
            Self::XWing => XWING_SEALING_BYTES,
        }
    }

    /// Size of the smallest sealed payload: of one byte of plaintext.
    #[must_use]
    pub const fn ciphertext_bytes_min(self) -> u32 {
        self.sealing_bytes().saturating_add(1)
    }
}

impl fmt::Display for Kem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::X25519 => "1 (X25519)",
            Self::XWing => "2 (X-Wing)",
        })
    }
}

/// Bytes of an X25519 key.
const X25519_BYTES: usize = 32;
/// Bytes of ML-KEM-768's coefficients, two in three bytes; the seed of its matrix follows them.
const COEFFICIENT_BYTES: usize = 1_152;
/// Bytes of an ML-KEM-768 key.
const ML_KEM_BYTES: usize = COEFFICIENT_BYTES + 32;
/// Bytes of an X-Wing key.
const XWING_BYTES: usize = ML_KEM_BYTES + X25519_BYTES;
/// ML-KEM's modulus.
const Q: u16 = 3_329;

/// A key that a party brings to one session: canonical, and its X25519 part not of low order. A large one is shared, so that a slot
/// stays small in the many copies of a state.
#[derive(Clone, PartialEq, Eq)]
pub struct EncryptionKey(Bytes);

#[derive(Clone, PartialEq, Eq)]
enum Bytes {
    X25519([u8; X25519_BYTES]),
    XWing(Arc<[u8; XWING_BYTES]>),
}

impl EncryptionKey {
    /// Checks a key of this kind.
    ///
    /// # Errors
    /// [`BadKey`] says which of the checks failed.
    pub fn from_bytes(kem: Kem, bytes: &[u8]) -> Result<Self, BadKey> {
        match kem {
            Kem::X25519 => {
                let bytes = bytes.try_into().map_err(|_| BadKey::NotAPoint)?;
                check_x25519(&bytes)?;
                Ok(Self(Bytes::X25519(bytes)))
            }
            Kem::XWing => {
                let bytes: &[u8; XWING_BYTES] = bytes.try_into().map_err(|_| BadKey::NotXWing)?;
                let (ml_kem, x25519) = bytes.split_at(ML_KEM_BYTES);
                let (coefficients, _) = ml_kem.split_at(COEFFICIENT_BYTES);
                if !are_reduced(coefficients) {
                    return Err(BadKey::NotReduced);
                }
                check_x25519(x25519.try_into().map_err(|_| BadKey::NotXWing)?)?;
                Ok(Self(Bytes::XWing(Arc::new(*bytes))))
            }
        }
    }

    /// Its kind.
    #[must_use]
    pub const fn kem(&self) -> Kem {
        match self.0 {
            Bytes::X25519(_) => Kem::X25519,
            Bytes::XWing(_) => Kem::XWing,
        }
    }

    /// Digest of the join by which the party with this index brings it.
    #[must_use]
    pub fn join_digest(&self, session: &SessionId, index: u16) -> Hash {
        join_digest(session, index, self.kem().number(), self.as_bytes())
    }

    /// The 32 or 1 216 bytes.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        match &self.0 {
            Bytes::X25519(bytes) => bytes,
            Bytes::XWing(bytes) => bytes.as_slice(),
        }
    }
}

impl fmt::Debug for EncryptionKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.as_bytes()
            .iter()
            .try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

/// Whether each coefficient is below the modulus: a key has one encoding (FIPS 203, section 7.2). Parsing the key would say so, too,
/// but it also expands the matrix and hashes the key, which each reader of each join would pay for.
fn are_reduced(coefficients: &[u8]) -> bool {
    let (triples, rest) = coefficients.as_chunks::<3>();
    let pairs = triples.iter().map(|[low, middle, high]| {
        let [low, middle, high] = [low, middle, high].map(|byte| u16::from(*byte));
        [low | (middle & 0xf) << 8, middle >> 4 | high << 4]
    });
    rest.is_empty() && pairs.flatten().all(|coefficient| coefficient < Q)
}

/// A reader of a session looks at each member's key, so the checks cost next to nothing.
fn check_x25519(bytes: &[u8; X25519_BYTES]) -> Result<(), BadKey> {
    if !below_field_size(bytes) {
        return Err(BadKey::NotCanonical);
    }
    if LOW_ORDER.contains(bytes) {
        return Err(BadKey::Weak);
    }
    Ok(())
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

#[cfg(test)]
mod tests {
    use curve25519_dalek::montgomery::MontgomeryPoint;
    use hpke::{Deserializable, Serializable, kem::XWing};

    use super::*;

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
                EncryptionKey::from_bytes(Kem::X25519, &Hash::from_hex(key).unwrap().0),
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
                EncryptionKey::from_bytes(Kem::X25519, &Hash::from_hex(key).unwrap().0),
                Err(BadKey::NotCanonical),
                "{key}"
            );
        }
        let mut nine = [0; 32];
        nine[0] = 9;
        assert!(EncryptionKey::from_bytes(Kem::X25519, &nine).is_ok());
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
                EncryptionKey::from_bytes(Kem::X25519, &bytes) == Err(BadKey::Weak),
                is_taken_to_zero(bytes),
                "{bytes:?}"
            );
        }
    }
    fn x_wing_key() -> [u8; XWING_BYTES] {
        let (_, public) = <XWing as hpke::Kem>::derive_keypair(&[7; 32]);
        public.to_bytes().into()
    }

    fn x_wing(bytes: &[u8]) -> Result<(), BadKey> {
        EncryptionKey::from_bytes(Kem::XWing, bytes).map(|key| assert_eq!(key.as_bytes(), bytes))
    }

    /// The key with another value for the coefficient in this place.
    fn with_coefficient(place: usize, value: u16) -> [u8; XWING_BYTES] {
        let mut key = x_wing_key();
        let triple = &mut key[place / 2 * 3..][..3];
        let [low, high] = value.to_le_bytes();
        if place.is_multiple_of(2) {
            triple[0] = low;
            triple[1] = triple[1] & 0xf0 | high;
        } else {
            triple[1] = triple[1] & 0x0f | low << 4;
            triple[2] = low >> 4 | high << 4;
        }
        key
    }

    #[test]
    fn x_wing_keys_have_1216_bytes() {
        let long = [&x_wing_key()[..], &[1]].concat();
        assert_eq!(x_wing(&long[..1_215]), Err(BadKey::NotXWing));
        assert_eq!(x_wing(&long[..1_216]), Ok(()));
        assert_eq!(x_wing(&long), Err(BadKey::NotXWing));
        // A key of one kind is none of the other.
        assert_eq!(x_wing(&long[..32]), Err(BadKey::NotXWing));
        assert_eq!(
            EncryptionKey::from_bytes(Kem::X25519, &x_wing_key()),
            Err(BadKey::NotAPoint)
        );
    }

    #[test]
    fn x_wing_keys_that_are_not_reduced_are_refused_as_the_library_does() {
        for place in [0, 1, 2, 255, 256, 511, 766, 767] {
            for (value, expected) in [
                (0, Ok(())),
                (Q - 1, Ok(())),
                (Q, Err(BadKey::NotReduced)),
                (Q + 1, Err(BadKey::NotReduced)),
                (0xfff, Err(BadKey::NotReduced)),
            ] {
                let key = with_coefficient(place, value);
                assert_eq!(x_wing(&key), expected, "{place} {value}");
                let library = <XWing as hpke::Kem>::PublicKey::from_bytes(&key);
                assert_eq!(library.is_ok(), expected.is_ok(), "{place} {value}");
            }
        }
        // The matrix's seed may be anything.
        let mut key = x_wing_key();
        key[COEFFICIENT_BYTES..ML_KEM_BYTES].fill(0xff);
        assert_eq!(x_wing(&key), Ok(()));
    }

    #[test]
    fn the_x25519_part_of_x_wing_keys_is_checked_like_a_key() {
        let with = |x25519: [u8; 32]| {
            let mut key = x_wing_key();
            key[ML_KEM_BYTES..].copy_from_slice(&x25519);
            x_wing(&key)
        };
        for low_order in LOW_ORDER {
            assert_eq!(with(low_order), Err(BadKey::Weak));
        }
        assert_eq!(with(near_field_size(0xed)), Err(BadKey::NotCanonical));
        assert_eq!(with([0xff; 32]), Err(BadKey::NotCanonical));
        assert_eq!(with(small(9)), Ok(()));
    }

    #[test]
    fn numbers_name_kinds_and_nothing_else_does() {
        let named = (0..=300).filter_map(Kem::from_number);
        assert!(named.eq(Kem::ALL));
        for (kem, number, least) in [(Kem::X25519, 1, 49), (Kem::XWing, 2, 1_137)] {
            assert_eq!((kem.number(), kem.ciphertext_bytes_min()), (number, least));
        }
    }
}
