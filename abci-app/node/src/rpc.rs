//! Hints that a replica gives about itself over CometBFT's RPC, for tests and people: no proofs

use std::time::Duration;

use tendermint_rpc::client::CompatMode;
use tendermint_rpc::error::ErrorDetail;
use tendermint_rpc::{Client as _, HttpClient, HttpClientUrl};

use crate::Error;

/// A replica's own account of itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Health {
    /// Its latest block.
    pub height: u64,
    /// The app hash in that block's header, in upper-case hexadecimal.
    pub app_hash: String,
    /// Whether it is still fetching blocks that others have.
    pub catching_up: bool,
    /// Number of replicas that it is connected to.
    pub peers: u64,
}

fn client(url: &str) -> Result<HttpClient, Error> {
    let parsed: HttpClientUrl = url.parse().map_err(failed(url))?;
    // The replicas are on this machine, which no proxy of the environment reaches.
    let http = reqwest::Client::builder()
        .no_proxy()
        .timeout(Duration::from_secs(5));
    // The version that v0.39 reports is not one that the library recognises.
    HttpClient::builder(parsed)
        .compat_mode(CompatMode::V0_38)
        .client(http.build().map_err(failed(url))?)
        .build()
        .map_err(failed(url))
}

fn failed<E: std::fmt::Display>(url: &str) -> impl FnOnce(E) -> Error {
    let url = url.to_owned();
    move |error| Error::Rpc {
        url,
        reason: error.to_string(),
    }
}

/// Without the backtrace that the library's errors carry when backtraces are on.
fn rpc_failed(url: &str, error: &tendermint_rpc::Error) -> Error {
    Error::Rpc {
        url: url.into(),
        reason: error.detail().to_string(),
    }
}

/// Largest answer about a status, bytes.
const ANSWER_BYTES_MAX: usize = 64 << 10;

/// Asks one node for its height, again and again: anybody's, who may answer with anything.
pub struct Status {
    http: reqwest::Client,
    url: String,
}

impl Status {
    /// The status at an address.
    ///
    /// # Errors
    /// [`Error::Rpc`] if that is none.
    pub fn of(url: &str) -> Result<Self, Error> {
        let parsed: reqwest::Url = url.parse().map_err(failed(url))?;
        let http = reqwest::Client::builder()
            .no_proxy()
            .redirect(reqwest::redirect::Policy::none())
            .timeout(Duration::from_secs(5));
        Ok(Self {
            http: http.build().map_err(failed(url))?,
            url: format!("{}/status", parsed.as_str().trim_end_matches('/')),
        })
    }

    /// Its latest block's.
    ///
    /// # Errors
    /// [`Error::Rpc`].
    pub async fn height(&self) -> Result<u64, Error> {
        let url = &self.url;
        let mut answer = self.http.get(url).send().await.map_err(failed(url))?;
        let body = bounded(&mut answer).await.map_err(failed(url))?;
        let json: serde_json::Value = serde_json::from_slice(&body).map_err(failed(url))?;
        let height = json.pointer("/result/sync_info/latest_block_height");
        let height = height.and_then(|height| height.as_str()?.parse().ok());
        height.ok_or_else(|| failed(url)("its status has no height"))
    }
}

/// The body of an answer, which may be anybody's.
///
/// # Errors
/// In words, also for more than 64 KiB.
pub(crate) async fn bounded(answer: &mut reqwest::Response) -> Result<Vec<u8>, String> {
    let mut body = Vec::new();
    while let Some(chunk) = answer.chunk().await.map_err(|error| error.to_string())? {
        if body.len().saturating_add(chunk.len()) > ANSWER_BYTES_MAX {
            return Err(format!("an answer of more than {ANSWER_BYTES_MAX} bytes"));
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body)
}

/// Height and hash of the header of a replica's latest block.
pub async fn newest_header(url: &str) -> Result<(u64, String), Error> {
    let status = client(url)?.status().await;
    let status = status.map_err(|error| rpc_failed(url, &error))?;
    let info = status.sync_info;
    Ok((
        info.latest_block_height.value(),
        info.latest_block_hash.to_string(),
    ))
}

/// Asks a replica how it is.
///
/// # Errors
/// [`Error::Rpc`] if it doesn't answer within five seconds.
pub async fn health(url: &str) -> Result<Health, Error> {
    let client = client(url)?;
    let status = match client.status().await {
        Ok(status) => status,
        // Solo's status says less than the library insists on; its commits are complete.
        Err(error) if matches!(error.detail(), ErrorDetail::Serde(_)) => {
            let commit = client
                .latest_commit()
                .await
                .map_err(|e| rpc_failed(url, &e))?;
            let header = commit.signed_header.header;
            return Ok(Health {
                height: header.height.value(),
                app_hash: header.app_hash.to_string(),
                catching_up: false,
                peers: 0,
            });
        }
        Err(error) => return Err(rpc_failed(url, &error)),
    };
    let peers = match client.net_info().await {
        Ok(info) => info.n_peers,
        // Solo has no peers and no such method.
        Err(error) if matches!(error.detail(), ErrorDetail::Response(_)) => 0,
        Err(error) => return Err(rpc_failed(url, &error)),
    };
    Ok(Health {
        height: status.sync_info.latest_block_height.value(),
        app_hash: status.sync_info.latest_app_hash.to_string(),
        catching_up: status.sync_info.catching_up,
        peers,
    })
}

/// The app hash in the header of one block, in upper-case hexadecimal: the state after the block
/// before it.
///
/// # Errors
/// [`Error::Rpc`] if the replica doesn't answer or doesn't have the block.
pub async fn app_hash_at(url: &str, height: u64) -> Result<String, Error> {
    let number = tendermint::block::Height::try_from(height).map_err(failed(url))?;
    let commit = client(url)?
        .commit(number)
        .await
        .map_err(|e| rpc_failed(url, &e))?;
    Ok(commit.signed_header.header.app_hash.to_string())
}
