//! The verifier, and what a party runs, as modules of WebAssembly, as tests build them.

use std::{
    env,
    path::{Path, PathBuf},
    process::Command,
};

const TARGET: &str = "wasm32-unknown-unknown";

/// The repository.
pub fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// The output of a program that ends well.
pub fn output(command: &mut Command) -> Option<String> {
    let output = command.output().ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    output.status.success().then(|| text.trim().to_owned())
}

/// Whether this machine has what it takes to build the module, and Node; if it hasn't, that is said.
pub fn is_possible() -> bool {
    let rustc = env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let libraries = ["--print", "target-libdir", "--target", TARGET];
    let libraries = output(Command::new(rustc).args(libraries).current_dir(root()));
    let has_target = libraries.is_some_and(|folder| Path::new(&folder).is_dir());
    let has_node = output(Command::new("node").arg("--version")).is_some();
    if has_target && has_node {
        return true;
    }
    missing("Node, and `rustup target add wasm32-unknown-unknown`")
}

/// Says that a test didn't run for want of something, which is no excuse where everything is required.
pub fn missing(what: &str) -> bool {
    assert!(
        env::var_os("WHITE_CITY_REQUIRE_COMETBFT").is_none(),
        "required here: {what}"
    );
    eprintln!("NOT RUN: this test needs {what}");
    false
}

/// Builds the modules.
fn built(name: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("wasm");
    let cargo = env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let built = Command::new(cargo)
        .args(["build", "--quiet", "--locked", "--offline"])
        .args(["-p", "white-city-wasm", "-p", "white-city-party-wasm"])
        .args(["--target", TARGET, "--target-dir"])
        .arg(&folder)
        .current_dir(root())
        .status();
    assert!(built.unwrap().success());
    folder.join(TARGET).join("debug").join(name)
}

/// The verifier.
pub fn module() -> PathBuf {
    built("white_city_wasm.wasm")
}

/// What a party runs.
pub fn party() -> PathBuf {
    built("white_city_party_wasm.wasm")
}
