//! Worlds in which operators change the rules.

use super::NOTHING;
use crate::{
    charters::Draft,
    world::{On, PLAIN, Start, World},
};

/// Four operators, of whom three are enough, between two charters.
pub const FOUR: World = World {
    name: "four operators",
    sessions: 0,
    replicas: 4,
    drafts: &[Draft::Validator, Draft::Quotas],
    terms: 2,
    depth: 8,
    ..PLAIN
};

/// Two operators who need each other, and what is refused: a word at the wrong time, too soon, or without the newcomer's signature.
pub const TWO: World = World {
    name: "two operators",
    sessions: 0,
    replicas: 2,
    drafts: &[Draft::Operator, Draft::Brief],
    on: On {
        flaws: true,
        pace: true,
        ..NOTHING
    },
    depth: 6,
    ..PLAIN
};

/// One charter after the other, by one operator: validators have to be seen to vote before the next ones come.
pub const SUCCESSION: World = World {
    name: "succession",
    sessions: 0,
    drafts: &[Draft::Validator, Draft::Spare],
    on: On {
        flaws: true,
        ..NOTHING
    },
    terms: 4,
    depth: 7,
    ..PLAIN
};

/// Protocol numbers, one after the other, while a session goes on.
pub const NUMBER: World = World {
    name: "next number",
    start: Start::Joined,
    rounds: 1,
    drafts: &[Draft::Number],
    terms: 2,
    txs: 2,
    ..PLAIN
};

/// A charter in the block that ends a session.
pub const ENDING: World = World {
    name: "charter at an end",
    start: Start::Joined,
    rounds: 1,
    on: On {
        leaving: true,
        finishing: true,
        ..NOTHING
    },
    drafts: &[Draft::Quotas],
    txs: 2,
    depth: 4,
    ..PLAIN
};

/// Openers that are listed and not listed any more, with sessions open.
pub const OPENERS: World = World {
    name: "other openers",
    sessions: 2,
    on: On {
        opening: true,
        ..NOTHING
    },
    drafts: &[Draft::Openers, Draft::Closed],
    terms: 2,
    depth: 3,
    ..PLAIN
};

/// Last call across a charter, beside a hostile replica, with parties that are punctual or not.
pub const LAST_CALL: World = World {
    name: "charter in last call",
    n: 2,
    honest: 1,
    rounds: 1,
    replicas: 4,
    start: Start::Approved,
    hostile_replica: true,
    drafts: &[Draft::Validator],
    txs: 2,
    depth: 7,
    ..PLAIN
};
