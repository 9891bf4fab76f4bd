//! A replica's direct port, where it answers itself: the same answers without CometBFT and its JSON, and transactions past its
//! mempool.

use std::{sync::Mutex, time::Duration};

use bytes::Bytes;
use prost::Message;
use reqwest::Url;
use tendermint_proto::v0_38::abci::ResponseQuery;
use tokio::time::Instant;
use white_city_wire::{Refusal, pb, read::DIRECT_PORT_HINT};

use super::{
    ReadError,
    rpc::{BODY_BYTES_MAX, bounded_body, reason_of, shown},
};
use crate::checked::lock;

/// How long a port isn't tried again at which nothing useful was heard: at first, and at most. It is short at first, since a replica
/// may be overloaded, and the RPC, which is asked instead, costs it far more; and twice as long each time.
const AVOIDED: (Duration, Duration) = (Duration::from_secs(2), Duration::from_secs(64));

/// Largest answer to transactions, bytes: each is taken in a few, or refused in a line.
const HANDED_BYTES_MAX: usize = 64 << 10;

/// What is known of one replica's direct port.
#[derive(Default)]
pub(super) struct DirectPort(Mutex<Known>);

/// What a port is used for: one that answers questions may still keep silent about entries.
#[derive(Debug, Clone, Copy)]
pub(super) enum Use {
    Asking,
    Handing,
}

#[derive(Default)]
struct Known {
    port: Option<u16>,
    /// A port that isn't tried, and until when.
    avoided: Option<(u16, Instant)>,
    /// How long it is left alone next time for the sake of each use, if nothing useful is heard there before.
    pauses: [Option<Duration>; 2],
}

impl Known {
    const fn pause(&mut self, used: Use) -> &mut Option<Duration> {
        let [asking, handing] = &mut self.pauses;
        match used {
            Use::Asking => asking,
            Use::Handing => handing,
        }
    }
}

impl DirectPort {
    /// Notes what an answer of the RPC says beside itself. The replica may say anything: the port is only ever looked for at the
    /// RPC's own host, and what is heard there has to prove itself like everything else.
    pub(super) fn note(&self, info: &str, now: Instant) {
        let port = info.strip_prefix(DIRECT_PORT_HINT);
        let port = port.and_then(|port| port.parse().ok());
        let mut known = lock(&self.0);
        let avoided = known.avoided.filter(|(_, until)| now < *until);
        known.port =
            port.filter(|port| *port > 0 && avoided.is_none_or(|(other, _)| other != *port));
    }

    /// Where to ask; `None` where only the RPC is left: no port is known, or the RPC isn't reached directly and in the clear.
    pub(super) fn url(&self, rpc: &Url, path: &str) -> Option<Url> {
        let port = lock(&self.0).port?;
        let is_plain = rpc.scheme() == "http"
            && rpc.path() == "/"
            && rpc.username().is_empty()
            && rpc.password().is_none();
        let mut url = is_plain.then(|| rpc.clone())?;
        url.set_port(Some(port)).ok()?;
        url.set_path(path);
        Some(url)
    }

    /// Nothing useful was heard there: the RPC is asked instead for a while.
    pub(super) fn avoid(&self, used: Use, now: Instant) {
        let mut known = lock(&self.0);
        if let Some(port) = known.port.take() {
            let next = known.pause(used);
            let pause = next.unwrap_or(AVOIDED.0);
            *next = Some(pause.saturating_mul(2).min(AVOIDED.1));
            known.avoided = Some((port, now + pause));
        }
    }

    /// Something useful was heard there.
    pub(super) fn note_useful(&self, used: Use) {
        *lock(&self.0).pause(used) = None;
    }
}

/// Asks at a direct port.
///
/// # Errors
/// Why there was no answer and no refusal either.
pub(super) async fn ask(
    http: &reqwest::Client,
    url: Url,
    query: Vec<u8>,
) -> Result<Result<Bytes, ReadError>, String> {
    let response: ResponseQuery = post(http, url, query, BODY_BYTES_MAX).await?;
    Ok(match response.code {
        0 => Ok(response.value),
        code => Err(ReadError::Refused {
            code,
            text: shown(&response.log),
        }),
    })
}

