//! CometBFT's JSON-RPC, as far as a party needs it. Answers are bounded before they are parsed.

use std::{fmt, sync::Arc, time::Duration};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use bytes::Bytes;
use serde::{
    Deserialize, Deserializer,
    de::{DeserializeOwned, IgnoredAny, MapAccess, SeqAccess, Visitor},
};
use serde_json::{Value, json};
use tendermint::block::signed_header::SignedHeader;
use tokio::{sync::oneshot, time::Instant};
use white_city_wire::{Refusal, pb, read};

use super::{
    ReadError,
    direct::{self, DirectPort, Handed, PortUse, is_loopback},
    handing::{self, Port, Queue},
    http::{BODY_BYTES_MAX, bounded_body, reason_of, shown},
    proxy::{name_proxy, proxy_of},
};
use crate::{Error, base64_fields::are_base64, read::Lie};

/// Largest body of a header with its signatures, and of what is said to a transaction, bytes. What is parsed without knowing what
/// it is takes a hundred times as much in memory.
const COMMIT_BYTES_MAX: usize = 256 << 10;
const SUBMITTED_BYTES_MAX: usize = 64 << 10;
/// Longest time for connecting.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);
/// Time for which a connection is kept that isn't needed. CometBFT closes it after ten seconds.
const IDLE: Duration = Duration::from_secs(5);
/// One replica's RPC.
pub(crate) struct Endpoint {
    http: reqwest::Client,
    url: reqwest::Url,
    name: String,
    /// Through what it is reached, if not directly.
    proxy: Option<String>,
    direct_port: Arc<DirectPort>,
    handing: Arc<Queue>,
}

/// The answer of a replica to a transaction.
#[derive(Debug)]
pub(crate) enum Submitted {
    /// It has it, in its mempool or on the board.
    Taken,
    /// It refuses, for now or for good.
    Refused { code: u32, text: String },
}

#[derive(Deserialize)]
struct RpcAnswer<T> {
    result: Option<T>,
    error: Option<RpcError>,
}

#[derive(Deserialize)]
struct RpcError {
    message: String,
    #[serde(default)]
    data: Text,
}

/// A text, or anything else, which isn't kept.
#[derive(Default)]
struct Text(String);

impl<'de> Deserialize<'de> for Text {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Texts;
        impl<'de> Visitor<'de> for Texts {
            type Value = Text;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a text")
            }

            fn visit_str<E>(self, text: &str) -> Result<Text, E> {
                Ok(Text(shown(text)))
            }

            fn visit_bool<E>(self, _: bool) -> Result<Text, E> {
                Ok(Text::default())
            }

            fn visit_i64<E>(self, _: i64) -> Result<Text, E> {
                Ok(Text::default())
            }

            fn visit_u64<E>(self, _: u64) -> Result<Text, E> {
                Ok(Text::default())
            }

            fn visit_f64<E>(self, _: f64) -> Result<Text, E> {
                Ok(Text::default())
            }

            fn visit_unit<E>(self) -> Result<Text, E> {
                Ok(Text::default())
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Text, A::Error> {
                while seq.next_element::<IgnoredAny>()?.is_some() {}
                Ok(Text::default())
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Text, A::Error> {
                while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
                Ok(Text::default())
            }
        }
        deserializer.deserialize_any(Texts)
    }
}

#[derive(Deserialize)]
struct QueryResult {
    response: QueryResponse,
}

#[derive(Deserialize)]
struct QueryResponse {
    #[serde(default)]
    code: u32,
    #[serde(default)]
    log: Option<String>,
    #[serde(default)]
    info: Option<String>,
    #[serde(default)]
    value: Option<String>,
}

#[derive(Deserialize)]
struct CommitResult {
    signed_header: SignedHeader,
}

#[derive(Deserialize)]
struct SubmitResult {
    #[serde(default)]
    code: u32,
    #[serde(default)]
    log: Option<String>,
}

