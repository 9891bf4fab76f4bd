//! Key generation.

use std::collections::BTreeMap;

use curve25519_dalek::constants::EIGHT_TORSION;
use curve25519_dalek::edwards::{CompressedEdwardsY, EdwardsPoint};
use curve25519_dalek::scalar::Scalar;
use white_city_eddsa::{Error, KeyShare, MAX_PARTIES, Malformed, Outgoing, Session, keygen};

use crate::harness::{Results, keygen_parties, keys, randomness, roster, run, session};

/// The error of each party but `except`.
fn errors(results: Results<KeyShare>, except: u16) -> Vec<Error> {
    let others = results.into_iter().filter(|(party, _)| *party != except);
    others.map(|(_, result)| result.unwrap_err()).collect()
}

#[test]
fn all_parties_agree_on_key_public_shares_and_outcome() {
    for (parties, degree) in [(2, 1), (3, 1), (3, 2), (5, 2), (16, 8)] {
        let keys = keys(parties, degree);
        for key in &keys {
            assert_eq!(key.public_key(), keys[0].public_key());
            assert_eq!(key.outcome(), keys[0].outcome());
            assert_eq!(key.participants(), (0..parties).collect::<Vec<_>>());
            assert_eq!((key.parties(), key.degree()), (parties, degree));
            assert_eq!(key.signers_min(), degree + 1);
            for index in 0..parties {
                assert_eq!(key.public_share(index), keys[0].public_share(index));
            }
        }
    }
}

#[test]
fn the_payloads_are_exactly_as_large_as_announced() {
    let bytes = |payload: &[u8]| u32::try_from(payload.len()).unwrap();
    for degree in [1, 2, 4] {
        let mut rounds = 0;
        run(keygen_parties(1, 5, degree, 5), |round, posts| {
            rounds = round;
            for post in posts.values().filter(|_| round == 2) {
                assert_eq!(bytes(&post.broadcast), keygen::max_broadcast_bytes(degree));
                assert_eq!(post.p2p.len(), 4);
                assert!(
                    post.p2p
                        .values()
                        .all(|share| bytes(share) == keygen::max_p2p_bytes())
                );
            }
        });
        assert_eq!(rounds, keygen::ROUNDS);
    }
}

#[test]
fn parameters_outside_of_their_limits_are_refused() {
    let start = |parties, degree, quorum| {
        keygen::start(session(1, parties, 0), degree, quorum, randomness(1, 0)).map(drop)
    };
    assert!(matches!(
        start(3, 0, 3),
        Err(Error::Parameter {
            what: "degree",
            got: 0,
            min: 1,
            max: 2
        })
    ));
    assert!(start(3, 1, 3).is_ok());
    assert!(start(3, 2, 3).is_ok());
    assert!(matches!(
        start(3, 3, 3),
        Err(Error::Parameter { what: "degree", .. })
    ));
    assert!(matches!(
        start(3, 1, 1),
        Err(Error::Parameter {
            what: "quorum",
            min: 2,
            ..
        })
    ));
    assert!(start(3, 1, 2).is_ok());
    assert!(matches!(
        start(3, 1, 4),
        Err(Error::Parameter {
            what: "quorum",
            max: 3,
            ..
        })
    ));
}

#[test]
fn a_roster_is_two_to_1024_distinct_parties_and_holds_the_own_index() {
    let new = |parties, index| Session::new([0; 32], &roster(parties), index).map(drop);
    assert!(matches!(new(1, 0), Err(Error::Parameter { got: 1, .. })));
    assert!(new(2, 1).is_ok());
    assert!(matches!(
        new(2, 2),
        Err(Error::Parameter {
            what: "own index",
            max: 1,
            ..
        })
    ));
    assert!(new(MAX_PARTIES, 1023).is_ok());
    assert!(matches!(
        new(MAX_PARTIES + 1, 0),
        Err(Error::Parameter { got: 1025, .. })
    ));
    let twice = [[1; 32], [2; 32], [1; 32]];
    assert_eq!(
        Session::new([0; 32], &twice, 0),
        Err(Error::Repeated { index: 2 })
    );
}

#[test]
fn who_drops_out_before_revealing_is_no_participant_and_the_others_finish() {
    for round in [1, 2] {
        let mut results = run(keygen_parties(1, 5, 1, 3), |now, posts| {
            if now == round {
                posts.remove(&3);
            }
        });
        assert_eq!(
            results.remove(&3).unwrap().unwrap_err(),
            Error::OwnMessage { round }
        );
        let keys: Vec<_> = results.into_values().map(Result::unwrap).collect();
        assert_eq!(keys.len(), 4);
        assert!(keys.iter().all(|key| key.outcome() == keys[0].outcome()));
        assert_eq!(keys[0].participants(), [0, 1, 2, 4]);
        assert_eq!(
            keys[0].public_share(3),
            Err(Error::NotAParticipant { index: 3 })
        );
    }
}

