//! Questions and answers, as JSON. `openapi.json` describes the same, and a test compares both.

use std::{collections::BTreeMap, time::Duration};

use axum::{
    extract::Query,
    http::{StatusCode, Uri, header},
    response::{IntoResponse, Response},
};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use white_city_client::{Client, End, Hash, IdentityKey, SessionId, Spec, SpecBuilder, wire::json};

use crate::{failure::Failure, shown::Base64};

/// Longest and usual time that a request waits.
const WAIT_MAX: Duration = Duration::from_secs(300);
const WAIT: Duration = Duration::from_secs(30);

/// An answer.
pub(crate) fn reply(status: StatusCode, body: &impl Serialize) -> Response {
    match serde_json::to_vec(body) {
        Ok(body) => {
            let kind = [(header::CONTENT_TYPE, "application/json")];
            (status, kind, body).into_response()
        }
        // Nothing that is answered with here.
        Err(_) => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    }
}

/// A body, of which nothing is left over.
pub(crate) fn body<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Failure> {
    let bytes = if bytes.is_empty() { b"{}" } else { bytes };
    serde_json::from_slice(bytes).map_err(|error| Failure::request(format!("the body: {error}")))
}

/// The part of a path behind its question mark.
pub(crate) fn query<T: DeserializeOwned>(uri: &Uri) -> Result<T, Failure> {
    let query = Query::try_from_uri(uri);
    query
        .map(|Query(query)| query)
        .map_err(|error| Failure::request(error.to_string()))
}

/// A part of a path.
pub(crate) fn part<T: std::str::FromStr>(text: &str, expected: &str) -> Result<T, Failure> {
    text.parse()
        .map_err(|_| Failure::request(format!("the path: {text:?} was given, expected {expected}")))
}

/// A session in a path.
pub(crate) fn session(text: &str) -> Result<SessionId, Failure> {
    SessionId::from_hex(text).ok_or_else(|| {
        Failure::request(format!(
            "the path: {text:?} was given, expected a session's id, 64 hex digits"
        ))
    })
}

/// Time that a request waits.
#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Wait {
    #[serde(default)]
    wait_ms: Option<u64>,
}

impl Wait {
    pub(crate) fn of(uri: &Uri) -> Result<Duration, Failure> {
        let wait: Self = query(uri)?;
        let asked = wait.wait_ms.map_or(WAIT, Duration::from_millis);
        Ok(asked.min(WAIT_MAX))
    }
}

/// A session to open.
#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct OpenRequest {
    /// The caller's own name of this request: the same one opens the same session.
    pub(crate) request: String,
    protocol: String,
    #[serde(default = "one")]
    version: u32,
    roster: Vec<Hash>,
    quorum: Option<u16>,
    corrupt: Option<u16>,
    max_rounds: Option<u32>,
    max_bcast: Option<u32>,
    max_p2p_plaintext: Option<u32>,
    max_bytes: Option<u64>,
    join_ms: Option<u64>,
    round_ms: Option<u64>,
    reveal_ms: Option<u64>,
    retention_ms: Option<u64>,
    #[serde(default)]
    input: String,
    prev_session: Option<SessionId>,
}

const fn one() -> u32 {
    1
}

impl OpenRequest {
    /// The spec that it describes, for this board.
    pub(crate) fn spec(&self, client: &Client) -> Result<Spec, Failure> {
        let keys = self
            .roster
            .iter()
            .map(|key| IdentityKey::from_bytes(&key.0));
        let roster = keys.collect::<Result<Vec<_>, _>>().map_err(|error| {
            Failure::request(format!("roster: expected identities' public keys: {error}"))
        })?;
        let input = hex::decode(&self.input)
            .map_err(|_| Failure::request("input: expected an even number of hex digits"))?;
        let ms = |given: Option<u64>, usual: u64| Duration::from_millis(given.unwrap_or(usual));
        let mut builder = SpecBuilder::new(&self.protocol, self.version, roster)
            .for_board(client.network())
            .max_rounds(self.max_rounds.unwrap_or(16))
            .payloads(
                self.max_bcast.unwrap_or(64 << 10),
                self.max_p2p_plaintext.unwrap_or(4 << 10),
            )
            .times(
                ms(self.join_ms, 600_000),
                ms(self.round_ms, 300_000),
                ms(self.reveal_ms, 300_000),
            )
            .retention(ms(self.retention_ms, 86_400_000))
            .corrupt(self.corrupt.unwrap_or(0))
            .previous(self.prev_session.unwrap_or(SessionId::ZERO))
            .input(input);
        if let Some(quorum) = self.quorum {
            builder = builder.quorum(quorum);
        }
        if let Some(bytes) = self.max_bytes {
            builder = builder.max_bytes(bytes);
        }
        Ok(builder.build()?)
    }
}

