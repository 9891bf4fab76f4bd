//! CometBFT's cache, with a stand-in for Go

use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use crate::support::LAUNCHER;

/// A `go` that counts how often it ran.
fn stand_in(dir: &Path, body: &str) {
    let go = dir.join("go");
    std::fs::write(
        &go,
        format!("#!/bin/sh\necho run >>{}/runs\n{body}\n", dir.display()),
    )
    .unwrap();
    std::fs::set_permissions(&go, std::fs::Permissions::from_mode(0o755)).unwrap();
}

/// Writes an executable to where `-o` says.
const BUILDS: &str = "test \"$CGO_ENABLED\" = 0 || exit 9\ntest -z \"$GOFLAGS\" || exit 8\n\
    test -f go.sum || exit 7\nsleep 0.3\n\
    while [ \"$1\" != -o ]; do shift; done\nprintf '#!/bin/sh\\n' >\"$2\"; chmod 755 \"$2\"";

fn command(dir: &Path, path: &str) -> Command {
    let mut command = Command::new(LAUNCHER);
    command
        .arg("cometbft")
        .env_remove("WHITE_CITY_COMETBFT")
        .env("WHITE_CITY_CACHE", dir.join("cache"))
        .env("GOFLAGS", "-mod=mod")
        .env("PATH", path)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    command
}

fn with_stand_in(dir: &Path) -> Command {
    command(dir, &format!("{}:/usr/bin:/bin", dir.display()))
}

fn error(output: &Output) -> String {
    assert!(!output.status.success());
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[test]
fn two_processes_at_once_build_once_and_a_third_not_at_all() {
    let dir = tempfile::tempdir().unwrap();
    stand_in(dir.path(), BUILDS);
    let both = [0, 1].map(|_| with_stand_in(dir.path()).spawn().unwrap());
    let paths = both.map(|child| {
        let output = child.wait_with_output().unwrap();
        assert!(
            output.status.success(),
            "{}",
            String::from_utf8_lossy(&output.stderr)
        );
        String::from_utf8(output.stdout).unwrap()
    });
    assert_eq!(paths[0], paths[1]);
    let third = with_stand_in(dir.path()).output().unwrap();
    assert_eq!(String::from_utf8(third.stdout).unwrap(), paths[0]);
    assert_eq!(
        std::fs::read_to_string(dir.path().join("runs")).unwrap(),
        "run\n"
    );
    let built = Path::new(paths[0].trim()).to_owned();
    assert!(built.is_file());
    let left: Vec<_> = built
        .parent()
        .unwrap()
        .read_dir()
        .unwrap()
        .map(|entry| entry.unwrap().file_name())
        .collect();
    assert_eq!(left.len(), 3, "the binary, the log and the lock: {left:?}");
}

#[test]
fn a_failed_build_shows_its_last_lines_and_is_tried_again() {
    let dir = tempfile::tempdir().unwrap();
    stand_in(dir.path(), "echo no space left on device >&2; exit 1");
    let text = error(&with_stand_in(dir.path()).output().unwrap());
    assert!(
        text.contains("exit code 1") && text.contains("no space left on device"),
        "{text}"
    );
    stand_in(dir.path(), BUILDS);
    assert!(with_stand_in(dir.path()).output().unwrap().status.success());
}

#[test]
fn a_missing_or_old_go_is_told_with_the_version_that_is_needed() {
    let dir = tempfile::tempdir().unwrap();
    let text = error(&command(dir.path(), "/nowhere").output().unwrap());
    assert!(
        text.contains("Go is not installed") && text.contains("1.25"),
        "{text}"
    );
    stand_in(
        dir.path(),
        "echo 'go: go.mod requires go >= 1.25.0 (running go 1.22.2; GOTOOLCHAIN=local)' >&2; exit 1",
    );
    let text = error(&with_stand_in(dir.path()).output().unwrap());
    assert!(
        text.contains("too old: found 1.22.2, CometBFT needs 1.25"),
        "{text}"
    );
}

#[test]
fn a_cache_that_cannot_be_written_is_told() {
    let dir = tempfile::tempdir().unwrap();
    stand_in(dir.path(), BUILDS);
    let mut command = with_stand_in(dir.path());
    let text = error(
        &command
            .env("WHITE_CITY_CACHE", "/proc/none")
            .output()
            .unwrap(),
    );
    assert!(text.contains("/proc/none"), "{text}");
}
