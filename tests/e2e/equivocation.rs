//! A party that signs two entries for one slot.

use tendermint_rpc::{Client as _, HttpClient, client::CompatMode};
use white_city_client::{
    Hash, SessionId, Signer,
    wire::{
        SignedTx,
        board::Offence,
        tx::{Action, Post},
    },
};

use crate::world::{PATIENCE, Setup, join, keys, world};

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
    honest.post(1, b"three".to_vec(), vec![]).await.unwrap();
    let inbox = honest.inbox(1).await.unwrap();
    assert_eq!(inbox.broadcasts[&1], b"one");
    assert_ne!(culprit.a, Hash::ZERO);
    world.stop().await;
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
