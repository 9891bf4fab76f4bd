//! Entries that may fill a slot: whose, when, for which history, how large.

use white_city_tests::{
    network::{network, rules},
    scene::{Scene, each_kem, of_kem},
};
use white_city_wire::{
    Hash, Kem, Refusal,
    board::Status,
    hash::sha256,
    tx::{Action, Join},
};

#[test]
fn the_first_join_fills_the_slot_and_only_the_same_one_is_stored_already() {
    let mut scene = Scene::open(3, 2);
    scene.accept(vec![scene.join(0)]);
    assert_eq!(scene.slots(), "j..");
    assert_eq!(scene.refusal(scene.join(0)), Some(Refusal::AlreadyStored));
    let existing = scene.body().slots[0].digest().unwrap();
    let taken = Some(Refusal::SlotTaken { existing });
    assert_eq!(scene.refusal(scene.join_with(0, 1)), taken);
}

#[test]
fn a_join_after_joining_is_late_and_after_the_end_it_is_too_late() {
    let mut scene = Scene::open(3, 2);
    scene.accept(vec![scene.join(0), scene.join(1)]);
    for _ in 0..11 {
        scene.block(vec![]);
    }
    assert_eq!(
        (scene.status(), scene.members()),
        (Status::Running, vec![0, 1])
    );
    assert_eq!(scene.refusal(scene.join(2)), Some(Refusal::NotJoining));
    assert_eq!(scene.refusal(scene.join(0)), Some(Refusal::AlreadyStored));
    scene.accept(vec![scene.finish(0, 1), scene.finish(1, 1)]);
    assert_eq!(scene.refusal(scene.join(2)), Some(Refusal::Ended));
    assert_eq!(scene.refusal(scene.join(0)), Some(Refusal::AlreadyStored));
}

#[test]
fn an_entry_of_another_key_or_an_unknown_index_is_refused() {
    let scene = Scene::running(3, 2);
    let mut post = scene.post(0).action().clone();
    let forged = scene.by(1, post.clone());
    assert_eq!(scene.refusal(forged).unwrap().code(), 34);
    if let Action::Post(post) = &mut post {
        post.header.index = 3;
    }
    let refusal = scene.refusal(scene.by(0, post));
    let expected = Refusal::NotInRoster {
        index: 3,
        parties: 3,
    };
    assert_eq!(refusal, Some(expected));
}

#[test]
fn posts_are_taken_for_the_open_round_only() {
    let mut scene = Scene::running(3, 2);
    let first = scene.get().leaf.transcript;
    let early = Some(Refusal::RoundNotOpen { round: 2, open: 1 });
    assert_eq!(scene.refusal(scene.post_in(0, 2, first)), early);
    let stored = [scene.post(0), scene.post(1)];
    scene.accept(stored.to_vec());
    for _ in 0..6 {
        scene.block(vec![]);
    }
    assert_eq!((scene.round(), scene.members()), (2, vec![0, 1]));
    let late = Some(Refusal::RoundClosed { round: 1, open: 2 });
    assert_eq!(scene.refusal(scene.post_in(2, 1, first)), late);
    assert_eq!(
        scene.refusal(stored[0].clone()),
        Some(Refusal::AlreadyStored),
        "a closed round's entry is stored already"
    );
    assert_eq!(
        scene.refusal(scene.post_in(0, 1, first)).unwrap().code(),
        65
    );
    assert_eq!(scene.refusal(scene.post(2)), Some(Refusal::Out(2)));
}

