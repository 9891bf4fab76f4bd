//! Merkle trees: their roots, and each path in both directions.

use std::sync::Arc;

use serde_json::{Value, json};
use white_city_state_machine::AppendTree;
use white_city_wire::{
    Hash,
    tree::{SlotTree, append_root_from_path, slot_root_from_path},
};

use crate::case::{Case, hexed, numbered};

pub fn tree(case: &Case) {
    let input = case.input();
    let n: u32 = input.number("n");
    let leaves = numbered(n);
    match input.text("kind") {
        "slots" => {
            let n = u16::try_from(n).unwrap();
            let tree = SlotTree::new(leaves.clone());
            let path = |i: u32| tree.path(i.try_into().unwrap()).unwrap();
            let back = |i: u32, path: &[Hash]| {
                slot_root_from_path(leaves[i as usize], i.try_into().unwrap(), n, path)
            };
            compare(case, tree.root(), path, back);
        }
        "append" => {
            let mut tree = AppendTree::default();
            for (i, leaf) in (0..).zip(&leaves) {
                tree.set(i, *leaf, Arc::new(i));
            }
            let path = |i| tree.path(i).unwrap();
            let back = |i: u32, path: &[Hash]| append_root_from_path(leaves[i as usize], i, path);
            compare(case, tree.root(), path, back);
        }
        other => panic!("unknown kind {other}"),
    }
}

fn compare(
    case: &Case,
    root: Hash,
    path: impl Fn(u32) -> Vec<Hash>,
    back: impl Fn(u32, &[Hash]) -> Option<Hash>,
) {
    let paths: Vec<Value> = case
        .output()
        .list("paths")
        .map(|said| {
            let index: u32 = said.number("index");
            let path = path(index);
            assert_eq!(back(index, &path), Some(root));
            let listed: Vec<Value> = path.iter().map(|node| hexed(node.0)).collect();
            json!({ "index": index, "path": listed })
        })
        .collect();
    case.expect([("root", hexed(root.0)), ("paths", Value::from(paths))]);
}
