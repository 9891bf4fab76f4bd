//! An outage of the whole board.

use std::time::{Duration, Instant};

use tokio::task::JoinSet;
use white_city_client::End;

use crate::world::{PATIENCE, Setup, finish, join, keys, round, world};

#[tokio::test(flavor = "multi_thread")]
async fn an_outage_longer_than_a_deadline_costs_no_session_its_deadline() {
    let setup = Setup {
        heartbeat_ms: Some(500),
        ..Setup::default()
    };
    let Some(world) = world(setup).await else {
        return;
    };
    let keys = keys(3);
    let round_time = Duration::from_secs(20);
    let id = world
        .open(&keys, |spec| {
            spec.times(Duration::from_secs(120), round_time, round_time)
        })
        .await;
    let mut running = JoinSet::new();
    for key in &keys {
        let mut session = world.session(key, id).await;
        running.spawn(async move {
            join(&mut session).await.unwrap();
            round(&mut session, 1).await.unwrap();
            session
        });
    }
    let sessions = tokio::time::timeout(PATIENCE, running.join_all())
        .await
        .unwrap();
    let down = Instant::now();
    world.net.stop_all().await;
    // What has to pass here is time itself.
    tokio::time::sleep((round_time + Duration::from_secs(2)).saturating_sub(down.elapsed())).await;
    world.net.start_all().await.unwrap();
    let mut running = JoinSet::new();
    for mut session in sessions {
        running.spawn(async move {
            round(&mut session, 2).await.unwrap();
            finish(&mut session).await.unwrap()
        });
    }
    let ends = tokio::time::timeout(PATIENCE, running.join_all())
        .await
        .unwrap();
    assert!(
        ends.iter().all(|end| matches!(end, End::Finished { .. })),
        "{ends:?}"
    );
    assert!(down.elapsed() > round_time);
    world.agree().await;
    world.stop().await;
}
