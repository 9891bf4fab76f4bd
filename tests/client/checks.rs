//! Checks of the client, one by one, and its code without each: `checks.json`. Here the list is kept true; that some test
//! fails without each of them is shown by `cargo run -p white-city-tests --example checks`.

use std::{collections::BTreeSet, path::Path};

use serde_json::Value;

#[test]
fn each_check_of_the_list_is_in_the_code_once() {
    let checks: Vec<Value> = serde_json::from_str(include_str!("checks.json")).unwrap();
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let mut names = BTreeSet::new();
    for check in &checks {
        let field = |name: &str| check[name].as_str().unwrap();
        let file = std::fs::read_to_string(root.join(field("file"))).unwrap();
        assert_eq!(file.matches(field("code")).count(), 1, "{check}");
        assert_ne!(field("code"), field("without"), "{check}");
        assert!(names.insert(field("check")), "{check}");
    }
    assert!(names.len() > 80, "{}", names.len());
}
