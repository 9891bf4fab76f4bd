//! What a replica takes into its mempool.

use white_city_replica::Config;
use white_city_tests::party::Party;
use white_city_wire::{Refusal, SignedTx, tx::Action};

use crate::chain::Chain;

fn config(per_identity: u32, total: u32) -> Config {
    Config {
        pending_per_identity: per_identity,
        pending_total: total,
        ..Config::default()
    }
}

#[test]
fn one_identity_and_all_of_them_are_bounded_until_a_block_makes_room() {
    // Openings may be a tenth of the whole.
    let mut chain = Chain::new(&config(2, 30));
    let (alice, bob, carol) = (Party::several(3), Party::several(6), Party::several(9));
    let opens: Vec<Vec<u8>> = (1..=3).map(|nonce| chain.open(&alice, nonce).1).collect();
    chain.replica.check_tx(&opens[0]).unwrap();
    chain.replica.check_tx(&opens[1]).unwrap();
    let refused = chain.replica.check_tx(&opens[2]);
    assert_eq!(refused, Err(Refusal::TooManyPending { pending: 2, max: 2 }));
    // The same again counts once.
    chain.replica.check_tx(&opens[0]).unwrap();
    chain.replica.check_tx(&chain.open(&bob[3..], 1).1).unwrap();
    let refused = chain.replica.check_tx(&chain.open(&carol[6..], 1).1);
    assert_eq!(refused, Err(Refusal::TooManyPending { pending: 3, max: 3 }));
    chain.block(&opens[..1]);
    chain.replica.check_tx(&opens[2]).unwrap();
}

#[test]
fn what_the_engine_dropped_is_forgotten_after_a_few_blocks() {
    let mut chain = Chain::new(&config(1, 10));
    let parties = Party::several(3);
    chain.replica.check_tx(&chain.open(&parties, 1).1).unwrap();
    let other = chain.open(&parties, 2).1;
    assert!(chain.replica.check_tx(&other).is_err());
    for _ in 0..4 {
        chain.block(&[]);
    }
    chain.replica.check_tx(&other).unwrap();
}

#[test]
fn a_second_entry_for_a_slot_pending_or_stored_becomes_evidence_in_the_next_proposal() {
    for stored_first in [false, true] {
        let mut chain = Chain::new(&Config::default());
        let parties = Party::several(3);
        let session = chain.running(&parties);
        let first = chain.post(&parties, session, 1, b"one");
        let second = chain.post(&parties, session, 1, b"two");
        chain.replica.check_tx(&first).unwrap();
        if stored_first {
            chain.block(std::slice::from_ref(&first));
        }
        let refused = chain.replica.check_tx(&second).unwrap_err();
        assert_eq!(refused.code(), if stored_first { 65 } else { 129 });
        let block = chain.propose(&[], 1 << 20);
        assert_eq!(block.len(), 2);
        let evidence = SignedTx::decode(&block[1]).unwrap();
        assert!(matches!(evidence.unverified_action(), Action::Evidence(_)));
        chain.decide(block).unwrap();
        let state = &chain.replica.committed().unwrap().state;
        let body = state.session(&session).unwrap().body.clone().unwrap();
        assert_eq!(body.culprits[0].index, 1);
        // Once is enough.
        assert_eq!(chain.propose(&[], 1 << 20).len(), 1);
    }
}

#[test]
fn what_is_stored_already_says_so() {
    let mut chain = Chain::new(&Config::default());
    let parties = Party::several(3);
    let session = chain.running(&parties);
    let post = chain.post(&parties, session, 0, b"one");
    chain.block(std::slice::from_ref(&post));
    assert_eq!(chain.replica.check_tx(&post), Err(Refusal::AlreadyStored));
}

#[test]
fn nothing_is_taken_before_the_genesis() {
    let (replica, _stops) = crate::chain::replica(None, &Config::default());
    assert_eq!(replica.check_tx(b"anything"), Err(Refusal::NotReady));
}

#[test]
fn one_entry_signed_twice_over_is_taken_once_and_is_no_evidence() {
    let mut chain = Chain::new(&Config::default());
    let parties = Party::several(3);
    let session = chain.running(&parties);
    let post = chain.post(&parties, session, 0, b"one");
    chain.replica.check_tx(&post).unwrap();
    chain.replica.check_tx(&post).unwrap();
    let action = chain.post_action(&parties, session, 0, b"one");
    let again = parties[0].tx_again(action, &chain.network.id).encode();
    assert_ne!(again, post);
    assert_eq!(chain.replica.check_tx(&again).unwrap_err().code(), 129);
    assert_eq!(chain.propose(&[], 1 << 20).len(), 1, "no evidence");
    // Either of them may come in a block, which is valid for whoever holds the other.
    chain.block(std::slice::from_ref(&again));
    assert_eq!(chain.replica.check_tx(&post), Err(Refusal::AlreadyStored));
}
