//! A replica's direct port, where it answers itself: the same answers without CometBFT and its JSON, and transactions past its
//! mempool.

use std::{
    net::{IpAddr, SocketAddr},
    sync::Mutex,
    time::Duration,
};

use bytes::Bytes;
use prost::Message;
use reqwest::Url;
use tendermint_proto::v0_38::abci::ResponseQuery;
use tokio::time::{Instant, timeout};
use white_city_wire::{
    Refusal, pb,
    read::{DIRECT_PORT_HINT, DIRECT_PORT_SAYS, DIRECT_URL_HINT, HANDING_TXS_MAX, QUERY_PATH},
};

use super::{
    ReadError,
    http::{BODY_BYTES_MAX, bounded_body, reason_of, shown},
};
use crate::{
    bounds::Bounds,
    checked::lock,
    shape::{self, Limit, limit},
};

/// Time for which a port isn't tried again at which nothing useful was heard: at first, and at most. It is short at first, since
/// a replica may be overloaded, and the RPC, which is asked instead, costs it far more; and twice as long each time.
const AVOIDED: Bounds = Bounds::ms(2_000, 64_000);

/// Largest answer to transactions, bytes: each is taken in a few, or refused in a line.
const HANDED_BYTES_MAX: usize = 64 << 10;

/// Lowest number of a port that is looked at: below it are the services of a machine itself.
const PORT_MIN: u16 = 1_024;
/// Longest time for a port to say what it is.
const LOOK: Duration = Duration::from_secs(5);
/// Largest text with which a port may do so, bytes.
const LOOK_BYTES_MAX: usize = 4 << 10;

/// The parts of ABCI's answer to a query: code, log, info, index, key, value, height and codespace.
const RESPONSE: [Limit; 8] = [
    limit(1, 1, 0, 0),
    limit(3, 1, 0, HANDED_BYTES_MAX),
    limit(4, 1, 0, HANDED_BYTES_MAX),
    limit(5, 1, 0, 0),
    limit(6, 1, 0, HANDED_BYTES_MAX),
    limit(7, 1, 0, BODY_BYTES_MAX),
    limit(9, 1, 0, 0),
    limit(10, 1, 0, HANDED_BYTES_MAX),
];
/// The parts of an answer to handed transactions: one for each.
const HANDED: [Limit; 1] = [limit(1, HANDING_TXS_MAX, 0, HANDED_BYTES_MAX)];

/// Knowledge of one replica's direct port.
///
/// A replica may name any port, and who asks it may reach services that the replica doesn't: those of its own machine, where the
/// RPC's address is the near end of a tunnel. So a port is only ever used at the address from which the RPC's answer came, never
/// at this machine's own unless the RPC's is configured so, and nothing is sent there before it has said that it is one.
#[derive(Default)]
pub(super) struct DirectPort(Mutex<PortState>);

/// The uses of a port: one that answers questions may still keep silent about entries.
#[derive(Debug, Clone, Copy)]
pub(super) enum PortUse {
    Looking,
    Asking,
    Handing,
}

/// Address at which a replica says that its direct port is.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Place {
    /// At the address that the RPC's answers come from.
    Port(u16),
    /// By TLS, at the host of the RPC.
    Url(Url),
}

impl Place {
    /// The place that an answer names for whoever asks an RPC at this address.
    fn named(info: &str, rpc: &Url) -> Option<Self> {
        let mut words = info.split(' ');
        if rpc.scheme() == "https" {
            let url = words.find_map(|word| word.strip_prefix(DIRECT_URL_HINT))?;
            let url = Url::parse(url).ok()?;
            return is_beside(&url, rpc).then_some(Self::Url(url));
        }
        let port = words.next()?.strip_prefix(DIRECT_PORT_HINT)?.parse().ok()?;
        (port >= PORT_MIN).then_some(Self::Port(port))
    }
}

/// Whether an address is one that a replica may name: of the host that the client was told, whose certificate has to be that host's.
fn is_beside(url: &Url, rpc: &Url) -> bool {
    let port = url.port_or_known_default();
    let is_port = port == rpc.port_or_known_default() || port.is_some_and(|port| port >= PORT_MIN);
    let is_plain = url.username().is_empty()
        && url.password().is_none()
        && url.query().is_none()
        && url.fragment().is_none();
    url.scheme() == "https" && url.host() == rpc.host() && is_port && is_plain
}

#[derive(Default)]
struct PortState {
    /// Address that the RPC's answers come from.
    peer: Option<IpAddr>,
    /// A port that has said that it is a replica's.
    port: Option<Place>,
    /// One that is being looked at.
    looking: Option<Place>,
    /// Until when the replica's port isn't used, whichever it names.
    avoided: Option<Instant>,
    /// Pause for which it is left alone next time, for the sake of each use, if nothing useful is heard there before.
    pauses: [Option<Duration>; 3],
}

