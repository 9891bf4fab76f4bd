//! Threshold signatures of many messages in one session.

use std::collections::BTreeSet;

use white_city_eddsa::{
    Error, KeyShare,
    message::{Commitment, Opening, Partial, Share},
    outcome_of_many,
    sign::many::{self, MESSAGES_MAX, SignedMany},
};

use crate::harness::{Posts, Results, assert_valid, keys, many_parties, randomness, run, session};

/// Two of them are the same, and one is empty.
const MESSAGES: [&[u8]; 4] = [b"one", b"two", b"", b"one"];

/// All have the same valid signatures; gives them.
fn agreed(results: Results<SignedMany>, messages: &[&[u8]]) -> SignedMany {
    let mut all: Vec<SignedMany> = results.into_values().map(Result::unwrap).collect();
    let first = all.pop().unwrap();
    assert!(all.iter().all(|other| other.outcome() == first.outcome()));
    assert_eq!(first.signed().len(), messages.len());
    for (signed, message) in first.signed().iter().zip(messages) {
        assert_valid(signed, message);
        assert!(all.iter().all(|other| other.signed().contains(signed)));
    }
    first
}

#[test]
fn every_message_has_a_signature_with_a_nonce_of_its_own() {
    let keys = keys(4, 2);
    for signers in [&[0, 1, 2, 3][..], &[3, 0, 2]] {
        let signed = agreed(
            run(many_parties(2, &keys, signers, &MESSAGES), |_, _| {}),
            &MESSAGES,
        );
        let nonces: BTreeSet<&[u8]> = signed
            .signed()
            .iter()
            .map(|one| &one.signature[..32])
            .collect();
        assert_eq!(nonces.len(), MESSAGES.len());
        assert_eq!(signed.culprits(), []);
        // What the session finishes with is these signatures of these messages in this order, by these signers, and nothing else.
        let parties = u16::try_from(signers.len()).unwrap();
        let session = session(2, parties, 0);
        let signatures: Vec<[u8; 64]> = signed.signed().iter().map(|one| one.signature).collect();
        let key = keys[0].public_key();
        let made = |signers: &[u16], messages: &[&[u8]], signatures: &[[u8; 64]]| {
            outcome_of_many(
                &session,
                (&keys[0].outcome(), signers),
                key,
                messages,
                signatures,
            )
        };
        assert_eq!(made(signers, &MESSAGES, &signatures), Ok(signed.outcome()));
        let others: Vec<u16> = signers.iter().rev().copied().collect();
        assert_ne!(made(&others, &MESSAGES, &signatures), Ok(signed.outcome()));
        let (mut swapped, mut order) = (signatures.clone(), MESSAGES);
        swapped.swap(0, 1);
        assert_eq!(made(signers, &MESSAGES, &swapped), Err(Error::Signature));
        order.swap(0, 1);
        assert_ne!(made(signers, &order, &swapped), Ok(signed.outcome()));
        // Both are of the same message.
        let mut swapped = signatures.clone();
        swapped.swap(0, 3);
        assert_ne!(made(signers, &MESSAGES, &swapped), Ok(signed.outcome()));
        let fewer = made(signers, &MESSAGES, &signatures[..3]);
        assert!(matches!(fewer, Err(Error::Parameter { .. })), "{fewer:?}");
    }
}

#[test]
fn as_many_messages_as_stated_are_signed_and_no_more() {
    let keys = keys(2, 1);
    let start = |count: u16| {
        let messages = vec![b"message"; usize::from(count)];
        many::start(
            &session(2, 2, 0),
            &keys[0],
            &[0, 1],
            &messages,
            randomness(2, 0),
        )
        .map(drop)
    };
    assert_eq!((start(1), start(MESSAGES_MAX)), (Ok(()), Ok(())));
    for count in [0, MESSAGES_MAX + 1] {
        let refused = start(count);
        assert!(
            matches!(refused, Err(Error::Parameter { .. })),
            "{refused:?}"
        );
    }
    let all: Vec<&[u8]> = vec![b"message"; usize::from(MESSAGES_MAX)];
    agreed(run(many_parties(2, &keys, &[0, 1], &all), |_, _| {}), &all);
}

