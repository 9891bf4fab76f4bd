//! Complaints, reveals and what they end in.

use white_city_tests::{
    complaints::{ikm_e, reveal_of},
    network::{network, rules},
    scene::{Scene, each_kem, of_kem},
};
use white_city_wire::{
    Complain, Hash, Kem, Refusal, VerifiedTx,
    board::{Cause, Culprit, Offence, Status, evidence_hash},
    hash::sha256,
    tx::Action,
};

const SECRET: &[u8] = b"a share";

/// Three parties (quorum 2) in round 2: in round 1, party 0 sent party 1 a payload, a good or a bad one, that party 1 now
/// complains about.
fn scene(kem: Kem, k: u8, good: bool) -> (Scene, Complain) {
    let scene = Scene::open_with(network(k, rules(&[])), 3, 2, of_kem(kem)).joined();
    closed(scene, good)
}

/// Three parties (quorum 2) in round 1.
fn running(kem: Kem) -> Scene {
    Scene::open_with(network(1, rules(&[])), 3, 2, of_kem(kem)).joined()
}

/// Bytes that nobody has sealed, as large as a payload of 12 bytes.
fn garbage(kem: Kem) -> Vec<u8> {
    vec![7; 12 + usize::try_from(kem.sealing_bytes()).unwrap()]
}

fn closed(mut scene: Scene, good: bool) -> (Scene, Complain) {
    let sealed = scene.seal(0, 1, if good { SECRET } else { b"another" });
    let garbage = garbage(scene.body().spec.kem);
    let post = scene.post_of(0, vec![], vec![(1, sealed), (2, garbage)]);
    let complaint = scene.complaint(1, &post);
    let mut posts = vec![post];
    posts.extend((1..scene.n()).map(|i| scene.post(i)));
    scene.accept(posts);
    assert_eq!(scene.round(), 2);
    (scene, complaint)
}

fn disputed(kem: Kem, k: u8, good: bool) -> (Scene, Complain) {
    let (mut scene, complaint) = scene(kem, k, good);
    scene.accept(vec![scene.complain(&complaint)]);
    (scene, complaint)
}

fn code(scene: &Scene, tx: VerifiedTx) -> u32 {
    scene.refusal(tx).map_or(0, |refusal| refusal.code())
}

#[test]
fn a_payload_that_was_sealed_otherwise_convicts_its_sender() {
    for kem in each_kem() {
        let (mut scene, complaint) = disputed(kem, 1, false);
        let reveal = scene.reveal(&complaint, SECRET);
        scene.accept(vec![reveal.clone()]);
        let end = (Status::Aborted, Cause::BadPayload, Some(0));
        assert_eq!(scene.ending(), Some(end));
        let culprit = Culprit {
            index: 0,
            offence: Offence::BadPayload,
            round: 1,
            a: complaint.digest(),
            b: reveal_of(&complaint, ikm_e(SECRET), SECRET).digest(),
        };
        assert_eq!(scene.body().culprits, std::slice::from_ref(&culprit));
        assert_eq!(scene.get().leaf.evidence, evidence_hash(&[culprit]));
        assert_eq!(scene.get().leaf.dispute, complaint.digest());
        assert_eq!(scene.refusal(reveal), Some(Refusal::AlreadyStored));
    }
}

#[test]
fn a_payload_that_is_what_was_revealed_convicts_the_one_that_complained() {
    for kem in each_kem() {
        let (mut scene, complaint) = disputed(kem, 1, true);
        scene.accept(vec![scene.reveal(&complaint, SECRET)]);
        let end = (Status::Aborted, Cause::FalseComplaint, Some(1));
        assert_eq!(scene.ending(), Some(end));
        let culprit = &scene.body().culprits[0];
        assert_eq!(
            (culprit.index, culprit.offence),
            (1, Offence::FalseComplaint)
        );
        assert_eq!((culprit.round, culprit.a), (1, complaint.digest()));
        assert_eq!(scene.body().culprits.len(), 1);
    }
}

#[test]
fn each_part_of_what_is_revealed_is_judged() {
    for kem in each_kem() {
        let (scene, complaint) = disputed(kem, 1, true);
        let verdict = |ikm: [u8; 32], plaintext: &[u8]| {
            let mut scene = scene.clone();
            let reveal = reveal_of(&complaint, ikm, plaintext);
            scene.accept(vec![scene.by(0, Action::Reveal(reveal))]);
            scene.ending().unwrap().1
        };
        assert_eq!(verdict(ikm_e(SECRET), SECRET), Cause::FalseComplaint);
        assert_eq!(verdict(ikm_e(b"x"), SECRET), Cause::BadPayload);
        assert_eq!(verdict(ikm_e(SECRET), b"a shart"), Cause::BadPayload);
        assert_eq!(verdict(ikm_e(SECRET), b"a share\0"), Cause::BadPayload);
    }
}