#[test]
fn while_joining_no_round_is_open_and_after_the_end_none_either() {
    let mut scene = Scene::open(2, 2);
    let early = Some(Refusal::RoundNotOpen { round: 1, open: 0 });
    let transcript = scene.get().leaf.transcript;
    assert_eq!(scene.refusal(scene.post_in(0, 1, transcript)), early);
    scene = scene.joined();
    let stored = scene.finish(0, 1);
    scene.accept(vec![stored.clone(), scene.finish(1, 2)]);
    assert_eq!(scene.status(), Status::Aborted);
    assert_eq!(scene.refusal(stored), Some(Refusal::AlreadyStored));
    assert_eq!(scene.refusal(scene.finish(0, 2)).unwrap().code(), 65);
    let after = scene.post_in(0, 2, transcript);
    assert_eq!(scene.refusal(after), Some(Refusal::Ended));
}

#[test]
fn an_entry_names_the_history_that_its_author_has_seen() {
    let scene = Scene::running(2, 2);
    let expected = scene.get().leaf.transcript;
    let refusal = scene.refusal(scene.post_in(0, 1, sha256(b"another")));
    assert_eq!(refusal, Some(Refusal::Transcript { expected }));
    let mut finish = scene.finish_header(0, 1);
    finish.transcript = Hash(scene.session.0);
    let refusal = scene.refusal(scene.by(0, Action::Finish(finish)));
    assert_eq!(refusal, Some(Refusal::Transcript { expected }));
}

#[test]
fn a_finish_takes_the_slot_from_a_post_of_the_same_party_and_the_other_way_round() {
    let mut scene = Scene::running(2, 2);
    scene.accept(vec![scene.finish(0, 1)]);
    assert_eq!(scene.refusal(scene.post(0)).unwrap().code(), 65);
    assert_eq!(
        scene.refusal(scene.finish(0, 1)),
        Some(Refusal::AlreadyStored)
    );
    assert_eq!(scene.slots(), "f.");
}

#[test]
fn payloads_are_as_large_as_the_spec_allows_and_no_larger() {
    let scene = Scene::running(3, 2);
    let [at, above] = [2_000, 2_001].map(|n| scene.refusal(scene.post_of(0, vec![1; n], vec![])));
    assert_eq!(at, None);
    let expected = Refusal::OverSpec {
        what: "broadcast",
        got: 2_001,
        max: 2_000,
    };
    assert_eq!(above, Some(expected));
    let [at, above] = [1_000, 1_001].map(|n| {
        let p2p = vec![(1, vec![1; 1_000]), (2, vec![1; n])];
        scene.refusal(scene.post_of(0, vec![], p2p))
    });
    assert_eq!(at, None);
    let expected = Refusal::OverSpec {
        what: "p2p payload",
        got: 1_001,
        max: 1_000,
    };
    assert_eq!(above, Some(expected));
}

#[test]
fn a_join_brings_a_key_of_the_specs_kind() {
    for kem in each_kem() {
        let mut scene = Scene::open_with(network(1, rules(&[])), 3, 2, of_kem(kem));
        let (session, index) = (scene.session, 0);
        let join_with = |kem: Kem| {
            let key = scene.parties[0].encryption_key_of(kem, 0);
            scene.by(
                0,
                Action::Join(Join {
                    session,
                    index,
                    key,
                }),
            )
        };
        for got in Kem::ALL {
            let other = (got != kem).then_some(Refusal::OtherKem { got, expected: kem });
            assert_eq!(scene.refusal(join_with(got)), other);
        }
        let joins = Kem::ALL.map(join_with).to_vec();
        scene.block(joins);
        assert_eq!(scene.slots(), "j..");
        let key = scene.parties[0].encryption_key_of(kem, 0);
        let digest = key.join_digest(&session, 0);
        let slot = white_city_state_machine::Slot::Join { digest, key };
        assert_eq!(scene.body().slots[0], slot);
    }
}

