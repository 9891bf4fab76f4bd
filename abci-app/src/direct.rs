//! The direct port: clients ask the replica itself, over HTTP, beside CometBFT's RPC.
//!
//! `POST /v1` with a protobuf `Query` is answered with ABCI's protobuf `ResponseQuery`, exactly as CometBFT gets it. CometBFT
//! would put it into JSON, and asks the application one question after the other. Answers prove themselves, so it doesn't
//! matter which way they come. The answers that go by way of CometBFT name the port: clients need no
//! configuration, and go on without it when it can't be reached.
//!
//! `POST /v1/txs` with a protobuf `Handing` of transactions is answered with a `Handed`. What is taken is held as what the engine has
//! in its mempool is, and proposed with it; but the engine doesn't know of it, keeps no block ready for it and tells no other
//! replica. So a party sends to all replicas, and one of its process's entries to an engine, too, unless they say that a block comes
//! anyway. In a session that goes on without a pause one always does, and as soon as anything is in the mempool.

use std::{
    io,
    net::{SocketAddr, TcpListener},
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
    thread,
    time::Duration,
};

use bytes::{Buf as _, Bytes};
use http_body_util::{BodyExt as _, Full};
use hyper::{
    Method, Request, Response, StatusCode,
    body::{Body as _, Incoming},
    header::{CONTENT_TYPE, HeaderValue},
    server::conn::http1,
    service::service_fn,
};
use hyper_util::rt::{TokioIo, TokioTimer};
use prost::Message as _;
use tendermint_abci::Application;
use tendermint_proto::v0_38::abci::{RequestCheckTx, RequestQuery};
use tokio::{
    net::TcpStream,
    sync::{OwnedSemaphorePermit, Semaphore},
    time::{sleep, timeout},
};
use white_city_wire::{
    limits::TX_BYTES_MAX,
    pb,
    read::{HANDING_PATH, HANDING_TXS_MAX, QUERY_BYTES_MAX, QUERY_PATH},
};

use crate::halt::Halt;

/// The kind of a `CheckTx` that comes from here: the engine's own kinds are 0 and 1.
pub const HANDED_OVER: i32 = 2;
/// The `info` with which a transaction is taken when a block comes anyway that can have it.
pub const BLOCK_COMES: &str = "a block comes";
/// Most connections at once of a replica; more are closed, and their clients ask by way of CometBFT. Each takes a file.
pub const CONNECTIONS_MAX: usize = 900;
/// Memory for requests that are being read, bytes; who finds none goes to CometBFT.
const BODIES_BYTES: usize = 64 << 20;
/// How long a connection may be without a whole request.
const IDLE: Duration = Duration::from_secs(60);
/// How long the body of a request may take.
const BODY: Duration = Duration::from_secs(10);
/// Memory for what a connection has read and not yet handed over, bytes.
const BUFFER_BYTES: usize = 16 << 10;

/// A port that clients can connect to.
pub struct DirectPort {
    listener: TcpListener,
    address: SocketAddr,
    permits: Arc<Semaphore>,
}

