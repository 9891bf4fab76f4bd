//! The board's state between two blocks.

use alloc::{boxed::Box, sync::Arc, vec::Vec};

use rpds::{RedBlackTreeMapSync, RedBlackTreeSetSync};
use white_city_wire::{
    Charter, Hash, IdentityKey, Network, Params, Refusal, SessionId,
    approve::{Proposal, proposals_hash},
    board::{BoardRoot, OpenerLeaf, Status},
};

use crate::{
    append_tree::{AppendTree, Frozen},
    session::Session,
    term::Term,
};

/// The board: all sessions and openers. A clone shares everything with the original.
#[derive(Debug, Clone)]
pub struct State {
    network: Arc<Network>,
    term: Arc<Term>,
    /// Words of the operators in this term, ascending by position.
    proposals: Arc<Vec<Proposal>>,
    /// Version of the rules by which the last block was executed.
    protocol: u32,
    sessions: AppendTree<Session>,
    numbers: RedBlackTreeMapSync<SessionId, u32>,
    openers: AppendTree<OpenerLeaf>,
    opener_numbers: RedBlackTreeMapSync<[u8; 32], u32>,
    /// Deadline and number of every live session; deadline 0 where the clock hasn't started.
    deadlines: RedBlackTreeSetSync<(u64, u32)>,
    /// The end of retention and the number of every session that has ended and isn't erased.
    retained: RedBlackTreeSetSync<(u64, u32)>,
    reserved: Reserved,
    paused_ms: u64,
}

/// Part of the sessions that a state is restored from.
#[derive(Debug)]
pub enum Part {
    /// The next session.
    Session(Box<Session>),
    /// The next ones, which were erased and are frozen.
    Frozen(Frozen),
}

impl From<Session> for Part {
    fn from(session: Session) -> Self {
        Self::Session(Box::new(session))
    }
}

/// Part of a state that is about the rules.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rules {
    /// The charter in force for the next block, and what the root says of its term.
    pub term: Term,
    /// The words of the operators in this term, ascending by position.
    pub proposals: Vec<Proposal>,
    /// Version of the rules by which the last block was executed.
    pub protocol: u32,
}

impl Rules {
    /// Those of a genesis.
    #[must_use]
    pub fn first(network: &Network) -> Self {
        Self {
            term: Term::first(&network.charter),
            proposals: Vec::new(),
            protocol: network.charter.protocol,
        }
    }
}

/// Bytes that sessions reserve which aren't erased.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Reserved {
    /// Those of all openers.
    pub all: u64,
    /// Those of openers that the charter in force doesn't list.
    pub strangers: u64,
}

impl Reserved {
    /// Counts what one opener reserves, instead of what it did.
    fn replace(&mut self, old: Option<&OpenerLeaf>, new: &OpenerLeaf) {
        if let Some(old) = old {
            self.all = self.all.saturating_sub(old.live_bytes);
            if !old.listed {
                self.strangers = self.strangers.saturating_sub(old.live_bytes);
            }
        }
        self.all = self.all.saturating_add(new.live_bytes);
        if !new.listed {
            self.strangers = self.strangers.saturating_add(new.live_bytes);
        }
    }
}

impl State {
    /// The state before the first block.
    #[must_use]
    pub fn genesis(network: Arc<Network>) -> Self {
        let rules = Rules::first(&network);
        let mut state = Self::empty(Arc::clone(&network), rules, 0);
        for quota in &network.charter.openers {
            // The charter's keys were checked with it.
            if let Ok(key) = IdentityKey::from_accepted(&quota.key.0) {
                state.push_opener(OpenerLeaf {
                    listed: true,
                    max_live: quota.max_live,
                    max_bytes: quota.max_bytes,
                    ..OpenerLeaf::unlisted(key)
                });
            }
        }
        state
    }

    /// The state from what was stored of it: openers, and sessions and what is frozen of them, in the order of their numbers.
    #[must_use]
    pub fn restore(
        network: Arc<Network>,
        rules: Rules,
        paused_ms: u64,
        openers: impl IntoIterator<Item = OpenerLeaf>,
        sessions: impl IntoIterator<Item = impl Into<Part>>,
    ) -> Self {
        let mut state = Self::empty(network, rules, paused_ms);
        for opener in openers {
            state.push_opener(opener);
        }
        for part in sessions {
            match part.into() {
                Part::Session(session) => state.put_session(*session),
                Part::Frozen(frozen) => drop(state.sessions.push_frozen(frozen)),
            }
        }
        state
    }