impl Endpoint {
    /// # Errors
    /// [`Error::Usage`] for what isn't an address of HTTP.
    pub(crate) fn new(url: &str, timeout: Duration) -> Result<Self, Error> {
        let bad = || Error::usage("replica", format!("an http or https address, not {url:?}"));
        let url = reqwest::Url::parse(url).map_err(|_| bad())?;
        if !matches!(url.scheme(), "http" | "https") || url.host_str().is_none() {
            return Err(bad());
        }
        let http = match is_loopback(&url) {
            true => reqwest::Client::builder().no_proxy(),
            false => reqwest::Client::builder(),
        };
        let tls = crate::tls::config().map_err(|error| Error::usage("TLS", error.to_string()))?;
        let http = http
            .use_preconfigured_tls(tls)
            .connect_timeout(CONNECT_TIMEOUT)
            .timeout(timeout)
            // Before the other side closes a connection that is idle.
            .pool_idle_timeout(IDLE)
            // A replica has no business sending its clients elsewhere.
            .redirect(reqwest::redirect::Policy::none())
            .build()
            .map_err(|error| Error::usage("HTTP", error.to_string()))?;
        // Credentials in the address stay out of logs and errors.
        let mut name = url.clone();
        let _ = name.set_password(None);
        let _ = name.set_username("");
        Ok(Self {
            http,
            name: name.as_str().trim_end_matches('/').to_owned(),
            proxy: proxy_of(&url),
            url,
            direct_port: Arc::default(),
            handing: Arc::default(),
        })
    }

    /// Its address without credentials.
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// The URL at which its engine tells of blocks: beside where it answers.
    pub(super) fn websocket_url(&self) -> reqwest::Url {
        let mut url = self.url.clone();
        url.set_path(&format!("{}/websocket", url.path().trim_end_matches('/')));
        url
    }

    /// Its HTTP client.
    pub(super) fn http(&self) -> &reqwest::Client {
        &self.http
    }

    /// Asks the board: at the direct port where there is one, or by way of the RPC.
    pub(crate) async fn ask(&self, question: pb::query::Question) -> Result<Bytes, ReadError> {
        let query = read::encode_query(question);
        if let Some(url) = self.direct_port.url(&self.url, read::QUERY_PATH) {
            match direct::ask(&self.http, url, query.clone()).await {
                Ok(answered) => {
                    self.direct_port.note_useful(PortUse::Asking);
                    return answered;
                }
                Err(reason) => self
                    .direct_port
                    .avoid(PortUse::Asking, self.name(), &reason),
            }
        }
        self.ask_rpc(&query).await.map(Bytes::from)
    }

    /// The URL at which transactions can be handed over to the replica itself.
    pub(super) fn submit_url(&self) -> Option<reqwest::Url> {
        self.direct_port.url(&self.url, read::HANDING_PATH)
    }

    /// Notes what an answer of the RPC says beside itself. A port that it names is looked at beside whatever goes on.
    pub(super) fn note_direct_port(&self, info: &str) {
        let Some(url) = self.direct_port.note(info, &self.url, Instant::now()) else {
            return;
        };
        let (http, direct_port) = (self.http.clone(), Arc::clone(&self.direct_port));
        tokio::spawn(async move {
            let is_replicas = direct::is_replicas(&http, url).await;
            direct_port.note_looked_at(is_replicas, Instant::now());
        });
    }

