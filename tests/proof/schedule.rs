//! Random schedules: one session, from its opening to some blocks after its end, whatever its parties do.

use std::collections::BTreeMap;

use white_city_tests::{
    network::{network, rules},
    rng::Rng,
    scene::Scene,
};
use white_city_wire::{
    FinishHeader, Hash, VerifiedTx,
    board::Status,
    hash::sha256,
    tx::{Action, Post},
};

use crate::{
    compared::{OUTCOMES, compare, kind},
    model::Model,
};

/// Most blocks of a schedule.
const BLOCKS: usize = 60;
/// Blocks after the end.
const BLOCKS_AFTER: usize = 3;

/// Events so far.
#[derive(Debug, Default)]
pub struct Tally {
    /// Blocks that were compared.
    pub blocks: u64,
    /// Transactions by kind: taken, and refused.
    pub transactions: BTreeMap<&'static str, [u64; 2]>,
    /// Endings by status and cause.
    pub endings: BTreeMap<String, u64>,
    /// Rounds that closed.
    pub rounds: u64,
    /// Members that a closing round left out.
    pub lost: u64,
    /// Blocks in last call.
    pub calls: u64,
    /// Times that the board was down.
    pub outages: u64,
    /// Hashes of the model that were paired with real ones.
    pub hashes: usize,
}

/// Habits of the parties of one schedule, in percent.
struct Mood {
    /// A block in which all members write what they should.
    together: u64,
    /// They finish instead of posting.
    finish: u64,
    /// A party leaves instead of writing.
    leave: u64,
}

/// A transaction, for both.
struct Tx {
    kind: &'static str,
    line: String,
    real: VerifiedTx,
}

/// A small session, on a board of so many replicas.
fn opened(rng: &mut Rng, validators: u8) -> Scene {
    let n = small(rng.between(2, 5));
    let quorum = small(rng.between(u64::from(n / 2) + 1, n.into()));
    let corrupt = small(rng.below(n.into()));
    let rounds = u32::from(small(rng.between(1, 4)));
    let net = network(validators, rules(&[]));
    // With the shorter one, the time until which the session could be opened is what keeps it.
    let retention_ms = *rng.pick(&[100_000, 1]).unwrap();
    Scene::open_with(net, n, quorum, |spec| {
        spec.corrupt = corrupt;
        spec.max_rounds = rounds;
        spec.retention_ms = retention_ms;
    })
}

/// Plays one schedule to both. What differs is an error.
pub fn play(seed: u64, model: &mut Model, tally: &mut Tally) -> Result<(), String> {
    let mut rng = Rng::new(seed);
    let mood = Mood {
        together: *rng.pick(&[0, 30, 80]).unwrap(),
        finish: *rng.pick(&[0, 20, 60]).unwrap(),
        leave: *rng.pick(&[0, 2, 15]).unwrap(),
    };
    let validators = *rng.pick(&[1, 4, 7]).unwrap();
    let mut scene = opened(&mut rng, validators);
    let (spec, open_by_ms) = (scene.body().spec.clone(), scene.body().open_by_ms);
    let (n, quorum, corrupt, rounds) = (spec.parties(), spec.quorum, spec.corrupt, spec.max_rounds);
    let said = model.ask(&[format!(
        "open {n} {quorum} {corrupt} {rounds} {} {} {} {open_by_ms} {validators} 0",
        spec.join_ms, spec.round_ms, spec.retention_ms
    )]);
    compare(&scene, model, &said, "").map_err(|what| format!("opened: {what}"))?;
    let mut after = 0;
    // Hashes that an entry may name wrongly.
    let mut hashes = vec![Hash::ZERO, scene.get().leaf.transcript];
    for number in 0..BLOCKS {
        let (round, members) = (scene.round(), scene.members().len());
        let txs = transactions(&scene, model, &mut rng, &mood, &hashes);
        let mut lines: Vec<String> = txs.iter().map(|tx| tx.line.clone()).collect();
        let real = txs.iter().map(|tx| tx.real.clone()).collect();
        let step_ms = step_ms(&scene, &mut rng);
        let proposer = usize::try_from(rng.between(0, validators.into())).unwrap();
        let results = scene.block_by(step_ms, proposer, real);
        if scene.status() == Status::Erased {
            // The model knows no erasure.
            return Ok(());
        }
        let proposer = match i64::try_from(proposer).unwrap() {
            known if known < validators.into() => known,
            _ => -1,
        };
        let board_ms = scene.board.time.millis() - scene.board.state.paused_ms();
        let height = scene.board.height;
        lines.insert(0, format!("block {height} {board_ms} {proposer}"));
        lines.push("end".into());
        let said = model.ask(&lines);
        let taken = results
            .iter()
            .map(|result| if result.is_ok() { '1' } else { '0' });
        compare(&scene, model, &said, &taken.collect::<String>())
            .map_err(|what| format!("block {number}, {lines:?}: {what}"))?;

        hashes.extend([scene.get().leaf.transcript, scene.get().leaf.slots_root]);
        tally.blocks += 1;
        tally.outages += u64::from(step_ms > 3_000);
        tally.calls += u64::from(scene.get().leaf.call_blocks > 0);
        for (tx, result) in txs.iter().zip(&results) {
            tally.transactions.entry(tx.kind).or_default()[usize::from(result.is_err())] += 1;
        }
        if scene.round() > round {
            tally.rounds += 1;
            tally.lost += u64::try_from(members - scene.members().len()).unwrap();
        }
        if let Some(ending) = &scene.get().terminal {
            if after == 0 {
                *tally.endings.entry(kind(ending)).or_default() += 1;
            }
            after += 1;
            if after > BLOCKS_AFTER {
                return Ok(());
            }
        }
    }
    Ok(())
}

