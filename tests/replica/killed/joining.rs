//! A node that deletes what it has of the chain, to begin with a snapshot of the board, or with its first block.

use std::{env, fs, path::Path};

use white_city_node::join_file::{self, Join};
use white_city_tests::steps::Steps;

use super::{
    life::{FOLDER, SCENARIO, folder, home},
    run_as,
};

/// Name of this scenario, and whether the node begins with a snapshot.
const JOIN: [(&str, bool); 2] = [("join", true), ("join-by-blocks", false)];
/// What is of the chain.
const CHAIN: [&str; 6] = [
    "data/blockstore.db/000001.log",
    "data/state.db/000001.log",
    "data/cs.wal/wal",
    "app/board.redb",
    "app/board.restoring",
    "app/snapshots/3/0",
];
/// What is not.
const KEPT: [&str; 3] = [
    "config/priv_validator_key.json",
    "data/priv_validator_state.json",
    "app/replica.toml",
];

fn fill(home: &Path) {
    for name in CHAIN.iter().chain(&KEPT) {
        let file = home.join(name);
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        fs::write(file, name).unwrap();
    }
}

/// Begins in a worker's folder, if that is what the worker is for.
pub fn work() -> bool {
    let scenario = env::var(SCENARIO).unwrap_or_default();
    let Some((_, by_snapshot)) = JOIN.iter().find(|(name, _)| *name == scenario) else {
        return false;
    };
    let join = Join {
        servers: match by_snapshot {
            true => vec!["http://a:1".into(), "http://b:1".into()],
            false => Vec::new(),
        },
        height: 7,
        hash: "00".into(),
        has_blocks: false,
    };
    let folder = env::var_os(FOLDER).unwrap();
    join_file::begin(&home(Path::new(&folder)), &join).unwrap();
    true
}

#[test]
fn a_node_that_is_killed_while_it_deletes_its_chain_deletes_the_rest() {
    let tools = tempfile::tempdir().unwrap();
    let steps = Steps::new(tools.path()).unwrap();
    for (scenario, by_snapshot) in JOIN {
        let (mut at, mut whole, mut gone) = (1, 0, 0);
        loop {
            let folder = folder();
            let home = home(folder.path());
            fill(&home);
            let killed = run_as(&steps, scenario, folder.path(), at);
            let has_ended = killed.status.success();
            // What its start does.
            join_file::begin_again(&home).unwrap();
            let left = CHAIN.iter().filter(|name| home.join(name).exists()).count();
            let is_pending = join_file::path(&home).exists();
            match left {
                // Killed before anything was said.
                6 => assert!(!is_pending && !has_ended, "{scenario} at {at}"),
                0 => assert_eq!(is_pending, by_snapshot, "{scenario} at {at}"),
                _ => panic!("{scenario} at {at}: {left} files are left"),
            }
            assert!(KEPT.iter().all(|name| home.join(name).exists()));
            (whole, gone) = (whole + usize::from(left > 0), gone + usize::from(left == 0));
            if has_ended {
                break;
            }
            assert_eq!(killed.status.code(), None, "{scenario} at {at}");
            at += 1;
        }
        assert!(whole > 2 && gone > CHAIN.len(), "{whole} {gone}");
    }
}

/// Once the engine has blocks of its own nothing is deleted any more.
#[test]
fn a_node_that_has_blocks_of_its_own_is_left_alone() {
    for has_blocks in [true, false] {
        let folder = folder();
        let home = home(folder.path());
        fill(&home);
        let is_there = || CHAIN.map(|name| home.join(name).exists());
        let join = format!(
            r#"{{ "servers": ["http://a:1"], "height": 7, "hash": "00", "has_blocks": {has_blocks} }}"#
        );
        fs::write(join_file::path(&home), join).unwrap();
        join_file::begin_again(&home).unwrap();
        assert_eq!(is_there(), [has_blocks; 6]);
        assert!(join_file::path(&home).exists());
        // Whoever starts without a snapshot forgets it.
        join_file::give_up(&home).unwrap();
        assert_eq!(is_there(), [has_blocks; 6]);
        assert!(!join_file::path(&home).exists());
    }
}
