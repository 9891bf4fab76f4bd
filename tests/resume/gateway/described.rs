//! The description is true: every call is made, and each answer is what is said of it.

use std::collections::BTreeSet;

use reqwest::Method;
use serde_json::{Value, json};
use white_city_client::SessionId;

use super::{Gateway, schema::Description};
use crate::world::{World, world};

/// Where the description is.
const FILE: &str = concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/../client/gateway/openapi.json"
);

struct Caller<'a> {
    gateways: [Gateway; 2],
    description: &'a Description,
    made: BTreeSet<(String, String)>,
}

impl Caller<'_> {
    /// Asks a party's gateway something, and gives status and answer, which is as described.
    async fn ask(
        &mut self,
        party: usize,
        call: &str,
        fill: &[(&str, &str)],
        query: &str,
        body: Value,
    ) -> (u16, Value) {
        let (method, template) = call.split_once(' ').unwrap();
        let mut path = template.to_owned();
        for (name, value) in fill {
            path = path.replace(&format!("{{{name}}}"), value);
        }
        let verb: Method = method.to_uppercase().parse().unwrap();
        let mut asked = self.gateways[party].request(verb, &format!("{path}{query}"));
        if !body.is_null() {
            asked = asked.body(body.to_string());
        }
        let answer = asked.send().await.unwrap();
        let status = answer.status().as_u16();
        let text = answer.text().await.unwrap();
        let said = serde_json::from_str(&text).unwrap_or(Value::String(text));
        let schema = self.description.answer(method, template, status);
        let wrong = self.description.wrong(&schema, &said, call);
        assert_eq!(wrong, None, "{status} {said}");
        if status == 200 {
            self.made.insert((method.to_owned(), template.to_owned()));
        }
        (status, said)
    }

    /// The same in a session, where all is well.
    async fn well(
        &mut self,
        party: usize,
        call: &str,
        id: &str,
        more: &[(&str, &str)],
        body: Value,
    ) -> Value {
        let (method, path) = call.split_once(' ').unwrap();
        let call = format!("{method} /v1/sessions/{{session}}{path}");
        let fill = [&[("session", id)][..], more].concat();
        let (status, said) = self.ask(party, &call, &fill, "", body).await;
        assert_eq!(status, 200, "{call}: {said}");
        said
    }
}

fn open(name: &str, keys: &[Value]) -> Value {
    json!({ "request": name, "protocol": "described", "roster": keys, "max_rounds": 4, "input": "68656c6c6f" })
}

