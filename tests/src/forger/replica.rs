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
use white_city_wire::{
    pb::{self, answer::Body, query::Question},
    read::decode_query,
};

use super::{Forger, Reign, Story};

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
    reign: Option<Reign>,
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
                reign: None,
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

    /// From now on the validators of another era certify what it tells.
    pub fn hand_over(&self, reign: Reign) {
        lock(&self.shared).reign = Some(reign);
    }

    /// Tells another story from now on, at a later height.
    pub fn tell(&self, mut story: Story) {
        let mut told = lock(&self.shared);
        story.height = told.story.height + STEP;
        told.story = story;
    }
}

impl Told {
    fn links(&self, from_era: u32) -> Body {
        let Some(reign) = &self.reign else {
            return Body::Links(pb::LinksAnswer::default());
        };
        let from = usize::try_from(from_era).unwrap_or(usize::MAX);
        let from = if reign.repeats_links { 0 } else { from };
        let links = reign.links.get(from..).unwrap_or_default().to_vec();
        Body::Links(pb::LinksAnswer { links })
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
    let (height, leaf) = (told.story.height, &told.story.leaf);
    let certified = match &told.reign {
        None => shared.forger.certify(height, leaf),
        Some(reign) => shared.forger.certify_in(reign, height, leaf),
    };
    told.headers.insert(height, certified.header.clone());
    let result = match request["method"].as_str() {
        Some("abci_query") => {
            let query = hex::decode(params["data"].as_str().unwrap_or_default());
            let question = query.ok().and_then(|query| decode_query(&query).ok());
            question.map(|question| {
                let (round, body) = match &question {
                    Question::Links(asked) => (None, told.links(asked.from_era)),
                    question => told.story.answer(question),
                };
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
