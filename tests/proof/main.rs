//! The proofs in `docs/proof` are about a model. Here it runs as a program, beside the state machine, on the same random schedules.
//!
//! Where there is no Coq or OCaml, this test says loudly that it did not run; `WHITE_CITY_REQUIRE_COMETBFT=1` forbids that, as CI
//! does. `WHITE_CITY_SEED=7 cargo test -p white-city-tests --test proof -- one_seed` repeats one schedule, `WHITE_CITY_SEEDS=10000`
//! makes more of them.

mod compared;
mod model;
mod planted;
mod schedule;

use model::Model;
use planted::PLANTED;
use schedule::{Tally, play};

/// Schedules that run when nothing else is said.
const SEEDS: u64 = 400;

fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok().map(|text| {
        let parsed = text.parse();
        parsed.unwrap_or_else(|_| panic!("{name} is {text:?}, expected a number"))
    })
}

fn check(seed: u64, model: &mut Model, tally: &mut Tally) {
    if let Err(what) = play(seed, model, tally) {
        panic!(
            "schedule {seed}: {what}\nrepeat with: WHITE_CITY_SEED={seed} cargo test -p white-city-tests --test proof -- one_seed"
        );
    }
}

#[test]
fn one_seed_is_the_same_in_the_model_and_in_the_state_machine() {
    if let Some(mut model) = Model::start("one") {
        let seed = number("WHITE_CITY_SEED").unwrap_or(1);
        check(seed, &mut model, &mut Tally::default());
    }
}

#[test]
fn many_seeds_are_the_same_and_reach_every_kind_of_end() {
    let Some(mut model) = Model::start("many") else {
        return;
    };
    let seeds = number("WHITE_CITY_SEEDS").unwrap_or(SEEDS);
    let mut tally = Tally::default();
    for seed in 0..seeds {
        check(seed, &mut model, &mut tally);
    }
    tally.hashes = model.hashes();
    println!("{seeds} schedules: {tally:#?}");
    // Nothing of this is worth anything unless all of it happened.
    let endings: Vec<&str> = tally.endings.keys().map(String::as_str).collect();
    let every = [
        "aborted/disagreement",
        "aborted/left",
        "aborted/out-of-rounds",
        "aborted/too-few",
        "finished/none",
    ];
    assert_eq!(endings, every);
    for (what, count) in [
        ("rounds closed", tally.rounds),
        ("members lost by a round", tally.lost),
        ("last calls", tally.calls),
        ("outages", tally.outages),
    ] {
        assert!(count > 20, "{what}: {count}");
    }
    for (what, [taken, refused]) in &tally.transactions {
        assert!(
            *refused > 0 && (*taken > 0) != what.contains("another"),
            "{what}: {taken} taken, {refused} refused"
        );
    }
    assert_eq!(tally.transactions.len(), 8);
}

#[test]
fn a_difference_is_noticed() {
    for planted in PLANTED {
        let Some(mut model) = Model::start_planted(planted) else {
            return;
        };
        let mut tally = Tally::default();
        let noticed = (0..SEEDS).find_map(|seed| play(seed, &mut model, &mut tally).err());
        let Some(noticed) = noticed else {
            panic!("{} was not noticed", planted.0);
        };
        println!("{}: {noticed}", planted.0);
    }
}
