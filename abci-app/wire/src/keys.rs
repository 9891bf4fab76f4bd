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
    /// Not as long as an X-Wing key.
    #[error("not an X-Wing key (1216 bytes)")]
    NotXWing,
    /// A coefficient of an ML-KEM key that has a smaller encoding, too.
    #[error("an ML-KEM key with a coefficient of 3329 or more")]
    NotReduced,
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
    use super::*;
    use crate::hash::Hash;

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
        let again =
            Hash::from_hex("eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f")
                .unwrap()
                .0;
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
}
