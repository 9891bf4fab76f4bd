//! Every target: on inputs that are made up and mutated, and on what guided fuzzing has found. No panic, and what is taken is what
//! was meant.
//!
//! Each target gets `WHITE_CITY_FUZZ` made-up inputs (20 000 by default, less where one takes long), all decided by
//! `WHITE_CITY_SEED`; a failure names the input. Many are hardly changed, so that some are taken: a target that refuses everything
//! tests nothing.

mod corpus;
mod limits;
mod mutate;
mod mutated;

use std::{
    collections::BTreeSet,
    mem::discriminant,
    panic::{AssertUnwindSafe, catch_unwind, resume_unwind},
};

use white_city_fuzz::{QUESTION_KINDS, Target, answered, named};

/// Counts of inputs, by what became of them.
#[derive(Debug, Default)]
struct Tally {
    taken: u64,
    refused: u64,
}

impl Tally {
    /// Hands over an input. A failure shows it, and where it came from.
    fn take(&mut self, target: &Target, input: &[u8], origin: &str) {
        match catch_unwind(AssertUnwindSafe(|| target.take(input))) {
            Ok(true) => self.taken += 1,
            Ok(false) => self.refused += 1,
            Err(panic) => {
                let shown = hex::encode(&input[..input.len().min(4_096)]);
                println!(
                    "{}: {origin} fails ({} bytes): {shown}",
                    target.name,
                    input.len()
                );
                resume_unwind(panic);
            }
        }
    }
}

#[test]
fn every_kind_of_question_is_answered_to_some_seed() {
    let queries = named("queries").unwrap();
    let answers = (queries.seeds)()
        .into_iter()
        .filter_map(|seed| answered(&seed));
    let kinds: BTreeSet<String> = answers
        .map(|answer| format!("{:?}", discriminant(&answer.body.unwrap())))
        .collect();
    assert_eq!(kinds.len(), QUESTION_KINDS);
}
