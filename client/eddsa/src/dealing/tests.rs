//! Dealers that lie consistently: their commitments and proofs hold, their points don't.

use std::collections::BTreeMap;

use curve25519_dalek::constants::EIGHT_TORSION;
use curve25519_dalek::edwards::EdwardsPoint;
use curve25519_dalek::scalar::Scalar;

use super::*;
use crate::{Dalek, Malformed};

const DEGREE: u16 = 2;

fn domain() -> Domain {
    Domain {
        commit: "commit",
        proof: "proof",
        derive: "derive",
        context: [5; 32],
        degree: DEGREE,
    }
}

fn dealer(index: u16) -> Dealer<Dalek> {
    Dealer::new(
        &domain(),
        index,
        &[],
        &Randomness::from_seed([index.to_le_bytes()[0]; 32]),
    )
}

/// Three honest dealings, as party 0 reads them, for a test to spoil.
struct Table {
    commitments: Commitments,
    openings: BTreeMap<u16, Vec<u8>>,
    shares: BTreeMap<u16, Vec<u8>>,
}

impl Table {
    fn new() -> Self {
        let dealers: Vec<_> = (0..3).map(dealer).collect();
        let messages = |message: fn(&Dealer<Dalek>) -> Vec<u8>| {
            (0..)
                .zip(&dealers)
                .map(|(i, dealer)| (i, message(dealer)))
                .collect()
        };
        Self {
            commitments: read_commitments(&messages(|d| d.commitment.clone())).unwrap(),
            openings: messages(|d| d.opening.clone()),
            shares: messages(|d| Share(d.share(0).to_bytes()).encode().to_vec()),
        }
    }

    /// Changes a dealer's opening and commits to the changed one.
    fn spoil(&mut self, dealer: u16, change: impl FnOnce(&mut Opening)) {
        let mut opening = Opening::decode(&self.openings[&dealer], DEGREE).unwrap();
        change(&mut opening);
        self.commitments
            .insert(dealer, domain().commitment(dealer, &opening));
        self.openings.insert(dealer, opening.encode());
    }

    fn collect(&self) -> Result<Dealt<Dalek>, Error> {
        let own = dealer(0).share(0);
        let me = Recipient {
            index: 0,
            shamir_index: 0,
            own: Box::new(own),
        };
        collect(
            &domain(),
            &self.commitments,
            &me,
            &self.openings,
            &self.shares,
        )
    }

    fn error(&self) -> Error {
        self.collect().map(|_| ()).unwrap_err()
    }
}

fn shifted(point: [u8; 32], by: &EdwardsPoint) -> [u8; 32] {
    (Dalek::point_from_bytes(&point).unwrap() + by)
        .compress()
        .to_bytes()
}

/// Proves knowledge for a changed list of points; tries nonces until torsion doesn't show in the check.
fn prove(dealer: u16, opening: &mut Opening, secret: &Scalar) {
    for attempt in 1_u32.. {
        let nonce = Scalar::from(attempt);
        opening.proof_nonce = Dalek::point_to_bytes(&Dalek::mul_base(&nonce));
        let challenge =
            domain().proof_challenge::<Dalek>(dealer, &opening.points, &opening.proof_nonce);
        opening.proof_response = (nonce + challenge * secret).to_bytes();
        let commitment = domain().commitment(dealer, opening);
        if domain()
            .open::<Dalek>(dealer, &commitment, &opening.encode())
            .is_ok()
        {
            return;
        }
    }
}

/// The constant term of a test dealer.
fn secret(index: u16) -> Scalar {
    *dealer(index).polynomial.0[0]
}

#[test]
fn honest_dealings_add_up() {
    let dealt = Table::new().collect().unwrap();
    let shares: Scalar = (0..3).map(|index| *dealer(index).share(0)).sum();
    assert_eq!(*dealt.share, shares);
    let key: Scalar = (0..3).map(secret).sum();
    assert_eq!(dealt.commitments[0], EdwardsPoint::mul_base(&key));
}

#[test]
fn torsion_in_a_higher_coefficient_names_the_dealer() {
    for torsion in &EIGHT_TORSION[1..] {
        let mut table = Table::new();
        table.spoil(1, |opening| {
            opening.points[2] = shifted(opening.points[2], torsion);
            prove(1, opening, &secret(1));
        });
        assert_eq!(table.error(), Error::Torsion { party: 1 });
    }
}

#[test]
fn torsion_in_the_constant_term_names_the_dealer_although_its_proof_can_be_made_to_hold() {
    for torsion in &EIGHT_TORSION[1..] {
        let mut table = Table::new();
        table.spoil(2, |opening| {
            opening.points[0] = shifted(opening.points[0], torsion);
            prove(2, opening, &secret(2));
        });
        assert_eq!(table.error(), Error::Torsion { party: 2 });
    }
}

