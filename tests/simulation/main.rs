//! The simulator: every property after every block of many seeded runs.
//!
//! `WHITE_CITY_SEED=7 cargo test -p white-city-tests --test simulation -- one_seed` repeats one run,
//! `WHITE_CITY_SEEDS=10000` makes more of them.

use std::collections::{BTreeMap, BTreeSet};

use white_city_tests::{
    invariants::{Invariant, all, named},
    simulator::{BLOCKS, Tally, World, run},
    tamper::{Planted, planted},
};

/// Seeds that run when nothing else is said.
const SEEDS: u64 = 80;
/// Most seeds that run after those until everything has happened: what one of twenty comes to, eighty may miss.
const MORE: u64 = 400;
/// Refusals that have to be there.
const CODES: [u32; 28] = [
    17, 32, 33, 34, 50, 51, 52, 55, 64, 65, 67, 81, 83, 84, 96, 97, 98, 100, 112, 113, 114, 115,
    117, 160, 162, 163, 165, 166,
];
/// Causes of ends: all that there are.
const CAUSES: [u16; 8] = [0, 1, 2, 3, 4, 5, 6, 7];

fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok().map(|text| {
        let parsed = text.parse();
        parsed.unwrap_or_else(|_| panic!("{name} is {text:?}, expected a number"))
    })
}

fn check(seed: u64, tally: &mut Tally) {
    if let Err(what) = run(seed, tally) {
        panic!(
            "{what}\nrepeat with: WHITE_CITY_SEED={seed} cargo test -p white-city-tests --test simulation -- one_seed"
        );
    }
}

#[test]
fn one_seed_keeps_every_promise() {
    check(
        number("WHITE_CITY_SEED").unwrap_or(1),
        &mut Tally::default(),
    );
}

#[test]
fn many_seeds_keep_every_promise_and_reach_every_kind_of_end() {
    let seeds = number("WHITE_CITY_SEEDS").unwrap_or(SEEDS);
    let mut tally = Tally::default();
    let has_all = |tally: &Tally| {
        let codes = CODES.iter().all(|code| tally.refused.contains_key(code));
        codes && tally.causes.len() == CAUSES.len()
    };
    let mut played = 0;
    while played < seeds || (played < seeds + MORE && !has_all(&tally)) {
        check(played, &mut tally);
        played += 1;
    }
    println!("{played} seeds: {tally:#?}");
    // Nothing of this is worth anything unless all of it happened.
    let causes: Vec<u16> = tally.causes.keys().copied().collect();
    assert_eq!(causes, CAUSES);
    for code in CODES {
        assert!(tally.refused.contains_key(&code), "no refusal {code}");
    }
    for (what, count) in [
        ("accepted", tally.accepted),
        ("rounds", tally.rounds),
        ("erased", tally.erased),
        ("culprits", tally.culprits),
        ("musts", tally.musts),
    ] {
        assert!(
            count >= usize::try_from(seeds.min(10)).unwrap(),
            "{what}: {count}"
        );
    }
}

/// Number of times that each bug is planted.
const TIMES: usize = 4;

/// A planted bug, the property that has to find it, and how often it did.
struct Hunt {
    planted: Planted,
    invariant: Box<dyn Invariant>,
    found: usize,
}

#[test]
fn every_planted_bug_is_reported_by_its_property_and_every_property_has_one() {
    let names: BTreeSet<&str> = all().iter().map(|invariant| invariant.name()).collect();
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    for seed in 0..200 {
        hunt(seed, &mut counts);
        if planted().iter().all(|p| counts.get(p.bug) >= Some(&TIMES)) {
            break;
        }
    }
    let covered: BTreeSet<&str> = planted().iter().map(|p| p.invariant).collect();
    assert_eq!(covered, names);
    for Planted { bug, .. } in planted() {
        assert!(
            counts.get(bug) >= Some(&TIMES),
            "{bug}: {:?}",
            counts.get(bug)
        );
    }
}

/// Plants every bug that wasn't found often enough yet, wherever the seed's blocks give an opportunity.
fn hunt(seed: u64, counts: &mut BTreeMap<&str, usize>) {
    let mut hunts: Vec<Hunt> = planted()
        .into_iter()
        .map(|planted| Hunt {
            invariant: named(planted.invariant).unwrap(),
            found: counts.get(planted.bug).copied().unwrap_or(0),
            planted,
        })
        .filter(|hunt| hunt.found < TIMES)
        .collect();
    let mut world = World::new(seed);
    for height in 1..=BLOCKS {
        let seen = world.block();
        for hunt in &mut hunts {
            let (name, bug) = (hunt.planted.invariant, hunt.planted.bug);
            let wanted = hunt.found < TIMES;
            if let Some(tampered) = wanted.then(|| (hunt.planted.tamper)(&seen)).flatten() {
                let report = hunt.invariant.copy().check(&tampered);
                assert!(
                    report.is_err(),
                    "seed {seed}, block {height}: {name} misses that {bug}"
                );
                hunt.found += 1;
            }
            let clean = hunt.invariant.check(&seen);
            assert_eq!(clean, Ok(()), "seed {seed}, block {height}: {name}");
        }
    }
    for hunt in hunts {
        counts.insert(hunt.planted.bug, hunt.found);
    }
}
