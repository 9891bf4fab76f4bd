//! Both backends speak the same bytes: they replay each other's sessions, share sessions, and refuse the same things.

use std::collections::BTreeMap;

use curve25519_dalek::constants::EIGHT_TORSION;
use proptest::prelude::*;
use white_city_eddsa::{Backend, Curv, Dalek, Error, KeyShare, aggregate};

use crate::harness::{
    Posts, Resharing, Results, Step, aggregate_step, agreed, key_pairs, keygen_step, many_step,
    randomness, refresh_step, run, session, sign_step,
};

const MESSAGE: &[u8] = b"one signature, two libraries";
const PARTIES: u16 = 4;

/// One party's broadcast and p2p payloads of one round.
type Posted = (Vec<u8>, Vec<Vec<u8>>);

/// Whether a party is on curv: if its bit of `curv` is set.
fn is_on_curv(curv: u16, index: u16) -> bool {
    curv >> index & 1 == 1
}

/// A party on dalek, or one on curv.
macro_rules! on {
    ($curv:expr, $index:expr, $step:ident($($argument:expr),*)) => {
        if is_on_curv($curv, $index) {
            $step::<Curv>($($argument),*)
        } else {
            $step::<Dalek>($($argument),*)
        }
    };
}

/// Everything that is posted.
struct Record(Vec<BTreeMap<u16, Posted>>);

impl Record {
    fn run<T>(&mut self, parties: impl Iterator<Item = (u16, Step<T>)>) -> Results<T> {
        run(parties.collect(), |_, posts: &mut Posts| {
            let bytes = posts.iter().map(|(&party, post)| {
                let p2p = post.p2p.values().map(|payload| payload.to_vec()).collect();
                (party, (post.broadcast.clone(), p2p))
            });
            self.0.push(bytes.collect());
        })
    }
}

/// Runs key generation, a refresh, a resharing and all kinds of signing; party i is on curv if bit i of `curv` is set. Gives everything
/// posted.
fn sessions(curv: u16) -> Vec<BTreeMap<u16, Posted>> {
    let mut record = Record(Vec::new());
    let results = record.run((0..PARTIES).map(|index| {
        let (session, random) = (session(1, PARTIES, index), randomness(1, index));
        let step = on!(curv, index, keygen_step(session, 2, PARTIES, random));
        (index, step)
    }));
    let keys: Vec<KeyShare> = results.into_values().map(Result::unwrap).collect();
    signatures(curv, &keys, &mut record);
    changes(curv, &keys, &mut record);
    let pairs = (0..PARTIES).zip(key_pairs(PARTIES));
    let signed = agreed(
        record.run(pairs.map(|(index, pair)| {
            let (session, random) = (session(3, PARTIES, index), randomness(3, index));
            let step = on!(
                curv,
                index,
                aggregate_step(session, &pair, None, MESSAGE, random)
            );
            (index, step)
        })),
        MESSAGE,
    );
    let pairs = key_pairs(PARTIES);
    let keys: Vec<_> = pairs.iter().map(aggregate::KeyPair::public_key).collect();
    let key = aggregate::AggregateKey::new(&keys).unwrap();
    assert_eq!(signed.public_key, key.public_key());
    record.0
}

/// Signatures with a shared key, of one message and of many.
fn signatures(curv: u16, keys: &[KeyShare], record: &mut Record) {
    let signers = [3, 0, 1, 2];
    let of = |index: u16| &keys[usize::from(signers[usize::from(index)])];
    let signed = record.run((0..PARTIES).map(|index| {
        let (session, random) = (session(2, PARTIES, index), randomness(2, index));
        let step = on!(
            curv,
            index,
            sign_step(session, of(index), &signers, MESSAGE, random)
        );
        (index, step)
    }));
    assert_eq!(agreed(signed, MESSAGE).public_key, keys[0].public_key());
    let messages = [MESSAGE, b"another"];
    let many = record.run((0..PARTIES).map(|index| {
        let (session, random) = (session(6, PARTIES, index), randomness(6, index));
        let step = on!(
            curv,
            index,
            many_step(&session, of(index), &signers, &messages, random)
        );
        (index, step)
    }));
    for (_, signed) in many {
        assert_eq!(signed.unwrap().signed().len(), 2);
    }
}

