//! Every refusal that the state machine can give is reached.

use std::collections::BTreeSet;

use white_city_tests::{
    complaints::reveal_of,
    network::{network, rules},
    party::Party,
    scene::{Scene, of_kem, open, open_until, spec},
};
use white_city_wire::{Hash, Kem, hash::sha256, tx::Action};

/// Codes that the state machine answers with. Codes 17 to 20 and 35 are found when bytes are decoded, 103 needs
/// 2^32 sessions, 128 and up belong to replicas and queries.
const REACHABLE: [u32; 35] = [
    16, 32, 33, 34, 48, 50, 51, 52, 53, 54, 55, 64, 65, 66, 67, 68, 80, 81, 82, 83, 84, 96, 97, 98,
    99, 100, 101, 102, 112, 113, 114, 115, 116, 117, 118,
];

fn note(scene: &Scene, txs: Vec<white_city_wire::VerifiedTx>, seen: &mut BTreeSet<u32>) {
    for tx in txs {
        if let Some(refusal) = scene.refusal(tx) {
            assert!(!refusal.to_string().is_empty());
            seen.insert(refusal.code());
        }
    }
}

fn of_openings(seen: &mut BTreeSet<u32>) {
    let scene = Scene::open(2, 2);
    let listed = Party::new(8);
    let mut few = rules(&[(&listed, 0, 0)]);
    few.charter.max_board_bytes = 0;
    let mut none = rules(&[(&listed, 1, 10)]);
    none.charter.anyone_may_open = false;
    for (rules, who) in [(few.clone(), 8), (few, 9), (none.clone(), 8), (none, 9)] {
        let mut scene = scene.clone();
        scene.board = white_city_tests::board::Board::new(network(1, rules));
        let tx = open(
            &scene.board,
            &Party::new(who),
            spec(&scene.parties, 2),
            [4; 32],
        );
        note(&scene, vec![tx], seen);
    }
    let mut over = spec(&scene.parties, 2);
    over.max_rounds = 9;
    let good = spec(&scene.parties, 2);
    let txs = vec![
        open(&scene.board, &listed, over, [4; 32]),
        open_until(&scene.board, &listed, good.clone(), [4; 32], 1),
        open_until(&scene.board, &listed, good, [4; 32], u64::MAX),
    ];
    note(&scene, txs, seen);
}

fn of_kems(seen: &mut BTreeSet<u32>) {
    let joining = Scene::open_with(network(1, rules(&[])), 3, 2, of_kem(Kem::XWing));
    let other_kem = joining.by(
        0,
        Action::Join(white_city_wire::tx::Join {
            session: joining.session,
            index: 0,
            key: joining.parties[0].encryption_key(0),
        }),
    );
    note(&joining, vec![other_kem], seen);
    let scene = joining.joined();
    let small = scene.post_of(0, vec![], vec![(2, vec![0; 49])]);
    note(&scene, vec![small], seen);
}

fn of_entries(seen: &mut BTreeSet<u32>) {
    let joining = Scene::open(3, 2);
    let mut lost = joining.clone();
    lost.session.0[0] ^= 1;
    note(
        &joining,
        vec![joining.abort(0), joining.post_in(0, 1, Hash::ZERO)],
        seen,
    );
    let unknown = joining.by(
        0,
        Action::Join(white_city_wire::tx::Join {
            session: lost.session,
            index: 0,
            key: joining.parties[0].encryption_key(0),
        }),
    );
    note(&joining, vec![unknown], seen);
    let mut scene = joining.joined();
    let first = scene.post(0);
    let t0 = scene.get().leaf.transcript;
    scene.accept(vec![first.clone(), scene.post(1)]);
    for _ in 0..6 {
        scene.block(vec![]);
    }
    let too_large = scene.post_of(0, vec![0; 9_000], vec![]);
    let index = match scene.post(0).action().clone() {
        Action::Post(mut post) => {
            post.header.index = 9;
            scene.by(0, Action::Post(post))
        }
        _ => first.clone(),
    };
    let txs = vec![
        too_large,
        index,
        first,
        scene.post_in(0, 1, t0),
        scene.post_in(2, 1, t0),
        scene.post_in(0, 2, sha256(b"x")),
        scene.post_of(0, vec![0; 2_001], vec![]),
        scene.post_of(0, vec![], vec![(2, vec![0; 49])]),
        scene.post(2),
        scene.decline(0),
        scene.by(1, scene.post(0).action().clone()),
        scene.evidence_as_is(0, [scene.header(0, 1, 0), scene.header(0, 1, 0)]),
    ];
    note(&scene, txs, seen);
    let evidence = scene.evidence(0, [scene.header(0, 1, 0), scene.header(0, 1, 1)]);
    scene.accept(vec![evidence.clone()]);
    note(&scene, vec![evidence], seen);
    let post = scene.post(1);
    scene.accept(vec![scene.abort(1)]);
    note(&scene, vec![post, scene.finish(0, 1)], seen);
    let ended = scene.post(0);
    note(&scene, vec![ended.clone()], seen);
    scene.block_by(2_500, 0, vec![]);
    note(&scene, vec![ended], seen);
}

fn of_disputes(seen: &mut BTreeSet<u32>) {
    let mut scene = Scene::running(3, 2);
    let post = scene.post_of(0, vec![], vec![(1, vec![7; 60])]);
    let complaint = scene.complaint(1, &post);
    let complain = scene.complain(&complaint);
    let reveal = scene.reveal(&complaint, b"plaintext");
    note(&scene, vec![complain.clone(), reveal], seen);
    scene.accept(vec![post, scene.post(1), scene.post(2)]);
    let mut unlike = complaint.clone();
    unlike.post.bcast_len ^= 1;
    note(&scene, vec![scene.complain(&unlike)], seen);
    scene.accept(vec![complain]);
    let mut by_another = reveal_of(&complaint, [1; 32], b"plaintext");
    by_another.index = 2;
    let by_another = scene.by(2, Action::Reveal(by_another));
    let other = scene.reveal(&unlike, b"plaintext");
    note(&scene, vec![scene.post(0), other, by_another], seen);
}

#[test]
fn every_refusal_of_the_state_machine_is_reached() {
    let mut seen = BTreeSet::new();
    of_openings(&mut seen);
    of_entries(&mut seen);
    of_kems(&mut seen);
    of_disputes(&mut seen);
    let tight = |spec: &mut white_city_wire::Spec| spec.max_bytes = 600;
    let scene = Scene::open_with(network(1, rules(&[])), 3, 2, tight).joined();
    note(&scene, vec![scene.finish(0, 1)], &mut seen);
    let mut leaver = Scene::running(4, 3);
    leaver.accept(vec![leaver.abort(3)]);
    note(&leaver, vec![leaver.post(3)], &mut seen);
    assert_eq!(seen, BTreeSet::from(REACHABLE));
}
