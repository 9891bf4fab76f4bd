//! The health port: how a replica is, over HTTP, for its operators and what watches it for them.
//!
//! `GET /metrics` gives numbers as Prometheus takes them, `/live` says that the process answers, `/ready` whether the board moves here
//! (200, or 503 with the reasons). It has a thread of its own, and nothing that anybody asks here makes the board wait: there are few
//! connections, the oldest of which makes room for a new one, each serves one request and ends after ten seconds, and the numbers are
//! gathered at most once a second, by looking at what is live.

mod ceremonies;
mod machine;
mod monitor;
mod node;
mod readiness;
mod sheet;

use std::{
    collections::VecDeque,
    convert::Infallible,
    io,
    net::{SocketAddr, TcpListener},
    sync::Arc,
    thread,
    time::Duration,
};

use bytes::Bytes;
use http_body_util::Full;
use hyper::{
    Method, Request, Response, StatusCode,
    body::Incoming,
    header::{CONTENT_TYPE, HeaderValue},
    server::conn::http1,
    service::service_fn,
};
use hyper_util::rt::{TokioIo, TokioTimer};
pub use monitor::Monitor;
pub use readiness::Readiness;
use tokio::{
    net::TcpStream,
    sync::oneshot,
    time::{sleep, timeout},
};

/// Most connections at once.
const CONNECTIONS_MAX: usize = 16;
/// The longest that a connection may take for its request and the answer.
const CONNECTION: Duration = Duration::from_secs(10);
/// Memory for what a connection has read, bytes.
const BUFFER_BYTES: usize = 16 << 10;

const JSON: HeaderValue = HeaderValue::from_static("application/json");
const PROMETHEUS: HeaderValue = HeaderValue::from_static("text/plain; version=0.0.4");
const TEXT: HeaderValue = HeaderValue::from_static("text/plain");

/// A port that operators can connect to.
pub struct HealthPort {
    listener: TcpListener,
    address: SocketAddr,
}

impl HealthPort {
    /// Binds an address with a port; port 0 is any that is free.
    ///
    /// # Errors
    /// When the place is taken, or can't be bound.
    pub fn bind(address: &str) -> io::Result<Self> {
        let listener = TcpListener::bind(address)?;
        listener.set_nonblocking(true)?;
        let address = listener.local_addr()?;
        Ok(Self { listener, address })
    }

    /// Address that it listens on.
    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// Answers, on a thread of its own, until the process ends.
    ///
    /// # Errors
    /// When the thread can't be started.
    pub fn serve(self, monitor: Monitor) -> io::Result<()> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()?;
        let monitor = Arc::new(monitor);
        thread::Builder::new()
            .name("health-port".into())
            .spawn(move || {
                runtime.block_on(async move {
                    match tokio::net::TcpListener::from_std(self.listener) {
                        Ok(listener) => accept(listener, monitor).await,
                        Err(error) => tracing::error!(%error, "the health port isn't served"),
                    }
                });
            })?;
        Ok(())
    }
}

async fn accept(listener: tokio::net::TcpListener, monitor: Arc<Monitor>) {
    // Whoever drops one of them closes the connection.
    let mut open: VecDeque<oneshot::Sender<()>> = VecDeque::new();
    loop {
        match listener.accept().await {
            Ok((stream, _)) => {
                open.retain(|connection| !connection.is_closed());
                while open.len() >= CONNECTIONS_MAX {
                    open.pop_front();
                }
                let (close, closed) = oneshot::channel();
                open.push_back(close);
                tokio::spawn(connection(stream, Arc::clone(&monitor), closed));
            }
            Err(error) => {
                tracing::warn!(%error, "a connection to the health port could not be accepted");
                // Files may have run out: that lasts.
                sleep(Duration::from_millis(50)).await;
            }
        }
    }
}

/// Serves one request, unless that takes too long, or others want the place.
async fn connection(stream: TcpStream, monitor: Arc<Monitor>, closed: oneshot::Receiver<()>) {
    let _ = stream.set_nodelay(true);
    let answering = service_fn(|request: Request<Incoming>| {
        let answer = answer(&monitor, request.method(), request.uri().path());
        async { Ok::<_, Infallible>(answer) }
    });
    let serving = http1::Builder::new()
        .timer(TokioTimer::new())
        .keep_alive(false)
        .max_buf_size(BUFFER_BYTES)
        .serve_connection(TokioIo::new(stream), answering);
    tokio::select! {
        served = timeout(CONNECTION, serving) => match served {
            Ok(Ok(())) => {}
            Ok(Err(error)) => tracing::debug!(%error, "a connection to the health port ends"),
            Err(_) => tracing::debug!("a connection to the health port took too long"),
        },
        _ = closed => tracing::debug!("a connection to the health port makes room"),
    }
}

/// The answer to a request; one's body isn't read.
fn answer(monitor: &Monitor, method: &Method, path: &str) -> Response<Full<Bytes>> {
    if ![Method::GET, Method::HEAD].contains(method) {
        let text = "expected GET\n";
        return respond(StatusCode::METHOD_NOT_ALLOWED, TEXT, text);
    }
    match path {
        "/metrics" => respond(StatusCode::OK, PROMETHEUS, monitor.metrics()),
        "/live" => respond(StatusCode::OK, JSON, "{\"live\":true}\n"),
        "/ready" => {
            let readiness = monitor.readiness();
            let status = match readiness.ready {
                true => StatusCode::OK,
                false => StatusCode::SERVICE_UNAVAILABLE,
            };
            // Words and numbers always are JSON.
            let text = serde_json::to_string(&readiness).unwrap_or_default();
            respond(status, JSON, text + "\n")
        }
        _ => {
            let text = "expected /metrics, /live or /ready\n";
            respond(StatusCode::NOT_FOUND, TEXT, text)
        }
    }
}

fn respond(status: StatusCode, kind: HeaderValue, text: impl Into<Bytes>) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(text.into()));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, kind);
    response
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use tokio::{io::AsyncWriteExt as _, time::Instant};

    use super::*;
    use crate::{Config, Halt, Replica, Store};

    fn monitor() -> Arc<Monitor> {
        let config = Config {
            // Nobody answers there.
            engine_rpc: "127.0.0.1:1".into(),
            ..Config::default()
        };
        let halt = Halt::new(mpsc::channel().0);
        let replica = Replica::new(&config, Store::in_memory().unwrap(), halt).unwrap();
        Arc::new(Monitor::start(replica, &config).unwrap())
    }

    #[tokio::test(start_paused = true)]
    async fn who_takes_too_long_to_ask_is_cut_off() {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let mut slow = TcpStream::connect(address).await.unwrap();
        slow.write_all(b"GET /live HTTP/1.1\r\n").await.unwrap();
        let (stream, _) = listener.accept().await.unwrap();
        let (_close, closed) = oneshot::channel();
        let began = Instant::now();
        connection(stream, monitor(), closed).await;
        let took = began.elapsed();
        assert!((CONNECTION..CONNECTION * 2).contains(&took), "{took:?}");
    }
}
