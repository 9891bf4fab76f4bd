//! `kill -9` at every step by which a replica changes its files: blocks, enactments with their links, snapshots that are made and given
//! up, and a restore. The process that dies is this program, as [`worker`]; what it has said to be stored is there again, with the same
//! root, and every snapshot that it offers is whole.
//!
//! A few steps of each kind are tried, chosen by `WHITE_CITY_SEED`; all of them with `WHITE_CITY_KILLS=all`.

mod joining;
mod life;

use std::{
    env,
    path::Path,
    process::{Command, Output},
};

use white_city_tests::steps::{Step, Steps, some_of_each};

use self::life::{FOLDER, Life, SCENARIO, Scenario};
use crate::history::{BLOCKS, FOUND, SEED};

/// Steps that are tried of each call to each kind of file: of stores, which write much, and of the other files.
const OF_STORES: usize = 3;
const OF_OTHERS: usize = 1;

/// Runs the worker; it dies at a step, or at none.
fn run(steps: &Steps, scenario: Scenario, folder: &Path, at: usize) -> Output {
    run_as(steps, scenario.name(), folder, at)
}

fn run_as(steps: &Steps, scenario: &str, folder: &Path, at: usize) -> Output {
    let worker = [
        "killed::worker",
        "--exact",
        "--nocapture",
        "--test-threads=1",
    ];
    let mut command = Command::new(env::current_exe().unwrap());
    command
        .args(worker)
        .env(FOLDER, folder)
        .env(SCENARIO, scenario)
        .env(SEED, FOUND.to_string())
        .envs(steps.variables(&folder.join("home"), at));
    command.output().unwrap()
}

/// Runs the worker to its end.
fn run_whole(steps: &Steps, scenario: Scenario, folder: &Path, what: &str) -> Said {
    let output = run(steps, scenario, folder, 0);
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{what}: {errors}");
    Said::of(&output)
}

/// What a worker has said.
#[derive(Debug, Default)]
struct Said {
    /// Height of its store when it was opened; 0 for none.
    opened: u64,
    /// Height of the last block that it has stored, or of the snapshot that it has restored.
    stored: u64,
    /// Heights of the snapshots that it had when it was opened.
    found: Vec<u64>,
    /// Heights of those that it has offered.
    offered: Vec<u64>,
    /// Number of links that it has taken.
    links: usize,
    is_whole: bool,
}

impl Said {
    fn of(output: &Output) -> Self {
        let text = String::from_utf8_lossy(&output.stdout);
        let mut said = Self::default();
        for line in text.lines() {
            let Some((_, line)) = line.split_once("life: ") else {
                continue;
            };
            let mut words = line.split(' ');
            let (what, number) = (words.next(), words.next());
            let number = number.map_or(0, |number| number.parse().unwrap());
            match what {
                Some("opened") => said.opened = number,
                Some("found") => said.found.push(number),
                Some("stored") => said.stored = number,
                Some("offers") => said.offered.push(number),
                Some("link") => said.links += 1,
                Some("whole") => said.is_whole = true,
                other => panic!("{other:?}"),
            }
        }
        said
    }
}

/// Kind of a file: its name, without numbers.
fn kind(file: &str) -> String {
    file.replace(|letter: char| letter.is_ascii_digit(), "")
}

/// Kills a worker at a step, and lets it go on.
fn kill(steps: &Steps, scenario: Scenario, life: &Life, step: &Step) {
    let folder = life.folder();
    let what = format!("{}, killed at {step:?}", scenario.name());
    let killed = run(steps, scenario, folder.path(), step.number);
    let errors = String::from_utf8_lossy(&killed.stderr).into_owned();
    // Two threads write, so a run may have a few steps less.
    assert!(!killed.status.success(), "{what}: it lives. {errors}");
    assert_eq!(killed.status.code(), None, "{what}: {errors}");
    let before = Said::of(&killed);
    let after = run_whole(steps, scenario, folder.path(), &what);
    assert!(after.is_whole, "{what}");
    let next = before.stored.max(before.opened)..=before.stored.max(before.opened) + 1;
    // A restore is one step: from nothing to the snapshot's block.
    let restored = scenario == Scenario::Restore && after.opened == life.restored_height();
    assert!(
        next.contains(&after.opened) || restored,
        "{what}: {before:?}, {after:?}"
    );
    for offered in before.offered.iter().rev().take(1) {
        let is_there = after.found.iter().any(|found| found >= offered);
        assert!(is_there, "{what}: {before:?}, {after:?}");
    }
    assert_eq!(after.stored.max(after.opened), life.end(), "{what}");
}

