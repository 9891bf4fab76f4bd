//! A sender whose payload can't be opened, on four replicas of which one is down.

use tendermint_rpc::{Client as _, HttpClient, client::CompatMode};
use white_city_client::{
    Dispute, End, Error, Receipt, Session, Signer, genesis,
    receipt::Claim,
    wire::{SignedTx, board::Cause, tx::Action},
};
use white_city_tests::complaints::{
    PayloadPlace, complain_about, ikm_e, reveal_of, unreadable_post,
};

use crate::world::{Key, PATIENCE, Setup, World, join, keys, world};

const SECRET: &[u8] = b"a share";

/// Signs and sends past the client, to one replica that is up.
async fn send(world: &World, key: &Key, action: Action) {
    let network = world.client(key).network().id;
    let signature = key.local().sign(&action, &network).await.unwrap();
    let tx = SignedTx::new(action, signature).unwrap().encode();
    let rpc = HttpClient::builder(world.net.rpc_urls()[1].parse().unwrap())
        .compat_mode(CompatMode::V0_38)
        .build()
        .unwrap();
    let reply = rpc.broadcast_tx_sync(tx).await.unwrap();
    assert!(reply.code.is_ok(), "{}", reply.log);
}

/// Posts in round 1, and reads what the others have posted.
async fn first_round(session: &mut Session) -> Error {
    session.post(1, b"hello".to_vec(), vec![]).await.unwrap();
    session.inbox(1).await.unwrap_err()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bad_sender_is_convicted_while_a_replica_is_down_and_a_third_party_can_check_it() {
    let setup = Setup {
        heartbeat_ms: Some(500),
        ..Setup::default()
    };
    let Some(world) = world(setup).await else {
        return;
    };
    let keys = keys(3);
    let id = world.open(&keys, |spec| spec).await;
    let mut bad = world.session(&keys[0], id).await;
    let mut one = world.session(&keys[1], id).await;
    let mut two = world.session(&keys[2], id).await;
    let joined = tokio::join!(join(&mut bad), join(&mut one), join(&mut two));
    assert_eq!(joined, (Ok(()), Ok(()), Ok(())));
    world.net.kill(3).await.unwrap();
    let history = bad.history();
    let place = PayloadPlace {
        network: world.client(&keys[0]).network().id,
        session: id,
        spec: bad.spec(),
        transcript: history.transcript(),
        round: 1,
        from: 0,
        to: 1,
        key: history.join(1).unwrap().key,
    };
    let to = [1, 2].map(|to| (to, history.join(to).unwrap().key));
    let post = unreadable_post(&place, &to, SECRET);
    send(&world, &keys[0], Action::Post(post.clone())).await;
    let refused = tokio::join!(first_round(&mut one), first_round(&mut two));
    let payload = Error::Payload { from: 0, round: 1 };
    assert_eq!(refused, (payload.clone(), payload));
    // Both complain; the session has one dispute.
    let complained = tokio::join!(one.complain(1, 0), two.complain(1, 0));
    assert_eq!(complained, (Ok(()), Ok(())));
    let dispute: Dispute = one.dispute().unwrap();
    assert_eq!((dispute.accused, dispute.round), (0, 1));
    assert_eq!(one.waiting_for(), [0]);
    let complain = complain_about(&post, dispute.by, 3).unwrap();
    let reveal = reveal_of(&complain, ikm_e(SECRET), SECRET);
    send(&world, &keys[0], Action::Reveal(reveal)).await;
    let ends = async { tokio::join!(one.wait_end(), two.wait_end()) };
    let ends = tokio::time::timeout(PATIENCE, ends).await.unwrap();
    assert_eq!(ends.0, ends.1);
    let Ok(End::Aborted(record)) = ends.0 else {
        panic!("{ends:?}")
    };
    assert_eq!(record.record.cause, Cause::BadPayload);
    assert_eq!(record.dispute, Some(dispute));
    assert_eq!(record.culprits[0].index, 0);
    let receipt = two.ceremony_receipt().await.unwrap().to_bytes();
    world.net.start(3).await.unwrap();
    world.agree().await;
    let trust = genesis::trust(world.net.dir().join("genesis.json")).unwrap();
    world.stop().await;
    let proven = Receipt::from_bytes(&receipt).unwrap().verify(&trust);
    let Ok(Claim::Ceremony { culprits, .. }) = proven.map(|proven| proven.claim) else {
        panic!("a ceremony")
    };
    assert_eq!(culprits, [0]);
}