#[test]
fn fewer_parties_than_the_quorum_are_too_few() {
    for round in [1, 2] {
        let at = |dropped: &'static [u16]| {
            run(keygen_parties(1, 5, 1, 3), move |now, posts| {
                posts.retain(|party, _| now != round || !dropped.contains(party));
            })
        };
        assert!(at(&[3, 4])[&0].is_ok());
        let results = at(&[2, 3, 4]);
        let expected = Error::TooFew {
            round,
            got: 2,
            needed: 3,
        };
        assert_eq!(results[&0].as_ref().unwrap_err(), &expected);
        assert_eq!(expected.culprit(), None);
    }
}

#[test]
fn a_reveal_without_a_commitment_names_its_sender() {
    let mut late = None;
    let results = run(keygen_parties(1, 4, 1, 3), |round, posts| {
        if round == 1 {
            late = posts.remove(&2);
        } else {
            posts.insert(2, late.take().unwrap());
        }
    });
    for error in errors(results, 2) {
        assert_eq!(error, Error::Unexpected { party: 2, round: 2 });
        assert_eq!(error.culprit(), Some(2));
    }
}

#[test]
fn a_sender_outside_of_the_roster_is_refused() {
    let results = run(keygen_parties(1, 3, 1, 3), |_, posts| {
        posts.insert(3, posts[&0].clone());
    });
    assert!(
        results
            .into_values()
            .all(|r| r.unwrap_err() == Error::Unexpected { party: 3, round: 1 })
    );
}

#[test]
fn a_share_that_was_swapped_or_left_out_names_the_dealer_to_its_recipient_only() {
    let results = run(keygen_parties(1, 4, 2, 4), |round, posts| {
        if round == 2 {
            let post = posts.get_mut(&1).unwrap();
            let (a, b) = (post.p2p[&0].clone(), post.p2p[&2].clone());
            post.p2p.insert(0, b);
            post.p2p.insert(2, a);
            post.p2p.remove(&3);
        }
    });
    assert_eq!(
        results[&0].as_ref().unwrap_err(),
        &Error::BadShare { dealer: 1 }
    );
    assert_eq!(
        results[&2].as_ref().unwrap_err(),
        &Error::BadShare { dealer: 1 }
    );
    assert_eq!(
        results[&3].as_ref().unwrap_err(),
        &Error::MissingShare { dealer: 1 }
    );
    assert!(results[&1].is_ok());
}

#[test]
fn the_number_of_commitments_is_the_sessions_and_not_the_dealers() {
    for change in [-32_isize, -1, 1, 32] {
        let results = run(keygen_parties(1, 3, 1, 3), |round, posts| {
            if round == 2 {
                let broadcast = &mut posts.get_mut(&1).unwrap().broadcast;
                let length = broadcast.len().checked_add_signed(change).unwrap();
                broadcast.resize(length, 0);
            }
        });
        for error in errors(results, 1) {
            let reason = Malformed::Length {
                expected: 161,
                got: 161_usize.checked_add_signed(change).unwrap(),
            };
            assert_eq!(error, Error::Malformed { party: 1, reason });
        }
    }
}

#[test]
fn a_dealer_of_another_degree_is_refused() {
    // It runs the protocol faithfully, but with a higher threshold than agreed.
    let mut parties = keygen_parties(1, 4, 1, 4);
    let raised = keygen_parties(1, 4, 2, 4).remove(&2).unwrap();
    parties.insert(2, raised);
    for error in errors(run(parties, |_, _| {}), 2) {
        let reason = Malformed::Length {
            expected: 1 + 32 * 5,
            got: 1 + 32 * 6,
        };
        assert_eq!(error, Error::Malformed { party: 2, reason });
    }
}

#[test]
fn messages_of_another_session_roster_or_index_are_refused() {
    // Round 1 alone binds nothing that others can see; what it commits to doesn't open here.
    let replay = |foreign: BTreeMap<u16, crate::harness::Step<KeyShare>>, from: u16| {
        let mut recorded: Vec<BTreeMap<u16, Outgoing>> = Vec::new();
        run(foreign, |_, posts| recorded.push(posts.clone()));
        let results = run(keygen_parties(1, 3, 1, 3), |round, posts| {
            let mut post = recorded[usize::from(round) - 1][&from].clone();
            post.p2p.extend(posts[&1].p2p.clone());
            posts.insert(1, post);
        });
        errors(results, 1)
    };
    let other_roster = (0..3).map(|index| {
        let session = Session::new([1; 32], &[[1; 32], [2; 32], [3; 32]], index).unwrap();
        let step = crate::harness::keygen_step::<white_city_eddsa::Dalek>(
            session,
            1,
            3,
            randomness(1, index),
        );
        (index, step)
    });
    let cases = [
        replay(keygen_parties(2, 3, 1, 3), 1),
        replay(keygen_parties(1, 3, 1, 2), 1),
        replay(other_roster.collect(), 1),
        replay(keygen_parties(1, 3, 1, 3), 0),
    ];
    for errors in cases {
        assert_eq!(
            errors,
            [
                Error::BadOpening { party: 1 },
                Error::BadOpening { party: 1 }
            ]
        );
    }
}

