//! Parties that are services: they join by a policy, ask people, and are killed at any moment.

mod keys;

use std::{
    path::{Path, PathBuf},
    time::Duration,
};

use serde_json::Value;
use tokio::process::Child;
use white_city_client::{End, Receipt, SessionId, wire::tx::Leave};
use white_city_tests::rng::Rng;

use crate::world::{MESSAGE, PATIENCE, World, assert_signs, result, run, spawn, world};

/// Keys with everybody; payments, of which large ones go to a person and odd ones to a program.
const POLICY: &str = r#"
version = 1

[[rule]]
name = "keys"
protocols = ["eddsa-keygen"]
members = "any"
terms = { threshold = { min = 2 } }

[[rule]]
name = "refreshes"
protocols = ["eddsa-refresh"]
members = "any"

[[rule]]
name = "small"
protocols = ["eddsa-sign", "eddsa-sign-many"]
terms = { messages = { max = 2 } }
members = "any"
messages = { exact = ["resumed"], pattern = "pay [0-9]{1,2}" }

[[rule]]
name = "large"
protocols = ["eddsa-sign"]
members = "any"
messages = { pattern = "pay [0-9]{3,}" }
approver = { people = true }

[[rule]]
name = "odd"
protocols = ["eddsa-sign"]
members = "any"
messages = { pattern = "odd .*" }
approver = { program = ["/bin/sh", "-c", "grep -q 'odd but fine' || { echo too odd; exit 1; }"] }
"#;

fn folder(world: &World, party: usize) -> PathBuf {
    world.file(party, "party")
}

/// The service of a party.
fn serve(world: &World, party: usize) -> Child {
    serve_by(world, party, "policy.toml")
}

/// The same by this policy.
fn serve_by(world: &World, party: usize, policy: &str) -> Child {
    let file = |what: &str| format!("party{party}.{what}");
    let (key, key32, dir, home) = (file("key"), file("key32"), file("party"), file("home"));
    let args = [
        "party",
        "serve",
        "--identity",
        &key,
        "--key-file",
        &key32,
        "--policy",
        policy,
        "--dir",
        &dir,
        "--home",
        &home,
    ];
    spawn(world.command(&world.url(), &args))
}

/// All lines of a party's audit log about a session.
fn audit(world: &World, party: usize, id: SessionId) -> Vec<Value> {
    let log = std::fs::read_to_string(folder(world, party).join("audit.jsonl")).unwrap_or_default();
    let lines = log
        .lines()
        .filter_map(|line| serde_json::from_str::<Value>(line).ok());
    lines
        .filter(|line| line["session"] == id.to_string())
        .collect()
}

