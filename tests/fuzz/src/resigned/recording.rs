//! Recordings of what parties and operators do, as inputs.

use std::sync::Arc;

use white_city_tests::{
    charters::{approve, next, signed, word},
    network::replica,
    party::Party,
    scene::Scene,
};
use white_city_wire::{Charter, SignedTx, Spec, approve::Word, tx::Action};

use super::{END, OPERATORS, STEPS_MS, VALIDATORS, VOTED, its_network};

/// A recording of what a scene's parties do.
struct Recording {
    scene: Scene,
    input: Vec<u8>,
}

impl Recording {
    fn new(n: u16, quorum: u16) -> Self {
        let network = its_network();
        let scene = Scene::open_with(Arc::clone(&network), n, quorum, |_| {});
        let mut recording = Self {
            input: Vec::new(),
            scene,
        };
        let body = recording.scene.body();
        let open = white_city_wire::tx::Open {
            spec: Spec::clone(&body.spec),
            opener: *Party::new(1_000).key(),
            nonce: [1; 32],
            open_by_ms: network.genesis_time.millis() + 1_000,
            stamp: 0,
        };
        let open = Party::new(1_000).tx(Action::Open(open), &network.id);
        recording.note(&open.encode());
        recording.end(0);
        recording
    }

    fn note(&mut self, tx: &[u8]) {
        let length = u16::try_from(tx.len()).expect("a small transaction");
        self.input.extend_from_slice(&length.to_be_bytes());
        self.input.extend_from_slice(tx);
    }

    fn end(&mut self, step: u16) {
        self.input.extend_from_slice(&(END | step).to_be_bytes());
    }

    /// A block in which parties do this.
    fn block(&mut self, step: u16, does: impl FnOnce(&Scene) -> Vec<white_city_wire::VerifiedTx>) {
        let txs = does(&self.scene);
        for tx in &txs {
            let tx = SignedTx::new(tx.action().clone(), *tx.signature());
            self.note(&tx.expect("a transaction that was encoded").encode());
        }
        self.end(step);
        let step_ms = STEPS_MS[usize::from(step & 3)];
        self.scene.block_by(step_ms, 0, txs);
    }

    fn joined(n: u16, quorum: u16) -> Self {
        let mut recording = Self::new(n, quorum);
        recording.block(0, |scene| (0..n).map(|i| scene.join(i)).collect());
        recording
    }
}

/// Puts a validator that hasn't been there into the place of one of the genesis.
fn another_validator(charter: &mut Charter) {
    let is_there = |number: u8| {
        let mut replicas = charter.replicas.iter();
        replicas.position(|known| known.validator == replica(number).validator)
    };
    let place = (0..VALIDATORS).find_map(is_there).unwrap_or(0);
    let spare = (VALIDATORS..OPERATORS).find(|number| is_there(*number).is_none());
    charter.replicas[place].validator = replica(spare.unwrap_or(0)).validator;
}

/// Charters that are enacted, with other openers, another operator, and validators that are seen to vote; and one that is withdrawn.
fn charter_seeds() -> Vec<Recording> {
    let all = |scene: &Scene, change: fn(&mut Charter)| {
        let charter = next(&scene.board, change);
        let operators = 0..scene.board.state.charter().size();
        operators
            .map(|position| approve(&scene.board, position, &charter))
            .collect()
    };
    let mut rules = Recording::new(2, 2);
    rules.block(0, |scene| {
        all(scene, |charter| charter.anyone_may_open = false)
    });
    rules.block(0, |scene| all(scene, |charter| charter.protocol += 1));
    let mut operators = Recording::joined(3, 2);
    operators.block(1, |scene| vec![scene.post(0), scene.post(1)]);
    operators.block(1, |scene| {
        all(scene, |charter| {
            charter.replicas[0].operator = replica(5).operator
        })
    });
    operators.block(1, |scene| vec![scene.post(2)]);
    let mut validators = Recording::joined(3, 2);
    for _ in 0..2 {
        validators.block(0, |scene| all(scene, another_validator));
        validators.block(VOTED, |_| Vec::new());
    }
    let mut withdrawn = Recording::new(2, 2);
    withdrawn.block(0, |scene| {
        let charter = next(&scene.board, |charter| charter.anyone_max_live += 1);
        vec![approve(&scene.board, 1, &charter)]
    });
    withdrawn.block(0, |scene| {
        let withdrawal = word(&scene.board, 1, Word::Withdraw);
        vec![signed(&scene.board, 1, withdrawal)]
    });
    vec![rules, operators, validators, withdrawn]
}

/// Sessions that finish, that nobody comes to, that somebody leaves, and in which somebody is accused or complains.
pub fn seeds() -> Vec<Vec<u8>> {
    let mut finished = Recording::joined(3, 2);
    finished.block(0, |scene| (0..3).map(|i| scene.post(i)).collect());
    finished.block(0, |scene| (0..2).map(|i| scene.finish(i, 7)).collect());
    for _ in 0..8 {
        finished.block(1, |_| Vec::new());
    }
    let mut late = Recording::joined(3, 2);
    late.block(1, |scene| vec![scene.post(0)]);
    for _ in 0..5 {
        late.block(1, |_| Vec::new());
    }
    let mut declined = Recording::new(2, 2);
    declined.block(0, |scene| vec![scene.join(0), scene.decline(1)]);
    let mut left = Recording::joined(3, 3);
    left.block(0, |scene| vec![scene.post(0), scene.abort(2)]);
    left.block(3, |scene| {
        let pair = [scene.header(1, 1, 1), scene.header(1, 1, 2)];
        vec![scene.evidence(1, pair)]
    });
    let mut recordings = vec![finished, late, declined, left];
    for plaintext in [&b"what was sealed"[..], b"something else"] {
        let mut disputed = Recording::joined(3, 2);
        let sealed = disputed.scene.seal(0, 1, b"what was sealed");
        let post = disputed.scene.post_of(0, vec![1], vec![(1, sealed)]);
        disputed.block(0, |scene| vec![post.clone(), scene.post(1), scene.post(2)]);
        let complaint = disputed.scene.complaint(1, &post);
        disputed.block(0, |scene| vec![scene.complain(&complaint)]);
        disputed.block(0, |scene| vec![scene.reveal(&complaint, plaintext)]);
        recordings.push(disputed);
    }
    recordings.extend(charter_seeds());
    recordings
        .into_iter()
        .map(|recording| recording.input)
        .collect()
}
