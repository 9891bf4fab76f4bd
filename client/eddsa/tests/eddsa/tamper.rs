//! One changed byte, anywhere: the party that changed it is named by everybody who is concerned, and nobody gets a wrong result.

use proptest::prelude::*;
use white_city_eddsa::{KeyShare, Signed};

use crate::harness::{
    Posts, Resharing, Results, aggregate_parties, assert_valid, keygen_parties, keys,
    refresh_parties, run, sign_parties,
};

const MESSAGE: &[u8] = b"message";
const PARTIES: u16 = 4;

/// The change that the corrupt party makes to one of its payloads.
#[derive(Debug, Clone, Copy)]
enum Tweak {
    Broadcast {
        round: u16,
        position: usize,
        mask: u8,
    },
    P2p {
        round: u16,
        to: u16,
        position: usize,
        mask: u8,
    },
}

impl Tweak {
    fn round(self) -> u16 {
        match self {
            Self::Broadcast { round, .. } | Self::P2p { round, .. } => round,
        }
    }

    /// Whether there was something to change.
    fn apply(self, round: u16, party: u16, posts: &mut Posts) -> bool {
        let Some(post) = posts.get_mut(&party).filter(|_| round == self.round()) else {
            return false;
        };
        let (bytes, position, mask) = match self {
            Self::Broadcast { position, mask, .. } => (Some(&mut post.broadcast), position, mask),
            Self::P2p {
                to, position, mask, ..
            } => (
                post.p2p.get_mut(&to).map(|bytes| &mut **bytes),
                position,
                mask,
            ),
        };
        let Some(bytes) = bytes.filter(|bytes| !bytes.is_empty()) else {
            return false;
        };
        let position = position % bytes.len();
        bytes[position] ^= mask;
        true
    }
}

fn broadcast(rounds: Vec<u16>) -> impl Strategy<Value = Tweak> {
    (proptest::sample::select(rounds), any::<usize>(), 1..=255_u8).prop_map(
        |(round, position, mask)| Tweak::Broadcast {
            round,
            position,
            mask,
        },
    )
}

fn p2p() -> impl Strategy<Value = Tweak> {
    (0..PARTIES - 1, any::<usize>(), 1..=255_u8).prop_map(|(to, position, mask)| Tweak::P2p {
        round: 2,
        to,
        position,
        mask,
    })
}

/// The corrupt party is the last one.
const CORRUPT: u16 = PARTIES - 1;

