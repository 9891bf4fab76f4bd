//! `node.toml`: what the operator of a node chooses

use std::net::{IpAddr, Ipv6Addr, SocketAddr};

use serde::Deserialize;

use crate::{Error, Profile};

/// The commented defaults.
pub const NODE_DEFAULTS: &str = include_str!("../../../config/node.toml");
/// Name of the file in a home.
pub const NODE_FILE: &str = "node.toml";
/// Keys of the replica's file that are this program's to set.
const OURS: [&str; 14] = [
    "listen",
    "engine_rpc",
    "direct_address",
    "direct_url",
    "health_address",
    "peer_ids",
    "peers_from",
    "store",
    "log",
    "log_format",
    "snapshot_blocks",
    "keep_blocks",
    "genesis",
    "other_rpcs",
];

/// The content of `node.toml`.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// Where the engine listens for the other nodes.
    pub p2p: SocketAddr,
    /// Where the engine answers clients.
    pub rpc: SocketAddr,
    /// Where the replica answers them, or empty.
    pub direct: String,
    /// Where clients reach that by TLS, or empty.
    pub direct_url: String,
    /// Where the replica tells operators how it is, or empty.
    pub health: String,
    /// Where the explorer is served, or empty.
    pub explorer: String,
    /// The explorer's verifier, or empty.
    pub explorer_verifier: String,
    /// Distance between the nodes.
    pub profile: Distance,
    /// Further addresses or networks of the other nodes.
    pub peers_from: Vec<String>,
    /// CometBFT's program, or empty.
    pub engine: String,
    /// The replica's program, or empty.
    pub replica: String,
    /// Where the engine listens for a remote signer, or empty.
    pub remote_signer: String,
    /// Time after which an engine stands still, seconds.
    pub stands_still_seconds: u64,
    /// Blocks from one snapshot to the next.
    pub snapshot_blocks: u64,
    /// Blocks that are kept.
    pub keep_blocks: u64,
    /// Filter of the replica's log.
    pub log: String,
    /// Form of the logs.
    pub log_format: LogFormat,
    /// Size at which a log is put aside.
    pub log_bytes: u64,
    /// Number of logs that were put aside and are kept.
    pub log_files: u32,
    /// Whether all nodes run on one machine.
    pub one_machine: bool,
    /// Further keys of the replica's file.
    pub replica_keys: toml::Table,
}

/// Distance between the nodes of a board.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Distance {
    /// Up to 10 ms.
    DataCentre,
    /// More.
    Regions,
}

impl Distance {
    /// The times that fit it.
    #[must_use]
    pub const fn profile(self) -> Profile {
        match self {
            Self::DataCentre => Profile::DATA_CENTRE,
            Self::Regions => Profile::REGIONS,
        }
    }
}

/// Form of logs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// One object a line.
    Json,
    /// For people.
    Text,
}

impl Settings {
    /// Reads the file; keys that it lacks have their defaults.
    ///
    /// # Errors
    /// [`Error::Malformed`] names the key and what was expected.
    pub fn read(text: &str) -> Result<Self, Error> {
        let table =
            |text: &str| toml::from_str::<toml::Table>(text).map_err(|e| bad(e.to_string()));
        let mut all = table(NODE_DEFAULTS)?;
        all.extend(table(text)?);
        let settings: Self = all
            .try_into()
            .map_err(|error: toml::de::Error| bad(error.to_string()))?;
        settings.check()?;
        Ok(settings)
    }

