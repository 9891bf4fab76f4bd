//! Arithmetic of the Ed25519 group, behind one small trait.

#[cfg(feature = "curv")]
mod curv;
mod dalek;

#[cfg(feature = "curv")]
pub use curv::Curv;
pub use dalek::Dalek;

use zeroize::Zeroize;

/// The group operations that the protocols need. Two backends must agree on every byte and on every accepted input.
///
/// Encodings are those of RFC 8032: 32 bytes, little-endian.
pub trait Backend: 'static {
    /// An integer modulo the group's order.
    type Scalar: Clone + Send + Sync + Zeroize;
    /// A point of the curve, of any order.
    type Point: Clone + PartialEq + Send + Sync;

    /// Decodes a scalar; `None` unless it is below the group's order.
    fn scalar_from_canonical(bytes: &[u8; 32]) -> Option<Self::Scalar>;
    /// Reduces 512 bits modulo the group's order.
    fn scalar_from_wide(bytes: &[u8; 64]) -> Self::Scalar;
    /// A small scalar.
    fn scalar_from_small(value: u32) -> Self::Scalar;
    /// Encodes a scalar.
    fn scalar_to_bytes(scalar: &Self::Scalar) -> [u8; 32];
    /// `a + b`.
    fn scalar_add(a: &Self::Scalar, b: &Self::Scalar) -> Self::Scalar;
    /// `a - b`.
    fn scalar_sub(a: &Self::Scalar, b: &Self::Scalar) -> Self::Scalar;
    /// `a * b`.
    fn scalar_mul(a: &Self::Scalar, b: &Self::Scalar) -> Self::Scalar;
    /// `1 / a`; `None` for zero.
    fn scalar_invert(a: &Self::Scalar) -> Option<Self::Scalar>;

    /// Decodes a point of the curve, of any order; `None` unless the encoding is canonical.
    fn point_from_bytes(bytes: &[u8; 32]) -> Option<Self::Point>;
    /// Encodes a point.
    fn point_to_bytes(point: &Self::Point) -> [u8; 32];
    /// The neutral element.
    fn identity() -> Self::Point;
    /// `a + b`.
    fn point_add(a: &Self::Point, b: &Self::Point) -> Self::Point;
    /// `a - b`.
    fn point_sub(a: &Self::Point, b: &Self::Point) -> Self::Point;
    /// `scalar * generator`; the scalar may be secret.
    fn mul_base(scalar: &Self::Scalar) -> Self::Point;
    /// `scalar * point`; both are public, so it may take variable time.
    fn mul_public(scalar: &Self::Scalar, point: &Self::Point) -> Self::Point;
    /// `factor * point` for a small public factor: a few doublings.
    fn mul_small(factor: u32, point: &Self::Point) -> Self::Point {
        let mut result = Self::identity();
        for bit in (0..u32::BITS - factor.leading_zeros()).rev() {
            result = Self::point_add(&result, &result);
            if factor >> bit & 1 == 1 {
                result = Self::point_add(&result, point);
            }
        }
        result
    }
    /// Whether the point is in the prime-order subgroup (the identity is).
    fn is_torsion_free(point: &Self::Point) -> bool;
}
