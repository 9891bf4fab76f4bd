//! A network's directory: written right, continued right, refused when something is off

use std::path::Path;

use tempfile::TempDir;
use white_city_node::{fit, home, node::Node};
use white_city_testnet::{Error, Network, NodeError, Testnet, default_app_state};

use crate::support::{cometbft, opened, options};

async fn refused(dir: &Path) -> String {
    match opened(&options(dir)).await {
        Err(error @ Error::StaleHome { .. }) => error.to_string(),
        other => panic!("{other:?}"),
    }
}

async fn created() -> Option<(TempDir, Vec<Vec<u8>>)> {
    if !cometbft("homes") {
        return None;
    }
    let dir = tempfile::tempdir().unwrap();
    Testnet::create(&options(dir.path())).await.unwrap();
    let keys = (0..4)
        .map(|k| {
            let home = dir.path().join(format!("replica{k}/config"));
            std::fs::read(home.join("priv_validator_key.json")).unwrap()
        })
        .collect();
    Some((dir, keys))
}

#[tokio::test]
async fn a_network_is_continued_with_its_keys_chain_and_parameters() {
    if !cometbft("continuing") {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let mut options = options(dir.path());
    let mut app_state = default_app_state().unwrap();
    (app_state.params.heartbeat_ms, app_state.params.cap_ms) = (700, 2_100);
    options.app_state = Some(app_state);
    let first = Testnet::create(&options).await.unwrap();
    let (chain, app_state, urls) = (
        first.chain_id().to_owned(),
        first.app_state().clone(),
        first.rpc_urls().to_vec(),
    );
    assert_eq!(app_state.params.heartbeat_ms, 700);
    drop(first);
    options.app_state = None;
    let again = opened(&options).await.unwrap();
    assert_eq!(
        (again.chain_id(), again.app_state()),
        (chain.as_str(), &app_state)
    );
    assert_eq!(
        again.rpc_urls(),
        urls,
        "a free block of ports is used again"
    );
    let config = std::fs::read_to_string(again.home(3).join("config/config.toml")).unwrap();
    let config: toml::Table = config.parse().unwrap();
    let consensus = config["consensus"].as_table().unwrap();
    assert_eq!(
        consensus["create_empty_blocks_interval"].as_str(),
        Some("700ms")
    );
    let peers = config["p2p"]["persistent_peers"].as_str().unwrap();
    assert_eq!(peers.split(',').count(), 3, "{peers}");
}

#[tokio::test]
async fn keys_are_private_and_all_different() {
    use std::os::unix::fs::PermissionsExt as _;
    let Some((dir, mut keys)) = created().await else {
        return;
    };
    keys.sort();
    keys.dedup();
    assert_eq!(keys.len(), 4);
    for name in ["priv_validator_key.json", "node_key.json"] {
        let path = dir.path().join("replica0/config").join(name);
        assert_eq!(path.metadata().unwrap().permissions().mode() & 0o777, 0o600);
    }
}

#[tokio::test]
async fn each_home_is_a_nodes_and_follows_the_ports_as_long_as_the_operators_keys_are_there() {
    let Some((dir, _)) = created().await else {
        return;
    };
    let mut cards = Vec::new();
    for base in [21_000, 22_000, 22_000] {
        let mut options = options(dir.path());
        options.port_base = Some(base);
        let testnet = opened(&options).await.unwrap();
        cards.clear();
        for k in 0..4 {
            let node = Node::open(&testnet.home(k)).unwrap();
            let network = node.genesis().unwrap();
            assert_eq!(fit::misfits(&node, &network).unwrap(), [] as [&str; 0]);
            assert_eq!(
                node.settings.rpc.port(),
                base + 3 * u16::try_from(k).unwrap()
            );
            assert_eq!(node.card.says().rpc, testnet.rpc_urls()[k]);
            assert_eq!(node.others.len(), 3);
            cards.push(node.card.clone());
        }
        for k in 0..4 {
            let node = Node::open(&testnet.home(k)).unwrap();
            assert!(node.others.iter().all(|card| cards.contains(card)));
            // Whoever would start it beside the launcher, or delete its chain, can't.
            let held = home::lock(&testnet.home(k)).unwrap_err();
            assert!(matches!(held, NodeError::Locked { .. }), "{held}");
        }
    }
    let key = dir.path().join("operators/replica1.key");
    std::fs::rename(&key, dir.path().join("taken-away")).unwrap();
    let mut options = options(dir.path());
    options.port_base = Some(22_000);
    drop(opened(&options).await.unwrap());
    options.port_base = Some(23_000);
    let refused = opened(&options).await.unwrap_err().to_string();
    assert!(refused.contains("operators/replica1.key"), "{refused}");
}

#[tokio::test]
async fn a_second_launcher_is_refused_and_names_the_first() {
    let Some((dir, _)) = created().await else {
        return;
    };
    let _first = opened(&options(dir.path())).await.unwrap();
    match Testnet::open(&options(dir.path())).await {
        Err(error @ Error::Node(NodeError::Locked { .. })) => {
            let pid = std::process::id().to_string();
            assert!(error.to_string().contains(&pid), "{error}");
        }
        other => panic!("{other:?}"),
    }
}

/// Why replica 2 of a network that can be continued isn't started.
async fn not_started(dir: &Path) -> String {
    let testnet = opened(&options(dir)).await.unwrap();
    match testnet.start(2).await {
        Err(Error::Node(NodeError::Halted { name, diagnosis })) if name == "replica 2" => diagnosis,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn an_incomplete_or_foreign_home_is_not_started_and_two_of_four_are_no_network() {
    let Some((dir, _)) = created().await else {
        return;
    };
    let Some((foreign, _)) = created().await else {
        return;
    };
    let home = dir.path().join("replica2");
    let there = |name: &str| foreign.path().join("replica2").join(name);
    for (name, reason) in [
        ("config/genesis.json", "belongs to another chain"),
        (
            "config/priv_validator_key.json",
            "not validator 2 of the genesis",
        ),
    ] {
        let own = std::fs::read(home.join(name)).unwrap();
        std::fs::copy(there(name), home.join(name)).unwrap();
        let why = not_started(dir.path()).await;
        assert!(why.contains("replica2") && why.contains(reason), "{why}");
        std::fs::write(home.join(name), own).unwrap();
    }
    for name in ["config/node_key.json", "data/priv_validator_state.json"] {
        let own = std::fs::read(home.join(name)).unwrap();
        std::fs::remove_file(home.join(name)).unwrap();
        let why = not_started(dir.path()).await;
        assert!(why.contains(name), "{why}");
        std::fs::write(home.join(name), own).unwrap();
    }
    // Two of them: three of four are needed.
    let moved = foreign.path().join("kept");
    let keys = ["replica1", "replica3"].map(|k| dir.path().join(k).join("config/node_key.json"));
    std::fs::copy(&keys[0], &moved).unwrap();
    std::fs::remove_file(&keys[0]).unwrap();
    let other = std::fs::read(&keys[1]).unwrap();
    std::fs::write(&keys[1], "nonsense").unwrap();
    let both = refused(dir.path()).await;
    assert!(
        both.contains("replica1/config/node_key.json") && both.contains("replica3/config"),
        "{both}"
    );
    std::fs::copy(&moved, &keys[0]).unwrap();
    std::fs::write(&keys[1], other).unwrap();

    let mut other = options(dir.path());
    other.chain_id = Some("another".into());
    assert!(matches!(opened(&other).await, Err(Error::StaleHome { .. })));
    // All of it undone: the network is whole again.
    opened(&options(dir.path())).await.unwrap();
    std::fs::remove_file(dir.path().join("testnet.json")).unwrap();
    assert!(refused(dir.path()).await.contains("interrupted"));
    let created = Testnet::create(&options(dir.path())).await;
    assert!(matches!(created, Err(Error::StaleHome { .. })));
}

#[tokio::test]
async fn the_number_of_replicas_is_between_one_and_sixteen() {
    if !cometbft("limits") {
        return;
    }
    for (count, fine) in [(0, false), (1, true), (16, true), (17, false)] {
        let dir = tempfile::tempdir().unwrap();
        let mut options = options(dir.path());
        options.replicas = count;
        match Testnet::create(&options).await {
            Ok(testnet) => assert!(fine && testnet.replicas() == count),
            Err(Error::Node(NodeError::Option { .. })) => assert!(!fine),
            Err(other) => panic!("{other}"),
        }
    }
}

#[tokio::test]
async fn a_directory_that_cannot_be_made_is_named() {
    if !cometbft("unwritable directory") {
        return;
    }
    let error = Testnet::create(&options(Path::new("/proc/white-city")))
        .await
        .unwrap_err();
    assert!(error.to_string().contains("/proc/white-city"), "{error}");
}

#[test]
fn a_network_file_is_read_back() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("network.json");
    let text = r#"{"version":1,"chain_id":"c","genesis":"/g","engine":"cometbft","launcher_pid":7,
        "replicas":[{"index":0,"rpc":"http://127.0.0.1:1","home":"/h","node_pid":2,"app_pid":3}]}"#;
    std::fs::write(&path, text).unwrap();
    let network = Network::read(&path).unwrap();
    assert_eq!((network.launcher_pid, network.replicas[0].app_pid), (7, 3));
    std::fs::write(&path, "{}").unwrap();
    assert!(matches!(
        Network::read(&path),
        Err(Error::Node(NodeError::Malformed { .. }))
    ));
}
