//! The replica's configuration file, `replica.toml` in its home.

use std::{
    fs,
    net::SocketAddr,
    path::{Path, PathBuf},
    time::Duration,
};

use ipnet::IpNet;
use serde::Deserialize;
use white_city_wire::protocol::Known;

use crate::{
    direct::{Limits, tls::Files},
    pending::ByteLimits,
    waiting::Bounds,
};

/// Largest configuration file, bytes.
const CONFIG_BYTES_MAX: u64 = 64 * 1_024;

/// Longest address of a direct port.
const DIRECT_URL_MAX: usize = 512;

/// Longest waiting of a proposal that may be configured, ms. It also has to stay below half of CometBFT's `timeout_propose`.
pub const PROPOSAL_WAIT_MS_MAX: u64 = 500;

/// Least that may be pending of one identity, bytes: more than the largest transaction counts.
const PENDING_BYTES_MIN: u64 = 1 << 20;

/// Settings of a replica. Every key is described in `config/replica.toml`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// Socket where CometBFT connects: `unix://PATH` or `tcp://ADDRESS:PORT`.
    pub listen: String,
    /// The RPC of this replica's own node, `ADDRESS:PORT`, where it asks for blocks when a deadline has passed; or nothing.
    pub engine_rpc: String,
    /// Address where clients can ask the replica itself, beside CometBFT's RPC: `ADDRESS:PORT`, or nothing.
    pub direct_address: String,
    /// Address at which clients reach the direct port by TLS, `https://…`, or nothing.
    pub direct_url: String,
    /// Certificate chain of the direct port, PEM, relative to the home, or nothing: no TLS.
    pub direct_tls_certificate: PathBuf,
    /// Its key, likewise.
    pub direct_tls_key: PathBuf,
    /// Most connections to the direct port at once.
    pub direct_connections: u32,
    /// Most of them from one address.
    pub direct_connections_per_address: u32,
    /// Requests a second from one address.
    pub direct_requests_per_second: u32,
    /// Bad transactions a second from one address, before it is made to wait.
    pub direct_bad_per_second: u32,
    /// Bytes a second of addresses that move a lot of them where others are there, too.
    pub direct_bytes_per_second: u32,
    /// Address where operators and their programs ask how the replica is: `ADDRESS:PORT`, or nothing.
    pub health_address: String,
    /// The store, relative to the home.
    pub store: PathBuf,
    /// Folder of the snapshots, relative to the home.
    pub snapshots: PathBuf,
    /// Blocks from one snapshot to the next; 0: none are made.
    pub snapshot_blocks: u64,
    /// Blocks that the engine keeps; 0: all.
    pub keep_blocks: u64,
    /// The genesis, relative to the home, for a replica that is restored from a snapshot; or nothing.
    pub genesis: PathBuf,
    /// The RPC of other replicas' nodes, `ADDRESS:PORT`, where a restored replica asks for the header that it goes on from.
    pub other_rpcs: Vec<String>,
    /// Ids of the nodes that may be peers; none: any.
    pub peer_ids: Vec<String>,
    /// Networks that they come from; none: any.
    pub peers_from: Vec<IpNet>,
    /// Filter of the `tracing` crate for what is logged.
    pub log: String,
    /// Form of the log.
    pub log_format: LogFormat,
    /// Most pending transactions of one identity.
    pub pending_per_identity: u32,
    /// Most pending transactions of all identities; below CometBFT's `mempool.size`.
    pub pending_total: u32,
    /// Most bytes that may be pending, each transaction counting 4 KB more than it has.
    pub pending_bytes: u64,
    /// Most of them in sessions whose openers the genesis doesn't list.
    pub pending_bytes_of_strangers: u64,
    /// Most of them in all sessions of one opener.
    pub pending_bytes_per_opener: u64,
    /// Most of them in one session.
    pub pending_bytes_per_session: u64,
    /// Most of them of one identity.
    pub pending_bytes_per_identity: u64,
    /// Roster keys a second that may be checked for strangers who open sessions; an opening counts 16 more.
    pub open_keys_per_second: u32,
    /// Memory for signatures that were checked already, bytes of transactions.
    pub verified_cache_bytes: u64,
    /// Memory for entries that came a moment too early, bytes.
    pub parked_bytes: u64,
    /// The longest that a proposal waits for rounds that fill, ms; 0: proposals don't wait.
    pub proposal_wait_ms: u64,
    /// Time after its last entry for which a round still counts as filling, ms.
    pub proposal_gap_ms: u64,
    /// The longest that what is complete is held back for rounds that fill, ms.
    pub proposal_hold_ms: u64,
    /// A file that names the step of a block at which the process dies: `fault` in the home, in builds with the feature
    /// `fault-points` only.
    #[serde(skip)]
    pub fault_file: Option<PathBuf>,
    /// The numbers of the rules that the program knows: one more than any program of a user where the file `next` is in the home, in
    /// builds with the feature `fault-points` only.
    #[serde(skip)]
    pub known: Known,
}

