//! Aggregated signing.

use curve25519_dalek::constants::EIGHT_TORSION;
use curve25519_dalek::edwards::CompressedEdwardsY;
use white_city_eddsa::aggregate::{self, AggregateKey};
use white_city_eddsa::message::{KeyAndCommitment, Nonce};
use white_city_eddsa::{Error, MAX_PARTIES, Malformed};

use crate::harness::{aggregate_parties, agreed, key_pairs, randomness, run, session};

const MESSAGE: &[u8] = b"the minutes of the meeting";

fn public_keys(parties: u16) -> Vec<[u8; 32]> {
    key_pairs(parties)
        .iter()
        .map(aggregate::KeyPair::public_key)
        .collect()
}

#[test]
fn any_number_of_parties_make_one_valid_signature_under_the_aggregate_key() {
    for parties in [2, 3, 7, 20] {
        let signed = agreed(
            run(aggregate_parties(1, parties, MESSAGE), |_, _| {}),
            MESSAGE,
        );
        let key = AggregateKey::new(&public_keys(parties)).unwrap();
        assert_eq!(
            (signed.public_key, key.keys().len()),
            (key.public_key(), usize::from(parties))
        );
    }
}

#[test]
fn the_payloads_are_no_larger_than_announced() {
    let mut largest = 0;
    run(aggregate_parties(1, 3, MESSAGE), |round, posts| {
        assert!(round <= aggregate::ROUNDS);
        assert!(posts.values().all(|post| post.p2p.is_empty()));
        largest = posts
            .values()
            .map(|post| post.broadcast.len())
            .max()
            .unwrap()
            .max(largest);
    });
    assert_eq!(u32::try_from(largest), Ok(aggregate::max_broadcast_bytes()));
}

#[test]
fn everybody_is_needed_in_every_round() {
    for round in 1..=aggregate::ROUNDS {
        let results = run(aggregate_parties(1, 4, MESSAGE), |now, posts| {
            if now == round {
                posts.remove(&2);
            }
        });
        for party in [0, 1, 3] {
            let error = results[&party].as_ref().unwrap_err();
            assert_eq!(
                (error, error.culprit()),
                (&Error::Absent { party: 2, round }, None)
            );
        }
    }
}

#[test]
fn a_party_with_another_key_than_expected_is_named() {
    let key_pairs = key_pairs(3);
    let mut expected = public_keys(3);
    let start = |expected: &[[u8; 32]]| {
        aggregate::start(
            session(1, 3, 0),
            &key_pairs[0],
            Some(expected),
            MESSAGE,
            randomness(1, 0),
        )
    };
    let (round1, post) = start(&expected).unwrap();
    let mut posts = std::collections::BTreeMap::new();
    run(aggregate_parties(1, 3, MESSAGE), |round, others| {
        if round == 1 {
            posts = others
                .iter()
                .map(|(&party, post)| (party, post.broadcast.clone()))
                .collect();
        }
    });
    assert_eq!(posts[&0], post.broadcast);
    assert!(round1.close(&posts).is_ok());
    expected[2] = [3; 32];
    let (round1, _) = start(&expected).unwrap();
    assert_eq!(
        round1.close(&posts).unwrap_err(),
        Error::WrongKey { party: 2 }
    );
    assert!(matches!(
        start(&expected[..2]),
        Err(Error::Parameter { got: 2, .. })
    ));
    expected[0] = [3; 32];
    assert_eq!(start(&expected).unwrap_err(), Error::OwnKey);
}

