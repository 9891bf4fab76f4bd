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
//!
//! What strangers can take of it is bounded for each address (how often it asks, how many bad transactions it hands over, how many
//! bytes it moves where others are there, too) and in all;
//! whatever all share goes to whoever takes the least of it.

mod answering;
mod connections;
mod flow;
mod limits;
pub mod tls;

use std::{
    io,
    net::{IpAddr, SocketAddr, TcpListener},
    sync::Arc,
    thread,
    time::Duration,
};

use connections::{ConnectionPlace, Connections, IDLE};
use flow::Flow;
use hyper::{server::conn::http1, service::service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
pub use limits::Limits;
use limits::{Rates, address_of};
use tls::Tls;
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpStream,
    sync::oneshot,
    time::sleep,
};

use crate::{front::Board, halt::Halt, metrics::Metrics};

/// Pause between two looks for overdue connections.
const SWEEP: Duration = Duration::from_secs(1);
/// Requests that a TLS handshake counts as.
const HANDSHAKE_REQUESTS: u32 = 20;
/// Memory for what a connection has read and not yet handed over, bytes.
const BUFFER_BYTES: usize = 16 << 10;

/// A port that clients can connect to.
pub struct DirectPort {
    listener: TcpListener,
    address: SocketAddr,
    limits: Limits,
    metrics: Arc<Metrics>,
    tls: Option<Tls>,
}

/// State that all connections share.
struct Port<B> {
    board: B,
    halt: Halt,
    connections: Arc<Connections>,
    rates: Rates,
    flow: Flow,
    tls: Option<Tls>,
    metrics: Arc<Metrics>,
}

impl DirectPort {
    /// Binds an address with a port, `127.0.0.1:26660`; port 0 is any that is free.
    ///
    /// # Errors
    /// When the place is taken, or can't be bound.
    pub fn bind(address: &str, limits: Limits) -> io::Result<Self> {
        let listener = TcpListener::bind(address)?;
        listener.set_nonblocking(true)?;
        let address = listener.local_addr()?;
        Ok(Self {
            listener,
            address,
            limits,
            metrics: Arc::default(),
            tls: None,
        })
    }

    /// The same port, whose connections and requests are counted there.
    #[must_use]
    pub fn counted_by(self, metrics: Arc<Metrics>) -> Self {
        Self { metrics, ..self }
    }

    /// The same port, which speaks TLS if there is any.
    #[must_use]
    pub fn behind(self, tls: Option<Tls>) -> Self {
        Self { tls, ..self }
    }

    /// Address that it listens on.
    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// Answers, on threads of its own, until the process ends.
    ///
    /// # Errors
    /// When the threads can't be started.
    pub fn serve<B: Board>(self, board: &B, halt: &Halt) -> io::Result<()> {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .thread_name("direct-port")
            .enable_all()
            .build()?;
        let limits = self.limits;
        let port = Arc::new(Port {
            board: board.clone(),
            halt: halt.clone(),
            connections: Arc::new(Connections::new(
                limits.connections.into(),
                limits.connections_per_address.into(),
            )),
            rates: Rates::new(&limits),
            flow: Flow::new(limits.bytes_per_second.into()),
            metrics: self.metrics,
            tls: self.tls,
        });
        thread::Builder::new().spawn(move || {
            runtime.block_on(async move {
                match tokio::net::TcpListener::from_std(self.listener) {
                    Ok(listener) => {
                        tokio::spawn(sweep(Arc::clone(&port)));
                        accept(listener, port).await;
                    }
                    Err(error) => tracing::error!(%error, "the direct port isn't served"),
                }
            });
        })?;
        Ok(())
    }
}

/// Closes what is overdue, again and again.
async fn sweep<B: Board>(port: Arc<Port<B>>) {
    loop {
        sleep(SWEEP).await;
        port.connections.close_overdue();
        port.rates.forget_old();
        port.flow.forget_old();
        if let Some(tls) = &port.tls {
            tls.read_again();
        }
    }
}

async fn accept<B: Board>(listener: tokio::net::TcpListener, port: Arc<Port<B>>) {
    loop {
        match listener.accept().await {
            Ok((stream, peer)) => match port.connections.open(address_of(peer.ip())) {
                Some((place, closed)) => {
                    let address = address_of(peer.ip());
                    tokio::spawn(connection(
                        stream,
                        address,
                        Arc::clone(&port),
                        place,
                        closed,
                    ));
                }
                // No answer: it would need a place, too. The stream is dropped, which closes it.
                None => tracing::debug!("the direct port has too many connections"),
            },
            Err(error) => {
                tracing::warn!(%error, "a connection to the direct port could not be accepted");
                // Files may have run out: that lasts.
                sleep(Duration::from_millis(50)).await;
            }
        }
    }
}

/// Serves a connection until it ends, or has to make room for another one.
async fn connection<B: Board>(
    stream: TcpStream,
    address: IpAddr,
    port: Arc<Port<B>>,
    place: ConnectionPlace,
    closed: oneshot::Receiver<()>,
) {
    // An answer is written at once, or its end would wait for the other side's acknowledgement.
    let _ = stream.set_nodelay(true);
    let _counted = port.metrics.direct_connection();
    let serving = async {
        let Some(tls) = &port.tls else {
            return serve(stream, &port, &place).await;
        };
        // A handshake costs as much as many questions.
        if !(0..HANDSHAKE_REQUESTS).all(|_| port.rates.may_ask(&address)) {
            return;
        }
        match tls.acceptor().accept(stream).await {
            Ok(stream) => serve(stream, &port, &place).await,
            Err(error) => tracing::debug!(%error, "no TLS with a connection to the direct port"),
        }
    };
    tokio::select! {
        () = serving => {}
        // Also where it is overdue, in the middle of a handshake.
        _ = closed => tracing::debug!("a connection to the direct port is closed"),
    }
}

/// Answers what comes over a connection.
async fn serve<B: Board>(
    stream: impl AsyncRead + AsyncWrite + Unpin,
    port: &Port<B>,
    place: &ConnectionPlace,
) {
    let answering = service_fn(|request| async move {
        let desk = answering::Desk {
            board: &port.board,
            halt: &port.halt,
            rates: &port.rates,
            flow: &port.flow,
            metrics: &port.metrics,
            place,
        };
        desk.answer(request).await
    });
    let serving = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(IDLE)
        .max_buf_size(BUFFER_BYTES)
        .serve_connection(TokioIo::new(stream), answering);
    if let Err(error) = serving.await {
        tracing::debug!(%error, "a connection to the direct port ends");
    }
}
