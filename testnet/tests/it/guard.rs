//! No program outlives the launcher

use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{Command, Stdio};

use nix::sys::signal::Signal;

use crate::support::{LAUNCHER, Started, runs, signal, wait_until};

struct Guarded {
    guard: Started,
    output: BufReader<std::process::ChildStdout>,
    pid: u32,
    _dir: tempfile::TempDir,
}

fn guarded(command: &[&str]) -> Guarded {
    let dir = tempfile::tempdir().unwrap();
    let mut guard = Command::new(LAUNCHER)
        .args(["guard", "--stderr"])
        .arg(dir.path().join("log"))
        .arg("--")
        .args(command)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .map(Started)
        .unwrap();
    let mut output = BufReader::new(guard.stdout.take().unwrap());
    let mut line = String::new();
    output.read_line(&mut line).unwrap();
    let pid = line
        .trim()
        .strip_prefix("pid ")
        .unwrap_or_else(|| panic!("{line}"))
        .parse()
        .unwrap();
    assert!(runs(pid));
    Guarded {
        guard,
        output,
        pid,
        _dir: dir,
    }
}

impl Guarded {
    fn last_line(&mut self) -> String {
        let mut line = String::new();
        self.output.read_line(&mut line).unwrap();
        self.guard.wait().unwrap();
        line.trim().to_owned()
    }
}

#[test]
fn the_program_ends_when_the_guards_input_closes() {
    let mut guarded = guarded(&["sleep", "600"]);
    drop(guarded.guard.stdin.take());
    assert_eq!(guarded.last_line(), "exit signal 15");
    assert!(!runs(guarded.pid));
}

#[test]
fn a_program_that_ignores_the_request_or_is_frozen_ends_all_the_same() {
    let mut stubborn = guarded(&["sh", "-c", "trap '' TERM; while :; do sleep 1; done"]);
    let mut frozen = guarded(&["sleep", "600"]);
    frozen
        .guard
        .stdin
        .as_mut()
        .unwrap()
        .write_all(b"stop\n")
        .unwrap();
    let state = |pid: u32| std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
    wait_until("the program to freeze", || {
        state(frozen.pid).contains(") T ")
    });
    drop(frozen.guard.stdin.take());
    drop(stubborn.guard.stdin.take());
    assert_eq!(frozen.last_line(), "exit signal 15");
    assert_eq!(stubborn.last_line(), "exit signal 9");
}

#[test]
fn exit_codes_and_failed_starts_are_told() {
    assert_eq!(
        guarded(&["sh", "-c", "sleep 0.2; exit 3"]).last_line(),
        "exit code 3"
    );
    let output = Command::new(LAUNCHER)
        .args(["guard", "--stderr", "/dev/null", "--", "/no/such/program"])
        .stdin(Stdio::piped())
        .output()
        .unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(text.starts_with("error /no/such/program: "), "{text}");
}

/// The launcher here is a shell, which holds the write end of the guard's input as the launcher
/// does.
#[test]
fn a_killed_launcher_takes_its_programs_along() {
    let dir = tempfile::tempdir().unwrap();
    let script = "mkfifo in || exit 1\n\
        \"$0\" guard --stderr /dev/null -- sleep 600 <in >pid &\n\
        exec 9>in\nwait\n";
    let mut launcher = Started(
        Command::new("sh")
            .args(["-c", script, LAUNCHER])
            .current_dir(dir.path())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap(),
    );
    let pid = || -> Option<u32> {
        let text = std::fs::read_to_string(dir.path().join("pid")).ok()?;
        text.strip_prefix("pid ")?.trim().parse().ok()
    };
    wait_until("the program to start", || pid().is_some());
    let pid = pid().unwrap();
    assert!(runs(pid));
    signal(launcher.id(), Signal::SIGKILL);
    launcher.wait().unwrap();
    wait_until("the program to end", || !runs(pid));
}