/// Waits for a line of a party's audit log.
async fn noted(world: &World, party: usize, id: SessionId, event: &str) -> Value {
    let found = async {
        loop {
            let lines = audit(world, party, id);
            if let Some(line) = lines.iter().find(|line| line["event"] == event) {
                return line.clone();
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    match tokio::time::timeout(PATIENCE, found).await {
        Ok(line) => line,
        Err(_) => panic!(
            "{event} of party {party} never came: {:?}",
            audit(world, party, id)
        ),
    }
}

async fn sign(world: &World, key: &str, message: &str) -> SessionId {
    let what = [
        "--preset",
        "eddsa-sign",
        "--public-key",
        key,
        "--message",
        message,
    ];
    world.open(&[0, 1], &what).await
}

/// A board with three services, and the key that they have made.
async fn served() -> (World, Vec<Child>, String, SessionId) {
    let world = world().await;
    // Whoever gets a share has to be named.
    let known: Vec<String> = (0..3)
        .map(|party| format!("{:?}", world.identity(party).to_string()))
        .collect();
    let rule = format!(
        "[[rule]]\nname = \"holders\"\nprotocols = [\"eddsa-reshare\"]\nmembers = [{}]\nterms = {{ holders = {{ min = 2 }} }}\n\
         approver = {{ program = [\"/bin/sh\", \"-c\", \"grep -q give.theirs.away\"] }}\n",
        known.join(", ")
    );
    std::fs::write(
        world.dir.path().join("policy.toml"),
        format!("{POLICY}\n{rule}"),
    )
    .unwrap();
    let services: Vec<Child> = (0..3).map(|party| serve(&world, party)).collect();
    let id = world.open_keygen().await;
    let mut key = String::new();
    for party in 0..3 {
        let made = noted(&world, party, id, "finished").await;
        key = made["result"]["public_key"].as_str().unwrap().to_owned();
        let receipt = std::fs::read(
            made["receipt"]
                .as_str()
                .map(|path| world.dir.path().join(path))
                .unwrap(),
        );
        let receipt = Receipt::from_bytes(&receipt.unwrap()).unwrap();
        receipt.verify(&world.trust()).unwrap();
    }
    (world, services, key, id)
}

/// Why a session ended before it began, by whom, and the number that it gave.
async fn declined(world: &World, id: SessionId) -> (u16, u16) {
    let client = world.client();
    let mut observer = client.observe(id).await.unwrap();
    let end = tokio::time::timeout(PATIENCE, observer.wait_end())
        .await
        .unwrap();
    match end.unwrap() {
        End::Aborted(record) => {
            let leaver = record.left.first().unwrap();
            let Some(Leave::Decline { reason }) = leaver.word else {
                panic!("{leaver}");
            };
            (leaver.index, reason)
        }
        other => panic!("{other:?}"),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn services_sign_what_their_policy_lets_through_and_decline_the_rest_by_name() {
    let (world, _services, key, _) = served().await;
    let id = sign(&world, &key, "pay 7").await;
    for party in 0..2 {
        let signed = noted(&world, party, id, "finished").await;
        assert_signs(&signed["result"], &key, b"pay 7");
        assert_eq!(audit(&world, party, id)[0]["rule"], "small");
    }
    // What nothing lets through: nothing was revealed, and the log says why.
    let id = sign(&world, &key, "pay 7 and more").await;
    let (who, reason) = declined(&world, id).await;
    assert_eq!(reason, 1);
    // For the other one it may have been over before it had decided.
    let line = noted(&world, who.into(), id, "declined").await;
    let why = line["why"].as_array().unwrap();
    let small = why.iter().find(|why| why["rule"] == "small").unwrap();
    assert!(
        small["why"].as_str().unwrap().starts_with("messages:"),
        "{line}"
    );
    assert!(
        !folder(&world, 0)
            .join("journals")
            .join(id.to_string())
            .exists()
    );
    // Many messages, of which one isn't let through.
    for (messages, is_signed) in [(["pay 1", "pay 2"], true), (["pay 1", "pay 1000"], false)] {
        let lines = messages.map(|message| hex::encode(message) + "\n").concat();
        std::fs::write(world.dir.path().join("messages"), lines).unwrap();
        let what = [
            "--preset",
            "eddsa-sign-many",
            "--public-key",
            &key,
            "--messages",
            "messages",
        ];
        let id = world.open(&[0, 1], &what).await;
        if is_signed {
            let signed = noted(&world, 0, id, "finished").await;
            assert_eq!(signed["result"]["signatures"].as_array().unwrap().len(), 2);
        } else {
            assert_eq!(declined(&world, id).await.1, 1);
        }
    }
    // A key that nobody has a share of.
    let id = sign(&world, &"11".repeat(32), MESSAGE).await;
    assert_eq!(declined(&world, id).await.1, 4);
    // A program says yes or no.
    let id = sign(&world, &key, "odd but fine").await;
    noted(&world, 1, id, "finished").await;
    let id = sign(&world, &key, "odd one").await;
    let (who, reason) = declined(&world, id).await;
    assert_eq!(reason, 2);
    let line = noted(&world, who.into(), id, "declined").await;
    assert_eq!(line["why"], "too odd");
    world.net.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn people_are_asked_and_their_answer_counts_also_while_the_service_is_down() {
    let (world, mut services, key, _) = served().await;
    let say = async |party: usize, word: &str, id: SessionId| {
        let (dir, id) = (format!("party{party}.party"), id.to_string());
        let args = [
            "party",
            word,
            &id,
            "--dir",
            &dir,
            "--reason",
            "looked at it",
        ];
        result(&run(world.command(&world.url(), &args)).await)
    };
    let id = sign(&world, &key, "pay 1000").await;
    let pending = async |party: usize| {
        let dir = format!("party{party}.party");
        let listed = run(world.command(&world.url(), &["party", "pending", "--dir", &dir])).await;
        result(&listed)["pending"].as_array().unwrap().clone()
    };
    for party in 0..2 {
        let asked = async { while pending(party).await.is_empty() {} };
        tokio::time::timeout(PATIENCE, asked).await.unwrap();
    }
    let asked = pending(0).await;
    assert!(
        asked[0]["text"].as_str().unwrap().contains("\"pay 1000\""),
        "{asked:?}"
    );
    // No longer than joining lasts, whatever the rule's time limit is.
    let time = |key: &str| asked[0][key].as_u64().unwrap();
    assert!(time("until_ms") - time("asked_ms") <= time_to_join_ms(&asked[0]));
    say(0, "approve", id).await;
    services[1].kill().await.unwrap();
    say(1, "approve", id).await;
    let args = ["party", "decline", &id.to_string(), "--dir", "party1.party"].map(str::to_owned);
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    assert!(
        !run(world.command(&world.url(), &args))
            .await
            .status
            .success(),
        "answered already"
    );
    services[1] = serve(&world, 1);
    for party in 0..2 {
        let signed = noted(&world, party, id, "finished").await;
        assert_signs(&signed["result"], &key, b"pay 1000");
        let lines = audit(&world, party, id);
        let events: Vec<&str> = lines
            .iter()
            .filter_map(|line| line["event"].as_str())
            .collect();
        assert_eq!(events, ["asked", "joining", "finished"]);
        assert_eq!(lines[1]["approved"], "looked at it");
        assert!(pending(party).await.is_empty());
    }
    let id = sign(&world, &key, "pay 2000").await;
    let asked = async { while pending(1).await.is_empty() {} };
    tokio::time::timeout(PATIENCE, asked).await.unwrap();
    say(1, "decline", id).await;
    assert_eq!(declined(&world, id).await, (1, 2));
    // Nobody is asked any more about what has ended.
    let gone = async { while !pending(0).await.is_empty() {} };
    tokio::time::timeout(PATIENCE, gone).await.unwrap();
    noted(&world, 0, id, "withdrawn").await;
    world.net.stop().await.unwrap();
}

fn time_to_join_ms(asked: &Value) -> u64 {
    asked["request"]["spec"]["join_ms"].as_u64().unwrap()
}

/// Times that services are killed; more of them by hand.
fn kills() -> usize {
    let runs = std::env::var("WHITE_CITY_RUNS").ok();
    runs.and_then(|runs| runs.parse().ok()).unwrap_or(6)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn services_that_are_killed_at_any_moment_sign_each_session_once() {
    let (world, mut services, key, _) = served().await;
    let mut rng = Rng::new(4_711);
    for round in 0..kills() {
        let mut sessions = Vec::new();
        for amount in 0..3 {
            let message = format!("pay {amount}");
            sessions.push((sign(&world, &key, &message).await, message));
        }
        let party = usize::from(rng.below(2) == 1);
        tokio::time::sleep(Duration::from_millis(rng.below(900))).await;
        services[party].kill().await.unwrap();
        services[party] = serve(&world, party);
        for (id, message) in sessions {
            for party in 0..2 {
                let signed = noted(&world, party, id, "finished").await;
                assert_signs(&signed["result"], &key, message.as_bytes());
                let lines = audit(&world, party, id);
                let finished = lines
                    .iter()
                    .filter(|line| line["event"] == "finished")
                    .count();
                assert!(finished == 1, "round {round}: {lines:?}");
                let receipt = world.dir.path().join(signed["receipt"].as_str().unwrap());
                let receipt = Receipt::from_bytes(&std::fs::read(receipt).unwrap()).unwrap();
                receipt.verify(&world.trust()).unwrap();
            }
            world.assert_nobody_is_blamed(id).await;
        }
    }
    // As if it had been killed between the last line about a session and taking away what was kept for it.
    services[0].kill().await.unwrap();
    let lines = std::fs::read_to_string(folder(&world, 0).join("audit.jsonl")).unwrap();
    let last: Value = serde_json::from_str(lines.lines().last().unwrap()).unwrap();
    let last = last["session"].as_str().unwrap();
    std::fs::write(folder(&world, 0).join("decided").join(last), "").unwrap();
    std::fs::write(
        folder(&world, 0)
            .join("journals")
            .join("result.0123456789abcdef.tmp"),
        "",
    )
    .unwrap();
    std::fs::write(
        folder(&world, 0)
            .join("journals")
            .join(format!("{last}.result")),
        "",
    )
    .unwrap();
    services[0] = serve(&world, 0);
    for party in 0..2 {
        nothing_is_left(&folder(&world, party)).await;
    }
    world.net.stop().await.unwrap();
}

/// Waits until a service keeps nothing for going on.
async fn nothing_is_left(folder: &Path) {
    for what in ["decided", "journals", "queue"] {
        let is_empty = || folder.join(what).read_dir().unwrap().next().is_none();
        let empty = async {
            while !is_empty() {
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        };
        tokio::time::timeout(PATIENCE, empty)
            .await
            .unwrap_or_else(|_| panic!("{what} is left"));
    }
}
