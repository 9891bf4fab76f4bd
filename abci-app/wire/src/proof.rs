//! Proofs that lead from a block's header to one value of the state, and their check.
//!
//! A header commits to its block's seal by `data_hash`, the seal to the root of the state after the block, the root to
//! every session's leaf, and the leaf to its rounds by the transcript. Everything here is arithmetic over claimed values:
//! a proof is worth what the header is worth that it leads to.

use alloc::vec::Vec;

use crate::{
    bitmap::Bitmap,
    board::{BoardRoot, OpenerLeaf, SessionLeaf, Status, transcript_after},
    genesis::Network,
    hash::{Hash, SessionId},
    limits::ROSTER_PARTIES_MAX,
    pb,
    protocol::Known,
    read::{join_hashes, split_hashes},
    refusal::Refusal,
    seal::{BlockTime, Seal},
    tree::{append_root_from_path, full_path, root_above_first},
};

/// Most siblings between a seal and `data_hash`: more than any block has transactions.
const DATA_PATH_MAX: usize = 32;

/// From a header to the root of the state after its block.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StateProof {
    /// The values that the root hashes.
    pub board: BoardRoot,
    /// Hash of the block before; zeros in the first block.
    pub parent_hash: Hash,
    /// Header time of the block before.
    pub parent_time: BlockTime,
    /// From the seal up to `data_hash`.
    pub data_path: Vec<Hash>,
}

impl StateProof {
    /// Reads a proof of this network, by rules that the program knows.
    ///
    /// # Errors
    /// [`Refusal::Field`].
    pub fn from_pb(
        proof: &pb::StateProof,
        network: &Network,
        known: Known,
    ) -> Result<Self, Refusal> {
        if !known.has(proof.protocol) {
            return Err(bad("protocol", "a number that this program knows"));
        }
        let data_path = hashes("data_path", &proof.data_path)?;
        if data_path.len() > DATA_PATH_MAX {
            return Err(bad("data_path", "at most 32 siblings"));
        }
        Ok(Self {
            board: BoardRoot {
                network: network.id,
                protocol: proof.protocol,
                params_hash: network.params_hash,
                term: proof.term,
                charter_hash: hash("charter_hash", &proof.charter_hash)?,
                term_height: proof.term_height,
                eras: proof.eras,
                era_height: proof.era_height,
                proven: hash("proven", &proof.proven)?.0,
                proposals_hash: hash("proposals_hash", &proof.proposals_hash)?,
                sessions: proof.sessions,
                sessions_root: hash("sessions_root", &proof.sessions_root)?,
                openers: proof.openers,
                openers_root: hash("openers_root", &proof.openers_root)?,
                paused_ms: proof.paused_ms,
            },
            parent_hash: hash("parent_hash", &proof.parent_hash)?,
            parent_time: BlockTime {
                seconds: proof.parent_seconds,
                nanos: proof.parent_nanos,
            },
            data_path,
        })
    }

    /// The seal that it states.
    #[must_use]
    pub fn seal(&self) -> Seal {
        Seal {
            root: self.board.hash(),
            parent_hash: self.parent_hash,
            parent_time: self.parent_time,
        }
    }

    /// The `data_hash` of the header that it leads to.
    #[must_use]
    pub fn data_hash(&self) -> Hash {
        root_above_first(self.seal().data_leaf(), &self.data_path)
    }

    /// Board time of the block with this header time, ms.
    #[must_use]
    pub fn board_ms(&self, time: &BlockTime) -> u64 {
        time.millis().saturating_sub(self.board.paused_ms)
    }
}

impl From<&StateProof> for pb::StateProof {
    fn from(proof: &StateProof) -> Self {
        Self {
            sessions: proof.board.sessions,
            sessions_root: proof.board.sessions_root.0.to_vec(),
            openers: proof.board.openers,
            openers_root: proof.board.openers_root.0.to_vec(),
            paused_ms: proof.board.paused_ms,
            parent_hash: proof.parent_hash.0.to_vec(),
            parent_seconds: proof.parent_time.seconds,
            parent_nanos: proof.parent_time.nanos,
            data_path: join_hashes(&proof.data_path),
            protocol: proof.board.protocol,
            term: proof.board.term,
            charter_hash: proof.board.charter_hash.0.to_vec(),
            term_height: proof.board.term_height,
            eras: proof.board.eras,
            era_height: proof.board.era_height,
            proven: proof.board.proven.to_vec(),
            proposals_hash: proof.board.proposals_hash.0.to_vec(),
        }
    }
}

/// A session's leaf and its place among the sessions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SessionProof {
    /// The session's number.
    pub number: u32,
    /// The values that its leaf hashes.
    pub leaf: SessionLeaf,
    /// The siblings that aren't empty, from the leaf up.
    pub path: Vec<Hash>,
}

impl SessionProof {
    /// Whether the root states this session.
    #[must_use]
    pub fn is_of(&self, board: &BoardRoot) -> bool {
        full_path(self.number, board.sessions, &self.path)
            .and_then(|path| append_root_from_path(self.leaf.hash(), self.number, &path))
            == Some(board.sessions_root)
    }
}

/// Whether the root states this opener under this number.
#[must_use]
pub fn is_opener_of(opener: &OpenerLeaf, number: u32, path: &[Hash], board: &BoardRoot) -> bool {
    full_path(number, board.openers, path)
        .and_then(|path| append_root_from_path(opener.hash(), number, &path))
        == Some(board.openers_root)
}

