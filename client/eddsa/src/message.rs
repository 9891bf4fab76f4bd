//! The messages, each with exactly one encoding: a version byte, then 32-byte values (a list's length follows from the session's degree).
//!
//! Decoding checks length, version and that scalars are canonical; whether 32 bytes are a point is checked by the protocol, which needs the
//! point anyway. Decoding what was encoded gives the same value, and encoding what was decoded gives the same bytes.

use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

use crate::{Backend, Malformed};

/// The version of every message and of a stored key share.
pub const VERSION: u8 = 1;

/// The group's order, little-endian.
const ORDER: [u8; 32] = [
    0xed, 0xd3, 0xf5, 0x5c, 0x1a, 0x63, 0x12, 0x58, 0xd6, 0x9c, 0xf7, 0xa2, 0xde, 0xf9, 0xde, 0x14,
    0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x10,
];

/// A commitment to values that the next round reveals: key generation and threshold signing, round 1.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Commitment(pub [u8; 32]);

impl Commitment {
    /// Encoded length in bytes.
    pub const BYTES: usize = 1 + 32;

    /// The encoding.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        encode(&[self.0])
    }

    /// # Errors
    /// [`Malformed::Length`] or [`Malformed::Version`].
    pub fn decode(bytes: &[u8]) -> Result<Self, Malformed> {
        let [commitment] = decode_array(bytes)?;
        Ok(Self(commitment))
    }
}

/// A dealer's opened commitment: key generation and threshold signing, round 2, broadcast.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Opening {
    /// The commitment's blind.
    pub blind: [u8; 32],
    /// Feldman's commitments to the dealer's polynomial, the constant term first: `degree + 1` points.
    pub points: Vec<[u8; 32]>,
    /// The nonce of the proof that the dealer knows its constant term.
    pub proof_nonce: [u8; 32],
    /// The response of that proof: a scalar.
    pub proof_response: [u8; 32],
}

impl Opening {
    /// Encoded length in bytes for polynomials of this degree.
    #[must_use]
    pub const fn bytes(degree: u16) -> usize {
        // `as`: widening, and `From` isn't const.
        1 + 32 * (degree as usize + 4)
    }

    /// The encoding.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut parts = vec![self.blind];
        parts.extend_from_slice(&self.points);
        parts.extend_from_slice(&[self.proof_nonce, self.proof_response]);
        encode(&parts)
    }

    /// `degree` is the session's: a dealer can't choose another one.
    ///
    /// # Errors
    /// Any [`Malformed`] but [`Malformed::Point`].
    pub fn decode(bytes: &[u8], degree: u16) -> Result<Self, Malformed> {
        let parts = decode(bytes, Self::bytes(degree))?;
        let [blind, points @ .., proof_nonce, proof_response] = parts else {
            return Err(length(bytes, Self::bytes(degree)));
        };
        Ok(Self {
            blind: *blind,
            points: points.to_vec(),
            proof_nonce: *proof_nonce,
            proof_response: canonical(*proof_response)?,
        })
    }
}

/// A dealer's share for one party: key generation and threshold signing, round 2, p2p. Secret.
#[derive(Clone, Zeroize, ZeroizeOnDrop)]
pub struct Share(pub [u8; 32]);

impl Share {
    /// Encoded length in bytes.
    pub const BYTES: usize = 1 + 32;

    /// The encoding, to be sealed.
    #[must_use]
    pub fn encode(&self) -> Zeroizing<Vec<u8>> {
        Zeroizing::new(encode(&[self.0]))
    }

    /// # Errors
    /// Any [`Malformed`] but [`Malformed::Point`].
    pub fn decode(bytes: &[u8]) -> Result<Self, Malformed> {
        let [share] = decode_array(bytes)?;
        Ok(Self(canonical(share)?))
    }
}

impl std::fmt::Debug for Share {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Share(..)")
    }
}

/// A partial signature, a scalar: threshold signing, round 4; aggregated signing, round 3.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Partial(pub [u8; 32]);

