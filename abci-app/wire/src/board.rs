//! The board's commitments: slots, transcript, a session's leaf with everything that it hashes, and the root.

use alloc::vec::Vec;

use serde::{Deserialize, Serialize};

use crate::{
    bitmap::Bitmap,
    hash::{Hash, NetworkId, Preimage, SessionId},
    keys::IdentityKey,
    limits::NOBODY,
    tree::filled_slot_root,
};

/// Stage of a session's life. The numbers are hashed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// Round 0: parties join.
    Joining,
    /// Rounds run.
    Running,
    /// A complaint waits for its answer.
    Dispute,
    /// A quorum has finished with one outcome.
    Finished,
    /// Ended without an outcome.
    Aborted,
    /// Ended, and its retention is over: payloads, headers and spec are gone.
    Erased,
}

impl Status {
    /// The number that is hashed.
    #[must_use]
    pub const fn number(self) -> u8 {
        match self {
            Self::Joining => 1,
            Self::Running => 2,
            Self::Dispute => 3,
            Self::Finished => 4,
            Self::Aborted => 5,
            Self::Erased => 6,
        }
    }

    /// The status with this number.
    #[must_use]
    pub const fn from_number(number: u32) -> Option<Self> {
        Some(match number {
            1 => Self::Joining,
            2 => Self::Running,
            3 => Self::Dispute,
            4 => Self::Finished,
            5 => Self::Aborted,
            6 => Self::Erased,
            _ => return None,
        })
    }

    /// The name for people and their programs.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Joining => "joining",
            Self::Running => "running",
            Self::Dispute => "dispute",
            Self::Finished => "finished",
            Self::Aborted => "aborted",
            Self::Erased => "erased",
        }
    }

    /// Whether the session still lives.
    #[must_use]
    pub const fn is_live(self) -> bool {
        matches!(self, Self::Joining | Self::Running | Self::Dispute)
    }
}

/// Why a session ended. The numbers are hashed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Cause {
    /// It finished.
    None,
    /// Too few filled their slots in time.
    TooFew,
    /// Enough filled their slots, but no group has a quorum.
    Disagreement,
    /// So many left that the quorum can't be reached.
    Left,
    /// Posts won the last round.
    OutOfRounds,
    /// A p2p payload was proven bad.
    BadPayload,
    /// A complaint was proven false.
    FalseComplaint,
    /// A complaint wasn't answered.
    NoReveal,
}

impl Cause {
    /// The number that is hashed.
    #[must_use]
    pub const fn number(self) -> u16 {
        match self {
            Self::None => 0,
            Self::TooFew => 1,
            Self::Disagreement => 2,
            Self::Left => 3,
            Self::OutOfRounds => 4,
            Self::BadPayload => 5,
            Self::FalseComplaint => 6,
            Self::NoReveal => 7,
        }
    }

    /// The cause with this number.
    #[must_use]
    pub const fn from_number(number: u32) -> Option<Self> {
        Some(match number {
            0 => Self::None,
            1 => Self::TooFew,
            2 => Self::Disagreement,
            3 => Self::Left,
            4 => Self::OutOfRounds,
            5 => Self::BadPayload,
            6 => Self::FalseComplaint,
            7 => Self::NoReveal,
            _ => return None,
        })
    }
}

/// Leaf of a filled slot; zeros for an empty one.
#[must_use]
pub fn slot_leaf(digest: Option<&Hash>) -> Hash {
    digest.map_or(Hash::ZERO, |digest| {
        Preimage::leaf("white-city/slot/1").hash(digest).finish()
    })
}

/// The transcript after the joins.
#[must_use]
pub fn transcript_start(session: &SessionId, joins_root: &Hash) -> Hash {
    Preimage::new("white-city/tr/1")
        .raw(&session.0)
        .u32(0)
        .hash(joins_root)
        .finish()
}

/// The transcript after `round`, at least 1.
#[must_use]
pub fn transcript_next(before: &Hash, round: u32, round_root: &Hash) -> Hash {
    Preimage::new("white-city/tr/1")
        .hash(before)
        .u32(round)
        .hash(round_root)
        .finish()
}

/// The transcript with a round that follows `before`, which is the session id before round 0.
#[must_use]
pub fn transcript_after(before: &Hash, round: u32, round_root: &Hash) -> Hash {
    match round {
        0 => transcript_start(&SessionId(before.0), round_root),
        _ => transcript_next(before, round, round_root),
    }
}