fn small(number: u64) -> u16 {
    u16::try_from(number).unwrap()
}

/// Time until the next block: often at the deadline, a millisecond before it or after it, sometimes after an outage.
fn step_ms(scene: &Scene, rng: &mut Rng) -> u64 {
    let board_ms = scene.board.time.millis() - scene.board.state.paused_ms();
    let left = scene.get().leaf.deadline_ms.saturating_sub(board_ms);
    match rng.below(100) {
        0..8 => 3_001 + rng.below(2_000),
        8..24 if (2..3_000).contains(&left) => left + rng.below(3) - 1,
        24..50 => rng.between(1, 600),
        _ => 100,
    }
}

fn transactions(
    scene: &Scene,
    model: &Model,
    rng: &mut Rng,
    mood: &Mood,
    hashes: &[Hash],
) -> Vec<Tx> {
    let maker = Maker { scene, model };
    let mut txs = Vec::new();
    if rng.chance(mood.together) {
        let outcome = rng.chance(mood.finish).then_some(OUTCOMES[0]);
        for i in scene.members() {
            // Somebody is late.
            if !rng.chance(10) {
                txs.push(maker.proper(i, outcome, 0));
            }
        }
    }
    for _ in 0..rng.below(4) {
        txs.push(maker.any(rng, mood, hashes));
    }
    rng.shuffle(&mut txs);
    txs
}

/// Makes transactions for the session as it is.
struct Maker<'a> {
    scene: &'a Scene,
    model: &'a Model,
}

impl Maker<'_> {
    /// Entry that a party should write now.
    fn proper(&self, i: u16, outcome: Option<u8>, variant: u8) -> Tx {
        let (round, transcript) = (self.scene.round(), self.scene.get().leaf.transcript);
        match outcome {
            _ if self.scene.status() == Status::Joining => self.join(i, variant),
            Some(outcome) => self.finish("finish", i, (round.max(1), transcript), outcome),
            None => self.post("post", i, (round.max(1), transcript), variant),
        }
    }

    /// Whatever a party may think of.
    fn any(&self, rng: &mut Rng, mood: &Mood, hashes: &[Hash]) -> Tx {
        let i = small(rng.below(self.scene.n().into()));
        let variant = u8::from(rng.chance(30));
        let outcome = *rng.pick(&OUTCOMES).unwrap();
        if rng.chance(mood.leave) {
            let decline = self.scene.status() == Status::Joining && rng.chance(50);
            return self.leave(i, decline || rng.chance(10));
        }
        let round = self.scene.round();
        let other_round = u32::from(small(rng.between(1, u64::from(round) + 2)));
        let transcript = self.scene.get().leaf.transcript;
        let other = *rng.pick(hashes).unwrap();
        match rng.below(100) {
            0..45 => self.proper(i, rng.chance(mood.finish).then_some(outcome), variant),
            45..65 => self.finish("finish", i, (round.max(1), transcript), outcome),
            65..75 if other != transcript => {
                self.post("post after another", i, (round.max(1), other), variant)
            }
            75..85 if other_round != round => self.post(
                "post in another round",
                i,
                (other_round, transcript),
                variant,
            ),
            85..90 if other_round != round => {
                let place = (other_round, transcript);
                self.finish("finish in another round", i, place, outcome)
            }
            _ => self.join(i, variant),
        }
    }

    fn join(&self, i: u16, variant: u8) -> Tx {
        Tx {
            kind: "join",
            line: format!("join {i} {variant}"),
            real: self.scene.join_with(i, variant),
        }
    }

    fn post(
        &self,
        kind: &'static str,
        i: u16,
        (round, transcript): (u32, Hash),
        content: u8,
    ) -> Tx {
        let place = (i, self.scene.n());
        let broadcast = vec![content; 4];
        let post = Post::new(
            self.scene.session,
            round,
            place,
            transcript,
            broadcast,
            vec![],
        );
        let number = self.model.number(&transcript);
        Tx {
            kind,
            line: format!("post {round} {i} {number} {content}"),
            real: self.scene.by(i, Action::Post(post)),
        }
    }

    fn finish(
        &self,
        kind: &'static str,
        index: u16,
        (round, transcript): (u32, Hash),
        outcome: u8,
    ) -> Tx {
        let header = FinishHeader {
            session: self.scene.session,
            round,
            index,
            transcript,
            outcome: sha256(&[outcome]),
        };
        let number = self.model.number(&transcript);
        Tx {
            kind,
            line: format!("finish {round} {index} {number} {outcome}"),
            real: self.scene.by(index, Action::Finish(header)),
        }
    }

    fn leave(&self, i: u16, declines: bool) -> Tx {
        if declines {
            return Tx {
                kind: "decline",
                line: format!("decline {i} 5"),
                real: self.scene.decline(i),
            };
        }
        Tx {
            kind: "abort",
            line: format!("abort {i} 9"),
            real: self.scene.abort(i),
        }
    }
}
