//! A proxy in front of a board that holds one transaction of a party back, so that the party can be killed at that very moment.

use std::{
    collections::BTreeSet,
    sync::{Arc, Mutex},
};

use axum::{
    Router,
    body::Bytes,
    extract::State,
    http::header::CONTENT_TYPE,
    response::{IntoResponse, Response},
    routing::post,
};
use serde_json::Value;
use tokio::{net::TcpListener, sync::Notify, task::JoinHandle};

/// When a party is killed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum When {
    /// The transaction has left the party and never reaches the board.
    BeforeSending,
    /// The board has it, and the party never hears of it.
    AfterSending,
    /// The party hears that it was taken, and it never reaches the board.
    Swallowed,
}

/// Holds back the transaction with this number, the first one being 0, and everything behind it.
pub struct Gate {
    address: String,
    shared: Arc<Shared>,
    serving: JoinHandle<()>,
}

struct Shared {
    target: String,
    http: reqwest::Client,
    at: usize,
    when: When,
    seen: Mutex<BTreeSet<String>>,
    caught: Notify,
    look: Box<dyn Fn(usize) + Send + Sync>,
}

impl Gate {
    pub async fn start(target: &str, at: usize, when: When) -> Self {
        Self::new(target, (at, when), |_| {}).await
    }

    /// Holds nothing back, and looks at the party at each of its transactions before that reaches the board.
    pub async fn looking(target: &str, look: impl Fn(usize) + Send + Sync + 'static) -> Self {
        Self::new(target, (usize::MAX, When::BeforeSending), look).await
    }

    async fn new(
        target: &str,
        (at, when): (usize, When),
        look: impl Fn(usize) + Send + Sync + 'static,
    ) -> Self {
        let shared = Arc::new(Shared {
            target: target.to_owned(),
            http: reqwest::Client::new(),
            at,
            when,
            seen: Mutex::default(),
            caught: Notify::new(),
            look: Box::new(look),
        });
        let router = Router::new()
            .route("/", post(pass))
            .with_state(Arc::clone(&shared));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        let serving = tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        Self {
            address,
            shared,
            serving,
        }
    }

    pub fn url(&self) -> String {
        self.address.clone()
    }

    /// Waits until the transaction is held back.
    pub async fn caught(&self) {
        self.shared.caught.notified().await;
    }
}

impl Drop for Gate {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

async fn pass(State(shared): State<Arc<Shared>>, request: Bytes) -> Response {
    let is_held = shared.is_held(&request);
    match shared.when {
        When::BeforeSending if is_held => return shared.hold().await,
        When::Swallowed if is_held => {
            shared.caught.notify_one();
            let taken = r#"{"jsonrpc":"2.0","id":1,"result":{"code":0}}"#;
            return ([(CONTENT_TYPE, "application/json")], taken).into_response();
        }
        _ => {}
    }
    let sent = shared.http.post(&shared.target).body(request);
    let reply = sent.header(CONTENT_TYPE, "application/json").send().await;
    let bytes = reply.unwrap().bytes().await.unwrap();
    if is_held {
        return shared.hold().await;
    }
    ([(CONTENT_TYPE, "application/json")], bytes).into_response()
}

impl Shared {
    /// Whether the request brings the transaction, or one behind it.
    fn is_held(&self, request: &[u8]) -> bool {
        let request: Value = serde_json::from_slice(request).unwrap();
        let Some(tx) = request["params"]["tx"].as_str() else {
            return false;
        };
        let mut seen = self.seen.lock().unwrap();
        if seen.insert(tx.to_owned()) {
            (self.look)(seen.len() - 1);
        }
        seen.len() > self.at
    }

    async fn hold(&self) -> Response {
        self.caught.notify_one();
        std::future::pending().await
    }
}
