//! The replica's example configuration.

use std::collections::BTreeSet;

use crate::read;

const FILE: &str = "config/replica.toml";

/// The keys that the program reads.
fn known() -> BTreeSet<String> {
    let source = read("abci-app/src/config.rs");
    let (_, fields) = source.split_once("pub struct Config {\n").unwrap();
    let (fields, _) = fields.split_once("\n}").unwrap();
    let mut found = BTreeSet::new();
    let mut skipped = false;
    for line in fields.lines().map(str::trim) {
        if let Some((key, _)) = line.strip_prefix("pub ").and_then(|f| f.split_once(':')) {
            if !skipped {
                found.insert(key.to_owned());
            }
            skipped = false;
        } else if line == "#[serde(skip)]" {
            skipped = true;
        }
    }
    found
}

/// The keys that the file has, commented out or not; each needs a comment above.
fn documented(text: &str) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    let mut comment_above = false;
    for line in text.lines() {
        let key = line
            .trim_start_matches("# ")
            .split_once(" = ")
            .map(|(key, _)| key);
        match key.filter(|key| {
            !key.is_empty() && key.chars().all(|c| c.is_ascii_lowercase() || c == '_')
        }) {
            Some(key) => {
                assert!(comment_above, "{FILE}: {key} has no comment above it");
                assert!(found.insert(key.to_owned()), "{FILE}: {key} is there twice");
                comment_above = false;
            }
            None => comment_above = line.starts_with('#'),
        }
    }
    found
}

#[test]
fn every_key_of_the_replicas_configuration_is_described_in_the_example_and_no_other() {
    let known = known();
    assert!(known.len() >= 4, "only {known:?}");
    assert_eq!(documented(&read(FILE)), known);
}

#[test]
fn the_example_is_the_default() {
    let example: white_city_replica::Config = toml::from_str(&read(FILE)).unwrap();
    assert_eq!(example, white_city_replica::Config::default());
}