impl PortState {
    const fn pause(&mut self, used: PortUse) -> &mut Option<Duration> {
        let [looking, asking, handing] = &mut self.pauses;
        match used {
            PortUse::Looking => looking,
            PortUse::Asking => asking,
            PortUse::Handing => handing,
        }
    }

    fn leave_alone(&mut self, used: PortUse, now: Instant) {
        let next = self.pause(used);
        let pause = next.unwrap_or(AVOIDED.least);
        *next = Some(AVOIDED.doubled(pause));
        self.avoided = Some(now + pause);
    }

    /// The address of a port; `None` where only the RPC is left, because that isn't reached directly and in the clear, or where
    /// the port would be this machine's own and the RPC doesn't say that it is.
    fn url(&self, rpc: &Url, place: &Place, path: &str) -> Option<Url> {
        let port = match place {
            Place::Port(port) => *port,
            Place::Url(url) => {
                let mut url = url.clone();
                let under = url.path().trim_end_matches('/');
                let path = format!("{under}{path}");
                url.set_path(&path);
                return Some(url);
            }
        };
        let peer = self.peer?;
        let is_plain = rpc.scheme() == "http"
            && rpc.path() == "/"
            && rpc.username().is_empty()
            && rpc.password().is_none();
        if !is_plain || (peer.is_loopback() && !is_loopback(rpc)) {
            return None;
        }
        let mut url = rpc.clone();
        url.set_ip_host(peer).ok()?;
        url.set_port(Some(port)).ok()?;
        url.set_path(path);
        Some(url)
    }
}

/// Whether an address says that it is this machine's own.
pub(super) fn is_loopback(url: &Url) -> bool {
    let host = url.host_str().unwrap_or_default();
    let ip: Result<IpAddr, _> = host.trim_matches(['[', ']']).parse();
    host == "localhost" || ip.is_ok_and(|ip| ip.is_loopback())
}

impl DirectPort {
    /// Notes where an answer of the RPC came from.
    pub(super) fn note_peer(&self, peer: Option<SocketAddr>) {
        if let Some(peer) = peer {
            let mut state = lock(&self.0);
            let peer = peer.ip().to_canonical();
            if state.peer.replace(peer) != Some(peer) {
                // It was looked at elsewhere.
                state.port = None;
            }
        }
    }

    /// Notes what an answer of the RPC says beside itself. Gives the address of a port that has to be looked at first, if there is
    /// a new one: one at a time, and none for as long as the replica's port is left alone.
    pub(super) fn note(&self, info: &str, rpc: &Url, now: Instant) -> Option<Url> {
        let mut state = lock(&self.0);
        let port = Place::named(info, rpc);
        if port.is_some() && port == state.port {
            return None;
        }
        state.port = None;
        let is_avoided = state.avoided.is_some_and(|until| now < until);
        if is_avoided || state.looking.is_some() {
            return None;
        }
        let port = port?;
        let url = state.url(rpc, &port, QUERY_PATH)?;
        state.looking = Some(port);
        Some(url)
    }

    /// Whether what was looked at is a replica's direct port.
    pub(super) fn note_looked_at(&self, is_replicas: bool, now: Instant) {
        let mut state = lock(&self.0);
        let looked_at = state.looking.take();
        match is_replicas {
            true => state.port = looked_at,
            false => state.leave_alone(PortUse::Looking, now),
        }
    }

    /// The URL to ask at; `None` where no port is known.
    pub(super) fn url(&self, rpc: &Url, path: &str) -> Option<Url> {
        let state = lock(&self.0);
        state.url(rpc, state.port.as_ref()?, path)
    }

    /// Nothing useful was heard there, for this reason: the RPC is asked instead for a while.
    pub(super) fn avoid(&self, used: PortUse, replica: &str, reason: &str) {
        tracing::debug!(%replica, %reason, "nothing at the direct port");
        self.leave_alone(used, Instant::now());
    }

    fn leave_alone(&self, used: PortUse, now: Instant) {
        let mut state = lock(&self.0);
        // Of several requests that fail together only the first makes the pause longer.
        if state.port.take().is_some() {
            state.leave_alone(used, now);
        }
    }

    /// Something useful was heard there.
    pub(super) fn note_useful(&self, used: PortUse) {
        *lock(&self.0).pause(used) = None;
    }
}

