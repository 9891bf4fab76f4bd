//! Removes each check of the client in turn, in a copy, and says which test notices.
//!
//! ```console
//! $ cargo run -p white-city-tests --example checks              # all of tests/client/checks.json: some hours
//! $ cargo run -p white-city-tests --example checks -- R2-data-hash
//! ```
//!
//! Ends with 1 if a check was removed and nothing failed.

use std::{
    path::Path,
    process::{Command, ExitCode},
};

use serde_json::Value;

/// Tests that may notice a missing check, the fastest first.
const TESTS: [&[&str]; 10] = [
    &["-p", "white-city-wire", "--lib"],
    &["-p", "white-city-verify", "--lib"],
    &["-p", "white-city-party", "--lib"],
    &["-p", "white-city-client", "--lib"],
    &["-p", "white-city-cli", "--lib"],
    &["-p", "white-city-kit", "--test", "it", "--", "parts::"],
    &["-p", "white-city-tests", "--test", "receipts"],
    &["-p", "white-city-tests", "--test", "client"],
    &["-p", "white-city-tests", "--test", "forks"],
    &[
        "-p",
        "white-city-tests",
        "--test",
        "resume",
        "--",
        "refused::",
        "kept::a_party_that_has_its_outcome",
        "consent::nobody_makes",
        "results::a_result",
        "reshared::a_resharing",
        "many::",
    ],
];

fn main() -> ExitCode {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let list = std::fs::read_to_string(root.join("tests/client/checks.json")).unwrap();
    let checks: Vec<Value> = serde_json::from_str(&list).unwrap();
    let wanted: Vec<String> = std::env::args().skip(1).collect();
    let copy = tempfile::tempdir().unwrap();
    clone(&root, copy.path());
    let mut unnoticed = 0;
    for check in &checks {
        let field = |name: &str| check[name].as_str().unwrap();
        let name = field("check");
        if !wanted.is_empty() && !wanted.iter().any(|one| one == name) {
            continue;
        }
        let file = copy.path().join(field("file"));
        let whole = std::fs::read_to_string(&file).unwrap();
        std::fs::write(&file, whole.replacen(field("code"), field("without"), 1)).unwrap();
        let noticed = TESTS.iter().find_map(|tests| failing(copy.path(), tests));
        std::fs::write(&file, whole).unwrap();
        unnoticed += usize::from(noticed.is_none());
        println!(
            "{name:<28} {}",
            noticed.as_deref().unwrap_or("NOBODY NOTICES")
        );
    }
    ExitCode::from(u8::from(unnoticed > 0))
}

/// A copy of all that is committed, with what isn't yet.
fn clone(root: &Path, to: &Path) {
    let listed = Command::new("git")
        .args(["ls-files"])
        .current_dir(root)
        .output();
    let listed = String::from_utf8(listed.unwrap().stdout).unwrap();
    for file in listed.lines() {
        let target = to.join(file);
        std::fs::create_dir_all(target.parent().unwrap()).unwrap();
        std::fs::copy(root.join(file), target).unwrap();
    }
}

/// The first test that fails, if one does.
fn failing(copy: &Path, tests: &[&str]) -> Option<String> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let run = Command::new(cargo)
        .arg("test")
        .args(tests)
        .current_dir(copy)
        .env("RUSTFLAGS", "-A warnings")
        .env("CARGO_TARGET_DIR", copy.join("target"))
        .output()
        .unwrap();
    if run.status.success() {
        return None;
    }
    let text = String::from_utf8_lossy(&run.stdout).into_owned();
    let failed = text.lines().find_map(|line| {
        let name = line.strip_prefix("test ")?.strip_suffix(" ... FAILED")?;
        Some(name.to_owned())
    });
    Some(failed.unwrap_or_else(|| "it doesn't build".into()))
}
