//! A signature that all make together, each with a key that the session names.

use white_city_client::{Client, Error, Hash, SessionId, vault};
use white_city_eddsa::{Randomness, aggregate};

use crate::world::{MESSAGE, World, result, run, world};

/// Makes a signing key for each party; gives their public keys.
async fn signing_keys(world: &World) -> Vec<String> {
    let mut keys = Vec::new();
    for party in 0..3 {
        let [out, key32] = ["signing", "key32"].map(|what| format!("party{party}.{what}"));
        let args = ["eddsa", "key", "new", "--out", &out, "--key-file", &key32];
        let made = result(&run(world.command(&world.url(), &args)).await);
        let key = made["public_key"].as_str().unwrap().to_owned();
        let args = ["eddsa", "key", "show", &out, "--key-file", &key32];
        assert_eq!(result(&run(world.command(&world.url(), &args)).await), made);
        keys.push(key);
    }
    keys
}

fn sign(world: &World, party: usize, id: SessionId, more: &[&str]) -> tokio::process::Command {
    let file = |what: &str| format!("party{party}.{what}");
    let id = id.to_string();
    let (identity, signing, key32) = (file("key"), file("signing"), file("key32"));
    let args = [
        "eddsa",
        "sign",
        "--session",
        &id,
        "--identity",
        &identity,
        "--share",
        &signing,
        "--key-file",
        &key32,
        "--message",
        MESSAGE,
    ];
    world.command(&world.url(), &[&args[..], more].concat())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nobody_signs_under_another_key_than_the_one_that_all_agreed_upon() {
    let world = world().await;
    let keys = signing_keys(&world).await;
    let keys: Vec<&str> = keys.iter().flat_map(|key| ["--signing-key", key]).collect();
    let aggregated = [&["eddsa", "key", "aggregate"], &keys[..]].concat();
    let aggregated = result(&run(world.command(&world.url(), &aggregated)).await);
    let aggregated = aggregated["public_key"].as_str().unwrap();
    let preset = ["--preset", "eddsa-aggregate-sign", "--message", MESSAGE];
    let preset = [&preset[..], &keys].concat();

    let id = world.open(&[0, 1, 2], &preset).await;
    let other = Hash([9; 32]).to_string();
    let refused = run(sign(&world, 0, id, &["--public-key", &other])).await;
    assert_eq!(refused.status.code(), Some(2));
    let err = String::from_utf8_lossy(&refused.stderr);
    assert!(err.contains(aggregated), "{err}");
    assert_eq!(world.client().state(id).await.unwrap().filled().count(), 0);
    let all = (0..3).map(|party| run(sign(&world, party, id, &["--public-key", aggregated])));
    for done in futures::future::join_all(all).await {
        crate::world::assert_signed(&result(&done), aggregated);
    }

    // A party that brings another key than the named one, by way of a program that doesn't look.
    let id = world.open(&[0, 1, 2], &preset).await;
    let swapping = swap(&world, id);
    let (first, third, ()) = tokio::join!(
        run(sign(&world, 0, id, &[])),
        run(sign(&world, 2, id, &[])),
        swapping
    );
    for done in [first, third] {
        let err = String::from_utf8_lossy(&done.stderr);
        assert_eq!(done.status.code(), Some(8), "{err}");
        assert!(err.contains("party 1 is to blame"), "{err}");
    }
    // The command line itself says so before anything is shown to anybody.
    let id = world.open(&[0, 1, 2], &preset).await;
    std::fs::remove_file(world.file(1, "signing")).unwrap();
    let unlock = vault::Unlock::key_file(&world.file(1, "key32")).unwrap();
    vault::store(
        &world.file(1, "signing"),
        "eddsa-signing-key",
        &[5; 32],
        &unlock,
    )
    .unwrap();
    let done = run(sign(&world, 1, id, &[])).await;
    assert_eq!(done.status.code(), Some(2));
    assert_eq!(world.client().state(id).await.unwrap().filled().count(), 0);
    world.net.stop().await.unwrap();
}

/// Plays on as long as the others let it.
async fn swap(world: &World, id: SessionId) {
    let client = Client::builder(world.trust()).replicas([world.url()]);
    let client = client.signer(world.key(1)).build().unwrap();
    let mut session = client.session(id).await.unwrap();
    let roster = session.spec().roster.iter().map(|key| *key.as_bytes());
    let eddsa = white_city_eddsa::Session::new(id.0, &roster.collect::<Vec<_>>(), 1).unwrap();
    let key = aggregate::KeyPair::from_seed(&[5; 32]);
    let randomness = Randomness::from_seed([6; 32]);
    let started = aggregate::start(eddsa, &key, None, MESSAGE.as_bytes(), randomness);
    let (round, outgoing) = started.unwrap();
    session.join().await.unwrap();
    session.wait_ready().await.unwrap();
    let played = async {
        session.post(1, outgoing.broadcast, Vec::new()).await?;
        let (round, outgoing) = round.close(&session.inbox(1).await?.broadcasts).unwrap();
        session.post(2, outgoing.broadcast, Vec::new()).await?;
        let (round, outgoing) = round.close(&session.inbox(2).await?.broadcasts).unwrap();
        session.post(3, outgoing.broadcast, Vec::new()).await?;
        let signed = round.close(&session.inbox(3).await?.broadcasts).unwrap();
        session.finish(Hash(signed.outcome())).await
    };
    let stopped = played.await;
    assert!(matches!(stopped, Err(Error::Aborted(_))), "{stopped:?}");
}
