//! Results: none is lost, and none is made twice.

use std::{
    fs::OpenOptions,
    os::unix::{ffi::OsStrExt, fs::symlink},
    path::Path,
    process::{Output, Stdio},
};

use tokio::{
    io::{AsyncBufReadExt, BufReader},
    process::Command,
};
use white_city_client::SessionId;

use crate::world::{
    MESSAGE, PATIENCE, Step, World, assert_signed, remove, result, run, spawn, world,
};

fn text(done: &Output) -> String {
    let (out, err) = (
        String::from_utf8_lossy(&done.stdout),
        String::from_utf8_lossy(&done.stderr),
    );
    format!("{}\n{out}\n{err}", done.status)
}

/// Runs where results can't be written.
async fn run_into_nothing(mut command: Command) -> Output {
    command.stdout(OpenOptions::new().write(true).open("/dev/full").unwrap());
    let done = spawn(command).wait_with_output();
    tokio::time::timeout(PATIENCE, done).await.unwrap().unwrap()
}

async fn assert_refused(world: &World, args: &[&str], said: &str) {
    let done = run(world.command(&world.url(), args)).await;
    assert_eq!(done.status.code(), Some(2), "{}", text(&done));
    assert!(text(&done).contains(said), "{}", text(&done));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_result_is_neither_lost_nor_made_twice() {
    let world = world().await;
    let id = world.open_keygen().await;
    // A share that couldn't be written is noticed while nobody waits for it.
    let args = world.args(Step::Keygen, 0, id);
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    let mut elsewhere = args.clone();
    let out = elsewhere
        .iter()
        .position(|arg| *arg == "party0.share")
        .unwrap();
    elsewhere[out] = "nowhere/party0.share";
    assert_refused(&world, &elsewhere, "nowhere/party0.share").await;
    assert_eq!(world.client().state(id).await.unwrap().filled().count(), 0);

    let others = [1, 2].map(|party| spawn(world.party(&world.url(), Step::Keygen, party, id)));
    let first = run_into_nothing(world.command(&world.url(), &args)).await;
    assert_eq!(first.status.code(), Some(1), "{}", text(&first));
    assert!(text(&first).contains("the same command gives the result once more"));
    for other in others {
        result(&other.wait_with_output().await.unwrap());
    }
    // Killed when its share had both of its names: a file system may give them one after the other.
    let share = world.file(0, "share");
    let pending = world.file(0, "share.unconfirmed");
    std::fs::copy(&share, &pending).unwrap();
    let mut keys = Vec::new();
    for _ in 0..2 {
        let again = result(&run(world.command(&world.url(), &args)).await);
        keys.push(again["public_key"].as_str().unwrap().to_owned());
        assert_eq!(again["without_share"], serde_json::json!([]));
        assert!(!pending.exists() && !world.journal(0, id).exists());
    }
    assert_eq!(keys[0], keys[1]);
    elsewhere[out] = "elsewhere.share";
    let elsewhere = run(world.command(&world.url(), &elsewhere)).await;
    assert_eq!(elsewhere.status.code(), Some(6), "{}", text(&elsewhere));
    assert!(text(&elsewhere).contains("with the same --out"));
    assert!(!world.journal(0, id).exists());
    let other = world.open_keygen().await;
    let taken = world.args(Step::Keygen, 0, other);
    let taken: Vec<&str> = taken.iter().map(String::as_str).collect();
    assert_refused(&world, &taken, "is not overwritten").await;

    let key = &keys[0];
    let id = world.open_signing(key).await;
    let other = spawn(world.party(&world.url(), Step::Sign, 1, id));
    let first = run_into_nothing(world.party(&world.url(), Step::Sign, 0, id)).await;
    assert_eq!(first.status.code(), Some(1), "{}", text(&first));
    let signature = result(&other.wait_with_output().await.unwrap());
    assert!(
        text(&first).contains(signature["signature"].as_str().unwrap()),
        "{}",
        text(&first)
    );
    for party in [0, 0, 1] {
        let again = result(&run(world.party(&world.url(), Step::Sign, party, id)).await);
        assert_signed(&again, key);
        assert_eq!(again, signature);
        assert!(!world.journal(party, id).exists());
    }
    let args = world.args(Step::Sign, 0, id);
    let args = args
        .iter()
        .map(|arg| if *arg == MESSAGE { "another" } else { arg });
    assert_refused(&world, &args.collect::<Vec<_>>(), "another message").await;
    let args = world.args(Step::Sign, 0, id);
    let other = "58".repeat(32);
    let args = args.iter().map(String::as_str);
    let args: Vec<_> = args.chain(["--public-key", &other]).collect();
    assert_refused(&world, &args, "signs with the key").await;
    too_late(&world, id).await;
    world.net.stop().await.unwrap();
}

/// Check that a party which comes when all is over is too late, and that nothing is left of it.
async fn too_late(world: &World, id: SessionId) {
    let name = id.to_string();
    let party = ["--identity", "party1.key", "--key-file", "party1.key32"];
    let party = [&party[..], &["--yes"]].concat();
    for command in ["join", "decline"] {
        let args = match command {
            "join" => &party[..],
            _ => &party[..2],
        };
        let args = [&["session", command, &name], args].concat();
        let done = run(world.command(&world.url(), &args)).await;
        assert_eq!(done.status.code(), Some(6), "{}", text(&done));
        assert!(!world.journal(1, id).exists(), "{command}");
    }
}

/// A key that opens nothing is no mistake that nobody hears of, and a command that has several files says which it means.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_file_that_does_not_open_is_named_and_so_is_a_key_that_opens_nothing() {
    let world = world().await;
    let id = world.open_keygen().await;
    let cli = async |args: &[&str]| run(world.command(&world.url(), args)).await;
    let key = ["--key-file", "party0.key32"];
    let new = [&["identity", "new", "--out", "locked.key"], &key[..]].concat();
    result(&cli(&new).await);
    let show = ["identity", "show", "locked.key"];
    let signing_key = ["eddsa", "key", "show", "locked.key"];
    for (args, said) in [
        (
            show.to_vec(),
            "locked.key: the identity is encrypted: expected --passphrase-file or --key-file",
        ),
        (
            [&show[..], &["--key-file", "party1.key32"]].concat(),
            "locked.key: the identity: wrong passphrase or key",
        ),
        (
            [&show[..], &["--passphrase-file", "party1.key32"]].concat(),
            "locked.key: the identity: it was encrypted with a key file",
        ),
        (
            [&signing_key[..], &key].concat(),
            "locked.key: the vault holds a secret of the kind \"identity\"",
        ),
        (
            ["identity", "show", "party0.key32"].to_vec(),
            "party0.key32: not an identity key file",
        ),
    ] {
        assert_refused(&world, &args, said).await;
    }

    let plain = cli(&["identity", "show", "party0.key"]).await;
    assert!(!text(&plain).contains("warning"), "{}", text(&plain));
    let idle = cli(&[&["identity", "show", "party0.key"], &key[..]].concat()).await;
    assert_eq!(result(&idle), result(&plain));
    let said = "party0.key isn't encrypted, so --key-file opens nothing";
    assert!(text(&idle).contains(said), "{}", text(&idle));

    let keygen = world.args(Step::Keygen, 0, id);
    let keygen: Vec<&str> = keygen.iter().map(String::as_str).collect();
    let keygen = [&keygen[..], &["--once"]].concat();
    let first = cli(&keygen).await;
    assert_eq!(first.status.code(), Some(9), "{}", text(&first));
    // There the key is the share's.
    assert!(!text(&first).contains("opens nothing"), "{}", text(&first));
    let said = "joining is open, and waits for parties 1, 2";
    assert!(text(&first).contains(said), "{}", text(&first));
    let own = [&keygen[..], &["--identity-key-file", "party0.key32"]].concat();
    let own = cli(&own).await;
    assert_eq!(own.status.code(), Some(9), "{}", text(&own));
    let said = "so --identity-key-file opens nothing";
    assert!(text(&own).contains(said), "{}", text(&own));
    world.net.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_cannot_be_printed_or_named_is_no_crash_and_no_success() {
    let world = world().await;
    let new = ["identity", "new", "--out", "new.key", "--plain"];
    let new = run_into_nothing(world.command(&world.url(), &new)).await;
    assert_eq!(new.status.code(), Some(1), "{}", text(&new));
    assert!(
        text(&new).contains("could not be printed"),
        "{}",
        text(&new)
    );
    let help = run_into_nothing(world.command(&world.url(), &["--help"])).await;
    assert_eq!(help.status.code(), Some(1), "{}", text(&help));

    let mut command = world.command(&world.url(), &["eddsa", "key-file", "--out"]);
    // After the arguments that every command has.
    command.args(["--fork-dir", "."]);
    let name = std::ffi::OsStr::from_bytes(b"k\xff");
    let args: Vec<_> = command.as_std().get_args().map(ToOwned::to_owned).collect();
    let mut named = Command::new(command.as_std().get_program());
    let at = args.iter().position(|arg| arg == "--out").unwrap();
    named.args(&args[..=at]).arg(name).args(&args[at + 1..]);
    let named = run({
        named.current_dir(world.dir.path());
        named
    })
    .await;
    assert_eq!(result(&named)["key_file"], "k\u{fffd}", "{}", text(&named));
    assert!(world.dir.path().join(name).exists());

    let id = world.open_keygen().await.to_string();
    symlink("nothing", world.dir.path().join("dangling")).unwrap();
    let join = ["session", "join", &id, "--identity", "party0.key", "--yes"];
    let journal = ["--journal", "dangling", "--key-file", "party0.key32"];
    let join = [&join[..], &journal].concat();
    assert_refused(&world, &join, "a symbolic link to nothing").await;

    // Who looks on for somebody who has gone goes, too.
    let mut watch = spawn(world.command(&world.url(), &["session", "watch", &id]));
    let mut lines = BufReader::new(watch.stdout.take().unwrap()).lines();
    let first = lines.next_line().await.unwrap().unwrap();
    assert!(first.contains("progress"), "{first}");
    drop(lines);
    let ended = tokio::time::timeout(PATIENCE, watch.wait()).await;
    assert_eq!(ended.unwrap().unwrap().code(), Some(141));
    world.net.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_large_file_is_signed_by_whoever_has_it() {
    let world = world().await;
    let key = world.keygen().await;
    let message = vec![7; 1 << 20];
    std::fs::write(world.dir.path().join("large"), &message).unwrap();
    std::fs::write(world.dir.path().join("other"), &message[1..]).unwrap();
    let preset = ["--preset", "eddsa-sign", "--public-key", &key];
    let preset = [&preset[..], &["--message-file", "large"]].concat();
    let id = world.open(&[0, 1], &preset).await;
    let sign = |party: usize, message: &'static [&'static str]| {
        let args = world.args(Step::Sign, party, id);
        let args = args.iter().map(String::as_str).take(10);
        let args: Vec<&str> = args.chain(message.iter().copied()).collect();
        world.command(&world.url(), &args)
    };
    for (message, said) in [
        (&["--any-message"][..], "expected --message-file"),
        (
            &["--message-file", "other"],
            "another message than the given one",
        ),
    ] {
        let done = run(sign(0, message)).await;
        assert_eq!(done.status.code(), Some(2), "{}", text(&done));
        assert!(text(&done).contains(said), "{}", text(&done));
    }
    let (first, second) = tokio::join!(
        run(sign(0, &["--message-file", "large"])),
        run(sign(1, &["--message-file", "large"])),
    );
    let (first, second) = (result(&first), result(&second));
    assert_eq!(first, second);
    assert_eq!(first["message_bytes"], message.len());
    crate::world::assert_signs(&first, &key, &message);
    // A file past the limit is refused by its size, which is stated.
    let huge = std::fs::File::create(world.dir.path().join("huge")).unwrap();
    huge.set_len((64 << 20) + 1).unwrap();
    let open = [
        &["session", "open", "--identity", "party0.key"],
        &preset[..4],
    ]
    .concat();
    let mut open = [&open[..], &["--message-file", "huge"]].concat();
    let parties = world.roster_args();
    open.extend(parties[2..6].iter().map(String::as_str));
    assert_refused(&world, &open, "larger than 67108864 bytes").await;
    remove(Path::new(&world.dir.path().join("huge")));
    world.net.stop().await.unwrap();
}

/// A command without a terminal, a network, or a proxy that it can be misled by.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_wrong_with_a_network_is_called_that() {
    let world = world().await;
    let id = world.open_keygen().await.to_string();
    let elsewhere = crate::world::world().await;
    for args in [&["session", "list"][..], &["session", "show", &id]] {
        let done = run(elsewhere.command(&world.url(), args)).await;
        assert_eq!(done.status.code(), Some(2), "{}", text(&done));
        assert!(
            text(&done).contains("another network than the genesis describes"),
            "{}",
            text(&done)
        );
        assert!(!text(&done).contains("can't be true"), "{}", text(&done));
        let mut by_proxy = world.command(&world.url(), args);
        by_proxy.env("http_proxy", "http://127.0.0.1:9");
        result(&run(by_proxy).await);
        let mut by_proxy = world.command("http://replica.invalid:1", args);
        by_proxy.env("http_proxy", "http://user:secret@127.0.0.1:9");
        let done = run(by_proxy).await;
        assert_eq!(done.status.code(), Some(3), "{}", text(&done));
        assert!(
            text(&done).contains("through the proxy http://127.0.0.1:9/"),
            "{}",
            text(&done)
        );
        assert!(!text(&done).contains("secret"), "{}", text(&done));
    }
    // The genesis is where the network file says, wherever that is read.
    let url = world.url();
    let network =
        format!(r#"{{"version":1,"genesis":"genesis.json","replicas":[{{"rpc":"{url}"}}]}}"#);
    std::fs::write(world.net.dir().join("relative.json"), network).unwrap();
    let mut list = world.program();
    list.args([
        "--json",
        "session",
        "list",
        "--network",
        "net/relative.json",
    ]);
    list.current_dir(world.dir.path());
    assert_eq!(result(&run(list).await)["sessions"][0]["session"], id);

    let none = ["session", "receipt", &id, "--out", "r", "--kind", "absence"];
    let none = [&none[..], &["--round", "0", "--party", "99"]].concat();
    let none = run(world.command(&world.url(), &none)).await;
    assert_eq!(none.status.code(), Some(2), "{}", text(&none));

    let mut misused = world.program();
    misused.args(["session", "--json", "show"]);
    misused.stdin(Stdio::null());
    let misused = run(misused).await;
    assert_eq!(misused.status.code(), Some(2), "{}", text(&misused));
    let last: serde_json::Value = serde_json::from_slice(&misused.stdout).unwrap();
    assert_eq!(last["exit_code"], 2, "{last}");
    let said = last["error"].as_str().unwrap();
    assert!(said.starts_with("the following required"), "{said}");
    let mut nothing = world.program();
    nothing.args(["--json", "session"]).stdin(Stdio::null());
    let nothing = run(nothing).await;
    let last: serde_json::Value = serde_json::from_slice(&nothing.stdout).unwrap();
    let said = "a command is missing: --help lists what is expected";
    assert_eq!(last["error"], said);
    elsewhere.net.stop().await.unwrap();
    world.net.stop().await.unwrap();
}