/// Other shares of the same key, for those who have it and for others.
fn changes(curv: u16, keys: &[KeyShare], record: &mut Record) {
    let holders = [3, 0, 1, 2];
    let refreshed = record.run((0..PARTIES).zip(holders).map(|(index, holder)| {
        let (session, random) = (session(4, PARTIES, index), randomness(4, index));
        let key = &keys[usize::from(holder)];
        (
            index,
            on!(curv, index, refresh_step(session, key, &holders, random)),
        )
    }));
    for (_, new) in refreshed {
        assert_eq!(new.unwrap().public_key(), keys[0].public_key());
    }
    let resharing = Resharing {
        parties: PARTIES,
        keys,
        dealers: [(0, 3), (1, 1), (3, 0)].into(),
        recipients: [1, 2, 3].into(),
        degree: 1,
    };
    let reshared = record.run((0..PARTIES).map(|index| {
        let step = match is_on_curv(curv, index) {
            true => resharing.step::<Curv>(5, index),
            false => resharing.step::<Dalek>(5, index),
        };
        (index, step)
    }));
    for (_, new) in reshared {
        let share = new.unwrap().share;
        assert!(share.is_none_or(|share| share.public_key() == keys[0].public_key()));
    }
}

#[test]
fn mixed_sessions_end_in_valid_signatures_and_every_byte_is_the_same() {
    let expected = sessions(0b0000);
    assert_eq!(expected.len(), 2 + 4 + 4 + 2 + 2 + 3);
    for curv in [0b0001, 0b1010, 0b1111] {
        assert_eq!(sessions(curv), expected);
    }
}

#[test]
fn a_party_on_curv_names_culprits_as_one_on_dalek_does() {
    let (opening, proof) = (Error::BadOpening { party: 2 }, Error::BadProof { party: 2 });
    for (round, position, expected) in [
        (1, 5, opening.clone()),
        (2, 5, opening.clone()),
        (2, 40, opening),
        (2, 128, proof),
    ] {
        let parties = (0..3).map(|index| {
            let (session, randomness) = (session(1, 3, index), randomness(1, index));
            let step: Step<KeyShare> = if index == 0 {
                keygen_step::<Curv>(session, 1, 3, randomness)
            } else {
                keygen_step::<Dalek>(session, 1, 3, randomness)
            };
            (index, step)
        });
        let results = run(parties.collect(), |now, posts| {
            if now == round {
                posts.get_mut(&2).unwrap().broadcast[position] ^= 1;
            }
        });
        let error = results[&0].as_ref().unwrap_err();
        assert_eq!(error, &expected);
        assert_eq!(error, results[&1].as_ref().unwrap_err());
    }
}

fn same_point(bytes: &[u8; 32]) -> Option<bool> {
    let (dalek, curv) = (
        Dalek::point_from_bytes(bytes),
        Curv::point_from_bytes(bytes),
    );
    assert_eq!(dalek.is_some(), curv.is_some(), "{}", hex::encode(bytes));
    let (dalek, curv) = (dalek?, curv?);
    assert_eq!(Dalek::point_to_bytes(&dalek), *bytes);
    assert_eq!(Curv::point_to_bytes(&curv), *bytes);
    assert_eq!(Dalek::is_torsion_free(&dalek), Curv::is_torsion_free(&curv));
    for factor in [0, 1, 2, 3, 8, 1024] {
        let dalek = Dalek::mul_small(factor, &dalek);
        let curv = Curv::mul_small(factor, &curv);
        assert_eq!(Dalek::point_to_bytes(&dalek), Curv::point_to_bytes(&curv));
    }
    Some(Dalek::is_torsion_free(&dalek))
}

