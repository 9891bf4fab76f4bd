//! A sender whose payload can't be opened, on four replicas of which one is down.

use white_city_client::{
    Dispute, End, Error, Receipt, Session, genesis, receipt::Claim, wire::board::Cause,
};

use crate::{
    bad_sender,
    world::{PATIENCE, Setup, keys, world},
};

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
    let [bad, mut one, mut two] = bad_sender::joined(&world, &keys).await;
    world.net.kill(3).await.unwrap();
    let post = bad_sender::posts(&world, &keys[0], &bad).await;
    let refused = tokio::join!(first_round(&mut one), first_round(&mut two));
    let payload = Error::Payload { from: 0, round: 1 };
    assert_eq!(refused, (payload.clone(), payload));
    // Both complain; the session has one dispute.
    let complained = tokio::join!(one.complain(1, 0), two.complain(1, 0));
    assert_eq!(complained, (Ok(()), Ok(())));
    let dispute: Dispute = one.dispute().unwrap();
    assert_eq!((dispute.accused, dispute.round), (0, 1));
    assert_eq!(one.waiting_for(), [0]);
    bad_sender::reveals(&world, &keys[0], &post, dispute.by).await;
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
