//! Leaving by name: once, and what it does to closing.

use white_city_tests::scene::Scene;
use white_city_wire::{
    Refusal,
    board::{Cause, Status, left_hash},
    tx::Leave,
};

#[test]
fn a_decline_comes_before_the_join_and_an_abort_after_it() {
    let mut scene = Scene::open(4, 3);
    assert_eq!(scene.refusal(scene.abort(0)), Some(Refusal::NotJoined(0)));
    scene.accept(vec![scene.join(0)]);
    assert_eq!(scene.refusal(scene.decline(0)).unwrap().code(), 65);
    assert_eq!(scene.refusal(scene.abort(0)), None);
    assert_eq!(scene.refusal(scene.decline(1)), None);
    let running = Scene::running(2, 2);
    assert_eq!(
        running.refusal(running.decline(0)),
        Some(Refusal::NotJoining)
    );
}

#[test]
fn one_leaves_once_and_the_same_word_again_is_stored_already() {
    let mut scene = Scene::open(4, 3);
    scene.accept(vec![scene.decline(1)]);
    assert_eq!(
        scene.refusal(scene.decline(1)),
        Some(Refusal::AlreadyStored)
    );
    let other = scene.leave(1, Leave::Decline { reason: 6 });
    assert_eq!(scene.refusal(other), Some(Refusal::HasLeft(1)));
    assert_eq!(scene.refusal(scene.abort(1)), Some(Refusal::HasLeft(1)));
    assert_eq!(scene.refusal(scene.join(1)), Some(Refusal::HasLeft(1)));
    let digest = Leave::Decline { reason: 5 }.digest(&scene.session, 1);
    assert_eq!(scene.get().leaf.left, left_hash(&[(1, digest)]));
}

#[test]
fn a_word_of_leaving_by_somebody_else_is_refused() {
    let scene = Scene::running(3, 2);
    let forged = scene.by(1, scene.abort(0).action().clone());
    assert_eq!(scene.refusal(forged).unwrap().code(), 34);
}

#[test]
fn a_leaver_writes_nothing_more_but_its_filled_slot_counts() {
    let mut scene = Scene::running(3, 2);
    scene.accept(vec![scene.post(0), scene.abort(0)]);
    scene.accept(vec![scene.post(1), scene.post(2)]);
    assert_eq!((scene.round(), scene.members()), (2, vec![0, 1, 2]));
    assert_eq!(scene.refusal(scene.post(0)), Some(Refusal::HasLeft(0)));
    scene.accept(vec![scene.post(1), scene.post(2)]);
    assert_eq!((scene.round(), scene.members()), (3, vec![1, 2]));
}

#[test]
fn a_leaver_is_not_awaited() {
    let mut scene = Scene::open(3, 2);
    scene.accept(vec![scene.join(0), scene.join(1)]);
    assert_eq!(scene.round(), 0);
    scene.accept(vec![scene.decline(2)]);
    assert_eq!((scene.round(), scene.members()), (1, vec![0, 1]));
}

#[test]
fn only_members_abort_while_running() {
    let mut scene = Scene::open(3, 2);
    scene.accept(vec![scene.join(0), scene.join(1), scene.decline(2)]);
    let refusal = scene.refusal(scene.abort(2));
    assert_eq!(refusal, Some(Refusal::HasLeft(2)));
    let mut scene = Scene::running(3, 2);
    scene.accept(vec![scene.post(0), scene.post(1)]);
    for _ in 0..6 {
        scene.block(vec![]);
    }
    assert_eq!((scene.round(), scene.members()), (2, vec![0, 1]));
    assert_eq!(scene.refusal(scene.abort(2)), Some(Refusal::Out(2)));
}

#[test]
fn the_session_ends_at_once_when_fewer_than_the_quorum_can_still_fill_their_slots() {
    let mut scene = Scene::running(5, 3);
    scene.accept(vec![scene.abort(4), scene.abort(1)]);
    assert_eq!(scene.status(), Status::Running, "three of five remain");
    scene.accept(vec![scene.abort(2)]);
    assert_eq!(
        scene.ending(),
        Some((Status::Aborted, Cause::Left, Some(2)))
    );
    let mut joining = Scene::open(3, 2);
    joining.accept(vec![joining.decline(2), joining.decline(0)]);
    assert_eq!(
        joining.ending(),
        Some((Status::Aborted, Cause::Left, Some(0)))
    );
    assert_eq!(joining.refusal(joining.decline(1)), Some(Refusal::Ended));
    assert_eq!(
        joining.refusal(joining.decline(0)),
        Some(Refusal::AlreadyStored)
    );
}

