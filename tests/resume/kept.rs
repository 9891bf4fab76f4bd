//! Journals that lie on a disk, and identities that are encrypted.

use std::time::Duration;

use serde_json::Value;
use white_city_client::{End, Error, Hash, SessionId, Signer, SpecBuilder};

use crate::{
    refused::resume,
    world::{PATIENCE, World, result, run, world},
};

/// Wrong arguments, configuration or files.
const USAGE: i32 = 2;

/// Runs a command.
async fn cli(world: &World, args: &[&str]) -> std::process::Output {
    run(world.command(&world.url(), args)).await
}

/// The text of a command's failure, which has to be about how it was called.
async fn refused(world: &World, args: &[&str]) -> String {
    let done = cli(world, args).await;
    let (out, err) = (
        String::from_utf8_lossy(&done.stdout).into_owned(),
        String::from_utf8_lossy(&done.stderr).into_owned(),
    );
    assert_eq!(done.status.code(), Some(USAGE), "{args:?}: {out}\n{err}");
    err
}

async fn listed(world: &World) -> Vec<Value> {
    let done = cli(world, &["journal", "list", "--identity", "party0.key"]).await;
    result(&done)["journals"].as_array().unwrap().clone()
}

/// Command of a party that joins with a journal.
async fn join(world: &World, id: &str, unlock: &[&str]) -> std::process::Output {
    let join = ["session", "join", id, "--identity", "party0.key", "--yes"];
    cli(world, &[&join, unlock].concat()).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn journals_are_listed_and_forgotten_and_opened_with_what_began_them() {
    let world = world().await;
    assert_eq!(listed(&world).await, Vec::<Value>::new());
    let id = world.open_keygen().await;
    let session = id.to_string();
    let without = join(&world, &session, &[]).await;
    assert_eq!(without.status.code(), Some(USAGE), "{without:?}");
    assert!(!world.journal(0, id).exists(), "nothing is given away");
    result(&join(&world, &session, &["--key-file", "party0.key32"]).await);

    let listed_now = listed(&world).await;
    assert_eq!(listed_now.len(), 1);
    assert_eq!(listed_now[0]["session"], session);
    assert_eq!(listed_now[0]["opened_with"], "a key file");
    assert_eq!(listed_now[0]["in_use"], false);
    assert_eq!(
        listed_now[0]["bytes"],
        world.journal(0, id).metadata().unwrap().len()
    );
    let other = join(&world, &session, &["--key-file", "party1.key32"]).await;
    assert_eq!(other.status.code(), Some(USAGE), "{other:?}");

    let forget = ["journal", "forget", &session, "--identity", "party0.key"];
    let text = refused(&world, &forget).await;
    assert!(text.contains("--even-if-live"), "{text}");
    assert!(world.journal(0, id).exists());
    // Once everybody's consent can't be had any more, the session has ended.
    let decline = ["session", "decline", &session, "--identity", "party1.key"];
    result(&cli(&world, &decline).await);
    result(&cli(&world, &forget).await);
    assert!(!world.journal(0, id).exists());
    assert_eq!(listed(&world).await, Vec::<Value>::new());
    refused(&world, &forget).await;

    let id = world.open_keygen().await;
    let session = id.to_string();
    result(&join(&world, &session, &["--key-file", "party0.key32"]).await);
    let forget = ["journal", "forget", &session, "--identity", "party0.key"];
    let forced = [&forget[..], &["--even-if-live"]].concat();
    assert_eq!(result(&cli(&world, &forced).await)["session"], session);
    assert!(!world.journal(0, id).exists());
    world.net.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_identity_is_encrypted_unless_that_is_refused_and_opened_by_its_own_flags_or_the_rests()
{
    let world = world().await;
    let new = ["identity", "new", "--out"];
    refused(&world, &[&new[..], &["bare.key"]].concat()).await;
    assert!(!world.dir.path().join("bare.key").exists());
    let plain = [&new[..], &["plain.key", "--plain"]].concat();
    result(&cli(&world, &plain).await);
    result(&cli(&world, &["identity", "show", "plain.key"]).await);
    let sealed = [&new[..], &["sealed.key", "--key-file", "party0.key32"]].concat();
    let made = result(&cli(&world, &sealed).await);
    let key = made["public_key"].as_str().unwrap();

    let show = ["identity", "show", "sealed.key"];
    let text = refused(&world, &show).await;
    assert!(text.contains("encrypted"), "{text}");
    let shown = [&show[..], &["--key-file", "party0.key32"]].concat();
    assert_eq!(result(&cli(&world, &shown).await)["public_key"], key);
    refused(
        &world,
        &[&show[..], &["--key-file", "party1.key32"]].concat(),
    )
    .await;

    let open = [
        "session",
        "open",
        "--identity",
        "sealed.key",
        "--party",
        key,
    ];
    let open = [&open[..], &["--protocol", "test"]].concat();
    refused(&world, &open).await;
    let opened = [&open[..], &["--key-file", "party0.key32"]].concat();
    let opened = result(&cli(&world, &opened).await);
    let session = opened["session"].as_str().unwrap();
    // The journal may be under something else than the identity.
    let join = [
        "session",
        "join",
        session,
        "--identity",
        "sealed.key",
        "--yes",
    ];
    let journal = ["--key-file", "party1.key32"];
    refused(&world, &[&join[..], &journal].concat()).await;
    let identity = ["--identity-key-file", "party0.key32"];
    result(&cli(&world, &[&join[..], &journal, &identity].concat()).await);
    world.net.stop().await.unwrap();
}

/// One sleeping party is enough for an end that proves nothing to those who have finished.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_party_that_has_its_outcome_ends_its_journal_though_the_end_is_unknown() {
    let world = world().await;
    let roster = (0..2).map(|party| world.key(party).identity()).collect();
    let spec = SpecBuilder::new("white-city/test", 1, roster)
        .times(PATIENCE, Duration::from_secs(10), PATIENCE)
        .build()
        .unwrap();
    let id: SessionId = world.client().open(spec).await.unwrap();
    let (mut first, mut second) = (resume(&world, 0, id).await, resume(&world, 1, id).await);
    tokio::join!(async { first.join().await.unwrap() }, async {
        second.join().await.unwrap()
    });
    first.wait_ready().await.unwrap();
    let outcome = Hash([7; 32]);
    first.finish(outcome).await.unwrap();
    let end = tokio::time::timeout(PATIENCE, first.wait_end()).await;
    assert!(matches!(end.unwrap().unwrap(), End::Unknown(_)));
    let journal = world.file(0, "journal");
    let kept = first.forget();
    assert!(matches!(kept, Err(Error::Usage { .. })), "{kept:?}");
    for (said, is_gone) in [(Hash([8; 32]), false), (outcome, true)] {
        let mut first = resume(&world, 0, id).await;
        assert!(matches!(first.wait_end().await.unwrap(), End::Unknown(_)));
        assert_eq!(first.forget_with(said).is_ok(), is_gone);
        assert_eq!(!journal.exists(), is_gone);
    }
    world.net.stop().await.unwrap();
}
