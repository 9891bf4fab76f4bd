//! The default backend: `curve25519-dalek`.

use curve25519_dalek::edwards::{CompressedEdwardsY, EdwardsPoint};
use curve25519_dalek::scalar::Scalar;
use curve25519_dalek::traits::{Identity, IsIdentity, VartimeMultiscalarMul};

use super::Backend;

/// `curve25519-dalek`: constant time wherever a secret is involved.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Dalek {}

/// Whether these bytes, if they are a point, are its only proper encoding. Decompression also takes y of the field's prime p = 2^255 - 19 and above,
/// and a sign for x = 0, that is for y = 1 and y = p - 1. Compressing again and comparing would cost half as much as decompressing.
fn is_canonical(bytes: &[u8; 32]) -> bool {
    let [first, middle @ .., last] = bytes;
    let (top, negative) = (last & 0x7f, last & 0x80 != 0);
    let high = top == 0x7f && middle.iter().all(|byte| *byte == 0xff);
    let low = top == 0 && middle.iter().all(|byte| *byte == 0);
    let reduced = !high || *first < 0xed;
    let x_is_zero = low && *first == 1 || high && *first == 0xec;
    reduced && !(negative && x_is_zero)
}

impl Backend for Dalek {
    type Scalar = Scalar;
    type Point = EdwardsPoint;

    fn scalar_from_canonical(bytes: &[u8; 32]) -> Option<Scalar> {
        Scalar::from_canonical_bytes(*bytes).into_option()
    }

    fn scalar_from_wide(bytes: &[u8; 64]) -> Scalar {
        Scalar::from_bytes_mod_order_wide(bytes)
    }

    fn scalar_from_small(value: u32) -> Scalar {
        Scalar::from(value)
    }

    fn scalar_to_bytes(scalar: &Scalar) -> [u8; 32] {
        scalar.to_bytes()
    }

    fn scalar_add(a: &Scalar, b: &Scalar) -> Scalar {
        a + b
    }

    fn scalar_sub(a: &Scalar, b: &Scalar) -> Scalar {
        a - b
    }

    fn scalar_mul(a: &Scalar, b: &Scalar) -> Scalar {
        a * b
    }

    fn scalar_invert(a: &Scalar) -> Option<Scalar> {
        (*a != Scalar::ZERO).then(|| a.invert())
    }

    fn point_from_bytes(bytes: &[u8; 32]) -> Option<EdwardsPoint> {
        if !is_canonical(bytes) {
            return None;
        }
        CompressedEdwardsY(*bytes).decompress()
    }

    fn point_to_bytes(point: &EdwardsPoint) -> [u8; 32] {
        point.compress().to_bytes()
    }

    fn identity() -> EdwardsPoint {
        EdwardsPoint::identity()
    }

    fn point_add(a: &EdwardsPoint, b: &EdwardsPoint) -> EdwardsPoint {
        a + b
    }

    fn point_sub(a: &EdwardsPoint, b: &EdwardsPoint) -> EdwardsPoint {
        a - b
    }

    fn mul_base(scalar: &Scalar) -> EdwardsPoint {
        EdwardsPoint::mul_base(scalar)
    }

    fn mul_public(scalar: &Scalar, point: &EdwardsPoint) -> EdwardsPoint {
        EdwardsPoint::vartime_multiscalar_mul([scalar], [point])
    }

    fn is_torsion_free(point: &EdwardsPoint) -> bool {
        point.is_identity() || point.is_torsion_free()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn recompresses(bytes: &[u8; 32]) -> bool {
        let point = CompressedEdwardsY(*bytes).decompress();
        point.is_some_and(|point| point.compress().as_bytes() == bytes)
    }

    #[test]
    fn a_point_is_taken_exactly_if_it_encodes_to_the_same_bytes() {
        let (mut taken, mut refused) = (0, 0);
        for fill in [0, 1, 0x7f, 0xfe, 0xff] {
            for first in 0..=255 {
                for last in [0, 1, 0x7e, 0x7f, 0x80, 0x81, 0xfe, 0xff] {
                    let mut bytes = [fill; 32];
                    (bytes[0], bytes[31]) = (first, last);
                    let expected = recompresses(&bytes);
                    assert_eq!(
                        Dalek::point_from_bytes(&bytes).is_some(),
                        expected,
                        "{bytes:x?}"
                    );
                    taken += u32::from(expected);
                    let decompresses = CompressedEdwardsY(bytes).decompress().is_some();
                    refused += u32::from(decompresses && !expected);
                }
            }
        }
        assert!(taken > 1_000);
        // y = 1 and y = p - 1 with a sign, and the curve's points among the 19 unreduced y, with both signs.
        assert!(refused > 10, "{refused}");
    }
}
