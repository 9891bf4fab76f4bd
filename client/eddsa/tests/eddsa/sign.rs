//! Threshold signing.

use std::collections::{BTreeMap, BTreeSet};

use white_city_eddsa::{Error, KeyShare, Outgoing, Signed, sign};

use crate::harness::{
    Results, agreed, assert_valid, keygen_parties, keys, randomness, run, session, sign_parties,
};

const MESSAGE: &[u8] = b"pay 3 to Ada";

fn without(results: Results<Signed>, except: &[u16]) -> BTreeMap<u16, Result<Signed, Error>> {
    results
        .into_iter()
        .filter(|(party, _)| !except.contains(party))
        .collect()
}

#[test]
fn every_sufficient_set_of_signers_makes_a_valid_signature() {
    let mut ran = 0;
    for (parties, degree) in [(2, 1), (3, 1), (3, 2), (4, 2), (5, 2)] {
        let keys = keys(parties, degree);
        for set in 0_u32..1 << parties {
            let signers: Vec<u16> = (0..parties).filter(|i| set >> i & 1 == 1).collect();
            if signers.len() > usize::from(degree) {
                let signed = agreed(
                    run(sign_parties(2, &keys, &signers, MESSAGE), |_, _| {}),
                    MESSAGE,
                );
                assert_eq!(signed.public_key, keys[0].public_key());
                assert_eq!(signed.culprits, []);
                ran += 1;
            }
        }
    }
    assert_eq!(ran, 1 + 4 + 1 + 5 + 16);
}

#[test]
fn sixteen_parties_with_degree_eight_sign() {
    let keys = keys(16, 8);
    let signers: Vec<u16> = (4..13).collect();
    agreed(run(sign_parties(2, &keys, &signers, b""), |_, _| {}), b"");
}

#[test]
fn the_payloads_are_exactly_as_large_as_announced() {
    let keys = keys(3, 2);
    let bytes = |payload: &[u8]| u32::try_from(payload.len()).unwrap();
    let (mut rounds, mut largest) = (0, 0);
    run(
        sign_parties(2, &keys, &[0, 1, 2], MESSAGE),
        |round, posts| {
            rounds = round;
            for post in posts.values() {
                largest = largest.max(bytes(&post.broadcast));
                assert!(
                    post.p2p
                        .values()
                        .all(|share| bytes(share) == sign::max_p2p_bytes())
                );
            }
        },
    );
    assert_eq!(
        (rounds, largest),
        (sign::ROUNDS, sign::max_broadcast_bytes(2))
    );
}

#[test]
fn the_order_of_signers_is_free_and_errors_use_the_signing_sessions_indices() {
    let keys = keys(5, 2);
    let signers = [4, 0, 3];
    agreed(
        run(sign_parties(2, &keys, &signers, MESSAGE), |_, _| {}),
        MESSAGE,
    );
    let results = run(sign_parties(2, &keys, &signers, MESSAGE), |round, posts| {
        if round == 2 {
            let share = posts.get_mut(&0).unwrap().p2p.get_mut(&2).unwrap();
            share[5] ^= 1;
        }
    });
    assert_eq!(
        results[&2].as_ref().unwrap_err(),
        &Error::BadShare { dealer: 0 }
    );
}

#[test]
fn wrong_signers_shares_and_sessions_are_refused() {
    let keys = keys(4, 1);
    let start = |parties, index, key: &KeyShare, signers: &[u16]| {
        sign::start(
            session(2, parties, index),
            key,
            signers,
            MESSAGE,
            randomness(2, 0),
        )
        .map(drop)
    };
    assert_eq!(start(2, 0, &keys[0], &[0, 1]), Ok(()));
    assert!(matches!(
        start(2, 0, &keys[0], &[0]),
        Err(Error::Parameter { .. })
    ));
    assert!(matches!(
        start(2, 0, &keys[0], &[0, 1, 2]),
        Err(Error::Parameter { .. })
    ));
    assert_eq!(
        start(2, 0, &keys[0], &[0, 4]),
        Err(Error::NotAParticipant { index: 4 })
    );
    assert_eq!(
        start(3, 0, &keys[0], &[0, 1, 0]),
        Err(Error::Repeated { index: 2 })
    );
    assert_eq!(
        start(2, 1, &keys[0], &[0, 1]),
        Err(Error::WrongShare {
            expected: 1,
            got: 0
        })
    );
    let strong = crate::harness::keys(4, 2);
    let few = start(2, 0, &strong[0], &[0, 1]);
    assert!(matches!(
        few,
        Err(Error::Parameter {
            got: 2,
            min: 3,
            max: 4,
            ..
        })
    ));
}

#[test]
fn who_held_no_share_in_the_end_cannot_be_a_signer() {
    let results = run(keygen_parties(1, 4, 1, 3), |round, posts| {
        if round == 2 {
            posts.remove(&1);
        }
    });
    let keys: Vec<_> = results.into_values().filter_map(Result::ok).collect();
    let refused = sign::start(
        session(2, 2, 0),
        &keys[0],
        &[0, 1],
        MESSAGE,
        randomness(2, 0),
    );
    assert_eq!(refused.unwrap_err(), Error::NotAParticipant { index: 1 });
    agreed(
        run(sign_parties(2, &keys, &[3, 0], MESSAGE), |_, _| {}),
        MESSAGE,
    );
}

