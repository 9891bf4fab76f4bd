//! Board time: deadlines start in the block after, and stand still while the board is down.

use white_city_tests::{
    board::Board,
    network::{network, rules},
    scene::Scene,
};
use white_city_wire::board::Status;

#[test]
fn a_rounds_clock_starts_in_the_block_after_the_one_that_opened_it() {
    let mut scene = Scene::open(2, 2);
    assert_eq!(scene.get().leaf.deadline_ms, 0);
    scene.block_by(700, 0, vec![]);
    let now = scene.board.time.millis();
    assert_eq!(scene.get().leaf.deadline_ms, now + 1_000);
    scene.accept(vec![scene.join(0), scene.join(1)]);
    assert_eq!(scene.get().leaf.deadline_ms, 0);
    scene.block(vec![]);
    let now = scene.board.time.millis();
    assert_eq!(scene.get().leaf.deadline_ms, now + 500);
}

#[test]
fn a_step_of_cap_is_time_and_a_longer_one_is_an_outage_of_all_of_it() {
    for (step, paused) in [(2_999, 0), (3_000, 0), (3_001, 3_001), (90_000, 90_000)] {
        let mut board = Board::new(network(1, rules(&[])));
        let context = board.next_context(100, 0);
        let first = board.run(context, vec![]);
        let context = board.next_context(step, 0);
        let second = board.run(context, vec![]);
        assert_eq!(board.state.paused_ms(), paused, "{step}");
        assert_eq!(second.board_ms - first.board_ms, step - paused);
        let context = board.next_context(100, 0);
        let third = board.run(context, vec![]);
        assert_eq!(third.board_ms - second.board_ms, 100);
    }
}

#[test]
fn the_first_block_is_no_outage_however_late_it_comes() {
    let mut board = Board::new(network(1, rules(&[])));
    let context = board.next_context(1_000_000, 0);
    let executed = board.run(context, vec![]);
    assert_eq!(board.state.paused_ms(), 0);
    assert_eq!(executed.board_ms, board.time.millis());
}

#[test]
fn an_outage_costs_no_session_its_deadline_or_its_retention() {
    let mut scene = Scene::open(2, 2);
    scene.block(vec![]);
    scene.block_by(999_999, 0, vec![]);
    assert_eq!(scene.status(), Status::Joining);
    scene.block_by(1_000, 0, vec![]);
    assert_eq!(
        (scene.status(), scene.get().leaf.call_blocks),
        (Status::Joining, 0)
    );
    scene.block_by(1, 0, vec![]);
    assert_eq!(scene.status(), Status::Aborted);
    scene.block_by(999_999, 0, vec![]);
    scene.block_by(2_000, 0, vec![]);
    assert_eq!(scene.status(), Status::Aborted);
    scene.block_by(1, 0, vec![]);
    assert_eq!(scene.status(), Status::Erased);
}

#[test]
fn a_clock_that_starts_in_the_block_of_an_outage_runs_in_full() {
    let mut scene = Scene::open(2, 2);
    scene.block_by(50_000, 0, vec![]);
    let board_ms = scene.board.time.millis() - scene.board.state.paused_ms();
    assert_eq!(scene.get().leaf.deadline_ms, board_ms + 1_000);
}

#[test]
fn a_deadline_saturates() {
    let mut huge = rules(&[]);
    huge.params.max_duration_ms = u64::MAX;
    let mut scene = Scene::open_with(network(1, huge), 2, 2, |spec| {
        spec.join_ms = u64::MAX;
        spec.round_ms = u64::MAX;
        spec.retention_ms = u64::MAX;
    })
    .joined();
    scene.block(vec![]);
    assert_eq!(scene.get().leaf.deadline_ms, u64::MAX);
    scene.accept(vec![scene.finish(0, 1), scene.finish(1, 1)]);
    for _ in 0..5 {
        scene.block(vec![]);
    }
    assert_eq!(scene.status(), Status::Finished);
}

#[test]
fn two_blocks_of_one_millisecond_are_at_the_same_board_time() {
    let mut scene = Scene::open(2, 2);
    scene.block(vec![]);
    scene.block_by(1_000, 0, vec![]);
    for _ in 0..3 {
        scene.block_by(0, 0, vec![]);
        assert_eq!(
            (scene.status(), scene.get().leaf.call_blocks),
            (Status::Joining, 0)
        );
    }
}
