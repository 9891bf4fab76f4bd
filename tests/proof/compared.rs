//! Comparison after each block: everything that the model has.

use white_city_state_machine::Slot;
use white_city_tests::scene::Scene;
use white_city_wire::{
    Bitmap, Hash,
    board::{Cause, Status, Terminal, slots_root},
    hash::sha256,
};

use crate::model::{Model, Said};

/// Outcomes that schedules name, as numbers of the model.
pub const OUTCOMES: [u8; 2] = [1, 2];

/// Holds the model's words against the session, and the model's hashes against its hashes.
pub fn compare(scene: &Scene, model: &mut Model, said: &Said, taken: &str) -> Result<(), String> {
    let session = scene.get();
    let (leaf, body) = (&session.leaf, scene.body());
    let callers = Bitmap::from_bytes(256, &leaf.callers).unwrap();
    let validators = scene.board.state.charter().size();
    let callers = (0..validators).map(|i| bit(callers.contains(i)));
    let left: Vec<String> = body.left.iter().map(|(i, _)| i.to_string()).collect();
    let ending = session.terminal.as_ref();
    for (name, value) in [
        ("taken", taken.to_owned()),
        ("phase", phase(leaf.status).to_owned()),
        ("open", leaf.open_round.to_string()),
        ("members", bits(&body.members)),
        ("left", left.join(",")),
        ("deadline", leaf.deadline_ms.to_string()),
        ("blocks", leaf.call_blocks.to_string()),
        ("callers", callers.collect()),
        ("ending", ending.map_or_else(|| "-".to_owned(), words)),
    ] {
        if said[name] != value {
            let found = &said[name];
            return Err(format!(
                "{name}: {found} in the model, {value} on the board"
            ));
        }
    }
    let digests = body
        .slots
        .iter()
        .map(|slot| slot.digest().unwrap_or(Hash::ZERO));
    pair_all(model, "slots", &said["slots"], digests.collect())?;
    let closed = body
        .closed
        .iter()
        .map(|round| slots_root(round.slots.iter().map(Slot::digest)));
    pair_all(model, "closed", &said["closed"], closed.collect())?;
    for (name, hash) in [
        ("session", Hash(session.id().0)),
        ("transcript", leaf.transcript),
        ("root", leaf.slots_root),
        ("leaf", leaf.hash()),
    ] {
        model.pair(name, &said[name], hash)?;
    }
    Ok(())
}

fn pair_all(model: &mut Model, what: &str, said: &str, hashes: Vec<Hash>) -> Result<(), String> {
    let numbers: Vec<&str> = said.split(',').filter(|word| !word.is_empty()).collect();
    if numbers.len() != hashes.len() {
        let (model, board) = (numbers.len(), hashes.len());
        return Err(format!(
            "{what}: {model} in the model, {board} on the board"
        ));
    }
    for (number, hash) in numbers.into_iter().zip(hashes) {
        model.pair(what, number, hash)?;
    }
    Ok(())
}

const fn bit(set: bool) -> char {
    if set { '1' } else { '0' }
}

fn bits(bitmap: &Bitmap) -> String {
    (0..bitmap.size())
        .map(|i| bit(bitmap.contains(i)))
        .collect()
}

/// The model's name of a status.
pub const fn phase(status: Status) -> &'static str {
    match status {
        Status::Joining => "joining",
        Status::Running => "running",
        Status::Finished => "finished",
        Status::Aborted => "aborted",
        Status::Dispute | Status::Erased => "not in the model",
    }
}

const fn cause(cause: Cause) -> &'static str {
    match cause {
        Cause::None => "none",
        Cause::TooFew => "too-few",
        Cause::Disagreement => "disagreement",
        Cause::Left => "left",
        Cause::OutOfRounds => "out-of-rounds",
        Cause::BadPayload | Cause::FalseComplaint | Cause::NoReveal => "not in the model",
    }
}

/// Status and cause of an ending, in the model's words.
pub fn kind(ending: &Terminal) -> String {
    format!("{}/{}", phase(ending.status), cause(ending.cause))
}

fn words(ending: &Terminal) -> String {
    let by = ending.by().map_or("-".to_owned(), |by| by.to_string());
    let outcome = OUTCOMES
        .iter()
        .find(|outcome| sha256(&[**outcome]) == ending.outcome);
    let outcome = match outcome {
        Some(outcome) => outcome.to_string(),
        None if ending.outcome == Hash::ZERO => "-".to_owned(),
        None => "unknown".to_owned(),
    };
    format!(
        "{}/{}/{}/{by}/{outcome}/{}/{}",
        kind(ending),
        ending.height,
        ending.board_ms,
        bits(&ending.members),
        bits(&ending.filled)
    )
}