/// Why a party declines.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Decline {
    #[serde(default)]
    pub(crate) reason: u16,
}

/// Why a party leaves.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Abort {
    #[serde(default)]
    pub(crate) cause_number: u16,
    pub(crate) about: Option<u16>,
    pub(crate) detail: Option<Hash>,
}

/// A post.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Post {
    #[serde(default)]
    pub(crate) broadcast: Base64,
    #[serde(default)]
    pub(crate) p2p: BTreeMap<u16, Base64>,
}

/// The outcome that a party finishes with.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Finish {
    pub(crate) outcome: Hash,
}

/// The payload that a party complains about.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Complain {
    pub(crate) round: u32,
    pub(crate) from: u16,
}

/// Something to remember, or what was remembered.
#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Memory {
    pub(crate) data: Base64,
}

/// The outcome whose result is safe, where the session's end is unknown.
#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Forget {
    pub(crate) outcome: Option<Hash>,
}

/// This gateway's party.
#[derive(Serialize)]
pub(crate) struct Party {
    pub(crate) key: Hash,
    pub(crate) network: String,
    pub(crate) following_count: usize,
}

/// A session, and this party's place in it.
#[derive(Serialize)]
pub(crate) struct Session {
    pub(crate) session: SessionId,
    /// `None` where this identity isn't in the roster.
    pub(crate) index: Option<u16>,
    pub(crate) spec: json::Spec,
}

/// A thing that was done in a session.
#[derive(Serialize)]
pub(crate) struct Did {
    pub(crate) session: SessionId,
    pub(crate) result: &'static str,
}

/// A join.
#[derive(Serialize)]
pub(crate) struct Joined {
    pub(crate) session: SessionId,
    pub(crate) index: u16,
}

/// An id.
#[derive(Serialize)]
pub(crate) struct Opened {
    pub(crate) session: SessionId,
}

/// The end of a session.
#[derive(Serialize)]
pub(crate) struct Ended {
    event: &'static str,
    session: SessionId,
    result: &'static str,
    outcome: Option<Hash>,
    text: String,
    left: Vec<u16>,
    culprits: Vec<u16>,
    missing: Vec<u16>,
}

impl Ended {
    pub(crate) fn new(session: SessionId, end: End) -> Self {
        let (result, record) = match end {
            End::Finished { outcome } => {
                return Self {
                    event: "end",
                    session,
                    result: "finished",
                    text: format!("the session has finished with the outcome {outcome}"),
                    outcome: Some(outcome),
                    left: Vec::new(),
                    culprits: Vec::new(),
                    missing: Vec::new(),
                };
            }
            End::Aborted(record) => ("aborted", record),
            End::Unknown(record) => ("unknown", record),
        };
        Self {
            event: "end",
            session,
            result,
            outcome: None,
            text: record.to_string(),
            left: record.left.iter().map(|leaver| leaver.index).collect(),
            culprits: record
                .culprits
                .iter()
                .map(|culprit| culprit.index)
                .collect(),
            missing: record.missing,
        }
    }
}

/// A receipt.
#[derive(Serialize)]
pub(crate) struct Proof {
    pub(crate) session: SessionId,
    pub(crate) kind: &'static str,
    pub(crate) receipt: Base64,
}
