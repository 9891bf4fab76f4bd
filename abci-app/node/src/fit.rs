//! Whether a node's own settings fit the board that its genesis describes
//!
//! The engine's file is written by this program at every start, so its intervals and sizes follow the genesis. What is compared here is
//! what can still differ: the operator's choices in `node.toml` and the replica's keys there, and what the operators have agreed on
//! and this program's defaults for the engine weren't made for.

use std::collections::BTreeMap;
use std::net::{IpAddr, ToSocketAddrs as _};
use std::path::Path;

use toml::{Table, Value};
use white_city_wire::Network;

use crate::node::Node;
use crate::{Error, node_config};

/// The replica's commented defaults.
const REPLICA_DEFAULTS: &str = include_str!("../../../config/replica.toml");
/// Heartbeats after which an engine may be said to stand still: on an idle board all heights stand for one of them.
const HEARTBEATS: u64 = 3;
/// What a pending transaction counts beside its bytes.
const PENDING_OVERHEAD: u64 = 4 << 10;

/// What the engine and the replica would be started with, as numbers.
struct Files {
    engine: Table,
    replica: Table,
}

impl Files {
    fn of(node: &Node, network: &Network) -> Result<Self, Error> {
        let read = |text: &str| {
            let table: Result<Table, toml::de::Error> = text.parse();
            table.map_err(|error| Error::Malformed {
                path: "configuration".into(),
                reason: error.to_string(),
            })
        };
        let config = node.engine_config(&network.params, Path::new("app.sock"));
        let mut replica = read(REPLICA_DEFAULTS)?;
        replica.extend(read(
            &node.replica_file(&config.proxy_app, config.profile)?,
        )?);
        Ok(Self {
            engine: read(&node_config::render(&config)?)?,
            replica,
        })
    }

    /// A number of the engine's file, times in milliseconds.
    fn engine(&self, section: &str, key: &str) -> Result<u64, Error> {
        let value = self.engine.get(section).and_then(|table| table.get(key));
        number(value).ok_or_else(|| node_config::missing(section, key, "expected a number"))
    }

    /// A number of the replica's file.
    fn replica(&self, key: &str) -> Result<u64, Error> {
        number(self.replica.get(key)).ok_or_else(|| Error::Malformed {
            path: crate::settings::NODE_FILE.into(),
            reason: format!("[replica_keys] {key}: expected a number, at least 0"),
        })
    }
}

fn number(value: Option<&Value>) -> Option<u64> {
    match value? {
        Value::Integer(number) => u64::try_from(*number).ok(),
        Value::String(text) => {
            let (digits, unit) = text.split_at(text.find(|c: char| !c.is_ascii_digit())?);
            let factor = match unit {
                "ms" => 1,
                "s" => 1_000,
                _ => return None,
            };
            digits.parse::<u64>().ok()?.checked_mul(factor)
        }
        _ => None,
    }
}

/// What of a node doesn't fit its genesis, each with both values and what was expected; none, if it runs as it was meant to.
///
/// # Errors
/// [`Error::Malformed`] for a key of the replica that isn't a number and has to be one; as [`Node::write_configs`].
pub fn misfits(node: &Node, network: &Network) -> Result<Vec<String>, Error> {
    let files = Files::of(node, network)?;
    let mut found = Vec::new();
    times(node, network, &files, &mut found)?;
    pool(network, &files, &mut found)?;
    engines_pool(&files, &mut found)?;
    let settings = &node.settings;
    if settings.keep_blocks > 0 && settings.snapshot_blocks == 0 {
        found.push(format!(
            "keep_blocks = {} with snapshot_blocks = 0: nothing is given up without snapshots; expected snapshot_blocks of at least 1, or \
             keep_blocks = 0",
            settings.keep_blocks
        ));
    }
    Ok(found)
}

