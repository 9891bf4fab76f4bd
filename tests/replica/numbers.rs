//! The rules' number as one replica sees it: what it knows, what it forgets, and where it stops.

use white_city_replica::{
    Config, Replica, Store,
    app::unknown_rules,
    front::{Board as _, Source},
    halt::{Halt, Stop},
};
use white_city_tests::{
    network::{operator, rules},
    party::Party,
};
use white_city_wire::{
    Charter, Refusal,
    approve::{Approve, Word},
    protocol::{Known, NEXT},
    tx::{Action, Post},
};

use crate::chain::Chain;

fn config(known: Known) -> Config {
    Config {
        known,
        ..Config::default()
    }
}

/// The approval of the only operator for a charter that brings the next number.
fn approval(chain: &Chain) -> Vec<u8> {
    let committed = chain.replica.committed().unwrap();
    let present = committed.state.charter();
    let charter = Charter {
        term: present.term + 1,
        previous: present.hash(),
        until_ms: u64::MAX,
        protocol: present.protocol + 1,
        ..present.clone()
    };
    let word = Word::Charter {
        charter: Box::new(charter),
        newcomers: Vec::new(),
    };
    let approve = Approve {
        term: present.term,
        operator: 0,
        sequence: 1,
        word,
    };
    chain.tx(&operator(0), Action::Approve(approve))
}

#[test]
fn what_was_verified_by_the_rules_before_is_verified_again_by_the_next_and_nothing_held_is_lost() {
    let [mut chain, mut maker] = [(); 2].map(|()| Chain::new(&config(Known::WITH_NEXT)));
    let parties = Party::several(3);
    let session = chain.running(&parties);
    assert_eq!(maker.running(&parties), session);
    let posts: Vec<Vec<u8>> = (0..3)
        .map(|index| chain.post(&parties, session, index, b"words"))
        .collect();
    let signatures = |chain: &Chain| chain.replica.work().signatures;
    let check = |chain: &Chain, tx: &[u8], source| {
        let before = signatures(chain);
        chain.replica.take(tx, source).unwrap();
        signatures(chain) - before
    };
    // One by the engine, one handed over; each is verified once.
    assert_eq!(check(&chain, &posts[0], Source::Engine), 1);
    assert_eq!(check(&chain, &posts[0], Source::EngineAgain), 0);
    assert_eq!(check(&chain, &posts[1], Source::Client), 1);
    let before = signatures(&chain);
    // A block of another proposer's, without them.
    chain
        .decide(maker.propose(&[approval(&maker)], 1 << 20))
        .unwrap();
    // The approval, and once more what is held: nothing is remembered of the rules before.
    assert_eq!(signatures(&chain) - before, 1 + 2);
    assert_eq!(check(&chain, &posts[0], Source::EngineAgain), 0);
    assert_eq!(check(&chain, &posts[2], Source::Engine), 1);
    // What was handed over goes into a proposal, too, though no engine brings it again.
    let block = chain.propose(&[], 1 << 20);
    assert_eq!(block.len(), 1 + 3);
    chain.decide(block).unwrap();
    let committed = chain.replica.committed().unwrap();
    assert_eq!(committed.state.protocol(), NEXT);
    let leaf = &committed.state.session(&session).unwrap().leaf;
    assert_eq!((leaf.open_round, leaf.protocol), (2, NEXT - 1));
}

/// What is parked for the round that the enacting block opens comes through the switch, too.
#[test]
fn what_came_early_is_kept_across_the_switch() {
    let [mut chain, mut maker] = [(); 2].map(|()| Chain::new(&config(Known::WITH_NEXT)));
    let parties = Party::several(3);
    let session = chain.running(&parties);
    maker.running(&parties);
    let posts: Vec<Vec<u8>> = (0..3)
        .map(|index| chain.post(&parties, session, index, b"words"))
        .collect();
    let block = maker.propose(&posts, 1 << 20);
    maker.decide(block.clone()).unwrap();
    // Round 2 as the others see it already, which this replica doesn't.
    let transcript = maker.replica.committed().unwrap();
    let transcript = transcript.state.session(&session).unwrap().leaf.transcript;
    let early = Post::new(session, 2, (0, 3), transcript, b"early".to_vec(), vec![]);
    let early = chain.tx(&parties[0], Action::Post(early));
    let refused = chain.replica.take(&early, Source::Client).unwrap_err();
    assert!(matches!(refused, Refusal::RoundNotOpen { .. }), "{refused}");
    chain.decide(block).unwrap();
    // It is held now, and so it is after a block that brings the next number.
    chain
        .decide(maker.propose(&[approval(&maker)], 1 << 20))
        .unwrap();
    let block = chain.propose(&[], 1 << 20);
    assert_eq!(block.len(), 2);
    assert_eq!(block[1], early);
}

#[test]
fn a_program_that_lacks_the_next_number_stops_after_storing_the_block_and_starts_no_more() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("board.redb");
    let store = || Store::open(&path).unwrap();
    let old = config(Known::RELEASED);
    let mut chain = Chain::on(&old, rules(&[]), store());
    chain.block(&[]);
    assert!(chain.stops.try_recv().is_err());
    let approval = approval(&chain);
    chain.block(&[approval]);
    let enacted = chain.height;
    let Ok(Stop::Outdated(told)) = chain.stops.try_recv() else {
        panic!("it goes on");
    };
    assert!(chain.replica.halt().is_halted());
    for part in [
        format!(
            "block {} of the board is under protocol {NEXT}",
            enacted + 1
        ),
        format!("knows none after {}", NEXT - 1),
        format!("All blocks up to {enacted} are stored"),
        format!("install a program that knows protocol {NEXT}"),
    ] {
        assert!(told.contains(&part), "{part}: {told}");
    }
    let stored = chain.replica.committed().unwrap().tip.clone();
    assert_eq!(stored.height, enacted, "the block is stored");
    drop(chain);
    // Nor does it start there, and says the same.
    let refused = unknown_rules(&store(), Known::RELEASED).unwrap();
    assert_eq!(refused.as_deref(), Some(&*told));
    assert_eq!(unknown_rules(&store(), Known::WITH_NEXT).unwrap(), None);
    // Its replacement goes on with the same store, by the next rules.
    let (sender, _stops) = std::sync::mpsc::channel();
    let new = config(Known::WITH_NEXT);
    let replica = Replica::new(&new, store(), Halt::new(sender)).unwrap();
    let committed = replica.committed().unwrap();
    assert_eq!(committed.tip, stored);
    assert_eq!(committed.state.protocol(), NEXT - 1);
    assert_eq!(committed.peek().protocol(), NEXT);
}

#[test]
fn a_store_of_no_block_yet_is_of_any_number() {
    let store = Store::in_memory().unwrap();
    assert_eq!(unknown_rules(&store, Known::RELEASED).unwrap(), None);
}
