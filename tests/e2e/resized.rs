//! A board of four replicas that becomes one of seven, and one of four others, while sessions run and replicas come back by snapshots.

use std::sync::atomic::{AtomicBool, Ordering};

use tokio::time::{Duration, Instant};
use white_city_client::{Client, LocalKey, genesis, trust_file, wire::charter::Replica};
use white_city_testnet::Testnet;

use crate::{
    charters::{Board, ceremony, ends_well, key_of, sessions},
    state_sync::{restored_heights, snapshot_after},
    world::{PATIENCE, Setup, World, keys, world},
};

/// Adds replicas, and takes others away.
async fn change(
    board: &Board<'_>,
    (running, by): (&[usize], &[usize]),
    come: &[usize],
    go: &[usize],
) {
    let operators: Vec<LocalKey> = come.iter().map(|one| board.operator(*one)).collect();
    let newcomers = come.iter().zip(&operators).map(|(one, operator)| Replica {
        validator: board.validator(*one),
        operator: key_of(operator),
    });
    let gone: Vec<_> = go.iter().map(|one| board.validator(*one)).collect();
    let charter = board
        .next(|charter| {
            charter
                .replicas
                .retain(|one| !gone.contains(&one.validator));
            charter.replicas.extend(newcomers);
        })
        .await;
    board.enact_at(running, by, &operators, &charter).await;
}

/// Waits until all validators of the charter have been seen to vote.
pub async fn all_vote(client: &Client) {
    let until = Instant::now() + PATIENCE;
    loop {
        let now = client.charter().await.unwrap().into_value();
        if (0..now.charter.size()).all(|position| now.proven.contains(position)) {
            return;
        }
        assert!(Instant::now() < until, "not all vote: {:?}", now.proven);
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

/// Height of the block that changed the validators last.
async fn era_height(client: &Client) -> u64 {
    client.charter().await.unwrap().into_value().term_height
}

/// A replica comes back by a snapshot of before a change of the validators, and is a validator after it; another one, which left with
/// that, comes back by one of after it.
async fn resized(world: &World, board: &Board<'_>) {
    let client = &board.reader;
    change(board, (&[0, 1, 2, 3, 4, 5, 6], &[0, 1, 2]), &[4], &[]).await;
    // The last one has lost everything, and has just been restored when the board changes.
    world.net.kill(6).await.unwrap();
    let height = world.net.height(0).await.unwrap();
    for replica in 0..4 {
        snapshot_after(world, replica, height).await;
    }
    world.net.restore(6).await.unwrap();
    let until = Instant::now() + Testnet::RESTORING;
    while restored_heights(world, 6).is_empty() {
        assert!(Instant::now() < until, "nothing is restored");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    change(board, (&[0, 1, 2, 3, 4, 5, 6], &[0, 1, 2, 4]), &[5, 6], &[]).await;
    all_vote(client).await;
    let seven = era_height(client).await;
    assert_eq!(client.trust().replicas(), 7);
    let before = restored_heights(world, 6);
    assert!(before[0] < seven, "{before:?}, {seven}");
    change(
        board,
        (&[0, 1, 2, 3, 4, 5, 6], &[2, 3, 4, 5, 6]),
        &[],
        &[0, 1],
    )
    .await;
    let five = era_height(client).await;
    world.net.kill(1).await.unwrap();
    snapshot_after(world, 3, five + 2).await;
    let comes_back = async {
        world.net.restore(1).await.unwrap();
        let newest = world.net.height(3).await.unwrap();
        world
            .net
            .wait_height(1, newest, Testnet::RESTORING)
            .await
            .unwrap();
    };
    let four = async {
        all_vote(client).await;
        change(board, (&[0, 2, 3, 4, 5, 6], &[3, 4, 5, 6]), &[], &[2]).await;
    };
    tokio::join!(comes_back, four);
    let after = restored_heights(world, 1);
    assert!(after[0] >= five + 2, "{after:?}, {five}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn four_replicas_become_seven_and_four_others_while_sessions_run_and_clients_sleep() {
    let Some(world) = world(Setup {
        heartbeat_ms: Some(1_000),
        spares: 3,
        // Sessions make many blocks: a snapshot is to be there for as long as it takes to find it.
        blocks: Some((120, 0)),
        ..Setup::default()
    })
    .await
    else {
        return;
    };
    let three = keys(3);
    let board = Board::new(&world);
    let sleeper = world.client(&three[0]);
    let before = sleeper.status().await.unwrap().height();
    let receipt = ceremony(&world, &three).await;
    let kept = world.net.dir().join("sleeper.trust");
    sleeper.keep_trust(&kept).unwrap();
    let enough = AtomicBool::new(false);
    let changed = async {
        resized(&world, &board).await;
        enough.store(true, Ordering::SeqCst);
    };
    let (count, ()) = tokio::join!(sessions(&world, &enough), changed);
    assert!(count > 0, "no session ran");
    println!("{count} sessions, one after the other, while four became seven and four others");
    for gone in 0..3 {
        world.net.kill(gone).await.unwrap();
    }
    // Whoever slept through all of it asks the addresses of then, of which one replica is still there.
    assert!(sleeper.status().await.unwrap().height() > before);
    assert_eq!(sleeper.trust().newest_era(), 4);
    let awake = Client::from_trust_file(&trust_file::read(&kept).unwrap());
    let awake = awake.replicas(world.net.rpc_urls()[3..].iter().cloned());
    let awake = awake.build().unwrap();
    assert!(awake.status().await.unwrap().height() > before);
    let file = awake.keep_trust(&kept).unwrap();
    assert_eq!((file.trust().newest_era(), file.trust().replicas()), (4, 4));
    let trust = genesis::trust(world.net.dir().join("genesis.json")).unwrap();
    for trust in [&trust, &file.trust()] {
        let proven = receipt.verify(trust).unwrap();
        assert_eq!(proven.certified[0].era, 0);
    }
    let renewed = awake.renew(receipt).await.unwrap();
    assert_eq!(renewed.verify(&trust).unwrap().certified[0].era, 4);
    ends_well(&world, &world.net.rpc_urls()[3..]).await;
    world.stop().await;
}
