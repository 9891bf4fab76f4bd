//! An application that is killed at every step of a block.

use std::{path::PathBuf, process::Command, time::Duration};

use white_city_replica::fault::Step;

use crate::world::{PATIENCE, Setup, keys, party, world};

/// Builds the replica with fault points.
pub fn faulty_replica() -> PathBuf {
    let exe = std::env::current_exe().unwrap();
    let profile = exe.parent().unwrap().parent().unwrap();
    let target = profile.parent().unwrap();
    let mut build = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    build
        .args([
            "build",
            "-q",
            "-p",
            "white-city-replica",
            "--features",
            "fault-points",
        ])
        .args(["--bin", "white-city-replica-faulty"])
        .current_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/.."))
        .env("CARGO_TARGET_DIR", target);
    if profile.ends_with("release") {
        build.arg("--release");
    }
    assert!(build.status().unwrap().success());
    profile.join("white-city-replica-faulty")
}

#[tokio::test(flavor = "multi_thread")]
async fn an_application_that_dies_at_any_step_of_a_block_comes_back_to_the_same_root() {
    let setup = Setup {
        heartbeat_ms: Some(300),
        replica_program: Some(tokio::task::spawn_blocking(faulty_replica).await.unwrap()),
        ..Setup::default()
    };
    let Some(world) = world(setup).await else {
        return;
    };
    let keys = keys(2);
    let fault = world.net.home(0).join("app/fault");
    for step in Step::ALL {
        let before = world.net.snapshot(0).unwrap().restarts;
        std::fs::write(&fault, step.name()).unwrap();
        // A session runs meanwhile, so that blocks carry something.
        let id = world.open(&keys, |spec| spec).await;
        let (one, two) = (
            world.session(&keys[0], id).await,
            world.session(&keys[1], id).await,
        );
        let both = tokio::time::timeout(PATIENCE, async {
            tokio::join!(party(one, 3), party(two, 3))
        });
        let (one, two) = both.await.unwrap();
        assert_eq!(one.unwrap(), two.unwrap());
        let died = tokio::time::timeout(PATIENCE, async {
            while fault.exists() || world.net.snapshot(0).unwrap().restarts == before {
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        });
        died.await
            .unwrap_or_else(|_| panic!("the replica doesn't die at {}", step.name()));
        world.agree().await;
    }
    world.stop().await;
}
