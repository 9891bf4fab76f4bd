//! Random and mutated inputs to everything that reads bytes from outside: no panic, and what is taken is what was meant.
//!
//! Each target gets `WHITE_CITY_FUZZ` inputs (20 000 by default), all decided by `WHITE_CITY_SEED`; a failure names the
//! input. Many inputs are hardly changed, so that some are taken: a target that refuses everything tests nothing.

mod frames;
mod genesis;
mod mutate;
mod queries;
mod replica;
mod transactions;

use std::{
    env,
    panic::{AssertUnwindSafe, catch_unwind, resume_unwind},
};

use white_city_tests::rng::Rng;

/// Number of inputs for a target when nobody says.
const INPUTS: u64 = 20_000;

/// Counts of inputs, by what became of them.
#[derive(Debug, Default)]
struct Tally {
    taken: u64,
    refused: u64,
}

fn number(name: &str, otherwise: u64) -> u64 {
    env::var(name).map_or(otherwise, |text| {
        text.parse()
            .unwrap_or_else(|_| panic!("{name} is no number: {text}"))
    })
}

/// Gives `target` its inputs: unchanged, changed or made up. It says whether it took the input.
fn fuzz(name: &str, seeds: &[Vec<u8>], mut target: impl FnMut(&[u8]) -> bool) {
    let (inputs, seed) = (
        number("WHITE_CITY_FUZZ", INPUTS),
        number("WHITE_CITY_SEED", 1),
    );
    let mut rng = Rng::new(seed);
    let mut tally = Tally::default();
    for i in 0..inputs {
        let input = mutate::input(&mut rng, seeds);
        match catch_unwind(AssertUnwindSafe(|| target(&input))) {
            Ok(true) => tally.taken += 1,
            Ok(false) => tally.refused += 1,
            Err(panic) => {
                let shown = hex::encode(&input[..input.len().min(4_096)]);
                println!(
                    "{name}: input {i} of seed {seed} fails ({} bytes): {shown}",
                    input.len()
                );
                resume_unwind(panic);
            }
        }
    }
    println!(
        "{name}: {inputs} inputs, {} taken, {} refused, seed {seed}",
        tally.taken, tally.refused
    );
    assert_eq!(tally.taken + tally.refused, inputs);
    assert!(
        tally.taken >= inputs / 100,
        "{name}: hardly anything is taken: {tally:?}"
    );
    assert!(
        tally.refused >= inputs / 10,
        "{name}: hardly anything is refused: {tally:?}"
    );
}

/// A column of bytes from a golden file.
fn golden(file: &str, pointer: &str) -> Vec<Vec<u8>> {
    let path = format!("{}/golden/{file}.json", env!("CARGO_MANIFEST_DIR"));
    let cases: Vec<serde_json::Value> =
        serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
    let found: Vec<Vec<u8>> = cases
        .iter()
        .map(|case| match case.pointer(pointer).unwrap() {
            serde_json::Value::String(text) => hex::decode(text).unwrap(),
            other => other.to_string().into_bytes(),
        })
        .collect();
    assert!(!found.is_empty());
    found
}
