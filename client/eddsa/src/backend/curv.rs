//! The second backend: `curv-kzen`, on GMP.

use curv::BigInt;
use curv::arithmetic::Converter;
use curv::elliptic::curves::ed25519::{Ed25519Point, Ed25519Scalar};
use curv::elliptic::curves::{ECPoint, ECScalar};
use zeroize::Zeroize;

use super::Backend;

/// `curv-kzen` 0.10. **Not constant time**: its scalars are arbitrary-precision integers, copies of which stay in GMP's heap. Use it to check
/// the default backend and to interoperate, not where somebody can measure the time.
///
/// Its own secret sharing, commitments and hash-to-scalar aren't used: they check less than the protocols here need, and count parties from 0 in
/// some places and from 1 in others.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Curv {}

/// A scalar below the group's order (the type inside could hold larger ones).
#[derive(Clone)]
pub struct CurvScalar(Ed25519Scalar);

impl Zeroize for CurvScalar {
    fn zeroize(&mut self) {
        self.0.underlying_mut().zeroize();
    }
}

/// Reads little-endian bytes; curv's integers are big-endian.
fn integer<const N: usize>(bytes: &[u8; N]) -> BigInt {
    let mut reversed = *bytes;
    reversed.reverse();
    let value = BigInt::from_bytes(&reversed);
    reversed.zeroize();
    value
}

impl Backend for Curv {
    type Scalar = CurvScalar;
    type Point = Ed25519Point;

    fn scalar_from_canonical(bytes: &[u8; 32]) -> Option<CurvScalar> {
        // `deserialize` of curv accepts anything below 2^255.
        let value = integer(bytes);
        (&value < Ed25519Scalar::group_order())
            .then(|| CurvScalar(Ed25519Scalar::from_bigint(&value)))
    }

    fn scalar_from_wide(bytes: &[u8; 64]) -> CurvScalar {
        CurvScalar(Ed25519Scalar::from_bigint(&integer(bytes)))
    }

    fn scalar_from_small(value: u32) -> CurvScalar {
        CurvScalar(Ed25519Scalar::from_bigint(&BigInt::from(value)))
    }

    fn scalar_to_bytes(scalar: &CurvScalar) -> [u8; 32] {
        scalar.0.serialize().into()
    }

    fn scalar_add(a: &CurvScalar, b: &CurvScalar) -> CurvScalar {
        CurvScalar(a.0.add(&b.0))
    }

    fn scalar_sub(a: &CurvScalar, b: &CurvScalar) -> CurvScalar {
        CurvScalar(a.0.sub(&b.0))
    }

    fn scalar_mul(a: &CurvScalar, b: &CurvScalar) -> CurvScalar {
        CurvScalar(a.0.mul(&b.0))
    }

    fn scalar_invert(a: &CurvScalar) -> Option<CurvScalar> {
        a.0.invert().map(CurvScalar)
    }

    fn point_from_bytes(bytes: &[u8; 32]) -> Option<Ed25519Point> {
        // The low-level type: the checked one would refuse torsion here, where the default backend names its sender later and by another error.
        let point = Ed25519Point::deserialize(bytes).ok()?;
        (Self::point_to_bytes(&point) == *bytes).then_some(point)
    }

    fn point_to_bytes(point: &Ed25519Point) -> [u8; 32] {
        point.serialize_compressed().into()
    }

    fn identity() -> Ed25519Point {
        Ed25519Point::zero()
    }

    fn point_add(a: &Ed25519Point, b: &Ed25519Point) -> Ed25519Point {
        a.add_point(b)
    }

    fn point_sub(a: &Ed25519Point, b: &Ed25519Point) -> Ed25519Point {
        a.sub_point(b)
    }

    fn mul_base(scalar: &CurvScalar) -> Ed25519Point {
        Ed25519Point::generator_mul(&scalar.0)
    }

    fn mul_public(scalar: &CurvScalar, point: &Ed25519Point) -> Ed25519Point {
        point.scalar_mul(&scalar.0)
    }

    fn is_torsion_free(point: &Ed25519Point) -> bool {
        point.is_zero() || point.check_point_order_equals_group_order()
    }
}
