//! Shamir's polynomials, in the field and in the exponent.

use std::collections::BTreeSet;

use zeroize::Zeroizing;

use crate::Backend;

/// The Shamir coordinate of a party: the only place where indices from 0 become coordinates from 1.
pub(crate) fn coordinate(index: u16) -> u32 {
    u32::from(index) + 1
}

/// A secret polynomial, the constant term first.
pub(crate) struct Polynomial<B: Backend>(pub Vec<Zeroizing<B::Scalar>>);

impl<B: Backend> Polynomial<B> {
    /// The value at a party's coordinate: its share.
    pub(crate) fn share(&self, index: u16) -> Zeroizing<B::Scalar> {
        let x = B::scalar_from_small(coordinate(index));
        self.0.iter().rev().fold(
            Zeroizing::new(B::scalar_from_small(0)),
            |value, coefficient| {
                let product = Zeroizing::new(B::scalar_mul(&value, &x));
                Zeroizing::new(B::scalar_add(&product, coefficient))
            },
        )
    }

    /// Feldman's commitments: each coefficient times the generator.
    pub(crate) fn commitments(&self) -> Vec<B::Point> {
        self.0
            .iter()
            .map(|coefficient| B::mul_base(coefficient))
            .collect()
    }
}

/// The point that a party's share times the generator must be. Horner's rule with small factors: about 15 additions a step
/// instead of a full multiplication.
pub(crate) fn public_share<B: Backend>(commitments: &[B::Point], index: u16) -> B::Point {
    let x = coordinate(index);
    commitments
        .iter()
        .rev()
        .fold(B::identity(), |value, commitment| {
            B::point_add(&B::mul_small(x, &value), commitment)
        })
}

/// Lagrange's coefficient of `index` at zero, among `indices`. `None` if `index` would be there twice, which a set rules out.
pub(crate) fn lagrange<B: Backend>(indices: &BTreeSet<u16>, index: u16) -> Option<B::Scalar> {
    let own = B::scalar_from_small(coordinate(index));
    let one = B::scalar_from_small(1);
    let (top, bottom) = indices.iter().filter(|&&other| other != index).fold(
        (one.clone(), one),
        |(top, bottom), &other| {
            let x = B::scalar_from_small(coordinate(other));
            (
                B::scalar_mul(&top, &x),
                B::scalar_mul(&bottom, &B::scalar_sub(&x, &own)),
            )
        },
    );
    B::scalar_invert(&bottom).map(|inverse| B::scalar_mul(&top, &inverse))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Dalek;
    use crate::session::MAX_PARTIES;

    fn polynomial(degree: u8) -> Polynomial<Dalek> {
        let coefficient = |k| Zeroizing::new(Dalek::scalar_from_wide(&[k + 1; 64]));
        Polynomial((0..=degree).map(coefficient).collect())
    }

    #[test]
    fn coordinates_start_at_one_because_zero_is_the_secret() {
        assert_eq!((coordinate(0), coordinate(MAX_PARTIES - 1)), (1, 1024));
    }

    #[test]
    fn shares_match_the_commitments_up_to_the_last_index() {
        let polynomial = polynomial(3);
        let commitments = polynomial.commitments();
        for index in [0, 1, 2, 3, 254, 255, 256, MAX_PARTIES - 1] {
            let expected = Dalek::mul_base(&polynomial.share(index));
            assert!(
                public_share::<Dalek>(&commitments, index) == expected,
                "{index}"
            );
        }
    }

    #[test]
    fn exactly_enough_shares_give_the_secret_and_one_fewer_does_not() {
        let polynomial = polynomial(3);
        let sum = |indices: &[u16]| {
            let set: BTreeSet<u16> = indices.iter().copied().collect();
            let terms = set.iter().map(|&index| {
                let weight = lagrange::<Dalek>(&set, index).unwrap();
                Dalek::scalar_mul(&weight, &polynomial.share(index))
            });
            terms.fold(Dalek::scalar_from_small(0), |a, b| {
                Dalek::scalar_add(&a, &b)
            })
        };
        assert_eq!(sum(&[0, 5, 17, 1023]), *polynomial.0[0]);
        assert_eq!(sum(&[3, 2, 1, 9, 4]), *polynomial.0[0]);
        assert_ne!(sum(&[0, 5, 17]), *polynomial.0[0]);
    }
}
