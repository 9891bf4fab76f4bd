//! A replica that starts with a snapshot, beside one of three that lies about it.

use std::fs;

use white_city_testnet::Testnet;
use white_city_tests::adversary::{Lie, Tally};

use crate::{
    HOSTILE, a_session_finishes, program, until,
    world::{Setup, World, keys, world},
};

/// The replica that has lost everything.
const NEWCOMER: usize = 3;

fn log(world: &World) -> String {
    fs::read_to_string(world.net.home(NEWCOMER).join("app.log")).unwrap_or_default()
}

fn lies(world: &World, lie: Lie) -> u64 {
    let counts = Tally::read(&world.net.home(HOSTILE).join("app/lies"));
    counts.get(lie.name()).copied().unwrap_or(0)
}

#[tokio::test(flavor = "multi_thread")]
async fn forged_chunks_and_snapshots_are_rejected_and_another_ones_restored() {
    let Some(world) = world(Setup {
        heartbeat_ms: Some(1_000),
        replica_program: Some(program()),
        // Two snapshots are kept: the newest one is there for as long as an engine takes to find it and to fetch it.
        blocks: Some((20, 0)),
        ..Setup::default()
    })
    .await
    else {
        return;
    };
    let keys = keys(3);
    for (lie, said) in [
        (
            Lie::BadChunks,
            "the chunk isn't the one that the snapshot names",
        ),
        (Lie::ForgedSnapshot, "another height"),
    ] {
        a_session_finishes(&world, &keys).await;
        fs::write(world.net.home(HOSTILE).join("app/hostile"), lie.name()).unwrap();
        until("snapshots", async || {
            let folder = |replica| world.net.home(replica).join("app/snapshots");
            (0..NEWCOMER)
                .all(|replica| fs::read_dir(folder(replica)).is_ok_and(|all| all.count() > 0))
        })
        .await;
        let before = log(&world).matches("the snapshot is restored").count();
        // Whom it asks for a chunk is chance: again, until it was the liar.
        for _ in 0..20 {
            world.net.kill(NEWCOMER).await.unwrap();
            world.net.restore(NEWCOMER).await.unwrap();
            let newest = world.net.height(1).await.unwrap();
            world
                .net
                .wait_height(NEWCOMER, newest, Testnet::RESTORING)
                .await
                .unwrap();
            if lies(&world, lie) > 0 {
                break;
            }
        }
        assert!(lies(&world, lie) > 0, "{}", lie.name());
        let log = log(&world);
        assert!(log.contains(said), "{}: {log}", lie.name());
        assert!(log.matches("the snapshot is restored").count() > before);
        a_session_finishes(&world, &keys).await;
    }
    fs::write(world.net.home(HOSTILE).join("app/hostile"), "").unwrap();
    world.agree().await;
    world.stop().await;
}