/// Form of a replica's log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// For people.
    Text,
    /// For machines, one object a line.
    Json,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            listen: "unix://app.sock".into(),
            engine_rpc: String::new(),
            direct_address: String::new(),
            direct_url: String::new(),
            direct_tls_certificate: PathBuf::new(),
            direct_tls_key: PathBuf::new(),
            direct_connections: 900,
            direct_connections_per_address: 600,
            direct_requests_per_second: 4_000,
            direct_bad_per_second: 25,
            direct_bytes_per_second: 8 << 20,
            health_address: String::new(),
            store: "board.redb".into(),
            snapshots: "snapshots".into(),
            snapshot_blocks: 0,
            keep_blocks: 0,
            genesis: PathBuf::new(),
            other_rpcs: Vec::new(),
            peer_ids: Vec::new(),
            peers_from: Vec::new(),
            log: "info".into(),
            log_format: LogFormat::Text,
            pending_per_identity: 64,
            pending_total: 20_000,
            pending_bytes: 96 << 20,
            pending_bytes_of_strangers: 72 << 20,
            pending_bytes_per_opener: 56 << 20,
            pending_bytes_per_session: 48 << 20,
            pending_bytes_per_identity: 8 << 20,
            open_keys_per_second: 100,
            verified_cache_bytes: 256 << 20,
            parked_bytes: 64 << 20,
            proposal_wait_ms: 60,
            proposal_gap_ms: 50,
            proposal_hold_ms: 100,
            fault_file: None,
            known: Known::RELEASED,
        }
    }
}

/// Socket where CometBFT connects.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Listen {
    /// A unix socket.
    Unix(PathBuf),
    /// An address and port.
    Tcp(String),
}

/// Why a configuration is refused.
#[derive(Debug, thiserror::Error)]
pub enum BadConfig {
    /// The file can't be read.
    #[error("{path}: {error}")]
    Read {
        /// Path of the file.
        path: PathBuf,
        /// Why.
        error: std::io::Error,
    },
    /// The file is far larger than a configuration.
    #[error("{path}: more than {CONFIG_BYTES_MAX} bytes")]
    TooLarge {
        /// Path of the file.
        path: PathBuf,
    },
    /// The file isn't TOML with the known keys.
    #[error("{path}: {error}")]
    Toml {
        /// Path of the file.
        path: PathBuf,
        /// The mistake and its place.
        error: Box<toml::de::Error>,
    },
    /// A key with a value that it can't have.
    #[error("key {key}: got {got:?}, expected {expected}")]
    Key {
        /// Name of the key.
        key: &'static str,
        /// Its value.
        got: String,
        /// Values that it may have.
        expected: &'static str,
    },
}

impl Config {
    /// Reads and checks `replica.toml` in `home`; relative paths become paths in `home`.
    ///
    /// # Errors
    /// [`BadConfig`] names the file, and the key with what it may be.
    pub fn load(home: &Path) -> Result<Self, BadConfig> {
        let path = home.join("replica.toml");
        let read = |error| BadConfig::Read {
            path: path.clone(),
            error,
        };
        if fs::metadata(&path).map_err(read)?.len() > CONFIG_BYTES_MAX {
            return Err(BadConfig::TooLarge { path });
        }
        let text = fs::read_to_string(&path).map_err(read)?;
        let mut config: Self = toml::from_str(&text).map_err(|error| BadConfig::Toml {
            path: path.clone(),
            error: Box::new(error),
        })?;
        config.store = home.join(&config.store);
        config.snapshots = home.join(&config.snapshots);
        if !config.genesis.as_os_str().is_empty() {
            config.genesis = home.join(&config.genesis);
        }
        for path in [
            &mut config.direct_tls_certificate,
            &mut config.direct_tls_key,
        ] {
            if !path.as_os_str().is_empty() {
                *path = home.join(&*path);
            }
        }
        config.fault_file = cfg!(feature = "fault-points").then(|| home.join("fault"));
        if cfg!(feature = "fault-points") && home.join("next").exists() {
            config.known = Known::WITH_NEXT;
        }
        if let Listen::Unix(socket) = config.listen()? {
            config.listen = format!("unix://{}", home.join(socket).display());
        }
        config.check()?;
        Ok(config)
    }

