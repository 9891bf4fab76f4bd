//! One replica's RPC, as far as a page needs it. Answers are bounded before they are parsed, and nothing here believes them.

use std::{net::IpAddr, str::FromStr, time::Duration};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use reqwest::{Client, Url, redirect::Policy};
use serde::Deserialize;
use serde_json::{Value, json};
use white_city_wire::read::QUERY_PATH;

use crate::{ANSWER_DUE, ExplorerError};

/// Largest answer to a question, bytes: a page of an inbox and one post more, in base64, with room.
const ANSWER_BYTES_MAX: usize = 8 << 20;
/// Largest header with its signatures, bytes.
const COMMIT_BYTES_MAX: usize = 256 << 10;
/// Longest text of a replica that is handed on, characters.
const TEXT_CHARS_MAX: usize = 300;
/// Longest time for connecting, and for which a connection is kept: CometBFT closes it after ten seconds.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);
const IDLE: Duration = Duration::from_secs(5);

/// A replica, by the address of its RPC.
#[derive(Debug, Clone)]
pub struct Replica {
    name: String,
    url: Url,
    http: Client,
}

/// Why there is no answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum NoAnswer {
    /// It refuses.
    Refused { code: u32, text: String },
    /// It can't be reached, or says nothing that can be read.
    Unreachable(String),
}

#[derive(Deserialize)]
struct Rpc<T> {
    result: Option<T>,
    error: Option<Value>,
}

#[derive(Deserialize)]
struct Committed {
    signed_header: Value,
}

#[derive(Deserialize)]
struct Submitted {
    #[serde(default)]
    code: u32,
    log: Option<String>,
}

#[derive(Deserialize)]
struct Queried {
    response: Response,
}

#[derive(Deserialize)]
struct Response {
    #[serde(default)]
    code: u32,
    log: Option<String>,
    value: Option<String>,
}

impl FromStr for Replica {
    type Err = ExplorerError;

    /// `ADDRESS`, or `NAME=ADDRESS` where the page shall not show the address.
    fn from_str(text: &str) -> Result<Self, ExplorerError> {
        let named = text
            .split_once('=')
            .filter(|(name, _)| !name.contains("//"));
        let (name, address) = named.map_or((None, text), |(name, url)| (Some(name), url));
        let bad = || ExplorerError::Address { got: text.into() };
        let url = Url::parse(address).map_err(|_| bad())?;
        if !matches!(url.scheme(), "http" | "https") {
            return Err(bad());
        }
        let host = url.host_str().ok_or_else(bad)?;
        let own = match url.port() {
            Some(port) => format!("{host}:{port}"),
            None => host.to_owned(),
        };
        // Another one that was installed before is as good.
        let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
        // A proxy of this machine's isn't the way to itself.
        let http = match is_loopback(host) {
            true => Client::builder().no_proxy(),
            false => Client::builder(),
        };
        let http = http
            .connect_timeout(CONNECT_TIMEOUT)
            .timeout(ANSWER_DUE)
            .pool_idle_timeout(IDLE)
            // A replica has no business sending whoever asks elsewhere.
            .redirect(Policy::none())
            .build();
        Ok(Self {
            name: name.map_or(own, shown),
            http: http.map_err(|error| ExplorerError::Http(error.to_string()))?,
            url,
        })
    }
}

impl Replica {
    /// Its name on the page.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Asks the board, and gives the bytes of the answer.
    pub(crate) async fn ask(&self, query: &[u8]) -> Result<Vec<u8>, NoAnswer> {
        let data = hex::encode(query);
        let params = json!({ "path": QUERY_PATH, "data": data, "height": "0", "prove": false });
        let body = self.call("abci_query", params, ANSWER_BYTES_MAX).await?;
        let unreadable = |what: &str| NoAnswer::Unreachable(what.into());
        let answer: Rpc<Queried> = serde_json::from_slice(&body)
            .map_err(|_| unreadable("an answer that isn't JSON-RPC"))?;
        let Some(Queried { response }) = answer.result else {
            return Err(NoAnswer::Unreachable(shown(&error_text(answer.error))));
        };
        if response.code != 0 {
            let text = shown(&response.log.unwrap_or_default());
            let code = response.code;
            return Err(NoAnswer::Refused { code, text });
        }
        let value = response.value.unwrap_or_default();
        let value = STANDARD.decode(value);
        value.map_err(|_| unreadable("an answer that isn't base64"))
    }

