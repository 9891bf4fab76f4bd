//! Parties that are shell scripts: each step is a process, and all of them may be killed at any moment.

use std::{
    os::unix::process::CommandExt,
    process::{Child, Command, Stdio},
};

use nix::{
    sys::signal::{Signal, killpg},
    unistd::Pid,
};
use tokio::time::{Duration, Instant, sleep};
use white_city_client::{End, SessionId};
use white_city_tests::rng::Rng;

use crate::world::{World, result, run, world};

const PARTIES: usize = 3;
/// Most deaths of the two parties that die, and how many there are however fast they are.
const DEATHS: usize = 8;
const DEATHS_MIN: usize = 3;
/// The longest that they may take together, with all their processes.
const LIFE: Duration = Duration::from_secs(400);

/// Starts a party's script, which has a group of processes of its own.
fn script(world: &World, party: usize, id: SessionId, once: bool) -> Child {
    let genesis = world.net.dir().join("genesis.json");
    let network = format!("--trust {} --replica {}", genesis.display(), world.url());
    let join = format!("{network} --key-file party{party}.key32");
    let once = if once { " --once" } else { "" };
    Command::new("sh")
        .arg(concat!(
            env!("CARGO_MANIFEST_DIR"),
            "/../client/cli/examples/coin.sh"
        ))
        .args([&id.to_string(), &format!("party{party}.key")])
        .args([&format!("coin{party}"), &PARTIES.to_string()])
        .env("WHITE_CITY", world.program().as_std().get_program())
        .env("OPTIONS", format!("{join}{once}"))
        .env("JOIN_OPTIONS", join)
        .current_dir(world.dir.path())
        .process_group(0)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap()
}