#[test]
fn an_own_message_that_comes_back_changed_or_not_at_all_blames_nobody() {
    let start = |index| keygen::start(session(1, 2, index), 1, 2, randomness(1, index)).unwrap();
    for change in [false, true] {
        let ((round1, own), (_, other)) = (start(0), start(1));
        let mut posts = BTreeMap::from([(1, other.broadcast)]);
        if change {
            let mut changed = own.broadcast;
            changed[7] ^= 1;
            posts.insert(0, changed);
        }
        let error = round1.close(&posts).unwrap_err();
        assert_eq!(
            (&error, error.culprit()),
            (&Error::OwnMessage { round: 1 }, None)
        );
    }
}

#[test]
fn a_stored_share_reads_back_and_any_changed_byte_is_noticed_or_harmless() {
    let keys = keys(4, 2);
    let bytes = keys[1].to_bytes();
    let back = KeyShare::from_bytes(&bytes).unwrap();
    assert_eq!(
        (back.to_bytes(), back.outcome()),
        (bytes.clone(), keys[1].outcome())
    );
    assert!(matches!(
        KeyShare::from_bytes(&bytes[..bytes.len() - 1]),
        Err(Error::Key(Malformed::Length { .. }))
    ));
    let longer = [&bytes[..], &[0]].concat();
    assert!(matches!(
        KeyShare::from_bytes(&longer),
        Err(Error::Key(Malformed::Length { .. }))
    ));
    // Version; index, degree, count, participants; commitments and secret. Context and roster size enter only the outcome.
    for position in 0..bytes.len() {
        let mut changed = bytes.to_vec();
        changed[position] ^= 1;
        match KeyShare::from_bytes(&changed) {
            Err(Error::Key(_)) => {}
            Err(other) => panic!("{other:?}"),
            Ok(share) => {
                assert!(
                    (1..33).contains(&position) || (35..37).contains(&position),
                    "{position}"
                );
                assert_ne!(share.outcome(), keys[1].outcome());
            }
        }
    }
}

#[test]
fn a_stored_share_lists_enough_ascending_participants_of_the_roster_and_its_own_party() {
    let bytes = keys(4, 1)[1].to_bytes();
    let with = |participants: &[u16]| {
        let count = u16::try_from(participants.len()).unwrap();
        let numbers: Vec<u8> = [count]
            .iter()
            .chain(participants)
            .flat_map(|n| n.to_be_bytes())
            .collect();
        KeyShare::from_bytes(&[&bytes[..39], &numbers, &bytes[39 + 2 * 5..]].concat()).map(drop)
    };
    for good in [&[0, 1, 2, 3][..], &[1, 3], &[0, 1]] {
        assert_eq!(with(good), Ok(()));
    }
    for bad in [
        &[0, 2, 3][..],
        &[1],
        &[],
        &[0, 1, 4],
        &[1, 0, 2],
        &[0, 1, 1],
    ] {
        assert_eq!(with(bad), Err(Error::Key(Malformed::Range)), "{bad:?}");
    }
}

#[test]
fn a_stored_share_of_a_key_that_is_no_prime_order_point_is_refused_although_it_fits() {
    let original = keys(3, 1)[1].to_bytes();
    let points = 41 + 2 * 3;
    let mut bytes = original.clone();
    // Party 1 has coordinate 2, which hides a point of order 2.
    let point: &mut [u8] = &mut bytes[points + 32..points + 64];
    let with_torsion = CompressedEdwardsY::from_slice(point)
        .unwrap()
        .decompress()
        .unwrap()
        + EIGHT_TORSION[4];
    point.copy_from_slice(with_torsion.compress().as_bytes());
    assert_eq!(
        KeyShare::from_bytes(&bytes).map(drop),
        Err(Error::Key(Malformed::Point))
    );

    let mut bytes = original;
    let slope = Scalar::from(5_u8);
    let mut identity = [0; 32];
    identity[0] = 1;
    bytes[points..points + 32].copy_from_slice(&identity);
    let commitment = EdwardsPoint::mul_base(&slope).compress();
    bytes[points + 32..points + 64].copy_from_slice(commitment.as_bytes());
    bytes[points + 64..].copy_from_slice((slope + slope).as_bytes());
    assert_eq!(
        KeyShare::from_bytes(&bytes).map(drop),
        Err(Error::Key(Malformed::Point))
    );
}

#[test]
fn nothing_secret_is_in_debug_output() {
    let keys = keys(3, 1);
    let bytes = keys[0].to_bytes();
    let secret = hex::encode(&bytes[bytes.len() - 32..]);
    let decimal = format!("{:?}", &bytes[bytes.len() - 32..]);
    let shown = format!("{:?} {:?}", keys[0], randomness(1, 1));
    assert!(!shown.contains(&secret) && !shown.contains(decimal.trim_matches(['[', ']'])));
}
