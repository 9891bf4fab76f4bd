//! The verifier as WebAssembly, under Node: frozen receipts and a recorded read verify, and what was changed doesn't; and what carries a
//! party in a page.
//!
//! Where there is no Node, or Rust's target `wasm32-unknown-unknown` isn't installed, these tests say loudly that they did not run;
//! `WHITE_CITY_REQUIRE_COMETBFT=1` forbids that, as CI does.

mod module;
mod page;
mod party;
mod recorded;

use std::{
    fs,
    io::Write,
    path::Path,
    process::{Command, Stdio},
};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use module::{is_possible, module, root};
use prost::Message as _;
use serde_json::{Value, json};
use white_city_client::{
    receipt::checksum,
    wire::pb::{self, receipt::Body},
};

/// Needs of a case: which check, and the inputs.
type Case = (&'static str, Vec<Vec<u8>>);

/// Answers of Node to the cases, by the verifier.
fn run(cases: &[Case]) -> Vec<Value> {
    run_on(&module(), cases)
}

/// Answers of Node to the cases, one after the other, by a module.
fn run_on(module: &Path, cases: &[Case]) -> Vec<Value> {
    let cases = cases.iter().map(|(verify, inputs)| {
        let inputs = inputs.iter().map(|input| STANDARD.encode(input));
        json!([verify, inputs.collect::<Vec<_>>()])
    });
    let cases: Vec<Value> = cases.collect();
    let mut node = Command::new("node")
        .arg(root().join("tests/wasm/verify.mjs"))
        .arg(module)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = node.stdin.take().unwrap();
    stdin
        .write_all(json!(cases).to_string().as_bytes())
        .unwrap();
    drop(stdin);
    let output = node.wait_with_output().unwrap();
    assert!(output.status.success());
    let said: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(said["imports"], json!([]), "it reaches nothing outside");
    let results = said["results"].as_array().unwrap().clone();
    assert_eq!(results.len(), cases.len());
    results
}

fn frozen(name: &str) -> Vec<u8> {
    fs::read(root().join("tests/golden/receipts").join(name)).unwrap()
}

#[test]
fn every_frozen_receipt_verifies_and_says_the_same() {
    if !is_possible() {
        return;
    }
    let (mut cases, mut words) = (Vec::new(), Vec::new());
    for entry in fs::read_dir(root().join("tests/golden/receipts")).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|kind| kind == "receipt") {
            let receipt = fs::read(&path).unwrap();
            cases.push(("verify_receipt", vec![frozen("genesis.json"), receipt]));
            words.push(fs::read_to_string(path.with_extension("txt")).unwrap());
        }
    }
    assert!(cases.len() >= 21, "{}", cases.len());
    for (said, words) in run(&cases).iter().zip(words) {
        let text = said["proven"]["text"].as_str();
        assert_eq!(text, Some(words.trim_end()), "{said}");
    }
}

/// The receipt with something changed, and the right checksum.
fn changed(receipt: &[u8], change: impl FnOnce(&mut pb::EndReceipt)) -> Vec<u8> {
    let (message, _) = receipt.split_at(receipt.len() - 32);
    let mut receipt = pb::Receipt::decode(message).unwrap();
    let Some(Body::End(end)) = &mut receipt.body else {
        panic!("another kind");
    };
    change(end);
    let mut bytes = receipt.encode_to_vec();
    let sum = checksum(&bytes);
    bytes.extend_from_slice(&sum.0);
    bytes
}

#[test]
fn a_changed_receipt_is_refused_with_the_reason() {
    if !is_possible() {
        return;
    }
    let (genesis, end) = (frozen("genesis.json"), frozen("end.receipt"));
    let mut flipped = end.clone();
    flipped[100] ^= 1;
    let header = changed(&end, |end| {
        let header = &mut end.anchor.as_mut().unwrap().signed_header;
        *header.last_mut().unwrap() ^= 1;
    });
    let outcome = changed(&end, |end| {
        end.finishes.as_mut().unwrap().signatures[7] ^= 1;
    });
    let other: Value = serde_json::from_slice(&genesis).unwrap();
    let mut other = other;
    other["chain_id"] = json!("another-chain");
    let other = other.to_string().into_bytes();
    let cases = [
        (vec![genesis.clone(), end.clone()], None),
        (
            vec![genesis.clone(), flipped],
            Some(("receipt", "Checksum")),
        ),
        (vec![genesis.clone(), header], Some(("receipt", "Header"))),
        (vec![genesis, outcome], Some(("receipt", "Signature"))),
        (vec![other, end.clone()], Some(("receipt", "Network"))),
        (vec![b"{}".to_vec(), end], Some(("genesis", "Json"))),
    ];
    let inputs = cases
        .iter()
        .map(|(inputs, _)| ("verify_receipt", inputs.clone()));
    for (said, (_, refused)) in run(&inputs.collect::<Vec<_>>()).iter().zip(&cases) {
        match refused {
            None => assert_eq!(said["proven"]["kind"], "end", "{said}"),
            Some((by, reason)) => {
                let found = (&said["refused"]["by"], &said["refused"]["reason"]);
                assert_eq!(found, (&json!(by), &json!(reason)), "{said}");
            }
        }
    }
}

#[test]
fn a_recorded_read_verifies_and_a_changed_one_does_not() {
    if !is_possible() {
        return;
    }
    let read = recorded::read();
    let honest = read.inputs();
    let mut cases = vec![("verify_read", honest.clone())];
    for at in (0..read.answer.len()).step_by(7) {
        let mut inputs = honest.clone();
        inputs[3][at] ^= 1;
        cases.push(("verify_read", inputs));
    }
    let answers = cases.len();
    let mut header = honest.clone();
    *header[1].last_mut().unwrap() ^= 1;
    cases.push(("verify_read", header));
    let mut question = honest;
    *question[2].last_mut().unwrap() ^= 1;
    cases.push(("verify_read", question));
    let said = run(&cases);
    assert_eq!(said[0]["proven"], read.proven);
    // Nothing else is proven by it: it is refused, or was changed where nobody looks (the answer has the slots, too).
    let changed = &said[1..answers];
    let (proven, refused): (Vec<_>, Vec<_>) =
        changed.iter().partition(|said| said["proven"].is_object());
    assert!(proven.iter().all(|said| said["proven"] == read.proven));
    assert!(refused.iter().all(|said| said["refused"]["by"] == "answer"));
    assert!(
        refused.len() > 9 * proven.len(),
        "{} of {}",
        proven.len(),
        changed.len()
    );
    assert_eq!(said[answers]["refused"]["by"], "header");
    let other = &said[answers + 1]["refused"]["text"];
    assert_eq!(other, "answer: an answer about another session");
}
