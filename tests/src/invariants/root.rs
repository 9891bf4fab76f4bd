//! `bytes.md`, root: it is the hash of every session's and every opener's leaf, in order, and of nothing else.

use white_city_state_machine::{Session, State};
use white_city_wire::{Hash, board::OpenerLeaf};

use super::{
    Property,
    bytes::{root, sha, tag},
};
use crate::simulator::Observed;

/// Recomputes the root.
#[derive(Default, Clone)]
pub struct Root;

fn session_leaf(session: &Session) -> Hash {
    let leaf = &session.leaf;
    sha(&[
        &[0],
        &tag("white-city/leaf/2"),
        &leaf.session.0,
        &[leaf.status.number()],
        &leaf.open_round.to_be_bytes(),
        &leaf.protocol.to_be_bytes(),
        &leaf.opener.to_be_bytes(),
        &leaf.reserved_bytes.to_be_bytes(),
        &leaf.members.size().to_be_bytes(),
        leaf.members.as_bytes(),
        &leaf.transcript.0,
        &leaf.slots_root.0,
        &leaf.deadline_ms.to_be_bytes(),
        &leaf.call_blocks.to_be_bytes(),
        &leaf.callers,
        &leaf.dispute.0,
        &leaf.terminal.0,
        &leaf.evidence.0,
        &leaf.left.0,
        &[0; 32],
    ])
}

fn opener_leaf(opener: &OpenerLeaf) -> Hash {
    sha(&[
        &[0],
        &tag("white-city/opener/2"),
        opener.key.as_bytes(),
        &[u8::from(opener.listed)],
        &opener.max_live.to_be_bytes(),
        &opener.max_bytes.to_be_bytes(),
        &opener.live.to_be_bytes(),
        &opener.live_bytes.to_be_bytes(),
        &[0; 32],
    ])
}

fn proposals(state: &State) -> Hash {
    let words = state.proposals();
    if words.is_empty() {
        return Hash::ZERO;
    }
    let count = u16::try_from(words.len()).unwrap_or(u16::MAX);
    let mut bytes = tag("white-city/proposals/2");
    bytes.extend(count.to_be_bytes());
    for word in words {
        bytes.extend(word.operator.to_be_bytes());
        bytes.extend(word.sequence.to_be_bytes());
        bytes.extend(word.board_ms.to_be_bytes());
        bytes.extend(word.charter_hash.0);
    }
    sha(&[&bytes])
}

impl Property for Root {
    const NAME: &'static str = "root";

    fn check(&mut self, seen: &Observed) -> Result<(), String> {
        let state = &seen.executed.after;
        let term = state.term();
        let sessions: Vec<Hash> = state.sessions().iter().map(|s| session_leaf(s)).collect();
        let openers: Vec<Hash> = state.openers().iter().map(|o| opener_leaf(o)).collect();
        let expected = sha(&[
            &tag("white-city/root/2"),
            &state.network().id.0,
            // The number in force before the block: that of the next is in its charter only.
            &seen.executed.before.charter().protocol.to_be_bytes(),
            &state.params().hash().0,
            &term.charter.term.to_be_bytes(),
            &term.charter.hash().0,
            &term.height.to_be_bytes(),
            &term.eras.to_be_bytes(),
            &term.era_height.to_be_bytes(),
            &term.proven,
            &proposals(state).0,
            &state.sessions().len().to_be_bytes(),
            &root(&sessions, 32).0,
            &state.openers().len().to_be_bytes(),
            &root(&openers, 32).0,
            &state.paused_ms().to_be_bytes(),
            &[0; 32],
        ]);
        ensure!(
            seen.root == expected,
            "the root is {}, not {expected}",
            seen.root
        );
        Ok(())
    }
}
