//! A replica's configuration.

use std::fs;

use white_city_replica::Config;

use crate::{Target, golden, kept::folder};

/// The file `replica.toml`.
pub const CONFIG: Target = Target::new("config", seeds, take).within(4 << 20);

fn seeds() -> Vec<Vec<u8>> {
    let file = golden::read("../config/replica.toml");
    let text = String::from_utf8(file).expect("a configuration is text");
    // Without its comments, and each key alone.
    let keys: Vec<&str> = text.lines().filter(|line| line.contains('=')).collect();
    let keys: Vec<&str> = keys
        .iter()
        .map(|line| line.trim_start_matches(['#', ' ']))
        .collect();
    let mut seeds = vec![Vec::new(), keys.join("\n").into_bytes()];
    seeds.extend(keys.iter().map(|key| key.as_bytes().to_vec()));
    seeds
}

fn take(input: &[u8]) -> bool {
    let home = folder();
    fs::write(home.path().join("replica.toml"), input).unwrap();
    match Config::load(home.path()) {
        Ok(config) => {
            assert!(config.listen().is_ok() && config.store.starts_with(home.path()));
            true
        }
        Err(bad) => {
            assert!(!bad.to_string().is_empty());
            false
        }
    }
}
