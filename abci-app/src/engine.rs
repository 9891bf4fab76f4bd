//! Questions to engines, at their RPC, and the threads that ask them.

use std::{io, pin::pin, thread, time::Duration};

use bytes::Bytes;
use http_body_util::{BodyExt, Empty, Limited};
use hyper::{Request, client::conn::http1, header::HOST};
use hyper_util::rt::TokioIo;
use serde::Deserialize;
use tendermint::block::signed_header::SignedHeader;
use tokio::net::TcpStream;
use white_city_verify::trust::SIGNED_HEADER_BYTES_MAX;

/// Largest answer about a commit, bytes: a signed header as JSON.
const COMMIT_BYTES_MAX: usize = 4 * SIGNED_HEADER_BYTES_MAX;

/// Largest answer about an engine itself, bytes.
const STATUS_BYTES_MAX: usize = 64 << 10;
/// Largest answer about its peers, bytes: some 2 KB of each.
const PEERS_BYTES_MAX: usize = 4 << 20;

/// The reason that there is no answer.
pub type Failure = Box<dyn std::error::Error + Send + Sync>;

/// Looks again and again, with a pause before each look, on a thread of this name.
///
/// # Errors
/// When the thread can't be started.
pub fn watch(
    name: &str,
    pause: Duration,
    mut look: impl AsyncFnMut() + Send + 'static,
) -> io::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let watching = move || {
        runtime.block_on(async {
            loop {
                tokio::time::sleep(pause).await;
                look().await;
            }
        })
    };
    thread::Builder::new().name(name.into()).spawn(watching)?;
    Ok(())
}

#[derive(Deserialize)]
struct Answer {
    result: Option<Commit>,
}

#[derive(Deserialize)]
struct Commit {
    signed_header: SignedHeader,
    canonical: bool,
}

#[derive(Deserialize)]
struct Shown<T> {
    result: T,
}

#[derive(Deserialize)]
struct StatusShown {
    node_info: NodeShown,
    sync_info: SyncShown,
    validator_info: ValidatorShown,
}

#[derive(Deserialize)]
struct NodeShown {
    version: String,
}

/// Numbers are strings there.
#[derive(Deserialize)]
struct SyncShown {
    latest_block_height: String,
    earliest_block_height: String,
    catching_up: bool,
}

#[derive(Deserialize)]
struct ValidatorShown {
    address: String,
}

#[derive(Deserialize)]
struct PeersShown {
    n_peers: String,
}

/// The header of a height with the commit that the next block carries, from the engine at `rpc`; `None` as long as there is none.
/// Nothing of it is checked.
///
/// # Errors
/// [`Failure`].
pub async fn commit(rpc: &str, height: u64) -> Result<Option<SignedHeader>, Failure> {
    let body = get(rpc, &format!("/commit?height={height}"), COMMIT_BYTES_MAX).await?;
    let answer: Answer = serde_json::from_slice(&body)?;
    let commit = answer.result.filter(|commit| commit.canonical);
    Ok(commit.map(|commit| commit.signed_header))
}

/// An engine's account of itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Status {
    /// Height of its last block.
    pub height: u64,
    /// Height of the oldest block that it keeps.
    pub earliest: u64,
    /// Whether it still fetches blocks that others have.
    pub is_catching_up: bool,
    /// Address of its validator.
    pub validator: [u8; 20],
    /// Its version.
    pub version: String,
}

/// The engine's account of itself, from `rpc`.
///
/// # Errors
/// [`Failure`].
pub async fn status(rpc: &str) -> Result<Status, Failure> {
    let body = get(rpc, "/status", STATUS_BYTES_MAX).await?;
    let shown: Shown<StatusShown> = serde_json::from_slice(&body)?;
    let StatusShown {
        node_info,
        sync_info,
        validator_info,
    } = shown.result;
    let mut validator = [0; 20];
    hex::decode_to_slice(&validator_info.address, &mut validator)?;
    Ok(Status {
        height: sync_info.latest_block_height.parse()?,
        earliest: sync_info.earliest_block_height.parse()?,
        is_catching_up: sync_info.catching_up,
        validator,
        version: node_info.version,
    })
}

/// Number of the engine's connected peers, from `rpc`.
///
/// # Errors
/// [`Failure`].
pub async fn peers(rpc: &str) -> Result<u64, Failure> {
    let body = get(rpc, "/net_info", PEERS_BYTES_MAX).await?;
    let shown: Shown<PeersShown> = serde_json::from_slice(&body)?;
    Ok(shown.result.n_peers.parse()?)
}

/// The answer of the engine at `rpc` to a GET, of at most so many bytes.
///
/// # Errors
/// [`Failure`].
pub async fn get(rpc: &str, path: &str, most: usize) -> Result<Bytes, Failure> {
    let stream = TcpStream::connect(rpc).await?;
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
    let request = Request::get(path).header(HOST, rpc);
    let request = request.body(Empty::<Bytes>::new())?;
    let asked = async {
        let answer = sender.send_request(request).await?;
        let body = Limited::new(answer.into_body(), most);
        Ok::<Bytes, Failure>(body.collect().await?.to_bytes())
    };
    let mut asked = pin!(asked);
    // The connection moves only while it is polled, too. Whoever closes it may have answered before.
    tokio::select! {
        body = &mut asked => body,
        ended = connection => {
            ended?;
            asked.await
        }
    }
}
