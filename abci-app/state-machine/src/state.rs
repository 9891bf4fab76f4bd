//! The board's state between two blocks.

use alloc::sync::Arc;

use rpds::{RedBlackTreeMapSync, RedBlackTreeSetSync};
use white_city_wire::{
    Hash, IdentityKey, Network, Params, Refusal, SessionId,
    board::{BoardRoot, OpenerLeaf, Status},
    limits::PROTOCOL,
};

use crate::{append_tree::AppendTree, session::Session};

/// The board: all sessions and openers. A clone shares everything with the original.
#[derive(Debug, Clone)]
pub struct State {
    network: Arc<Network>,
    sessions: AppendTree<Session>,
    numbers: RedBlackTreeMapSync<SessionId, u32>,
    openers: AppendTree<OpenerLeaf>,
    opener_numbers: RedBlackTreeMapSync<[u8; 32], u32>,
    /// Deadline and number of every live session; deadline 0 where the clock hasn't started.
    deadlines: RedBlackTreeSetSync<(u64, u32)>,
    /// The end of retention and the number of every session that has ended and isn't erased.
    retained: RedBlackTreeSetSync<(u64, u32)>,
    strangers_bytes: u64,
    paused_ms: u64,
}

/// Whether the opener with this number isn't listed in the genesis.
pub(crate) fn is_stranger(network: &Network, opener: u32) -> bool {
    usize::try_from(opener).map_or(true, |number| number >= network.params.openers.len())
}

impl State {
    /// The state before the first block.
    #[must_use]
    pub fn genesis(network: Arc<Network>) -> Self {
        let mut state = Self::empty(Arc::clone(&network), 0);
        for (key, quota) in network.opener_keys.iter().zip(&network.params.openers) {
            state.push_opener(OpenerLeaf {
                key: *key,
                max_live: quota.max_live,
                max_bytes: quota.max_bytes,
                live: 0,
                live_bytes: 0,
            });
        }
        state
    }

    /// The state from what was stored of it: openers and sessions in the order of their numbers.
    #[must_use]
    pub fn restore(
        network: Arc<Network>,
        paused_ms: u64,
        openers: impl IntoIterator<Item = OpenerLeaf>,
        sessions: impl IntoIterator<Item = Session>,
    ) -> Self {
        let mut state = Self::empty(network, paused_ms);
        for opener in openers {
            state.push_opener(opener);
        }
        for session in sessions {
            state.put_session(session);
        }
        state
    }

    fn empty(network: Arc<Network>, paused_ms: u64) -> Self {
        Self {
            network,
            sessions: AppendTree::default(),
            numbers: RedBlackTreeMapSync::new_sync(),
            openers: AppendTree::default(),
            opener_numbers: RedBlackTreeMapSync::new_sync(),
            deadlines: RedBlackTreeSetSync::new_sync(),
            retained: RedBlackTreeSetSync::new_sync(),
            strangers_bytes: 0,
            paused_ms,
        }
    }

    fn push_opener(&mut self, opener: OpenerLeaf) {
        if let Ok(number) = u32::try_from(self.openers.len()) {
            self.put_opener(number, opener);
        }
    }

    /// The network that the board belongs to.
    #[must_use]
    pub fn network(&self) -> &Arc<Network> {
        &self.network
    }

    /// The board's parameters.
    #[must_use]
    pub fn params(&self) -> &Params {
        &self.network.params
    }

    /// The sessions by their numbers.
    #[must_use]
    pub const fn sessions(&self) -> &AppendTree<Session> {
        &self.sessions
    }

    /// The openers by their numbers.
    #[must_use]
    pub const fn openers(&self) -> &AppendTree<OpenerLeaf> {
        &self.openers
    }

    /// Time that the board was down, ms.
    #[must_use]
    pub const fn paused_ms(&self) -> u64 {
        self.paused_ms
    }

    /// Bytes that openers outside the genesis have reserved.
    #[must_use]
    pub const fn strangers_bytes(&self) -> u64 {
        self.strangers_bytes
    }

