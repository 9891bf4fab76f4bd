//! A node that starts with a snapshot of the running board, after it has verified the board
//!
//! The others are asked with the client library: the header that state sync begins with is one that the genesis' validators, or those
//! that they handed over to, have certified; no single node can name a wrong one. And a validator that has lost what it signed last
//! signs nothing before the board has left every height behind that it may have signed at.

use std::path::Path;

use white_city_client::{Client, Trust};
use white_city_wire::Charter;

use crate::files::write_atomic;
use crate::home::LAST_SIGNED;
use crate::join_file::{self, Join};
use crate::node::{GENESIS_FILE, Node};
use crate::rules::Rules;
use crate::{Error, node_config, running};

/// Blocks between two snapshots of nodes that have the default.
const SNAPSHOT_BLOCKS: u64 = 10_000;
/// Heights beyond the highest verified one up to which nothing is signed. With `f` malicious validators of `3f + 1`: a vote at a height
/// needs that the one before was committed, and so precommitted by `f` honest others, who had committed the one before that; of `2f + 1`
/// others that answer at least one is among those. One more for a node that answers while it stores a block.
const MARGIN: u64 = 3;

/// The state of the board that others prove.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verified {
    /// Height from which the node goes on.
    pub height: u64,
    /// Highest height that anybody proves: this one, or a later one.
    pub highest: u64,
    /// Hash of its header, in upper-case hexadecimal.
    pub hash: String,
    /// The charter in force.
    pub charter: Charter,
    /// Number of the others in it that prove a height.
    pub answered: usize,
    /// Numbers of the rules, in force and asked for.
    pub rules: Rules,
}

/// Asks the other nodes for the board's state and verifies it.
///
/// # Errors
/// [`Error::Unverified`] says what it failed on.
pub async fn verified(node: &Node) -> Result<Verified, Error> {
    let unverified = |reason: String| Error::Unverified(reason);
    let trust = trust(node)?;
    let client = Client::builder(trust)
        .replicas(servers(node))
        .build()
        .map_err(|error| unverified(format!("{error}; are there RPC addresses on the cards?")))?;
    let status = client.status().await;
    let status = status.map_err(|error| unverified(error.to_string()))?;
    let charter = client.charter().await;
    let charter = charter.map_err(|error| unverified(error.to_string()))?;
    let heights = client.heights().await;
    // Cards are easily made: those of the operators of today count, once each.
    let answered = node.others.iter().filter(|card| {
        let said = card.says();
        let mut own = heights.iter().filter(|one| is_at(&one.replica, &said.rpc));
        charter.charter.is_operator(&said.operator) && own.any(|one| one.height.is_ok())
    });
    let answered = answered.count();
    // Of those that are counted one may have been slower than all that the header is of.
    let proven = heights.iter().filter_map(|one| one.height.as_ref().ok());
    let highest = proven.copied().max().unwrap_or(0).max(status.height());
    Ok(Verified {
        highest,
        height: status.height(),
        hash: status.header().hash().to_string().to_ascii_uppercase(),
        answered,
        rules: Rules::of(&charter, charter.board_ms()),
        charter: charter.into_value().charter,
    })
}

/// Whether a replica that the client names is the one at an address.
fn is_at(replica: &str, url: &str) -> bool {
    !url.is_empty() && replica.trim_end_matches('/') == url.trim_end_matches('/')
}

fn trust(node: &Node) -> Result<Trust, Error> {
    let trust = white_city_client::genesis::trust(node.home.join(GENESIS_FILE));
    trust.map_err(|error| Error::Malformed {
        path: node.home.join(GENESIS_FILE),
        reason: error.to_string(),
    })
}

fn servers(node: &Node) -> Vec<String> {
    let rpcs = node.others.iter().map(|card| card.says().rpc.clone());
    rpcs.filter(|url| !url.is_empty()).collect()
}

/// Deletes what a home has of the chain, and has the next start begin with a snapshot; gives where.
///
/// # Errors
/// [`Error::Unverified`] if the board can't be verified, or if the last signatures are lost and too few others answer.
pub async fn join(node: &Node) -> Result<Verified, Error> {
    let verified = verified(node).await?;
    let servers = servers(node);
    if servers.len() < 2 {
        return Err(Error::Unverified(
            "state sync needs the RPC addresses of two other nodes on their cards".into(),
        ));
    }
    let lost = !node.home.join(LAST_SIGNED).exists();
    if lost {
        sign_nothing_below(node, &verified)?;
    }
    let join = Join {
        servers: match has_snapshot(node, &verified) {
            true => servers,
            false => Vec::new(),
        },
        height: verified.height,
        hash: verified.hash.clone(),
        has_blocks: false,
    };
    join_file::begin(&node.home, &join)?;
    Ok(verified)
}

