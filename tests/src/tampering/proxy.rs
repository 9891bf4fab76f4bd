//! A proxy in front of a replica's RPC, for which a client takes it for the replica itself.

mod reply;

use std::{
    collections::{BTreeMap, VecDeque},
    net::SocketAddr,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use axum::{
    Router,
    body::Bytes,
    extract::{DefaultBodyLimit, State, WebSocketUpgrade, ws},
    http::StatusCode,
    response::{IntoResponse as _, Response},
    routing::{get, post},
};
use futures::{SinkExt as _, StreamExt as _};
use tokio::{
    net::{TcpListener, TcpStream},
    task::JoinHandle,
};
use tokio_tungstenite::tungstenite::Message;
use white_city_wire::{
    pb::query::Question,
    read::{DIRECT_PORT_SAYS, HANDING_PATH, QUERY_PATH},
};

use super::{Memory, Mutator};
use crate::rng::Rng;

/// Delay of a slow reply: later than a client hedges, earlier than it gives up.
pub const SLOW: Duration = Duration::from_secs(3);
/// Largest request that is passed on, bytes.
const REQUEST_BYTES_MAX: usize = 2 << 20;

/// A running proxy. It ends when it is dropped.
pub struct Proxy {
    address: SocketAddr,
    shared: Arc<Shared>,
    serving: JoinHandle<()>,
}

struct Shared {
    /// Host and port of the replica.
    target: String,
    http: reqwest::Client,
    /// The proxy's own.
    port: u16,
    plan: Mutex<Plan>,
}

/// Answer of a proxy about the replica's direct port, where clients would get past it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum DirectPort {
    /// Nothing.
    #[default]
    Hidden,
    /// The replica's own answer.
    Replicas,
    /// That the proxy is one, too, and it answers there as it does to the RPC's queries.
    Own,
    /// As `Own`, but no block comes for what it takes, and none has it.
    Idle,
    /// That the proxy is one, too, but it refuses everything.
    Refusing,
    /// That it is at ports of others, at another one each time: see [`Proxy::name_ports_of_others`].
    Others,
}

/// By how much which replies come late: to these questions, or to everything that is none, where there is `None`.
type Late = (Duration, fn(Option<&Question>) -> bool);

/// Orders to the proxy, and the record of what was done.
struct Plan {
    direct_port: DirectPort,
    others: VecDeque<u16>,
    mutators: Vec<Mutator>,
    percent: u64,
    late: Option<Late>,
    rng: Rng,
    memory: Memory,
    counts: BTreeMap<&'static str, u64>,
    sent: Vec<Vec<u8>>,
    handed: Vec<Vec<u8>>,
    requests: BTreeMap<String, u64>,
}

impl Proxy {
    /// Listens at `listen` in front of the replica at `target`, an address of HTTP. It is honest until it is told otherwise.
    ///
    /// # Errors
    /// Text that says which address can't be used.
    pub async fn start(target: &str, listen: SocketAddr, seed: u64) -> Result<Self, String> {
        let host = target.trim_end_matches('/').strip_prefix("http://");
        let host =
            host.ok_or_else(|| format!("target: expected http://host:port, not {target:?}"))?;
        let listener = TcpListener::bind(listen).await;
        let listener = listener.map_err(|error| format!("{listen}: {error}"))?;
        let address = listener.local_addr().map_err(|error| error.to_string())?;
        let shared = Arc::new(Shared {
            target: host.to_owned(),
            http: reqwest::Client::new(),
            port: address.port(),
            plan: Mutex::new(Plan {
                direct_port: DirectPort::default(),
                others: VecDeque::new(),
                mutators: Vec::new(),
                percent: 100,
                late: None,
                rng: Rng::new(seed),
                memory: Memory::default(),
                counts: BTreeMap::new(),
                sent: Vec::new(),
                handed: Vec::new(),
                requests: BTreeMap::new(),
            }),
        });
        let router = Router::new()
            .route("/", post(by_post))
            .route("/websocket", get(by_websocket))
            .route(QUERY_PATH, get(looked_at).post(by_direct_port))
            .route(HANDING_PATH, post(handed_over))
            .layer(DefaultBodyLimit::max(REQUEST_BYTES_MAX))
            .with_state(Arc::clone(&shared));
        let serving = tokio::spawn(async move {
            // It only ends by being aborted.
            let _ = axum::serve(listener, router).await;
        });
        Ok(Self {
            address,
            shared,
            serving,
        })
    }

    /// Its address for clients.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Tampers with `percent` of all replies from now on, each time in one of these ways.
    pub fn tamper(&self, mutators: &[Mutator], percent: u64) {
        let mut plan = self.shared.plan();
        plan.mutators = mutators.to_vec();
        plan.percent = percent;
    }