    /// Waits until the direct port with this number is known, as if an answer of the RPC had named it.
    #[cfg(test)]
    pub(super) async fn know_direct_port(&self, port: u16) {
        let host = self.url.host_str().unwrap().parse().unwrap();
        let peer = std::net::SocketAddr::new(host, 1);
        self.direct_port.note_peer(Some(peer));
        self.note_direct_port(&format!("{}{port}", read::DIRECT_PORT_HINT));
        while self.submit_url().is_none() {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    }

    /// Hands a transaction over to the replica itself, at this address, also if nobody waits for the answer; `None` when too many
    /// wait already.
    pub(super) fn hand_over(
        &self,
        url: &reqwest::Url,
        tx: &Arc<Vec<u8>>,
    ) -> Option<oneshot::Receiver<Option<Handed>>> {
        let port = || Port {
            name: self.name.clone(),
            http: self.http.clone(),
            url: url.clone(),
            direct: Arc::clone(&self.direct_port),
        };
        handing::hand_over(&self.handing, tx, port)
    }

    async fn ask_rpc(&self, query: &[u8]) -> Result<Vec<u8>, ReadError> {
        let data = hex::encode(query);
        let params =
            json!({ "path": read::QUERY_PATH, "data": data, "height": "0", "prove": false });
        let result: QueryResult = self
            .call("abci_query", params, BODY_BYTES_MAX)
            .await
            .map_err(ReadError::Unreachable)?;
        let response = result.response;
        self.note_direct_port(&response.info.unwrap_or_default());
        if response.code != 0 {
            return Err(ReadError::Refused {
                code: response.code,
                text: shown(&response.log.unwrap_or_default()),
            });
        }
        STANDARD
            .decode(response.value.unwrap_or_default())
            .map_err(|_| Lie::new("an answer that isn't base64").into())
    }

    /// Asks for the header of a height, with the signatures below it.
    pub(crate) async fn commit(&self, height: u64) -> Result<SignedHeader, ReadError> {
        let params = json!({ "height": height.to_string() });
        let commit = self.call::<Value>("commit", params, COMMIT_BYTES_MAX).await;
        let commit = commit.map_err(ReadError::Unreachable)?;
        let parsed = are_base64(&commit, "signature").then(|| serde_json::from_value(commit));
        match parsed {
            Some(Ok(CommitResult { signed_header })) => Ok(signed_header),
            Some(Err(error)) => Err(ReadError::Unreachable(shown(&error.to_string()))),
            None => Err(ReadError::Unreachable(
                "a signature that isn't base64".into(),
            )),
        }
    }

    /// Sends a transaction.
    pub(crate) async fn submit(&self, tx: &[u8]) -> Result<Submitted, String> {
        let params = json!({ "tx": STANDARD.encode(tx) });
        let submitted = self.call::<SubmitResult>("broadcast_tx_sync", params, SUBMITTED_BYTES_MAX);
        match submitted.await {
            Ok(SubmitResult { code: 0, .. }) => Ok(Submitted::Taken),
            Ok(SubmitResult { code, .. }) if Refusal::is_stored(code) => Ok(Submitted::Taken),
            Ok(SubmitResult { code, log }) => Ok(Submitted::Refused {
                code,
                text: shown(&log.unwrap_or_default()),
            }),
            // CometBFT remembers what it has seen: the same bytes are there already.
            Err(reason) if reason.contains("tx already exists in cache") => Ok(Submitted::Taken),
            Err(reason) => Err(reason),
        }
    }

    async fn call<T: DeserializeOwned>(
        &self,
        method: &str,
        params: Value,
        answer_bytes_max: usize,
    ) -> Result<T, String> {
        let called = self.call_itself(method, params, answer_bytes_max).await;
        called.map_err(|reason| name_proxy(reason, self.proxy.as_deref()))
    }

    async fn call_itself<T: DeserializeOwned>(
        &self,
        method: &str,
        params: Value,
        answer_bytes_max: usize,
    ) -> Result<T, String> {
        let request =
            json!({ "jsonrpc": "2.0", "id": 1, "method": method, "params": params }).to_string();
        let response = self
            .http
            .post(self.url.clone())
            .header(reqwest::header::CONTENT_TYPE, "application/json")
            .body(request)
            .send()
            .await
            .map_err(|error| reason_of(&error))?;
        let status = response.status();
        // Behind a proxy there is no knowing where it came from.
        if self.proxy.is_none() {
            self.direct_port.note_peer(response.remote_addr());
        }
        let body = bounded_body(response, answer_bytes_max).await?;
        // CometBFT answers a failed call with status 500 and a body that says why.
        let answer: RpcAnswer<T> = serde_json::from_slice(&body).map_err(|error| {
            // Some errors go on with where in this program they were made.
            let text = error.to_string();
            let why = shown(text.lines().next().unwrap_or_default());
            format!("HTTP status {status} and no JSON-RPC answer: {why}")
        })?;
        match (answer.result, answer.error) {
            (Some(result), None) => Ok(result),
            (_, Some(error)) => Err(shown(&format!("{}: {}", error.message, error.data.0))),
            (None, None) => Err("an answer without a result".into()),
        }
    }
}