/// Whether the others have made a snapshot by now, if they make them as often as this node: on a younger board they still have all
/// blocks.
#[must_use]
pub fn has_snapshot(node: &Node, verified: &Verified) -> bool {
    let every = match node.settings.snapshot_blocks {
        0 => SNAPSHOT_BLOCKS,
        every => every,
    };
    verified.height > every
}

/// Has a validator, of which nobody knows what it signed last, sign nothing up to where it may have.
fn sign_nothing_below(node: &Node, verified: &Verified) -> Result<(), Error> {
    let others = usize::from(verified.charter.size()).saturating_sub(1);
    let needed = (2 * usize::from(verified.charter.faults()) + 1).min(others);
    if verified.answered < needed {
        return Err(Error::Unverified(format!(
            "what this validator signed last isn't known, and {} of the others proved a height, expected {needed}: it might sign twice",
            verified.answered
        )));
    }
    let height = verified.highest.saturating_add(MARGIN);
    // Rounds begin at 0, and CometBFT signs in later ones: none is later than this.
    let state = format!(
        "{{\n  \"height\": \"{height}\",\n  \"round\": {},\n  \"step\": 3\n}}\n",
        i32::MAX
    );
    write_atomic(&node.home.join(LAST_SIGNED), state.as_bytes())
}

/// Whether the next start is to begin with a snapshot.
#[must_use]
pub fn is_pending(home: &Path) -> bool {
    join_file::path(home).exists()
}

/// Writes into CometBFT's configuration where it begins, if the node is about to join.
///
/// # Errors
/// [`Error::Malformed`], [`Error::Io`].
pub fn prepare(node: &Node) -> Result<(), Error> {
    let Some(join) = join_file::pending(&node.home)? else {
        return Ok(());
    };
    let servers: Vec<&str> = join.servers.iter().map(String::as_str).collect();
    if servers.is_empty() {
        return Ok(());
    }
    node_config::use_snapshot(&node.home, &servers, join.height, &join.hash)
}

/// Forgets that the node was to join, once it has passed the height that it began with.
pub async fn forget(node: &Node) {
    join_file::look(&node.home, &running::own_rpc(node)).await;
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::files::read;
    use crate::node::init;
    use crate::testing::start;
    use white_city_wire::Hash;
    use white_city_wire::charter::Replica;

    fn node(dir: &Path) -> Node {
        let key = white_city_client::LocalKey::from_seed(&[1; 32]).unwrap();
        init(dir, &start("alice"), &key).unwrap();
        Node::open(dir).unwrap()
    }

    fn verified(nodes: u16, answered: usize) -> Verified {
        let state = crate::params::default_app_state().unwrap();
        let replica = |number: u16| Replica {
            validator: Hash([number.to_be_bytes()[1]; 32]),
            operator: Hash([!number.to_be_bytes()[1]; 32]),
        };
        let charter = Charter {
            replicas: (0..nodes).map(replica).collect(),
            ..Charter::clone(&state.charter)
        };
        Verified {
            height: 100,
            highest: 102,
            hash: String::new(),
            charter,
            answered,
            rules: Rules::default(),
        }
    }

    #[test]
    fn what_was_signed_last_is_beyond_all_that_any_counted_node_proves_in_every_round() {
        let dir = tempfile::tempdir().unwrap();
        let node = node(dir.path());
        sign_nothing_below(&node, &verified(4, 3)).unwrap();
        let state = read(&node.home.join(LAST_SIGNED)).unwrap();
        let state: serde_json::Value = serde_json::from_str(&state).unwrap();
        assert_eq!(state["height"], "105");
        assert_eq!(state["round"], i32::MAX);
        assert_eq!(state["step"], 3);
    }

    #[test]
    fn with_too_few_others_a_validator_that_lost_its_state_does_not_join() {
        let dir = tempfile::tempdir().unwrap();
        let node = node(dir.path());
        for (nodes, enough) in [(2, 1), (3, 1), (4, 3), (7, 5), (10, 7)] {
            assert!(sign_nothing_below(&node, &verified(nodes, enough)).is_ok());
            let few = sign_nothing_below(&node, &verified(nodes, enough - 1));
            assert!(matches!(few, Err(Error::Unverified(_))), "{nodes}");
        }
    }

    #[test]
    fn a_board_that_is_too_young_for_snapshots_is_joined_by_its_blocks() {
        let dir = tempfile::tempdir().unwrap();
        let mut node = node(dir.path());
        for (every, expected) in [(99, true), (100, false), (0, false)] {
            node.settings.snapshot_blocks = every;
            assert_eq!(has_snapshot(&node, &verified(4, 3)), expected, "{every}");
        }
    }
}