    fn check(&self) -> Result<(), BadConfig> {
        key(
            // The library's parser panics over spaces before other letters.
            self.log.is_ascii() && tracing_subscriber::EnvFilter::try_new(&self.log).is_ok(),
            "log",
            self.log.clone(),
            "a filter such as info or white_city_replica=debug",
        )?;
        key(
            self.engine_rpc.is_empty() || self.engine_rpc.parse::<SocketAddr>().is_ok(),
            "engine_rpc",
            self.engine_rpc.clone(),
            "ADDRESS:PORT, such as 127.0.0.1:26657, or nothing",
        )?;
        for other in &self.other_rpcs {
            key(
                other.parse::<SocketAddr>().is_ok(),
                "other_rpcs",
                other.clone(),
                "each ADDRESS:PORT, such as 10.0.0.2:26657",
            )?;
        }
        self.check_health_port()?;
        self.check_direct_port()?;
        self.check_pending()?;
        key(
            self.proposal_wait_ms <= PROPOSAL_WAIT_MS_MAX,
            "proposal_wait_ms",
            self.proposal_wait_ms.to_string(),
            "at most 500: the other replicas' time-out for a proposal must stay far away",
        )
    }

    fn check_health_port(&self) -> Result<(), BadConfig> {
        let address = &self.health_address;
        key(
            address.is_empty() || address.parse::<SocketAddr>().is_ok(),
            "health_address",
            address.clone(),
            "ADDRESS:PORT, such as 127.0.0.1:26670, or nothing",
        )?;
        key(
            address.is_empty() || !self.engine_rpc.is_empty(),
            "health_address",
            address.clone(),
            "nothing as long as engine_rpc is nothing: how a replica is can't be said without its node",
        )
    }

    fn check_direct_port(&self) -> Result<(), BadConfig> {
        key(
            self.direct_address.is_empty() || self.direct_address.parse::<SocketAddr>().is_ok(),
            "direct_address",
            self.direct_address.clone(),
            "ADDRESS:PORT, such as 127.0.0.1:26660, or nothing",
        )?;
        let is_address = self.direct_url.starts_with("https://")
            && self.direct_url.len() <= DIRECT_URL_MAX
            && self.direct_url.bytes().all(|byte| byte.is_ascii_graphic());
        key(
            self.direct_url.is_empty() || is_address,
            "direct_url",
            self.direct_url.clone(),
            "https://HOST:PORT/PATH, at most 512 characters, or nothing",
        )?;
        let (certificate, tls_key) = (&self.direct_tls_certificate, &self.direct_tls_key);
        key(
            certificate.as_os_str().is_empty() == tls_key.as_os_str().is_empty(),
            "direct_tls_key",
            tls_key.display().to_string(),
            "a file exactly where direct_tls_certificate is one",
        )?;
        key(
            certificate.as_os_str().is_empty() || !self.direct_url.is_empty(),
            "direct_url",
            self.direct_url.clone(),
            "the address where clients find the port, as it speaks TLS",
        )?;
        for (name, limit) in [
            (
                "direct_connections_per_address",
                self.direct_connections_per_address,
            ),
            (
                "direct_requests_per_second",
                self.direct_requests_per_second,
            ),
            ("direct_bad_per_second", self.direct_bad_per_second),
            ("direct_bytes_per_second", self.direct_bytes_per_second),
        ] {
            key(limit > 0, name, limit.to_string(), "at least 1")?;
        }
        key(
            self.direct_connections >= self.direct_connections_per_address,
            "direct_connections",
            self.direct_connections.to_string(),
            "at least direct_connections_per_address",
        )
    }

    fn check_pending(&self) -> Result<(), BadConfig> {
        key(
            self.pending_per_identity > 0,
            "pending_per_identity",
            self.pending_per_identity.to_string(),
            "at least 1",
        )?;
        key(
            self.pending_total >= self.pending_per_identity,
            "pending_total",
            self.pending_total.to_string(),
            "at least pending_per_identity",
        )?;
        let limits = self.pending_bytes();
        let parts = [
            limits.identity,
            limits.session,
            limits.opener,
            limits.strangers,
            limits.total,
        ];
        key(
            parts.is_sorted(),
            "pending_bytes",
            format!("{parts:?} of an identity, a session, an opener, strangers and in all"),
            "each of them at most the next one",
        )?;
        key(
            limits.identity >= PENDING_BYTES_MIN,
            "pending_bytes_per_identity",
            limits.identity.to_string(),
            "at least 1048576: room for the largest transaction",
        )
    }

    /// Files of the direct port's TLS, if it has any.
    #[must_use]
    pub fn direct_tls(&self) -> Option<Files> {
        let files = Files {
            certificate: self.direct_tls_certificate.clone(),
            key: self.direct_tls_key.clone(),
        };
        (!files.key.as_os_str().is_empty()).then_some(files)
    }

    /// Bounds on what strangers take of the direct port.
    #[must_use]
    pub const fn direct_limits(&self) -> Limits {
        Limits {
            connections: self.direct_connections,
            connections_per_address: self.direct_connections_per_address,
            requests_per_second: self.direct_requests_per_second,
            bad_per_second: self.direct_bad_per_second,
            bytes_per_second: self.direct_bytes_per_second,
        }
    }