impl TryFrom<&pb::SessionProof> for SessionProof {
    type Error = Refusal;

    fn try_from(proof: &pb::SessionProof) -> Result<Self, Refusal> {
        let leaf = proof.leaf.as_ref().ok_or(bad("leaf", "a session's leaf"))?;
        Ok(Self {
            number: u32::try_from(proof.number).map_err(|_| bad("number", "at most 2^32 - 1"))?,
            leaf: leaf.try_into()?,
            path: hashes("path", &proof.path)?,
        })
    }
}

impl From<&SessionProof> for pb::SessionProof {
    fn from(proof: &SessionProof) -> Self {
        Self {
            number: proof.number.into(),
            leaf: Some((&proof.leaf).into()),
            path: join_hashes(&proof.path),
        }
    }
}

impl From<&SessionLeaf> for pb::SessionLeaf {
    fn from(leaf: &SessionLeaf) -> Self {
        Self {
            id: leaf.session.0.to_vec(),
            status: leaf.status.number().into(),
            open_round: leaf.open_round,
            transcript: leaf.transcript.0.to_vec(),
            slots_root: leaf.slots_root.0.to_vec(),
            deadline_ms: leaf.deadline_ms,
            call_blocks: leaf.call_blocks,
            callers: leaf.callers.to_vec(),
            dispute: leaf.dispute.0.to_vec(),
            terminal: leaf.terminal.0.to_vec(),
            evidence: leaf.evidence.0.to_vec(),
            left: leaf.left.0.to_vec(),
            protocol: leaf.protocol,
            opener: leaf.opener,
            reserved_bytes: leaf.reserved_bytes,
            n: leaf.members.size().into(),
            members: leaf.members.as_bytes().to_vec(),
        }
    }
}

impl TryFrom<&pb::SessionLeaf> for SessionLeaf {
    type Error = Refusal;

    fn try_from(leaf: &pb::SessionLeaf) -> Result<Self, Refusal> {
        Ok(Self {
            session: SessionId(hash("id", &leaf.id)?.0),
            status: Status::from_number(leaf.status).ok_or(bad("status", "1 to 6"))?,
            open_round: leaf.open_round,
            protocol: leaf.protocol,
            opener: leaf.opener,
            reserved_bytes: leaf.reserved_bytes,
            members: members(leaf.n, &leaf.members)?,
            transcript: hash("transcript", &leaf.transcript)?,
            slots_root: hash("slots_root", &leaf.slots_root)?,
            deadline_ms: leaf.deadline_ms,
            call_blocks: leaf.call_blocks,
            callers: hash("callers", &leaf.callers)?.0,
            dispute: hash("dispute", &leaf.dispute)?,
            terminal: hash("terminal", &leaf.terminal)?,
            evidence: hash("evidence", &leaf.evidence)?,
            left: hash("left", &leaf.left)?,
        })
    }
}

/// From a closed round to the session's transcript.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RoundProof {
    /// The transcript before the round; the session id before round 0.
    pub before: Hash,
    /// Roots of the rounds that have closed since.
    pub later_roots: Vec<Hash>,
}

impl RoundProof {
    /// Whether the leaf's transcript has this root for `round`, after [`RoundProof::before`].
    #[must_use]
    pub fn is_of(&self, leaf: &SessionLeaf, round: u32, round_root: &Hash) -> bool {
        let later = u64::try_from(self.later_roots.len()).unwrap_or(u64::MAX);
        let open_round = u64::from(round).saturating_add(1).saturating_add(later);
        if u64::from(leaf.open_round) != open_round {
            return false;
        }
        if round == 0 && self.before != Hash(leaf.session.0) {
            return false;
        }
        let roots = core::iter::once(round_root).chain(&self.later_roots);
        let transcript = (round..)
            .zip(roots)
            .fold(self.before, |so_far, (round, root)| {
                transcript_after(&so_far, round, root)
            });
        transcript == leaf.transcript
    }
}

impl TryFrom<&pb::RoundProof> for RoundProof {
    type Error = Refusal;

    fn try_from(proof: &pb::RoundProof) -> Result<Self, Refusal> {
        Ok(Self {
            before: hash("before", &proof.before)?,
            later_roots: hashes("later_roots", &proof.later_roots)?,
        })
    }
}

impl From<&RoundProof> for pb::RoundProof {
    fn from(proof: &RoundProof) -> Self {
        Self {
            before: proof.before.0.to_vec(),
            later_roots: join_hashes(&proof.later_roots),
        }
    }
}

fn members(n: u32, bytes: &[u8]) -> Result<Bitmap, Refusal> {
    let n = u16::try_from(n).ok().filter(|n| *n <= ROSTER_PARTIES_MAX);
    let n = n.ok_or(bad("n", "1 to 1024"))?;
    Bitmap::from_bytes(n, bytes).ok_or(bad("members", "a bitmap of n bits"))
}

const fn bad(field: &'static str, expected: &'static str) -> Refusal {
    Refusal::Field { field, expected }
}

fn hash(field: &'static str, bytes: &[u8]) -> Result<Hash, Refusal> {
    Hash::from_slice(bytes).ok_or(bad(field, "32 bytes"))
}

fn hashes(field: &'static str, bytes: &[u8]) -> Result<Vec<Hash>, Refusal> {
    split_hashes(bytes).ok_or(bad(field, "a multiple of 32 bytes"))
}