#[test]
fn keys_that_are_no_prime_order_points_name_their_party() {
    let small = EIGHT_TORSION[1].compress().to_bytes();
    let mixed = (CompressedEdwardsY(public_keys(1)[0]).decompress().unwrap() + EIGHT_TORSION[3])
        .compress()
        .to_bytes();
    let mut identity = [0; 32];
    identity[0] = 1;
    // y = p + 1, which is the identity's y in another way.
    let mut unreduced = [0xff; 32];
    (unreduced[0], unreduced[31]) = (0xee, 0x7f);
    for (key, expected) in [
        (small, Error::Torsion { party: 1 }),
        (mixed, Error::Torsion { party: 1 }),
        (
            identity,
            Error::Malformed {
                party: 1,
                reason: Malformed::Point,
            },
        ),
        (
            unreduced,
            Error::Malformed {
                party: 1,
                reason: Malformed::Point,
            },
        ),
        (
            [2; 32],
            Error::Malformed {
                party: 1,
                reason: Malformed::Point,
            },
        ),
    ] {
        let keys = [public_keys(1)[0], key];
        assert_eq!(AggregateKey::new(&keys).unwrap_err(), expected);
        let results = run(aggregate_parties(1, 2, MESSAGE), |_, posts| {
            posts.get_mut(&1).unwrap().broadcast = KeyAndCommitment {
                key,
                commitment: [0; 32],
            }
            .encode();
        });
        assert_eq!(results[&0].as_ref().unwrap_err(), &expected);
    }
}

#[test]
fn the_number_of_keys_is_limited() {
    let keys = public_keys(2);
    assert!(matches!(
        AggregateKey::new(&keys[..1]),
        Err(Error::Parameter { got: 1, .. })
    ));
    assert!(AggregateKey::new(&keys).is_ok());
    let most = vec![keys[0]; usize::from(MAX_PARTIES)];
    assert!(AggregateKey::new(&most).is_ok());
    let more = vec![keys[0]; usize::from(MAX_PARTIES) + 1];
    assert!(matches!(
        AggregateKey::new(&more),
        Err(Error::Parameter { got: 1025, .. })
    ));
}

#[test]
fn a_rogue_key_does_not_cancel_the_others() {
    // Without weights, X = (x G) - A would make x the secret of A + X.
    let keys = public_keys(2);
    let honest = CompressedEdwardsY(keys[0]).decompress().unwrap();
    let own = CompressedEdwardsY(keys[1]).decompress().unwrap();
    let rogue = (own - honest).compress().to_bytes();
    assert_ne!(
        AggregateKey::new(&[keys[0], rogue]).unwrap().public_key(),
        keys[1]
    );
}

#[test]
fn the_negative_of_a_committed_nonce_does_not_open() {
    // Commitments to the y coordinate alone would leave this choice open.
    let results = run(aggregate_parties(1, 3, MESSAGE), |round, posts| {
        if round == 2 {
            let post = posts.get_mut(&1).unwrap();
            let mut nonce = Nonce::decode(&post.broadcast).unwrap();
            nonce.point[31] ^= 0x80;
            post.broadcast = nonce.encode();
        }
    });
    for party in [0, 2] {
        assert_eq!(
            results[&party].as_ref().unwrap_err(),
            &Error::BadOpening { party: 1 }
        );
    }
}

#[test]
fn another_session_or_message_does_not_open_and_a_replayed_post_neither() {
    for foreign in [
        aggregate_parties(2, 3, MESSAGE),
        aggregate_parties(1, 3, b"other"),
    ] {
        let mut parties = aggregate_parties(1, 3, MESSAGE);
        parties.extend(foreign.into_iter().filter(|(party, _)| *party == 1));
        let results = run(parties, |_, _| {});
        for party in [0, 2] {
            assert_eq!(
                results[&party].as_ref().unwrap_err(),
                &Error::BadOpening { party: 1 }
            );
        }
    }
    // A party that copies another one's messages.
    let results = run(aggregate_parties(1, 3, MESSAGE), |_, posts| {
        if let Some(copy) = posts.get(&0).cloned() {
            posts.insert(1, copy);
        }
    });
    assert_eq!(
        results[&0].as_ref().unwrap_err(),
        &Error::BadOpening { party: 1 }
    );
}
