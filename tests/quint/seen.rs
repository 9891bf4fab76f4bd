//! The real board, as the specification sees it: everything that both have.

use std::collections::BTreeMap;

use white_city_state_machine::{Body, Session, Slot};
use white_city_tests::board::Board;
use white_city_wire::{
    Bitmap, Hash,
    board::{Cause, Offence, Status, Terminal},
};

use crate::value::{Value, bare, case, int, map, record, set};

/// Values that hashes stand for: openings by the session's id, contents of slots, leavers' words, complaints and reveals by their
/// digests, and outcomes.
#[derive(Debug, Clone, Default)]
pub struct Meanings(BTreeMap<Hash, Value>);

impl Meanings {
    /// Notes what a hash stands for.
    pub fn learn(&mut self, hash: Hash, value: Value) {
        self.0.insert(hash, value);
    }

    /// The value that a hash stands for, if that is known.
    pub fn get(&self, hash: Hash) -> Option<Value> {
        self.0.get(&hash).cloned()
    }

    /// The value that a hash stands for; unknown ones are said to be that, and are equal to nothing.
    pub fn of(&self, hash: Hash) -> Value {
        self.get(hash)
            .unwrap_or_else(|| Value::Text(format!("unknown {hash}")))
    }
}

/// The state after a block.
pub fn seen(board: &Board, meanings: &Meanings) -> Value {
    let sessions = board.state.sessions().iter();
    let sessions = sessions.map(|s| (int(s.number), session(s, meanings)));
    record([
        ("height", int(board.height)),
        ("timeMs", int(board.time.millis())),
        ("pausedMs", int(board.state.paused_ms())),
        ("sessions", Value::Map(sessions.collect())),
    ])
}

/// The same part of the specification's board.
pub fn same_part(board: &Value) -> Value {
    record(
        ["height", "timeMs", "pausedMs", "sessions"].map(|name| (name, board.field(name).clone())),
    )
}

fn session(session: &Session, meanings: &Meanings) -> Value {
    let leaf = &session.leaf;
    let callers = Bitmap::from_bytes(256, &leaf.callers).unwrap();
    let body = session.body.as_ref();
    let of_body = |part: fn(&Body, &Meanings) -> Value, erased: Value| {
        body.map_or(erased, |body| part(body, meanings))
    };
    let terminal = session.terminal.as_ref();
    record([
        ("opening", meanings.of(Hash(session.id().0))),
        ("status", bare(status(leaf.status))),
        ("openRound", int(leaf.open_round)),
        (
            "members",
            of_body(|body, _| set(body.members.iter()), set([])),
        ),
        (
            "slots",
            of_body(|body, meanings| slots(&body.slots, meanings), map([])),
        ),
        ("closed", of_body(closed, Value::List(Vec::new()))),
        ("deadlineMs", int(leaf.deadline_ms)),
        ("callBlocks", int(leaf.call_blocks)),
        ("callers", set(callers.iter())),
        ("left", of_body(left, Value::List(Vec::new()))),
        ("culprits", of_body(culprits, map([]))),
        ("dispute", of_body(dispute, bare("NoDispute"))),
        (
            "terminal",
            terminal.map_or(bare("Live"), |record| ending(record, meanings)),
        ),
    ])
}

fn slots(slots: &[Slot], meanings: &Meanings) -> Value {
    let contents = slots.iter().map(|slot| {
        let digest = slot.digest();
        digest.map_or(bare("Vacant"), |digest| meanings.of(digest))
    });
    map((0_u16..).zip(contents))
}

fn closed(body: &Body, meanings: &Meanings) -> Value {
    history(body, body.closed.len(), meanings)
}

/// The closed rounds below this one.
pub fn history(body: &Body, round: usize, meanings: &Meanings) -> Value {
    let rounds = body.closed.iter().take(round);
    Value::List(rounds.map(|round| slots(&round.slots, meanings)).collect())
}

fn left(body: &Body, meanings: &Meanings) -> Value {
    let leavers = body
        .left
        .iter()
        .map(|(index, digest)| record([("index", int(*index)), ("leave", meanings.of(*digest))]));
    Value::List(leavers.collect())
}

fn culprits(body: &Body, _: &Meanings) -> Value {
    map(body.culprits.iter().map(|culprit| {
        let offence = match culprit.offence {
            Offence::Equivocation => "Equivocation",
            Offence::BadPayload => "SentBadPayload",
            Offence::FalseComplaint => "ComplainedFalsely",
        };
        let round = int(culprit.round);
        (
            culprit.index,
            record([("offence", bare(offence)), ("round", round)]),
        )
    }))
}

fn dispute(body: &Body, meanings: &Meanings) -> Value {
    let Some(dispute) = &body.dispute else {
        return bare("NoDispute");
    };
    match dispute.revealed {
        Some(revealed) => case("Revealed", meanings.of(revealed.digest)),
        None => case("Complained", meanings.of(dispute.complain.digest())),
    }
}

fn ending(record_: &Terminal, meanings: &Meanings) -> Value {
    let outcome = match record_.outcome {
        Hash::ZERO => int(-1),
        outcome => meanings.of(outcome),
    };
    let by = record_.by().map_or(int(-1), int);
    case(
        "Ended",
        record([
            ("status", bare(status(record_.status))),
            ("cause", bare(cause(record_.cause))),
            ("height", int(record_.height)),
            ("boardMs", int(record_.board_ms)),
            ("by", by),
            ("outcome", outcome),
            ("members", set(record_.members.iter())),
            ("filled", set(record_.filled.iter())),
        ]),
    )
}

const fn status(status: Status) -> &'static str {
    match status {
        Status::Joining => "Joining",
        Status::Running => "Running",
        Status::Dispute => "InDispute",
        Status::Finished => "Finished",
        Status::Aborted => "Aborted",
        Status::Erased => "Erased",
    }
}

const fn cause(cause: Cause) -> &'static str {
    match cause {
        Cause::None => "NoCause",
        Cause::TooFew => "TooFew",
        Cause::Disagreement => "Disagreement",
        Cause::Left => "Left",
        Cause::OutOfRounds => "OutOfRounds",
        Cause::BadPayload => "BadPayload",
        Cause::FalseComplaint => "FalseComplaint",
        Cause::NoReveal => "NoReveal",
    }
}
