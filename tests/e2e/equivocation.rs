//! A party that signs two entries for one slot.

use std::net::SocketAddr;

use tendermint_rpc::{Client as _, HttpClient, client::CompatMode};
use white_city_client::{
    Hash, SessionId, Signer,
    wire::{
        SignedTx,
        board::Offence,
        tx::{Action, Post},
    },
};

use white_city_tests::tampering::{Proxy, named};

use crate::world::{Key, PATIENCE, Setup, World, join, keys, world};

#[tokio::test(flavor = "multi_thread")]
async fn the_first_of_two_entries_counts_and_the_evidence_is_on_the_board() {
    let setup = Setup {
        heartbeat_ms: Some(300),
        ..Setup::default()
    };
    let Some(world) = world(setup).await else {
        return;
    };
    let keys = keys(2);
    let id = world.open(&keys, |spec| spec).await;
    let mut honest = world.session(&keys[0], id).await;
    let mut twofold = world.session(&keys[1], id).await;
    let (first, second) = tokio::join!(join(&mut honest), join(&mut twofold));
    first.unwrap();
    second.unwrap();
    twofold.post(1, b"one".to_vec(), vec![]).await.unwrap();
    let old = before_evidence(&world, &keys[0], id).await;
    let transcript = twofold.history().transcript();
    let network = world.client(&keys[1]).network().id;
    let other = Post::new(id, 1, (1, 2), transcript, b"two".to_vec(), vec![]);
    let action = Action::Post(other);
    let signature = keys[1].local().sign(&action, &network).await.unwrap();
    let tx = SignedTx::new(action, signature).unwrap().encode();
    for url in world.net.rpc_urls() {
        let rpc = HttpClient::builder(url.parse().unwrap())
            .compat_mode(CompatMode::V0_38)
            .build()
            .unwrap();
        let answer = rpc.broadcast_tx_sync(tx.clone()).await.unwrap();
        assert_ne!(answer.code.value(), 0);
    }
    let culprit = tokio::time::timeout(PATIENCE, evidence(&world.client(&keys[0]), id)).await;
    let culprit = culprit.expect("the evidence reaches the board");
    assert_eq!(
        (culprit.index, culprit.offence, culprit.round),
        (1, Offence::Equivocation, 1)
    );
    hides_nothing(&world, &old, &keys[0], id).await;
    honest.post(1, b"three".to_vec(), vec![]).await.unwrap();
    let inbox = honest.inbox(1).await.unwrap();
    assert_eq!(inbox.broadcasts[&1], b"one");
    assert_ne!(culprit.a, Hash::ZERO);
    world.stop().await;
}

/// A replica that remembers that there is no evidence.
async fn before_evidence(world: &World, key: &Key, id: SessionId) -> Proxy {
    let anywhere = SocketAddr::from(([127, 0, 0, 1], 0));
    let old = Proxy::start(&world.net.rpc_urls()[0], anywhere, 1).await;
    let old = old.unwrap();
    let client = world.client_of([old.url()], key);
    assert!(client.evidence(id).await.unwrap().culprits.is_empty());
    assert!(client.state(id).await.unwrap().accused.is_empty());
    old
}

/// Check that one of four replicas' memories, true once, hides the evidence from nobody who asks once.
async fn hides_nothing(world: &World, old: &Proxy, key: &Key, id: SessionId) {
    let others = &world.net.rpc_urls()[1..];
    for url in others {
        evidence(&world.client_of([url.clone()], key), id).await;
    }
    let replay = named("replay-old").unwrap();
    old.tamper(&[replay], 100);
    for time in 0..4 {
        let client = || {
            let all = std::iter::once(old.url()).chain(others.iter().cloned());
            world.client_of(all, key)
        };
        let evidence = client().evidence(id).await.unwrap();
        assert_eq!(evidence.culprits.len(), 1, "{time}");
        let state = client().state(id).await.unwrap();
        assert_eq!(state.accused.len(), 1, "{time}");
    }
    assert!(old.count(&replay) > 0);
}

async fn evidence(
    client: &white_city_client::Client,
    id: SessionId,
) -> white_city_client::wire::board::Culprit {
    loop {
        let state = client.state(id).await.unwrap();
        if let Some(culprit) = state.accused.first() {
            return culprit.clone();
        }
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    }
}
