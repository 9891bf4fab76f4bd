//! A sender whose payload nobody can open, seen from a gateway: the failure names it, a complaint goes through, and it is convicted.

use reqwest::Method;
use serde_json::{Value, json};
use tendermint_rpc::{Client as _, HttpClient, client::CompatMode};
use white_city_client::{
    Session, Signer,
    wire::{
        SignedTx,
        tx::{Action, Post},
    },
};
use white_city_tests::complaints::{
    PayloadPlace, complain_about, ikm_e, reveal_of, unreadable_post,
};

use super::Gateway;
use crate::world::{World, result, run, world};

const SECRET: &[u8] = b"a share";

/// Signs as party 0 and sends past its client, which doesn't say such things.
async fn send(world: &World, action: Action) {
    let network = world.trust().network().id;
    let signature = world.key(0).sign(&action, &network).await.unwrap();
    let tx = SignedTx::new(action, signature).unwrap().encode();
    let board = HttpClient::builder(world.url().parse().unwrap());
    let board = board.compat_mode(CompatMode::V0_38).build().unwrap();
    let reply = board.broadcast_tx_sync(tx).await.unwrap();
    assert!(reply.code.is_ok(), "{reply:?}");
}

/// Party 0's post in round 1, which party 1 can't open.
fn bad_post(world: &World, bad: &Session) -> Post {
    let key = bad.history().join(1).unwrap().key.clone();
    let place = PayloadPlace {
        network: world.trust().network().id,
        session: bad.id(),
        spec: bad.spec(),
        transcript: bad.history().transcript(),
        round: 1,
        from: 0,
        to: 1,
        key: key.clone(),
    };
    unreadable_post(&place, &[(1, key)], SECRET)
}

/// Asks, and gives status and answer.
async fn ask(gateway: &Gateway, method: Method, path: &str, body: Value) -> (u16, Value) {
    let asked = gateway.request(method, &format!("/v1/sessions/{path}"));
    let answer = asked.body(body.to_string()).send().await.unwrap();
    let status = answer.status().as_u16();
    let said = serde_json::from_str(&answer.text().await.unwrap());
    (status, said.unwrap())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_bad_sender_is_named_complained_about_and_convicted_through_a_gateway() {
    let world = world().await;
    let preset = ["--protocol", "p", "--max-rounds", "4"];
    let id = world.open(&[0, 1], &preset).await;
    let mut bad = world.client().session(id).await.unwrap();
    let gateway = Gateway::start(&world, 1, &[]).await;
    let join = format!("{id}/join");
    let join = ask(&gateway, Method::POST, &join, json!({}));
    let (joined, (status, _)) = tokio::join!(bad.join(), join);
    assert_eq!((joined, status), (Ok(()), 200));
    bad.wait_ready().await.unwrap();
    let post = bad_post(&world, &bad);
    send(&world, Action::Post(post.clone())).await;
    let round = format!("{id}/rounds/1");
    let (status, _) = ask(&gateway, Method::PUT, &round, json!({})).await;
    assert_eq!(status, 200);
    let (status, said) = ask(&gateway, Method::GET, &round, Value::Null).await;
    assert_eq!((status, &said["failure"]), (422, &8000.into()));
    assert_eq!(said["exit_code"], 8);
    let text = said["error"].as_str().unwrap();
    assert!(text.contains("party 0 sent in round 1"), "{text}");
    let complaint = json!({ "round": 1, "from": 0 });
    let path = format!("{id}/complain");
    let (status, said) = ask(&gateway, Method::POST, &path, complaint.clone()).await;
    assert_eq!((status, &said["result"]), (200, &"complained".into()));
    // Once more by another process, which finds the dispute on the board.
    gateway.kill().await;
    let gateway = Gateway::start(&world, 1, &[]).await;
    let (status, _) = ask(&gateway, Method::POST, &path, complaint).await;
    assert_eq!(status, 200);
    let complain = complain_about(&post, 1, 2).unwrap();
    let reveal = reveal_of(&complain, ikm_e(SECRET), SECRET);
    send(&world, Action::Reveal(reveal)).await;
    let (status, end) = ask(&gateway, Method::GET, &format!("{id}/end"), Value::Null).await;
    assert_eq!((status, &end["result"]), (200, &"aborted".into()));
    assert_eq!(end["culprits"], json!([0]));
    assert_eq!(gateway.end().await, Some(0));
    // The same from a shell.
    let (id, unlocked) = (id.to_string(), ["--identity", "party1.key"]);
    let about = ["--round", "1", "--from", "0"];
    let args = [&["session", "complain", &id][..], &unlocked, &about].concat();
    let complained = result(&run(world.command(&world.url(), &args)).await);
    assert_eq!(complained["result"], "complained");
    world.net.stop().await.unwrap();
}
