//! Replicas that fail while sessions run.

use tokio::task::JoinSet;
use white_city_client::End;

use crate::world::{PATIENCE, Setup, finish, join, keys, party, round, world};

#[tokio::test(flavor = "multi_thread")]
async fn a_session_finishes_while_a_replica_is_killed_and_that_one_catches_up() {
    let Some(world) = world(Setup::default()).await else {
        return;
    };
    let keys = keys(3);
    let id = world.open(&keys, |spec| spec).await;
    let mut sessions = Vec::new();
    for key in &keys {
        sessions.push(world.session(key, id).await);
    }
    let mut running = JoinSet::new();
    for mut session in sessions {
        running.spawn(async move {
            join(&mut session).await.unwrap();
            for number in 1..=2 {
                round(&mut session, number).await.unwrap();
            }
            session
        });
    }
    let sessions = tokio::time::timeout(PATIENCE, running.join_all())
        .await
        .unwrap();
    world.net.kill(3).await.unwrap();
    let mut running = JoinSet::new();
    for mut session in sessions {
        running.spawn(async move {
            for number in 3..=8 {
                round(&mut session, number).await.unwrap();
            }
            session
        });
    }
    let sessions = tokio::time::timeout(PATIENCE, running.join_all())
        .await
        .unwrap();
    world.net.start(3).await.unwrap();
    let mut running = JoinSet::new();
    for mut session in sessions {
        running.spawn(async move { finish(&mut session).await.unwrap() });
    }
    let ends = tokio::time::timeout(PATIENCE, running.join_all())
        .await
        .unwrap();
    assert!(matches!(ends[0], End::Finished { .. }), "{:?}", ends[0]);
    assert!(ends.iter().all(|end| *end == ends[0]));
    world.agree().await;
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn two_sessions_run_at_once() {
    let Some(world) = world(Setup::default()).await else {
        return;
    };
    let keys = keys(4);
    let first = world.open(&keys[..3], |spec| spec).await;
    let second = world.open(&keys[1..], |spec| spec).await;
    let mut running = JoinSet::new();
    for (id, keys) in [(first, &keys[..3]), (second, &keys[1..])] {
        for key in keys {
            let session = world.session(key, id).await;
            running.spawn(async move { (id, party(session, 3).await.unwrap()) });
        }
    }
    let ends = tokio::time::timeout(PATIENCE, running.join_all())
        .await
        .unwrap();
    assert_eq!(ends.len(), 6);
    for (id, end) in &ends {
        assert!(matches!(end, End::Finished { .. }));
        assert!(
            ends.iter()
                .filter(|(other, _)| other == id)
                .all(|(_, same)| same == end)
        );
    }
    let outcomes: Vec<_> = [first, second]
        .map(|id| {
            ends.iter()
                .find(|(other, _)| *other == id)
                .unwrap()
                .1
                .clone()
        })
        .into();
    assert_ne!(outcomes[0], outcomes[1]);
    world.agree().await;
    world.stop().await;
}
