//! A replica that has lost everything starts with a snapshot, and the board needs its vote.

use std::{
    ffi::OsString,
    fs,
    path::Path,
    process::{Command, Stdio},
    time::Duration,
};

use tokio::time::Instant;
use white_city_client::{End, SessionFilter};
use white_city_testnet::Testnet;

use crate::world::{PATIENCE, Setup, World, all_ends, keys, world};

/// Waits until a replica has a snapshot at a height or later; gives its height.
pub async fn snapshot_after(world: &World, replica: usize, height: u64) -> u64 {
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

/// Heights of the snapshots that a replica has restored, by its log.
pub fn restored_heights(world: &World, replica: usize) -> Vec<u64> {
    let log = fs::read_to_string(world.net.home(replica).join("app.log")).unwrap_or_default();
    let lines = log
        .lines()
        .filter(|line| line.contains("the snapshot is restored"));
    let heights = lines.map(|line| {
        let (_, height) = line.split_once("height=").unwrap();
        height.split_whitespace().next().unwrap().parse().unwrap()
    });
    heights.collect()
}

/// Bytes of all files in a folder.
fn size(folder: &Path) -> u64 {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let sizes = entries.filter_map(|entry| Some(entry.metadata().ok()?.len()));
    sizes.sum()
}

/// Names and sizes of the files of the engine's stores.
fn stores(home: &Path) -> Vec<(OsString, u64)> {
    let folders = ["data/blockstore.db", "data/state.db"].map(|store| home.join(store));
    let entries = folders
        .iter()
        .flat_map(|folder| fs::read_dir(folder).unwrap());
    let files = entries.flatten().map(|entry| {
        // It may have been removed since.
        let bytes = entry.metadata().map_or(0, |file| file.len());
        (entry.file_name(), bytes)
    });
    let mut files: Vec<_> = files.collect();
    files.sort();
    files
}

/// Compacts the stores of an engine that doesn't run, and kills it at the first change of their files, then at the second one, and so on,
/// until it comes to its end. Says how often it was killed.
fn compact(engine: &Path, home: &Path) -> usize {
    for at in 1.. {
        let mut command = Command::new(engine);
        command.arg("experimental-compact-goleveldb");
        command.arg("--home").arg(home);
        command.stdout(Stdio::null()).stderr(Stdio::null());
        let mut compacting = command.spawn().unwrap();
        let (mut seen, mut changes) = (stores(home), 0);
        while changes < at {
            if let Some(status) = compacting.try_wait().unwrap() {
                assert!(status.success(), "{status}");
                return at - 1;
            }
            let now = stores(home);
            changes += usize::from(now != seen);
            seen = now;
        }
        compacting.kill().unwrap();
        compacting.wait().unwrap();
    }
    unreachable!("a number for each change");
}

/// Has replica 3 start with a snapshot, and kills it when its engine has noted the snapshot's state. Says whether it has begun again:
/// with a block it would have gone on.
async fn is_killed_before_its_first_block(world: &World) -> bool {
    let before = restored_heights(world, 3).len();
    world.net.restore(3).await.unwrap();
    let states = world.net.home(3).join("data/state.db");
    let until = Instant::now() + Testnet::RESTORING;
    // As it was when nothing was restored yet.
    let mut had = 0;
    loop {
        let has = size(&states);
        if restored_heights(world, 3).len() > before {
            break;
        }
        had = has;
        assert!(Instant::now() < until, "nothing is restored");
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    while size(&states) <= had {
        assert!(Instant::now() < until, "the engine notes nothing");
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    world.net.kill(3).await.unwrap();
    world.net.start(3).await.unwrap();
    let newest = world.net.height(0).await.unwrap();
    world.net.wait_height(3, newest, PATIENCE).await.unwrap();
    restored_heights(world, 3).len() == before + 2
}

/// Where blocks take their time, a replica is killed when its engine has noted the snapshot's state, and has no block yet.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_replica_that_is_killed_between_its_snapshot_and_its_first_block_or_while_it_compacts_goes_on()
 {
    let Some(world) = world(Setup {
        heartbeat_ms: Some(1_000),
        // Two snapshots are kept: the newest one is there for as long as an engine takes to find it and to fetch it.
        blocks: Some((15, 0)),
        link_delay: Duration::from_millis(150),
        ..Setup::default()
    })
    .await
    else {
        return;
    };
    // Its blocks come sooner than heartbeats.
    sessions(&world, 1).await;
    for replica in 0..3 {
        snapshot_after(&world, replica, 15).await;
    }
    world.net.kill(3).await.unwrap();
    let mut tries = 1;
    while !is_killed_before_its_first_block(&world).await {
        assert!(tries < 5, "it always has a block already");
        tries += 1;
        world.net.kill(3).await.unwrap();
    }
    let restored = restored_heights(&world, 3).len();
    // From there on it goes on from its own store.
    let joining = world.net.home(3).join("join.json");
    let until = Instant::now() + PATIENCE;
    while joining.exists() {
        assert!(Instant::now() < until, "it never has joined");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let engine = world.net.snapshot(3).unwrap().node_pid;
    let engine = fs::read_link(format!("/proc/{engine}/exe")).unwrap();
    world.net.kill(3).await.unwrap();
    let killed = compact(&engine, &world.net.home(3));
    assert!(killed > 2, "killed {killed} times");
    println!("killed {killed} times while it compacted its stores");
    world.net.start(3).await.unwrap();
    world.agree().await;
    assert_eq!(restored_heights(&world, 3).len(), restored);
    world.stop().await;
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
        // Whoever restores the newest snapshot has at least 100 blocks' time to fetch it, and then 300 since it was made to come to those
        // after it, before the others give them up.
        blocks: Some((100, 250)),
        ..Setup::default()
    })
    .await
    else {
        return;
    };
    sessions(&world, 3).await;
    // The first blocks are given up where a snapshot has what they came to.
    let height = world.net.height(0).await.unwrap();
    world
        .net
        .wait_height(0, (height + 250).next_multiple_of(100) + 1, 3 * PATIENCE)
        .await
        .unwrap();
    for replica in 0..3 {
        snapshot_after(&world, replica, height).await;
    }
    world.net.kill(3).await.unwrap();
    assert!(
        world.net.app_hash_at(0, 2).await.is_err(),
        "the first blocks are gone"
    );
    world.net.restore(3).await.unwrap();
    let newest = world.net.height(0).await.unwrap();
    world
        .net
        .wait_height(3, newest, Testnet::RESTORING)
        .await
        .unwrap();
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
