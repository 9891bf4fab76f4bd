//! A replica with bad habits: the real one, seen through a proxy.

use std::{
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use axum::{
    Router,
    body::Bytes,
    extract::{DefaultBodyLimit, State},
    http::StatusCode,
    response::{IntoResponse, Response},
    routing::post,
};
use tokio::{net::TcpListener, task::JoinHandle};

use crate::{Dice, KitError};

/// Largest request that is passed on, bytes.
const REQUEST_BYTES_MAX: usize = 2 << 20;
/// Delay of an answer that comes late: later than a client waits before it asks another replica.
const LATE: Duration = Duration::from_millis(400);

/// Shares, in percent of all requests, of each thing that the replica does wrong. The rest is answered well.
#[derive(Debug, Clone, Copy, Default)]
pub struct Habits {
    /// The request is lost: the replica never sees it.
    pub drop: u8,
    /// The answer comes late.
    pub delay: u8,
    /// The request is passed on twice.
    pub duplicate: u8,
    /// One byte of the answer isn't what the replica said.
    pub lie: u8,
}

pub(crate) struct Proxy {
    url: String,
    shared: Arc<Shared>,
    serving: JoinHandle<()>,
}

struct Shared {
    target: String,
    http: reqwest::Client,
    habits: Habits,
    dice: Mutex<Dice>,
    bad: AtomicU64,
}

impl Proxy {
    pub(crate) async fn start(target: String, seed: u64, habits: Habits) -> Result<Self, KitError> {
        let failed = KitError::io("port of the bad replica");
        let listener = TcpListener::bind(("127.0.0.1", 0)).await;
        let listener = listener.map_err(|error| failed(&error))?;
        let address = listener.local_addr().map_err(|error| failed(&error))?;
        let shared = Arc::new(Shared {
            target,
            http: reqwest::Client::new(),
            habits,
            dice: Mutex::new(Dice::new(seed)),
            bad: AtomicU64::new(0),
        });
        let router = Router::new()
            .route("/", post(answer))
            .layer(DefaultBodyLimit::max(REQUEST_BYTES_MAX))
            .with_state(Arc::clone(&shared));
        let serving = tokio::spawn(async move {
            // It only ends by being aborted.
            let _ = axum::serve(listener, router).await;
        });
        Ok(Self {
            url: format!("http://{address}"),
            shared,
            serving,
        })
    }

    pub(crate) fn url(&self) -> String {
        self.url.clone()
    }

    pub(crate) fn bad_answers(&self) -> u64 {
        self.shared.bad.load(Ordering::Relaxed)
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

impl Shared {
    /// A number below 100, and one below 2^32.
    fn throw(&self) -> (u32, u32) {
        let mut dice = self.dice.lock().unwrap_or_else(PoisonError::into_inner);
        (dice.below(100), dice.below(u32::MAX))
    }

    async fn forward(&self, request: Bytes) -> Option<Vec<u8>> {
        let json = (reqwest::header::CONTENT_TYPE, "application/json");
        let sent = self
            .http
            .post(&self.target)
            .header(json.0, json.1)
            .body(request);
        let answer = sent.send().await.ok()?.bytes().await.ok()?;
        Some(answer.to_vec())
    }
}

async fn answer(State(shared): State<Arc<Shared>>, request: Bytes) -> Response {
    let (percent, place) = shared.throw();
    let Habits {
        drop,
        delay,
        duplicate,
        lie,
    } = shared.habits;
    let mut threshold = 0;
    let mut falls_on = |share: u8| {
        let begin = threshold;
        threshold += u32::from(share);
        (begin..threshold).contains(&percent)
    };
    let (drops, delays, doubles, lies) = (
        falls_on(drop),
        falls_on(delay),
        falls_on(duplicate),
        falls_on(lie),
    );
    if drops || delays || doubles || lies {
        shared.bad.fetch_add(1, Ordering::Relaxed);
    }
    let unavailable = || StatusCode::SERVICE_UNAVAILABLE.into_response();
    if drops {
        return unavailable();
    }
    if delays {
        tokio::time::sleep(LATE).await;
    }
    if doubles {
        shared.forward(request.clone()).await;
    }
    let Some(mut answer) = shared.forward(request).await else {
        return unavailable();
    };
    if lies {
        let place = usize::try_from(place).unwrap_or(0);
        if let Some(place) = place.checked_rem(answer.len())
            && let Some(byte) = answer.get_mut(place)
        {
            *byte ^= 1;
        }
    }
    answer.into_response()
}
