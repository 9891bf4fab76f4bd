//! Differences that the comparisons have to notice.

use std::collections::BTreeSet;

use white_city_tests::{
    board::{Board, Executed},
    simulator::Observed,
    tamper::{Planted, planted},
};

use crate::{
    seen::{Meanings, seen},
    value::Value,
};

/// Properties whose planted bugs change what the specification has. The others
/// are about hashes, quotas, shares, other replicas, and what becomes of one transaction.
const VISIBLE: [&str; 10] = [
    "authorship",
    "clock",
    "closing",
    "culprits",
    "disputes",
    "last_call",
    "leavers",
    "members",
    "slots",
    "terminal",
];

/// Bugs of the state machine, planted in the blocks of replayed traces.
pub struct Bugs {
    bugs: Vec<Planted>,
    /// Those that were planted somewhere, and those that were noticed there.
    planted: BTreeSet<&'static str>,
    pub noticed: BTreeSet<&'static str>,
}

impl Bugs {
    pub fn new() -> Self {
        Self {
            bugs: planted(),
            planted: BTreeSet::new(),
            noticed: BTreeSet::new(),
        }
    }

    /// Plants every bug that hasn't been noticed yet in a block, where it can be.
    pub fn look(&mut self, executed: &Executed, expected: &Value, meanings: &Meanings) {
        let honest = Observed::only(executed);
        for bug in &self.bugs {
            if self.noticed.contains(bug.bug) {
                continue;
            }
            let Some(changed) = (bug.tamper)(&honest) else {
                continue;
            };
            self.planted.insert(bug.bug);
            let board = Board {
                state: changed.executed.after,
                height: executed.context.height,
                time: executed.context.time,
            };
            if expected.difference(&seen(&board, meanings)).is_some() {
                self.noticed.insert(bug.bug);
            }
        }
    }

    /// Bugs that the comparison should have noticed and hasn't.
    pub fn missed(&self) -> Vec<&'static str> {
        let visible = self
            .bugs
            .iter()
            .filter(|bug| VISIBLE.contains(&bug.invariant));
        let missed = visible
            .map(|bug| bug.bug)
            .filter(|bug| self.planted.contains(bug) && !self.noticed.contains(bug));
        missed.collect()
    }
}

/// A difference of the specification: its name, what it replaces, and by what.
pub type Difference = (&'static str, &'static str, &'static str);

/// Differences of the specification. Each is there once in `docs/spec/session.qnt`.
pub const DIFFERENCES: [Difference; 2] = [
    (
        "last call begins at the deadline",
        "s.deadlineMs != 0 and s.deadlineMs < boardMs(at)",
        "s.deadlineMs != 0 and s.deadlineMs <= boardMs(at)",
    ),
    (
        "a block with an entry counts for its proposer",
        "o.work.get(k) == 0,",
        "",
    ),
];

/// Differences that break an invariant of parties.qnt: which of them, what is replaced, and by what. The first [`QUICK`] break soonest.
pub const BROKEN: [Difference; 7] = [
    (
        "nobodyPunctualIsAbsent",
        "callers.size() > faults(b.network)",
        "callers.size() > 0",
    ),
    ("endsStay", "    else if (not(isLive(s))) s\n", ""),
    (
        "readersFollow",
        "      members: who,\n",
        "      members: s.members,\n",
    ),
    (
        "nobodyHonestIsBlamed",
        "if (r.seals == payload(r.complaint))",
        "if (r.seals != payload(r.complaint))",
    ),
    (
        "noForging",
        "else if (by != e.index) \"BadSignature\"\n    else if (refusesSlot",
        "else if (refusesSlot",
    ),
    (
        "noForging",
        "(e.after == transcript(s), \"Transcript\"),",
        "",
    ),
    ("slotsStay", "else \"SlotTaken\"", "else \"\""),
];
/// Number of them that are tried when no more seeds are asked for.
pub const QUICK: usize = 2;