/// Whether a port says to whom it doesn't know that it is a replica's: no other service does, and being asked for a page harms none.
pub(super) async fn is_replicas(http: &reqwest::Client, url: Url) -> bool {
    let looked_at = async {
        let response = http.get(url).send().await.ok()?;
        let is_refusal = response.status() == reqwest::StatusCode::METHOD_NOT_ALLOWED;
        let body = bounded_body(response, LOOK_BYTES_MAX).await.ok()?;
        Some(is_refusal && body.starts_with(DIRECT_PORT_SAYS.as_bytes()))
    };
    timeout(LOOK, looked_at).await == Ok(Some(true))
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
    let response: ResponseQuery = post(http, url, query, (BODY_BYTES_MAX, &RESPONSE)).await?;
    Ok(match response.code {
        0 => Ok(response.value),
        code => Err(ReadError::Refused {
            code,
            text: shown(&response.log),
        }),
    })
}

/// The answer of a replica to a transaction at its direct port.
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
    let handed: pb::Handed = post(http, url, handing, (HANDED_BYTES_MAX, &HANDED)).await?;
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
    (answer_bytes_max, limits): (usize, &[Limit]),
) -> Result<T, String> {
    let response = http.post(url).body(body).send().await;
    let response = response.map_err(|error| reason_of(&error))?;
    let status = response.status();
    if status != reqwest::StatusCode::OK {
        return Err(format!("HTTP status {status}"));
    }
    let body = bounded_body(response, answer_bytes_max).await?;
    decode(&Bytes::from(body), limits)
}

