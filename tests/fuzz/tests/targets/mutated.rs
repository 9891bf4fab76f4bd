//! Inputs that are made up, and mutated ones, for each target.

use std::env;

use white_city_fuzz::{TARGETS, Target, named};
use white_city_tests::rng::Rng;

use crate::{Tally, mutate};

/// Number of inputs for a target when nobody says.
const INPUTS: u64 = 20_000;

fn number(name: &str, otherwise: u64) -> u64 {
    env::var(name).map_or(otherwise, |text| {
        text.parse()
            .unwrap_or_else(|_| panic!("{name} is no number: {text}"))
    })
}

/// Gives a target its inputs: unchanged, changed or made up.
fn fuzz(target: &Target) {
    let inputs = number("WHITE_CITY_FUZZ", INPUTS) / target.cost;
    let seed = number("WHITE_CITY_SEED", 1);
    let seeds = (target.seeds)();
    let mut rng = Rng::new(seed);
    let mut tally = Tally::default();
    for i in 0..inputs {
        let input = mutate::input(&mut rng, &seeds);
        tally.take(target, &input, &format!("input {i} of seed {seed}"));
    }
    let name = target.name;
    println!("{name}: {inputs} inputs, {tally:?}, seed {seed}");
    assert_eq!(tally.taken + tally.refused, inputs);
    assert!(
        tally.taken >= inputs / 100 && tally.taken > 0,
        "{name}: hardly anything is taken: {tally:?}"
    );
    // Where the input only makes choices, there is nearly always something to take.
    let can_refuse = !["simulated", "resigned"].contains(&name);
    assert!(
        !can_refuse || tally.refused >= inputs / 10,
        "{name}: hardly anything is refused: {tally:?}"
    );
}

macro_rules! each_is_fuzzed {
    ($($test:ident: $name:literal),+ $(,)?) => {
        $(
            #[test]
            fn $test() {
                fuzz(named($name).unwrap());
            }
        )+

        #[test]
        fn no_target_is_left_out() {
            let names = TARGETS.iter().map(|target| target.name);
            assert!(names.eq([$($name),+]));
        }
    };
}

each_is_fuzzed! {
    frames_are_read_whole_or_refused: "frames",
    parameters_are_within_their_ranges_or_refused: "parameters",
    a_genesis_describes_a_network_or_is_refused: "genesis",
    a_question_is_understood_or_refused_with_a_code: "questions",
    an_answer_is_understood_or_refused_and_its_parts_too: "answers",
    seals_are_read_in_one_form_only: "seals",
    bitmaps_are_read_in_one_form_only: "bitmaps",
    a_transaction_is_taken_only_in_its_one_encoding_and_refused_with_a_code_otherwise: "transactions",
    an_opening_is_its_openers_or_refused: "openings",
    a_payload_is_opened_only_if_it_was_sealed: "payloads",
    a_part_is_the_next_one_or_refused: "parts",
    a_configuration_is_complete_or_refused: "config",
    a_replica_answers_every_query_or_says_why_not: "queries",
    a_replica_answers_every_path_or_says_why_not: "paths",
    a_mempool_takes_what_the_next_block_would_take_and_refuses_the_rest_with_a_code: "mempool",
    a_mempool_takes_a_complaint_and_refuses_the_rest_with_a_code: "complaints",
    a_mempool_takes_a_reveal_and_refuses_the_rest_with_a_code: "reveals",
    a_proposal_is_judged_without_a_halt_whatever_is_in_it: "proposals",
    every_property_holds_in_a_world_whose_choices_are_made_up: "simulated",
    every_property_holds_after_blocks_that_are_made_up: "resigned",
    of_an_answer_nothing_is_taken_but_the_truth: "reads",
    of_an_answer_that_lying_validators_certify_nothing_is_taken_that_no_party_has_signed: "certified-reads",
    of_an_answer_about_the_board_what_is_proven_is_the_truth: "board-reads",
    a_receipt_proves_nothing_but_the_truth: "receipts",
    a_receipt_that_lying_validators_certify_proves_nothing_that_no_party_has_signed: "certified-receipts",
    a_header_is_its_validators_or_refused: "headers",
    a_journal_gives_what_was_written_or_is_refused: "journals",
    a_vault_gives_what_was_stored_or_stays_shut: "vaults",
    a_trust_file_gives_nothing_that_was_not_signed: "trust-files",
    a_snapshot_is_the_state_with_its_root_or_rejected: "snapshots",
    an_offered_snapshot_is_whole_or_rejected: "manifests",
    a_message_of_the_eddsa_has_one_encoding: "eddsa-messages",
    a_key_share_fits_together_or_is_refused: "eddsa-shares",
}