    fn check(&self) -> Result<(), Error> {
        for (key, address) in [
            ("direct", &self.direct),
            ("health", &self.health),
            ("explorer", &self.explorer),
        ] {
            if !address.is_empty() && address.parse::<SocketAddr>().is_err() {
                return Err(bad(format!(
                    "{key} {address:?}: expected ADDRESS:PORT, or \"\""
                )));
            }
        }
        if let Some(ours) = OURS
            .iter()
            .find(|key| self.replica_keys.contains_key(**key))
        {
            return Err(bad(format!(
                "[replica_keys] {ours}: this program sets it; expected another key"
            )));
        }
        for (key, value, range) in [
            (
                "stands_still_seconds",
                self.stands_still_seconds,
                10..=86_400,
            ),
            ("log_bytes", self.log_bytes, 1 << 16..=1 << 40),
            ("log_files", self.log_files.into(), 1..=100),
        ] {
            if !range.contains(&value) {
                return Err(bad(format!(
                    "{key} = {value}: expected {} to {}",
                    range.start(),
                    range.end()
                )));
            }
        }
        let signer = &self.remote_signer;
        let known = ["tcp://", "unix://"];
        if !signer.is_empty() && !known.iter().any(|start| signer.starts_with(start)) {
            return Err(bad(format!(
                "remote_signer {signer:?}: expected tcp://ADDRESS:PORT, unix://PATH or \"\""
            )));
        }
        Ok(())
    }
}

/// The commented file of a node with these values.
///
/// # Errors
/// [`Error::Malformed`] for a key that the defaults lack.
pub fn render(values: &[(&str, toml::Value)]) -> Result<String, Error> {
    values
        .iter()
        .try_fold(NODE_DEFAULTS.to_owned(), |text, (key, value)| {
            crate::node_config::set(&text, "", key, &value.to_string())
        })
}

/// Address at which this machine reaches one that it listens at.
#[must_use]
pub fn local(address: SocketAddr) -> SocketAddr {
    match address.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => ([127, 0, 0, 1], address.port()).into(),
        IpAddr::V6(ip) if ip.is_unspecified() => (Ipv6Addr::LOCALHOST, address.port()).into(),
        _ => address,
    }
}

fn bad(reason: String) -> Error {
    Error::Malformed {
        path: NODE_FILE.into(),
        reason,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_new_file_and_an_empty_one_have_the_defaults() {
        let address = |text: &str| text.parse::<SocketAddr>().unwrap();
        let text = render(&[
            ("p2p", "192.0.2.1:7".into()),
            ("rpc", "127.0.0.1:8".into()),
            ("direct", "0.0.0.0:9".into()),
        ]);
        let text = text.unwrap();
        let settings = Settings::read(&text).unwrap();
        assert_eq!(settings.p2p, address("192.0.2.1:7"));
        let empty = Settings::read("").unwrap();
        let expected = Settings {
            p2p: empty.p2p,
            rpc: empty.rpc,
            direct: String::new(),
            ..settings
        };
        assert_eq!(empty, expected);
        assert_eq!(empty.profile.profile(), Profile::REGIONS);
        assert!(!empty.one_machine);
        assert!(render(&[("direkt", "".into())]).is_err());
    }

    #[test]
    fn what_is_wrong_is_named() {
        for (text, expected) in [
            ("p2p = \"here\"", "p2p"),
            ("pp = 1", "pp"),
            ("direct = \"9\"", "direct"),
            ("health = \"9\"", "health"),
            ("explorer = \"9\"", "explorer"),
            ("profile = \"moon\"", "data-centre"),
            ("stands_still_seconds = 9", "10 to 86400"),
            ("log_bytes = 65535", "log_bytes"),
            ("log_files = 0", "log_files"),
            ("log_files = 101", "log_files"),
            ("remote_signer = \"x\"", "remote_signer"),
            ("[replica_keys]\nlisten = \"x\"", "listen"),
        ] {
            let refused = Settings::read(text).unwrap_err().to_string();
            assert!(refused.contains(expected), "{text}: {refused}");
        }
        for good in [
            "stands_still_seconds = 10",
            "log_bytes = 65536",
            "log_files = 100",
            "remote_signer = \"unix://x\"",
            "[replica_keys]\npending_total = 5",
        ] {
            assert!(Settings::read(good).is_ok(), "{good}");
        }
    }
}
