//! Refresh of shares.

use std::collections::BTreeSet;

use white_city_eddsa::{Error, KeyShare, refresh};

use crate::harness::{
    Posts, agreed, keys, randomness, refresh_parties, run, session, sign_parties,
};

const MESSAGE: &[u8] = b"message";

/// An undisturbed refresh by holders in this order, sorted by their place in the key.
fn refreshed(sid: u8, old: &[KeyShare], holders: &[u16]) -> Vec<KeyShare> {
    let results = run(refresh_parties(sid, old, holders), |_, _| {});
    let mut new: Vec<KeyShare> = results.into_values().map(Result::unwrap).collect();
    new.sort_by_key(KeyShare::index);
    new
}

/// The secret scalar of a share: its last 32 bytes.
fn secret(share: &KeyShare) -> Vec<u8> {
    let bytes = share.to_bytes();
    bytes[bytes.len() - 32..].to_vec()
}

#[test]
fn the_key_stays_every_share_changes_and_any_enough_of_the_new_ones_sign() {
    for (parties, degree) in [(2, 1), (3, 1), (4, 2), (5, 4)] {
        let old = keys(parties, degree);
        let holders: Vec<u16> = (0..parties).rev().collect();
        let new = refreshed(7, &old, &holders);
        let outcomes: BTreeSet<_> = new.iter().map(KeyShare::outcome).collect();
        assert_eq!(outcomes.len(), 1, "all have the same");
        for (old, new) in old.iter().zip(&new) {
            assert_eq!(new.public_key(), old.public_key());
            assert_eq!((new.index(), new.parties()), (old.index(), old.parties()));
            assert_eq!(
                (new.degree(), new.participants()),
                (old.degree(), old.participants())
            );
            assert_ne!(secret(new), secret(old));
            assert_ne!(new.outcome(), old.outcome());
            for index in 0..parties {
                assert_ne!(new.public_share(index), old.public_share(index));
            }
            // What is stored reads back: the share fits its commitments.
            KeyShare::from_bytes(&new.to_bytes()).unwrap();
        }
        for first in 0..parties - degree {
            let signers: Vec<u16> = (first..=first + degree).collect();
            let signed = agreed(
                run(sign_parties(8, &new, &signers, MESSAGE), |_, _| {}),
                MESSAGE,
            );
            assert_eq!(signed.public_key, old[0].public_key());
        }
        // Once more.
        let again = refreshed(9, &new, &(0..parties).collect::<Vec<_>>());
        assert_eq!(again[0].public_key(), old[0].public_key());
    }
}

#[test]
fn an_old_share_doesnt_sign_with_new_ones() {
    let old = keys(3, 1);
    let mut mixed = refreshed(7, &old, &[0, 1, 2]);
    let [_, stale, _] = <[KeyShare; 3]>::try_from(old).unwrap();
    mixed[1] = stale;
    let results = run(sign_parties(8, &mixed, &[0, 1], MESSAGE), |_, _| {});
    assert!(results.values().all(Result::is_err));
}

#[test]
fn the_payloads_are_exactly_as_large_as_announced() {
    for degree in [1, 3] {
        let old = keys(4, degree);
        let (mut broadcast, mut p2p) = (0, 0);
        run(
            refresh_parties(7, &old, &[0, 1, 2, 3]),
            |_, posts: &mut Posts| {
                for post in posts.values() {
                    broadcast = broadcast.max(post.broadcast.len());
                    p2p = p2p.max(
                        post.p2p
                            .values()
                            .map(|payload| payload.len())
                            .max()
                            .unwrap_or(0),
                    );
                }
            },
        );
        assert_eq!(broadcast, refresh::max_broadcast_bytes(degree) as usize);
        assert_eq!(p2p, refresh::max_p2p_bytes() as usize);
    }
}

#[test]
fn whoever_is_absent_in_any_round_ends_it_and_is_no_culprit() {
    let old = keys(3, 1);
    for at in 1..=2 {
        let results = run(
            refresh_parties(7, &old, &[2, 1, 0]),
            |round, posts: &mut Posts| {
                if round == at {
                    posts.remove(&1);
                }
            },
        );
        for party in [0, 2] {
            let error = results[&party].as_ref().unwrap_err();
            assert_eq!(
                *error,
                Error::Absent {
                    party: 1,
                    round: at
                }
            );
            assert_eq!(error.culprit(), None);
        }
    }
}

#[test]
fn only_all_holders_of_the_key_each_with_its_own_share_refresh_it() {
    let old = keys(3, 1);
    let start = |parties, index, key: &KeyShare, holders: &[u16]| {
        let session = session(7, parties, index);
        refresh::start(session, key, holders, randomness(7, 0)).map(drop)
    };
    assert_eq!(start(3, 0, &old[2], &[2, 0, 1]), Ok(()));
    for (parties, holders) in [(2, &[0, 1][..]), (4, &[0, 1, 2, 3]), (3, &[0, 1])] {
        let refused = start(parties, 0, &old[0], holders);
        assert!(
            matches!(refused, Err(Error::Parameter { .. })),
            "{refused:?}"
        );
    }
    assert_eq!(
        start(3, 0, &old[0], &[0, 1, 1]),
        Err(Error::Repeated { index: 2 })
    );
    assert_eq!(
        start(3, 0, &old[0], &[0, 1, 3]),
        Err(Error::NotAParticipant { index: 3 })
    );
    let wrong = Error::WrongShare {
        expected: 1,
        got: 0,
    };
    assert_eq!(start(3, 1, &old[0], &[0, 1, 2]), Err(wrong));
}