impl Partial {
    /// Encoded length in bytes.
    pub const BYTES: usize = 1 + 32;

    /// The encoding.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        encode(&[self.0])
    }

    /// # Errors
    /// Any [`Malformed`] but [`Malformed::Point`].
    pub fn decode(bytes: &[u8]) -> Result<Self, Malformed> {
        let [partial] = decode_array(bytes)?;
        Ok(Self(canonical(partial)?))
    }
}

/// A signer's public key and the commitment to its nonce: aggregated signing, round 1.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyAndCommitment {
    /// The signer's own public key.
    pub key: [u8; 32],
    /// Commitment to its nonce.
    pub commitment: [u8; 32],
}

impl KeyAndCommitment {
    /// Encoded length in bytes.
    pub const BYTES: usize = 1 + 2 * 32;

    /// The encoding.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        encode(&[self.key, self.commitment])
    }

    /// # Errors
    /// [`Malformed::Length`] or [`Malformed::Version`].
    pub fn decode(bytes: &[u8]) -> Result<Self, Malformed> {
        let [key, commitment] = decode_array(bytes)?;
        Ok(Self { key, commitment })
    }
}

/// A signer's opened nonce: aggregated signing, round 2.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Nonce {
    /// The public nonce.
    pub point: [u8; 32],
    /// The commitment's blind.
    pub blind: [u8; 32],
}

impl Nonce {
    /// Encoded length in bytes.
    pub const BYTES: usize = 1 + 2 * 32;

    /// The encoding.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        encode(&[self.point, self.blind])
    }

    /// # Errors
    /// [`Malformed::Length`] or [`Malformed::Version`].
    pub fn decode(bytes: &[u8]) -> Result<Self, Malformed> {
        let [point, blind] = decode_array(bytes)?;
        Ok(Self { point, blind })
    }
}

fn encode(parts: &[[u8; 32]]) -> Vec<u8> {
    let body = parts.as_flattened();
    let mut bytes = Vec::with_capacity(1 + body.len());
    bytes.push(VERSION);
    bytes.extend_from_slice(body);
    bytes
}

fn length(bytes: &[u8], expected: usize) -> Malformed {
    Malformed::Length {
        expected,
        got: bytes.len(),
    }
}

/// The 32-byte values after the version. `expected` is one more than a multiple of 32.
fn decode(bytes: &[u8], expected: usize) -> Result<&[[u8; 32]], Malformed> {
    if bytes.len() != expected {
        return Err(length(bytes, expected));
    }
    match bytes.split_first() {
        Some((&VERSION, body)) => Ok(body.as_chunks().0),
        Some((&got, _)) => Err(Malformed::Version {
            expected: VERSION,
            got,
        }),
        None => Err(length(bytes, expected)),
    }
}

fn decode_array<const N: usize>(bytes: &[u8]) -> Result<[[u8; 32]; N], Malformed> {
    let expected = 1 + 32 * N;
    decode(bytes, expected)?
        .try_into()
        .map_err(|_| length(bytes, expected))
}

fn canonical(bytes: [u8; 32]) -> Result<[u8; 32], Malformed> {
    // The most significant byte comes last.
    if bytes.iter().rev().lt(ORDER.iter().rev()) {
        Ok(bytes)
    } else {
        Err(Malformed::Scalar)
    }
}

/// A canonical scalar of the backend.
pub(crate) fn scalar<B: Backend>(bytes: &[u8; 32]) -> Result<Zeroizing<B::Scalar>, Malformed> {
    B::scalar_from_canonical(bytes)
        .map(Zeroizing::new)
        .ok_or(Malformed::Scalar)
}

/// A canonical point other than the identity: nobody honest sends that one, and it hides a missing contribution. Torsion is checked elsewhere.
pub(crate) fn point<B: Backend>(bytes: &[u8; 32]) -> Result<B::Point, Malformed> {
    B::point_from_bytes(bytes)
        .filter(|point| *point != B::identity())
        .ok_or(Malformed::Point)
}