#[test]
fn no_more_is_revealed_than_the_accused_post_has_room_for() {
    for kem in each_kem() {
        // The post has payloads of 7 and of 12 bytes, both sealed; the spec has room for more.
        let limits = |spec: &mut white_city_wire::Spec| {
            of_kem(kem)(spec);
            spec.max_p2p = 5_000;
        };
        let roomy = Scene::open_with(network(1, rules(&[])), 3, 2, limits).joined();
        let (mut scene, complaint) = closed(roomy, false);
        scene.accept(vec![scene.complain(&complaint)]);
        let sealing = kem.sealing_bytes();
        assert_eq!(complaint.post.p2p_bytes, 7 + 12 + 2 * sealing);
        let of = |bytes: u32| {
            let plaintext = vec![1; usize::try_from(bytes).unwrap()];
            code(&scene, scene.reveal(&complaint, &plaintext))
        };
        let most = 7 + 12 + sealing;
        assert_eq!([of(most - 1), of(most), of(most + 1)], [0, 0, 80]);
    }
}

#[test]
fn what_a_dispute_has_left_behind_stays_reserved() {
    for kem in each_kem() {
        let kept = |answer: bool| {
            let (mut scene, complaint) = disputed(kem, 1, true);
            if answer {
                scene.accept(vec![scene.reveal(&complaint, SECRET)]);
            }
            while scene.ending().is_none() {
                scene.block(vec![]);
            }
            scene.get().leaf.reserved_bytes
        };
        let mut aborted = scene(kem, 1, true).0;
        aborted.accept(vec![aborted.abort(0), aborted.abort(1)]);
        let without = aborted.get().leaf.reserved_bytes;
        assert_eq!(kept(false), without + 1_024);
        let plaintext = u64::try_from(SECRET.len()).unwrap();
        assert_eq!(kept(true), without + 1_024 + plaintext);
    }
}

