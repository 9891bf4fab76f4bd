//! A replica that tells a story, with the validators' signatures under all of it.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use axum::{Json, Router, extract::State, routing::post};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use prost::Message as _;
use serde_json::{Value, json};
use tendermint::block::signed_header::SignedHeader;
use tokio::{net::TcpListener, task::JoinHandle};
use white_city_wire::read::decode_query;

use super::{Forger, Story};

/// Number of heights by which a story's next state is later: no block of it is the next one of another.
const STEP: u64 = 2;

/// A replica with the validators' keys. It ends when it is dropped.
pub struct ForgedReplica {
    url: String,
    shared: Arc<Shared>,
    serving: JoinHandle<()>,
}

struct Shared {
    forger: Forger,
    told: Mutex<Told>,
}

struct Told {
    story: Story,
    headers: BTreeMap<u64, SignedHeader>,
    is_misplacing: bool,
}

impl ForgedReplica {
    /// Tells a story on a port of 127.0.0.1.
    ///
    /// # Panics
    /// When there is no port.
    pub async fn start(story: Story) -> Self {
        let shared = Arc::new(Shared {
            forger: Forger::new(),
            told: Mutex::new(Told {
                story,
                headers: BTreeMap::new(),
                is_misplacing: false,
            }),
        });
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let url = format!("http://{}", listener.local_addr().expect("an address"));
        let router = Router::new()
            .route("/", post(reply))
            .with_state(Arc::clone(&shared));
        let serving = tokio::spawn(async move {
            // It only ends by being aborted.
            let _ = axum::serve(listener, router).await;
        });
        Self {
            url,
            shared,
            serving,
        }
    }

    /// Its address.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
    }

    /// From now on whoever asks for a header gets that of a later height, with all signatures.
    pub fn misplace_headers(&self) {
        lock(&self.shared).is_misplacing = true;
    }

    /// Tells another story from now on, at a later height.
    pub fn tell(&self, mut story: Story) {
        let mut told = lock(&self.shared);
        story.height = told.story.height + STEP;
        told.story = story;
    }
}

impl Drop for ForgedReplica {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

fn lock(shared: &Shared) -> MutexGuard<'_, Told> {
    shared.told.lock().unwrap_or_else(PoisonError::into_inner)
}

async fn reply(State(shared): State<Arc<Shared>>, Json(request): Json<Value>) -> Json<Value> {
    let params = &request["params"];
    let mut told = lock(&shared);
    let certified = shared.forger.certify(told.story.height, &told.story.leaf);
    let height = told.story.height;
    told.headers.insert(height, certified.header.clone());
    let result = match request["method"].as_str() {
        Some("abci_query") => {
            let query = hex::decode(params["data"].as_str().unwrap_or_default());
            let question = query.ok().and_then(|query| decode_query(&query).ok());
            question.map(|question| {
                let (round, body) = told.story.answer(&question);
                let answer = certified.answer(round.as_ref(), body).encode_to_vec();
                json!({ "response": { "code": 0, "value": STANDARD.encode(answer) } })
            })
        }
        Some("commit") if told.is_misplacing => {
            let later = shared.forger.certify(height + STEP, &told.story.leaf);
            Some(json!({ "signed_header": later.header }))
        }
        Some("commit") => {
            let asked = params["height"].as_str().and_then(|text| text.parse().ok());
            let header = told.headers.get(&asked.unwrap_or(height));
            header.map(|header| json!({ "signed_header": header }))
        }
        _ => None,
    };
    let id = &request["id"];
    Json(match result {
        Some(result) => json!({ "jsonrpc": "2.0", "id": id, "result": result }),
        None => json!({ "jsonrpc": "2.0", "id": id, "error": { "code": -32601, "message": "no" } }),
    })
}