/// The one record of a session's end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Terminal {
    /// [`Status::Finished`] or [`Status::Aborted`].
    pub status: Status,
    /// Why.
    pub cause: Cause,
    /// Height of the block that ended it.
    pub height: u64,
    /// Board time of that block.
    pub board_ms: u64,
    /// Index of the party that caused the end, or [`NOBODY`].
    pub by: u16,
    /// The outcome, zeros if aborted.
    pub outcome: Hash,
    /// The members of the open round.
    pub members: Bitmap,
    /// The open round's filled slots.
    pub filled: Bitmap,
}

impl Terminal {
    /// The hash in the session's leaf.
    #[must_use]
    pub fn hash(&self) -> Hash {
        Preimage::new("white-city/terminal/1")
            .u8(self.status.number())
            .u16(self.cause.number())
            .u64(self.height)
            .u64(self.board_ms)
            .u16(self.by)
            .hash(&self.outcome)
            .u16(self.members.size())
            .raw(self.members.as_bytes())
            .raw(self.filled.as_bytes())
            .finish()
    }

    /// Whether the open round was waited for to its end, so that who had written nothing was late. Where somebody left, complained
    /// or didn't answer, the others' time wasn't over; and a round may have ended as it opened.
    #[must_use]
    pub const fn was_waited_for(&self) -> bool {
        match self.cause {
            Cause::None | Cause::TooFew | Cause::Disagreement | Cause::OutOfRounds => true,
            Cause::Left | Cause::BadPayload | Cause::FalseComplaint | Cause::NoReveal => false,
        }
    }

    /// The party that caused the end, if one did.
    #[must_use]
    pub fn by(&self) -> Option<u16> {
        (self.by != NOBODY).then_some(self.by)
    }
}

/// Deed that convicted a culprit. The numbers are hashed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Offence {
    /// Two signed entries of one slot.
    Equivocation,
    /// A p2p payload that isn't what its sender revealed.
    BadPayload,
    /// A complaint about a payload that opens.
    FalseComplaint,
}

impl Offence {
    /// The number that is hashed.
    #[must_use]
    pub const fn number(self) -> u8 {
        match self {
            Self::Equivocation => 1,
            Self::BadPayload => 2,
            Self::FalseComplaint => 3,
        }
    }

    /// The offence with this number.
    #[must_use]
    pub const fn from_number(number: u32) -> Option<Self> {
        Some(match number {
            1 => Self::Equivocation,
            2 => Self::BadPayload,
            3 => Self::FalseComplaint,
            _ => return None,
        })
    }
}

/// A party with signed evidence against it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Culprit {
    /// Its index.
    pub index: u16,
    /// Its deed.
    pub offence: Offence,
    /// In which round.
    pub round: u32,
    /// The smaller digest, or the complaint's.
    pub a: Hash,
    /// The larger digest, or the reveal's.
    pub b: Hash,
}

/// Hash of the culprits, ascending by index; zeros without any.
#[must_use]
pub fn evidence_hash(culprits: &[Culprit]) -> Hash {
    if culprits.is_empty() {
        return Hash::ZERO;
    }
    let count = u16::try_from(culprits.len()).unwrap_or(u16::MAX);
    culprits
        .iter()
        .fold(
            Preimage::new("white-city/evidence/1").u16(count),
            |so_far, culprit| {
                so_far
                    .u16(culprit.index)
                    .u8(culprit.offence.number())
                    .u32(culprit.round)
                    .hash(&culprit.a)
                    .hash(&culprit.b)
            },
        )
        .finish()
}

/// Hash of those who left, in the order of leaving, each with the digest of its decline or abort; zeros if nobody.
#[must_use]
pub fn left_hash(left: &[(u16, Hash)]) -> Hash {
    if left.is_empty() {
        return Hash::ZERO;
    }
    let count = u16::try_from(left.len()).unwrap_or(u16::MAX);
    left.iter()
        .fold(
            Preimage::new("white-city/left/1").u16(count),
            |so_far, (index, digest)| so_far.u16(*index).hash(digest),
        )
        .finish()
}

/// Everything that a session's leaf hashes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SessionLeaf {
    /// The session's id.
    pub session: SessionId,
    /// Stage of the session's life.
    pub status: Status,
    /// The open round; after the end, the round that was open.
    pub open_round: u32,
    /// Version of the rules that it was opened under, whose layouts it keeps.
    pub protocol: u32,
    /// Number of its opener.
    pub opener: u32,
    /// Bytes of its opener's quota that it reserves until erasure: until its end for whatever its spec allows, then for what is there.
    pub reserved_bytes: u64,
    /// The parties that may fill the open round's slots; its size is the roster's.
    pub members: Bitmap,
    /// The last closed round's transcript; the session id while joining.
    pub transcript: Hash,
    /// Root over the open round's slots.
    pub slots_root: Hash,
    /// Board time; 0 while the clock hasn't started; after the end, when payloads are erased.
    pub deadline_ms: u64,
    /// Blocks since last call began, 0 for none.
    pub call_blocks: u32,
    /// Validators that counted in last call, by position in the sorted set.
    pub callers: [u8; 32],
    /// Digest of the complaint, zeros without one.
    pub dispute: Hash,
    /// Hash of the terminal record, zeros while live.
    pub terminal: Hash,
    /// Hash of the culprits.
    pub evidence: Hash,
    /// Hash of those who left.
    pub left: Hash,
}

