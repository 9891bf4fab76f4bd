//! How the rules change: what is simulated of `docs/spec/charter.qnt` is replayed on the state machine, and what operators do on boards is
//! a trace of it.

mod recording;
mod replay;
mod seen;
mod teller;

use std::collections::{BTreeMap, BTreeSet};

pub use recording::{Recording, check};
use replay::replay;
use white_city_tests::{
    simulator::{Observed, World},
    tamper::planted,
};

use crate::{
    defined, number,
    planted::QUICK,
    program::{folder, is_possible, quint, said, specification, traces},
    script::played,
};

/// Traces that are simulated when nothing else is said.
const TRACES: u64 = 50;
/// Steps of each.
const STEPS: u64 = 70;
/// Actions that aren't steps by themselves.
const SHARED: [&str; 4] = ["init", "say", "step", "watches"];
/// Everything that becomes of a word.
const OUTCOMES: [&str; 10] = [
    "AlreadyStored",
    "BadCharter",
    "BadSignature",
    "Charter",
    "NotAnOperator",
    "NothingChanges",
    "Sequence",
    "Taken",
    "Term",
    "TooSoon",
];
/// Planted bugs that are about openers, which the specification doesn't have.
const OUTSIDE: [&str; 2] = [
    "an opener stays listed that the charter doesn't list",
    "an opener's quota stays that of the term before",
];
/// Differences that break an invariant: which one, what is replaced, and by what. The first [`QUICK`] break soonest.
const BROKEN: [(&str, &str, &str); 4] = [
    (
        "moreThanTwoThirdsApproved",
        "votes.size() * 3 > b.term.charter.replicas.size() * 2",
        "votes.size() * 3 >= b.term.charter.replicas.size() * 2",
    ),
    (
        "nobodyIsLateByACharter",
        "call: { ...settled.call, blocks: 0, callers: Set() },",
        "",
    ),
    (
        "mostKeysStay",
        "(keysStay(present, coming), \"Charter\"),",
        "",
    ),
    (
        "mostAreProven",
        "(unproven.size() <= most(faults(coming)), \"Charter\"),",
        "",
    ),
];

/// Seeds of the simulator whose boards are recorded.
const RECORDED: [u64; 6] = [1, 2, 3, 4, 5, 6];
/// Blocks of each.
const BLOCKS: usize = 60;
/// Differences of the specification that recorded boards have to show: the seed of one that does, and after how many blocks at the latest;
/// what is replaced, and by what. Each block takes Quint a good part of a second.
const DIFFERENCES: [(&str, u64, usize, &str, &str); 7] = [
    (
        "everybody has to approve",
        1,
        8,
        "votes.size() * 3 > b.term.charter.replicas.size() * 2",
        "votes.size() >= b.term.charter.replicas.size()",
    ),
    (
        "a withdrawal begins a minute",
        1,
        28,
        "if (w.says == Withdraws) standing(b, w.operator).boardMs else b.boardMs",
        "b.boardMs",
    ),
    (
        "words outlive their term",
        1,
        8,
        "      words: Map(),\n      call: { ...settled.call",
        "      call: { ...settled.call",
    ),
    (
        "nobody is proven by a vote",
        3,
        8,
        "b.term.proven.union(voted.intersect(validators(b.term.charter)))",
        "b.term.proven",
    ),
    (
        "an era isn't counted",
        1,
        8,
        "eras: if (changes) b.term.eras + 1 else b.term.eras",
        "eras: b.term.eras",
    ),
    (
        "a word may skip a number",
        1,
        8,
        "(w.sequence == said.sequence + 1, \"Sequence\")",
        "(w.sequence > said.sequence, \"Sequence\")",
    ),
    (
        "all keys may go at once",
        1,
        12,
        "(keysStay(present, coming), \"Charter\"),",
        "",
    ),
];

/// The specification.
pub fn charter_text() -> String {
    std::fs::read_to_string(module()).unwrap()
}

fn module() -> std::path::PathBuf {
    specification().join("charter.qnt")
}

/// The invariants of charter.qnt.
fn invariants() -> Vec<String> {
    let invariants = defined("charter.qnt", "val");
    assert!(invariants.len() >= 6, "{invariants:?}");
    invariants
}

/// What was planted in replayed blocks, and what of that the comparison noticed.
#[derive(Debug, Default)]
struct Bugs {
    planted: BTreeSet<&'static str>,
    noticed: BTreeSet<&'static str>,
}