#[test]
fn the_payloads_are_exactly_as_large_as_announced() {
    for degree in [1, 3] {
        let keys = keys(4, degree);
        let (mut broadcast, mut p2p) = (0, 0);
        let parties = many_parties(2, &keys, &[0, 1, 2, 3], &MESSAGES);
        let results = run(parties, |_, posts: &mut Posts| {
            for post in posts.values() {
                broadcast = broadcast.max(post.broadcast.len());
                let payloads = post.p2p.values().map(|payload| payload.len());
                p2p = p2p.max(payloads.max().unwrap_or(0));
            }
        });
        agreed(results, &MESSAGES);
        assert_eq!(broadcast, many::max_broadcast_bytes(4, degree) as usize);
        assert_eq!(p2p, many::max_p2p_bytes(4) as usize);
    }
}

/// Changes the part about one message of the last party's post in a round.
fn spoiled(
    keys: &[KeyShare],
    round: u16,
    change: impl Fn(&mut Vec<u8>),
    p2p: bool,
) -> Results<SignedMany> {
    let parties = many_parties(2, keys, &[0, 1, 2, 3], &MESSAGES);
    let mut results = run(parties, |now, posts: &mut Posts| {
        let post = posts.get_mut(&3).filter(|_| now == round);
        if let Some(post) = post {
            match p2p {
                true => change(post.p2p.get_mut(&0).unwrap()),
                false => change(&mut post.broadcast),
            }
        }
    });
    results.remove(&3);
    results
}

#[test]
fn whoever_spoils_the_part_about_any_message_is_named() {
    let keys = keys(4, 1);
    let sizes = [
        (1, Commitment::BYTES, false),
        (2, Opening::bytes(1), false),
        (2, Share::BYTES, true),
    ];
    for (round, size, p2p) in sizes {
        for message in 0..MESSAGES.len() {
            let flip = |bytes: &mut Vec<u8>| bytes[message * size + 20] ^= 1;
            let results = spoiled(&keys, round, flip, p2p);
            for (party, result) in results {
                match (p2p, party) {
                    // The others have read nothing wrong.
                    (true, 1..) => assert!(result.is_ok()),
                    _ => assert_eq!(result.unwrap_err().culprit(), Some(3), "{round} {message}"),
                }
            }
        }
    }
    // One post that is longer or shorter, also by a whole part.
    for (round, size, p2p) in sizes {
        for by in [1, size] {
            for longer in [false, true] {
                let change = |bytes: &mut Vec<u8>| {
                    let length = bytes.len();
                    bytes.resize(if longer { length + by } else { length - by }, 1);
                };
                let result = spoiled(&keys, round, change, p2p).remove(&0).unwrap();
                assert_eq!(
                    result.unwrap_err().culprit(),
                    Some(3),
                    "{round} {by} {longer}"
                );
            }
        }
    }
}

#[test]
fn wrong_partial_signatures_that_arent_needed_stop_nothing_and_name_their_sender() {
    for (degree, enough) in [(1, true), (3, false)] {
        let keys = keys(4, degree);
        let flip = |bytes: &mut Vec<u8>| bytes[Partial::BYTES + 20] ^= 1;
        let cut = |bytes: &mut Vec<u8>| bytes.truncate(bytes.len() - 1);
        for results in [
            spoiled(&keys, 4, flip, false),
            spoiled(&keys, 4, cut, false),
        ] {
            for result in results.into_values() {
                match (enough, result) {
                    (true, Ok(signed)) => {
                        assert_eq!(signed.culprits(), [3]);
                        for (signed, message) in signed.signed().iter().zip(MESSAGES) {
                            assert_valid(signed, message);
                        }
                    }
                    (false, Err(error)) => assert_eq!(error.culprit(), Some(3)),
                    (_, other) => panic!("{other:?}"),
                }
            }
        }
    }
}