/// Times against the heartbeat and against what counts as an outage.
fn times(
    node: &Node,
    network: &Network,
    files: &Files,
    found: &mut Vec<String>,
) -> Result<(), Error> {
    let params = &network.params;
    let heartbeat = u64::from(params.heartbeat_ms);
    let still = node.settings.stands_still_seconds;
    let least = (HEARTBEATS * heartbeat).div_ceil(1_000);
    if still < least {
        found.push(format!(
            "stands_still_seconds = {still} and the genesis' heartbeat_ms = {heartbeat}: an idle board's engine would be restarted; expected \
             at least {HEARTBEATS} heartbeats, {least} s"
        ));
    }
    let ms = |key| files.engine("consensus", key);
    let propose = ms("timeout_propose")?;
    let failed = propose + ms("timeout_prevote")? + ms("timeout_precommit")?;
    let rate = files
        .engine("p2p", "send_rate")?
        .min(files.engine("p2p", "recv_rate")?);
    let largest = u64::from(params.full_block) + u64::from(params.max_tx);
    let sent = (largest * 1_000).div_ceil(rate.max(1));
    let (cap, least) = (u64::from(params.cap_ms), heartbeat + failed + sent);
    if cap < least {
        found.push(format!(
            "profile, whose time-outs are {failed} ms, and a largest block of {largest} bytes, which takes {sent} ms, and the genesis' \
             cap_ms = {cap}: a dead proposer or a full block would count as an outage; expected a cap_ms of at least {least}, heartbeat \
             included, or another profile"
        ));
    }
    let wait = files.replica("proposal_wait_ms")?;
    if wait > propose / 2 {
        found.push(format!(
            "[replica_keys] proposal_wait_ms = {wait} and the profile's timeout_propose of {propose} ms: the others would give up on this \
             node's proposals; expected at most half of it, {}",
            propose / 2
        ));
    }
    Ok(())
}

/// The replica's room for pending transactions, against the largest blocks of the board: a block that could have had more counts against
/// whoever's entry isn't in it.
fn pool(network: &Network, files: &Files, found: &mut Vec<String>) -> Result<(), Error> {
    let params = &network.params;
    let (total, work) = (files.replica("pending_total")?, u64::from(params.max_work));
    if total < work {
        found.push(format!(
            "[replica_keys] pending_total = {total} and the genesis' max_work = {work}: there wouldn't be room for the transactions of one \
             block; expected at least {work}"
        ));
    }
    let key = "pending_bytes_of_strangers";
    let bytes = files.replica(key)?;
    let block = u64::from(params.full_block) + u64::from(params.max_tx);
    let least = block + PENDING_OVERHEAD * work;
    if bytes < least {
        found.push(format!(
            "[replica_keys] {key} = {bytes}, and the genesis' full_block + max_tx = {block} and max_work = {work}: there wouldn't be room for the \
             transactions of one block; expected at least {least}, {PENDING_OVERHEAD} more for each"
        ));
    }
    Ok(())
}

/// The replica's room against the engine's, which refuses everybody when it is full.
fn engines_pool(files: &Files, found: &mut Vec<String>) -> Result<(), Error> {
    let engine = |key| files.engine("mempool", key);
    for (key, limit) in [
        ("pending_total", "size"),
        ("pending_bytes", "max_txs_bytes"),
    ] {
        let (has, most) = (files.replica(key)?, engine(limit)?);
        if has > most {
            found.push(format!(
                "[replica_keys] {key} = {has} and the engine's mempool.{limit} = {most}: the engine would refuse everybody; expected at most \
                 that"
            ));
        }
    }
    let (has, all) = (
        files.replica("verified_cache_bytes")?,
        engine("max_txs_bytes")?,
    );
    if has < 2 * all {
        found.push(format!(
            "[replica_keys] verified_cache_bytes = {has} and the engine's mempool.max_txs_bytes = {all}: signatures would be checked again \
             after each block; expected at least {}",
            2 * all
        ));
    }
    Ok(())
}

