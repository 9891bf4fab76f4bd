//! Two tasks of one client that meet an era at once, whose link neither knows: the one that comes second is told nothing new.

use std::{future::Future, sync::Arc, time::Duration};

use axum::{Json, Router, extract::State, routing::post};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use prost::Message as _;
use serde_json::{Value, json};
use tokio::{net::TcpListener, sync::watch, time::timeout};
use white_city_client::{
    Client, Error,
    wire::{
        pb::{self, answer::Body, query::Question},
        read::decode_query,
    },
};
use white_city_tests::forger::{Forger, Story};

use crate::{
    eras::{link, set},
    forged::{running, trust},
};

/// Time after which something won't happen any more.
const PATIENCE: Duration = Duration::from_secs(30);
/// Height of the block whose charter changed the validators.
const ERA_HEIGHT: u64 = 1;

/// A board in era 1, told by its validators.
struct Board {
    forger: Forger,
    story: Story,
    link: pb::Link,
    /// Number of times that the links were asked for.
    asked: watch::Sender<usize>,
    /// Whether the second one who asked is answered.
    is_released: watch::Sender<bool>,
}

impl Board {
    fn new() -> Self {
        let (genesis, council) = (Forger::new(), set(10));
        let link = link(ERA_HEIGHT + 1, genesis.council(), &council, 3);
        Self {
            forger: genesis.handed_over(council, ERA_HEIGHT),
            story: running(),
            link,
            asked: watch::channel(0).0,
            is_released: watch::channel(false).0,
        }
    }

    async fn serve(self: &Arc<Self>) -> String {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let router = Router::new().route("/", post(reply));
        let router = router.with_state(Arc::clone(self));
        tokio::spawn(async move { axum::serve(listener, router).await });
        url
    }

    /// The first one who asks for links is answered when another one has asked, too; that one, when it is released.
    async fn links(&self, from: u32) -> Body {
        let mut number = 0;
        self.asked.send_modify(|asked| {
            *asked += 1;
            number = *asked;
        });
        match number {
            1 => drop(self.asked.subscribe().wait_for(|asked| *asked > 1).await),
            2 => drop(self.is_released.subscribe().wait_for(|yes| *yes).await),
            _ => {}
        }
        let links = match from {
            0 => vec![self.link.clone()],
            _ => Vec::new(),
        };
        Body::Links(pb::LinksAnswer { links })
    }
}

async fn reply(State(board): State<Arc<Board>>, Json(request): Json<Value>) -> Json<Value> {
    let params = &request["params"];
    let certified = board.forger.certify(board.story.height, &board.story.leaf);
    let result = match request["method"].as_str() {
        Some("abci_query") => {
            let query = hex::decode(params["data"].as_str().unwrap()).unwrap();
            let question = decode_query(&query).unwrap();
            let (round, body) = match &question {
                Question::Links(asked) => (None, board.links(asked.from_era).await),
                other => board.story.answer(other),
            };
            let answer = certified.answer(round.as_ref(), body).encode_to_vec();
            json!({ "response": { "code": 0, "value": STANDARD.encode(answer) } })
        }
        Some("commit") => json!({ "signed_header": certified.header }),
        other => panic!("{other:?}"),
    };
    Json(json!({ "jsonrpc": "2.0", "id": request["id"], "result": result }))
}

async fn soon<T>(of: impl Future<Output = T>) -> T {
    timeout(PATIENCE, of).await.unwrap()
}

#[tokio::test]
async fn a_task_that_asks_for_a_link_sees_that_another_one_has_learned_it() {
    let board = Arc::new(Board::new());
    let url = board.serve().await;
    // Each with replicas of its own, and one trust.
    let trust = trust();
    let [one, other] = [(), ()].map(|()| {
        let client = Client::builder(trust.clone()).replicas([&url]);
        let (client, id) = (client.build().unwrap(), board.story.id);
        tokio::spawn(async move { client.observe(id).await.map(drop) })
    });
    let (mut one, mut other) = (one, other);
    let (first, second): (Result<(), Error>, _) = soon(async {
        tokio::select! {
            first = &mut one => (first.unwrap(), other),
            first = &mut other => (first.unwrap(), one),
        }
    })
    .await;
    assert_eq!(first, Ok(()));
    assert_eq!(trust.newest_era(), 1);
    assert!(!second.is_finished(), "it waits for its answer");
    board.is_released.send_replace(true);
    assert_eq!(soon(second).await.unwrap(), Ok(()));
    assert!(*board.asked.borrow() >= 3);
}