/// The script's exit code, and what it said.
fn ended(child: Child) -> (Option<i32>, String) {
    let done = child.wait_with_output().unwrap();
    let said = String::from_utf8(done.stdout).unwrap().trim().to_owned();
    if !matches!(done.status.code(), None | Some(0 | 9)) {
        panic!("{}: {}", done.status, String::from_utf8_lossy(&done.stderr));
    }
    (done.status.code(), said)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn shell_scripts_are_parties_that_can_be_killed_and_come_by_once_a_round() {
    let world = world().await;
    let preset = ["--protocol", "coin", "--max-rounds", "4"];
    let id = world.open(&[0, 1, 2], &preset).await;
    let mut rng = Rng::new(1);
    let mut running: Vec<Option<Child>> = (0..PARTIES)
        .map(|party| Some(script(&world, party, id, party == 2)))
        .collect();
    let mut said = vec![None; PARTIES];
    let (mut deaths, mut visits) = (0, 0);
    let until = Instant::now() + LIFE;
    while said.iter().any(Option::is_none) {
        assert!(Instant::now() < until, "it doesn't get on");
        sleep(Duration::from_millis(rng.below(300))).await;
        let victim = usize::from(rng.chance(50));
        for party in 0..PARTIES {
            let Some(mut child) = running[party].take() else {
                continue;
            };
            let is_over = child.try_wait().unwrap().is_some();
            if !is_over && party == victim && deaths < DEATHS {
                killpg(
                    Pid::from_raw(child.id().try_into().unwrap()),
                    Signal::SIGKILL,
                )
                .unwrap();
                deaths += 1;
            } else if !is_over {
                running[party] = Some(child);
                continue;
            }
            match ended(child) {
                (Some(0), text) => said[party] = Some(text),
                (code, _) => {
                    visits += usize::from(code == Some(9));
                    running[party] = Some(script(&world, party, id, party == 2));
                }
            }
        }
    }
    assert!(deaths >= DEATHS_MIN, "{deaths}: they were too fast");
    assert!(visits >= 1, "party 2 waits for nobody");
    let mut observer = world.client().observe(id).await.unwrap();
    let End::Finished { outcome } = observer.wait_end().await.unwrap() else {
        panic!("aborted");
    };
    assert!(said.iter().all(|said| *said == Some(outcome.to_string())));
    world.assert_nobody_is_blamed(id).await;
    world.net.stop().await.unwrap();
}

/// One verb of a party in a session.
fn verb(
    world: &World,
    id: &str,
    verb: &str,
    party: usize,
    more: &[&str],
) -> tokio::process::Command {
    let (key, key32) = (format!("party{party}.key"), format!("party{party}.key32"));
    let args = [
        "session",
        verb,
        id,
        "--identity",
        &key,
        "--key-file",
        &key32,
    ];
    world.command(&world.url(), &[&args[..], more].concat())
}

fn code(done: &std::process::Output) -> i32 {
    done.status.code().unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_script_remembers_its_own_state_and_the_newest_counts() {
    let world = world().await;
    let preset = ["--protocol", "words", "--max-rounds", "4"];
    let id = world.open(&[0, 1], &preset).await.to_string();
    let verb = |name: &str, party: usize, more: &[&str]| verb(&world, &id, name, party, more);
    let write =
        |name: &str, bytes: &[u8]| std::fs::write(world.dir.path().join(name), bytes).unwrap();
    write("word", b"word");
    write("other", b"other");
    assert_eq!(code(&run(verb("join", 0, &["--yes"])).await), 0);
    let recall = ["--name", "nonce", "--out", "recalled"];
    assert_eq!(code(&run(verb("recall", 0, &recall)).await), 11);
    for (state, kept) in [
        ("word", &b"word"[..]),
        ("other", b"other"),
        ("other", b"other"),
    ] {
        let remember = ["--name", "nonce", "--state", state];
        let remembered = result(&run(verb("remember", 0, &remember)).await);
        assert_eq!(remembered["bytes"], kept.len());
        let out = format!("recalled-{state}");
        result(&run(verb("recall", 0, &["--name", "nonce", "--out", &out])).await);
        assert_eq!(std::fs::read(world.dir.path().join(out)).unwrap(), kept);
    }
    // The newest counts, also where an older one was written.
    result(
        &run(verb(
            "recall",
            0,
            &["--name", "nonce", "--out", "recalled-word"],
        ))
        .await,
    );
    assert_eq!(
        std::fs::read(world.dir.path().join("recalled-word")).unwrap(),
        b"other"
    );
    assert_eq!(
        code(&run(verb("remember", 0, &["--name", "a b", "--state", "word"])).await),
        2
    );
    world.net.stop().await.unwrap();
}

/// What a script can rely on: exit codes, bytes from standard input, JSON, and no second post.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_verbs_of_a_session_say_by_exit_code_what_stands_in_the_way() {
    let world = world().await;
    let preset = ["--protocol", "words", "--max-rounds", "4"];
    let id = world.open(&[0, 1], &preset).await.to_string();
    let verb = |name: &str, party: usize, more: &[&str]| verb(&world, &id, name, party, more);
    let write =
        |name: &str, bytes: &[u8]| std::fs::write(world.dir.path().join(name), bytes).unwrap();
    write("word", b"word");
    write("other", b"other");
    let first = ["--round", "1", "--broadcast", "word"];
    // Whoever hasn't joined has no journal to go on from.
    assert_eq!(code(&run(verb("post", 0, &first)).await), 2);
    assert_eq!(code(&run(verb("join", 0, &["--yes"])).await), 0);
    let once = run(verb("post", 0, &[&first[..], &["--once"]].concat())).await;
    assert_eq!(code(&once), 9, "{once:?}");
    assert_eq!(code(&run(verb("join", 1, &["--yes"])).await), 0);
    let secret = [&first[..], &["--to", "1=word"]].concat();
    for _ in 0..2 {
        let posted = result(&run(verb("post", 0, &secret)).await);
        assert_eq!(
            (&posted["result"], &posted["round"]),
            (&"posted".into(), &1.into())
        );
    }
    for other in [
        &["--round", "1", "--broadcast", "other", "--to", "1=word"][..],
        &first,
    ] {
        assert_eq!(code(&run(verb("post", 0, other)).await), 6, "{other:?}");
    }
    // Twice for one party, for nobody, and two things from one place.
    for bad in [["1=word", "1=word"], ["7=word", "1=word"], ["0=-", "1=-"]] {
        let bad = ["--round", "1", "--to", bad[0], "--to", bad[1]];
        assert_eq!(code(&run(verb("post", 1, &bad)).await), 2, "{bad:?}");
    }
    let waits = run(verb("inbox", 0, &["--round", "1", "--once"])).await;
    assert_eq!(code(&waits), 9);
    let mut piped = verb("post", 1, &["--round", "1", "--broadcast", "-"]);
    piped.stdin(std::fs::File::open(world.dir.path().join("other")).unwrap());
    result(&run(piped).await);
    let inbox = result(&run(verb("inbox", 1, &["--round", "1"])).await);
    let expected = serde_json::json!({
        "session": id, "round": 1, "posted": [0, 1],
        "broadcasts": { "0": "d29yZA==", "1": "b3RoZXI=" }, "p2p": { "0": "d29yZA==" },
    });
    assert_eq!(inbox, expected);
    // A complaint about a payload that opens would convict whoever makes it.
    let complained = run(verb("complain", 1, &["--round", "1", "--from", "0"])).await;
    assert_eq!(code(&complained), 2);
    assert_eq!(
        code(&run(verb("finish", 0, &["--outcome-of", "word", "--once"])).await),
        9
    );
    let finished = result(&run(verb("finish", 1, &["--outcome-of", "word"])).await);
    assert_eq!(finished["status"], "finished");
    let again = result(&run(verb("finish", 0, &["--outcome-of", "word"])).await);
    assert_eq!(finished["outcome"], again["outcome"]);
    assert_eq!(code(&run(verb("post", 0, &["--round", "2"])).await), 6);
    world.net.stop().await.unwrap();
}
