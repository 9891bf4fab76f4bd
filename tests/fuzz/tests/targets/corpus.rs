//! Inputs that guided fuzzing has found: each reached code that the others of its target didn't, or was a bug once.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

use white_city_fuzz::TARGETS;

use crate::Tally;

/// Largest corpora, all together, bytes: they are read by people who clone the repository, too.
const CORPORA_BYTES_MAX: u64 = 320 << 10;

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus")
}

fn entries(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).unwrap_or_else(|e| panic!("{}: {e}", folder.display()));
    let mut entries: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
    entries.sort();
    entries
}

#[test]
fn whatever_fuzzing_has_found_is_taken_or_refused_and_each_target_has_some_of_both() {
    let mut bytes = 0;
    for target in TARGETS {
        let mut tally = Tally::default();
        for path in entries(&folder().join(target.name)) {
            let input = fs::read(&path).unwrap();
            bytes += u64::try_from(input.len()).unwrap();
            tally.take(target, &input, &path.display().to_string());
        }
        println!("{}: {tally:?}", target.name);
        assert!(
            tally.taken > 0,
            "{}: nothing is taken: {tally:?}",
            target.name
        );
        assert!(
            tally.refused > 0,
            "{}: nothing is refused: {tally:?}",
            target.name
        );
    }
    assert!(bytes <= CORPORA_BYTES_MAX, "{bytes} bytes");
}

#[test]
fn every_corpus_is_a_targets() {
    let names: BTreeSet<&str> = TARGETS.iter().map(|target| target.name).collect();
    for path in entries(&folder()) {
        let name = path.file_name().unwrap().to_str().unwrap();
        assert!(names.contains(name), "{name} is no target");
    }
    assert_eq!(names.len(), TARGETS.len(), "two targets with one name");
}
