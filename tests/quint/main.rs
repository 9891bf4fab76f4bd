//! The specification for people, `docs/spec/session.qnt`, and the state machine are one thing: what is simulated of the one is replayed on
//! the other, step by step, and what the other does is a trace of the first. A difference in either direction fails.
//!
//! Where Quint isn't installed, these tests say loudly that they did not run; `WHITE_CITY_REQUIRE_COMETBFT=1` forbids that, as CI does.
//! `WHITE_CITY_SEED=7 cargo test -p white-city-tests --test quint` simulates other traces, `WHITE_CITY_SEEDS=1000` more of them; with the
//! latter, every invariant is shown to break where its rule is missing, not only those that break soonest.

#[path = "../e2e/bad_sender.rs"]
mod bad_sender;
mod binder;
mod board;
mod charters;
mod places;
mod planted;
mod program;
mod recording;
mod replay;
mod script;
mod seen;
mod teller;
mod value;
#[path = "../e2e/world.rs"]
mod world;

use std::collections::BTreeMap;

use planted::{BROKEN, Bugs, DIFFERENCES, QUICK};
use program::{folder, is_possible, quint, said, specification, text, traces};
use recording::{Recording, check};
use replay::{Tally, replay};
use script::played;
use white_city_tests::simulator::World;

/// Traces that are simulated when nothing else is said.
const TRACES: u64 = 60;
/// Steps of each.
const STEPS: u64 = 80;
/// Causes of the endings that simulated sessions come to, all that there are; and those that live on.
const ENDINGS: [&str; 9] = [
    "BadPayload",
    "Disagreement",
    "FalseComplaint",
    "Left",
    "Live",
    "NoCause",
    "NoReveal",
    "OutOfRounds",
    "TooFew",
];
/// Actions of parties.qnt that aren't steps by themselves.
const SHARED: [&str; 6] = ["carries", "init", "quiet", "sends", "stays", "step"];
/// Seeds of the simulator whose boards are recorded.
const RECORDED: [u64; 4] = [1, 2, 3, 5];
/// Blocks of each.
const BLOCKS: usize = 60;

fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok().map(|text| {
        let parsed = text.parse();
        parsed.unwrap_or_else(|_| panic!("{name} is {text:?}, expected a number"))
    })
}

#[test]
fn what_is_simulated_keeps_every_invariant_and_is_what_the_state_machine_does() {
    if !is_possible() {
        return;
    }
    let folder = folder("simulated");
    let traces_to = folder.join("trace_{seq}.itf.json").display().to_string();
    let count = number("WHITE_CITY_SEEDS").unwrap_or(TRACES).to_string();
    let steps = STEPS.to_string();
    let seed = number("WHITE_CITY_SEED").unwrap_or(1).to_string();
    let options = [
        ("--out-itf", &traces_to),
        ("--n-traces", &count),
        ("--max-samples", &count),
        ("--max-steps", &steps),
        ("--seed", &seed),
    ];
    let options = options.iter().flat_map(|(name, value)| [*name, value]);
    let invariants = invariants();
    let arguments: Vec<&str> = options
        .chain(["--mbt", "--verbosity", "1", "--invariants"])
        .chain(invariants.iter().map(String::as_str))
        .collect();
    let output = quint("run", &specification().join("parties.qnt"), &arguments);
    assert!(output.status.success(), "{}", said(&output));
    let (mut tally, mut bugs) = (Tally::default(), Bugs::new());
    for (number, trace) in traces(&folder).iter().enumerate() {
        let replayed = replay(trace, &mut tally, &mut |executed, expected, meanings| {
            bugs.look(executed, expected, meanings);
        });
        if let Err(what) = replayed {
            panic!("trace {number} of seed {seed}: {what}");
        }
    }
    println!("{tally:#?}\nnoticed: {:#?}", bugs.noticed);
    assert_eq!(bugs.missed(), Vec::<&str>::new());
    if number("WHITE_CITY_SEED").is_none() {
        everything_was_there(&tally, &bugs);
    }
}

/// Names that a module of the specification defines with this word.
fn defined(module: &str, word: &str) -> Vec<String> {
    let text = std::fs::read_to_string(specification().join(module)).unwrap();
    let lines = text
        .lines()
        .filter_map(|line| line.strip_prefix(&format!("  {word} ")));
    let name = |line: &str| {
        line.split([':', '(', ' '])
            .next()
            .unwrap_or_default()
            .to_owned()
    };
    lines.map(name).collect()
}

/// All invariants of parties.qnt.
fn invariants() -> Vec<String> {
    let invariants = defined("parties.qnt", "val");
    assert!(invariants.len() >= 6, "{invariants:?}");
    invariants
}

