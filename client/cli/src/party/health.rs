//! The health of a service, and its port: `/metrics` as Prometheus takes them, `/live`, `/ready`.

use std::{
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicI64, AtomicU64},
    },
    time::{Duration, Instant},
};

use axum::{
    Router,
    extract::State,
    http::{StatusCode, header},
    response::IntoResponse,
    routing::get,
};
use prometheus_client::{
    encoding::{EncodeLabelSet, text::encode},
    metrics::{counter::Counter, family::Family, gauge::Gauge, histogram::Histogram},
    registry::Registry,
};
use tokio::net::TcpListener;

use super::service::Service;

/// Upper ends of the times that sessions take, seconds.
const SECONDS: [f64; 9] = [0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 15.0, 60.0, 600.0];
/// Heartbeats without an answer of the board after which a service isn't ready.
const HEARTBEATS: u32 = 3;
/// Time that an answer may take on top of that.
const SLACK: Duration = Duration::from_secs(10);

fn seconds() -> Histogram {
    Histogram::new(SECONDS)
}

/// A label with one name.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Label {
    what: String,
}

/// Numbers of a service.
pub struct Health {
    registry: Registry,
    sessions: Family<Label, Gauge>,
    decisions: Family<Label, Counter>,
    took: Family<Label, Histogram, fn() -> Histogram>,
    failures: Counter,
    height: Gauge<i64, AtomicI64>,
    answers: Counter<u64, AtomicU64>,
    answered: Mutex<Option<Instant>>,
    patience: Duration,
}

/// One session more in a state, as long as this lives.
pub struct Counted(Gauge);

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.dec();
    }
}

impl Health {
    /// Numbers of a service of a board with this heartbeat, ms.
    pub fn new(heartbeat_ms: u64) -> Self {
        let mut registry = Registry::with_prefix("white_city_party");
        let (sessions, decisions) = (Family::default(), Family::default());
        let took = Family::new_with_constructor(seconds as fn() -> Histogram);
        let (failures, height, answers) =
            (Counter::default(), Gauge::default(), Counter::default());
        registry.register(
            "sessions",
            "Sessions now: deciding, asking (people), waiting (for room), running",
            Family::clone(&sessions),
        );
        registry.register(
            "events",
            "Lines of the audit log: joining, declined, ignored, approved, finished, failed",
            Family::clone(&decisions),
        );
        registry.register(
            "seconds",
            "Time from joining to the end",
            Family::clone(&took),
        );
        registry.register(
            "retries",
            "Times that something failed and is done once more",
            Counter::clone(&failures),
        );
        registry.register(
            "board_height",
            "Highest verified height",
            Gauge::clone(&height),
        );
        registry.register(
            "board_answers",
            "Times that the board said what there is for the party",
            Counter::clone(&answers),
        );
        Self {
            registry,
            sessions,
            decisions,
            took,
            failures,
            height,
            answers,
            answered: Mutex::default(),
            patience: Duration::from_millis(heartbeat_ms) * HEARTBEATS + SLACK,
        }
    }

    fn count(&self, what: &str) -> Counted {
        let gauge = self.sessions.get_or_create_owned(&label(what));
        gauge.inc();
        Counted(gauge)
    }

    /// A session that is looked at.
    pub fn deciding(&self) -> Counted {
        self.count("deciding")
    }

    /// A session that people are asked about.
    pub fn asking(&self) -> Counted {
        self.count("asking")
    }

    /// A session that waits for others to end.
    pub fn waiting(&self) -> Counted {
        self.count("waiting")
    }

    /// A session that computes.
    pub fn running(&self) -> Counted {
        self.count("running")
    }

    /// A line of the audit log.
    pub fn decided(&self, event: &str) {
        self.decisions.get_or_create_owned(&label(event)).inc();
    }

    /// The time that a session took.
    pub fn took(&self, event: &str, took: Duration) {
        self.took
            .get_or_create_owned(&label(event))
            .observe(took.as_secs_f64());
    }

    /// Something failed that is done once more.
    pub fn failed(&self) {
        self.failures.inc();
    }

    /// The board said what there is, at this height.
    pub fn board_answered(&self, height: u64) {
        self.height.set(i64::try_from(height).unwrap_or(i64::MAX));
        self.answers.inc();
        *self.answered.lock().unwrap_or_else(PoisonError::into_inner) = Some(Instant::now());
    }

    /// Whether the board has answered of late.
    fn is_ready(&self) -> bool {
        let answered = self.answered.lock().unwrap_or_else(PoisonError::into_inner);
        answered.is_some_and(|at| at.elapsed() <= self.patience)
    }

    fn text(&self) -> String {
        let mut text = String::new();
        // Into a text that grows nothing fails.
        let _ = encode(&mut text, &self.registry);
        text
    }
}

fn label(what: &str) -> Label {
    Label {
        what: what.to_owned(),
    }
}

/// Answers on the health port until the process ends.
pub async fn serve(listener: TcpListener, service: Arc<Service>) {
    let router = Router::new()
        .route("/metrics", get(metrics))
        .route("/live", get(|| async { "live\n" }))
        .route("/ready", get(ready))
        .with_state(service);
    if let Err(error) = axum::serve(listener, router).await {
        tracing::error!(%error, "the health port isn't served any more");
    }
}

async fn metrics(State(service): State<Arc<Service>>) -> impl IntoResponse {
    let kind = [(header::CONTENT_TYPE, "text/plain; version=0.0.4")];
    (kind, service.health.text())
}

async fn ready(State(service): State<Arc<Service>>) -> (StatusCode, &'static str) {
    match service.health.is_ready() {
        true => (StatusCode::OK, "ready\n"),
        false => (
            StatusCode::SERVICE_UNAVAILABLE,
            "the board doesn't answer\n",
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_service_is_ready_once_the_board_has_answered_and_counts_what_it_does() {
        let health = Health::new(1_000);
        assert!(!health.is_ready());
        health.board_answered(7);
        assert!(health.is_ready());
        health.decided("declined");
        let running = health.running();
        let text = health.text();
        for line in [
            "white_city_party_board_height 7",
            "white_city_party_events_total{what=\"declined\"} 1",
            "white_city_party_sessions{what=\"running\"} 1",
        ] {
            assert!(text.contains(line), "{line} isn't in {text}");
        }
        drop(running);
        assert!(health.text().contains("sessions{what=\"running\"} 0"));
    }
}
