//! The query port: clients ask the replica itself, over HTTP, beside CometBFT's RPC.
//!
//! `POST /v1` with a protobuf `Query` is answered with ABCI's protobuf `ResponseQuery`, exactly as CometBFT gets it. CometBFT
//! would put it into JSON, and asks the application one question after the other. Answers prove themselves, so it doesn't
//! matter which way they come. The answers that go by way of CometBFT name the port: clients need no
//! configuration, and go on without it when it can't be reached.

use std::{
    io,
    net::{SocketAddr, TcpListener},
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
    thread,
    time::Duration,
};

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::{
    Method, Request, Response, StatusCode,
    body::Incoming,
    header::{CONTENT_TYPE, HeaderValue},
    server::conn::http1,
    service::service_fn,
};
use hyper_util::rt::{TokioIo, TokioTimer};
use prost::Message as _;
use tendermint_abci::Application;
use tendermint_proto::v0_38::abci::RequestQuery;
use tokio::{
    net::TcpStream,
    sync::{OwnedSemaphorePermit, Semaphore},
    time::{sleep, timeout},
};
use white_city_wire::read::{QUERY_BYTES_MAX, QUERY_PATH};

use crate::halt::Halt;

/// Most connections at once of a replica; more are closed, and their clients ask by way of CometBFT. Each takes a file.
pub const CONNECTIONS_MAX: usize = 512;
/// How long a connection may be without a whole request.
const IDLE: Duration = Duration::from_secs(60);
/// How long the body of a request may take.
const BODY: Duration = Duration::from_secs(10);
/// Memory for what a connection has read, bytes: a question with its headers.
const BUFFER_BYTES: usize = 16 << 10;

/// A port that clients can connect to.
pub struct QueryPort {
    listener: TcpListener,
    address: SocketAddr,
    permits: Arc<Semaphore>,
}

impl QueryPort {
    /// Binds an address with a port, `127.0.0.1:26660`, for at most `connections` at once; port 0 is any that is free.
    ///
    /// # Errors
    /// When the place is taken, or can't be bound.
    pub fn bind(address: &str, connections: usize) -> io::Result<Self> {
        let listener = TcpListener::bind(address)?;
        listener.set_nonblocking(true)?;
        let address = listener.local_addr()?;
        Ok(Self {
            listener,
            address,
            permits: Arc::new(Semaphore::new(connections)),
        })
    }

    /// Where it is.
    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// Answers, on threads of its own, until the process ends.
    ///
    /// # Errors
    /// When the threads can't be started.
    pub fn serve<A: Application + Sync>(self, application: &A, halt: &Halt) -> io::Result<()> {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .thread_name("query-port")
            .enable_all()
            .build()?;
        let (application, halt) = (application.clone(), halt.clone());
        thread::Builder::new().spawn(move || {
            runtime.block_on(async move {
                match tokio::net::TcpListener::from_std(self.listener) {
                    Ok(listener) => accept(listener, self.permits, application, halt).await,
                    Err(error) => tracing::error!(%error, "the query port isn't served"),
                }
            });
        })?;
        Ok(())
    }
}

async fn accept<A: Application + Sync>(
    listener: tokio::net::TcpListener,
    permits: Arc<Semaphore>,
    application: A,
    halt: Halt,
) {
    loop {
        match listener.accept().await {
            Ok((stream, _)) => match Arc::clone(&permits).try_acquire_owned() {
                Ok(permit) => {
                    tokio::spawn(connection(
                        stream,
                        application.clone(),
                        halt.clone(),
                        permit,
                    ));
                }
                Err(_) => tracing::debug!("the query port has too many connections"),
            },
            Err(error) => {
                tracing::warn!(%error, "a connection to the query port could not be accepted");
                // Files may have run out: that lasts.
                sleep(Duration::from_millis(50)).await;
            }
        }
    }
}

async fn connection<A: Application + Sync>(
    stream: TcpStream,
    application: A,
    halt: Halt,
    _permit: OwnedSemaphorePermit,
) {
    // An answer is written at once, or its end would wait for the other side's acknowledgement.
    let _ = stream.set_nodelay(true);
    let answering = service_fn(|request| {
        let (application, halt) = (application.clone(), halt.clone());
        async move { answer(&application, &halt, request).await }
    });
    let served = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(IDLE)
        .max_buf_size(BUFFER_BYTES)
        .serve_connection(TokioIo::new(stream), answering)
        .await;
    if let Err(error) = served {
        tracing::debug!(%error, "a connection to the query port ends");
    }
}

/// The replica has halted, and answers nobody any more.
#[derive(Debug, thiserror::Error)]
#[error("halted")]
struct Halted;

async fn answer<A: Application>(
    application: &A,
    halt: &Halt,
    request: Request<Incoming>,
) -> Result<Response<Full<Bytes>>, Halted> {
    if request.uri().path() != QUERY_PATH {
        return Ok(refused(StatusCode::NOT_FOUND));
    }
    if request.method() != Method::POST {
        return Ok(refused(StatusCode::METHOD_NOT_ALLOWED));
    }
    let limit = usize::try_from(QUERY_BYTES_MAX).unwrap_or(usize::MAX);
    let body = Limited::new(request.into_body(), limit).collect();
    let data = match timeout(BODY, body).await {
        Ok(Ok(body)) => body.to_bytes(),
        Ok(Err(_)) => return Ok(refused(StatusCode::PAYLOAD_TOO_LARGE)),
        Err(_) => return Ok(refused(StatusCode::REQUEST_TIMEOUT)),
    };
    let query = RequestQuery {
        path: QUERY_PATH.into(),
        data,
        ..Default::default()
    };
    // A panic is a defect, and a replica with one must not go on half alive.
    let answered = catch_unwind(AssertUnwindSafe(|| {
        application.query(query).encode_to_vec()
    }));
    if answered.is_err() {
        halt.halt("answering a query panicked: see the message above".into());
    }
    let answered = answered.ok().filter(|_| !halt.is_halted()).ok_or(Halted)?;
    let mut response = Response::new(Full::from(answered));
    let protobuf = HeaderValue::from_static("application/protobuf");
    response.headers_mut().insert(CONTENT_TYPE, protobuf);
    Ok(response)
}

fn refused(status: StatusCode) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::from(format!(
        "expected POST {QUERY_PATH} with a query of at most {QUERY_BYTES_MAX} bytes\n"
    )));
    *response.status_mut() = status;
    response
}