#[test]
fn both_judge_special_encodings_alike() {
    for (number, point) in EIGHT_TORSION.iter().enumerate() {
        assert_eq!(same_point(&point.compress().to_bytes()), Some(number == 0));
    }
    let mut refused = 0;
    for low in 0xe0..=0xff_u8 {
        for high in [0x7f, 0xff] {
            let mut bytes = [0xff; 32];
            (bytes[0], bytes[31]) = (low, high);
            refused += u32::from(same_point(&bytes).is_none());
        }
    }
    assert!(refused >= 2 * 19, "all y of p and above");
    for y in [1, 0] {
        let mut negative = [0; 32];
        (negative[0], negative[31]) = (y, 0x80);
        // The negative of x = 0 doesn't exist; for y = 0 both signs do.
        assert_eq!(same_point(&negative).is_some(), y == 0);
    }
    let order =
        hex::decode("edd3f55c1a631258d69cf7a2def9de1400000000000000000000000000000010").unwrap();
    let mut order: [u8; 32] = order.try_into().unwrap();
    for (change, good) in [(0_u8, false), (1, true)] {
        order[0] -= change;
        assert_eq!(Dalek::scalar_from_canonical(&order).is_some(), good);
        assert_eq!(Curv::scalar_from_canonical(&order).is_some(), good);
    }
    assert!(Curv::scalar_invert(&Curv::scalar_from_small(0)).is_none());
    assert!(Dalek::scalar_invert(&Dalek::scalar_from_small(0)).is_none());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn both_agree_on_arbitrary_points_and_scalars(bytes in any::<[u8; 32]>(), a in any::<[u8; 32]>(), b in any::<[u8; 32]>()) {
        same_point(&bytes);
        prop_assert_eq!(Dalek::scalar_from_canonical(&bytes).is_some(), Curv::scalar_from_canonical(&bytes).is_some());
        let wide: [u8; 64] = [a, b].concat().try_into().unwrap();
        let other: [u8; 64] = [b, bytes].concat().try_into().unwrap();
        let dalek = [Dalek::scalar_from_wide(&wide), Dalek::scalar_from_wide(&other)];
        let curv = [Curv::scalar_from_wide(&wide), Curv::scalar_from_wide(&other)];
        type Operation<B> = fn(&<B as Backend>::Scalar, &<B as Backend>::Scalar) -> <B as Backend>::Scalar;
        let on_dalek: [Operation<Dalek>; 3] = [Dalek::scalar_add, Dalek::scalar_sub, Dalek::scalar_mul];
        let on_curv: [Operation<Curv>; 3] = [Curv::scalar_add, Curv::scalar_sub, Curv::scalar_mul];
        for (on_dalek, on_curv) in on_dalek.into_iter().zip(on_curv) {
            let (x, y) = (on_dalek(&dalek[0], &dalek[1]), on_curv(&curv[0], &curv[1]));
            prop_assert_eq!(Dalek::scalar_to_bytes(&x), Curv::scalar_to_bytes(&y));
        }
        let (x, y) = (Dalek::scalar_invert(&dalek[0]).unwrap(), Curv::scalar_invert(&curv[0]).unwrap());
        prop_assert_eq!(Dalek::scalar_to_bytes(&x), Curv::scalar_to_bytes(&y));
        let (p, q) = (Dalek::mul_base(&dalek[0]), Curv::mul_base(&curv[0]));
        prop_assert_eq!(Dalek::point_to_bytes(&p), Curv::point_to_bytes(&q));
        let (p2, q2) = (Dalek::mul_public(&dalek[1], &p), Curv::mul_public(&curv[1], &q));
        prop_assert_eq!(Dalek::point_to_bytes(&p2), Curv::point_to_bytes(&q2));
        let (sum, same) = (Dalek::point_add(&p, &p2), Curv::point_add(&q, &q2));
        prop_assert_eq!(Dalek::point_to_bytes(&sum), Curv::point_to_bytes(&same));
        let (difference, same) = (Dalek::point_sub(&p, &p2), Curv::point_sub(&q, &q2));
        prop_assert_eq!(Dalek::point_to_bytes(&difference), Curv::point_to_bytes(&same));
    }
}
