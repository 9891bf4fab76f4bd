//! Many messages that are signed in one session, by parties that are killed and started again.

use serde_json::{Value, json};
use white_city_client::SessionId;

use crate::{
    gate::{Gate, When},
    world::{PATIENCE, Step, World, assert_signs, result, run, spawn, world},
};

const MESSAGES: [&[u8]; 3] = [b"one", b"two", b"one"];

/// The arguments of a party that signs `what`.
fn args(party: usize, id: SessionId, what: &[&str]) -> Vec<String> {
    let file = |what: &str| format!("party{party}.{what}");
    let mut args = ["eddsa", "sign", "--session"].map(str::to_owned).to_vec();
    args.push(id.to_string());
    for (flag, file) in [
        ("--identity", file("key")),
        ("--key-file", file("key32")),
        ("--share", file("share")),
    ] {
        args.extend([flag.to_owned(), file]);
    }
    args.extend(what.iter().map(|arg| (*arg).to_owned()));
    args
}

fn party(
    world: &World,
    url: &str,
    party: usize,
    id: SessionId,
    what: &[&str],
) -> tokio::process::Command {
    let args = args(party, id, what);
    world.command(url, &args.iter().map(String::as_str).collect::<Vec<_>>())
}

async fn open(world: &World, key: &str, made: SessionId) -> SessionId {
    let what = ["--preset", "eddsa-sign-many", "--public-key", key];
    let made = made.to_string();
    let more = ["--messages", "messages", "--previous", &made];
    world.open(&[0, 1], &[what, more].concat()).await
}

/// Checks all signatures with a verifier that isn't ours.
fn assert_all_signed(signed: &Value, key: &str) {
    assert_eq!(
        signed["messages_hex"],
        json!(MESSAGES.map(hex::encode)),
        "{signed}"
    );
    let signatures = signed["signatures"].as_array().unwrap();
    assert_eq!(signatures.len(), MESSAGES.len());
    for (signature, message) in signatures.iter().zip(MESSAGES) {
        let one = json!({ "signature": signature, "public_key": signed["public_key"] });
        assert_signs(&one, key, message);
    }
    assert_ne!(signatures[0], signatures[2], "one nonce for two messages");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_messages_are_signed_by_parties_that_are_killed_and_a_receipt_ties_them_to_the_session()
 {
    let world = world().await;
    let made = world.open_keygen().await;
    let parties = (0..3).map(|party| run(world.party(&world.url(), Step::Keygen, party, made)));
    let all = futures::future::join_all(parties.collect::<Vec<_>>()).await;
    let key = result(&all[0])["public_key"].as_str().unwrap().to_owned();
    let lines: String = MESSAGES.map(|message| hex::encode(message) + "\n").concat();
    std::fs::write(world.dir.path().join("messages"), &lines).unwrap();
    std::fs::write(world.dir.path().join("others"), "00\n01\n02\n").unwrap();

    // Others than a signer means, or one of them.
    let id = open(&world, &key, made).await;
    for (what, why) in [
        (["--messages", "others"], "other messages"),
        (["--message", "one"], "expected --messages"),
    ] {
        let refused = run(party(&world, &world.url(), 0, id, &what)).await;
        let said = String::from_utf8_lossy(&refused.stderr);
        assert!(
            refused.status.code() == Some(2) && said.contains(why),
            "{said}"
        );
        assert!(!world.journal(0, id).exists());
    }

    let mut last = (id, Value::Null);
    for at in 0..Step::Sign.transactions() {
        let when = match at % 2 {
            0 => When::BeforeSending,
            _ => When::AfterSending,
        };
        let (id, url) = (open(&world, &key, made).await, world.url());
        let other = run(party(&world, &url, 1, id, &["--any-message"]));
        let first = async {
            let what = ["--messages", "messages"];
            let gate = Gate::start(&url, at, when).await;
            let mut child = spawn(party(&world, &gate.url(), 0, id, &what));
            tokio::time::timeout(PATIENCE, gate.caught()).await.unwrap();
            child.kill().await.unwrap();
            let done = run(party(&world, &url, 0, id, &what)).await;
            // Once more after the journal has gone.
            let again = run(party(&world, &url, 0, id, &what)).await;
            assert_eq!(result(&done), result(&again));
            done
        };
        let (first, other) = tokio::join!(first, other);
        for done in [&first, &other] {
            assert_all_signed(&result(done), &key);
        }
        assert_eq!(result(&first)["signatures"], result(&other)["signatures"]);
        world.assert_nobody_is_blamed(id).await;
        last = (id, result(&first));
    }

    assert_verified(&world, made, &last).await;
    world.net.stop().await.unwrap();
}

/// Receipts say of the signatures, all of them in their order, that they are the session's.
async fn assert_verified(world: &World, made: SessionId, last: &(SessionId, Value)) {
    let cli = |args: Vec<String>| {
        let args: Vec<&str> = args.iter().map(String::as_str).collect();
        run(world.command(&world.url(), &args))
    };
    for (id, file) in [(made, "made"), (last.0, "signed")] {
        let id = id.to_string();
        let args = ["session", "receipt", &id, "--kind", "end", "--out", file];
        result(&cli(args.map(str::to_owned).into()).await);
    }
    let verify = |signatures: Vec<&str>| {
        let mut args = ["verify", "signed", "--key-receipt", "made"]
            .map(str::to_owned)
            .to_vec();
        for signature in signatures {
            args.extend(["--signature".to_owned(), signature.to_owned()]);
        }
        cli(args)
    };
    let signatures = last.1["signatures"].as_array().unwrap();
    let signatures: Vec<&str> = signatures.iter().map(|one| one.as_str().unwrap()).collect();
    let verified = result(&verify(signatures.clone()).await);
    assert_eq!(verified["signed"]["signatures"], last.1["signatures"]);
    let swapped = vec![signatures[2], signatures[1], signatures[0]];
    assert_eq!(
        verify(swapped).await.status.code(),
        Some(7),
        "another order"
    );
    let few = verify(signatures[..2].to_vec()).await;
    assert_eq!(few.status.code(), Some(2));
}
