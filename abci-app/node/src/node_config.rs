//! CometBFT's `config.toml`: the commented defaults with each replica's own values set

use std::fmt::Write as _;
use std::path::Path;

use crate::files::write_atomic;
use crate::{Error, Profile};

/// The commented defaults.
pub const COMETBFT_DEFAULTS: &str = include_str!("../../../config/cometbft.toml");

/// Files that CometBFT makes where a remote signer signs, and that nobody uses.
const REMOTE_SIGNER: [(&str, &str); 2] = [
    ("priv_validator_key_file", "\"config/unused_key.json\""),
    ("priv_validator_state_file", "\"data/unused_state.json\""),
];

/// Values that fit replicas which share a machine.
const ONE_MACHINE: [(&str, &str, &str); 4] = [
    ("p2p", "allow_duplicate_ip", "true"),
    ("p2p", "send_rate", "536_870_912"),
    ("p2p", "recv_rate", "536_870_912"),
    ("consensus", "peer_gossip_sleep_duration", "\"2ms\""),
];

/// Settings that differ from replica to replica, or follow from the genesis.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NodeConfig {
    /// Name in logs and at its peers.
    pub moniker: String,
    /// Address of the application, or the name of one that is built into CometBFT.
    pub proxy_app: String,
    /// Address where it listens for a remote signer; empty: it signs with its key file.
    pub signer: String,
    /// Address of its RPC, "ADDRESS:PORT".
    pub rpc: String,
    /// Address for the others, "ADDRESS:PORT".
    pub p2p: String,
    /// `id@host:port`, separated by commas.
    pub persistent_peers: String,
    /// Times that it waits for the others.
    pub profile: Profile,
    /// Their ids, separated by commas.
    pub peer_ids: String,
    /// From the genesis: longest silence, milliseconds.
    pub heartbeat_ms: u32,
    /// From the genesis: largest transaction.
    pub max_tx_bytes: u32,
    /// Whether the application says who may be a peer.
    pub filter_peers: bool,
    /// Whether its log is JSON.
    pub json_log: bool,
    /// Settings that only replicas on one machine have.
    pub one_machine: bool,
}

/// Sets a replica's values in the commented defaults.
pub fn render(config: &NodeConfig) -> Result<String, Error> {
    let mut text = String::from("# Written at every start: changes made here are lost.\n\n");
    text.push_str(COMETBFT_DEFAULTS);
    let quoted = |value: &str| toml::Value::String(value.into()).to_string();
    let values = [
        ("", "moniker", quoted(&config.moniker)),
        ("", "proxy_app", quoted(&config.proxy_app)),
        ("", "priv_validator_laddr", quoted(&config.signer)),
        ("", "filter_peers", config.filter_peers.to_string()),
        (
            "",
            "log_format",
            quoted(if config.json_log { "json" } else { "plain" }),
        ),
        ("rpc", "laddr", quoted(&format!("tcp://{}", config.rpc))),
        ("p2p", "laddr", quoted(&format!("tcp://{}", config.p2p))),
        ("p2p", "persistent_peers", quoted(&config.persistent_peers)),
        ("p2p", "unconditional_peer_ids", quoted(&config.peer_ids)),
        ("mempool", "max_tx_bytes", config.max_tx_bytes.to_string()),
        (
            "consensus",
            "create_empty_blocks_interval",
            quoted(&format!("{}ms", config.heartbeat_ms)),
        ),
    ];
    for (section, key, value) in values {
        text = set(&text, section, key, &value)?;
    }
    if !config.signer.is_empty() {
        for (key, value) in REMOTE_SIGNER {
            text = set(&text, "", key, value)?;
        }
    }
    if config.one_machine {
        for (section, key, value) in ONE_MACHINE {
            text = set(&text, section, key, value)?;
        }
    }
    for (key, ms) in config.profile.consensus() {
        text = set(&text, "consensus", key, &quoted(&format!("{ms}ms")))?;
    }
    Ok(text)
}

/// Has a node that has nothing start with a snapshot, which it finds by these servers from this header on.
pub fn use_snapshot(home: &Path, servers: &[&str], height: u64, hash: &str) -> Result<(), Error> {
    let path = home.join("config/config.toml");
    let mut text = crate::files::read(&path)?;
    let quoted = |value: &str| toml::Value::String(value.into()).to_string();
    for (key, value) in [
        ("enable", "true".to_owned()),
        ("rpc_servers", quoted(&servers.join(","))),
        ("trust_height", height.to_string()),
        ("trust_hash", quoted(hash)),
    ] {
        text = set(&text, "statesync", key, &value)?;
    }
    write_atomic(&path, text.as_bytes())
}