fn decode<T: Message + Default>(body: &Bytes, limits: &[Limit]) -> Result<T, String> {
    shape::check(body, limits).map_err(|error| error.to_string())?;
    T::decode(body.clone()).map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rpc(url: &str) -> Url {
        Url::parse(url).unwrap()
    }

    /// One that has heard from an RPC at this address.
    fn heard_from(peer: &str) -> DirectPort {
        let port = DirectPort::default();
        port.note_peer(Some(SocketAddr::new(peer.parse().unwrap(), 1)));
        port
    }

    const THERE: &str = "192.0.2.7";

    #[test]
    fn the_port_is_looked_for_where_the_rpcs_answer_came_from() {
        let now = Instant::now();
        let looks = |peer, rpc_url: &str, info: &str| {
            let looked = heard_from(peer).note(info, &rpc(rpc_url), now);
            looked.map(String::from)
        };
        for nothing in [
            "",
            "direct-port=",
            "direct-port=0",
            "direct-port=22",
            "direct-port=1023",
            "direct-port=65536",
            "1700",
        ] {
            assert_eq!(looks(THERE, "http://a:1", nothing), None, "{nothing}");
        }
        let named = |peer, rpc_url: &str| looks(peer, rpc_url, "direct-port=1024");
        let there = Some("http://192.0.2.7:1024/v1".to_owned());
        assert_eq!(named(THERE, "http://a:1"), there);
        assert_eq!(named(THERE, "http://192.0.2.7:1/"), there);
        for other in ["https://a", "http://a/rpc", "http://u:p@a", "http://u@a"] {
            assert_eq!(named(THERE, other), None, "{other}");
        }
        // This machine's own services are nobody's to name, unless the RPC is one of them.
        for own in ["127.0.0.1", "127.9.9.9", "::1", "::ffff:127.0.0.1"] {
            for elsewhere in ["http://a:1", "http://192.0.2.7:1", "http://localhost.a:1"] {
                assert_eq!(named(own, elsewhere), None, "{own}, {elsewhere}");
            }
        }
        for (own, address) in [
            ("127.0.0.1", "http://127.0.0.1:1"),
            ("127.0.0.1", "http://localhost:1"),
        ] {
            let there = Some(format!("http://{own}:1024/v1"));
            assert_eq!(named(own, address), there);
        }
        let v6 = named("::1", "http://[::1]:1");
        assert_eq!(v6.as_deref(), Some("http://[::1]:1024/v1"));
        // Who is told of TLS, too, and reaches the RPC without it, goes by the port.
        let both = looks(
            THERE,
            "http://a:1",
            "direct-port=1024 direct-url=https://a/d",
        );
        assert_eq!(both, there);
        // Nobody knows where it came from.
        let nowhere = DirectPort::default();
        let looked = nowhere.note("direct-port=1024", &rpc("http://a:1"), now);
        assert_eq!(looked, None);
    }

    #[test]
    fn by_tls_only_the_host_that_the_client_was_told_is_looked_at() {
        let now = Instant::now();
        let looks = |rpc_url: &str, url: &str| {
            let info = format!("direct-port=1024 direct-url={url}");
            let looked = heard_from(THERE).note(&info, &rpc(rpc_url), now);
            looked.map(String::from)
        };
        for (rpc_url, url, expected) in [
            ("https://a/rpc", "https://a/direct", "https://a/direct/v1"),
            ("https://a:7/rpc", "https://a:7", "https://a:7/v1"),
            ("https://a", "https://a:1024/d/", "https://a:1024/d/v1"),
        ] {
            assert_eq!(looks(rpc_url, url).as_deref(), Some(expected));
        }
        for (rpc_url, url) in [
            ("https://a", "https://b/direct"),
            ("https://a", "http://a/direct"),
            ("https://a", "https://a:1023/direct"),
            ("https://a:7", "https://a/direct"),
            ("https://a", "https://u@a/direct"),
            ("https://a", "https://a/direct?x"),
            ("https://a", "https://a/direct#x"),
            ("https://a", "a"),
            ("https://a", ""),
            ("http://a/rpc", "https://a/direct"),
        ] {
            assert_eq!(looks(rpc_url, url), None, "{url}");
        }
    }

    #[test]
    fn nothing_is_sent_to_a_port_that_has_not_said_that_it_is_one() {
        let (port, now, a) = (heard_from(THERE), Instant::now(), rpc("http://a:1"));
        let used = || port.url(&a, "/v1").and_then(|url| url.port());
        assert!(port.note("direct-port=1700", &a, now).is_some());
        assert_eq!(used(), None);
        // One at a time.
        assert_eq!(port.note("direct-port=1700", &a, now), None);
        assert_eq!(port.note("direct-port=1701", &a, now), None);
        port.note_looked_at(true, now);
        assert_eq!(used(), Some(1_700));
        assert_eq!(port.note("direct-port=1700", &a, now), None);
        assert_eq!(used(), Some(1_700));
        // It is another one's, if the address is.
        port.note_peer(Some(SocketAddr::new([192, 0, 2, 8].into(), 1)));
        assert_eq!(used(), None);
        let elsewhere = port.note("direct-port=1700", &a, now);
        assert_eq!(elsewhere.unwrap().host_str(), Some("192.0.2.8"));
    }

    #[test]
    fn a_replica_at_whose_port_nothing_was_heard_is_left_alone_for_a_while_whatever_port_it_names()
    {
        let (port, mut now, a) = (heard_from(THERE), Instant::now(), rpc("http://a:1"));
        let looks = |info: &str, now| port.note(info, &a, now).is_some();
        let used = || port.url(&a, "/v1").and_then(|url| url.port());
        for seconds in [2, 4, 8, 16, 32, 64, 64] {
            assert!(looks("direct-port=1700", now));
            port.note_looked_at(true, now);
            assert_eq!(used(), Some(1_700));
            port.leave_alone(PortUse::Handing, now);
            // Whoever was on the way there at the same time.
            port.leave_alone(PortUse::Handing, now);
            port.note_useful(PortUse::Asking);
            assert_eq!(used(), None);
            let until = now + Duration::from_secs(seconds);
            for soon in [now, until - Duration::from_millis(1)] {
                for named in ["direct-port=1700", "direct-port=1701"] {
                    assert!(!looks(named, soon));
                }
            }
            now = until;
        }
        for seconds in [2, 4, 8] {
            // One that names another port each time, none of which is a replica's, has one of them looked at now and then.
            assert!(looks(&format!("direct-port={}", 2_000 + seconds), now));
            port.note_looked_at(false, now);
            let until = now + Duration::from_secs(seconds);
            assert!(!looks("direct-port=1702", until - Duration::from_millis(1)));
            now = until;
        }
        assert!(looks("direct-port=1700", now));
        port.note_looked_at(true, now);
        port.note_useful(PortUse::Handing);
        port.leave_alone(PortUse::Handing, now);
        assert!(looks("direct-port=1700", now + AVOIDED.least));
    }

    #[test]
    fn an_answer_of_nothing_but_small_parts_is_not_decoded() {
        let proof_ops = Bytes::from([8 << 3 | 2, 2, 1 << 3 | 2, 0].repeat(1 << 10));
        assert!(ResponseQuery::decode(proof_ops.clone()).is_ok());
        assert!(decode::<ResponseQuery>(&proof_ops, &RESPONSE).is_err());
        let handed = |count| {
            let handed = Bytes::from([1 << 3 | 2, 0].repeat(count));
            decode::<pb::Handed>(&handed, &HANDED)
        };
        assert!(handed(HANDING_TXS_MAX).is_ok());
        assert!(handed(HANDING_TXS_MAX + 1).is_err());
        let answer = ResponseQuery {
            code: 1,
            log: "log".into(),
            info: "info".into(),
            index: 2,
            key: b"key".as_slice().into(),
            value: b"value".as_slice().into(),
            height: 3,
            codespace: "codespace".into(),
            ..Default::default()
        };
        let encoded = answer.encode_to_vec().into();
        assert_eq!(decode(&encoded, &RESPONSE), Ok(answer));
    }
}