#[test]
fn charters_that_are_simulated_keep_every_invariant_and_are_what_the_state_machine_does() {
    if !is_possible() {
        return;
    }
    let folder = folder("charters");
    let traces_to = folder.join("trace_{seq}.itf.json").display().to_string();
    let count = number("WHITE_CITY_SEEDS").unwrap_or(TRACES).to_string();
    let (steps, seed) = (
        STEPS.to_string(),
        number("WHITE_CITY_SEED").unwrap_or(1).to_string(),
    );
    let invariants = invariants();
    let arguments: Vec<&str> = [
        "--main",
        "operators",
        "--out-itf",
        &traces_to,
        "--n-traces",
        &count,
        "--max-samples",
        &count,
        "--max-steps",
        &steps,
        "--seed",
        &seed,
        "--mbt",
        "--verbosity",
        "1",
        "--invariants",
    ]
    .into_iter()
    .chain(invariants.iter().map(String::as_str))
    .collect();
    let output = quint("run", &module(), &arguments);
    assert!(output.status.success(), "{}", said(&output));
    let mut tally = replay::Tally::default();
    let mut bugs = Bugs::default();
    for (number, trace) in traces(&folder).iter().enumerate() {
        let replayed = replay(trace, &mut tally, &mut |executed, differs| {
            let honest = Observed::only(executed);
            for bug in planted().iter().filter(|bug| bug.invariant == "charters") {
                if bugs.noticed.contains(bug.bug) {
                    continue;
                }
                if let Some(changed) = (bug.tamper)(&honest) {
                    bugs.planted.insert(bug.bug);
                    if differs(&changed.executed) {
                        bugs.noticed.insert(bug.bug);
                    }
                }
            }
        });
        if let Err(what) = replayed {
            panic!("trace {number} of seed {seed}: {what}");
        }
    }
    println!("{tally:#?}\n{bugs:#?}");
    let missed = bugs.planted.difference(&bugs.noticed);
    let missed: Vec<_> = missed.filter(|bug| !OUTSIDE.contains(bug)).collect();
    assert!(missed.is_empty(), "{missed:?}");
    if number("WHITE_CITY_SEED").is_none() {
        everything_was_there(&tally, &bugs);
    }
}

/// Nothing of this is worth anything unless all of it happened.
fn everything_was_there(tally: &replay::Tally, bugs: &Bugs) {
    let outcomes: Vec<&str> = tally.outcomes.keys().map(String::as_str).collect();
    assert_eq!(outcomes, OUTCOMES);
    let actions = defined("charter.qnt", "action");
    let chosen = actions.iter().filter(|name| {
        let of_the_machine = ["start", "begin", "send", "end"].contains(&name.as_str());
        !of_the_machine && !SHARED.contains(&name.as_str())
    });
    for action in chosen {
        assert!(
            tally.actions.contains_key(action),
            "{action} was never chosen"
        );
    }
    for (what, count) in [
        ("charters", tally.enacted),
        ("eras", tally.eras),
        ("numbers", tally.numbers),
        ("charters in last call", tally.in_last_call),
        ("two charters in a row", tally.in_a_row),
    ] {
        assert!(count > 2, "{count} {what}");
    }
    assert!(bugs.noticed.len() >= 9, "{bugs:?}");
}

#[test]
fn an_invariant_of_charters_breaks_where_its_rule_is_missing() {
    if !is_possible() {
        return;
    }
    let folder = folder("broken-charters");
    std::fs::write(folder.join("session.qnt"), crate::program::text()).unwrap();
    let text = charter_text();
    let broken = folder.join("charter.qnt");
    let count = number("WHITE_CITY_SEEDS").map_or(QUICK, |_| BROKEN.len());
    for (invariant, from, to) in &BROKEN[..count] {
        assert_eq!(text.matches(*from).count(), 1, "{invariant}: {from}");
        std::fs::write(&broken, text.replace(from, to)).unwrap();
        let arguments = [
            "--main",
            "operators",
            "--max-samples",
            "150",
            "--max-steps",
            "70",
            "--seed",
            "1",
            "--verbosity",
            "1",
            "--invariants",
            invariant,
        ];
        let words = said(&quint("run", &broken, &arguments));
        assert!(
            words.contains("[violation]"),
            "{invariant} holds without its rule: {words}"
        );
    }
}

/// Recordings of the simulator's boards, whose operators have much to say.
fn recorded(seeds: &[u64], blocks: usize) -> Vec<Recording> {
    let worlds = seeds.iter().map(|seed| World::storable(*seed).busy());
    played(worlds, blocks, Recording::new, Recording::block)
}

#[test]
fn what_operators_do_on_a_simulated_board_is_a_trace_of_the_specification() {
    if !is_possible() {
        return;
    }
    let recordings = recorded(&RECORDED, BLOCKS);
    check(&folder("recorded-charters"), &charter_text(), &recordings).unwrap();
    let mut outcomes: BTreeMap<String, usize> = BTreeMap::new();
    let mut enacted = [0; 2];
    for recording in &recordings {
        for (name, count) in recording.outcomes() {
            *outcomes.entry(name).or_default() += count;
        }
        for (sum, count) in enacted.iter_mut().zip(recording.enacted) {
            *sum += count;
        }
    }
    println!("{outcomes:#?} {enacted:?}");
    assert!(outcomes.len() >= 8, "{outcomes:?}");
    assert!(enacted.iter().all(|count| *count > 2), "{enacted:?}");
}

#[test]
fn a_difference_of_the_specification_of_charters_is_noticed() {
    if !is_possible() {
        return;
    }
    for (name, seed, blocks, from, to) in DIFFERENCES {
        let text = charter_text();
        assert_eq!(text.matches(from).count(), 1, "{name}");
        let different = text.replace(from, to);
        let checked = check(
            &folder("different-charters"),
            &different,
            &recorded(&[seed], blocks),
        );
        let Err(what) = checked else {
            panic!("{name} was not noticed");
        };
        assert!(what.starts_with("recording "), "{name}: {what}");
        println!("{name}: {what}");
    }
}