/// What a replica said to a transaction at its direct port.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Handed {
    /// It has it, and a block comes that can have it, too.
    Coming,
    /// It has it, but nothing makes a block of it.
    Idle,
    /// It doesn't take it.
    Refused,
}

/// Hands transactions over at a direct port; gives what is said to each of them.
///
/// # Errors
/// Why nothing is known of them.
pub(super) async fn hand_over(
    http: &reqwest::Client,
    url: Url,
    txs: Vec<Vec<u8>>,
) -> Result<Vec<Handed>, String> {
    let count = txs.len();
    let handing = pb::Handing { txs }.encode_to_vec();
    let handed: pb::Handed = post(http, url, handing, HANDED_BYTES_MAX).await?;
    if handed.txs.len() != count {
        return Err("an answer to other transactions".into());
    }
    Ok(handed.txs.iter().map(Handed::from).collect())
}

impl From<&pb::HandedTx> for Handed {
    fn from(tx: &pb::HandedTx) -> Self {
        match tx.code {
            0 if tx.block_comes => Self::Coming,
            0 => Self::Idle,
            // Its last block is older than the party's, and it keeps the entry until the round opens; or the board has it.
            code if Refusal::is_round_not_open(code) || Refusal::is_stored(code) => Self::Coming,
            _ => Self::Refused,
        }
    }
}

async fn post<T: Message + Default>(
    http: &reqwest::Client,
    url: Url,
    body: Vec<u8>,
    answer_bytes_max: usize,
) -> Result<T, String> {
    let response = http.post(url).body(body).send().await;
    let response = response.map_err(|error| reason_of(&error))?;
    let status = response.status();
    if status != reqwest::StatusCode::OK {
        return Err(format!("HTTP status {status}"));
    }
    let body = bounded_body(response, answer_bytes_max).await?;
    T::decode(Bytes::from(body)).map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rpc(url: &str) -> Url {
        Url::parse(url).unwrap()
    }

    #[test]
    fn the_port_is_looked_for_at_the_rpcs_own_host_where_that_is_reached_directly() {
        let (port, now) = (DirectPort::default(), Instant::now());
        let at = |url| port.url(&rpc(url), "/v1").map(String::from);
        assert_eq!(at("http://a:1"), None);
        for nothing in [
            "",
            "direct-port=",
            "direct-port=0",
            "direct-port=65536",
            "17",
            "direct-port=17 ",
        ] {
            port.note(nothing, now);
            assert_eq!(at("http://a:1"), None, "{nothing}");
        }
        port.note("direct-port=17", now);
        assert_eq!(at("http://a:1").as_deref(), Some("http://a:17/v1"));
        assert_eq!(at("http://[::1]:1/").as_deref(), Some("http://[::1]:17/v1"));
        for other in ["https://a", "http://a/rpc", "http://u:p@a", "http://u@a"] {
            assert_eq!(at(other), None, "{other}");
        }
    }

    #[test]
    fn a_port_where_nothing_was_heard_is_left_alone_for_a_while_and_another_one_is_not() {
        let (port, mut now) = (DirectPort::default(), Instant::now());
        let at = || {
            port.url(&rpc("http://a:1"), "/v1")
                .and_then(|url| url.port())
        };
        for seconds in [2, 4, 8, 16, 32, 64, 64] {
            port.note("direct-port=17", now);
            assert_eq!(at(), Some(17));
            port.avoid(Use::Handing, now);
            // Whoever was on the way there at the same time.
            port.avoid(Use::Handing, now);
            port.note_useful(Use::Asking);
            assert_eq!(at(), None);
            let until = now + Duration::from_secs(seconds);
            for soon in [now, until - Duration::from_millis(1)] {
                port.note("direct-port=17", soon);
                assert_eq!(at(), None);
            }
            port.note("direct-port=18", now);
            assert_eq!(at(), Some(18));
            now = until;
        }
        port.note("direct-port=17", now);
        port.note_useful(Use::Handing);
        port.avoid(Use::Handing, now);
        port.note("direct-port=17", now + AVOIDED.0);
        assert_eq!(at(), Some(17));
    }
}