/// A payload is sealed for one place: in any other the sender can't show what it sent.
#[test]
fn a_payload_for_another_round_sender_recipient_history_or_key_is_bad() {
    for kem in each_kem() {
        let start = running(kem);
        let wrong = |change: &dyn Fn(&mut white_city_tests::complaints::PayloadPlace<'_>)| {
            let mut place = start.place(0, 1);
            change(&mut place);
            let mut scene = start.clone();
            let sealed = place.seal(&ikm_e(SECRET), SECRET);
            let post = scene.post_of(0, vec![], vec![(1, sealed)]);
            let complaint = scene.complaint(1, &post);
            scene.accept(vec![post, scene.post(1), scene.post(2)]);
            scene.accept(vec![scene.complain(&complaint)]);
            scene.accept(vec![scene.reveal(&complaint, SECRET)]);
            scene.ending().unwrap().1
        };
        assert_eq!(wrong(&|_| {}), Cause::FalseComplaint);
        let other_key = start.parties[1].encryption_key_of(kem, 1);
        let bad: [&dyn Fn(&mut white_city_tests::complaints::PayloadPlace<'_>); 7] = [
            &|place| place.round = 2,
            &|place| place.from = 2,
            &|place| place.to = 2,
            &|place| place.transcript = Hash([9; 32]),
            &|place| place.session.0[0] ^= 1,
            &|place| place.network.0[0] ^= 1,
            &|place| place.key = other_key.clone(),
        ];
        for (number, change) in bad.into_iter().enumerate() {
            assert_eq!(wrong(change), Cause::BadPayload, "{number}");
        }
    }
}

#[test]
fn nothing_but_the_reveal_and_evidence_is_taken_meanwhile_and_open_slots_stay() {
    for kem in each_kem() {
        let (mut scene, complaint) = scene(kem, 1, true);
        let first = scene.post(2);
        scene.accept(vec![first.clone(), scene.complain(&complaint)]);
        assert_eq!(
            (scene.status(), scene.slots().as_str()),
            (Status::Dispute, "..p")
        );
        for tx in [scene.post(0), scene.finish(1, 1), scene.abort(0)] {
            assert_eq!(scene.refusal(tx), Some(Refusal::InDispute));
        }
        assert_eq!(scene.refusal(scene.join(1)), Some(Refusal::AlreadyStored));
        assert_eq!(scene.refusal(first), Some(Refusal::AlreadyStored));
        let evidence = scene.evidence(2, [scene.header(2, 1, 0), scene.header(2, 1, 1)]);
        scene.accept(vec![evidence]);
        assert_eq!(
            (scene.status(), scene.slots().as_str()),
            (Status::Dispute, "..p")
        );
        scene.accept(vec![scene.reveal(&complaint, SECRET)]);
        let terminal = scene.get().terminal.clone().unwrap();
        assert_eq!(terminal.filled.iter().collect::<Vec<_>>(), [2]);
        assert_eq!((scene.round(), terminal.members.count()), (2, 3));
        let kinds: Vec<_> = scene
            .body()
            .culprits
            .iter()
            .map(|c| (c.index, c.offence))
            .collect();
        assert_eq!(
            kinds,
            [(1, Offence::FalseComplaint), (2, Offence::Equivocation)]
        );
    }
}

#[test]
fn nothing_closes_in_the_block_of_a_complaint_even_when_every_slot_is_filled() {
    for kem in each_kem() {
        let (mut scene, complaint) = scene(kem, 1, true);
        let mut txs: Vec<_> = (0..3).map(|i| scene.finish(i, 1)).collect();
        txs.push(scene.complain(&complaint));
        scene.accept(txs);
        assert_eq!(
            (scene.status(), scene.slots().as_str()),
            (Status::Dispute, "fff")
        );
        scene.block(vec![]);
        assert_eq!(scene.status(), Status::Dispute);
    }
}

#[test]
fn the_first_complaint_wins() {
    for kem in each_kem() {
        let (mut scene, complaint) = scene(kem, 1, true);
        let tx = scene.complain(&complaint);
        let again = scene.complain(&complaint);
        let results = scene.block(vec![tx.clone(), again]);
        assert_eq!(results, [Ok(0), Err(Refusal::AlreadyStored)]);
        let third = second_complaint(kem, &scene);
        assert_eq!(scene.refusal(third.clone()), Some(Refusal::InDispute));
        assert_eq!(scene.refusal(tx.clone()), Some(Refusal::AlreadyStored));
        scene.accept(vec![scene.reveal(&complaint, SECRET)]);
        assert_eq!(scene.refusal(tx), Some(Refusal::AlreadyStored));
        assert_eq!(scene.refusal(third), Some(Refusal::Ended));
    }
}

/// Party 2's complaint about the same post, which has a payload for it, too.
fn second_complaint(kem: Kem, scene: &Scene) -> VerifiedTx {
    let before = running(kem);
    let sealed = before.seal(0, 1, SECRET);
    let post = before.post_of(0, vec![], vec![(1, sealed), (2, garbage(kem))]);
    scene.complain(&scene.complaint(2, &post))
}

#[test]
fn the_first_reveal_wins_also_within_its_block() {
    for kem in each_kem() {
        let (mut scene, complaint) = disputed(kem, 1, false);
        let (first, second) = (
            scene.reveal(&complaint, SECRET),
            scene.reveal(&complaint, b"another"),
        );
        let results = scene.block(vec![first.clone(), first.clone(), second.clone()]);
        assert_eq!(results[0], Ok(0));
        assert_eq!(results[1], Err(Refusal::AlreadyStored));
        assert!(matches!(results[2], Err(Refusal::SlotTaken { .. })));
        assert_eq!(scene.ending().unwrap().1, Cause::BadPayload);
        assert_eq!(scene.refusal(second), Some(Refusal::Ended));
    }
}

#[test]
fn a_complaint_is_about_a_closed_round_while_running() {
    for kem in each_kem() {
        let mut scene = running(kem);
        let sealed = scene.seal(0, 1, SECRET);
        let post = scene.post_of(0, vec![], vec![(1, sealed)]);
        let complaint = scene.complaint(1, &post);
        let open = Some(Refusal::NotClosed { round: 1, open: 1 });
        assert_eq!(scene.refusal(scene.complain(&complaint)), open);
        scene.accept(vec![post]);
        assert_eq!(scene.refusal(scene.complain(&complaint)), open);
        scene.accept(vec![scene.post(1)]);
        // The block that closes the round closes it at its end.
        assert_eq!(
            scene.block(vec![scene.post(2), scene.complain(&complaint)])[1],
            Err(Refusal::NotClosed { round: 1, open: 1 })
        );
        assert_eq!(scene.refusal(scene.complain(&complaint)), None);
        scene.accept((0..3).map(|i| scene.post(i)).collect());
        assert_eq!(
            scene.refusal(scene.complain(&complaint)),
            None,
            "any closed round"
        );
        let ended = {
            let mut scene = scene.clone();
            scene.accept((0..3).map(|i| scene.finish(i, 1)).collect());
            scene
        };
        assert_eq!(
            ended.refusal(ended.complain(&complaint)),
            Some(Refusal::Ended)
        );
        let mut joining = Scene::open_with(network(1, rules(&[])), 3, 2, of_kem(kem));
        joining.session = scene.session;
        let refusal = joining.refusal(joining.complain(&complaint));
        assert_eq!(refusal, Some(Refusal::NotClosed { round: 1, open: 0 }));
    }
}

#[test]
fn only_members_that_have_not_left_complain() {
    for kem in each_kem() {
        let (mut scene, complaint) = scene(kem, 1, true);
        let mut left = scene.clone();
        left.accept(vec![left.abort(1)]);
        assert_eq!(
            left.refusal(left.complain(&complaint)),
            Some(Refusal::HasLeft(1))
        );
        scene.accept(vec![scene.post(0), scene.post(2)]);
        for _ in 0..6 {
            scene.block(vec![]);
        }
        assert_eq!((scene.round(), scene.members()), (3, vec![0, 2]));
        assert_eq!(
            scene.refusal(scene.complain(&complaint)),
            Some(Refusal::Out(1))
        );
        let forged = scene.by(0, Action::Complain(complaint));
        assert_eq!(code(&scene, forged), 34);
    }
}

#[test]
fn the_accused_may_be_out_or_have_left_and_reveals_all_the_same() {
    for kem in each_kem() {
        let (scene, complaint) = scene(kem, 1, true);
        let mut left = scene.clone();
        left.accept(vec![left.abort(0)]);
        let mut out = scene;
        out.accept(vec![out.post(1), out.post(2)]);
        for _ in 0..6 {
            out.block(vec![]);
        }
        assert_eq!(out.members(), [1, 2]);
        for mut scene in [left, out] {
            scene.accept(vec![scene.complain(&complaint)]);
            scene.accept(vec![scene.reveal(&complaint, SECRET)]);
            assert_eq!(scene.ending().unwrap().1, Cause::FalseComplaint);
        }
    }
}

#[test]
fn a_complaint_names_the_post_that_is_in_the_slot() {
    for kem in each_kem() {
        let (mut scene, complaint) = scene(kem, 1, true);
        scene.accept(vec![scene.post(0), scene.post(1)]);
        for _ in 0..6 {
            scene.block(vec![]);
        }
        assert_eq!((scene.round(), scene.status()), (3, Status::Running));
        let with = |change: &dyn Fn(&mut Complain)| {
            let mut complaint = complaint.clone();
            change(&mut complaint);
            code(&scene, scene.complain(&complaint))
        };
        assert_eq!(with(&|_| {}), 0);
        assert_eq!(
            with(&|c| c.post.transcript = Hash([1; 32])),
            115,
            "of another history"
        );
        assert_eq!(with(&|c| c.post.bcast_len ^= 1), 115);
        assert_eq!(with(&|c| c.post.p2p_bytes ^= 1), 115);
        assert_eq!(with(&|c| c.post.round = 2), 115);
        assert_eq!(with(&|c| c.post.index = 2), 115, "of another party");
        assert_eq!(
            with(&|c| (c.post.index, c.post.round) = (2, 2)),
            115,
            "an empty slot"
        );
        assert_eq!(with(&|c| c.post.index = 9), 115, "past the roster");
        assert_eq!(with(&|c| c.post.session.0[0] ^= 1), 32);
    }
}

#[test]
fn a_complaint_whose_path_does_not_lead_to_the_post_is_never_verified() {
    for kem in each_kem() {
        let (scene, complaint) = scene(kem, 1, true);
        let refusal = |change: &dyn Fn(&mut Complain)| {
            let mut complaint = complaint.clone();
            change(&mut complaint);
            let party = &scene.parties[usize::from(complaint.index)];
            let tx = party.tx(Action::Complain(complaint), &scene.network_id());
            let verified = tx.verify(party.key(), scene.n(), &scene.network_id());
            verified.err().map_or(0, |refusal| refusal.code())
        };
        assert_eq!(refusal(&|_| {}), 0);
        assert_eq!(refusal(&|c| c.leaf = Hash([1; 32])), 115);
        assert_eq!(refusal(&|c| c.path[1] = Hash([1; 32])), 115);
        assert_eq!(
            refusal(&|c| c.index = 2),
            115,
            "another recipient's payload"
        );
        assert_eq!(refusal(&|c| c.post.p2p_root = Hash([1; 32])), 115);
        assert_eq!(refusal(&|c| c.path.truncate(1)), 115);
        assert_eq!(refusal(&|c| c.path.push(Hash::ZERO)), 115);
    }
}

#[test]
fn a_reveal_answers_the_one_complaint_and_is_the_accuseds() {
    for kem in each_kem() {
        let (running, complaint) = scene(kem, 1, true);
        let reveal = |scene: &Scene, complaint: &Complain| scene.reveal(complaint, SECRET);
        assert_eq!(
            running.refusal(reveal(&running, &complaint)),
            Some(Refusal::NoDispute)
        );
        let (scene, complaint) = disputed(kem, 1, true);
        let expected = complaint.digest();
        let mut other = complaint.clone();
        other.leaf = sha256(b"x");
        assert_eq!(
            scene.refusal(reveal(&scene, &other)),
            Some(Refusal::OtherComplaint { expected })
        );
        let mut stranger = reveal_of(&complaint, ikm_e(SECRET), SECRET);
        stranger.index = 2;
        let stranger = scene.by(2, Action::Reveal(stranger));
        assert_eq!(
            scene.refusal(stranger),
            Some(Refusal::NotTheAccused { accused: 0 })
        );
        let forged = reveal_of(&complaint, ikm_e(SECRET), SECRET);
        assert_eq!(code(&scene, scene.by(1, Action::Reveal(forged))), 34);
        let mut ended = running;
        ended.accept((0..3).map(|i| ended.finish(i, 1)).collect());
        assert_eq!(
            ended.refusal(reveal(&ended, &complaint)),
            Some(Refusal::Ended)
        );
    }
}

#[test]
fn a_reveal_is_as_large_as_a_payload_may_be_and_no_larger() {
    for kem in each_kem() {
        // Beside the payload that is complained about the post has one of 60 bytes, so that it is the spec that counts.
        let limits = |spec: &mut white_city_wire::Spec| {
            of_kem(kem)(spec);
            spec.max_p2p = 12 + kem.sealing_bytes();
        };
        let tight = Scene::open_with(network(1, rules(&[])), 3, 2, limits).joined();
        let (mut scene, complaint) = closed(tight, false);
        scene.accept(vec![scene.complain(&complaint)]);
        let most = usize::try_from(scene.body().spec.max_p2p - kem.sealing_bytes()).unwrap();
        assert_eq!(
            scene.refusal(scene.reveal(&complaint, &vec![1; most])),
            None
        );
        assert_eq!(
            code(&scene, scene.reveal(&complaint, &vec![1; most + 1])),
            80
        );
    }
}

/// A transaction that is too large would silence an honest accused.
#[test]
fn whatever_fits_a_post_can_be_revealed() {
    for kem in each_kem() {
        let limits = |spec: &mut white_city_wire::Spec| {
            of_kem(kem)(spec);
            (spec.max_bcast, spec.max_p2p, spec.max_bytes) = (0, 20_000, 90_000);
        };
        for (from, to) in [(0_u16, 1_u16), (1, 0), (2, 1)] {
            let mut scene = Scene::open_with(network(1, rules(&[])), 3, 2, limits).joined();
            let max_tx = usize::try_from(rules(&[]).params.max_tx).unwrap();
            let post = |len: usize| {
                let sealed = scene.seal(from, to, &vec![1; len]);
                scene.post_of(from, vec![], vec![(to, sealed)])
            };
            let len = max_tx - (usize::try_from(post(7_000).bytes()).unwrap() - 7_000);
            let (largest, over) = (post(len), post(len + 1));
            assert_eq!(code(&scene, over), 16);
            let complaint = scene.complaint(to, &largest);
            let mut posts = vec![largest];
            posts.extend(
                (0..3)
                    .filter(|i| *i != from)
                    .map(|i| scene.post_of(i, vec![], vec![])),
            );
            scene.accept(posts);
            scene.accept(vec![scene.complain(&complaint)]);
            let reveal = scene.reveal(&complaint, &vec![1; len]);
            assert!(reveal.bytes() < rules(&[]).params.max_tx);
            scene.accept(vec![reveal]);
            assert_eq!(scene.ending().unwrap().1, Cause::FalseComplaint);
        }
    }
}

#[test]
fn the_clock_starts_anew_in_the_block_after_the_complaint() {
    for kem in each_kem() {
        let (mut scene, complaint) = scene(kem, 4, true);
        for _ in 0..7 {
            scene.block(vec![]);
        }
        let leaf = &scene.get().leaf;
        assert_eq!(
            (leaf.call_blocks, leaf.callers[0]),
            (1, 1),
            "last call has begun"
        );
        assert_eq!(
            scene.block_by(100, 1, vec![scene.complain(&complaint)]),
            [Ok(0)]
        );
        let leaf = &scene.get().leaf;
        assert_eq!(
            (leaf.deadline_ms, leaf.call_blocks, leaf.callers),
            (0, 0, [0; 32])
        );
        scene.block(vec![]);
        let board_ms = scene.board.time.millis() - scene.board.state.paused_ms();
        let reveal_ms = scene.body().spec.reveal_ms;
        assert_eq!(scene.get().leaf.deadline_ms, board_ms + reveal_ms);
    }
}

#[test]
fn silence_ends_the_session_after_last_call_and_convicts_nobody() {
    for kem in each_kem() {
        let (mut scene, complaint) = disputed(kem, 4, false);
        scene.block(vec![]);
        let deadline = scene.get().leaf.deadline_ms;
        let board_ms = |scene: &Scene| scene.board.time.millis() - scene.board.state.paused_ms();
        let step = deadline - board_ms(&scene);
        scene.block_by(step, 0, vec![]);
        assert_eq!(scene.get().leaf.call_blocks, 0, "at the deadline itself");
        for _ in 0..3 {
            scene.block_by(1, 0, vec![]);
            assert_eq!(scene.status(), Status::Dispute);
        }
        let mut late = scene.clone();
        assert_eq!(
            late.block_by(1, 1, vec![late.reveal(&complaint, SECRET)]),
            [Ok(0)]
        );
        assert_eq!(
            late.ending().unwrap().1,
            Cause::BadPayload,
            "last call is for reveals"
        );
        scene.block_by(1, 1, vec![]);
        let end = (Status::Aborted, Cause::NoReveal, Some(0));
        assert_eq!(scene.ending(), Some(end));
        assert_eq!(scene.body().culprits, []);
        assert_eq!(
            scene.get().leaf.dispute,
            complaint.digest(),
            "which names both"
        );
        let reveal = scene.reveal(&complaint, SECRET);
        assert_eq!(scene.refusal(reveal), Some(Refusal::Ended));
    }
}

#[test]
fn the_first_evidence_against_a_party_stays_and_the_session_ends_all_the_same() {
    for kem in each_kem() {
        let (mut scene, complaint) = disputed(kem, 1, false);
        let evidence =
            |scene: &Scene| scene.evidence(0, [scene.header(0, 1, 0), scene.header(0, 1, 1)]);
        let mut after = scene.clone();
        scene.accept(vec![evidence(&scene), scene.reveal(&complaint, SECRET)]);
        assert_eq!(
            scene.ending(),
            Some((Status::Aborted, Cause::BadPayload, Some(0)))
        );
        assert_eq!(scene.body().culprits.len(), 1);
        assert_eq!(scene.body().culprits[0].offence, Offence::Equivocation);
        let results = after.block(vec![after.reveal(&complaint, SECRET), evidence(&after)]);
        assert_eq!(results, [Ok(0), Err(Refusal::AlreadyFlagged(0))]);
    }
}

#[test]
fn what_disputes_were_about_stays_in_the_leaf_after_erasure() {
    for kem in each_kem() {
        let (mut scene, complaint) = disputed(kem, 1, true);
        let reveal = scene.reveal(&complaint, SECRET);
        scene.accept(vec![reveal.clone()]);
        let before = scene.get().leaf.clone();
        scene.block_by(2_500, 0, vec![]);
        assert_eq!(scene.status(), Status::Erased);
        let leaf = &scene.get().leaf;
        assert_eq!(
            (leaf.dispute, leaf.evidence),
            (complaint.digest(), before.evidence)
        );
        for tx in [scene.complain(&complaint), reveal] {
            assert_eq!(scene.refusal(tx), Some(Refusal::Erased));
        }
    }
}
