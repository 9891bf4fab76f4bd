//! Consent of a party before it takes part in something, and what it is told before.

use std::process::{Output, Stdio};

use tokio::io::AsyncWriteExt;
use white_city_client::SessionId;

use crate::world::{MESSAGE, Step, World, assert_signed, result, run, world};

/// Ends with this code and a text that says so.
fn assert_failed(done: &Output, code: i32, text: &str) {
    let (out, err) = (
        String::from_utf8_lossy(&done.stdout),
        String::from_utf8_lossy(&done.stderr),
    );
    assert_eq!(done.status.code(), Some(code), "{out}\n{err}");
    assert!(err.contains(text), "expected {text:?}: {err}");
}

/// Runs a party with these arguments in the place of what says yes.
async fn party(world: &World, step: Step, party: usize, id: SessionId, consent: &[&str]) -> Output {
    let args = world.args(step, party, id);
    let args = args.iter().map(String::as_str).take(10);
    let args: Vec<&str> = args.chain(consent.iter().copied()).collect();
    run(world.command(&world.url(), &args)).await
}

/// The same at a terminal, where somebody types this.
async fn at_terminal(world: &World, id: SessionId, typed: &str) -> Output {
    let args = world.args(Step::Keygen, 0, id);
    let args: Vec<&str> = args.iter().map(String::as_str).take(10).collect();
    let command = world.command(&world.url(), &args);
    let command = command.as_std();
    let words = [command.get_program()]
        .into_iter()
        .chain(command.get_args());
    let words = words
        .map(|word| word.to_str().unwrap())
        .filter(|word| *word != "--json");
    let line: Vec<String> = words.map(|word| format!("'{word}'")).collect();
    let mut terminal = tokio::process::Command::new("script");
    terminal
        .args([
            "--quiet",
            "--return",
            "--command",
            &(line.join(" ") + " --once"),
            "/dev/null",
        ])
        .current_dir(world.dir.path())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .kill_on_drop(true);
    let mut terminal = terminal.spawn().unwrap();
    let mut stdin = terminal.stdin.take().unwrap();
    stdin.write_all(typed.as_bytes()).await.unwrap();
    // A terminal stays open while somebody sits there.
    let done = tokio::time::timeout(crate::world::PATIENCE, terminal.wait_with_output()).await;
    drop(stdin);
    done.unwrap().unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nobody_makes_a_key_or_signs_without_having_said_so() {
    let world = world().await;
    let id = world.open_keygen().await;
    let roster = world.roster_args();
    let roster: Vec<&str> = roster.iter().map(String::as_str).collect();
    let (threshold, parties) = roster.split_at(2);
    let strangers = [&parties[..4], &["--party", STRANGER]].concat();
    for (consent, text) in [
        (vec![], "nobody has said yes to this key generation"),
        (threshold.to_vec(), "nobody has said yes"),
        (parties.to_vec(), "nobody has said yes"),
        (
            [&["--threshold", "3"], parties].concat(),
            "takes 2 signers, expected 3",
        ),
        (
            [threshold, &strangers].concat(),
            "others than the given parties",
        ),
        (
            [threshold, &parties[..4]].concat(),
            "others than the given parties",
        ),
    ] {
        let done = party(&world, Step::Keygen, 0, id, &consent).await;
        assert_failed(&done, 2, text);
        // It says what it was asked for, and by whom.
        let out = String::from_utf8_lossy(&done.stdout);
        assert!(out.contains("\"opener\":"), "{out}");
    }
    let done = run(world.join(&world.url(), 0, id, &[])).await;
    assert_failed(&done, 2, "nobody has said yes to this session");
    let done = at_terminal(&world, id, "no\n").await;
    let screen = String::from_utf8_lossy(&done.stdout);
    assert_eq!(done.status.code(), Some(2), "{screen}");
    let (session, you) = (format!("session    {id}"), format!("{} (you)", roster[3]));
    // The opener is the first party, whose turn it is.
    for shown in [&*session, "2 of 3 can sign with the key", "party 0", &you] {
        assert!(screen.contains(&format!("{shown}\r\n")), "{screen}");
    }
    assert_eq!(world.client().state(id).await.unwrap().filled().count(), 0);
    assert!(!world.journal(0, id).exists(), "nothing was signed");

    let done = at_terminal(&world, id, "yes\n").await;
    assert_eq!(
        done.status.code(),
        Some(9),
        "{}",
        String::from_utf8_lossy(&done.stdout)
    );
    assert_eq!(world.client().state(id).await.unwrap().filled().count(), 1);
    // Who has joined has said yes, and whoever is in the roster is in it in any order.
    let mut turned = parties.to_vec();
    turned.rotate_left(2);
    let turned = [threshold, &turned].concat();
    let all = tokio::join!(
        party(&world, Step::Keygen, 0, id, &[]),
        party(&world, Step::Keygen, 1, id, &turned),
        party(&world, Step::Keygen, 2, id, &roster),
    );
    let key = result(&all.0)["public_key"].as_str().unwrap().to_owned();
    assert_eq!(result(&all.1)["public_key"], *key);
    assert_eq!(result(&all.2)["without_share"], serde_json::json!([]));

    signs_what_it_has_said(&world, &key).await;
    world.net.stop().await.unwrap();
}

async fn signs_what_it_has_said(world: &World, key: &str) {
    let id = world.open_signing(key).await;
    for (consent, text) in [
        (vec![], "--any-message"),
        (
            vec!["--message", "another one"],
            "another message than the given one",
        ),
        (
            vec!["--any-message", "--public-key", STRANGER],
            "signs with the key",
        ),
    ] {
        let done = party(world, Step::Sign, 0, id, &consent).await;
        assert_failed(&done, 2, text);
    }
    assert_eq!(world.client().state(id).await.unwrap().filled().count(), 0);
    let any = ["--any-message", "--public-key", key];
    let (first, second) = tokio::join!(
        party(world, Step::Sign, 0, id, &any),
        party(world, Step::Sign, 1, id, &["--message", MESSAGE]),
    );
    assert_signed(&result(&first), key);
    assert_signed(&result(&second), key);
}

/// A key that nobody here has.
const STRANGER: &str = "5866666666666666666666666666666666666666666666666666666666666666";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_has_left_is_told_so_and_who_has_no_share_is_named() {
    let world = world().await;
    let preset = [
        "--preset",
        "eddsa-keygen",
        "--threshold",
        "2",
        "--quorum",
        "2",
    ];
    let (id, opened) = world.open_telling(&[0, 1, 2], &preset).await;
    let err = String::from_utf8_lossy(&opened.stderr);
    assert!(
        err.contains("so 1 others are sure to have a share, and it takes 2 to sign"),
        "{err}"
    );
    result(&run(world.join(&world.url(), 2, id, &["--yes"])).await);
    let name = id.to_string();
    let abort = ["session", "abort", &name, "--identity", "party2.key"];
    result(&run(world.command(&world.url(), &abort)).await);
    // The session goes on without it, and it isn't left waiting.
    let left = run(world.party(&world.url(), Step::Keygen, 2, id)).await;
    assert_failed(&left, 5, "this party has left the session");
    let (first, second) = tokio::join!(
        run(world.party(&world.url(), Step::Keygen, 0, id)),
        run(world.party(&world.url(), Step::Keygen, 1, id)),
    );
    for done in [first, second] {
        assert_eq!(result(&done)["without_share"], serde_json::json!([2]));
        let err = String::from_utf8_lossy(&done.stderr);
        assert!(err.contains("no share was confirmed by parties 2"), "{err}");
        let out = String::from_utf8_lossy(&done.stdout);
        assert!(out.contains("\"left\":[2]"), "{out}");
    }
    world.net.stop().await.unwrap();
}
