//! Exploration: every interleaving of small sessions, by breadth-first search through the state machine itself.
//!
//! `WHITE_CITY_EXPLORE=large` explores larger worlds, `WHITE_CITY_WORLD=dispute` only the ones with this name. `--nocapture` shows the
//! figures, and for each planted bug a shortest trace in words.
//!
//! The explorer is our own, and not `stateright`: what has to be checked are blocks, with what was in them, not states; the simulator
//! has the properties for that already, and they remember the way; entries can be signed only when it is known which transcript they
//! name; and which states are the same (heights, digests, honest parties and replicas are exchangeable) is most of the work, and
//! would be ours in any case. What is left, a queue and a table, is less code than an adapter.
//!
//! | promise | predicates |
//! |---|---|
//! | 1, 9: no forging | `authorship`, `history`; what is signed by another party or for another network is refused in every state |
//! | 2: no reordering, no overwriting | `slots`, `closed_rounds`, `history`, `members`, `leavers` |
//! | 3: agreement | `agreement`: a second replica, and one that restarts |
//! | 4: completeness | `leaf`, `root`, `paths` |
//! | 5: objective blame | `culprits`, `disputes`, `closing`, `predicates::nobody_honest_is_blamed` |
//! | 6: liveness | `last_call`, `honest_entries`, `clock`, `predicates::must_be_taken`, `predicates::nobody_punctual_is_absent`, and that every session can end without anybody hostile |
//! | 7: one agreed end | `terminal`, `closing`, `erasure`, `possible`, `predicates::ended_for_ever` |
//! | what a refusal changes | `refusals`, and in every state a block of all that is refused, which has to be the empty block |
//! | quotas | `quotas`, `shares`, `strangers`, `numbering`, `predicates::quotas_are_what_is_open` |
//! | charters | `charters`, `predicates::one_charter_a_term`, `predicates::more_than_two_thirds_approved`, `predicates::most_keys_stay`; that nobody is late by one is `predicates::nobody_punctual_is_absent` |
//!
//! Promise 8 isn't about a board, and 10 is about two of them.

mod binder;
mod charters;
mod choices;
mod explorer;
mod hunt;
mod key;
mod moves;
mod predicates;
mod report;
mod trace;
mod world;
mod worlds;

use std::{
    collections::BTreeMap,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
};

use explorer::explore;
use hunt::{Found, Hunt};
use report::Report;
use white_city_tests::{
    simulator::{BLOCKS, World as Simulated},
    tamper::{Planted, planted, rare},
};
use world::World;

/// Seeds that the simulator runs in CI.
const SIMULATED_SEEDS: u64 = 80;

/// Refusals that the state machine gives on these boards. 17 to 20 and 35 are those of decoding, those from 128 on a replica's own, and
/// 103 needs four thousand million sessions.
const CODES: [u32; 42] = [
    16, 21, 32, 33, 34, 48, 50, 51, 52, 53, 54, 55, 64, 65, 66, 67, 68, 80, 81, 82, 96, 97, 98, 99,
    100, 101, 102, 104, 112, 113, 114, 115, 116, 117, 118, 160, 161, 162, 163, 164, 165, 166,
];

/// Sum of all explorations.
#[derive(Default)]
struct Explored {
    reports: Vec<Report>,
    found: BTreeMap<&'static str, Found>,
    missed: Vec<String>,
}

#[test]
fn small_worlds_keep_every_promise_and_every_planted_bug_is_found() {
    let large = std::env::var("WHITE_CITY_EXPLORE").is_ok_and(|size| size == "large");
    let only = std::env::var("WHITE_CITY_WORLD").ok();
    let worlds = if large { worlds::LARGE } else { worlds::SMALL };
    let chosen = |world: &&World| only.as_deref().is_none_or(|only| only == world.name);
    let explored = explore_all(&worlds.iter().filter(chosen).copied().collect::<Vec<_>>());
    tell(&explored);
    let missed = explored.missed.join("\n");
    assert!(missed.is_empty(), "no property reports: {missed}");
    if only.is_none() {
        everything_was_there(&explored);
    }
}