    /// Replies to such requests come so late from now on; `None` is a request that asks the board nothing.
    pub fn be_late(&self, by: Duration, which: fn(Option<&Question>) -> bool) {
        self.shared.plan().late = Some((by, which));
    }

    /// Sets the answer about a direct port from now on.
    pub fn show_direct_port(&self, direct_port: DirectPort) {
        self.shared.plan().direct_port = direct_port;
    }

    /// Says from now on that its direct port is one of these, the next one each time.
    pub fn name_ports_of_others(&self, ports: impl IntoIterator<Item = u16>) {
        let mut plan = self.shared.plan();
        plan.direct_port = DirectPort::Others;
        plan.others = ports.into_iter().collect();
    }

    /// Passes everything on as it is.
    pub fn be_honest(&self) {
        self.tamper(&[], 0);
    }

    /// Number of times that each mutator has really changed something, by name.
    #[must_use]
    pub fn counts(&self) -> BTreeMap<&'static str, u64> {
        self.shared.plan().counts.clone()
    }

    /// Number of times that this one has.
    #[must_use]
    pub fn count(&self, mutator: &Mutator) -> u64 {
        self.counts().get(mutator.name).copied().unwrap_or(0)
    }

    /// The transactions that clients have handed over at its direct port.
    #[must_use]
    pub fn handed(&self) -> Vec<Vec<u8>> {
        self.shared.plan().handed.clone()
    }

    /// The transactions that clients have sent to its RPC, whatever became of them.
    #[must_use]
    pub fn sent(&self) -> Vec<Vec<u8>> {
        self.shared.plan().sent.clone()
    }

    /// Counts of clients' requests: by method, and by height where the method is about one. What comes by way of the
    /// direct port counts as `abci_query 0`, too.
    #[must_use]
    pub fn requests(&self) -> BTreeMap<String, u64> {
        self.shared.plan().requests.clone()
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

impl Shared {
    fn plan(&self) -> MutexGuard<'_, Plan> {
        self.plan.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The replica's reply.
    async fn forward(&self, request: Bytes) -> Result<Vec<u8>, reqwest::Error> {
        let url = format!("http://{}/", self.target);
        let json = (reqwest::header::CONTENT_TYPE, "application/json");
        let sent = self.http.post(url).header(json.0, json.1).body(request);
        Ok(sent.send().await?.bytes().await?.to_vec())
    }
}

impl Plan {
    /// One of the mutators, or none.
    fn draw(&mut self) -> Option<Mutator> {
        let chosen = self.rng.pick(&self.mutators).copied();
        chosen.filter(|_| self.rng.chance(self.percent))
    }

    /// Delay of the reply to this request.
    fn lateness(&self, question: Option<&Question>) -> Duration {
        let late = self.late.filter(|(_, which)| which(question));
        late.map_or(Duration::ZERO, |(by, _)| by)
    }

    fn note_request(&mut self, what: &str) {
        *self.requests.entry(what.to_owned()).or_default() += 1;
    }

    fn count(&mut self, mutator: &Mutator) {
        *self.counts.entry(mutator.name).or_default() += 1;
    }
}

async fn by_post(State(shared): State<Arc<Shared>>, request: Bytes) -> Response {
    reply::reply(&shared, request).await
}

async fn by_direct_port(State(shared): State<Arc<Shared>>, query: Bytes) -> Response {
    reply::reply_to_query(&shared, &query).await
}

/// Says that it is a direct port, where it says so.
async fn looked_at(State(shared): State<Arc<Shared>>) -> Response {
    shared.plan().note_request("look");
    (StatusCode::METHOD_NOT_ALLOWED, DIRECT_PORT_SAYS).into_response()
}

async fn handed_over(State(shared): State<Arc<Shared>>, handing: Bytes) -> Response {
    reply::reply_to_handing(&shared, &handing).await
}

async fn by_websocket(State(shared): State<Arc<Shared>>, upgrade: WebSocketUpgrade) -> Response {
    upgrade.on_upgrade(async move |socket| follow(&shared.target, socket).await.unwrap_or(()))
}

/// Passes events on as they are: nothing that clients read from them is believed. `None` when either side is gone.
async fn follow(target: &str, mut client: ws::WebSocket) -> Option<()> {
    let stream = TcpStream::connect(target).await.ok()?;
    let url = format!("ws://{target}/websocket");
    let (mut replica, _) = tokio_tungstenite::client_async(url, stream).await.ok()?;
    loop {
        tokio::select! {
            message = client.recv() => if let ws::Message::Text(text) = message?.ok()? {
                replica.send(Message::text(text.as_str())).await.ok()?;
            },
            message = replica.next() => if let Message::Text(text) = message?.ok()? {
                client.send(ws::Message::Text(text.as_str().into())).await.ok()?;
            },
        }
    }
}
