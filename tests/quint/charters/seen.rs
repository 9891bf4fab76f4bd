//! The real board's rules, as the specification sees them.

use std::collections::BTreeMap;

use white_city_tests::board::Board;
use white_city_wire::{Bitmap, Hash};

use crate::value::{Value, bare, case, int, record};

/// Values that charters' hashes and keys stand for.
#[derive(Debug, Clone, Default)]
pub struct Meanings {
    /// Charters by their hashes.
    pub charters: BTreeMap<Hash, Value>,
    /// Numbers of keys.
    pub keys: BTreeMap<Hash, i64>,
}

impl Meanings {
    fn charter(&self, hash: &Hash) -> Value {
        let known = self.charters.get(hash).cloned();
        known.unwrap_or_else(|| Value::Text(format!("unknown {hash}")))
    }

    fn key(&self, key: &Hash) -> Value {
        Value::Int(self.keys.get(key).copied().unwrap_or(i64::MIN))
    }
}

/// The state after a block at this board time.
pub fn seen(board: &Board, board_ms: u64, meanings: &Meanings) -> Value {
    let state = &board.state;
    let (term, replicas) = (state.term(), &state.charter().replicas);
    let validator = |position: u16| meanings.key(&replicas[usize::from(position)].validator);
    let words = state.proposals().iter().map(|word| {
        let operator = &replicas[usize::from(word.operator)].operator;
        let charter = match word.charter_hash {
            Hash::ZERO => bare("Nothing"),
            hash => case("This", meanings.charter(&hash)),
        };
        let standing = record([
            ("sequence", int(word.sequence)),
            ("boardMs", int(word.board_ms)),
            ("charter", charter),
        ]);
        (meanings.key(operator), standing)
    });
    let session = state.sessions().get(0);
    let live = session.filter(|session| session.status().is_live());
    let call = live.map_or((0, [0; 32]), |s| (s.leaf.call_blocks, s.leaf.callers));
    let callers = Bitmap::from_bytes(256, &call.1).unwrap();
    let set = |positions: &Bitmap| Value::Set(positions.iter().map(validator).collect());
    record([
        ("height", int(board.height)),
        ("boardMs", int(board_ms)),
        ("protocol", int(state.board_root().protocol)),
        (
            "term",
            record([
                ("charter", meanings.charter(&term.charter_hash)),
                ("height", int(term.height)),
                ("eras", int(term.eras)),
                ("eraHeight", int(term.era_height)),
                ("proven", set(&term.proven())),
            ]),
        ),
        ("words", Value::Map(words.collect())),
        (
            "call",
            record([
                ("blocks", int(call.0)),
                ("callers", set(&callers)),
                ("isOver", Value::Bool(live.is_none())),
            ]),
        ),
    ])
}

/// The same part of the specification's board.
pub fn same_part(board: &Value) -> Value {
    let names = ["height", "boardMs", "protocol", "term", "words", "call"];
    record(names.map(|name| (name, board.field(name).clone())))
}

/// The part of it that is about charters and words, not about the session in last call.
pub fn rules_of(board: &Value) -> Value {
    let names = ["height", "boardMs", "protocol", "term", "words"];
    record(names.map(|name| (name, board.field(name).clone())))
}
