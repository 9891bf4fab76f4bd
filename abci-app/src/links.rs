//! Links between eras: what takes a client from one set of validators to the next. They are kept for ever.
//!
//! The engine gives a block's commit only as long as it keeps the block, so a link is fetched as soon as it is there: two blocks after
//! the one that changed the validators. What the engine gives is checked as a client checks it.

use std::{thread, time::Duration};

use bytes::Bytes;
use http_body_util::{BodyExt, Empty, Limited};
use hyper::{Request, client::conn::http1, header::HOST};
use hyper_util::rt::TokioIo;
use serde::Deserialize;
use tendermint::block::signed_header::SignedHeader;
use tokio::{net::TcpStream, time::timeout};
use white_city_verify::trust::SIGNED_HEADER_BYTES_MAX;

use crate::app::Replica;

/// Pause between two looks for a link that is missing.
const LOOK: Duration = Duration::from_millis(250);
/// The longest that the engine may take to answer.
const PATIENCE: Duration = Duration::from_secs(5);
/// Largest answer of the engine: a signed header as JSON.
const ANSWER_BYTES_MAX: usize = 4 * SIGNED_HEADER_BYTES_MAX;

type Failure = Box<dyn std::error::Error + Send + Sync>;

/// Fetches what is missing from the engine whose RPC is at `rpc`, on a thread of its own.
///
/// # Errors
/// When the thread can't be started.
pub fn watch(replica: Replica, rpc: String) -> std::io::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let watching = async move {
        loop {
            tokio::time::sleep(LOOK).await;
            let Some(missing) = replica.missing_link() else {
                continue;
            };
            let (era, height) = (missing.era, missing.height);
            let fetched = timeout(PATIENCE, fetch(&rpc, height)).await;
            let taken = match fetched {
                Ok(Ok(Some(signed))) => replica.take_link(missing, signed),
                Ok(Ok(None)) => continue,
                Ok(Err(error)) => Err(error.to_string()),
                Err(_) => Err("no answer in time".into()),
            };
            match taken {
                Ok(()) => tracing::info!(era, height, "the link to a new era is stored"),
                Err(error) => tracing::debug!(era, height, error, "no link to a new era yet"),
            }
        }
    };
    let thread = thread::Builder::new().name("links".into());
    thread.spawn(move || runtime.block_on(watching))?;
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

/// The header of a height with the commit that the next block carries; `None` as long as there is none.
async fn fetch(rpc: &str, height: u64) -> Result<Option<SignedHeader>, Failure> {
    let stream = TcpStream::connect(rpc).await?;
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
    let request = Request::get(format!("/commit?height={height}")).header(HOST, rpc);
    let request = request.body(Empty::<Bytes>::new())?;
    let asked = async {
        let answer = sender.send_request(request).await?;
        let body = Limited::new(answer.into_body(), ANSWER_BYTES_MAX);
        Ok::<Bytes, Failure>(body.collect().await?.to_bytes())
    };
    // The connection moves only while it is polled, too.
    let body = tokio::select! {
        body = asked => body?,
        ended = connection => {
            ended?;
            return Ok(None);
        }
    };
    let answer: Answer = serde_json::from_slice(&body)?;
    let commit = answer.result.filter(|commit| commit.canonical);
    Ok(commit.map(|commit| commit.signed_header))
}
