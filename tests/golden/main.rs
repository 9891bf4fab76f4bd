//! The byte formats against golden files, which a second implementation wrote (`reference.py`, from the text alone).
//!
//! Each file is a list of cases: a name, what goes in, what comes out. Every file in the folder has to be read by
//! a check here, and every check has to meet at least one case.

mod cards;
mod case;
mod entries;
mod keys;
mod network;
mod parts;
mod shown;
mod state;
mod trees;
mod txs;

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

use case::{Case, read};

type Check = fn(&Case);

const CHECKS: [(&str, Check); 21] = [
    ("bitmaps", state::bitmap),
    ("blame", state::blame),
    ("cards", cards::card),
    ("digests", entries::digest),
    ("judging", keys::judging),
    ("keys", keys::key),
    ("leaves", state::leaf),
    ("network", network::network),
    ("parts", parts::parts),
    ("payloads", entries::payloads),
    ("refused", txs::refused),
    ("roots", state::root),
    ("sealing", keys::sealing),
    ("seals", state::seal),
    ("signatures", keys::signature),
    ("spec", network::spec),
    ("stamps", network::stamp),
    ("terminals", state::terminal),
    ("transactions", txs::transaction),
    ("transcripts", entries::transcript),
    ("trees", trees::tree),
];

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("golden")
}

#[test]
fn every_case_of_every_golden_file_comes_out_as_the_reference_says() {
    let mut total = 0;
    for (name, check) in CHECKS {
        let cases = read(&folder().join(format!("{name}.json")));
        assert!(!cases.is_empty(), "{name}.json has no cases");
        for case in &cases {
            println!("{name}: {}", case.name());
            check(case);
        }
        let names: BTreeSet<&str> = cases.iter().map(Case::name).collect();
        assert_eq!(
            names.len(),
            cases.len(),
            "two cases of {name}.json have one name"
        );
        total += cases.len();
    }
    println!("{total} cases");
    assert!(total >= 200, "only {total} cases");
}

#[test]
fn every_golden_file_is_read_by_a_check() {
    let on_disk: BTreeSet<String> = fs::read_dir(folder())
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter_map(|name| name.strip_suffix(".json").map(str::to_owned))
        .collect();
    let checked: BTreeSet<String> = CHECKS.iter().map(|(name, _)| (*name).to_owned()).collect();
    assert_eq!(on_disk, checked);
}

/// A file whose content isn't looked at would pass for ever: a flipped expectation has to be noticed by its check.
#[test]
fn every_check_notices_each_changed_expectation() {
    let mut noticed = 0;
    for (name, check) in CHECKS {
        for case in read(&folder().join(format!("{name}.json"))) {
            for changed in case.with_each_expectation_changed() {
                let result = std::panic::catch_unwind(|| check(&changed));
                assert!(
                    result.is_err(),
                    "{name}: {} passes changed: {changed:?}",
                    case.name()
                );
                noticed += 1;
            }
        }
    }
    assert!(noticed >= 400, "only {noticed} changes were tried");
}
