//! Last call: after the deadline f + 1 different proposers must have had nothing to add.

use white_city_tests::{
    network::{network, params},
    scene::Scene,
};

/// A running session of 3 parties (quorum 2) on `k` replicas, at its deadline, with party 0's post in.
fn at_deadline(k: u8) -> Scene {
    let mut scene = Scene::open_with(network(k, params(&[])), 3, 2, |_| {}).joined();
    scene.accept(vec![scene.post(0), scene.post(1)]);
    for _ in 0..5 {
        assert_eq!(scene.get().leaf.call_blocks, 0);
        scene.block(vec![]);
    }
    let board_ms = scene.board.time.millis() - scene.board.state.paused_ms();
    assert_eq!(scene.get().leaf.deadline_ms, board_ms);
    scene
}

fn callers(scene: &Scene) -> u32 {
    scene
        .get()
        .leaf
        .callers
        .iter()
        .map(|byte| byte.count_ones())
        .sum()
}

#[test]
fn at_the_deadline_itself_last_call_has_not_begun_and_a_millisecond_later_it_has() {
    let mut scene = at_deadline(1);
    assert_eq!((scene.round(), scene.get().leaf.call_blocks), (1, 0));
    scene.block_by(1, 0, vec![]);
    assert_eq!(scene.round(), 2);
}

#[test]
fn f_plus_one_different_proposers_end_last_call() {
    for (k, f) in [(1, 0), (3, 0), (4, 1), (6, 1), (7, 2)] {
        let mut scene = at_deadline(k);
        for proposer in 0..f {
            for _ in 0..3 {
                scene.block_by(100, proposer, vec![]);
                assert_eq!(scene.round(), 1, "{k} replicas, proposer {proposer}");
            }
        }
        let counted = u32::try_from(f).unwrap();
        assert_eq!(callers(&scene), counted);
        assert_eq!(scene.get().leaf.call_blocks, 3 * counted);
        scene.block_by(100, f, vec![]);
        assert_eq!((scene.round(), scene.members()), (2, vec![0, 1]));
        assert_eq!((callers(&scene), scene.get().leaf.call_blocks), (0, 0));
    }
}

#[test]
fn the_last_validators_bit_counts_as_well_and_an_unknown_proposer_does_not() {
    let mut scene = at_deadline(4);
    scene.block_by(100, 4, vec![]);
    assert_eq!((callers(&scene), scene.get().leaf.call_blocks), (0, 1));
    scene.block_by(100, 3, vec![]);
    assert_eq!(scene.get().leaf.callers[0], 0b1000);
}

#[test]
fn a_block_with_an_entry_of_the_session_counts_for_nobody() {
    let mut scene = Scene::open_with(network(4, params(&[])), 4, 3, |_| {}).joined();
    scene.accept(vec![scene.post(0)]);
    for _ in 0..6 {
        scene.block(vec![]);
    }
    assert_eq!(callers(&scene), 1);
    assert_eq!(scene.block_by(100, 1, vec![scene.post(1)]), [Ok(0)]);
    assert_eq!((scene.round(), callers(&scene)), (1, 1));
    assert_eq!(scene.block_by(100, 1, vec![scene.finish(2, 1)]), [Ok(0)]);
    assert_eq!((scene.round(), callers(&scene)), (1, 1));
    assert_eq!(scene.get().leaf.call_blocks, 3);
    // What doesn't fill a slot doesn't hold a block back.
    let evidence = scene.evidence(3, [scene.header(3, 1, 0), scene.header(3, 1, 1)]);
    scene.block_by(100, 1, vec![evidence]);
    assert!(scene.get().terminal.is_some());
}

#[test]
fn an_entry_of_another_session_does_not_hold_last_call_back() {
    let mut scene = at_deadline(1);
    let opener = white_city_tests::party::Party::new(5);
    let spec = white_city_tests::scene::spec(&scene.parties, 2);
    let tx = white_city_tests::scene::open(&scene.board, &opener, spec, [3; 32]);
    assert_eq!(scene.block_by(1, 0, vec![tx]), [Ok(1)]);
    assert_eq!(scene.round(), 2);
}

#[test]
fn a_full_block_counts_for_nobody_and_one_byte_less_is_not_full() {
    for (missing, counts) in [(1, true), (0, false)] {
        let mut scene = at_deadline(4);
        let mut filler = scene.clone();
        let full = usize::try_from(params(&[]).full_block).unwrap();
        let opener = white_city_tests::party::Party::new(5);
        let base = white_city_tests::scene::spec(&scene.parties, 2);
        let open = |input: usize| {
            let mut spec = base.clone();
            spec.input = vec![0; input];
            white_city_tests::scene::open(&filler.board, &opener, spec, [3; 32])
        };
        let head = usize::try_from(open(3_000).bytes()).unwrap() - 3_000;
        let tx = open(full - head - missing);
        assert_eq!(usize::try_from(tx.bytes()).unwrap(), full - missing);
        filler.block(vec![]);
        assert_eq!(scene.block_by(100, 2, vec![tx]), [Ok(1)]);
        assert_eq!(
            callers(&scene),
            u32::from(counts),
            "{missing} bytes missing"
        );
        assert_eq!(scene.get().leaf.call_blocks, 1);
    }
}

#[test]
fn a_refused_transaction_fills_no_block_and_holds_nothing_back() {
    let mut scene = at_deadline(1);
    let again = scene.post(0);
    assert!(scene.block_by(1, 0, vec![again])[0].is_err());
    assert_eq!(scene.round(), 2);
}

#[test]
fn an_entry_in_last_call_gets_in_and_closes_the_round_when_it_was_the_last_one() {
    let mut scene = at_deadline(4);
    scene.block_by(100, 0, vec![]);
    assert_eq!(scene.block_by(100, 1, vec![scene.post(2)]), [Ok(0)]);
    assert_eq!((scene.round(), scene.members()), (2, vec![0, 1, 2]));
}

#[test]
fn joining_has_a_last_call_too() {
    let mut scene = Scene::open_with(network(4, params(&[])), 3, 2, |_| {});
    scene.accept(vec![scene.join(0), scene.join(1)]);
    for _ in 0..11 {
        scene.block(vec![]);
    }
    assert_eq!((callers(&scene), scene.round()), (1, 0));
    assert_eq!(scene.block_by(100, 1, vec![scene.join(2)]), [Ok(0)]);
    assert_eq!((scene.round(), scene.members()), (1, vec![0, 1, 2]));
}

#[test]
fn at_the_deadline_itself_nothing_begins_even_when_the_block_touches_the_session() {
    let mut scene = at_deadline(1);
    let evidence = scene.evidence(2, [scene.header(2, 1, 0), scene.header(2, 1, 1)]);
    assert_eq!(scene.block_by(0, 0, vec![evidence]), [Ok(0)]);
    assert_eq!((scene.round(), scene.get().leaf.call_blocks), (1, 0));
}
