//! A replica that has lost everything starts with a snapshot, and the board needs its vote.

use std::{fs, time::Duration};

use tokio::time::Instant;
use white_city_client::{End, SessionFilter};

use crate::world::{PATIENCE, Setup, World, all_ends, keys, world};

/// Waits until a replica has a snapshot at a height or later; gives its height.
async fn snapshot_after(world: &World, replica: usize, height: u64) -> u64 {
    let folder = world.net.home(replica).join("app/snapshots");
    let until = Instant::now() + PATIENCE;
    loop {
        let names = fs::read_dir(&folder).into_iter().flatten().flatten();
        let heights = names.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
        if let Some(newest) = heights.max().filter(|newest| *newest >= height) {
            return newest;
        }
        assert!(Instant::now() < until, "no snapshot after {height}");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

/// Sessions of three parties that end well.
async fn sessions(world: &World, count: usize) {
    let keys = keys(3);
    for _ in 0..count {
        let id = world.open(&keys, |spec| spec).await;
        let ends = all_ends(world, &keys, id, 2).await;
        assert!(
            ends.iter()
                .all(|end| matches!(end, Ok(End::Finished { .. }))),
            "{ends:?}"
        );
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_replica_that_lost_everything_goes_on_from_a_snapshot_and_votes() {
    let Some(world) = world(Setup {
        heartbeat_ms: Some(200),
        blocks: Some((10, 20)),
        ..Setup::default()
    })
    .await
    else {
        return;
    };
    sessions(&world, 3).await;
    world.net.kill(3).await.unwrap();
    // The first blocks are given up where a snapshot has what they came to.
    let height = world.net.height(0).await.unwrap();
    for replica in 0..3 {
        snapshot_after(&world, replica, height).await;
    }
    world
        .net
        .wait_height(0, height.next_multiple_of(100) + 101, PATIENCE)
        .await
        .unwrap();
    assert!(
        world.net.app_hash_at(0, 2).await.is_err(),
        "the first blocks are gone"
    );
    world.net.restore(3).await.unwrap();
    let newest = world.net.height(0).await.unwrap();
    world.net.wait_height(3, newest, PATIENCE).await.unwrap();
    assert!(
        world.net.app_hash_at(3, 2).await.is_err(),
        "it never had them"
    );
    let log = fs::read_to_string(world.net.home(3).join("app.log")).unwrap();
    assert!(log.contains("the snapshot is restored"), "{log}");
    // What it shows is verified, of sessions of before, too; and with two others it makes blocks.
    world.net.kill(0).await.unwrap();
    sessions(&world, 2).await;
    let keys = keys(3);
    let alone = world.client_of([world.net.rpc_urls()[3].clone()], &keys[0]);
    let mut listed = alone.sessions(SessionFilter::all()).await.unwrap();
    let listed = listed.take(usize::MAX).await.unwrap();
    assert_eq!(listed.len(), 5);
    for line in listed {
        let observed = alone.observe(line.id).await.unwrap();
        assert!(matches!(observed.end(), Some(End::Finished { .. })));
        observed.ceremony_receipt().await.unwrap();
    }
    // It is killed, and goes on from its own store.
    world.net.start(0).await.unwrap();
    world.net.kill(3).await.unwrap();
    world.net.start(3).await.unwrap();
    world.agree().await;
    world.stop().await;
}
