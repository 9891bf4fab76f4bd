//! Sessions that are opened by a program that is interrupted, or while replicas have no time for more.

use tokio::io::{AsyncBufReadExt, BufReader};
use white_city_client::{LocalKey, SessionFilter, Signer, SpecBuilder};

use crate::{
    gate::{Gate, When},
    world::{PATIENCE, result, run, spawn, world, world_with},
};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_same_command_goes_on_with_the_session_that_an_interrupted_one_has_opened() {
    let world = world().await;
    let preset = ["--preset", "eddsa-keygen", "--threshold", "2"];
    let args = world.open_args(&[0, 1, 2], &preset);
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    for (when, opened) in [(When::AfterSending, 1), (When::Swallowed, 3)] {
        let gate = Gate::start(&world.url(), 0, when).await;
        let mut command = world.command(&gate.url(), &args);
        command.args(["--replica", "http://127.0.0.1:9"]);
        let mut child = spawn(command);
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let caught = tokio::time::timeout(PATIENCE, gate.caught()).await;
        caught.unwrap();
        let opening = lines.next_line().await.unwrap().unwrap();
        let opening: serde_json::Value = serde_json::from_str(&opening).unwrap();
        assert_eq!(opening["event"], "opening");
        if when == When::Swallowed {
            // Somebody who waits is told for whom, after ten seconds.
            let told = tokio::time::timeout(PATIENCE, lines.next_line()).await;
            let told = told.unwrap().unwrap().unwrap();
            for said in [
                "the board hasn't shown the session yet",
                &format!("{} is at height", gate.url()),
                "http://127.0.0.1:9 doesn't answer",
            ] {
                assert!(told.contains(said), "{told}");
            }
        }
        child.kill().await.unwrap();
        let went_on = result(&run(world.command(&world.url(), &args)).await);
        assert_eq!(went_on["session"], opening["session"], "{when:?}");
        // Now that it was seen, the same command means another one.
        let another = result(&run(world.command(&world.url(), &args)).await);
        assert_ne!(another["session"], opening["session"]);
        let client = world.client();
        let mut sessions = client.sessions(SessionFilter::all()).await.unwrap();
        let sessions = sessions.take(usize::MAX).await.unwrap();
        assert_eq!(sessions.len(), opened + 1, "{when:?}");
    }
    let left: Vec<_> = std::fs::read_dir(world.dir.path()).unwrap().collect();
    let is_opening = |name: std::ffi::OsString| name.to_string_lossy().contains("opening");
    assert!(
        left.into_iter()
            .all(|file| !is_opening(file.unwrap().file_name()))
    );
    world.net.stop().await.unwrap();
}

/// A replica looks at 1 600 keys of strangers at once, and at 100 a second after that; an opening counts 16 beside its roster's.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn openings_that_replicas_have_no_time_for_are_opened_when_they_have() {
    const OPENINGS: usize = 17;
    let world = world().await;
    let client = world.client();
    let key = |seed| LocalKey::from_seed(&[seed; 32]).unwrap().identity();
    let spec = SpecBuilder::new("white-city/test", 1, (1..=100).map(key).collect());
    let spec = spec.max_rounds(1).payloads(8, 8).build().unwrap();
    let opened = (0..OPENINGS).map(|_| client.open(spec.clone()));
    for one in futures::future::join_all(opened).await {
        one.unwrap();
    }
    world.net.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_opening_waits_for_room_in_a_quota_as_long_as_it_is_told_to() {
    let world = world_with(|app_state| app_state.charter.anyone_max_live = 1).await;
    let preset = |join: &'static str, wait: &'static str| {
        let preset = [
            "--preset",
            "eddsa-keygen",
            "--threshold",
            "2",
            "--join-timeout",
        ];
        [&preset[..], &[join, "--wait", wait]].concat()
    };
    world.open(&[0, 1, 2], &preset("15s", "1ms")).await;
    let args = world.open_args(&[0, 1, 2], &preset("10m", "1ms"));
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    let refused = run(world.command(&world.url(), &args)).await;
    assert_eq!(refused.status.code(), Some(4));
    // The first one ends, because nobody joins it.
    let (_, opened) = world.open_telling(&[0, 1, 2], &preset("10m", "2m")).await;
    let told = String::from_utf8(opened.stdout).unwrap();
    assert!(told.contains("\"event\":\"no_room\""), "{told}");
    world.net.stop().await.unwrap();
}
