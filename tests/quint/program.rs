//! Quint as a program: whether it is there, simulations, and tests of generated modules.

use std::{
    env, fs,
    path::{Path, PathBuf},
    process::{Command, Output},
};

use serde_json::Value as Json;

use crate::value::Value;

/// The program, where `npm ci` in `tests/quint` puts it.
const PROGRAM: &str = "quint/node_modules/@informalsystems/quint/dist/src/cli.js";

/// The folder of the specification.
pub fn specification() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/spec")
}

/// The rules and the machine.
pub fn text() -> String {
    fs::read_to_string(specification().join("session.qnt")).unwrap()
}

/// A folder of this name for what a test generates, empty.
pub fn folder(name: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR"))
        .join("quint")
        .join(name);
    fs::remove_dir_all(&folder).ok();
    fs::create_dir_all(&folder).unwrap();
    folder
}

fn program() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(PROGRAM)
}

/// Whether this machine has what it takes; if it hasn't, that is said.
pub fn is_possible() -> bool {
    let node = Command::new("node").arg("--version").output();
    let has_node = node.is_ok_and(|output| output.status.success());
    if has_node && program().is_file() {
        return true;
    }
    let missing = "Node 20, and Quint: `npm ci --prefix tests/quint`";
    assert!(
        env::var_os("WHITE_CITY_REQUIRE_COMETBFT").is_none(),
        "required here: {missing}"
    );
    eprintln!("NOT RUN: this test needs {missing}");
    false
}

/// Runs Quint. Its default evaluator would be downloaded: this one comes with it.
pub fn quint(command: &str, module: &Path, arguments: &[&str]) -> Output {
    let mut quint = Command::new("node");
    quint.arg(program()).arg(command).arg(module);
    if command != "typecheck" {
        quint.args(["--backend", "typescript"]);
    }
    quint.args(arguments).output().unwrap()
}

/// Everything that a program has said.
pub fn said(output: &Output) -> String {
    [&output.stdout, &output.stderr]
        .map(|text| String::from_utf8_lossy(text).into_owned())
        .concat()
}

/// A trace: its states, each with every variable.
pub type Trace = Vec<Value>;

/// The traces in a folder, in the order of their names.
pub fn traces(folder: &Path) -> Vec<Trace> {
    let files = fs::read_dir(folder)
        .unwrap()
        .map(|file| file.unwrap().path());
    let mut files: Vec<PathBuf> = files
        .filter(|path| path.to_string_lossy().ends_with(".itf.json"))
        .collect();
    files.sort();
    files.iter().map(|file| trace(file)).collect()
}

/// The trace in a file.
pub fn trace(file: &Path) -> Trace {
    let json: Json = serde_json::from_slice(&fs::read(file).unwrap()).unwrap();
    let states = json["states"].as_array().unwrap();
    states.iter().map(state).collect()
}

/// A state, without what the format adds to it.
fn state(json: &Json) -> Value {
    let fields = json.as_object().unwrap().iter();
    let fields = fields.filter(|(name, _)| *name != "#meta" && *name != "mbt::nondetPicks");
    let fields = fields.map(|(name, value)| (name.clone(), Value::from_itf(value)));
    Value::Record(fields.collect())
}
