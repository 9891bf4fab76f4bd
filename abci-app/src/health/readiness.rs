//! Whether a replica is ready: whether the board moves there.

use std::time::Duration;

use serde::Serialize;

use super::node::Heard;

/// Heartbeats within which a block has to come.
const HEARTBEATS: u32 = 3;
/// Most blocks that an application and its node may be apart.
const APART_MAX: u64 = 1;

/// Whether a replica is ready, and why not.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Readiness {
    /// Whether it is.
    pub ready: bool,
    /// Why it isn't, in words.
    pub reasons: Vec<String>,
    /// Height of its last block.
    pub height: u64,
    /// Height of its node's last block, when it was asked last.
    pub engine_height: Option<u64>,
    /// Time since its last block, by this machine's clock; without one, since the start.
    pub block_age_ms: u64,
    /// Time after which an idle board makes a block.
    pub heartbeat_ms: Option<u32>,
}

/// Everything that readiness is judged by.
pub struct Facts<'a> {
    /// Whether the replica has halted.
    pub is_halted: bool,
    /// Height of its last block; `None` before the genesis.
    pub height: Option<u64>,
    /// Time after which an idle board makes a block.
    pub heartbeat_ms: Option<u32>,
    /// Time since its last block.
    pub block_age: Duration,
    /// Whether there was one since the start.
    pub has_stored: bool,
    /// The last account of its node, unless it is too old.
    pub node: Result<&'a Heard, String>,
}

impl Readiness {
    /// Judges the facts.
    #[must_use]
    pub fn of(facts: &Facts<'_>) -> Self {
        let mut reasons = Vec::new();
        if facts.is_halted {
            reasons.push("the replica has halted: its log says why".into());
        }
        reasons.extend(facts.no_blocks());
        reasons.extend(facts.node_amiss());
        Self {
            ready: reasons.is_empty(),
            reasons,
            height: facts.height.unwrap_or(0),
            engine_height: facts.node.as_ref().ok().map(|node| node.status.height),
            block_age_ms: u64::try_from(facts.block_age.as_millis()).unwrap_or(u64::MAX),
            heartbeat_ms: facts.heartbeat_ms,
        }
    }
}

impl Facts<'_> {
    fn no_blocks(&self) -> Option<String> {
        let Some(heartbeat_ms) = self.heartbeat_ms else {
            return Some("its node hasn't brought the genesis yet".into());
        };
        let most = Duration::from_millis(heartbeat_ms.into()) * HEARTBEATS;
        let age = self.block_age.as_secs_f64();
        let since = match self.has_stored {
            true if self.block_age <= most => return None,
            true => "the last one",
            false => "the start",
        };
        Some(format!(
            "no block for {age:.1} s, since {since}; expected one within {:.1} s, three heartbeats",
            most.as_secs_f64()
        ))
    }

    fn node_amiss(&self) -> Option<String> {
        let node = match &self.node {
            Ok(node) => node,
            Err(reason) => return Some(reason.clone()),
        };
        let engine = node.status.height;
        if node.blocks_apart() > APART_MAX {
            return Some(format!(
                "its node is at height {engine}, the application was at {}; expected one height",
                node.height_after
            ));
        }
        let behind = "its node is still fetching blocks that the others have";
        node.status.is_catching_up.then(|| behind.into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::Status;

    fn heard(height: u64, before: u64, after: u64) -> Heard {
        Heard {
            status: Status {
                height,
                earliest: 1,
                is_catching_up: false,
                validator: [0; 20],
                version: String::new(),
            },
            height_before: before,
            height_after: after,
        }
    }

    fn facts(node: &Heard) -> Facts<'_> {
        Facts {
            is_halted: false,
            height: Some(7),
            heartbeat_ms: Some(1_000),
            block_age: Duration::from_secs(3),
            has_stored: true,
            node: Ok(node),
        }
    }

    fn reasons(facts: &Facts<'_>) -> Vec<String> {
        let readiness = Readiness::of(facts);
        assert_eq!(readiness.ready, readiness.reasons.is_empty());
        readiness.reasons
    }

    #[test]
    fn it_is_ready_up_to_three_heartbeats_after_its_last_block() {
        let node = heard(7, 7, 7);
        assert_eq!(reasons(&facts(&node)), [""; 0]);
        let late = Facts {
            block_age: Duration::from_millis(3_001),
            ..facts(&node)
        };
        assert_eq!(
            reasons(&late),
            ["no block for 3.0 s, since the last one; expected one within 3.0 s, three heartbeats"]
        );
        let fresh = Facts {
            block_age: Duration::ZERO,
            has_stored: false,
            ..facts(&node)
        };
        assert!(reasons(&fresh)[0].contains("since the start"));
        let none = Facts {
            height: None,
            heartbeat_ms: None,
            ..facts(&node)
        };
        assert!(reasons(&none)[0].contains("genesis"));
    }

    #[test]
    fn its_node_may_be_one_block_from_where_it_was_while_the_node_was_asked() {
        for (engine, before, after, is_ready) in [
            (9, 10, 10, true),
            (8, 10, 10, false),
            (11, 10, 10, true),
            (12, 10, 10, false),
            // It moved while it asked.
            (12, 10, 14, true),
            (15, 10, 14, true),
            (16, 10, 14, false),
        ] {
            let node = heard(engine, before, after);
            let found = reasons(&facts(&node));
            assert_eq!(found.is_empty(), is_ready, "{engine} {before} {after}");
        }
    }

    #[test]
    fn a_node_that_fetches_or_does_not_answer_and_a_halt_are_reasons() {
        let mut node = heard(7, 7, 7);
        node.status.is_catching_up = true;
        assert!(reasons(&facts(&node))[0].contains("fetching"));
        let silent = Facts {
            node: Err("its node doesn't answer".into()),
            is_halted: true,
            ..facts(&node)
        };
        assert_eq!(
            reasons(&silent),
            [
                "the replica has halted: its log says why",
                "its node doesn't answer"
            ]
        );
        assert_eq!(Readiness::of(&silent).engine_height, None);
    }
}
