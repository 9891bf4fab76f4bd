//! Bytes that the state commits to: leaves, records, the root, the seal.

use white_city_wire::{
    Bitmap, Hash,
    approve::{Proposal, proposals_hash},
    board::{
        BoardRoot, Cause, Culprit, Offence, OpenerLeaf, SessionLeaf, Status, Terminal,
        evidence_hash, left_hash,
    },
    limits::NOBODY,
    seal::{BlockTime, Seal},
};

use crate::case::{Case, Fields, hexed};

fn bits(size: u16, members: Vec<u16>) -> Bitmap {
    members.into_iter().fold(Bitmap::empty(size), Bitmap::with)
}

/// A set of validators, in 32 bytes.
fn validators(members: Vec<u16>) -> [u8; 32] {
    bits(256, members).as_bytes().try_into().unwrap()
}

pub fn bitmap(case: &Case) {
    let input = case.input();
    let (size, members) = (input.number("n"), input.numbers("members"));
    let set = bits(size, members.clone());
    assert_eq!(set.iter().collect::<Vec<_>>(), members);
    assert_eq!(Bitmap::from_bytes(size, set.as_bytes()), Some(set.clone()));
    case.expect([("bytes", hexed(set.as_bytes()))]);
}

pub fn terminal(case: &Case) {
    let input = case.input();
    let n = input.number("n");
    let record = Terminal {
        status: Status::from_number(input.number("status")).unwrap(),
        cause: Cause::from_number(input.number("cause")).unwrap(),
        height: input.number("height"),
        board_ms: input.number("board_ms"),
        by: input.number_or("by", NOBODY),
        outcome: input.hash("outcome"),
        members: bits(n, input.numbers("members")),
        filled: bits(n, input.numbers("filled")),
    };
    case.expect([("terminal_hash", hexed(record.hash().0))]);
}

pub fn blame(case: &Case) {
    let input = case.input();
    if input.0.get("left").is_some() {
        let left: Vec<(u16, Hash)> = input
            .list("left")
            .map(|leaver| (leaver.number("index"), leaver.hash("digest")))
            .collect();
        return case.expect([("left_hash", hexed(left_hash(&left).0))]);
    }
    if input.0.get("proposals").is_some() {
        let proposals: Vec<Proposal> = input
            .list("proposals")
            .map(|word| Proposal {
                operator: word.number("operator"),
                sequence: word.number("sequence"),
                board_ms: word.number("board_ms"),
                charter_hash: word.hash("charter_hash"),
            })
            .collect();
        let hash = proposals_hash(&proposals);
        return case.expect([("proposals_hash", hexed(hash.0))]);
    }
    let culprits: Vec<Culprit> = input
        .list("evidence")
        .map(|culprit| Culprit {
            index: culprit.number("index"),
            offence: Offence::from_number(culprit.number("kind")).unwrap(),
            round: culprit.number("round"),
            a: culprit.hash("a"),
            b: culprit.hash("b"),
        })
        .collect();
    case.expect([("evidence_hash", hexed(evidence_hash(&culprits).0))]);
}

pub fn leaf(case: &Case) {
    let input = case.input();
    let leaf = match input.text("kind") {
        "session" => session_leaf(input).hash(),
        "opener" => OpenerLeaf {
            key: input.key("key"),
            listed: input.get("listed").as_bool().unwrap(),
            max_live: input.number("max_live"),
            max_bytes: input.number("max_bytes"),
            live: input.number("live"),
            live_bytes: input.number("live_bytes"),
        }
        .hash(),
        other => panic!("unknown kind {other}"),
    };
    case.expect([("leaf", hexed(leaf.0))]);
}

fn session_leaf(input: Fields<'_>) -> SessionLeaf {
    SessionLeaf {
        session: input.session(),
        status: Status::from_number(input.number("status")).unwrap(),
        open_round: input.number("open_round"),
        protocol: input.number("protocol"),
        opener: input.number("opener"),
        reserved_bytes: input.number("reserved_bytes"),
        members: bits(input.number("n"), input.numbers("members")),
        transcript: input.hash("transcript"),
        slots_root: input.hash("slots_root"),
        deadline_ms: input.number("deadline_ms"),
        call_blocks: input.number("call_blocks"),
        callers: validators(input.numbers("callers")),
        dispute: input.hash("dispute_hash"),
        terminal: input.hash("terminal_hash"),
        evidence: input.hash("evidence_hash"),
        left: input.hash("left_hash"),
    }
}

pub fn root(case: &Case) {
    let input = case.input();
    let root = BoardRoot {
        network: input.network(),
        protocol: input.number("protocol"),
        params_hash: input.hash("params_hash"),
        term: input.number("term"),
        charter_hash: input.hash("charter_hash"),
        term_height: input.number("term_height"),
        eras: input.number("eras"),
        era_height: input.number("era_height"),
        proven: validators(input.numbers("proven")),
        proposals_hash: input.hash("proposals_hash"),
        sessions: input.number("n_sessions"),
        sessions_root: input.hash("sessions_root"),
        openers: input.number("n_openers"),
        openers_root: input.hash("openers_root"),
        paused_ms: input.number("paused_ms"),
    };
    case.expect([("root", hexed(root.hash().0))]);
}

pub fn seal(case: &Case) {
    let input = case.input();
    let seal = Seal {
        root: input.hash("root"),
        parent_hash: input.hash("parent_block_hash"),
        parent_time: BlockTime {
            seconds: input.signed("parent_time_s"),
            nanos: input.number("parent_time_ns"),
        },
    };
    let bytes = seal.encode();
    assert_eq!(Seal::decode(&bytes), Some(seal));
    assert_eq!(Seal::decode(&bytes[..83]), None);
    assert!(Seal::is_seal(&bytes));
    case.expect([
        ("seal", hexed(bytes)),
        ("data_leaf", hexed(seal.data_leaf().0)),
    ]);
}
