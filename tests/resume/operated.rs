//! Operators, who change the board's charter with the command line.

use std::fs;

use serde_json::Value;

use crate::world::{World, result, run, world};

/// A command of this board's, with the result that it prints.
async fn said(world: &World, args: &[&str]) -> Value {
    result(&run(world.command(&world.url(), args)).await)
}

/// A command that ends with this code and a text that says so.
async fn fails(world: &World, args: &[&str], code: i32, text: &str) {
    let done = run(world.command(&world.url(), args)).await;
    let err = String::from_utf8_lossy(&done.stderr);
    assert_eq!(done.status.code(), Some(code), "{args:?}: {err}");
    assert!(err.contains(text), "expected {text:?}: {err}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_charter_is_drafted_accepted_and_approved_and_what_cannot_follow_is_refused() {
    let world = world().await;
    let operator = world.net.dir().join("operators/replica0.key");
    let operator = operator.to_str().unwrap();
    let before = said(&world, &["board", "charter", "status"]).await;
    assert_eq!((&before["term"], &before["needed"]), (&0.into(), &1.into()));
    assert_eq!(before["operators"][0]["has_voted"], true);

    // The next one has another operator, and fewer sessions for strangers.
    let drafted = said(&world, &["board", "charter", "draft", "--out", "next.json"]).await;
    assert_eq!(drafted["term"], 1);
    fails(
        &world,
        &["board", "charter", "draft", "--out", "next.json"],
        2,
        "exists",
    )
    .await;
    let file = world.dir.path().join("next.json");
    let mut next: Value = serde_json::from_slice(&fs::read(&file).unwrap()).unwrap();
    let newcomer = said(&world, &["identity", "show", "party1.key"]).await["public_key"].clone();
    next["replicas"][0]["operator"] = newcomer.clone();
    next["anyone_max_live"] = 7.into();
    fs::write(&file, next.to_string()).unwrap();
    let diff = said(&world, &["board", "charter", "diff", "next.json"]).await;
    let changes = diff["changes"].as_array().unwrap();
    assert_eq!(changes.len(), 2, "{changes:?}");
    assert!(changes[0].as_str().unwrap().contains("its operator"));
    assert!(changes[1].as_str().unwrap().ends_with("becomes 7"));

    // Nobody becomes an operator without having said so, and nobody approves by accident.
    let mut approve = vec![
        "board",
        "charter",
        "approve",
        "next.json",
        "--identity",
        operator,
    ];
    fails(&world, &approve, 2, "hasn't accepted this charter").await;
    let accept = |key: &'static str| ["board", "charter", "accept", "next.json", "--identity", key];
    fails(&world, &accept("party2.key"), 2, "none of its operators").await;
    let accepted = said(&world, &accept("party1.key")).await;
    assert_eq!(accepted["charter_hash"], diff["charter_hash"]);
    let signature = accepted["signature"].as_str().unwrap();
    approve.extend(["--accepted", signature]);
    fails(&world, &approve, 2, "nobody has said yes").await;
    approve.push("--yes");
    let stranger = by(&approve, "party2.key");
    fails(&world, &stranger, 2, "an operator of the charter in force").await;

    let enacted = said(&world, &approve).await;
    assert_eq!(enacted["result"], "enacted");
    assert_eq!(enacted["charter_hash"], diff["charter_hash"]);
    let shown = said(&world, &["board", "charter", "show"]).await;
    assert_eq!(shown["charter"], next);
    assert_eq!(shown["charter_hash"], diff["charter_hash"]);
    // The old operator is none any more, and the new one is.
    fails(&world, &approve, 2, "an operator of the charter in force").await;
    let again = by(&approve, "party1.key");
    assert_eq!(said(&world, &again).await["result"], "enacted");
    // What follows another charter than the one in force is refused by the board with the reason.
    next["term"] = 2.into();
    fs::write(&file, next.to_string()).unwrap();
    fails(&world, &again, 4, "code 165").await;
    world.net.stop().await.unwrap();
}

/// The same arguments with another identity.
fn by<'a>(args: &[&'a str], key: &'a str) -> Vec<&'a str> {
    let mut args = args.to_vec();
    let at = args.iter().position(|arg| *arg == "--identity").unwrap();
    args[at + 1] = key;
    args
}
