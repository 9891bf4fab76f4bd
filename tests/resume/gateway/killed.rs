//! A gateway that is killed after every call, and started again: the same calls give the same answers, and what was remembered is there.

use reqwest::Method;
use serde_json::{Value, json};

use super::Gateway;
use crate::world::{World, world};

/// A party whose gateway dies after each answer.
struct Dying<'a> {
    world: &'a World,
    party: usize,
}

impl Dying<'_> {
    /// Asks twice, with a death in between, and gives the one answer.
    async fn ask(&self, method: Method, path: &str, body: Value) -> Value {
        let mut said = Vec::new();
        for _ in 0..2 {
            let gateway = Gateway::start(self.world, self.party, &[]).await;
            let mut asked = gateway.request(method.clone(), path);
            if !body.is_null() {
                asked = asked.body(body.to_string());
            }
            let answer = asked.send().await.unwrap();
            let status = answer.status();
            let text = answer.text().await.unwrap();
            assert!(status.is_success(), "{method} {path}: {text}");
            said.push(serde_json::from_str(&text).unwrap());
            gateway.kill().await;
        }
        assert_eq!(said[0], said[1], "{method} {path}");
        said.remove(0)
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_gateway_that_dies_after_every_call_gives_the_same_answers() {
    let world = world().await;
    let parties = [0, 1].map(|party| Dying {
        world: &world,
        party,
    });
    let [alice, bob] = &parties;
    let mut roster = Vec::new();
    for party in &parties {
        let said = party.ask(Method::GET, "/v1/party", Value::Null).await;
        roster.push(said["key"].clone());
    }
    let open = json!({ "request": "once", "protocol": "p", "roster": roster, "max_rounds": 4 });
    let opened = alice.ask(Method::POST, "/v1/sessions", open).await;
    let id = opened["session"].as_str().unwrap().to_owned();
    let path = |what: &str| format!("/v1/sessions/{id}/{what}");
    for party in &parties {
        party.ask(Method::POST, &path("join"), Value::Null).await;
    }
    // A protocol that draws its own randomness remembers it before the post that depends on it.
    let drawn = json!({ "data": "bXkgb3duIG5vbmNl" });
    alice
        .ask(Method::PUT, &path("memory/nonce"), drawn.clone())
        .await;
    let found = alice
        .ask(Method::GET, &path("memory/nonce"), Value::Null)
        .await;
    assert_eq!(found, drawn);
    let post = json!({ "broadcast": found["data"], "p2p": { "1": found["data"] } });
    alice.ask(Method::PUT, &path("rounds/1"), post).await;
    bob.ask(Method::PUT, &path("rounds/1"), json!({})).await;
    let inbox = bob.ask(Method::GET, &path("rounds/1"), Value::Null).await;
    assert_eq!(inbox["p2p"]["0"], drawn["data"]);
    let outcome = json!({ "outcome": "ab".repeat(32) });
    for party in &parties {
        party
            .ask(Method::POST, &path("finish"), outcome.clone())
            .await;
    }
    let end = bob.ask(Method::GET, &path("end"), Value::Null).await;
    assert_eq!(end["result"], "finished");
    for party in &parties {
        let forget = format!("/v1/sessions/{id}");
        party.ask(Method::DELETE, &forget, Value::Null).await;
    }
    world.net.stop().await.unwrap();
}