impl DirectPort {
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
            .thread_name("direct-port")
            .enable_all()
            .build()?;
        let (application, halt) = (application.clone(), halt.clone());
        thread::Builder::new().spawn(move || {
            runtime.block_on(async move {
                match tokio::net::TcpListener::from_std(self.listener) {
                    Ok(listener) => accept(listener, self.permits, application, halt).await,
                    Err(error) => tracing::error!(%error, "the direct port isn't served"),
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
    let bodies = Arc::new(Semaphore::new(BODIES_BYTES));
    loop {
        match listener.accept().await {
            Ok((stream, _)) => match Arc::clone(&permits).try_acquire_owned() {
                Ok(permit) => {
                    tokio::spawn(connection(
                        stream,
                        application.clone(),
                        halt.clone(),
                        Arc::clone(&bodies),
                        permit,
                    ));
                }
                Err(_) => tracing::debug!("the direct port has too many connections"),
            },
            Err(error) => {
                tracing::warn!(%error, "a connection to the direct port could not be accepted");
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
    bodies: Arc<Semaphore>,
    _permit: OwnedSemaphorePermit,
) {
    // An answer is written at once, or its end would wait for the other side's acknowledgement.
    let _ = stream.set_nodelay(true);
    let answering = service_fn(|request| {
        let (application, halt, bodies) = (application.clone(), halt.clone(), Arc::clone(&bodies));
        async move { answer(&application, &halt, &bodies, request).await }
    });
    let served = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(IDLE)
        .max_buf_size(BUFFER_BYTES)
        .serve_connection(TokioIo::new(stream), answering)
        .await;
    if let Err(error) = served {
        tracing::debug!(%error, "a connection to the direct port ends");
    }
}

/// The replica has halted, and answers nobody any more.
#[derive(Debug, thiserror::Error)]
#[error("halted")]
struct Halted;

async fn answer<A: Application>(
    application: &A,
    halt: &Halt,
    bodies: &Semaphore,
    request: Request<Incoming>,
) -> Result<Response<Full<Bytes>>, Halted> {
    let (is_handing, max) = match request.uri().path() {
        QUERY_PATH => (false, QUERY_BYTES_MAX),
        HANDING_PATH => (true, TX_BYTES_MAX),
        _ => return Ok(refused(StatusCode::NOT_FOUND)),
    };
    if request.method() != Method::POST {
        return Ok(refused(StatusCode::METHOD_NOT_ALLOWED));
    }
    let length = request.body().size_hint().upper();
    let Some(length) = length.and_then(|length| u32::try_from(length).ok()) else {
        return Ok(refused(StatusCode::LENGTH_REQUIRED));
    };
    if length > max {
        return Ok(refused(StatusCode::PAYLOAD_TOO_LARGE));
    }
    let Ok(_room) = bodies.try_acquire_many(length) else {
        return Ok(refused(StatusCode::SERVICE_UNAVAILABLE));
    };
    let data = match timeout(BODY, request.into_body().collect()).await {
        Ok(Ok(body)) => body.to_bytes(),
        Ok(Err(_)) => return Ok(refused(StatusCode::BAD_REQUEST)),
        Err(_) => return Ok(refused(StatusCode::REQUEST_TIMEOUT)),
    };
    let handed = match is_handing {
        true => match txs_of(data.clone()) {
            Some(txs) => Some(txs),
            None => return Ok(refused(StatusCode::BAD_REQUEST)),
        },
        false => None,
    };
    let answering = || match handed {
        Some(txs) => take(application, txs).encode_to_vec(),
        None => application
            .query(RequestQuery {
                path: QUERY_PATH.into(),
                data,
                ..Default::default()
            })
            .encode_to_vec(),
    };
    // A panic is a defect, and a replica with one must not go on half alive.
    let answered = catch_unwind(AssertUnwindSafe(answering));
    if answered.is_err() {
        halt.halt("a request at the direct port panicked: see the message above".into());
    }
    let answered = answered.ok().filter(|_| !halt.is_halted()).ok_or(Halted)?;
    let mut response = Response::new(Full::from(answered));
    let protobuf = HeaderValue::from_static("application/protobuf");
    response.headers_mut().insert(CONTENT_TYPE, protobuf);
    Ok(response)
}

/// The transactions of a `Handing` that has nothing else, counted while they are found: empty ones take two bytes each on their way,
/// and many times as much where they are kept.
fn txs_of(mut handing: Bytes) -> Option<Vec<Bytes>> {
    /// Field 1, with its length.
    const TX: u8 = 1 << 3 | 2;
    let mut txs = Vec::new();
    while handing.has_remaining() {
        if txs.len() == HANDING_TXS_MAX || handing.get_u8() != TX {
            return None;
        }
        let length = prost::decode_length_delimiter(&mut handing).ok()?;
        if length > handing.remaining() {
            return None;
        }
        txs.push(handing.split_to(length));
    }
    Some(txs)
}

/// Takes transactions, one after the other.
fn take<A: Application>(application: &A, txs: Vec<Bytes>) -> pb::Handed {
    let txs = txs.into_iter().map(|tx| {
        let taken = application.check_tx(RequestCheckTx {
            tx,
            r#type: HANDED_OVER,
        });
        pb::HandedTx {
            code: taken.code,
            log: taken.log,
            block_comes: taken.info == BLOCK_COMES,
        }
    });
    pb::Handed { txs: txs.collect() }
}

fn refused(status: StatusCode) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::from(format!(
        "expected POST {QUERY_PATH} with a query of at most {QUERY_BYTES_MAX} bytes, or POST {HANDING_PATH} with at most \
         {HANDING_TXS_MAX} transactions in {TX_BYTES_MAX} bytes\n"
    )));
    *response.status_mut() = status;
    response
}
