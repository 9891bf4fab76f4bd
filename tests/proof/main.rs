//! The proofs in `docs/proof` are about models. Here they run as programs: those of a session and of the charters beside the state machine,
//! that of a client which walks links beside the verifier, each on the same random schedules.
//!
//! Where there is no Coq or OCaml, this test says loudly that it did not run; `WHITE_CITY_REQUIRE_COMETBFT=1` forbids that, as CI
//! does. `WHITE_CITY_SEED=7 cargo test -p white-city-tests --test proof -- one_seed` repeats one schedule, `WHITE_CITY_SEEDS=10000`
//! makes more of them.

mod charters;
mod compared;
mod links;
mod model;
mod planted;
mod schedule;

use model::{Model, Of};
use planted::Planted;
use schedule::{Tally, play};

/// Schedules that run when nothing else is said.
const SEEDS: u64 = 400;

fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok().map(|text| {
        let parsed = text.parse();
        parsed.unwrap_or_else(|_| panic!("{name} is {text:?}, expected a number"))
    })
}

/// Plays the schedule of a seed; what differs is said, with the command that repeats it.
fn check(seed: u64, play: impl FnOnce(u64) -> Result<(), String>) {
    if let Err(what) = play(seed) {
        panic!(
            "schedule {seed}: {what}\nrepeat with: WHITE_CITY_SEED={seed} cargo test -p white-city-tests --test proof -- one_seed"
        );
    }
}

/// Has each difference played until it is noticed.
fn each_is_noticed(
    of: Of,
    planted: &[Planted],
    play: impl Fn(u64, &mut Model) -> Result<(), String>,
) {
    for difference in planted {
        let Some(mut model) = Model::start_planted(of, *difference) else {
            return;
        };
        let noticed = (0..SEEDS).find_map(|seed| play(seed, &mut model).err());
        let Some(noticed) = noticed else {
            panic!("{} was not noticed", difference.0);
        };
        println!("{}: {noticed}", difference.0);
    }
}

/// Fails unless each of these happened more than this often.
fn happened(least: u64, events: &[(&str, u64)]) {
    for (what, count) in events {
        assert!(*count > least, "{what}: {count}");
    }
}

#[test]
fn one_seed_is_the_same_in_the_models_and_in_what_they_are_of() {
    let seed = number("WHITE_CITY_SEED").unwrap_or(1);
    if let Some(mut model) = Model::start(Of::Session, "one") {
        check(seed, |seed| play(seed, &mut model, &mut Tally::default()));
    }
    if let Some(mut model) = Model::start(Of::Charters, "one") {
        let mut tally = charters::Tally::default();
        check(seed, |seed| charters::play(seed, &mut model, &mut tally));
    }
    if let Some(mut model) = Model::start(Of::Links, "one") {
        let mut tally = links::Tally::default();
        check(seed, |seed| links::play(seed, &mut model, &mut tally));
    }
}

#[test]
fn many_seeds_are_the_same_and_reach_every_kind_of_end() {
    let Some(mut model) = Model::start(Of::Session, "many") else {
        return;
    };
    let seeds = number("WHITE_CITY_SEEDS").unwrap_or(SEEDS);
    let mut tally = Tally::default();
    for seed in 0..seeds {
        check(seed, |seed| play(seed, &mut model, &mut tally));
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
    let events = [
        ("rounds closed", tally.rounds),
        ("members lost by a round", tally.lost),
        ("last calls", tally.calls),
        ("outages", tally.outages),
    ];
    happened(20, &events);
    for (what, [taken, refused]) in &tally.transactions {
        assert!(
            *refused > 0 && (*taken > 0) != what.contains("another"),
            "{what}: {taken} taken, {refused} refused"
        );
    }
    assert_eq!(tally.transactions.len(), 8);
}

#[test]
fn charters_are_the_same_in_the_model_and_in_the_state_machine() {
    let Some(mut model) = Model::start(Of::Charters, "many") else {
        return;
    };
    let seeds = number("WHITE_CITY_SEEDS").unwrap_or(SEEDS);
    let mut tally = charters::Tally::default();
    for seed in 0..seeds {
        check(seed, |seed| charters::play(seed, &mut model, &mut tally));
    }
    println!("{seeds} schedules: {tally:#?}");
    let outcomes: Vec<&str> = tally.outcomes.keys().map(String::as_str).collect();
    assert_eq!(outcomes, charters::OUTCOMES);
    let events = [
        ("charters", tally.enacted),
        ("other operators", tally.exchanged),
        ("approvals of another charter", tally.changed_minds),
        ("withdrawals", tally.withdrawn),
    ];
    happened(20, &events);
    assert!(tally.sizes.len() >= 5, "{:?}", tally.sizes);
}

#[test]
fn a_client_takes_the_same_links_and_headers_as_the_model() {
    let Some(mut model) = Model::start(Of::Links, "many") else {
        return;
    };
    let seeds = number("WHITE_CITY_SEEDS").unwrap_or(SEEDS);
    let mut tally = links::Tally::default();
    for seed in 0..seeds {
        check(seed, |seed| links::play(seed, &mut model, &mut tally));
    }
    println!("{seeds} schedules: {tally:#?}");
    let lessons: Vec<&str> = tally.lessons.keys().map(String::as_str).collect();
    assert_eq!(lessons, links::LESSONS);
    let verdicts: Vec<&str> = tally.verdicts.keys().map(String::as_str).collect();
    assert_eq!(verdicts, links::VERDICTS);
    assert!(tally.longest >= 4, "{} links in a row", tally.longest);
}

#[test]
fn a_difference_in_a_session_is_noticed() {
    each_is_noticed(Of::Session, &planted::SESSION, |seed, model| {
        play(seed, model, &mut Tally::default())
    });
}

#[test]
fn a_difference_in_charters_is_noticed() {
    each_is_noticed(Of::Charters, &planted::CHARTERS, |seed, model| {
        charters::play(seed, model, &mut charters::Tally::default())
    });
}

#[test]
fn a_difference_in_links_is_noticed() {
    each_is_noticed(Of::Links, &planted::LINKS, |seed, model| {
        links::play(seed, model, &mut links::Tally::default())
    });
}
