//! Files that the tests of the bytes have frozen.

use std::path::{Path, PathBuf};

use serde_json::Value;

/// A folder or file of the repository's tests.
pub fn path(below: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(below)
}

/// Contents of a file of the repository's tests.
pub fn read(below: &str) -> Vec<u8> {
    let path = path(below);
    std::fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// A column of bytes from a golden file.
pub fn column(file: &str, pointer: &str) -> Vec<Vec<u8>> {
    let cases: Vec<Value> = serde_json::from_slice(&read(&format!("golden/{file}.json")))
        .expect("a golden file is a list");
    let found: Vec<Vec<u8>> = cases
        .iter()
        .map(|case| match case.pointer(pointer) {
            Some(Value::String(text)) => hex::decode(text).expect("a column of bytes"),
            Some(other) => other.to_string().into_bytes(),
            None => panic!("{file}: no {pointer}"),
        })
        .collect();
    assert!(!found.is_empty());
    found
}
