//! Rules about the repository itself. With `UPDATE=1` the generated files are written instead of compared.

mod comments;
mod config;
mod deny;
mod dependencies;
mod generated;
mod modules;
mod promises;
mod refusals;
mod specification;
mod text;

use std::{
    env, fs,
    path::{Path, PathBuf},
    process::Command,
};

/// The repository's root.
fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// A file of the repository.
fn read(path: impl AsRef<Path>) -> String {
    let path = root().join(path);
    fs::read_to_string(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
}

/// Output of cargo, at the root.
fn cargo(arguments: &[&str]) -> String {
    let cargo = env::var("CARGO").unwrap_or_else(|_| "cargo".into());
    let output = Command::new(cargo)
        .args(arguments)
        .current_dir(root())
        .output()
        .unwrap();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8(output.stdout).unwrap()
}

/// Compares a generated file with what it should be, or writes it.
fn compare_or_update(path: &str, expected: &str) {
    let target = root().join(path);
    if std::env::var_os("UPDATE").is_some_and(|value| value == "1") {
        fs::create_dir_all(target.parent().unwrap()).unwrap();
        fs::write(&target, expected).unwrap();
    }
    let found = fs::read_to_string(&target).unwrap_or_default();
    let differs = found
        .lines()
        .zip(expected.lines())
        .position(|(a, b)| a != b);
    assert!(
        found == expected,
        "{path} isn't what its source generates (first difference in line {}); run the tests with UPDATE=1",
        differs.map_or(
            found.lines().count().min(expected.lines().count()),
            |line| line
        ) + 1,
    );
}

/// Every file of the repository that people write, as a path from its root, and its text.
fn files() -> Vec<(String, String)> {
    let mut found = Vec::new();
    walk(&root(), "", &mut found);
    assert!(found.len() > 100, "only {} files", found.len());
    found
}

fn walk(folder: &Path, at: &str, found: &mut Vec<(String, String)>) {
    for entry in fs::read_dir(folder).unwrap() {
        let entry = entry.unwrap();
        let name = entry.file_name().into_string().unwrap();
        // Links are followed: the folder may be a view of the repository.
        let kind = fs::metadata(entry.path()).map(|meta| meta.is_dir());
        let path = if at.is_empty() {
            name.clone()
        } else {
            format!("{at}/{name}")
        };
        match kind {
            Ok(true)
                if [".git", "target", "node_modules", "__pycache__"].contains(&name.as_str()) => {}
            Ok(true) => walk(&entry.path(), &path, found),
            Ok(false) => {
                if let Ok(text) = fs::read_to_string(entry.path()) {
                    found.push((path, text));
                }
            }
            Err(_) => {}
        }
    }
}