#[test]
fn a_p2p_payload_is_no_smaller_than_one_byte_sealed_to_a_key_of_the_session() {
    for (kem, min) in [(Kem::X25519, 49), (Kem::XWing, 1_137)] {
        let scene = Scene::open_with(network(1, rules(&[])), 3, 2, of_kem(kem)).joined();
        let of = |bytes: u32| {
            let bytes = usize::try_from(bytes).unwrap();
            let good = vec![1; usize::try_from(min).unwrap()];
            scene.post_of(0, vec![], vec![(1, vec![1; bytes]), (2, good)])
        };
        assert_eq!(scene.refusal(of(min + 1)), None);
        assert_eq!(scene.refusal(of(min)), None);
        let got = min - 1;
        match kem {
            // No transaction carries one that is smaller than any that can be sealed.
            Kem::X25519 => assert!(std::panic::catch_unwind(|| of(got)).is_err()),
            Kem::XWing => {
                let under = Refusal::UnderSealed { got, min };
                assert_eq!(scene.refusal(of(got)), Some(under));
                let under = Refusal::UnderSealed { got: 49, min };
                assert_eq!(scene.refusal(of(49)), Some(under));
            }
        }
    }
}

/// The smallest `max_p2p` with which something can be sent.
#[test]
fn what_the_spec_has_no_room_to_seal_is_not_sent() {
    for kem in each_kem() {
        let min = kem.ciphertext_bytes_min();
        let refusal = |max_p2p: u32| {
            let limits = |spec: &mut white_city_wire::Spec| {
                of_kem(kem)(spec);
                spec.max_p2p = max_p2p;
            };
            let scene = Scene::open_with(network(1, rules(&[])), 3, 2, limits).joined();
            let sealed = scene.seal(0, 1, b"x");
            assert_eq!(sealed.len(), usize::try_from(min).unwrap());
            scene.refusal(scene.post_of(0, vec![], vec![(1, sealed)]))
        };
        let over = Refusal::OverSpec {
            what: "p2p payload",
            got: min.into(),
            max: (min - 1).into(),
        };
        assert_eq!(
            [min - 1, min, min + 1].map(refusal),
            [Some(over), None, None]
        );
    }
}

#[test]
fn a_p2p_payload_goes_to_members_only_and_a_member_that_left_is_one_still() {
    let mut scene = Scene::running(4, 2 + 1);
    scene.accept(vec![scene.post(0), scene.post(1), scene.post(2)]);
    for _ in 0..6 {
        scene.block(vec![]);
    }
    assert_eq!((scene.round(), scene.members()), (2, vec![0, 1, 2]));
    let to = |to| scene.refusal(scene.post_of(0, vec![], vec![(to, vec![1; 49])]));
    assert_eq!((to(1), to(3)), (None, Some(Refusal::RecipientOut(3))));
}

#[test]
fn an_entry_weighs_256_bytes_and_its_payloads_against_the_authors_share() {
    // 3 parties of ⌊3002 / 3⌋ = 1000 bytes each.
    let scene = Scene::open_with(
        white_city_tests::network::network(1, white_city_tests::network::rules(&[])),
        3,
        3,
        |spec| spec.max_bytes = 3_002,
    )
    .joined();
    let post =
        |scene: &Scene, bcast: usize| scene.post_of(0, vec![1; bcast], vec![(1, vec![1; 100])]);
    assert_eq!(scene.refusal(post(&scene, 1_000 - 256 - 100)), None);
    let expected = Refusal::ShareUsedUp {
        needed: 1_001,
        left: 1_000,
    };
    assert_eq!(scene.refusal(post(&scene, 645)), Some(expected));
    let mut next = scene.clone();
    next.accept(vec![post(&scene, 388), scene.post(1), scene.post(2)]);
    assert_eq!(next.round(), 2);
    assert_eq!(next.body().used_bytes, [744, 266, 266]);
    assert_eq!(next.refusal(next.finish(0, 1)), None, "256 are left");
    let mut tight = scene.clone();
    tight.accept(vec![post(&scene, 389), scene.post(1), scene.post(2)]);
    let expected = Refusal::ShareUsedUp {
        needed: 256,
        left: 255,
    };
    assert_eq!(tight.refusal(tight.finish(0, 1)), Some(expected));
}