/// Other nodes that come from one address, of which the engine takes one connection only unless all are on one machine.
#[must_use]
pub fn crowded(node: &Node) -> Vec<String> {
    if node.settings.one_machine {
        return Vec::new();
    }
    let mut names: BTreeMap<IpAddr, Vec<&str>> = BTreeMap::new();
    for card in &node.others {
        let said = card.says();
        // That a name isn't found is said where it is dialled.
        for address in said.p2p.to_socket_addrs().into_iter().flatten() {
            let here = names.entry(address.ip()).or_default();
            if !here.contains(&said.name.as_str()) {
                here.push(&said.name);
            }
        }
    }
    let several = names.iter().filter(|(_, names)| names.len() > 1);
    several
        .map(|(address, names)| {
            format!(
                "{} come from one address, {address}, and one_machine = false: the engine takes one connection from each; expected an address for \
                 each node",
                names.join(", ")
            )
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use white_city_client::LocalKey;

    use super::*;
    use crate::ceremony;
    use crate::testing::start;

    fn network(from: &[(&str, &str)]) -> Network {
        let mut draft = ceremony::new_draft("fit").unwrap();
        for (was, is) in from {
            assert!(draft.contains(was), "{was}");
            draft = draft.replace(was, is);
        }
        let draft = ceremony::read_draft(&draft).unwrap();
        let cards = (1..=4).map(|number| crate::card::tests::some(number).0);
        let text = ceremony::make(&draft, &cards.collect::<Vec<_>>()).unwrap();
        white_city_client::genesis::from_json(text.as_bytes()).unwrap()
    }

    fn node(dir: &Path, settings: &str) -> Node {
        let key = LocalKey::from_seed(&[1; 32]).unwrap();
        if crate::node::check_empty(dir).is_ok() {
            crate::node::init(dir, &start("alice"), &key).unwrap();
        }
        std::fs::write(dir.join(crate::settings::NODE_FILE), settings).unwrap();
        Node::open(dir).unwrap()
    }

    #[test]
    fn a_new_node_fits_a_new_genesis_at_each_distance() {
        let dir = tempfile::tempdir().unwrap();
        let network = network(&[]);
        for settings in [
            "",
            "profile = \"data-centre\"",
            "one_machine = true",
            "keep_blocks = 0\nsnapshot_blocks = 0",
        ] {
            let node = node(dir.path(), settings);
            assert_eq!(misfits(&node, &network).unwrap(), [] as [&str; 0]);
        }
    }

    /// Each setting at its limit and past it, and what it is compared with.
    #[test]
    fn what_does_not_fit_is_named_with_both_values() {
        let dir = tempfile::tempdir().unwrap();
        let network = network(&[]);
        let key = |line: &str| format!("[replica_keys]\n{line}");
        for (fits, not, named) in [
            (
                "stands_still_seconds = 30".to_owned(),
                "stands_still_seconds = 29".to_owned(),
                ["29", "heartbeat_ms = 10000", "30 s"],
            ),
            (
                "keep_blocks = 5\nsnapshot_blocks = 1".into(),
                "keep_blocks = 5\nsnapshot_blocks = 0".into(),
                ["keep_blocks = 5", "snapshot_blocks = 0", "at least 1"],
            ),
            (
                key("proposal_wait_ms = 175"),
                key("proposal_wait_ms = 176"),
                ["176", "timeout_propose of 350", "175"],
            ),
            (
                key("pending_total = 8192"),
                key("pending_total = 8191"),
                ["8191", "max_work = 8192", "at least 8192"],
            ),
            (
                key("pending_total = 50000"),
                key("pending_total = 50001"),
                ["50001", "mempool.size = 50000", "at most"],
            ),
            (
                key("pending_bytes_of_strangers = 35319808"),
                key("pending_bytes_of_strangers = 35319807"),
                ["35319807", "full_block + max_tx = 1765376", "35319808"],
            ),
            (
                key("pending_bytes = 134217728"),
                key("pending_bytes = 134217729"),
                ["134217729", "mempool.max_txs_bytes = 134217728", "at most"],
            ),
            (
                key("verified_cache_bytes = 268435456"),
                key("verified_cache_bytes = 268435455"),
                ["268435455", "max_txs_bytes = 134217728", "268435456"],
            ),
        ] {
            let found = misfits(&node(dir.path(), &fits), &network).unwrap();
            assert_eq!(found, [] as [&str; 0], "{fits}");
            let found = misfits(&node(dir.path(), &not), &network).unwrap();
            assert_eq!(found.len(), 1, "{not}: {found:?}");
            for part in named {
                assert!(found[0].contains(part), "{part}: {found:?}");
            }
        }
    }

    /// Default time-outs of 490 ms, 1 765 376 bytes at 64 MiB a second, and a heartbeat.
    #[test]
    fn an_outage_is_longer_than_a_dead_proposer_and_a_full_block() {
        let dir = tempfile::tempdir().unwrap();
        let heartbeat = ("heartbeat_ms = 10_000", "heartbeat_ms = 200");
        for (cap, settings, fits) in [
            (717, "", true),
            (716, "", false),
            (716, "profile = \"data-centre\"", true),
            (694, "one_machine = true", true),
            (693, "one_machine = true", false),
        ] {
            let cap = format!("cap_ms = {cap}");
            let network = network(&[heartbeat, ("cap_ms = 60_000", &cap)]);
            let found = misfits(&node(dir.path(), settings), &network).unwrap();
            assert_eq!(found.is_empty(), fits, "{cap} {settings}: {found:?}");
            assert!(found.iter().all(|found| found.contains(&cap)), "{found:?}");
        }
    }

    #[test]
    fn a_genesis_with_larger_blocks_needs_more_room() {
        let dir = tempfile::tempdir().unwrap();
        let network = network(&[("full_block = 1_048_576", "full_block = 60_000_000")]);
        let found = misfits(&node(dir.path(), ""), &network).unwrap();
        assert_eq!(found.len(), 1, "{found:?}");
        assert!(
            found[0].contains("pending_bytes_of_strangers = 75497472"),
            "{found:?}"
        );
        let larger =
            "[replica_keys]\npending_bytes_of_strangers = 100000000\npending_bytes = 100000000";
        assert!(
            misfits(&node(dir.path(), larger), &network)
                .unwrap()
                .is_empty()
        );
    }

    #[test]
    fn two_nodes_at_one_address_are_named_unless_all_are_on_one_machine() {
        let dir = tempfile::tempdir().unwrap();
        let mut node = node(dir.path(), "");
        let at = |number: u8, p2p: &str| {
            let (card, key) = crate::card::tests::some(number);
            let mut said = card.says().clone();
            said.p2p = p2p.into();
            crate::card::Card::sign(said, &key).unwrap()
        };
        node.others = vec![
            at(1, "192.0.2.7:1"),
            at(2, "192.0.2.7:2"),
            at(3, "192.0.2.8:1"),
        ];
        let found = crowded(&node);
        assert_eq!(found.len(), 1, "{found:?}");
        assert!(found[0].contains("node1, node2 come"), "{found:?}");
        node.settings.one_machine = true;
        assert_eq!(crowded(&node), [] as [&str; 0]);
    }

    #[test]
    fn a_key_that_is_no_number_is_named() {
        let dir = tempfile::tempdir().unwrap();
        for wrong in ["\"many\"", "-1", "[1]", "\"5\"", "9.5"] {
            let settings = format!("[replica_keys]\npending_total = {wrong}");
            let refused = misfits(&node(dir.path(), &settings), &network(&[])).unwrap_err();
            assert!(refused.to_string().contains("pending_total"), "{refused}");
        }
    }

    #[test]
    fn times_are_read_with_their_units() {
        let read = |text: &str| number(Some(&Value::from(text)));
        assert_eq!(
            [read("350ms"), read("2s"), read("0s")],
            [Some(350), Some(2_000), Some(0)]
        );
        for wrong in ["", "5", "ms", "1h", "99999999999999999999s", "1m30s"] {
            assert_eq!(read(wrong), None, "{wrong}");
        }
    }
}
