//! Endings, erasure, and what is kept for ever.

use white_city_tests::{party::Party, scene::Scene};
use white_city_wire::{Refusal, board::Status, reserve::reserved_bytes};

fn finished() -> Scene {
    let mut scene = Scene::running(2, 2);
    scene.accept(vec![scene.finish(0, 1), scene.finish(1, 1)]);
    scene
}

#[test]
fn a_session_is_erased_after_its_retention_and_not_at_it() {
    let mut scene = finished();
    let end = scene.get().terminal.clone().unwrap().board_ms;
    assert_eq!(scene.get().leaf.deadline_ms, end + 2_000);
    scene.block_by(2_000, 0, vec![]);
    assert_eq!(scene.status(), Status::Finished);
    scene.block_by(1, 0, vec![]);
    assert_eq!(scene.status(), Status::Erased);
}

#[test]
fn erasure_changes_only_the_status_and_gives_the_bytes_back() {
    let mut scene = finished();
    let before = scene.get().clone();
    let reserved = before.leaf.reserved_bytes;
    let opener = |scene: &Scene| {
        let (_, leaf) = scene.board.state.opener(Party::new(1_000).key()).unwrap();
        (leaf.live, leaf.live_bytes)
    };
    assert_eq!(opener(&scene), (0, reserved));
    scene.block_by(2_001, 0, vec![]);
    assert_eq!(opener(&scene), (0, 0));
    assert_eq!(scene.board.state.reserved().strangers, 0);
    let after = scene.get();
    let mut expected = before.clone();
    expected.leaf.status = Status::Erased;
    expected.body = None;
    assert_eq!(*after, expected);
    for _ in 0..3 {
        scene.block(vec![]);
        assert_eq!(*scene.get(), expected);
        assert_eq!(opener(&scene), (0, 0));
    }
}

#[test]
fn an_end_gives_back_what_was_reserved_and_is_not_there() {
    let mut scene = Scene::running(2, 2);
    scene.accept(vec![scene.post(0), scene.post(1)]);
    scene.accept(vec![scene.finish(0, 1)]);
    let spec = scene.body().spec.clone();
    let before = scene.get().leaf.reserved_bytes;
    assert_eq!(before, reserved_bytes(&spec));
    scene.accept(vec![scene.finish(1, 1)]);
    // Two posts of 10 bytes and two finishes, the spec, 2 parties with evidence against each, rounds 0 to 2.
    let entries = 2 * (256 + 10) + 2 * 256;
    let kept = entries + spec.own_bytes() + 2 * 1_024 + 3 * (128 + 2 * 80);
    assert_eq!(scene.get().leaf.reserved_bytes, kept);
    let (_, leaf) = scene.board.state.opener(Party::new(1_000).key()).unwrap();
    assert_eq!((leaf.live, leaf.live_bytes), (0, kept));
    assert_eq!(scene.board.state.reserved().strangers, kept);
    // Evidence that comes later has had its room all the time.
    scene.accept(vec![
        scene.evidence(0, [scene.header(0, 1, 0), scene.header(0, 1, 1)]),
    ]);
    assert_eq!(scene.get().leaf.reserved_bytes, kept);
}

#[test]
fn an_erased_session_refuses_everything() {
    let mut scene = finished();
    let txs = [
        scene.join(0),
        scene.post(0),
        scene.finish(0, 1),
        scene.abort(0),
        scene.evidence(0, [scene.header(0, 1, 0), scene.header(0, 1, 1)]),
    ];
    scene.block_by(2_001, 0, vec![]);
    for tx in txs {
        assert_eq!(scene.refusal(tx), Some(Refusal::Erased));
    }
}

#[test]
fn what_was_in_last_call_is_zero_after_the_end() {
    let mut scene = Scene::open(2, 2);
    for _ in 0..12 {
        scene.block(vec![]);
    }
    assert_eq!(scene.status(), Status::Aborted);
    assert_eq!(scene.get().leaf.call_blocks, 0);
    assert_eq!(scene.get().leaf.callers, [0; 32]);
}

#[test]
fn a_session_that_ends_in_the_block_that_opened_it_gives_its_place_back() {
    use white_city_tests::{
        board::{Board, Candidate},
        network::{network, rules},
        scene::{open, spec},
    };
    let mut board = Board::new(network(1, rules(&[])));
    let parties = Party::several(2);
    let tx = open(&board, &parties[0], spec(&parties, 2), [0; 32]);
    let mut scene = Scene::open(2, 2);
    if let white_city_wire::tx::Action::Open(open) = tx.action() {
        scene.session = open.session_id(&board.network().id);
    }
    let context = board.next_context(100, 0);
    let decline = scene.decline(1);
    let executed = board.run(
        context,
        vec![Candidate::verified(tx), Candidate::verified(decline)],
    );
    assert!(executed.outcomes.iter().all(|o| o.result == Ok(0)));
    assert_eq!(board.session(&scene.session).status(), Status::Aborted);
    assert_eq!(board.state.openers().get(0).unwrap().live, 0);
}
