//! Waiting of a proposer. That it waits no longer is shown by bounds that no test could sit out.

use std::{
    sync::mpsc::{self, Receiver},
    thread,
    time::Duration,
};

use prost::bytes::Bytes;
use white_city_replica::Config;
use white_city_tests::party::Party;
use white_city_wire::SessionId;

use crate::chain::{Chain, proposed};

/// Longer than any test has.
const FOR_EVER_MS: u64 = 3_600_000;
/// Longer than a proposal takes on a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);

fn config(wait: u64, gap: u64, hold: u64) -> Config {
    Config {
        proposal_wait_ms: wait,
        proposal_gap_ms: gap,
        proposal_hold_ms: hold,
        ..Config::default()
    }
}

/// Asks for a proposal as CometBFT's connection does; it comes when it is made.
fn ask(chain: &Chain, offered: &[Vec<u8>]) -> Receiver<Vec<Bytes>> {
    let (sender, made) = mpsc::channel();
    let offered = offered.iter().cloned().map(Bytes::from).collect();
    let (replica, proposed) = (chain.replica.clone(), proposed(&chain.context(), offered));
    thread::spawn(move || sender.send(replica.propose(proposed, 1 << 20).unwrap()));
    made
}

fn posts(chain: &Chain, parties: &[Party], session: SessionId) -> Vec<Vec<u8>> {
    (0..)
        .take(parties.len())
        .map(|index| chain.post(parties, session, index, b"words"))
        .collect()
}

/// The block without its seal, in any order.
fn sorted(mut block: Vec<Bytes>) -> Vec<Bytes> {
    block.remove(0);
    block.sort();
    block
}

#[test]
fn a_proposal_waits_for_the_whole_round_and_takes_what_comes_meanwhile() {
    // Also in the block behind the one that has opened the round, when nothing has come yet.
    for come_before in 0..3 {
        let mut chain = Chain::new(&config(FOR_EVER_MS, FOR_EVER_MS, FOR_EVER_MS));
        let parties = Party::several(3);
        let session = chain.running(&parties);
        let mut posts = posts(&chain, &parties, session);
        for post in &posts[..come_before] {
            chain.replica.check_tx(post).unwrap();
        }
        let made = ask(&chain, &posts[..come_before]);
        for post in &posts[come_before..] {
            assert!(made.try_recv().is_err(), "something is missing yet");
            chain.replica.check_tx(post).unwrap();
        }
        let block = made.recv_timeout(PATIENCE).unwrap();
        posts.sort();
        assert_eq!(sorted(block.clone()), posts);
        chain.decide(block).unwrap();
        let committed = chain.replica.committed().unwrap();
        assert_eq!(
            committed.state.session(&session).unwrap().leaf.open_round,
            2
        );
    }
}

#[test]
fn a_party_that_holds_back_is_not_waited_for_longer_than_the_gap() {
    let mut chain = Chain::new(&config(FOR_EVER_MS, 1, FOR_EVER_MS));
    let parties = Party::several(3);
    let session = chain.running(&parties);
    let posts = posts(&chain, &parties, session);
    chain.replica.check_tx(&posts[0]).unwrap();
    let block = ask(&chain, &[]).recv_timeout(PATIENCE).unwrap();
    assert_eq!(sorted(block.clone()), posts[..1]);
    chain.decide(block).unwrap();
    // The round isn't new any more, and nothing comes: nobody waits.
    let block = ask(&chain, &[]).recv_timeout(PATIENCE).unwrap();
    assert_eq!(block.len(), 1);
}

#[test]
fn what_is_complete_is_not_held_back_longer_than_a_moment_whatever_other_sessions_do() {
    is_held_back_a_moment(1);
}

#[test]
fn nor_much_longer_than_the_last_block_has_taken() {
    is_held_back_a_moment(FOR_EVER_MS);
}

#[test]
fn after_a_slow_block_what_is_complete_is_held_back_until_others_are() {
    let parties = Party::several(3);
    let config = config(FOR_EVER_MS, FOR_EVER_MS, FOR_EVER_MS);
    let mut chain = Chain::with_openers(&config, &[(&parties[0], 20, 1_000_000)]);
    let first = chain.running(&parties);
    let (second, open) = chain.open(&parties, 2);
    // Of the first one nothing has come yet, and the opening is held back for that no longer than a quick block takes.
    chain.replica.check_tx(&open).unwrap();
    let block = ask(&chain, &[open]).recv_timeout(PATIENCE).unwrap();
    // This is what a slow block is. What follows may take four times as long.
    thread::sleep(Duration::from_secs(3));
    chain.decide(block).unwrap();
    let mut posts = posts(&chain, &parties, first);
    for post in &posts {
        chain.replica.check_tx(post).unwrap();
    }
    // Nobody has joined the second one: it is waited for.
    let made = ask(&chain, &[]);
    assert!(made.try_recv().is_err());
    let joins = chain.joins(&parties, second);
    for join in &joins {
        chain.replica.check_tx(join).unwrap();
    }
    posts.extend(joins);
    posts.sort();
    assert_eq!(sorted(made.recv_timeout(PATIENCE).unwrap()), posts);
}

/// Blocks here take milliseconds.
fn is_held_back_a_moment(hold_ms: u64) {
    let parties = Party::several(3);
    let config = config(FOR_EVER_MS, FOR_EVER_MS, hold_ms);
    let mut chain = Chain::with_openers(&config, &[(&parties[0], 20, 1_000_000)]);
    let session = chain.running(&parties);
    let slow: Vec<(SessionId, Vec<u8>)> =
        (2..18).map(|nonce| chain.open(&parties, nonce)).collect();
    let (ids, opens): (Vec<_>, Vec<_>) = slow.into_iter().unzip();
    // The first session's round has just opened, and openings aren't held back for it.
    for open in &opens {
        chain.replica.check_tx(open).unwrap();
    }
    let block = ask(&chain, &opens).recv_timeout(PATIENCE).unwrap();
    assert_eq!(block.len(), 1 + 16);
    chain.decide(block).unwrap();
    let committed = chain.replica.committed().unwrap();
    assert!(ids.iter().all(|id| committed.state.session(id).is_ok()));
    // Sixteen sessions have opened, and nobody joins; nor is a round held back for them.
    let made = ask(&chain, &[]);
    let mut posts = posts(&chain, &parties, session);
    for post in &posts {
        chain.replica.check_tx(post).unwrap();
    }
    posts.sort();
    assert_eq!(sorted(made.recv_timeout(PATIENCE).unwrap()), posts);
}

#[test]
fn a_proposal_with_nothing_to_wait_for_is_made_at_once_and_so_is_every_one_when_waiting_is_off() {
    let parties = Party::several(3);
    let mut chain = Chain::new(&config(FOR_EVER_MS, FOR_EVER_MS, FOR_EVER_MS));
    assert_eq!(ask(&chain, &[]).recv_timeout(PATIENCE).unwrap().len(), 1);
    let (_, open) = chain.open(&parties, 1);
    chain.replica.check_tx(&open).unwrap();
    chain.block(&[open]);
    let mut chain = Chain::new(&config(0, FOR_EVER_MS, FOR_EVER_MS));
    let session = chain.running(&parties);
    let posts = posts(&chain, &parties, session);
    chain.replica.check_tx(&posts[0]).unwrap();
    chain.replica.check_tx(&posts[1]).unwrap();
    let block = ask(&chain, &posts[..1]).recv_timeout(PATIENCE).unwrap();
    assert_eq!(
        sorted(block),
        posts[..1],
        "what the engine offers, and no more"
    );
}