    /// Asks for the header of a height with the signatures below it: the page reads and verifies it. Nothing else of the answer is handed
    /// on, which may be anything that is served at that address.
    pub(crate) async fn commit(&self, height: u64) -> Result<Vec<u8>, NoAnswer> {
        let params = json!({ "height": height.to_string() });
        let body = self.call("commit", params, COMMIT_BYTES_MAX).await?;
        let answer: Rpc<Committed> = serde_json::from_slice(&body)
            .map_err(|_| NoAnswer::Unreachable("an answer that isn't JSON-RPC".into()))?;
        let Some(committed) = answer.result else {
            return Err(NoAnswer::Unreachable(shown(&error_text(answer.error))));
        };
        let header = json!({ "result": { "signed_header": committed.signed_header } });
        Ok(header.to_string().into_bytes())
    }

    /// Hands a transaction to its engine, which says whether it takes it.
    pub(crate) async fn submit(&self, tx: &[u8]) -> Result<(), NoAnswer> {
        let params = json!({ "tx": STANDARD.encode(tx) });
        let body = self.call("broadcast_tx_sync", params, COMMIT_BYTES_MAX);
        let answer: Rpc<Submitted> = serde_json::from_slice(&body.await?)
            .map_err(|_| NoAnswer::Unreachable("an answer that isn't JSON-RPC".into()))?;
        match answer.result {
            Some(Submitted { code: 0, .. }) => Ok(()),
            Some(Submitted { code, log }) => {
                let text = shown(&log.unwrap_or_default());
                Err(NoAnswer::Refused { code, text })
            }
            None => Err(NoAnswer::Unreachable(shown(&error_text(answer.error)))),
        }
    }

    async fn call(&self, method: &str, params: Value, most: usize) -> Result<Vec<u8>, NoAnswer> {
        let request = json!({ "jsonrpc": "2.0", "id": 1, "method": method, "params": params });
        let request = self.http.post(self.url.clone()).body(request.to_string());
        let request = request.header(reqwest::header::CONTENT_TYPE, "application/json");
        let failed = |error: reqwest::Error| NoAnswer::Unreachable(reason_of(&error));
        let mut response = request.send().await.map_err(failed)?;
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(failed)? {
            if body.len().saturating_add(chunk.len()) > most {
                let text = format!("an answer of more than {most} bytes");
                return Err(NoAnswer::Unreachable(text));
            }
            body.extend_from_slice(&chunk);
        }
        Ok(body)
    }
}

fn is_loopback(host: &str) -> bool {
    let address = host.trim_matches(['[', ']']).parse::<IpAddr>();
    host == "localhost" || address.is_ok_and(|address| address.is_loopback())
}

fn error_text(error: Option<Value>) -> String {
    let Some(error) = error else {
        return "an answer without a result".into();
    };
    let text = |field: &str| error.get(field).and_then(Value::as_str).unwrap_or_default();
    format!("{}: {}", text("message"), text("data"))
}

/// An error of HTTP with its innermost cause, which is the one that helps, and without the address.
fn reason_of(error: &reqwest::Error) -> String {
    if error.is_timeout() {
        return "no answer in time".into();
    }
    let mut cause: &dyn std::error::Error = error;
    while let Some(deeper) = cause.source() {
        cause = deeper;
    }
    shown(&cause.to_string())
}

/// A text from outside, short and without control characters.
fn shown(text: &str) -> String {
    let text = text.chars().filter(|c| !c.is_control());
    text.take(TEXT_CHARS_MAX).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_replica_is_named_by_its_address_without_credentials_or_as_it_is_told() {
        for (text, name) in [
            ("http://127.0.0.1:26657", "127.0.0.1:26657"),
            ("https://user:secret@board.example/rpc", "board.example"),
            ("north=http://10.0.0.1:1", "north"),
            ("http://10.0.0.1:1/?a=b", "10.0.0.1:1"),
        ] {
            assert_eq!(text.parse::<Replica>().unwrap().name(), name, "{text}");
        }
        for text in ["", "north", "ftp://a", "north=", "file:///a", "http://"] {
            let error = text.parse::<Replica>().unwrap_err();
            assert_eq!(error, ExplorerError::Address { got: text.into() });
        }
    }
}
