//! Three people with a home each: contacts, a group, a key, a signature, and receipts, with names in all that they see.

use std::process::Output;

use serde_json::Value;
use tokio::process::Command;
use white_city_client::{
    LocalKey,
    groups::{Home, Name},
    vault,
};

use crate::world::{MESSAGE, World, assert_signs, result, run, world};

const PEOPLE: [&str; 3] = ["alice", "bob", "carol"];

fn home(world: &World, person: usize) -> Home {
    Home::at(world.file(person, "home"))
}

/// A command of one person, whose output is for people if `json` isn't there.
fn command(world: &World, person: usize, args: &[&str], json: bool) -> Command {
    let mut command = world.program();
    command
        .args(args)
        .arg("--home")
        .arg(home(world, person).path())
        .arg("--trust")
        .arg(world.net.dir().join("genesis.json"))
        .args(["--replica", &world.url()])
        .args(json.then_some("--json"))
        .current_dir(world.dir.path())
        .kill_on_drop(true);
    command
}

async fn does(world: &World, person: usize, args: &[&str]) -> Value {
    result(&run(command(world, person, args, true)).await)
}

async fn says(world: &World, person: usize, args: &[&str]) -> Output {
    run(command(world, person, args, false)).await
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

/// Three people who know each other by name, and have a group.
async fn people() -> World {
    let world = world().await;
    for person in 0..PEOPLE.len() {
        for (other, name) in PEOPLE.iter().enumerate() {
            let key = world.key(other);
            let key = white_city_client::Signer::identity(&key).to_string();
            let added = does(&world, person, &["contacts", "add", name, &key]).await;
            assert_eq!(added["result"], "added");
        }
    }
    let [alice, bob, carol] = PEOPLE;
    let members = ["--member", alice, "--member", bob, "--member", carol];
    let new = [&["group", "new", "treasury"][..], &members].concat();
    does(&world, 0, &new).await;
    does(
        &world,
        0,
        &["group", "export", "treasury", "--out", "treasury.json"],
    )
    .await;
    for person in [1, 2] {
        let unsaid = says(&world, person, &["group", "import", "treasury.json"]).await;
        assert_eq!(unsaid.status.code(), Some(2), "{}", text(&unsaid.stderr));
        does(
            &world,
            person,
            &["group", "import", "treasury.json", "--yes"],
        )
        .await;
    }
    world
}

/// A command in which several people take part, each as themselves; the first one opens the session.
async fn together(world: &World, persons: &[usize], args: &[&str], open: &[&str]) -> Vec<Output> {
    let all = persons.iter().enumerate().map(|(at, person)| {
        let (key, unlock) = (format!("party{person}.key"), format!("party{person}.key32"));
        let own = ["--identity", &key, "--key-file", &unlock];
        let open = if at == 0 { open } else { &[] };
        run(command(world, *person, &[args, &own, open].concat(), true))
    });
    futures::future::join_all(all).await
}

fn same(done: &[Output], name: &str) -> String {
    let mut values: Vec<String> = done
        .iter()
        .map(|done| result(done)[name].as_str().unwrap().to_owned())
        .collect();
    values.dedup();
    assert_eq!(values.len(), 1, "{values:?}");
    values.remove(0)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_group_makes_a_key_and_signs_and_all_that_it_sees_has_names() {
    let world = people().await;
    let keygen = ["group", "keygen", "treasury", "--threshold", "2"];
    let made = together(&world, &[0, 1, 2], &keygen, &["--open"]).await;
    let key = same(&made, "public_key");
    let session = same(&made, "session");
    assert_eq!(result(&made[1])["member_names"], serde_json::json!(PEOPLE));
    // The key and the place of the share are noted, and the share isn't exported.
    let group = home(&world, 2)
        .group(&"treasury".parse::<Name>().unwrap())
        .unwrap();
    assert_eq!(group.keys()[0].public_key.to_string(), key);
    assert!(group.keys()[0].share.as_ref().unwrap().exists());
    let sign = ["group", "sign", "treasury", "--message", MESSAGE];
    let open = ["--open", "--signer", "bob", "--signer", "carol"];
    let signed = together(&world, &[1, 2], &sign, &open).await;
    let signature = same(&signed, "signature");
    assert_signs(&result(&signed[0]), &key, MESSAGE.as_bytes());
    assert_eq!(
        result(&signed[1])["signer_names"],
        serde_json::json!(["bob", "carol"])
    );
    assert!(text(&signed[0].stdout).contains("\"names\":[\"bob\",\"carol\"]"));

    // Carol doesn't come.
    let open = ["--open", "--join-timeout", "2s"];
    let sign = ["group", "sign", "treasury", "--message", "missed"];
    let missed = together(&world, &[0, 1], &sign, &open).await;
    for missed in &missed {
        assert_eq!(missed.status.code(), Some(5), "{}", text(&missed.stderr));
        let (out, err) = (text(&missed.stdout), text(&missed.stderr));
        assert!(out.contains("empty slots: carol"), "{out}");
        assert!(err.contains("empty slots: carol"), "{err}");
    }

    let signing = same(&signed, "session");
    let shown = text(&says(&world, 0, &["session", "show", &signing]).await.stdout);
    for said in [" bob", " carol", "of the group treasury"] {
        assert!(shown.contains(said), "{said}: {shown}");
    }
    verified(&world, (&session, &signing), &signature).await;
}

/// Whoever has the receipt sees what was signed, and which signature it is.
async fn verified(world: &World, (made, signed): (&str, &str), signature: &str) {
    for (session, file) in [(made, "made"), (signed, "signed")] {
        let receipt = [
            "session", "receipt", session, "--kind", "end", "--out", file,
        ];
        does(world, 0, &receipt).await;
    }
    let told = says(world, 0, &["verify", "signed", "--signature", signature]).await;
    assert!(told.status.success(), "{}", text(&told.stderr));
    let told = text(&told.stdout);
    for said in [
        " bob",
        " carol",
        "of the group treasury",
        MESSAGE,
        "is the one that this session made",
    ] {
        assert!(told.contains(said), "{said}: {told}");
    }
    let stranger = [
        "verify",
        "signed",
        "--signature",
        signature,
        "--home",
        "nowhere",
    ];
    let stranger = |more: &[&str]| {
        let mut command = world.command(&world.url(), &[&stranger[..], more].concat());
        command.env_remove("WHITE_CITY_HOME");
        run(command)
    };
    assert_eq!(
        stranger(&[]).await.status.code(),
        Some(2),
        "nobody there knows the key"
    );
    let with_receipt = ["--key-receipt", "made", "--message", MESSAGE];
    assert_eq!(
        result(&stranger(&with_receipt).await)["signed"]["signature"],
        signature
    );
    let other = stranger(&["--key-receipt", "made", "--message", "other"]).await;
    assert_eq!(other.status.code(), Some(7), "{}", text(&other.stdout));
    let mut wrong = signature.to_owned();
    wrong.replace_range(..2, if wrong.starts_with("00") { "01" } else { "00" });
    let wrong = says(world, 0, &["verify", "signed", "--signature", &wrong]).await;
    assert_eq!(wrong.status.code(), Some(7), "{}", text(&wrong.stderr));
    let wrong = says(world, 0, &["verify", "made", "--signature", signature]).await;
    assert_eq!(wrong.status.code(), Some(7), "{}", text(&wrong.stderr));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nobody_joins_for_the_group_what_it_did_not_ask_for() {
    let world = people().await;
    // A stranger opens the session that the group waits for, and a member one with another threshold.
    LocalKey::create_plain(&world.file(9, "key")).unwrap();
    vault::create_key_file(&world.file(9, "key32")).unwrap();
    let opening = |opener: &str, threshold: &str| {
        let preset = ["--preset", "eddsa-keygen", "--threshold", threshold];
        let mut args = world.open_args(&[0, 1, 2], &preset);
        let at = args.iter().position(|arg| arg == "party0.key").unwrap();
        args[at] = opener.to_owned();
        args
    };
    let mut opened = Vec::new();
    for (opener, threshold) in [("party9.key", "2"), ("party0.key", "3")] {
        let args = opening(opener, threshold);
        let args: Vec<&str> = args.iter().map(String::as_str).collect();
        let id = does(&world, 0, &args).await["session"].clone();
        opened.push(id.as_str().unwrap().to_owned());
    }
    for id in &opened {
        let keygen = [
            "group",
            "keygen",
            "treasury",
            "--threshold",
            "2",
            "--session",
            id,
        ];
        let refused = together(&world, &[1], &keygen, &[]).await;
        assert_eq!(
            refused[0].status.code(),
            Some(2),
            "{}",
            text(&refused[0].stdout)
        );
    }
    let stranger = ["group", "keygen", "treasury", "--threshold", "2", "--open"];
    let stranger = together(&world, &[9], &stranger, &[]).await;
    let told = text(&stranger[0].stderr);
    assert!(
        told.contains("there is no group") || told.contains("no member"),
        "{told}"
    );
    // A contact keeps its key, and a member of an imported group has the one that it had.
    let key = white_city_client::Signer::identity(&world.key(0)).to_string();
    let taken = says(&world, 1, &["contacts", "add", "bob", &key]).await;
    assert_eq!(taken.status.code(), Some(2));
    let file = world.dir.path().join("treasury.json");
    let group = std::fs::read_to_string(&file).unwrap();
    let stranger = LocalKey::load(&world.file(9, "key"), None).unwrap();
    let stranger = white_city_client::Signer::identity(&stranger).to_string();
    std::fs::write(&file, group.replace(&key, &stranger)).unwrap();
    let refused = says(&world, 1, &["group", "import", "treasury.json", "--yes"]).await;
    assert_eq!(refused.status.code(), Some(2));
    assert!(text(&refused.stderr).contains("alice is the name of another key"));
}
