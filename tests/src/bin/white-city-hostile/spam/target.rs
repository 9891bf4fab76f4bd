//! The network that is attacked, as its attacker sees it: through what everybody may ask.

use std::{fs, net::SocketAddr, path::Path, time::Duration};

use serde_json::Value;
use tendermint_rpc::{Client as _, HttpClient, HttpClientUrl, client::CompatMode};
use white_city_wire::{
    Hash, NetworkId, SessionId,
    pb::{ParamsQuery, query::Question},
    read::{DIRECT_PORT_HINT, QUERY_PATH, encode_query},
};

/// Pause after an answer that nobody expected.
const PAUSE: Duration = Duration::from_millis(50);

/// Addresses to send to, and names that transactions have to carry.
pub struct Target {
    urls: Vec<String>,
    /// The network's id.
    pub network: NetworkId,
    /// Board time when it was asked, ms.
    pub board_ms: u64,
    /// Furthest that an opening may be limited ahead, ms.
    pub max_open_ms: u64,
    /// The largest roster.
    pub max_n: u16,
    /// The session that posts are for; zeros where the board has none.
    pub session: SessionId,
}

/// One replica's endpoint.
pub struct Rpc(HttpClient);

impl Target {
    /// Asks a running network.
    pub async fn find(
        file: &Path,
        replicas: &[usize],
        session: Option<&str>,
    ) -> Result<Self, String> {
        let text =
            fs::read_to_string(file).map_err(|error| format!("{}: {error}", file.display()))?;
        let network: Value =
            serde_json::from_str(&text).map_err(|error| format!("{}: {error}", file.display()))?;
        let urls: Vec<String> = network["replicas"]
            .as_array()
            .into_iter()
            .flatten()
            .enumerate()
            .filter(|(k, _)| replicas.is_empty() || replicas.contains(k))
            .filter_map(|(_, replica)| Some(replica["rpc"].as_str()?.to_owned()))
            .collect();
        let first = urls.first().ok_or("no such replica in the network file")?;
        let rpc = connect(first)?;
        let params = ask(&rpc, "/json/params").await?;
        let answer = &params["answer"];
        let number = |value: &Value| value.as_u64().ok_or("the replica's answer lacks a number");
        let id = |value: &Value| value.as_str().and_then(Hash::from_hex);
        let sessions = number(&answer["session_count"])?;
        let session = match session {
            Some(session) => Some(session.to_owned()),
            None => sessions.checked_sub(1).map(|latest| latest.to_string()),
        };
        let session = match session {
            Some(session) => {
                let answer = ask(&rpc, &format!("/json/session/{session}")).await?;
                id(&answer["answer"]["session"]).ok_or("no such session")?
            }
            None => Hash::ZERO,
        };
        Ok(Self {
            network: NetworkId(id(&answer["network"]).ok_or("no network id")?.0),
            board_ms: number(&params["board_ms"])?,
            max_open_ms: number(&answer["params"]["max_open_ms"])?,
            max_n: u16::try_from(number(&answer["params"]["max_n"])?).unwrap_or(u16::MAX),
            session: SessionId(session.0),
            urls,
        })
    }

    /// Addresses of the direct ports, of those replicas that have one.
    pub async fn direct_ports(&self) -> Result<Vec<SocketAddr>, String> {
        let mut found = Vec::new();
        for url in &self.urls {
            let params = encode_query(Question::Params(ParamsQuery {}));
            let path = Some(QUERY_PATH.to_owned());
            let answer = connect(url)?.0.abci_query(path, params, None, false).await;
            let answer = answer.map_err(|error| error.detail().to_string())?;
            let port = answer.info.strip_prefix(DIRECT_PORT_HINT);
            let port: Option<u16> = port.and_then(|port| port.parse().ok());
            found.extend(port.map(|port| SocketAddr::from(([127, 0, 0, 1], port))));
        }
        match found.is_empty() {
            true => Err("no replica has a direct port".into()),
            false => Ok(found),
        }
    }

    /// An endpoint for the sender of this number: they are spread over all replicas.
    pub fn rpc(&self, number: usize) -> Result<Rpc, String> {
        let url = self.urls.get(number % self.urls.len().max(1));
        connect(url.map_or("", String::as_str))
    }
}

impl Rpc {
    /// Sends a transaction; gives the code that came back, or why none did, in words that can be counted.
    pub async fn send(&self, tx: &[u8]) -> String {
        match self.0.broadcast_tx_sync(tx).await {
            Ok(answer) => answer.code.value().to_string(),
            Err(error) => {
                let text = error.detail().to_string();
                let known = [
                    ("already exists in cache", "already known"),
                    ("Tx too large", "too large"),
                    ("mempool is full", "mempool full"),
                    ("request body", "body too large"),
                    ("timed out", "no answer"),
                ];
                let found = known.iter().find(|(part, _)| text.contains(part));
                if found.is_none() {
                    // Nobody is there, perhaps: at full speed that would only heat this machine.
                    tokio::time::sleep(PAUSE).await;
                }
                found.map_or_else(|| first_words(&text), |(_, words)| (*words).to_owned())
            }
        }
    }
}

/// The beginning of a text, so that texts that differ in an address or a number are counted as one.
fn first_words(text: &str) -> String {
    let begin = text.split([':', '\n']).next().unwrap_or_default();
    begin.chars().take(60).collect()
}

fn connect(url: &str) -> Result<Rpc, String> {
    let parsed: HttpClientUrl = url.parse().map_err(|error| format!("{url}: {error}"))?;
    HttpClient::builder(parsed)
        .compat_mode(CompatMode::V0_38)
        .timeout(Duration::from_secs(10))
        .build()
        .map(Rpc)
        .map_err(|error| format!("{url}: {error}"))
}

async fn ask(rpc: &Rpc, path: &str) -> Result<Value, String> {
    let answer = rpc
        .0
        .abci_query(Some(path.to_owned()), Vec::<u8>::new(), None, false)
        .await;
    let answer = answer.map_err(|error| error.detail().to_string())?;
    if answer.code.is_err() {
        return Err(format!("{path}: {}", answer.log));
    }
    serde_json::from_str(&answer.info).map_err(|error| format!("{path}: {error}"))
}