    /// The number of a session.
    ///
    /// # Errors
    /// [`Refusal::UnknownSession`].
    pub fn number(&self, id: &SessionId) -> Result<u32, Refusal> {
        self.numbers
            .get(id)
            .copied()
            .ok_or(Refusal::UnknownSession(Hash(id.0)))
    }

    /// A session by its id.
    ///
    /// # Errors
    /// [`Refusal::UnknownSession`].
    pub fn session(&self, id: &SessionId) -> Result<&Arc<Session>, Refusal> {
        let number = self.number(id)?;
        self.sessions
            .get(number)
            .ok_or(Refusal::UnknownSession(Hash(id.0)))
    }

    /// An opener and its number.
    #[must_use]
    pub fn opener(&self, key: &IdentityKey) -> Option<(u32, &Arc<OpenerLeaf>)> {
        let number = *self.opener_numbers.get(key.as_bytes())?;
        Some((number, self.openers.get(number)?))
    }

    /// The values that the root hashes.
    #[must_use]
    pub fn board_root(&self) -> BoardRoot {
        BoardRoot {
            protocol: PROTOCOL,
            params_hash: self.network.params_hash,
            sessions: self.sessions.len(),
            sessions_root: self.sessions.root(),
            openers: self.openers.len(),
            openers_root: self.openers.root(),
            paused_ms: self.paused_ms,
        }
    }

    /// The root: the app hash, and what the block's seal carries.
    #[must_use]
    pub fn root(&self) -> Hash {
        self.board_root().hash()
    }

    /// Numbers of the sessions whose clock hasn't started, ascending: the last block has opened their round.
    pub fn unstarted(&self) -> impl Iterator<Item = u32> + '_ {
        self.deadlines.range(..(1, 0)).map(|(_, number)| *number)
    }

    /// Numbers of the live sessions whose deadline is before `board_ms`, in the order of deadlines and numbers.
    pub fn past_deadline(&self, board_ms: u64) -> impl Iterator<Item = u32> + '_ {
        let end = (board_ms.max(1), 0);
        self.deadlines.range((1, 0)..end).map(|(_, number)| *number)
    }

    /// Numbers of the ended sessions whose retention ended before `board_ms`, likewise.
    pub(crate) fn past_retention(&self, board_ms: u64) -> impl Iterator<Item = u32> + '_ {
        self.retained
            .range(..(board_ms, 0))
            .map(|(_, number)| *number)
    }

    pub(crate) fn add_pause(&mut self, step_ms: u64) {
        self.paused_ms = self.paused_ms.saturating_add(step_ms);
    }

    pub(crate) fn put_session(&mut self, session: Session) {
        let number = session.number;
        if let Some(old) = self.sessions.get(number) {
            let due = (old.leaf.deadline_ms, number);
            if old.status().is_live() {
                self.deadlines.remove_mut(&due);
            } else {
                self.retained.remove_mut(&due);
            }
        } else {
            self.numbers.insert_mut(session.id(), number);
        }
        let due = (session.leaf.deadline_ms, number);
        match session.status() {
            Status::Joining | Status::Running | Status::Dispute => self.deadlines.insert_mut(due),
            Status::Finished | Status::Aborted => self.retained.insert_mut(due),
            Status::Erased => {}
        }
        let leaf = session.leaf.hash();
        self.sessions.set(number, leaf, Arc::new(session));
    }

    pub(crate) fn put_opener(&mut self, number: u32, opener: OpenerLeaf) {
        if is_stranger(&self.network, number) {
            let before = self.openers.get(number).map_or(0, |old| old.live_bytes);
            self.strangers_bytes = self
                .strangers_bytes
                .saturating_sub(before)
                .saturating_add(opener.live_bytes);
        }
        self.opener_numbers
            .insert_mut(*opener.key.as_bytes(), number);
        let leaf = opener.hash();
        self.openers.set(number, leaf, Arc::new(opener));
    }
}
