//! Questions to engines, at their RPC, and the threads that ask them.

use std::{io, thread, time::Duration};

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
    // The connection moves only while it is polled, too.
    tokio::select! {
        body = asked => body,
        ended = connection => {
            ended?;
            Err("the connection was closed".into())
        }
    }
}
