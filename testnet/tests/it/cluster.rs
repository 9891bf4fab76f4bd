//! Four real CometBFT nodes

use std::time::Duration;

use white_city_testnet::{
    AppState, Application, Engine, Error, Network, NodeError, RunState, Testnet, default_app_state,
};

use nix::sys::signal::Signal;

use crate::support::{cometbft, is_frozen, opened, options, runs, signal, wait_until};

const WITHIN: Duration = Duration::from_secs(90);

/// The defaults with another heartbeat.
fn beating_every(heartbeat_ms: u32) -> AppState {
    let mut app_state = default_app_state().unwrap();
    app_state.params.heartbeat_ms = heartbeat_ms;
    app_state
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_network_survives_what_it_should_and_nothing_is_left_behind() {
    if !cometbft("the whole life of a network") {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let mut options = options(dir.path());
    options.tmpfs = true;
    options.application = Application::Replica;
    options.stands_still = Duration::from_secs(5);
    options.app_state = Some(beating_every(300));
    let testnet = Testnet::create(&options).await.unwrap();
    testnet.start_all().await.unwrap();
    let network = Network::read(testnet.network_file()).unwrap();
    assert!(
        network
            .replicas
            .iter()
            .all(|replica| runs(replica.node_pid))
    );

    // One replica less: the heartbeat goes on.
    testnet.kill(3).await.unwrap();
    assert!(!runs(network.replicas[3].node_pid));
    let height = testnet.height(0).await.unwrap();
    testnet.wait_height(0, height + 2, WITHIN).await.unwrap();
    assert_eq!(
        testnet.snapshot(3).unwrap().state,
        RunState::Stopped,
        "killed on purpose: not healed"
    );

    // It comes back with nothing but its keys, and fetches the rest.
    testnet.wipe(3).await.unwrap();
    assert!(!testnet.home(3).join("data/blockstore.db").exists());
    assert!(
        testnet
            .home(3)
            .join("data/priv_validator_state.json")
            .exists()
    );
    testnet.start(3).await.unwrap();
    testnet.wait_height(3, height + 2, WITHIN).await.unwrap();
    for height in 1..=height {
        let expected = testnet.app_hash_at(0, height).await.unwrap();
        assert_eq!(testnet.app_hash_at(3, height).await.unwrap(), expected);
    }

    crash_and_freeze(&testnet).await;
    stand_still(&testnet).await;
    halt(&testnet).await;

    // Everything ends and starts again where it was.
    let height = testnet.height(0).await.unwrap();
    testnet.stop_all().await;
    testnet.start_all().await.unwrap();
    assert!(testnet.height(0).await.unwrap() >= height);
    let network = Network::read(testnet.network_file()).unwrap();
    let file = testnet.network_file().to_owned();
    testnet.stop().await.unwrap();
    assert!(
        network
            .replicas
            .iter()
            .all(|replica| !runs(replica.node_pid))
    );
    assert!(!file.exists());
    assert!(
        !dir.path().join("replica0").exists(),
        "homes in memory are gone"
    );
}

async fn crash_and_freeze(testnet: &Testnet) {
    // A crash of either is healed, and takes both.
    for application in [false, true] {
        let before = testnet.snapshot(1).unwrap();
        if application {
            testnet.kill_app(1).await.unwrap();
        } else {
            testnet.kill_node(1).await.unwrap();
        }
        assert!(!runs(before.node_pid) && !runs(before.app_pid));
        wait_until("the supervisor to heal", || {
            testnet.snapshot(1).unwrap().state == RunState::Running
        });
        let after = testnet.snapshot(1).unwrap();
        assert_eq!(after.restarts, before.restarts + 1);
        assert!(runs(after.node_pid) && runs(after.app_pid));
    }
    // One that nobody announced, too.
    let before = testnet.snapshot(1).unwrap();
    signal(before.app_pid, Signal::SIGKILL);
    wait_until("the supervisor to notice and heal", || {
        let now = testnet.snapshot(1).unwrap();
        now.state == RunState::Running && now.app_pid != before.app_pid
    });
    let height = testnet.height(0).await.unwrap();
    testnet.wait_height(1, height, WITHIN).await.unwrap();

    // Two frozen ones stop the chain; it goes on when they do.
    for replica in [1, 2] {
        testnet.pause(replica).await.unwrap();
        let paused = testnet.snapshot(replica).unwrap();
        wait_until("a replica to freeze", || {
            is_frozen(paused.node_pid) && is_frozen(paused.app_pid)
        });
    }
    let frozen = testnet.height(0).await.unwrap() + 1;
    let waited = testnet
        .wait_height(0, frozen + 1, Duration::from_secs(4))
        .await;
    assert!(
        matches!(waited, Err(Error::Node(NodeError::Timeout { .. }))),
        "{waited:?}"
    );
    testnet.resume(1).await.unwrap();
    testnet.resume(2).await.unwrap();
    testnet.wait_height(0, frozen + 1, WITHIN).await.unwrap();
    assert!(matches!(
        testnet.wipe(1).await,
        Err(Error::Node(NodeError::State { .. }))
    ));
    assert!(matches!(
        testnet.start(1).await,
        Err(Error::Node(NodeError::State { .. }))
    ));
    assert!(matches!(
        testnet.kill(4).await,
        Err(Error::NoReplica { index: 4, count: 4 })
    ));
}

/// An application that refuses to run is not started over and over.
/// The node runs and answers, but its engine waits for an application that never will: it is restarted, and says why.
async fn stand_still(testnet: &Testnet) {
    let before = testnet.snapshot(1).unwrap();
    assert_eq!(before.state, RunState::Running);
    signal(before.app_pid, Signal::SIGSTOP);
    wait_until("the replica to be restarted", || {
        testnet.snapshot(1).unwrap().restarts > before.restarts
    });
    let why = testnet.snapshot(1).unwrap().why;
    assert!(why.contains("its node has stayed at height"), "{why}");
    let height = testnet.height(0).await.unwrap();
    testnet.wait_height(1, height, WITHIN).await.unwrap();
}

async fn halt(testnet: &Testnet) {
    testnet.end(2).await.unwrap();
    let path = testnet.home(2).join("app/replica.toml");
    let config = std::fs::read_to_string(&path).unwrap();
    std::fs::write(&path, "nonsense = true\n").unwrap();
    match testnet.start(2).await {
        Err(Error::Node(NodeError::Halted { name, diagnosis })) if name == "replica 2" => {
            assert!(
                diagnosis.contains("exit code 2") && diagnosis.contains("nonsense"),
                "{diagnosis}"
            );
        }
        other => panic!("{other:?}"),
    }
    assert!(matches!(
        testnet.snapshot(2).unwrap().state,
        RunState::Halted(_)
    ));
    let waited = testnet.wait_height(2, u64::MAX, WITHIN).await;
    assert!(
        matches!(waited, Err(Error::Node(NodeError::Halted { .. }))),
        "{waited:?}"
    );
    std::fs::write(&path, config).unwrap();
    testnet.start(2).await.unwrap();
    let height = testnet.height(0).await.unwrap();
    testnet.wait_height(2, height, WITHIN).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn solo_is_started_asked_and_continued_like_the_others() {
    let dir = tempfile::tempdir().unwrap();
    let mut options = options(dir.path());
    options.engine = Engine::Solo;
    options.app_state = Some(beating_every(100));
    assert!(matches!(
        Testnet::create(&options).await,
        Err(Error::Node(NodeError::Option { .. }))
    ));
    options.replicas = 1;
    let testnet = Testnet::create(&options).await.unwrap();
    testnet.start_all().await.unwrap();
    let height = testnet.wait_height(0, 2, WITHIN).await.unwrap();
    assert!(matches!(testnet.kill(0).await, Err(Error::Unsupported(_))));
    testnet.stop().await.unwrap();
    let testnet = opened(&options).await.unwrap();
    testnet.start_all().await.unwrap();
    testnet.wait_height(0, height + 1, WITHIN).await.unwrap();
    testnet.stop().await.unwrap();
}