    /// Lets go of what the rules don't need of sessions that have ended or were erased, so that memory follows what is live: of ended
    /// ones all but what evidence needs, of erased ones everything. `numbers` are those that the last block has changed. Gives what is
    /// frozen from now on; whoever keeps sessions elsewhere keeps it, too, for their paths.
    ///
    /// What is valid afterwards is the same, and so is every root. Only the reasons of some refusals are others: an erased session is
    /// unknown, and an ended one doesn't know what it stored.
    pub fn put_aside(&mut self, numbers: &[u32]) -> Vec<Frozen> {
        let mut frozen = Vec::new();
        for number in numbers {
            let Some(session) = self.sessions.get(*number) else {
                continue;
            };
            if session.status() == Status::Erased {
                self.numbers.remove_mut(&session.id());
                frozen.extend(self.sessions.freeze(*number));
            } else if session.body.is_some() && !session.status().is_live() {
                let (leaf, rest) = (session.leaf.hash(), session.at_rest());
                self.sessions.set(*number, leaf, Arc::new(rest));
            }
        }
        frozen
    }

    fn empty(network: Arc<Network>, rules: Rules, paused_ms: u64) -> Self {
        Self {
            network,
            term: Arc::new(rules.term),
            proposals: Arc::new(rules.proposals),
            protocol: rules.protocol,
            sessions: AppendTree::default(),
            numbers: RedBlackTreeMapSync::new_sync(),
            openers: AppendTree::default(),
            opener_numbers: RedBlackTreeMapSync::new_sync(),
            deadlines: RedBlackTreeSetSync::new_sync(),
            retained: RedBlackTreeSetSync::new_sync(),
            reserved: Reserved::default(),
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

    /// What of the state is about the rules, for [`State::restore`].
    #[must_use]
    pub fn rules(&self) -> Rules {
        Rules {
            term: self.term.as_ref().clone(),
            proposals: self.proposals.as_ref().clone(),
            protocol: self.protocol,
        }
    }

    /// The words of the operators in this term, ascending by position.
    #[must_use]
    pub fn proposals(&self) -> &[Proposal] {
        &self.proposals
    }

    /// The charter in force for the next block, and what the root says of its term.
    #[must_use]
    pub fn term(&self) -> &Arc<Term> {
        &self.term
    }

    /// That charter.
    #[must_use]
    pub fn charter(&self) -> &Charter {
        &self.term.charter
    }

    /// Number of the rules that the last block was executed by, which aren't always those of the next one.
    #[must_use]
    pub const fn protocol(&self) -> u32 {
        self.protocol
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

    /// Bytes that sessions reserve.
    #[must_use]
    pub const fn reserved(&self) -> Reserved {
        self.reserved
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
            network: self.network.id,
            protocol: self.protocol,
            params_hash: self.network.params_hash,
            term: self.term.charter.term,
            charter_hash: self.term.charter_hash,
            term_height: self.term.height,
            eras: self.term.eras,
            era_height: self.term.era_height,
            proven: self.term.proven,
            proposals_hash: proposals_hash(&self.proposals),
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

    /// Number of the live sessions.
    #[must_use]
    pub fn live(&self) -> usize {
        self.deadlines.size()
    }

    /// Number of the sessions that have ended and aren't erased.
    #[must_use]
    pub fn ended(&self) -> usize {
        self.retained.size()
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

    pub(crate) fn set_protocol(&mut self, protocol: u32) {
        self.protocol = protocol;
    }

    pub(crate) fn set_term(&mut self, term: Term) {
        self.term = Arc::new(term);
    }

    pub(crate) fn set_proposals(&mut self, proposals: Vec<Proposal>) {
        self.proposals = Arc::new(proposals);
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
        let old = self.openers.get(number);
        self.reserved.replace(old.map(AsRef::as_ref), &opener);
        self.opener_numbers
            .insert_mut(*opener.key.as_bytes(), number);
        let leaf = opener.hash();
        self.openers.set(number, leaf, Arc::new(opener));
    }
}