#[test]
fn torsion_that_two_dealers_cancel_leaves_a_right_key() {
    let mut table = Table::new();
    let torsion = EIGHT_TORSION[1];
    for (dealer, part) in [(1, torsion), (2, -torsion)] {
        table.spoil(dealer, |opening| {
            opening.points[1] = shifted(opening.points[1], &part);
            prove(dealer, opening, &secret(dealer));
        });
    }
    let honest = Table::new().collect().unwrap();
    let dealt = table.collect().unwrap();
    assert!(dealt.commitments == honest.commitments && dealt.share == honest.share);
}

#[test]
fn errors_in_shares_that_two_dealers_cancel_leave_a_right_share() {
    let mut table = Table::new();
    for (dealer, error) in [(1, Scalar::ONE), (2, -Scalar::ONE)] {
        let share = Scalar::from_canonical_bytes(Share::decode(&table.shares[&dealer]).unwrap().0);
        let share = share.unwrap() + error;
        table
            .shares
            .insert(dealer, Share(share.to_bytes()).encode().to_vec());
    }
    assert!(table.collect().unwrap().share == Table::new().collect().unwrap().share);
    table.shares.insert(2, Table::new().shares[&2].clone());
    assert_eq!(table.error(), Error::BadShare { dealer: 1 });
}

#[test]
fn a_dealer_must_know_its_secret() {
    let mut table = Table::new();
    table.spoil(1, |opening| {
        let other = Dalek::point_from_bytes(&opening.points[1]).unwrap();
        opening.points[0] = shifted(opening.points[0], &other);
    });
    assert_eq!(table.error(), Error::BadProof { party: 1 });
}

#[test]
fn a_proof_serves_one_dealer_and_one_context_only() {
    let mut table = Table::new();
    let copied = Opening::decode(&table.openings[&2], DEGREE).unwrap();
    table.spoil(1, |opening| opening.clone_from(&copied));
    assert_eq!(table.error(), Error::BadProof { party: 1 });

    let elsewhere = Domain {
        context: [6; 32],
        ..domain()
    };
    let foreign = Dealer::<Dalek>::new(&elsewhere, 1, &[], &Randomness::from_seed([1; 32]));
    let foreign = Opening::decode(&foreign.opening, DEGREE).unwrap();
    table.spoil(1, |opening| *opening = foreign);
    assert_eq!(table.error(), Error::BadProof { party: 1 });
}

#[test]
fn nothing_can_be_changed_between_commitment_and_opening_not_even_with_a_new_proof() {
    let mut table = Table::new();
    table.spoil(1, |_| {});
    assert!(table.collect().is_ok());
    for position in 0..3 {
        let mut table = Table::new();
        let before = table.commitments.clone();
        let chosen = Scalar::from(7_u8);
        table.spoil(1, |opening| {
            opening.points[position] = EdwardsPoint::mul_base(&chosen).compress().to_bytes();
            prove(1, opening, &if position == 0 { chosen } else { secret(1) });
        });
        table.commitments = before;
        assert_eq!(table.error(), Error::BadOpening { party: 1 });
    }
}

#[test]
fn the_identity_and_non_points_are_malformed() {
    let mut identity = [0; 32];
    identity[0] = 1;
    let mut negative_identity = identity;
    negative_identity[31] = 0x80;
    for bad in [identity, negative_identity, [2; 32], [0xff; 32]] {
        for position in 0..3 {
            let mut table = Table::new();
            table.spoil(1, |opening| opening.points[position] = bad);
            assert_eq!(
                table.error(),
                Error::Malformed {
                    party: 1,
                    reason: Malformed::Point
                }
            );
        }
    }
}

#[test]
fn a_sum_that_is_the_identity_is_no_key() {
    let mut table = Table::new();
    let minus = -(secret(0) + secret(1));
    table.spoil(2, |opening| {
        opening.points[0] = EdwardsPoint::mul_base(&minus).compress().to_bytes();
        prove(2, opening, &minus);
    });
    let share = *dealer(2).share(0) - secret(2) + minus;
    table
        .shares
        .insert(2, Share(share.to_bytes()).encode().to_vec());
    assert_eq!(table.error(), Error::Identity);
}

#[test]
fn the_same_randomness_with_another_hedge_or_context_deals_something_else() {
    let deal = |hedge: &[u8], context| {
        let domain = Domain {
            context,
            ..domain()
        };
        Dealer::<Dalek>::new(&domain, 0, hedge, &Randomness::from_seed([1; 32])).opening
    };
    assert_eq!(deal(&[1], [1; 32]), deal(&[1], [1; 32]));
    assert_ne!(deal(&[1], [1; 32]), deal(&[2], [1; 32]));
    assert_ne!(deal(&[1], [1; 32]), deal(&[1], [2; 32]));
}