/// Nothing of this is worth anything unless all of it happened.
fn everything_was_there(tally: &Tally, bugs: &Bugs) {
    let endings: Vec<&str> = tally.endings.keys().map(String::as_str).collect();
    assert_eq!(endings, ENDINGS);
    assert!(tally.blocks > 1_000 && tally.erased > 50, "{tally:#?}");
    let words = [
        "Opens",
        "Joins",
        "Enters",
        "Leaves",
        "Convicts",
        "Complains",
        "Reveals",
    ];
    for word in words {
        let taken = format!("{word}: Taken");
        let refused = format!("{word}: Refused");
        let mut all = tally.outcomes.keys();
        assert!(tally.outcomes.contains_key(&taken), "{taken}");
        assert!(all.any(|name| name.starts_with(&refused)), "{refused}");
    }
    let actions = defined("parties.qnt", "action");
    let chosen: Vec<&String> = actions
        .iter()
        .filter(|name| !SHARED.contains(&name.as_str()))
        .collect();
    assert!(chosen.len() > 15, "{chosen:?}");
    for action in chosen {
        assert!(
            tally.actions.contains_key(action),
            "{action} was never chosen"
        );
    }
    assert!(bugs.noticed.len() > 30, "only {:?}", bugs.noticed);
}

#[test]
fn promise_10_holds_above_the_bound_and_breaks_at_it() {
    if !is_possible() {
        return;
    }
    let module = specification().join("forks.qnt");
    let output = quint("test", &module, &["--max-samples", "200", "--seed", "1"]);
    let words = said(&output);
    assert!(output.status.success(), "{words}");
    let tests = defined("forks.qnt", "run");
    assert!(tests.len() >= 5, "{tests:?}");
    for test in tests {
        assert!(
            words.contains(&format!("ok {test} passed")),
            "{test}: {words}"
        );
    }
    // The same steps break it where the bound isn't kept: so what is simulated above would have shown it.
    let at_the_bound = ["--init", "initAtTheBound", "--invariant", "promise10"];
    let limits = [
        "--max-samples",
        "2000",
        "--max-steps",
        "25",
        "--seed",
        "1",
        "--verbosity",
        "1",
    ];
    let output = quint("run", &module, &[&at_the_bound[..], &limits].concat());
    let words = said(&output);
    assert!(
        !output.status.success() && words.contains("[violation]"),
        "{words}"
    );
}

/// Recordings of the simulator's boards.
fn simulated(seeds: &[u64]) -> Vec<Recording> {
    let worlds = seeds.iter().map(|seed| World::new(*seed).steady());
    played(worlds, BLOCKS, Recording::new, Recording::block)
}

#[test]
fn what_a_simulated_board_does_is_a_trace_of_the_specification() {
    if !is_possible() {
        return;
    }
    let recordings = simulated(&RECORDED);
    check(&folder("recorded"), &text(), &recordings).unwrap();
    let mut outcomes: BTreeMap<String, usize> = BTreeMap::new();
    let mut endings: BTreeMap<String, usize> = BTreeMap::new();
    for recording in &recordings {
        for (name, count) in recording.outcomes() {
            *outcomes.entry(name).or_default() += count;
        }
        for name in recording.endings() {
            *endings.entry(name).or_default() += 1;
        }
    }
    println!("{outcomes:#?} {endings:#?}");
    assert!(outcomes.len() > 20 && endings.len() > 5);
}

#[test]
fn a_difference_of_the_specification_is_noticed() {
    if !is_possible() {
        return;
    }
    let recordings = simulated(&RECORDED);
    for (name, from, to) in DIFFERENCES {
        let text = text();
        assert_eq!(text.matches(from).count(), 1, "{name}");
        let different = text.replace(from, to);
        // The first board that comes to it.
        let noticed = recordings
            .chunks(1)
            .find_map(|recording| check(&folder("different"), &different, recording).err());
        let Some(what) = noticed else {
            panic!("{name} was not noticed");
        };
        assert!(what.starts_with("recording "), "{name}: {what}");
        println!("{name}: {what}");
    }
}

#[test]
fn an_invariant_breaks_where_its_rule_is_missing() {
    if !is_possible() {
        return;
    }
    let count = number("WHITE_CITY_SEEDS").map_or(QUICK, |_| BROKEN.len());
    let folder = folder("broken");
    let module = folder.join("parties.qnt");
    std::fs::copy(specification().join("parties.qnt"), &module).unwrap();
    for (invariant, from, to) in &BROKEN[..count] {
        let text = text();
        assert_eq!(text.matches(from).count(), 1, "{invariant}: {from}");
        std::fs::write(folder.join("session.qnt"), text.replace(from, to)).unwrap();
        let limits = ["--max-samples", "200", "--max-steps", "80", "--seed", "1"];
        let asked = ["--verbosity", "1", "--invariants", invariant];
        let output = quint("run", &module, &[&limits[..], &asked].concat());
        let words = said(&output);
        let is_broken = !output.status.success() && words.contains("[violation]");
        assert!(is_broken, "{invariant} holds without its rule: {words}");
    }
}