/// Some steps of each kind. What is made of blocks after a restore is the same as without one.
fn some(all: &[Step], scenario: Scenario) -> Vec<Step> {
    let seed = env::var("WHITE_CITY_SEED").ok();
    let seed = seed.map_or(1, |text| text.parse().unwrap());
    let is_of_store = |step: &Step| step.file.starts_with("board");
    let (stores, others): (Vec<Step>, Vec<Step>) = all.iter().cloned().partition(is_of_store);
    let mut chosen = some_of_each(&stores, OF_STORES, seed, kind);
    if scenario == Scenario::Blocks {
        chosen.extend(some_of_each(&others, OF_OTHERS, seed, kind));
    }
    chosen
}

fn kill_everywhere(scenario: Scenario) -> Vec<Step> {
    let tools = tempfile::tempdir().unwrap();
    let steps = Steps::new(tools.path()).unwrap();
    let life = Life::new(scenario);
    let whole = life.folder();
    let said = run_whole(&steps, scenario, whole.path(), "never killed");
    assert!(said.is_whole && said.stored == life.end(), "{said:?}");
    if scenario == Scenario::Blocks {
        assert!(said.offered.len() > 3 && said.links > 0, "{said:?}");
    }
    let all = steps.told();
    let chosen = match env::var("WHITE_CITY_KILLS").is_ok_and(|kills| kills == "all") {
        true => all.clone(),
        false => some(&all, scenario),
    };
    println!(
        "{}: {} of {} steps",
        scenario.name(),
        chosen.len(),
        all.len()
    );
    for step in &chosen {
        kill(&steps, scenario, &life, step);
    }
    all
}

/// Whether there is such a step.
fn has(steps: &[Step], call: &str, file: &str) -> bool {
    let mut all = steps.iter();
    all.any(|step| step.call == call && step.file.starts_with(file))
}

#[test]
fn a_replica_that_is_killed_at_any_step_of_blocks_and_snapshots_has_lost_nothing() {
    let steps = kill_everywhere(Scenario::Blocks);
    assert!(steps.len() > BLOCKS, "{}", steps.len());
    for (call, file) in [
        ("sync", "board.making"),
        ("rename", "board.making"),
        ("write", "board.redb"),
        ("sync", "board.redb"),
        ("sync", "snapshots/making"),
        ("rename", "snapshots/making"),
        ("sync", "snapshots"),
        ("rename", "snapshots/3"),
        ("remove", "snapshots/dropped"),
    ] {
        assert!(has(&steps, call, file), "{call} {file}");
    }
    // Nothing is taken out of a snapshot, or written into one, that looks whole.
    let named = |step: &&Step| {
        let file = step.file.strip_prefix("snapshots/").unwrap_or_default();
        file.starts_with(|letter: char| letter.is_ascii_digit()) && step.call != "rename"
    };
    assert_eq!(steps.iter().find(named), None);
}

#[test]
fn a_replica_that_is_killed_at_any_step_of_a_restore_goes_on_or_restores_again() {
    let steps = kill_everywhere(Scenario::Restore);
    for (call, file) in [
        ("write", "board.restoring"),
        ("sync", "board.restoring"),
        ("rename", "board.restoring"),
        ("sync", "board.redb"),
    ] {
        assert!(has(&steps, call, file), "{call} {file}");
    }
}

/// The process that is killed; by itself, a life that isn't interrupted.
#[test]
fn worker() {
    if !joining::work() {
        life::work();
    }
}