impl SessionLeaf {
    /// The leaf.
    #[must_use]
    pub fn hash(&self) -> Hash {
        Preimage::leaf("white-city/leaf/2")
            .raw(&self.session.0)
            .u8(self.status.number())
            .u32(self.open_round)
            .u32(self.protocol)
            .u32(self.opener)
            .u64(self.reserved_bytes)
            .u16(self.members.size())
            .raw(self.members.as_bytes())
            .hash(&self.transcript)
            .hash(&self.slots_root)
            .u64(self.deadline_ms)
            .u32(self.call_blocks)
            .raw(&self.callers)
            .hash(&self.dispute)
            .hash(&self.terminal)
            .hash(&self.evidence)
            .hash(&self.left)
            .hash(&Hash::ZERO)
            .finish()
    }
}

/// An opener's quota and what it uses.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OpenerLeaf {
    /// Its identity.
    pub key: IdentityKey,
    /// Whether the charter in force lists it. The quota of all others is the charter's, and 0 here.
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

impl OpenerLeaf {
    /// An opener that no charter lists and that has nothing open yet.
    #[must_use]
    pub const fn unlisted(key: IdentityKey) -> Self {
        Self {
            key,
            listed: false,
            max_live: 0,
            max_bytes: 0,
            live: 0,
            live_bytes: 0,
        }
    }

    /// The leaf.
    #[must_use]
    pub fn hash(&self) -> Hash {
        Preimage::leaf("white-city/opener/2")
            .raw(self.key.as_bytes())
            .u8(u8::from(self.listed))
            .u32(self.max_live)
            .u64(self.max_bytes)
            .u32(self.live)
            .u64(self.live_bytes)
            .hash(&Hash::ZERO)
            .finish()
    }
}

/// The values that the root hashes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BoardRoot {
    /// The network.
    pub network: NetworkId,
    /// Version of the rules that the block was executed by.
    pub protocol: u32,
    /// Hash of the genesis parameters.
    pub params_hash: Hash,
    /// Term of the charter in force for the next block; likewise what follows.
    pub term: u32,
    /// Hash of that charter.
    pub charter_hash: Hash,
    /// Height of the block that enacted it; 0 in term 0.
    pub term_height: u64,
    /// Changes of the set of validators up to and including this block.
    pub eras: u32,
    /// Height of the block that made the last one; 0 without any.
    pub era_height: u64,
    /// Replicas whose validators have been seen to vote: a bitmap by position.
    pub proven: [u8; 32],
    /// Hash of the operators' approvals that stand.
    pub proposals_hash: Hash,
    /// Number of sessions that were opened.
    pub sessions: u64,
    /// Root over their leaves.
    pub sessions_root: Hash,
    /// Number of openers.
    pub openers: u64,
    /// Root over their leaves.
    pub openers_root: Hash,
    /// Time that the board was down, ms.
    pub paused_ms: u64,
}

impl BoardRoot {
    /// The root, which is the app hash and what the seal carries.
    #[must_use]
    pub fn hash(&self) -> Hash {
        Preimage::new("white-city/root/2")
            .raw(&self.network.0)
            .u32(self.protocol)
            .hash(&self.params_hash)
            .u32(self.term)
            .hash(&self.charter_hash)
            .u64(self.term_height)
            .u32(self.eras)
            .u64(self.era_height)
            .raw(&self.proven)
            .hash(&self.proposals_hash)
            .u64(self.sessions)
            .hash(&self.sessions_root)
            .u64(self.openers)
            .hash(&self.openers_root)
            .u64(self.paused_ms)
            .hash(&Hash::ZERO)
            .finish()
    }
}

/// Root over a round's slots, from the digests of its entries.
#[must_use]
pub fn slots_root(digests: impl IntoIterator<Item = Option<Hash>>) -> Hash {
    let mut parties = 0_u16;
    let mut filled = Vec::new();
    for digest in digests {
        if digest.is_some() {
            filled.push((parties, slot_leaf(digest.as_ref())));
        }
        parties = parties.saturating_add(1);
    }
    filled_slot_root(parties, filled)
}
