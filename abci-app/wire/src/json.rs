//! JSON for programs: the answers under a replica's `/json`, and what the command line prints with `--json`.
//!
//! The same thing has the same name in both, and one name means one thing: `docs/json.md` lists them, and `tests/golden/shown.jsonl`
//! holds them fast. Nothing here is signed, hashed or proven. Parties are named by index, in lists of them without exception.

use alloc::{string::String, vec::Vec};

use serde::{Deserialize, Serialize};

use crate::{
    board::{self, Cause, Offence, SessionLeaf, Status},
    hash::{Hash, NetworkId, SessionId},
    keys::IdentityKey,
    tx::Open,
};

/// A session's line in a list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SessionLine {
    /// Its id.
    pub session: SessionId,
    /// Its number.
    pub number: u64,
    /// Its status.
    pub status: Status,
    /// Name of its protocol; empty once it is erased.
    pub protocol: String,
}

/// State of a session. What erasure takes away is `None` after it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Session {
    /// Its id.
    pub session: SessionId,
    /// Its number.
    pub number: u32,
    /// Its status.
    pub status: Status,
    /// The open round, 0 is joining; after the end, the round that was open.
    pub open_round: u32,
    /// The last closed round's transcript.
    pub transcript: Hash,
    /// Until when, board time; 0 while the clock hasn't started.
    pub deadline_ms: u64,
    /// Time left until then; `None` where nothing is waited for.
    pub remaining_ms: Option<u64>,
    /// Blocks since last call began, 0 for none.
    pub call_blocks: u32,
    /// Members of the open round.
    pub members: Option<Vec<u16>>,
    /// Members that have filled their slot of it.
    pub filled: Option<Vec<u16>>,
    /// Members that it waits for.
    pub waiting_for: Option<Vec<u16>>,
    /// Parties that left by name, in the order of leaving.
    pub left: Option<Vec<u16>>,
    /// Against whom there is signed evidence.
    pub culprits: Option<Vec<u16>>,
    /// Culprits, each with its offence.
    pub offences: Option<Vec<Culprit>>,
    /// The complaint, with who complains about whom.
    pub dispute: Option<Dispute>,
    /// The terminal record.
    pub end: Option<Terminal>,
}

impl Session {
    /// The part of a session that its leaf and its end tell, which are left after erasure.
    #[must_use]
    pub fn of_leaf(number: u32, leaf: &SessionLeaf, terminal: Option<&board::Terminal>) -> Self {
        Self {
            session: leaf.session,
            number,
            status: leaf.status,
            open_round: leaf.open_round,
            transcript: leaf.transcript,
            deadline_ms: leaf.deadline_ms,
            remaining_ms: None,
            call_blocks: leaf.call_blocks,
            members: None,
            filled: None,
            waiting_for: None,
            left: None,
            culprits: None,
            offences: None,
            dispute: None,
            end: terminal.map(Into::into),
        }
    }
}

/// A culprit, and what it did.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Culprit {
    /// Its index.
    pub index: u16,
    /// Its offence.
    pub offence: Offence,
    /// In which round.
    pub round: u32,
    /// The smaller digest of the two entries, or the complaint's.
    pub a: Hash,
    /// The larger digest, or the reveal's.
    pub b: Hash,
}

/// A complaint. What isn't known, or hasn't come, is left out.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Dispute {
    /// The party that complains.
    pub by: u16,
    /// About whose payload.
    pub accused: u16,
    /// Sent in which round.
    pub round: u32,
    /// The complaint's digest.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub complaint: Option<Hash>,
    /// The answer's digest.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reveal: Option<Hash>,
    /// The party that the answer convicts.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub culprit: Option<u16>,
}

/// End of a session.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Terminal {
    /// Whether it finished or aborted.
    pub status: Status,
    /// Why.
    pub cause: Cause,
    /// Height of the block that ended it.
    pub height: u64,
    /// Board time of that block.
    pub board_ms: u64,
    /// The party that caused the end, if one did.
    pub by: Option<u16>,
    /// The outcome; `None` without one.
    pub outcome: Option<Hash>,
    /// Members of the open round.
    pub members: Vec<u16>,
    /// Members that had filled their slot of it.
    pub filled: Vec<u16>,
}

/// Terms of a session.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Spec {
    /// Name of the protocol.
    pub protocol: String,
    /// Its version.
    pub version: u32,
    /// Kind of the encryption keys that the parties bring.
    pub kem: u8,
    /// Board time until which it could be opened; its payloads stay until then at least.
    pub open_by_ms: u64,
    /// Identity key of the opener.
    pub opener: Hash,
    /// Identity keys in the order of the indices.
    pub roster: Vec<Hash>,
    /// Number of entries that close a round.
    pub quorum: u16,
    /// Number of parties that may be corrupt.
    pub corrupt: u16,
    /// Whether no two groups of honest parties can end differently, whatever the replicas do.
    pub fork_safe: bool,
    /// The last round in which posts may win.
    pub max_rounds: u32,
    /// Time for joining.
    pub join_ms: u64,
    /// Time for each round.
    pub round_ms: u64,
    /// Time for the answer to a complaint.
    pub reveal_ms: u64,
    /// Time for which payloads stay after the end.
    pub retention_ms: u64,
    /// Largest broadcast, bytes.
    pub max_bcast: u32,
    /// Largest sealed payload for one recipient, bytes.
    pub max_p2p: u32,
    /// Most that all entries together may weigh, bytes.
    pub max_bytes: u64,
    /// Data to compute with, in hex.
    pub input: String,
    /// The same as text, where it is text without control characters.
    pub input_text: Option<String>,
    /// The session that this one continues, if it does.
    pub prev_session: Option<SessionId>,
    /// The spec's hash, of which the session's id is made.
    pub spec_hash: Hash,
}

