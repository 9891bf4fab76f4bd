//! Closing of rounds and ends of sessions.

use white_city_tests::{
    network::{network, rules},
    scene::Scene,
};
use white_city_wire::{
    Hash, VerifiedTx,
    board::{Cause, Status, slots_root, transcript_next, transcript_start},
    hash::sha256,
};

/// Blocks until the deadline has passed and last call is over on a board of one replica.
fn wait(scene: &mut Scene) {
    let (round, status) = (scene.round(), scene.status());
    for _ in 0..20 {
        if (scene.round(), scene.status()) != (round, status) {
            return;
        }
        scene.block(vec![]);
    }
    panic!("the round never closed");
}

#[test]
fn the_transcript_is_the_session_id_then_a_chain_over_the_rounds() {
    let mut scene = Scene::open(3, 2);
    assert_eq!(scene.get().leaf.transcript, Hash(scene.session.0));
    scene = scene.joined();
    let root = |scene: &Scene, round: usize| {
        slots_root(
            scene.body().closed[round]
                .slots
                .iter()
                .map(|slot| slot.digest()),
        )
    };
    let t0 = transcript_start(&scene.session, &root(&scene, 0));
    assert_eq!(scene.get().leaf.transcript, t0);
    scene.accept((0..3).map(|i| scene.post(i)).collect());
    let t1 = transcript_next(&t0, 1, &root(&scene, 1));
    assert_eq!((scene.round(), scene.get().leaf.transcript), (2, t1));
}

#[test]
fn a_round_that_everybody_filled_closes_in_that_block() {
    let mut scene = Scene::running(3, 2);
    scene.accept(vec![scene.post(0), scene.post(1)]);
    assert_eq!((scene.round(), scene.slots().as_str()), (1, "pp."));
    scene.accept(vec![scene.post(2)]);
    assert_eq!((scene.round(), scene.slots().as_str()), (2, "..."));
    assert_eq!(scene.members(), [0, 1, 2]);
}

#[test]
fn the_quorum_goes_on_without_the_absent_and_one_less_than_the_quorum_is_too_few() {
    let mut scene = Scene::running(4, 3);
    let mut fewer = scene.clone();
    scene.accept((0..3).map(|i| scene.post(i)).collect());
    wait(&mut scene);
    assert_eq!((scene.round(), scene.members()), (2, vec![0, 1, 2]));
    fewer.accept((0..2).map(|i| fewer.post(i)).collect());
    wait(&mut fewer);
    assert_eq!(fewer.ending(), Some((Status::Aborted, Cause::TooFew, None)));
    let terminal = fewer.get().terminal.clone().unwrap();
    assert_eq!(terminal.filled.iter().collect::<Vec<_>>(), [0, 1]);
    assert_eq!(terminal.members.count(), 4);
}

#[test]
fn the_quorum_is_absolute_whoever_is_still_a_member() {
    let mut scene = Scene::running(5, 3);
    scene.accept((0..3).map(|i| scene.post(i)).collect());
    wait(&mut scene);
    scene.accept(vec![scene.post(0), scene.post(1)]);
    wait(&mut scene);
    assert_eq!(scene.ending(), Some((Status::Aborted, Cause::TooFew, None)));
    let terminal = scene.get().terminal.clone().unwrap();
    assert_eq!(terminal.members.iter().collect::<Vec<_>>(), [0, 1, 2]);
}

#[test]
fn everyone_means_that_one_empty_slot_aborts() {
    let mut scene = Scene::running(3, 3);
    scene.accept((0..2).map(|i| scene.post(i)).collect());
    wait(&mut scene);
    assert_eq!(scene.ending(), Some((Status::Aborted, Cause::TooFew, None)));
    let mut joining = Scene::open(3, 3);
    joining.accept((0..2).map(|i| joining.join(i)).collect());
    wait(&mut joining);
    assert_eq!(
        joining.ending(),
        Some((Status::Aborted, Cause::TooFew, None))
    );
}

/// Settles a round of 5 parties with quorum 3 that holds these entries.
fn settled(entries: impl Fn(&Scene) -> Vec<VerifiedTx>) -> Scene {
    let mut scene = Scene::running(5, 3);
    let entries = entries(&scene);
    let complete = entries.len() == 5;
    scene.accept(entries);
    if !complete {
        wait(&mut scene);
    }
    scene
}