    /// Bounds on the bytes that may be pending.
    pub(crate) const fn pending_bytes(&self) -> ByteLimits {
        ByteLimits {
            total: self.pending_bytes,
            strangers: self.pending_bytes_of_strangers,
            opener: self.pending_bytes_per_opener,
            session: self.pending_bytes_per_session,
            identity: self.pending_bytes_per_identity,
        }
    }

    /// The bounds of a proposal's waiting; `None` when it doesn't wait.
    pub(crate) fn waiting(&self) -> Option<Bounds> {
        (self.proposal_wait_ms > 0).then(|| Bounds {
            budget: Duration::from_millis(self.proposal_wait_ms),
            gap: Duration::from_millis(self.proposal_gap_ms),
            hold: Duration::from_millis(self.proposal_hold_ms),
        })
    }

    /// The socket to listen on.
    ///
    /// # Errors
    /// [`BadConfig::Key`].
    pub fn listen(&self) -> Result<Listen, BadConfig> {
        if let Some(path) = self
            .listen
            .strip_prefix("unix://")
            .filter(|p| !p.is_empty())
        {
            return Ok(Listen::Unix(path.into()));
        }
        if let Some(address) = self
            .listen
            .strip_prefix("tcp://")
            .filter(|a| a.contains(':'))
        {
            return Ok(Listen::Tcp(address.into()));
        }
        Err(BadConfig::Key {
            key: "listen",
            got: self.listen.clone(),
            expected: "unix://PATH or tcp://ADDRESS:PORT",
        })
    }
}

fn key(
    good: bool,
    key: &'static str,
    got: String,
    expected: &'static str,
) -> Result<(), BadConfig> {
    good.then_some(())
        .ok_or(BadConfig::Key { key, got, expected })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key_refused(change: impl FnOnce(&mut Config)) -> Option<&'static str> {
        let mut config = Config::default();
        change(&mut config);
        match config.check() {
            Ok(()) => None,
            Err(BadConfig::Key { key, .. }) => Some(key),
            Err(error) => panic!("{error}"),
        }
    }

    #[test]
    fn the_bytes_that_may_be_pending_are_parts_of_one_another_and_hold_any_transaction() {
        let set = |config: &mut Config, bytes: [u64; 5]| {
            [
                config.pending_bytes_per_identity,
                config.pending_bytes_per_session,
                config.pending_bytes_per_opener,
                config.pending_bytes_of_strangers,
                config.pending_bytes,
            ] = bytes;
        };
        let least = PENDING_BYTES_MIN;
        assert_eq!(key_refused(|_| {}), None);
        assert_eq!(key_refused(|config| set(config, [least; 5])), None);
        let too_small = key_refused(|config| set(config, [least - 1; 5]));
        assert_eq!(too_small, Some("pending_bytes_per_identity"));
        for smaller in 1..5 {
            let mut bytes = [least; 5];
            bytes[smaller - 1] += 1;
            let refused = key_refused(|config| set(config, bytes));
            assert_eq!(refused, Some("pending_bytes"), "{bytes:?}");
        }
    }

    #[test]
    fn a_health_port_is_an_address_beside_a_node_that_can_be_asked() {
        let set = |health: &str, rpc: &str| {
            key_refused(|config| {
                (config.health_address, config.engine_rpc) = (health.into(), rpc.into());
            })
        };
        assert_eq!(set("127.0.0.1:26670", "127.0.0.1:26657"), None);
        assert_eq!(set("", ""), None);
        assert_eq!(set("127.0.0.1:26670", ""), Some("health_address"));
        assert_eq!(set("26670", "127.0.0.1:26657"), Some("health_address"));
    }

    #[test]
    fn no_limit_of_the_direct_port_is_nothing_or_more_than_there_is_in_all() {
        let none = key_refused(|config| config.direct_requests_per_second = 0);
        assert_eq!(none, Some("direct_requests_per_second"));
        let none = key_refused(|config| config.direct_bad_per_second = 0);
        assert_eq!(none, Some("direct_bad_per_second"));
        let none = key_refused(|config| config.direct_bytes_per_second = 0);
        assert_eq!(none, Some("direct_bytes_per_second"));
        let none = key_refused(|config| config.direct_connections_per_address = 0);
        assert_eq!(none, Some("direct_connections_per_address"));
        let in_all = Config::default().direct_connections;
        let set = |config: &mut Config, limit| config.direct_connections_per_address = limit;
        assert_eq!(key_refused(|config| set(config, in_all)), None);
        let more = key_refused(|config| set(config, in_all + 1));
        assert_eq!(more, Some("direct_connections"));
    }
}
