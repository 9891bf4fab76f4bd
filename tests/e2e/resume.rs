//! A session over which everything else ends: the parties' processes, and all replicas.

use std::{path::Path, time::Duration};

use tokio::task::JoinSet;
use white_city_client::{End, Session, SessionId};

use crate::world::{Key, PATIENCE, Setup, World, finish, join, keys, post, round, world};

async fn resumed(world: &World, dir: &Path, key: &Key, number: usize, id: SessionId) -> Session {
    let journal = dir.join(format!("party{number}.journal"));
    world.client(key).resume(id, &journal).await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_spans_a_pause_of_all_parties_and_a_restart_of_all_replicas() {
    let Some(world) = world(Setup::default()).await else {
        return;
    };
    let (keys, dir) = (keys(3), tempfile::tempdir().unwrap());
    let id = world.open(&keys, |spec| spec).await;
    let mut running = JoinSet::new();
    for (number, key) in keys.iter().enumerate() {
        let mut session = resumed(&world, dir.path(), key, number, id).await;
        running.spawn(async move {
            join(&mut session).await.unwrap();
            round(&mut session, 1).await.unwrap();
            // One of them has signed nothing for round 2 when all of them end.
            if number > 0 {
                post(&mut session, 2).await.unwrap();
            }
        });
    }
    tokio::time::timeout(PATIENCE, running.join_all())
        .await
        .unwrap();
    world.net.stop_all().await;
    world.net.start_all().await.unwrap();
    world.agree().await;

    let mut running = JoinSet::new();
    for (number, key) in keys.iter().enumerate() {
        let mut session = resumed(&world, dir.path(), key, number, id).await;
        running.spawn(async move {
            join(&mut session).await.unwrap();
            for number in 1..=3 {
                round(&mut session, number).await.unwrap();
            }
            let end = finish(&mut session).await.unwrap();
            session.forget().unwrap();
            end
        });
    }
    let ends = tokio::time::timeout(PATIENCE, running.join_all())
        .await
        .unwrap();
    assert!(
        ends.iter().all(|end| matches!(end, End::Finished { .. })),
        "{ends:?}"
    );
    let evidence = world.client(&keys[0]).evidence(id).await.unwrap();
    assert!(evidence.culprits.is_empty());
    assert_eq!(dir.path().read_dir().unwrap().count(), 0, "all forgotten");
    world.stop().await;
}

/// Two of three parties are killed and come back while the third waits.
#[tokio::test(flavor = "multi_thread")]
async fn who_waits_sees_those_who_were_killed_come_back() {
    let Some(world) = world(Setup::default()).await else {
        return;
    };
    let (keys, dir) = (keys(3), tempfile::tempdir().unwrap());
    let id = world.open(&keys, |spec| spec).await;
    let mut running = JoinSet::new();
    for (number, key) in keys.iter().enumerate() {
        let client = world.client(key);
        let journal = dir.path().join(format!("party{number}.journal"));
        running.spawn(async move {
            for step in 1..=4 {
                // Whoever isn't the first is killed after each round, at some moment of the next one.
                let mut session = client.resume(id, &journal).await.unwrap();
                let all = async {
                    join(&mut session).await.unwrap();
                    for number in 1..=4 {
                        round(&mut session, number).await.unwrap();
                    }
                    finish(&mut session).await.unwrap()
                };
                let patience = match (number, step) {
                    (0, _) | (_, 4) => PATIENCE,
                    _ => Duration::from_millis(150 * step),
                };
                if let Ok(end) = tokio::time::timeout(patience, all).await {
                    return end;
                }
            }
            panic!("party {number} never finished");
        });
    }
    let ends = tokio::time::timeout(PATIENCE, running.join_all())
        .await
        .unwrap();
    assert!(
        ends.iter().all(|end| matches!(end, End::Finished { .. })),
        "{ends:?}"
    );
    world.stop().await;
}
