//! Sessions that end of a complaint.

use std::{collections::BTreeMap, time::Duration};

use ed25519_dalek::Signer as _;
use tendermint_rpc::Client as _;
use white_city_client::{
    Error, Session, Signature,
    wire::{
        SignedTx,
        tx::{Action, bytes_to_sign},
    },
};
use white_city_tests::complaints::{
    PayloadPlace, complain_about, ikm_e, reveal_of, unreadable_post,
};

use super::{Receipts, World, party};

const SECRET: &[u8] = b"a share";

/// Nobody can open what party 0 has sent: once it reveals that, once it is silent.
pub(super) async fn disputed(world: &World) -> Receipts {
    let answered = complained(world, true).await;
    let silent = complained(world, false).await;
    let receipts = [
        (
            "ceremony of a bad payload",
            answered.ceremony_receipt().await,
        ),
        ("end by a bad payload", answered.end_receipt().await),
        ("ceremony of silence", silent.ceremony_receipt().await),
        ("end by silence", silent.end_receipt().await),
    ];
    let receipts = receipts.map(|(name, receipt)| (name, receipt.unwrap().to_bytes()));
    BTreeMap::from(receipts)
}

/// Party 2, which has seen the end.
async fn complained(world: &World, is_answered: bool) -> Session {
    let id = world.open(3, Duration::from_secs(600)).await;
    let [mut a, mut b, mut c] = world.sessions(id).await;
    for session in [&mut a, &mut b, &mut c] {
        session.join().await.unwrap();
    }
    for session in [&mut a, &mut b, &mut c] {
        session.wait_ready().await.unwrap();
    }
    let history = a.history();
    let to = [1, 2].map(|to| (to, history.join(to).unwrap().key.clone()));
    let place = PayloadPlace {
        network: world.client(0).network().id,
        session: id,
        spec: a.spec(),
        transcript: history.transcript(),
        round: 1,
        from: 0,
        to: 1,
        key: to[0].1.clone(),
    };
    let post = unreadable_post(&place, &to, SECRET);
    send(world, Action::Post(post.clone())).await;
    for session in [&mut b, &mut c] {
        session.post(1, Vec::new(), Vec::new()).await.unwrap();
    }
    let payload = Error::Payload { from: 0, round: 1 };
    assert_eq!(b.inbox(1).await.unwrap_err(), payload);
    b.complain(1, 0).await.unwrap();
    if is_answered {
        let complain = complain_about(&post, 1, 3).unwrap();
        let reveal = reveal_of(&complain, ikm_e(SECRET), SECRET);
        send(world, Action::Reveal(reveal)).await;
    }
    c.wait_end().await.unwrap();
    c
}

/// Signs as party 0 and sends it past the client.
async fn send(world: &World, action: Action) {
    let bytes = bytes_to_sign(&action, &world.client(0).network().id).unwrap();
    let signature = Signature(party(0).sign(&bytes).to_bytes());
    let tx = SignedTx::new(action, signature).unwrap().encode();
    let rpc = tendermint_rpc::HttpClient::new(world.solo.rpc_url().as_str()).unwrap();
    let reply = rpc.broadcast_tx_sync(tx).await.unwrap();
    assert!(reply.code.is_ok(), "{}", reply.log);
}