#[test]
fn a_joining_that_can_lead_nowhere_ends_at_once_whoever_has_joined() {
    // Of three that joined of a quorum of 3, one leaves: the next round can't be won.
    let mut scene = Scene::open(4, 3);
    scene.accept((0..3).map(|i| scene.join(i)).collect());
    scene.accept(vec![scene.abort(0)]);
    assert_eq!(scene.status(), Status::Joining, "party 3 may still come");
    scene.accept(vec![scene.decline(3)]);
    assert_eq!(
        scene.ending(),
        Some((Status::Aborted, Cause::Left, Some(3)))
    );
    assert_eq!((scene.round(), scene.slots().as_str()), (0, "jjj."));
    // One who has joined ends it as well.
    let mut scene = Scene::open(4, 3);
    scene.accept(vec![scene.join(0), scene.join(1), scene.decline(3)]);
    assert_eq!(scene.status(), Status::Joining);
    scene.accept(vec![scene.abort(1)]);
    assert_eq!(
        scene.ending(),
        Some((Status::Aborted, Cause::Left, Some(1)))
    );
}

#[test]
fn leaving_after_filling_ends_the_session_only_when_the_next_round_opens() {
    let mut scene = Scene::running(3, 2);
    scene.accept(vec![
        scene.post(0),
        scene.abort(0),
        scene.post(1),
        scene.abort(1),
    ]);
    assert_eq!((scene.status(), scene.round()), (Status::Running, 1));
    scene.accept(vec![scene.post(2)]);
    assert_eq!(
        scene.ending(),
        Some((Status::Aborted, Cause::Left, Some(1)))
    );
    assert_eq!((scene.round(), scene.slots().as_str()), (2, "..."));
    let terminal = scene.get().terminal.clone().unwrap();
    assert_eq!((terminal.members.count(), terminal.filled.count()), (3, 0));
}

#[test]
fn the_end_by_leaving_comes_before_closing() {
    // Party 2 leaves in the block in which everybody else would have been enough to wait for no one.
    let mut scene = Scene::running(3, 3);
    scene.accept(vec![scene.post(0), scene.post(1), scene.abort(2)]);
    assert_eq!(
        scene.ending(),
        Some((Status::Aborted, Cause::Left, Some(2)))
    );
    assert_eq!(scene.round(), 1);
}

#[test]
fn who_left_last_among_the_members_is_named_even_when_an_outsider_left_later() {
    // Only members can leave while running, so an outsider has left before it was out.
    let mut scene = Scene::running(5, 3);
    scene.accept(vec![scene.abort(4)]);
    scene.accept((0..4).map(|i| scene.post(i)).collect());
    assert_eq!((scene.round(), scene.members()), (2, vec![0, 1, 2, 3]));
    scene.accept(vec![scene.abort(3), scene.abort(0)]);
    assert_eq!(
        scene.ending(),
        Some((Status::Aborted, Cause::Left, Some(0)))
    );
}

#[test]
fn a_finish_of_a_leaver_counts() {
    let mut scene = Scene::running(2, 2);
    scene.accept(vec![scene.finish(0, 1), scene.abort(0), scene.finish(1, 1)]);
    assert_eq!(scene.ending(), Some((Status::Finished, Cause::None, None)));
}

#[test]
fn a_word_of_leaving_that_was_refused_may_be_taken_later() {
    let mut scene = Scene::open(3, 2);
    let abort = scene.abort(0);
    assert_eq!(scene.refusal(abort.clone()), Some(Refusal::NotJoined(0)));
    let joins = (0..3).map(|i| scene.join(i)).collect();
    scene.accept(joins);
    // So whoever has said it writes nothing more: anybody who has its word can bring it.
    scene.accept(vec![abort]);
    assert_eq!(scene.refusal(scene.post(0)), Some(Refusal::HasLeft(0)));
}
