//! A stranger who takes the places at the replicas' p2p ports.

use std::{fs, net::SocketAddr, time::Duration};

use tokio::{
    io::AsyncReadExt as _,
    net::TcpStream,
    task::JoinSet,
    time::{sleep, timeout},
};

use crate::{
    a_session_finishes,
    world::{PATIENCE, Setup, World, keys, world},
};

/// Idle connections to each p2p port.
const CONNECTIONS: usize = 150;

/// Address where a replica's node listens for its peers.
fn p2p_port(world: &World, replica: usize) -> SocketAddr {
    let file = world.net.home(replica).join("config/config.toml");
    let config: toml::Table = toml::from_str(&fs::read_to_string(file).unwrap()).unwrap();
    let address = config["p2p"]["laddr"].as_str().unwrap();
    address.strip_prefix("tcp://").unwrap().parse().unwrap()
}

/// Keeps a connection that says nothing, and makes another one whenever it is closed.
async fn idle(address: SocketAddr) {
    loop {
        if let Ok(mut stream) = TcpStream::connect(address).await {
            // What the node says first isn't answered.
            while stream.read(&mut [0; 64]).await.is_ok_and(|read| read > 0) {}
        }
        sleep(Duration::from_millis(10)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn replicas_that_restart_find_the_others_beside_idle_connections_to_every_p2p_port() {
    let Some(world) = world(Setup {
        heartbeat_ms: Some(1_000),
        ..Setup::default()
    })
    .await
    else {
        return;
    };
    let mut attackers = JoinSet::new();
    for replica in 0..world.net.replicas() {
        let address = p2p_port(&world, replica);
        for _ in 0..CONNECTIONS {
            attackers.spawn(idle(address));
        }
    }
    // With two of four down nothing goes on: with these back, alone, nothing would either.
    for replica in [2, 3] {
        world.net.kill(replica).await.unwrap();
    }
    for replica in [2, 3] {
        world.net.start(replica).await.unwrap();
    }
    let ended = timeout(PATIENCE, a_session_finishes(&world, &keys(3))).await;
    assert!(ended.is_ok(), "the replicas that restarted are alone");
    assert_eq!(attackers.len(), CONNECTIONS * world.net.replicas());
    attackers.shutdown().await;
    world.agree().await;
    world.stop().await;
}