/// Replaces the value of a key that stands on a line of its own in `section` (empty: before the
/// first one). Comments stay.
pub(crate) fn set(text: &str, section: &str, key: &str, value: &str) -> Result<String, Error> {
    let mut current = "";
    let mut found = false;
    let mut out = String::with_capacity(text.len());
    for line in text.lines() {
        if let Some(name) = line
            .strip_prefix('[')
            .and_then(|rest| rest.strip_suffix(']'))
        {
            current = name;
        }
        let is_key = line
            .split_once('=')
            .is_some_and(|(left, _)| left.trim() == key);
        let written = if current == section && is_key {
            found = true;
            writeln!(out, "{key} = {value}")
        } else {
            writeln!(out, "{line}")
        };
        written.map_err(|error| missing(section, key, &error.to_string()))?;
    }
    if found {
        Ok(out)
    } else {
        Err(missing(section, key, "expected it to be there"))
    }
}

pub(crate) fn missing(section: &str, key: &str, reason: &str) -> Error {
    Error::Malformed {
        path: "config/cometbft.toml".into(),
        reason: format!("[{section}] {key}: {reason}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config() -> NodeConfig {
        NodeConfig {
            moniker: "replica2".into(),
            proxy_app: "unix:///a \"b\"/app.sock".into(),
            signer: "unix:///signer.sock".into(),
            rpc: "127.0.0.1:20000".into(),
            p2p: "0.0.0.0:20001".into(),
            persistent_peers: "aa@127.0.0.1:1,bb@127.0.0.1:2".into(),
            profile: Profile {
                timeout_propose: 7,
                ..Profile::REGIONS
            },
            peer_ids: "aa,bb".into(),
            heartbeat_ms: 500,
            max_tx_bytes: 7,
            filter_peers: true,
            json_log: false,
            one_machine: false,
        }
    }

    #[test]
    fn each_value_lands_in_its_section_and_the_rest_stays() {
        let text = render(&config()).unwrap();
        let parsed: toml::Table = text.parse().unwrap();
        assert_eq!(
            parsed["proxy_app"].as_str(),
            Some("unix:///a \"b\"/app.sock")
        );
        assert_eq!(
            parsed["priv_validator_laddr"].as_str(),
            Some("unix:///signer.sock")
        );
        assert_eq!(
            parsed["rpc"]["laddr"].as_str(),
            Some("tcp://127.0.0.1:20000")
        );
        assert_eq!(parsed["p2p"]["laddr"].as_str(), Some("tcp://0.0.0.0:20001"));
        assert_eq!(
            parsed["p2p"]["persistent_peers"].as_str(),
            Some("aa@127.0.0.1:1,bb@127.0.0.1:2")
        );
        assert_eq!(
            parsed["p2p"]["unconditional_peer_ids"].as_str(),
            Some("aa,bb")
        );
        assert_eq!(parsed["mempool"]["max_tx_bytes"].as_integer(), Some(7));
        let consensus = parsed["consensus"].as_table().unwrap();
        assert_eq!(
            consensus["create_empty_blocks_interval"].as_str(),
            Some("500ms")
        );
        assert_eq!(consensus["timeout_propose"].as_str(), Some("7ms"));
        assert_eq!(consensus["create_empty_blocks"].as_bool(), Some(false));
        assert_eq!(consensus["timeout_commit"].as_str(), Some("0s"));
        assert_eq!(
            parsed["p2p"]["flush_throttle_timeout"].as_str(),
            Some("1ms")
        );
        assert_eq!(parsed["filter_peers"].as_bool(), Some(true));
        assert_eq!(parsed["p2p"]["allow_duplicate_ip"].as_bool(), Some(false));
        assert_eq!(parsed["tx_index"]["indexer"].as_str(), Some("null"));
    }

    #[test]
    fn replicas_on_one_machine_have_its_values() {
        let text = render(&NodeConfig {
            one_machine: true,
            ..config()
        });
        let parsed: toml::Table = text.unwrap().parse().unwrap();
        let gossip = &parsed["consensus"]["peer_gossip_sleep_duration"];
        assert_eq!(gossip.as_str(), Some("2ms"));
        assert_eq!(parsed["p2p"]["allow_duplicate_ip"].as_bool(), Some(true));
        assert_eq!(parsed["p2p"]["send_rate"].as_integer(), Some(512 << 20));
    }

    #[test]
    fn a_key_that_the_defaults_lack_is_an_error_and_not_ignored() {
        assert!(set("a = 1\n[s]\nb = 2\n", "s", "a", "3").is_err());
        assert_eq!(
            set("a = 1\n[s]\na = 2\n", "s", "a", "3").unwrap(),
            "a = 1\n[s]\na = 3\n"
        );
    }
}
