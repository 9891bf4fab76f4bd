//! The party that the documentation shows is one.

use std::process::Stdio;

use tokio::{process::Command, time::timeout};

use super::file;
use crate::world::{PATIENCE, run, spawn, world};

/// Most lines that a party takes.
const LINES_MAX: usize = 30;

/// The program in the documentation.
fn documented() -> String {
    let text = include_str!("../../../docs/gateway.md");
    let (_, program) = text.split_once("```python\n").unwrap();
    program.split_once("```").unwrap().0.to_owned()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_party_that_the_documentation_shows_in_30_lines_draws_a_coin() {
    let program = documented();
    assert!(program.lines().count() <= LINES_MAX);
    let python = Command::new("python3").arg("--version").output();
    if !python.await.is_ok_and(|said| said.status.success()) {
        let is_required = std::env::var_os("WHITE_CITY_REQUIRE_COMETBFT").is_some();
        assert!(!is_required, "required here: Python 3");
        eprintln!("NOT RUN: this test needs Python 3");
        return;
    }
    let world = world().await;
    let id = world
        .open(&[0, 1], &["--protocol", "coin", "--max-rounds", "4"])
        .await;
    std::fs::write(file(&world, "party.py"), program).unwrap();
    let (mut gateways, mut parties) = (Vec::new(), Vec::new());
    for party in [0, 1] {
        let folder = file(&world, &format!("of{party}"));
        std::fs::create_dir(&folder).unwrap();
        let key = format!("../party{party}.key");
        let listen = ["--listen", "unix:alice.sock", "--token-file", "alice.token"];
        let mut gateway = world.command(&world.url(), &["gateway", "--identity", &key]);
        gateway.args(listen).current_dir(&folder);
        gateway.stdout(Stdio::null()).stderr(Stdio::null());
        gateways.push(spawn(gateway));
        // The program reads the token once, when it starts.
        let made = async {
            while !folder.join("alice.token").exists() {
                tokio::task::yield_now().await
            }
        };
        timeout(PATIENCE, made).await.unwrap();
        let mut program = Command::new("python3");
        program
            .args(["../party.py", &id.to_string()])
            .env(
                "PYTHONPATH",
                concat!(env!("CARGO_MANIFEST_DIR"), "/../client/python"),
            )
            .current_dir(folder)
            .kill_on_drop(true);
        parties.push(run(program));
    }
    let done = futures::future::join_all(parties).await;
    for done in done {
        let (out, err) = (
            String::from_utf8_lossy(&done.stdout),
            String::from_utf8_lossy(&done.stderr),
        );
        assert!(done.status.success(), "{out}\n{err}");
        assert!(out.contains("'result': 'finished'"), "{out}");
    }
    for party in [0, 1] {
        assert!(
            !world.journal(party, id).exists(),
            "it has forgotten its keys"
        );
    }
    drop(gateways);
    world.net.stop().await.unwrap();
}
