//! Evidence of equivocation.

use white_city_tests::scene::Scene;
use white_city_wire::{
    Entry, Refusal,
    board::{Offence, Status},
};

#[test]
fn two_entries_of_one_slot_flag_their_author_and_change_nothing_else() {
    let mut scene = Scene::running(3, 2);
    let before = scene.clone();
    let entries = [scene.header(1, 1, 0), scene.header(1, 1, 1)];
    let mut digests = entries.clone().map(|entry| entry.digest());
    digests.sort();
    scene.accept(vec![scene.evidence(1, entries)]);
    let culprit = &scene.body().culprits[0];
    assert_eq!((culprit.index, culprit.round), (1, 1));
    assert_eq!((culprit.a, culprit.b), (digests[0], digests[1]));
    assert_eq!(culprit.offence, Offence::Equivocation);
    assert_eq!(scene.members(), before.members());
    assert_eq!(
        (scene.round(), scene.status(), scene.slots()),
        (1, Status::Running, "...".into())
    );
    assert_eq!(scene.refusal(scene.post(1)), None, "the culprit may go on");
}

#[test]
fn a_post_and_a_finish_of_one_slot_are_an_equivocation_in_any_round_from_1_on() {
    let scene = Scene::running(3, 2);
    let finish = Entry::Finish(scene.finish_header(2, 1));
    let both = scene.evidence(2, [finish, scene.header(2, 1, 0)]);
    assert_eq!(scene.refusal(both), None);
    let later = scene.evidence(2, [scene.header(2, 77, 0), scene.header(2, 77, 1)]);
    assert_eq!(scene.refusal(later), None);
}

#[test]
fn what_is_no_equivocation_is_refused() {
    let scene = Scene::running(3, 2);
    let same = [scene.header(1, 1, 0), scene.header(1, 1, 0)];
    let rounds = [scene.header(1, 1, 0), scene.header(1, 2, 1)];
    let mut swapped = [scene.header(1, 1, 0), scene.header(1, 1, 1)];
    swapped.sort_by_key(|entry| std::cmp::Reverse(entry.digest()));
    for entries in [same, rounds, swapped] {
        let refusal = scene.refusal(scene.evidence_as_is(1, entries)).unwrap();
        assert_eq!(refusal.code(), 112, "{refusal}");
    }
}

#[test]
fn nobody_is_framed_with_entries_that_it_did_not_sign() {
    let scene = Scene::running(3, 2);
    let framed = [scene.header(0, 1, 0), scene.header(0, 1, 1)];
    let refusal = scene.refusal(scene.evidence(1, framed)).unwrap();
    assert_eq!(refusal.code(), 34);
}

#[test]
fn a_party_is_flagged_once_and_culprits_are_ascending() {
    let mut scene = Scene::running(3, 2);
    let against =
        |i, round| scene.evidence(i, [scene.header(i, round, 0), scene.header(i, round, 1)]);
    let txs = vec![against(2, 1), against(0, 1), against(1, 5)];
    let again = [against(0, 1), against(0, 2)];
    scene.accept(txs);
    let indices: Vec<u16> = scene.body().culprits.iter().map(|c| c.index).collect();
    assert_eq!(indices, [0, 1, 2]);
    for tx in again {
        assert_eq!(scene.refusal(tx), Some(Refusal::AlreadyFlagged(0)));
    }
}

#[test]
fn evidence_is_taken_while_joining_after_the_end_and_until_erasure() {
    let mut scene = Scene::open(2, 2);
    let against =
        |scene: &Scene, i| scene.evidence(i, [scene.header(i, 1, 0), scene.header(i, 1, 1)]);
    assert_eq!(scene.refusal(against(&scene, 0)), None);
    scene = scene.joined();
    scene.accept(vec![scene.finish(0, 1), scene.finish(1, 1)]);
    let terminal = scene.get().leaf.terminal;
    scene.accept(vec![against(&scene, 0)]);
    assert_eq!(scene.get().leaf.terminal, terminal);
    assert_eq!(scene.body().culprits.len(), 1);
    let with_one = scene.get().leaf.evidence;
    // The block in which it is erased still takes it.
    let deadline = scene.get().leaf.deadline_ms;
    let now = scene.board.time.millis();
    let before_erasure = against(&scene, 1);
    assert_eq!(
        scene.block_by(deadline - now + 1, 0, vec![before_erasure]),
        [Ok(0)]
    );
    assert_eq!(scene.status(), Status::Erased);
    assert_ne!(
        scene.get().leaf.evidence,
        with_one,
        "what the last block brought is in the leaf for ever"
    );
    assert_eq!(scene.refusal(against(&scene, 1)), Some(Refusal::Erased));
}
