//! The program: a network in the foreground, controlled from elsewhere

use std::path::Path;
use std::process::{Command, Output, Stdio};

use nix::sys::signal::Signal;
use white_city_testnet::Network;

use crate::support::{LAUNCHER, Started, cometbft, runs, signal, wait_until};

fn up(dir: &Path) -> Started {
    up_with(&["--replicas", "1"], dir)
}

fn up_with(words: &[&str], dir: &Path) -> Started {
    Command::new(LAUNCHER)
        .args(["up", "--application", "kvstore"])
        .args(words)
        .arg("--dir")
        .arg(dir)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .map(Started)
        .unwrap()
}

#[test]
fn a_value_out_of_its_range_is_a_wrong_argument_as_every_other() {
    let dir = tempfile::tempdir().unwrap();
    for words in [&["--replicas", "17"][..], &["--replicas", "many"]] {
        let refused = command(&[&["up"], words].concat(), dir.path());
        assert_eq!(refused.status.code(), Some(2), "{words:?}");
    }
}

fn command(words: &[&str], dir: &Path) -> Output {
    Command::new(LAUNCHER)
        .args(words)
        .arg("--dir")
        .arg(dir)
        .output()
        .unwrap()
}

fn running(dir: &Path) -> Network {
    let status = || {
        let output = command(&["status", "--json"], dir);
        serde_json::from_slice::<serde_json::Value>(&output.stdout).unwrap_or_default()
    };
    wait_until("the first block", || {
        status()["replicas"][0]["height"].as_u64() >= Some(1)
    });
    Network::read(&dir.join("network.json")).unwrap()
}

#[test]
fn down_ends_what_up_started_and_up_continues_it() {
    if !cometbft("up and down") {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let opener = "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a";
    let mut launcher = up_with(&["--replicas", "1", "--opener", opener], dir.path());
    let first = running(dir.path());
    assert_eq!(first.launcher_pid, launcher.id());
    let genesis = std::fs::read_to_string(&first.genesis).unwrap();
    assert!(genesis.contains(opener), "{genesis}");
    assert!(
        !up(dir.path()).wait().unwrap().success(),
        "a second launcher is refused"
    );
    let full = std::fs::OpenOptions::new().write(true).open("/dev/full");
    let unread = Command::new(LAUNCHER)
        .args(["status", "--dir"])
        .arg(dir.path())
        .stdout(full.unwrap())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let unread = unread.wait_with_output().unwrap();
    let text = String::from_utf8_lossy(&unread.stderr).into_owned();
    assert_eq!(unread.status.code(), Some(1), "{text}");
    assert!(text.contains("could not be printed"), "{text}");
    assert!(command(&["down"], dir.path()).status.success());
    assert!(launcher.wait().unwrap().success());
    assert!(!runs(first.replicas[0].node_pid));
    let again = command(&["down"], dir.path());
    assert!(!again.status.success());
    let text = String::from_utf8_lossy(&again.stderr).into_owned();
    assert!(text.contains("no launcher runs on"), "{text}");
    assert!(
        text.contains("expected white-city-testnet up --dir"),
        "{text}"
    );

    let other = command(&["up", "--opener", opener], dir.path());
    assert_eq!(other.status.code(), Some(1));
    let text = String::from_utf8_lossy(&other.stderr).into_owned();
    assert!(text.contains("openers are part of its genesis"), "{text}");

    let mut launcher = up(dir.path());
    let second = running(dir.path());
    assert_eq!(second.chain_id, first.chain_id);
    signal(launcher.id(), Signal::SIGTERM);
    assert!(launcher.wait().unwrap().success());
    assert!(!runs(second.replicas[0].node_pid));
}

#[test]
fn one_bad_home_keeps_nobody_else_from_starting_and_a_replica_is_wiped_without_a_launcher() {
    if !cometbft("a bad home") {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let mut launcher = up_with(&[], dir.path());
    running(dir.path());
    let chain = dir.path().join("replica3/data/blockstore.db");
    wait_until("its chain", || chain.exists());
    let busy = command(&["wipe", "3"], dir.path());
    assert!(String::from_utf8_lossy(&busy.stderr).contains("expected it to be stopped"));
    assert!(command(&["down"], dir.path()).status.success());
    assert!(launcher.wait().unwrap().success());

    let key = dir.path().join("replica3/config/node_key.json");
    std::fs::write(&key, "nonsense").unwrap();
    let mut launcher = up_with(&[], dir.path());
    running(dir.path());
    let status = || {
        let output = command(&["status", "--json"], dir.path());
        serde_json::from_slice::<serde_json::Value>(&output.stdout).unwrap()["replicas"].clone()
    };
    let height = status()[0]["height"].as_u64().unwrap();
    wait_until("the next block", || {
        status()[0]["height"].as_u64() > Some(height)
    });
    let bad = status()[3].clone();
    let why = bad["why"].as_str().unwrap();
    assert!(why.contains("replica3/config/node_key.json"), "{why}");
    assert!(
        bad["state"].as_str().unwrap().starts_with("halted"),
        "{bad}"
    );
    assert!(command(&["down"], dir.path()).status.success());
    assert!(launcher.wait().unwrap().success());

    assert!(chain.exists());
    let wiped = command(&["wipe", "3"], dir.path());
    assert!(wiped.status.success(), "{wiped:?}");
    assert!(!chain.exists() && key.exists());
    let none = command(&["wipe", "4"], dir.path());
    assert!(String::from_utf8_lossy(&none.stderr).contains("there is no replica 4"));
}

#[test]
fn a_launcher_that_is_killed_leaves_nothing_running_and_can_be_followed_by_another() {
    if !cometbft("a killed launcher") {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let mut launcher = up(dir.path());
    let network = running(dir.path());
    let node = network.replicas[0].node_pid;
    assert!(runs(node));
    signal(launcher.id(), Signal::SIGKILL);
    launcher.wait().unwrap();
    wait_until("the node to end", || !runs(node));
    let down = command(&["down"], dir.path());
    assert!(String::from_utf8_lossy(&down.stderr).contains("does not answer"));

    let mut launcher = up(dir.path());
    wait_until("the new launcher", || {
        command(&["status"], dir.path()).status.success()
    });
    running(dir.path());
    assert!(command(&["kill", "0"], dir.path()).status.success());
    assert!(!command(&["kill", "1"], dir.path()).status.success());
    assert!(command(&["down"], dir.path()).status.success());
    launcher.wait().unwrap();
}
