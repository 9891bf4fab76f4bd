//! Exploration: every interleaving of small sessions, by breadth-first search through the state machine itself.
//!
//! `WHITE_CITY_EXPLORE=large` explores larger worlds, `WHITE_CITY_WORLD=dispute` only the one with this name.

mod binder;
mod choices;
mod explorer;
mod hunt;
mod key;
mod moves;
mod predicates;
mod trace;
mod world;
mod worlds;

use std::{
    collections::BTreeMap,
    sync::{
        Mutex,
        atomic::{AtomicUsize, Ordering},
    },
};

use explorer::{Report, explore};
use hunt::{Found, Hunt};
use white_city_tests::{
    simulator::{BLOCKS, World as Simulated},
    tamper::{Planted, planted, rare},
};
use world::World;

/// Seeds that the simulator runs in CI.
const SIMULATED_SEEDS: u64 = 80;

/// Refusals that the state machine gives on these boards. Numbers 17 to 20 and 35 are those of decoding, those from 128 on a
/// replica's own, and 103 needs four thousand million sessions.
const CODES: [u32; 37] = [
    16, 21, 32, 33, 34, 48, 50, 51, 52, 53, 54, 55, 64, 65, 66, 67, 68, 80, 81, 82, 96, 97, 98, 99,
    100, 101, 102, 112, 113, 114, 115, 116, 117, 118, 0, 0, 0,
];

#[test]
fn small_worlds_keep_every_promise_and_every_planted_bug_is_found() {
    let large = std::env::var("WHITE_CITY_EXPLORE").is_ok_and(|size| size == "large");
    let only = std::env::var("WHITE_CITY_WORLD").ok();
    let worlds = if large { worlds::LARGE } else { worlds::SMALL };
    let chosen = worlds.iter().filter(|world| only.as_deref().is_none_or(|only| only == world.name));
    let (reports, found, missed) = explore_all(chosen.copied().collect());
    for (name, report) in &reports {
        println!(
            "{name}: {} states, {} blocks, depth {}{}, {:.1} s, causes {:?}, {:?}",
            report.states,
            report.blocks,
            report.depth,
            if report.complete { "" } else { " (bounded)" },
            report.time.as_secs_f64(),
            report.causes.keys().collect::<Vec<_>>(),
            report.events,
        );
    }
    for (bug, found) in &found {
        println!("{bug}: {} blocks in {:?}, by {:?}\n{}", found.blocks, found.world, found.by, found.words);
    }
    assert!(missed.is_empty(), "no property reports: {}", missed.join("\n"));
    let mut refused: BTreeMap<u32, usize> = BTreeMap::new();
    let mut causes: BTreeMap<u16, usize> = BTreeMap::new();
    for report in reports.values() {
        report.refused.iter().for_each(|(code, count)| *refused.entry(*code).or_default() += count);
        report.causes.iter().for_each(|(cause, count)| *causes.entry(*cause).or_default() += count);
    }
    println!("refused: {refused:?}\ncauses: {causes:?}");
    let never: Vec<&str> = planted().iter().chain(&rare()).map(|p| p.bug).filter(|bug| !found.contains_key(bug)).collect();
    println!("never found: {never:#?}");
    if only.is_some() {
        return;
    }
    let codes: Vec<u32> = CODES.into_iter().filter(|code| *code != 0 && !refused.contains_key(code)).collect();
    assert!(codes.is_empty(), "no refusal {codes:?}");
    assert_eq!(causes.into_keys().collect::<Vec<_>>(), [0, 1, 2, 3, 4, 5, 6, 7]);
    assert!(never.is_empty(), "never found: {never:?}");
}

type Explored = (BTreeMap<&'static str, Report>, BTreeMap<&'static str, Found>, Vec<String>);

/// Explores worlds, two at a time.
fn explore_all(worlds: Vec<World>) -> Explored {
    let next = AtomicUsize::new(0);
    let all: Mutex<Explored> = Mutex::default();
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                while let Some(world) = worlds.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let mut hunt = Hunt::new(planted().into_iter().chain(rare()).collect());
                    let report = explore(*world, Some(&mut hunt)).unwrap_or_else(|what| panic!("{what}"));
                    let mut all = all.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
                    all.0.insert(world.name, report);
                    all.2.extend(hunt.missed);
                    for found in hunt.found {
                        let shorter = all.1.get(found.bug).is_none_or(|known| found.blocks < known.blocks);
                        if shorter {
                            all.1.insert(found.bug, found);
                        }
                    }
                }
            });
        }
    });
    all.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner)
}

#[test]
fn without_honest_proposals_in_between_a_hostile_replica_makes_a_party_late() {
    let what = explore(worlds::TIMEOUTS, None).expect_err("two lies about the proposer end last call");
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
