//! Parties that don't come.

use std::time::Duration;

use tokio::task::JoinSet;
use white_city_client::{
    End, Error,
    wire::{board::Cause, protocol::Known},
};

use crate::world::{PATIENCE, Setup, finish, join, keys, round, world};

const QUICK: Setup = Setup {
    heartbeat_ms: Some(300),
    replica_program: None,
    remote_signers: Vec::new(),
    replica_config: "",
    blocks: None,
    profile: None,
    stands_still: None,
    tmpfs: false,
    replicas: None,
    spares: 0,
    link_delay: Duration::ZERO,
    stamp_bits: 0,
    known: Known::RELEASED,
    opener: None,
};

#[tokio::test(flavor = "multi_thread")]
async fn where_everyone_is_needed_an_absent_party_gives_all_the_same_abort_record() {
    let Some(world) = world(QUICK).await else {
        return;
    };
    let keys = keys(3);
    let id = world
        .open(&keys, |spec| {
            spec.times(
                Duration::from_secs(60),
                Duration::from_secs(12),
                Duration::from_secs(12),
            )
        })
        .await;
    let mut running = JoinSet::new();
    for (index, key) in keys.iter().enumerate() {
        let mut session = world.session(key, id).await;
        running.spawn(async move {
            join(&mut session).await.unwrap();
            if index != 2 {
                let error = round(&mut session, 1).await.unwrap_err();
                assert!(matches!(error, Error::Aborted(_)), "{error}");
            }
            session.wait_end().await.unwrap()
        });
    }
    let ends = tokio::time::timeout(PATIENCE, running.join_all())
        .await
        .unwrap();
    assert!(ends.iter().all(|end| *end == ends[0]));
    let End::Aborted(record) = &ends[0] else {
        panic!("{:?}", ends[0])
    };
    assert_eq!(record.record.cause, Cause::TooFew);
    assert_eq!(record.record.members.iter().collect::<Vec<_>>(), [0, 1, 2]);
    assert_eq!(record.record.filled.iter().collect::<Vec<_>>(), [0, 1]);
    assert_eq!(record.record.by(), None);
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn where_a_quorum_is_enough_the_others_go_on_and_finish() {
    let Some(world) = world(QUICK).await else {
        return;
    };
    let keys = keys(3);
    let id = world
        .open(&keys, |spec| {
            let times = (
                Duration::from_secs(60),
                Duration::from_secs(12),
                Duration::from_secs(12),
            );
            spec.quorum(2).corrupt(0).times(times.0, times.1, times.2)
        })
        .await;
    let mut running = JoinSet::new();
    for (index, key) in keys.iter().enumerate() {
        let mut session = world.session(key, id).await;
        running.spawn(async move {
            join(&mut session).await.unwrap();
            if index == 2 {
                // It sleeps through round 1, and is out by agreement.
                let end = session.wait_end().await.unwrap();
                let error = session.post(2, b"late".to_vec(), vec![]).await.unwrap_err();
                assert!(
                    matches!(error, Error::Finished { .. } | Error::Out { .. }),
                    "{error}"
                );
                return end;
            }
            round(&mut session, 1).await.unwrap();
            assert_eq!(
                session.history().members().iter().collect::<Vec<_>>(),
                [0, 1]
            );
            round(&mut session, 2).await.unwrap();
            finish(&mut session).await.unwrap()
        });
    }
    let ends = tokio::time::timeout(PATIENCE, running.join_all())
        .await
        .unwrap();
    assert!(matches!(ends[0], End::Finished { .. }), "{:?}", ends[0]);
    assert!(ends.iter().all(|end| *end == ends[0]));
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn on_an_idle_board_an_absent_party_costs_its_deadline_and_no_heartbeat() {
    let heartbeat_ms = 60_000;
    let Some(world) = world(Setup {
        heartbeat_ms: Some(heartbeat_ms),
        ..QUICK
    })
    .await
    else {
        return;
    };
    let keys = keys(3);
    let times = [60, 10, 10].map(Duration::from_secs);
    let id = world
        .open(&keys, |spec| spec.times(times[0], times[1], times[2]))
        .await;
    let mut running = JoinSet::new();
    for key in &keys {
        let mut session = world.session(key, id).await;
        running.spawn(async move {
            join(&mut session).await.unwrap();
            session
        });
    }
    let sessions = tokio::time::timeout(PATIENCE, running.join_all());
    let mut session = sessions.await.unwrap().remove(0);
    // Nobody posts.
    let mut news = session.progress();
    let ending = tokio::spawn(async move { session.wait_end().await.unwrap() });
    let deadline = async {
        loop {
            let progress = news.borrow_and_update().clone();
            let round_1 = progress.filter(|progress| progress.round == 1);
            match round_1.map_or(0, |progress| progress.deadline_ms) {
                0 => news.changed().await.unwrap(),
                deadline_ms => return deadline_ms,
            }
        }
    };
    let deadline_ms = tokio::time::timeout(PATIENCE, deadline).await.unwrap();
    let end = tokio::time::timeout(PATIENCE, ending).await.unwrap();
    let End::Aborted(record) = end.unwrap() else {
        panic!("everyone is needed")
    };
    let late_ms = record.record.board_ms - deadline_ms;
    assert!(
        late_ms < u64::from(heartbeat_ms) / 2,
        "{late_ms} ms after the deadline"
    );
    println!("{late_ms} ms after the deadline");
    world.stop().await;
}
