//! Transactions that a replica takes into its mempool, and those that it refuses.

use prost::Message as _;
use white_city_replica::{Config, alarm};
use white_city_tests::party::Party;
use white_city_wire::{
    Hash, Refusal, Signature, SignedTx, pb,
    signing::{Purpose, signed_bytes},
    tx::{Action, UncheckedTx},
};

use crate::chain::{Chain, naive, proposed};

fn config(per_identity: u32, total: u32) -> Config {
    Config {
        pending_per_identity: per_identity,
        pending_total: total,
        ..naive()
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
        let mut chain = Chain::new(&naive());
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

/// The transaction with another key, which is none, for the last of its roster, and signed by `opener` if there is one.
fn with_a_bad_key(chain: &Chain, tx: &[u8], opener: Option<&Party>) -> Vec<u8> {
    let mut tx = pb::Tx::decode(tx).unwrap();
    let Some(pb::tx::Body::Open(open)) = &mut tx.body else {
        panic!("an opening")
    };
    let roster = &mut open.spec.as_mut().unwrap().roster;
    // y = 1: the point of order 1, which anybody can sign for.
    *roster.last_mut().unwrap() = [[1].as_slice(), &[0; 31]].concat();
    if let Some(opener) = opener {
        let unchecked = UncheckedTx::decode(&tx.encode_to_vec()).unwrap();
        let network = &chain.network.id;
        let id = unchecked.opening().unwrap().session_id(network);
        let message = signed_bytes(Purpose::Open, network, &Hash(id.0));
        let Some(pb::tx::Body::Open(open)) = &mut tx.body else {
            panic!("an opening")
        };
        open.signature = opener.sign(&message).0.to_vec();
    }
    tx.encode_to_vec()
}

#[test]
fn the_keys_of_a_roster_are_looked_at_last() {
    let mut chain = Chain::new(&config(2, 30));
    let alice = Party::several(3);
    let code = |chain: &Chain, tx: &[u8]| chain.replica.check_tx(tx).unwrap_err().code();
    let tx = chain.open(&alice, 1).1;
    // Nobody pays for keys of what nobody has signed,
    assert_eq!(code(&chain, &with_a_bad_key(&chain, &tx, None)), 34);
    let signed = with_a_bad_key(&chain, &tx, Some(&alice[0]));
    assert_eq!(code(&chain, &signed), 35);
    // of an identity with its fill of pending ones,
    for nonce in 2..=3 {
        chain
            .replica
            .check_tx(&chain.open(&alice, nonce).1)
            .unwrap();
    }
    assert_eq!(code(&chain, &signed), 128);
    // of what is there already in another form,
    let again = SignedTx::decode(&chain.open(&alice, 2).1).unwrap();
    let again = SignedTx::new(again.unverified_action().clone(), Signature([1; 64])).unwrap();
    assert_eq!(code(&chain, &again.encode()), 129);
    // or of an opener whose quota is used up.
    let opens: Vec<Vec<u8>> = (2..=4).map(|nonce| chain.open(&alice, nonce).1).collect();
    chain.block(&opens);
    assert_eq!(code(&chain, &signed), 99);
}

#[test]
fn strangers_openings_are_bounded_in_all_and_the_genesis_openers_are_not_concerned() {
    let everybody = Party::several(9);
    let (listed, strangers) = everybody.split_at(3);
    let config = Config {
        open_keys_per_second: 100,
        ..naive()
    };
    let mut chain = Chain::with_openers(&config, &[(&listed[0], 100, 500_000)]);
    // 16 seconds' worth are 1 600 keys; each of these costs 3 and 16.
    for nonce in 0..84 {
        let opener = if nonce < 60 { 0 } else { 3 };
        let open = chain.open(&strangers[opener..opener + 3], nonce).1;
        chain.replica.check_tx(&open).unwrap();
    }
    let open = chain.open(&strangers[3..6], 100).1;
    let refused = Err(Refusal::OpeningsBusy {
        needed: 19,
        left: 4,
    });
    assert_eq!(chain.replica.check_tx(&open), refused);
    chain.replica.check_tx(&chain.open(listed, 1).1).unwrap();
    // Each block brings five keys; what is pending is asked about again, and costs nothing again.
    for _ in 0..4 {
        let pending = chain.open(&strangers[..3], 0).1;
        chain.replica.check_tx(&pending).unwrap();
        chain.block(&[]);
    }
    chain.replica.check_tx(&open).unwrap();
}

#[test]
fn what_is_stored_already_says_so() {
    let mut chain = Chain::new(&naive());
    let parties = Party::several(3);
    let session = chain.running(&parties);
    let post = chain.post(&parties, session, 0, b"one");
    chain.block(std::slice::from_ref(&post));
    assert_eq!(chain.replica.check_tx(&post), Err(Refusal::AlreadyStored));
}

#[test]
fn nothing_is_taken_before_the_genesis() {
    let (replica, _stops) = crate::chain::replica(None, &naive());
    assert_eq!(replica.check_tx(b"anything"), Err(Refusal::NotReady));
}

#[test]
fn one_entry_signed_twice_over_is_taken_once_and_is_no_evidence() {
    let mut chain = Chain::new(&naive());
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

#[test]
fn an_alarm_is_taken_once_a_block_when_it_is_due_and_enters_none() {
    let mut chain = Chain::new(&naive());
    let check = |chain: &Chain, height| chain.replica.check_tx(&alarm::encode(height));
    chain.block(&[]);
    assert_eq!(check(&chain, 1), Err(Refusal::AlarmNotDue), "nothing to do");
    let parties = Party::several(3);
    let (_, open) = chain.open(&parties, 1);
    chain.block(&[open]);
    let not_started = check(&chain, 2);
    assert_eq!(not_started, Err(Refusal::AlarmNotDue), "no deadline yet");
    // The session's clock starts: by the blocks' time it is 1970, and this machine's clock is far ahead.
    chain.block(&[]);
    for other in [0, 2, 4, u64::MAX] {
        assert_eq!(check(&chain, other), Err(Refusal::AlarmNotDue), "{other}");
    }
    let mut taken = 0;
    let began = std::time::Instant::now();
    for height in 3..20 {
        taken += u64::from(check(&chain, height).is_ok());
        // It is left out of proposals, and gone with the next block.
        let block = chain.propose(&[alarm::encode(height)], 1 << 20);
        assert_eq!(block.len(), 1);
        chain.decide(block).unwrap();
        assert_eq!(check(&chain, height), Err(Refusal::AlarmNotDue));
    }
    // Two at once, and one a second.
    let most = 2 + began.elapsed().as_secs();
    assert!((2..=most).contains(&taken), "{taken}");
    // Nor is it taken in a block, or from anybody but the engine.
    let mut block = chain.propose(&[], 1 << 20);
    block.push(alarm::encode(chain.height).into());
    let judged = chain.replica.judge(&proposed(&chain.context(), block));
    assert!(judged.unwrap().is_err());
}