#[test]
fn the_group_with_the_quorum_wins_and_the_others_are_out() {
    let posts = settled(|s| {
        vec![
            s.post(0),
            s.finish(1, 1),
            s.post(2),
            s.post(3),
            s.finish(4, 1),
        ]
    });
    assert_eq!(
        (posts.status(), posts.members()),
        (Status::Running, vec![0, 2, 3])
    );
    let finished = settled(|s| {
        vec![
            s.post(0),
            s.finish(1, 1),
            s.finish(2, 1),
            s.finish(3, 1),
            s.finish(4, 2),
        ]
    });
    assert_eq!(
        finished.ending(),
        Some((Status::Finished, Cause::None, None))
    );
    let terminal = finished.get().terminal.clone().unwrap();
    assert_eq!(terminal.outcome, sha256(&[1]));
    assert_eq!(
        terminal.members.count(),
        5,
        "the winners follow from the slots"
    );
    assert_eq!(
        finished.slots(),
        "pffff",
        "the finishing round isn't chained"
    );
    assert_eq!(finished.round(), 1);
}

#[test]
fn no_group_with_a_quorum_is_disagreement_and_too_few_entries_are_too_few() {
    let split = settled(|s| {
        vec![
            s.finish(0, 1),
            s.finish(1, 1),
            s.finish(2, 2),
            s.finish(3, 2),
            s.post(4),
        ]
    });
    assert_eq!(
        split.ending(),
        Some((Status::Aborted, Cause::Disagreement, None))
    );
    let three = settled(|s| vec![s.finish(0, 1), s.finish(1, 1), s.post(2)]);
    assert_eq!(
        three.ending(),
        Some((Status::Aborted, Cause::Disagreement, None))
    );
    let two = settled(|s| vec![s.finish(0, 1), s.post(2)]);
    assert_eq!(two.ending(), Some((Status::Aborted, Cause::TooFew, None)));
    assert_eq!(two.get().terminal.clone().unwrap().outcome, Hash::ZERO);
}

#[test]
fn posts_that_win_the_last_round_end_the_session_and_finishes_finish_it() {
    let mut scene = Scene::running(2, 2);
    for round in 1..3 {
        assert_eq!(scene.round(), round);
        scene.accept(vec![scene.post(0), scene.post(1)]);
    }
    let mut finished = scene.clone();
    finished.accept(vec![finished.finish(0, 1), finished.finish(1, 1)]);
    assert_eq!(
        finished.ending(),
        Some((Status::Finished, Cause::None, None))
    );
    let transcript = scene.get().leaf.transcript;
    scene.accept(vec![scene.post(0), scene.post(1)]);
    assert_eq!(
        scene.ending(),
        Some((Status::Aborted, Cause::OutOfRounds, None))
    );
    assert_eq!((scene.round(), scene.slots().as_str()), (3, "pp"));
    assert_eq!(scene.get().leaf.transcript, transcript);
}

#[test]
fn one_party_alone_runs_a_session() {
    let mut scene = Scene::running(1, 1);
    scene.accept(vec![scene.finish(0, 1)]);
    assert_eq!(scene.ending(), Some((Status::Finished, Cause::None, None)));
}

#[test]
fn sessions_settle_in_the_order_of_their_numbers_whatever_the_order_of_the_entries() {
    let mut scene = Scene::open_with(network(1, rules(&[])), 2, 2, |_| {});
    let second = white_city_tests::scene::open(
        &scene.board,
        &white_city_tests::party::Party::new(77),
        white_city_tests::scene::spec(&scene.parties, 2),
        [9; 32],
    );
    scene.accept(vec![second]);
    let mut other = scene.clone();
    other.session = scene.board.state.sessions().get(1).unwrap().id();
    let txs = vec![other.join(0), scene.join(0), other.join(1), scene.join(1)];
    let reversed: Vec<_> = txs.iter().rev().cloned().collect();
    let mut copy = scene.clone();
    scene.accept(txs);
    copy.accept(reversed);
    assert_eq!(scene.board.root(), copy.board.root());
}