#[test]
fn every_example_of_the_description_is_what_it_is_an_example_of() {
    let text = std::fs::read_to_string(FILE).unwrap();
    let description = Description::new(&text);
    let schemas = description.schemas();
    assert!(schemas.len() > 15, "{}", schemas.len());
    for (name, examples) in schemas {
        assert!(!examples.is_empty(), "{name}");
        let schema = json!({ "$ref": format!("#/components/schemas/{name}") });
        for example in examples {
            assert_eq!(description.wrong(&schema, &example, &name), None);
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_call_is_made_and_answered_as_it_is_described() {
    let text = std::fs::read_to_string(FILE).unwrap();
    let description = Description::new(&text);
    let world = world().await;
    let mut caller = Caller {
        gateways: [
            Gateway::start(&world, 0, &[]).await,
            Gateway::start(&world, 1, &[]).await,
        ],
        description: &description,
        made: BTreeSet::new(),
    };
    let (_, served) = caller
        .ask(0, "get /openapi.json", &[], "", Value::Null)
        .await;
    assert_eq!(served, serde_json::from_str::<Value>(&text).unwrap());
    let mut keys = Vec::new();
    for party in [0, 1] {
        let (_, said) = caller
            .ask(party, "get /v1/party", &[], "", Value::Null)
            .await;
        keys.push(said["key"].clone());
    }
    let mut ids = Vec::new();
    for name in ["a", "b", "c", "a"] {
        let (status, said) = caller
            .ask(0, "post /v1/sessions", &[], "", open(name, &keys))
            .await;
        assert_eq!(status, 200, "{said}");
        ids.push(said["session"].as_str().unwrap().to_owned());
    }
    assert_eq!(ids[0], ids[3], "the same request opens the same session");
    let (status, said) = caller
        .ask(0, "post /v1/sessions", &[], "", open("a", &keys[..1]))
        .await;
    assert_eq!((status, &said["failure"]), (409, &6004.into()));
    session(&mut caller, &ids[0]).await;
    leave(&mut caller, &ids[1], &ids[2]).await;
    let (_, said) = caller
        .ask(0, "get /v1/sessions", &[], "", Value::Null)
        .await;
    assert_eq!(said["sessions"].as_array().unwrap().len(), 3);
    // An honest party has nothing to complain about here; what comes of a true complaint is in a test of its own.
    let call = "post /v1/sessions/{session}/complain";
    let body = json!({ "round": 1, "from": 1 });
    let (status, _) = caller.ask(0, call, &[("session", &ids[1])], "", body).await;
    assert_ne!(status, 200);
    caller
        .made
        .insert(("post".into(), "/v1/sessions/{session}/complain".into()));
    let all: BTreeSet<(String, String)> = description.calls().into_iter().collect();
    assert_eq!(caller.made, all, "every call was made");
    assert_nobody_is_blamed(&world, &ids[0]).await;
    for gateway in caller.gateways {
        assert_eq!(gateway.end().await, Some(0));
    }
    world.net.stop().await.unwrap();
}

async fn assert_nobody_is_blamed(world: &World, id: &str) {
    let id = SessionId::from_hex(id).unwrap();
    world.assert_nobody_is_blamed(id).await;
}

/// A session from joining to its end, in which everything that can be asked is.
async fn session(caller: &mut Caller<'_>, id: &str) {
    let said = caller.well(1, "get ", id, &[], Value::Null).await;
    assert_eq!(
        (&said["index"], &said["spec"]["input_text"]),
        (&1.into(), &"hello".into())
    );
    for party in [0, 1] {
        let said = caller.well(party, "post /join", id, &[], Value::Null).await;
        assert_eq!(said["index"], party);
    }
    caller.well(0, "get /progress", id, &[], Value::Null).await;
    let [one, two] = [0, 1].map(|_| ("purpose", "described"));
    let drawn = caller
        .well(0, "get /randomness/{purpose}", id, &[one], Value::Null)
        .await;
    assert_eq!(
        drawn,
        caller
            .well(0, "get /randomness/{purpose}", id, &[two], Value::Null)
            .await
    );
    let name = [("name", "state")];
    caller
        .well(0, "put /memory/{name}", id, &name, drawn.clone())
        .await;
    assert_eq!(
        caller
            .well(0, "get /memory/{name}", id, &name, Value::Null)
            .await,
        drawn
    );
    round(caller, id).await;
    ending(caller, id).await;
    let call = "get /v1/sessions/{session}/memory/{name}";
    let (status, said) = caller
        .ask(0, call, &[("session", id), name[0]], "", Value::Null)
        .await;
    assert_eq!(
        (status, &said["failure"]),
        (409, &2107.into()),
        "it is forgotten"
    );
}

/// A round of a session.
async fn round(caller: &mut Caller<'_>, id: &str) {
    let first = [("round", "1")];
    let post = json!({ "broadcast": "aGVsbG8=", "p2p": { "1": "c2VjcmV0" } });
    for _ in 0..2 {
        caller
            .well(0, "put /rounds/{round}", id, &first, post.clone())
            .await;
    }
    let call = "get /v1/sessions/{session}/rounds/{round}";
    let fill = [("session", id), first[0]];
    let (status, said) = caller.ask(0, call, &fill, "?wait_ms=50", Value::Null).await;
    assert_eq!((status, &said["waiting_for"]), (202, &json!([1])));
    let call = "put /v1/sessions/{session}/rounds/{round}";
    let (status, said) = caller
        .ask(0, call, &fill, "", json!({ "broadcast": "b3RoZXI=" }))
        .await;
    assert_eq!(
        (status, &said["failure"]),
        (409, &6004.into()),
        "another post"
    );
    caller
        .well(1, "put /rounds/{round}", id, &first, json!({}))
        .await;
    let inbox = caller
        .well(1, "get /rounds/{round}", id, &first, Value::Null)
        .await;
    let expected = json!({ "round": 1, "posted": [0, 1], "broadcasts": { "0": "aGVsbG8=" }, "p2p": { "0": "c2VjcmV0" } });
    assert_eq!(inbox, expected);
}

/// The end of a session, and what comes after it.
async fn ending(caller: &mut Caller<'_>, id: &str) {
    for party in [0, 1] {
        let outcome = json!({ "outcome": "ab".repeat(32) });
        caller.well(party, "post /finish", id, &[], outcome).await;
    }
    let end = caller.well(0, "get /end", id, &[], Value::Null).await;
    assert_eq!(
        (&end["result"], &end["outcome"]),
        (&"finished".into(), &"ab".repeat(32).into())
    );
    let events = caller.well(0, "get /events", id, &[], Value::Null).await;
    let last = events
        .as_str()
        .unwrap()
        .lines()
        .filter_map(|line| line.strip_prefix("data: "))
        .next_back();
    assert_eq!(serde_json::from_str::<Value>(last.unwrap()).unwrap(), end);
    caller.well(0, "get /receipt", id, &[], Value::Null).await;
    for _ in 0..2 {
        caller.well(0, "delete ", id, &[], Value::Null).await;
    }
}

/// A session that a party declines, and one that a party leaves.
async fn leave(caller: &mut Caller<'_>, declined: &str, left: &str) {
    caller
        .well(1, "post /decline", declined, &[], json!({ "reason": 7 }))
        .await;
    for party in [0, 1] {
        caller
            .well(party, "post /join", left, &[], Value::Null)
            .await;
    }
    for _ in 0..2 {
        let why = json!({ "cause_number": 3, "about": 1, "detail": null });
        caller.well(0, "post /abort", left, &[], why).await;
    }
    for (id, leaver) in [(declined, 1), (left, 0)] {
        let end = caller.well(0, "get /end", id, &[], Value::Null).await;
        assert_eq!(
            (&end["result"], &end["left"]),
            (&"aborted".into(), &json!([leaver])),
            "{end}"
        );
    }
}