/// Contents of a round's slots, in the order of the indices.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Round {
    /// The round.
    pub round: u32,
    /// Whether it has closed.
    pub closed: bool,
    /// Its slots.
    pub slots: Vec<Slot>,
}

/// One slot.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Slot {
    /// Kind of its content.
    pub kind: SlotKind,
    /// Digest of that.
    pub digest: Option<Hash>,
}

/// Kind of content of a slot.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SlotKind {
    /// Nothing.
    Empty,
    /// A join.
    Join,
    /// A post.
    Post,
    /// A finish.
    Finish,
}

/// A page of the list of sessions.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sessions {
    /// Their lines.
    pub sessions: Vec<SessionLine>,
    /// Number at which the next page begins, if there is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next_number: Option<u64>,
}

/// An opener, with its quota and what it uses.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Opener {
    /// Its identity key.
    pub key: Hash,
    /// Whether the charter lists it.
    pub listed: bool,
    /// Most live sessions at once.
    pub max_live: u32,
    /// Most reserved bytes at once.
    pub max_bytes: u64,
    /// Live sessions.
    pub live: u32,
    /// Reserved bytes.
    pub live_bytes: u64,
}

/// A page of the list of openers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Openers {
    /// Their lines.
    pub openers: Vec<Opener>,
    /// Index at which the next page begins, if there is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next: Option<u32>,
}

/// A network and its board.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Board<P, C> {
    /// Its id.
    pub network: NetworkId,
    /// The name of its chain.
    pub chain_id: String,
    /// The parameters of its genesis.
    pub params: P,
    /// The charter in force for the next block.
    pub charter: C,
    /// Number of sessions that were opened.
    pub session_count: u64,
    /// Number of openers.
    pub opener_count: u64,
    /// Time for which the board was down.
    pub paused_ms: u64,
    /// The root of the state.
    pub root: Hash,
}

/// A replica's program, by its own word.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Program {
    /// Its version.
    pub version: String,
    /// Oldest number of the rules that it knows.
    pub oldest_protocol: u32,
    /// Newest number of them.
    pub newest_protocol: u32,
}

/// An answer under `/json`, with the state that it is from.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Answer<A> {
    /// Height of its last block.
    pub height: u64,
    /// The board's time.
    pub board_ms: u64,
    /// The answer to the question.
    pub answer: A,
}

impl From<&board::Culprit> for Culprit {
    fn from(culprit: &board::Culprit) -> Self {
        Self {
            index: culprit.index,
            offence: culprit.offence,
            round: culprit.round,
            a: culprit.a,
            b: culprit.b,
        }
    }
}

impl From<&board::Terminal> for Terminal {
    fn from(terminal: &board::Terminal) -> Self {
        Self {
            status: terminal.status,
            cause: terminal.cause,
            height: terminal.height,
            board_ms: terminal.board_ms,
            by: terminal.by(),
            outcome: (terminal.status == Status::Finished).then_some(terminal.outcome),
            members: terminal.members.iter().collect(),
            filled: terminal.filled.iter().collect(),
        }
    }
}

impl From<&Open> for Spec {
    fn from(open: &Open) -> Self {
        let spec = &open.spec;
        let prev_session = spec.prev_session;
        Self {
            protocol: spec.protocol.clone(),
            version: spec.version,
            kem: spec.kem.number(),
            open_by_ms: open.open_by_ms,
            opener: key(&open.opener),
            roster: spec.roster.iter().map(key).collect(),
            quorum: spec.quorum,
            corrupt: spec.corrupt,
            fork_safe: spec.is_fork_safe(),
            max_rounds: spec.max_rounds,
            join_ms: spec.join_ms,
            round_ms: spec.round_ms,
            reveal_ms: spec.reveal_ms,
            retention_ms: spec.retention_ms,
            max_bcast: spec.max_bcast,
            max_p2p: spec.max_p2p,
            max_bytes: spec.max_bytes,
            input: hex::encode(&spec.input),
            input_text: text(&spec.input),
            prev_session: (prev_session != SessionId::ZERO).then_some(prev_session),
            spec_hash: spec.hash(),
        }
    }
}

/// Time left until a deadline, where the session's clock runs towards one.
#[must_use]
pub fn remaining_ms(status: Status, deadline_ms: u64, board_ms: u64) -> Option<u64> {
    (status.is_live() && deadline_ms > 0).then(|| deadline_ms.saturating_sub(board_ms))
}

/// Bytes as text, where they are text without control characters.
fn text(bytes: &[u8]) -> Option<String> {
    let text = core::str::from_utf8(bytes).ok()?;
    (!text.chars().any(char::is_control)).then(|| text.into())
}

/// An identity key, which is shown as every value of its size.
fn key(key: &IdentityKey) -> Hash {
    Hash(*key.as_bytes())
}
