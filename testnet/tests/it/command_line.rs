//! The program: a network in the foreground, controlled from elsewhere

use std::path::Path;
use std::process::{Command, Output, Stdio};

use nix::sys::signal::Signal;
use white_city_testnet::Network;

use crate::support::{LAUNCHER, Started, cometbft, runs, signal, wait_until};

fn up(dir: &Path) -> Started {
    Command::new(LAUNCHER)
        .args(["up", "--application", "kvstore", "--replicas", "1", "--dir"])
        .arg(dir)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .map(Started)
        .unwrap()
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
    let mut launcher = up(dir.path());
    let first = running(dir.path());
    assert_eq!(first.launcher_pid, launcher.id());
    assert!(
        !up(dir.path()).wait().unwrap().success(),
        "a second launcher is refused"
    );
    assert!(command(&["down"], dir.path()).status.success());
    assert!(launcher.wait().unwrap().success());
    assert!(!runs(first.replicas[0].node_pid));
    let again = command(&["down"], dir.path());
    assert!(!again.status.success());
    assert!(String::from_utf8_lossy(&again.stderr).contains("no launcher runs on"));

    let mut launcher = up(dir.path());
    let second = running(dir.path());
    assert_eq!(second.chain_id, first.chain_id);
    signal(launcher.id(), Signal::SIGTERM);
    assert!(launcher.wait().unwrap().success());
    assert!(!runs(second.replicas[0].node_pid));
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