#[test]
fn signers_may_drop_out_before_round_one_and_after_round_two() {
    let keys = keys(5, 1);
    let signers = [0, 1, 2, 3, 4];
    for round in [1, 3, 4] {
        let results = run(sign_parties(2, &keys, &signers, MESSAGE), |now, posts| {
            posts.retain(|party, _| now < round || [1, 3].contains(party));
        });
        agreed(
            results
                .into_iter()
                .filter(|(p, _)| [1, 3].contains(p))
                .collect(),
            MESSAGE,
        );
        let results = run(sign_parties(2, &keys, &signers, MESSAGE), |now, posts| {
            posts.retain(|&party, _| now < round || party == 3);
        });
        let expected = Error::TooFew {
            round,
            got: 1,
            needed: 2,
        };
        assert_eq!(results[&3].as_ref().unwrap_err(), &expected);
    }
}

#[test]
fn a_committed_nonce_that_is_not_revealed_ends_the_session_without_a_culprit() {
    let keys = keys(5, 1);
    let results = run(
        sign_parties(2, &keys, &[0, 1, 2, 3, 4], MESSAGE),
        |round, posts| {
            if round == 2 {
                posts.remove(&2);
            }
        },
    );
    for (_, result) in without(results, &[2]) {
        let error = result.unwrap_err();
        assert_eq!(
            (&error, error.culprit()),
            (&Error::Absent { party: 2, round: 2 }, None)
        );
    }
}

#[test]
fn a_bad_share_makes_only_its_recipient_leave_and_the_rest_can_sign() {
    let keys = keys(4, 1);
    let results = run(
        sign_parties(2, &keys, &[0, 1, 2, 3], MESSAGE),
        |round, posts| {
            if round == 2 {
                posts.get_mut(&1).unwrap().p2p.remove(&0);
            }
        },
    );
    assert_eq!(
        results[&0].as_ref().unwrap_err(),
        &Error::MissingShare { dealer: 1 }
    );
    agreed(without(results, &[0]), MESSAGE);
}

#[test]
fn wrong_partials_are_named_and_needed_ones_end_the_session() {
    let keys = keys(5, 2);
    let spoil = |signers: &[u16], bad: &'static [u16]| {
        run(
            sign_parties(2, &keys, signers, MESSAGE),
            move |round, posts| {
                for party in bad.iter().filter(|_| round == 4) {
                    posts.get_mut(party).unwrap().broadcast[1] ^= 1;
                }
            },
        )
    };
    let signed = agreed(without(spoil(&[0, 1, 2, 3, 4], &[1, 3]), &[1, 3]), MESSAGE);
    assert_eq!(signed.culprits, [1, 3]);
    for (_, result) in without(spoil(&[0, 1, 2, 3], &[1, 3]), &[1, 3]) {
        assert_eq!(result.unwrap_err(), Error::BadPartial { party: 1 });
    }
}

#[test]
fn the_signature_does_not_depend_on_which_partials_are_used() {
    let keys = keys(4, 1);
    let signature = |dropped: u16| {
        let results = run(
            sign_parties(2, &keys, &[0, 1, 2, 3], MESSAGE),
            |round, posts| {
                posts.retain(|party, _| round < 4 || *party != dropped);
            },
        );
        results[&3].as_ref().unwrap().clone()
    };
    assert_valid(&signature(0), MESSAGE);
    assert_eq!(signature(0), signature(1));
    assert_eq!(signature(0).outcome(), signature(2).outcome());
}

#[test]
fn no_partial_is_made_before_enough_signers_have_confirmed_including_oneself() {
    let keys = keys(3, 1);
    for (confirmed, expected) in [
        (
            vec![0],
            Error::TooFew {
                round: 3,
                got: 1,
                needed: 2,
            },
        ),
        (vec![1, 2], Error::OwnMessage { round: 3 }),
        (vec![0, 1, 3], Error::Unexpected { party: 3, round: 3 }),
    ] {
        let confirmed: BTreeSet<u16> = confirmed.into_iter().collect();
        let results = run(
            sign_parties(2, &keys, &[0, 1, 2], MESSAGE),
            |round, posts| {
                if round == 3 {
                    posts.clear();
                    posts.extend(confirmed.iter().map(|&party| (party, Outgoing::default())));
                }
                assert!(round < 4 || !posts.contains_key(&0));
            },
        );
        assert_eq!(results[&0].as_ref().unwrap_err(), &expected);
    }
}

#[test]
fn another_message_session_key_or_list_of_signers_does_not_open() {
    let (keys, other_keys) = (keys(4, 1), {
        let results = run(keygen_parties(9, 4, 1, 4), |_, _| {});
        results
            .into_values()
            .map(Result::unwrap)
            .collect::<Vec<_>>()
    });
    for foreign in [
        sign_parties(3, &keys, &[0, 1, 2], MESSAGE),
        sign_parties(2, &keys, &[0, 1, 2], b"pay 4 to Ada"),
        sign_parties(2, &keys, &[0, 1, 3], MESSAGE),
        sign_parties(2, &other_keys, &[0, 1, 2], MESSAGE),
    ] {
        let mut parties = sign_parties(2, &keys, &[0, 1, 2], MESSAGE);
        parties.extend(foreign.into_iter().filter(|(party, _)| *party == 1));
        let results = run(parties, |_, _| {});
        for party in [0, 2] {
            let error = results[&party].as_ref().unwrap_err();
            assert_eq!(error, &Error::BadOpening { party: 1 });
        }
    }
}

#[test]
fn the_same_randomness_for_another_message_gives_another_nonce() {
    let keys = keys(2, 1);
    let sign = |message: &[u8]| {
        agreed(
            run(sign_parties(2, &keys, &[0, 1], message), |_, _| {}),
            message,
        )
    };
    assert_eq!(sign(b"a").signature, sign(b"a").signature);
    assert_ne!(sign(b"a").signature[..32], sign(b"b").signature[..32]);
}