/// Nothing of this is worth anything unless all of it happened.
fn everything_was_there(explored: &Explored) {
    let reports = || explored.reports.iter();
    let never_refused = CODES.into_iter().filter(|code| {
        let mut with = reports();
        !with.any(|report| report.refused.contains_key(code))
    });
    assert_eq!(
        never_refused.collect::<Vec<u32>>(),
        Vec::<u32>::new(),
        "refusals never given"
    );
    let never_caused = (0..8).filter(|cause| !reports().any(|r| r.causes.contains_key(cause)));
    assert_eq!(
        never_caused.collect::<Vec<u16>>(),
        Vec::<u16>::new(),
        "causes never met"
    );
    for event in [
        "erased",
        "flagged",
        "closed",
        "closed without somebody",
        "last call",
        "disputed",
        "enacted",
        "era",
        "proven",
        "number",
        "enacted where a session ends",
        "enacted in last call",
        "enacted twice in a row",
    ] {
        let happened = reports().any(|report| report.events.get(event) > Some(&0));
        assert!(happened, "never {event}");
    }
    let bugs = planted()
        .into_iter()
        .chain(rare())
        .map(|planted| planted.bug);
    let never_found = bugs.filter(|bug| !explored.found.contains_key(bug));
    assert_eq!(
        never_found.collect::<Vec<_>>(),
        Vec::<&str>::new(),
        "planted bugs never found"
    );
}

fn tell(explored: &Explored) {
    for (bug, found) in &explored.found {
        let Found {
            world,
            blocks,
            by,
            words,
            ..
        } = found;
        println!("{bug}: after {blocks} blocks in {world:?}, by {by:?}\n{words}");
    }
}

fn tell_figures(world: &str, report: &Report) {
    println!(
        "{world}: {} states, {} blocks, depth {}{}, {:.1} s, causes {:?}, {:?}",
        report.states,
        report.blocks,
        report.depth,
        if report.complete { "" } else { " (bounded)" },
        report.time.as_secs_f64(),
        report.causes.keys().collect::<Vec<_>>(),
        report.events,
    );
}

/// Explores worlds, two at a time.
fn explore_all(worlds: &[World]) -> Explored {
    let next = AtomicUsize::new(0);
    let all: Mutex<Explored> = Mutex::default();
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                while let Some(world) = worlds.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let mut hunt = Hunt::new(planted().into_iter().chain(rare()).collect());
                    let report = explore(*world, Some(&mut hunt));
                    let report = report.unwrap_or_else(|what| panic!("{what}"));
                    let mut all = all.lock().unwrap_or_else(PoisonError::into_inner);
                    all.add(world.name, report, hunt);
                }
            });
        }
    });
    all.into_inner().unwrap_or_else(PoisonError::into_inner)
}

impl Explored {
    fn add(&mut self, world: &'static str, report: Report, hunt: Hunt) {
        tell_figures(world, &report);
        self.reports.push(report);
        self.missed.extend(hunt.missed);
        for found in hunt.found {
            let known = self.found.get(found.bug);
            if known.is_none_or(|known| found.blocks < known.blocks) {
                self.found.insert(found.bug, found);
            }
        }
    }
}

#[test]
fn without_honest_proposals_in_between_a_hostile_replica_makes_a_party_late() {
    let explored = explore(worlds::TIMEOUTS, None);
    let what = explored.expect_err("two lies about the proposer end last call");
    println!("{what}");
    assert!(what.contains("is absent from round"), "{what}");
}

#[test]
fn random_search_gives_the_rare_bugs_no_chance() {
    let mut chances: BTreeMap<&str, usize> = rare().iter().map(|p| (p.bug, 0)).collect();
    for seed in 0..SIMULATED_SEEDS {
        let mut world = Simulated::new(seed);
        for _ in 0..BLOCKS {
            let seen = world.block();
            for Planted { bug, tamper, .. } in rare() {
                *chances.entry(bug).or_default() += usize::from(tamper(&seen).is_some());
            }
        }
    }
    println!("{chances:#?}");
    let missed = chances.values().filter(|count| **count == 0).count();
    assert!(missed >= 10, "{chances:?}");
}
