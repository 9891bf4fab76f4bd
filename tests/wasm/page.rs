//! What carries a party in a page, under Node: whom it asks and until when, and what it keeps before it goes on.

use std::{fs, process::Command};

use crate::module::{is_possible, root};

#[test]
fn what_carries_a_party_asks_all_and_keeps_first() {
    if !is_possible() {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    for script in ["asking", "keep", "party", "verifier"] {
        let name = format!("{script}.js");
        let page = root().join("client/explorer/page").join(&name);
        fs::copy(page, dir.path().join(name)).unwrap();
    }
    fs::write(dir.path().join("package.json"), r#"{"type":"module"}"#).unwrap();
    let tests = dir.path().join("page.mjs");
    fs::copy(root().join("tests/wasm/page.mjs"), &tests).unwrap();
    let output = Command::new("node").arg(tests).output().unwrap();
    let (said, failed) = (output.stdout, String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{failed}");
    assert_eq!(String::from_utf8_lossy(&said), "all hold\n", "{failed}");
}
