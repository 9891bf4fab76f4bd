//! Keys of services: refreshed, given to others, made for a group.

use serde_json::Value;
use tokio::process::Child;
use white_city_client::{
    LocalKey, SessionId, Signer,
    files::create_secret,
    groups::{Contacts, Group, Home, Member, Name},
};

use super::{audit, declined, folder, noted, serve, serve_by, served, sign};
use crate::world::{World, assert_signs, world};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn services_refresh_their_shares_and_sign_with_those_that_a_session_names() {
    let (world, _services, key, made) = served().await;
    let previous = made.to_string();
    let what = ["--preset", "eddsa-refresh", "--public-key", &key];
    let id = world
        .open(
            &[2, 0, 1],
            &[&what[..], &["--previous", &previous]].concat(),
        )
        .await;
    for party in 0..3 {
        noted(&world, party, id, "finished").await;
    }
    let id = world.open_signing_after(&[1, 2], &key, "pay 8", id).await;
    for party in 1..3 {
        let signed = noted(&world, party, id, "finished").await;
        assert_signs(&signed["result"], &key, b"pay 8");
    }
    // The old ones are gone, and nobody brings them back by naming them.
    assert!(
        !folder(&world, 0)
            .join("shares")
            .join(made.to_string())
            .exists()
    );
    let id = world.open_signing_after(&[1, 2], &key, "pay 8", made).await;
    assert_eq!(declined(&world, id).await.1, 4);
    let id = sign(&world, &key, "pay 9").await;
    noted(&world, 0, id, "finished").await;
    world.net.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn services_give_a_key_to_holders_whom_their_policy_names_and_whoever_left_has_no_share_any_more()
 {
    let (world, mut services, key, made) = served().await;
    let leaves = world.identity(1).to_string();
    let made = made.to_string();
    let what = [
        "--preset",
        "eddsa-reshare",
        "--public-key",
        &key,
        "--threshold",
        "2",
    ];
    let more = ["--previous", &made, "--leaves", &leaves];
    let id = world.open(&[2, 0, 1], &[&what[..], &more].concat()).await;
    for party in 0..3 {
        let done = noted(&world, party, id, "finished").await;
        assert_eq!(done["result"]["share"].is_null(), party == 1, "{done}");
        let shares = folder(&world, party).join("shares");
        assert!(!shares.join(&made).exists());
        assert_eq!(shares.join(id.to_string()).exists(), party != 1);
    }
    forget_the_end(&world, &mut services[1], id).await;
    let previous = id.to_string();
    let id = world.open_signing_after(&[0, 2], &key, "pay 8", id).await;
    for party in [0, 2] {
        let signed = noted(&world, party, id, "finished").await;
        assert_signs(&signed["result"], &key, b"pay 8");
    }
    // Somebody whom nobody knows gets nothing.
    let stranger = LocalKey::from_seed(&[77; 32])
        .unwrap()
        .identity()
        .to_string();
    let what = [
        "--preset",
        "eddsa-reshare",
        "--public-key",
        &key,
        "--threshold",
        "2",
    ];
    let more = [
        "--previous",
        &previous,
        "--party",
        &stranger,
        "--joins",
        &stranger,
    ];
    let id = world.open(&[0, 2], &[&what[..], &more].concat()).await;
    assert_eq!(declined(&world, id).await.1, 1);
    world.net.stop().await.unwrap();
}

/// Has the party that left go on as if it had been killed before the last line.
async fn forget_the_end(world: &World, service: &mut Child, id: SessionId) {
    // As if it had been killed before the last line: it has nothing to deal any more, and says what came of it.
    service.kill().await.unwrap();
    let log = folder(world, 1).join("audit.jsonl");
    let lines = std::fs::read_to_string(&log).unwrap();
    let (before, last) = lines.trim_end().rsplit_once('\n').unwrap();
    assert!(
        last.contains("finished") && last.contains(&id.to_string()),
        "{last}"
    );
    std::fs::write(&log, format!("{before}\n")).unwrap();
    let decided: Value = audit(world, 1, id).remove(0);
    assert_eq!(decided["rule"], "holders", "{decided}");
    let says = serde_json::json!({ "join": { "rule": "holders", "group": null } });
    let decision = serde_json::json!({ "says": says, "line": decided });
    let place = folder(world, 1).join("decided").join(id.to_string());
    create_secret(&place, decision.to_string().as_bytes()).unwrap();
    *service = serve(world, 1);
    noted(world, 1, id, "finished").await;
}

/// A group makes its keys all together, and signs with them and no others.
const GROUP_POLICY: &str = r#"
version = 1

[[rule]]
name = "the group's keys"
protocols = ["eddsa-keygen", "eddsa-refresh"]
group = "treasury"
openers = ["alice"]

[[rule]]
name = "the group's signatures"
protocols = ["eddsa-sign"]
group = "treasury"
messages = "any"
"#;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn services_of_a_group_make_its_key_note_it_and_sign_with_it_alone() {
    let world = world().await;
    std::fs::write(world.dir.path().join("group.toml"), GROUP_POLICY).unwrap();
    let names = ["alice", "bob", "carol"].map(|name| name.parse::<Name>().unwrap());
    let members = (0..).zip(&names).map(|(party, name)| Member {
        name: name.clone(),
        key: world.key(party).identity(),
    });
    let members: Vec<Member> = members.collect();
    let treasury: Name = "treasury".parse().unwrap();
    let home = |party: usize| Home::at(world.file(party, "home"));
    for party in 0..3 {
        let add = |contacts: &mut Contacts| {
            members
                .iter()
                .try_for_each(|one| contacts.add(one.name.clone(), one.key).map(drop))
        };
        home(party).change_contacts(add).unwrap();
        let group = Group::new(treasury.clone(), members.clone()).unwrap();
        home(party).create(&group).unwrap();
    }
    let _services: Vec<Child> = (0..3)
        .map(|party| serve_by(&world, party, "group.toml"))
        .collect();
    let made = world.open_keygen().await;
    let mut key = String::new();
    for party in 0..3 {
        let line = noted(&world, party, made, "finished").await;
        key = line["result"]["public_key"].as_str().unwrap().to_owned();
        let group = home(party).group(&treasury).unwrap();
        let known = group.key_of(&made).unwrap();
        assert_eq!(
            (known.public_key.to_string(), known.threshold),
            (key.clone(), 2)
        );
        assert!(known.share.as_ref().is_some_and(|share| share.is_file()));
    }
    let id = sign(&world, &key, "anything").await;
    for party in 0..2 {
        let signed = noted(&world, party, id, "finished").await;
        assert_signs(&signed["result"], &key, b"anything");
    }
    // Another key, and a key of some of the group only.
    let id = sign(&world, &"11".repeat(32), "anything").await;
    assert_eq!(declined(&world, id).await.1, 1);
    let id = world
        .open(&[0, 1], &["--preset", "eddsa-keygen", "--threshold", "2"])
        .await;
    let (who, reason) = declined(&world, id).await;
    assert_eq!(reason, 1);
    let line = noted(&world, who.into(), id, "declined").await;
    let text = line["request"]["text"].as_str().unwrap();
    assert!(text.starts_with("alice asks alice, bob"), "{line}");
    world.net.stop().await.unwrap();
}