fn check_dealing<T>(
    tweak: Tweak,
    results: &Results<T>,
    mut check: impl FnMut(&T),
) -> Result<(), TestCaseError> {
    for (&party, result) in results.iter().filter(|(party, _)| **party != CORRUPT) {
        let concerned = match tweak {
            Tweak::Broadcast { .. } => true,
            Tweak::P2p { to, .. } => to == party,
        };
        match result {
            Err(error) => {
                prop_assert!(concerned, "{party}: {error}");
                prop_assert_eq!(error.culprit(), Some(CORRUPT), "{}: {}", party, error);
            }
            Ok(value) => {
                prop_assert!(!concerned, "{party} noticed nothing");
                check(value);
            }
        }
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn in_key_generation(tweak in prop_oneof![broadcast(vec![1, 2]), p2p()], degree in 1_u16..3) {
        let mut applied = false;
        let results: Results<KeyShare> = run(keygen_parties(1, PARTIES, degree, PARTIES), |round, posts| {
            applied |= tweak.apply(round, CORRUPT, posts);
        });
        prop_assert!(applied);
        check_dealing(tweak, &results, |_| {})?;
    }

    #[test]
    fn in_a_refresh(tweak in prop_oneof![broadcast(vec![1, 2]), p2p()], degree in 1_u16..3) {
        let keys = keys(PARTIES, degree);
        let holders: Vec<u16> = (0..PARTIES).rev().collect();
        let mut applied = false;
        let results: Results<KeyShare> = run(refresh_parties(2, &keys, &holders), |round, posts| {
            applied |= tweak.apply(round, CORRUPT, posts);
        });
        prop_assert!(applied);
        check_dealing(tweak, &results, |new| assert_eq!(new.public_key(), keys[0].public_key()))?;
    }

    #[test]
    fn in_a_resharing(tweak in prop_oneof![broadcast(vec![1, 2]), p2p()], degree in 1_u16..3) {
        let keys = keys(PARTIES, degree);
        // The first holder is gone; whoever has its index here is new.
        let resharing = Resharing {
            parties: PARTIES,
            keys: &keys,
            dealers: (1..PARTIES).map(|party| (party, party)).collect(),
            recipients: (0..CORRUPT).collect(),
            degree,
        };
        let mut applied = false;
        let results = run(resharing.all(2), |round, posts| {
            applied |= tweak.apply(round, CORRUPT, posts);
        });
        prop_assert!(applied);
        check_dealing(tweak, &results, |new| {
            assert_eq!(new.share.as_ref().unwrap().public_key(), keys[0].public_key());
        })?;
    }

    #[test]
    fn in_threshold_signing_of_the_nonce(tweak in prop_oneof![broadcast(vec![1, 2]), p2p()], degree in 1_u16..3) {
        let keys = keys(PARTIES, degree);
        let signers: Vec<u16> = (0..PARTIES).rev().collect();
        let mut applied = false;
        let results: Results<Signed> = run(sign_parties(2, &keys, &signers, MESSAGE), |round, posts| {
            applied |= tweak.apply(round, CORRUPT, posts);
        });
        prop_assert!(applied);
        check_dealing(tweak, &results, |signed| assert_valid(signed, MESSAGE))?;
    }

    #[test]
    fn in_partial_signatures(tweak in broadcast(vec![4]), degree in 1_u16..4) {
        let keys = keys(PARTIES, degree);
        let signers: Vec<u16> = (0..PARTIES).collect();
        let mut applied = false;
        let results: Results<Signed> = run(sign_parties(2, &keys, &signers, MESSAGE), |round, posts| {
            applied |= tweak.apply(round, CORRUPT, posts);
        });
        prop_assert!(applied);
        for result in results.into_iter().filter(|(party, _)| *party != CORRUPT).map(|(_, r)| r) {
            match result {
                Ok(signed) => {
                    prop_assert!(degree < PARTIES - 1);
                    assert_valid(&signed, MESSAGE);
                    prop_assert_eq!(signed.culprits, vec![CORRUPT]);
                }
                Err(error) => {
                    prop_assert_eq!(degree, PARTIES - 1);
                    prop_assert_eq!(error.culprit(), Some(CORRUPT));
                }
            }
        }
    }

    #[test]
    fn in_aggregated_signing(tweak in broadcast(vec![1, 2, 3])) {
        let mut applied = false;
        let results: Results<Signed> = run(aggregate_parties(1, PARTIES, MESSAGE), |round, posts| {
            applied |= tweak.apply(round, CORRUPT, posts);
        });
        prop_assert!(applied);
        check_dealing(tweak, &results, |_| {})?;
    }

    #[test]
    fn random_bytes_instead_of_any_message_name_their_sender_and_never_panic(
        bytes in proptest::collection::vec(any::<u8>(), 1..300),
        versioned in any::<bool>(),
        round in 1_u16..5,
        protocol in 0..3,
    ) {
        let mut bytes = bytes;
        if versioned {
            bytes[0] = 1;
        }
        let replace = |now: u16, posts: &mut Posts| {
            if let Some(post) = posts.get_mut(&CORRUPT).filter(|_| now == round) {
                post.broadcast.clone_from(&bytes);
                for share in post.p2p.values_mut() {
                    **share = bytes.clone();
                }
            }
        };
        let keys = keys(PARTIES, 1);
        let signers: Vec<u16> = (0..PARTIES).collect();
        let culprits: Vec<Option<u16>> = match protocol {
            0 => run(keygen_parties(1, PARTIES, 1, PARTIES), replace)
                .into_values().take(3).filter_map(Result::err).map(|e| e.culprit()).collect(),
            1 => run(sign_parties(2, &keys, &signers, MESSAGE), replace)
                .into_values().take(3).filter_map(Result::err).map(|e| e.culprit()).collect(),
            _ => run(aggregate_parties(1, PARTIES, MESSAGE), replace)
                .into_values().take(3).filter_map(Result::err).map(|e| e.culprit()).collect(),
        };
        let fails = match protocol { 0 => round <= 2, 1 => round <= 2, _ => round <= 3 };
        prop_assert_eq!(culprits.len(), if fails { 3 } else { 0 });
        prop_assert!(culprits.iter().all(|culprit| *culprit == Some(CORRUPT)));
    }
}
