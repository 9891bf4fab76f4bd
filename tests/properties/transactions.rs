//! One transaction, one encoding; and nothing that was signed can be changed unnoticed.

use proptest::prelude::*;
use white_city_tests::party::Party;
use white_city_wire::{NetworkId, Reveal, SignedTx, tx::Action};

use crate::generators::{PARTIES, action};

const NETWORK: NetworkId = NetworkId([7; 32]);

/// Signed by the first party, whoever the action names.
fn signed(action: &Action) -> SignedTx {
    Party::new(0).tx(action.clone(), &NETWORK)
}

fn verifies(tx: SignedTx) -> bool {
    tx.verify(Party::new(0).key(), PARTIES, &NETWORK).is_ok()
}

/// Whether it is the same reveal for another session. Its complaint's digest says which one it is for, and the state machine
/// compares that.
fn is_moved(action: &Action, tx: &SignedTx) -> bool {
    match (action, tx.unverified_action()) {
        (Action::Reveal(reveal), Action::Reveal(moved)) => {
            let session = moved.session;
            *moved
                == Reveal {
                    session,
                    ..reveal.clone()
                }
        }
        _ => false,
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn what_is_decoded_is_what_was_encoded(action in action()) {
        let tx = signed(&action);
        let bytes = tx.encode();
        let again = SignedTx::decode(&bytes).unwrap();
        prop_assert_eq!(&again, &tx);
        prop_assert_eq!(again.encode(), bytes.clone());
        prop_assert_eq!(usize::try_from(tx.bytes()).unwrap(), bytes.len());
        let verified = tx.verify(Party::new(0).key(), PARTIES, &NETWORK).unwrap();
        prop_assert_eq!(verified.action(), &action);
    }

    #[test]
    fn a_signature_is_for_one_network_and_one_key(action in action()) {
        let tx = signed(&action);
        let elsewhere = NetworkId([8; 32]);
        let foreign = tx.clone().verify(Party::new(0).key(), PARTIES, &elsewhere).is_ok();
        prop_assert!(!foreign);
        let other = tx.verify(Party::new(1).key(), PARTIES, &NETWORK).is_ok();
        prop_assert!(!other);
    }

    #[test]
    fn no_byte_can_be_changed_unnoticed(
        action in action(),
        at in any::<prop::sample::Index>(),
        flip in 1..=255_u8,
    ) {
        let mut bytes = signed(&action).encode();
        let at = at.index(bytes.len());
        bytes[at] ^= flip;
        if let Ok(tx) = SignedTx::decode(&bytes) {
            prop_assert_eq!(tx.encode(), bytes);
            prop_assert!(!verifies(tx.clone()) || is_moved(&action, &tx), "byte {} ^ {}", at, flip);
        }
    }

    #[test]
    fn no_end_can_be_cut_off_and_nothing_appended(
        action in action(),
        more in proptest::collection::vec(any::<u8>(), 1..40),
        at in any::<prop::sample::Index>(),
    ) {
        let bytes = signed(&action).encode();
        let cut = &bytes[..at.index(bytes.len())];
        prop_assert!(SignedTx::decode(cut).map_or(true, |tx| !verifies(tx)));
        let longer = [&bytes[..], &more].concat();
        prop_assert!(SignedTx::decode(&longer).map_or(true, |tx| !verifies(tx)));
    }

    #[test]
    fn random_bytes_are_refused_without_a_panic(
        bytes in proptest::collection::vec(any::<u8>(), 0..400),
    ) {
        prop_assert!(SignedTx::decode(&bytes).is_err());
    }

    #[test]
    fn two_different_actions_never_have_the_same_bytes_to_sign(
        (a, b) in (action(), action()),
    ) {
        let bytes = |action: &Action| white_city_wire::tx::bytes_to_sign(action, &NETWORK);
        if a != b && !matches!(a, Action::Evidence(_)) {
            prop_assert_ne!(bytes(&a), bytes(&b));
        }
    }
}
