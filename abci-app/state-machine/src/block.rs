//! One block: from the state before it to the state after it.

mod numbers;

use alloc::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    vec::Vec,
};
use core::ops::Deref;

use white_city_wire::{
    Complain, Hash, IdentityKey, Refusal, SessionId, VerifiedTx,
    board::{OpenerLeaf, Status},
    seal::{BlockTime, Seal},
    tx::{Action, Open},
};

use crate::{
    dispute::{self, Revealed},
    entries::{self, Fill},
    evidence,
    last_call::{self, CallBlock},
    leaving,
    opening::{self, Books, Opening},
    round::{self, Now},
    session::{Body, Session},
    state::State,
};

/// All that a block tells the state machine about the outside.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BlockContext {
    /// The block's height.
    pub height: u64,
    /// Its header's time.
    pub time: BlockTime,
    /// Hash of the block before; zeros in the first block.
    pub parent_hash: Hash,
    /// Header time of the block before; the genesis time in the first block.
    pub parent_time: BlockTime,
    /// Address of the validator that proposed it.
    pub proposer: [u8; 20],
}

/// A block in the making. Nothing of it reaches a [`State`] before [`Block::end`].
#[derive(Debug)]
pub struct Block {
    state: State,
    context: BlockContext,
    board_ms: u64,
    /// Sessions that this block has changed.
    sessions: BTreeMap<u32, Session>,
    /// Ids of the sessions that this block has opened.
    opened: BTreeMap<SessionId, u32>,
    /// Openers that this block has changed.
    openers: BTreeMap<u32, OpenerLeaf>,
    /// Sessions of which this block carries a join, post, finish or reveal.
    carried: BTreeSet<u32>,
    tx_bytes: u64,
}

/// A block that would follow now, in which transactions can be checked. It can't be changed, and never ends.
#[derive(Debug)]
pub struct Preview(Block);

impl Preview {
    /// A block after `state`, whose clocks aren't started.
    #[must_use]
    pub fn new(state: State, context: BlockContext) -> Self {
        Self(Block::open(state, context))
    }
}

impl Deref for Preview {
    type Target = Block;

    fn deref(&self) -> &Block {
        &self.0
    }
}

/// What a block has done.
#[derive(Debug)]
pub struct Ended {
    /// The state after the block.
    pub state: State,
    /// Numbers of the sessions that changed, ascending.
    pub sessions: Vec<u32>,
    /// Numbers of the openers that changed, ascending.
    pub openers: Vec<u32>,
    /// The block's board time, ms.
    pub board_ms: u64,
    context: BlockContext,
}

impl Ended {
    /// The seal that belongs at the head of this block.
    #[must_use]
    pub fn seal(&self) -> Seal {
        Seal {
            root: self.state.root(),
            parent_hash: self.context.parent_hash,
            parent_time: self.context.parent_time,
        }
    }
}

impl Block {
    /// Begins a block: the clock first, then the deadlines of what the block before has opened.
    #[must_use]
    pub fn begin(state: State, context: BlockContext) -> Self {
        let mut block = Self::open(state, context);
        let step = block.outage_ms();
        block.state.add_pause(step);
        let unstarted: Vec<u32> = block.state.unstarted().collect();
        for number in unstarted {
            let board_ms = block.board_ms;
            if let Some(session) = block.session_mut(number) {
                session.leaf.deadline_ms = board_ms.saturating_add(session.phase_ms());
            }
        }
        block
    }

    fn open(state: State, context: BlockContext) -> Self {
        let mut block = Self {
            state,
            context,
            board_ms: 0,
            sessions: BTreeMap::new(),
            opened: BTreeMap::new(),
            openers: BTreeMap::new(),
            carried: BTreeSet::new(),
            tx_bytes: 0,
        };
        block.board_ms = context
            .time
            .millis()
            .saturating_sub(block.state.paused_ms().saturating_add(block.outage_ms()));
        block
    }

    /// The block's board time, ms.
    #[must_use]
    pub const fn board_ms(&self) -> u64 {
        self.board_ms
    }

    /// Who has to have signed a transaction, and the size of the roster.
    ///
    /// # Errors
    /// [`Refusal::UnknownSession`], [`Refusal::Erased`] or [`Refusal::NotInRoster`].
    pub fn signer(&self, action: &Action) -> Result<(IdentityKey, u16), Refusal> {
        if let Action::Open(open) = action {
            return Ok((open.opener, open.spec.parties()));
        }
        let author = action.author();
        let (session, index) = author.ok_or(Refusal::Malformed("nobody's word"))?;
        let spec = &self.session(&session)?.body()?.spec;
        Ok((*spec.key(index)?, spec.parties()))
    }

    /// The session that a transaction is of, unless it opens one, and whether that is in last call.
    #[must_use]
    pub fn place(&self, tx: &VerifiedTx) -> (Option<u32>, bool) {
        let session = tx.action().author().map(|(id, _)| self.session(&id));
        let Some(Ok(session)) = session else {
            return (None, false);
        };
        let deadline_ms = session.leaf.deadline_ms;
        let last_call = session.status().is_live() && deadline_ms != 0;
        (
            Some(session.number),
            last_call && self.board_ms > deadline_ms,
        )
    }

    /// Says whether a transaction would be applied now.
    ///
    /// # Errors
    /// The [`Refusal`] that [`Block::apply`] would give.
    pub fn check(&self, tx: &VerifiedTx) -> Result<(), Refusal> {
        self.change(tx).map(|_| ())
    }

    /// Says whether an opening would be applied now, were its signature and its roster's keys good.
    ///
    /// # Errors
    /// The [`Refusal`] that [`Block::apply`] would give.
    pub fn check_opening(&self, open: &Open) -> Result<(), Refusal> {
        self.check_open(open).map(|_| ())
    }

    /// Applies a transaction; gives the number of its session.
    ///
    /// # Errors
    /// A [`Refusal`]; the block is as it was.
    pub fn apply(&mut self, tx: &VerifiedTx) -> Result<u32, Refusal> {
        let change = self.change(tx)?;
        self.tx_bytes = self.tx_bytes.saturating_add(u64::from(tx.bytes()));
        Ok(match change {
            Change::Open(opening, open) => self.commit_open(opening, open),
            Change::Fill(number, fill) => {
                self.carried.insert(number);
                self.change_body(number, |body| fill.commit(body))
            }
            Change::Leave(number, index, digest) => {
                self.change_body(number, |body| body.left.push((index, digest)))
            }
            Change::Flag(number, culprit) => self.change_body(number, |body| body.flag(culprit)),
            Change::Complain(number, complain) => {
                if let Some(session) = self.session_mut(number) {
                    dispute::commit_complain(session, complain);
                }
                number
            }
            Change::Reveal(number, revealed) => {
                self.carried.insert(number);
                self.change_body(number, |body| dispute::commit_reveal(body, revealed))
            }
        })
    }

    /// Ends the block: last call, closing, endings and erasure, session by session in the order of their numbers.
    #[must_use]
    pub fn end(mut self) -> Ended {
        let due: BTreeSet<u32> = self
            .state
            .due(self.board_ms)
            .chain(self.sessions.keys().copied())
            .collect();
        let call = self.call_block();
        for number in due {
            self.end_session(number, call);
        }
        let sessions: Vec<u32> = self.sessions.keys().copied().collect();
        let openers: Vec<u32> = self.openers.keys().copied().collect();
        for (number, opener) in self.openers {
            self.state.put_opener(number, opener);
        }
        for (_, mut session) in self.sessions {
            session.refresh_leaf();
            self.state.put_session(session);
        }
        Ended {
            state: self.state,
            sessions,
            openers,
            board_ms: self.board_ms,
            context: self.context,
        }
    }

    fn end_session(&mut self, number: u32, call: CallBlock) {
        let board_ms = self.board_ms;
        let now = Now {
            height: self.context.height,
            board_ms,
        };
        let carried = self.carried.contains(&number);
        let Some(session) = self.session_mut(number) else {
            return;
        };
        let was_live = session.status().is_live();
        let past_deadline = session.leaf.deadline_ms != 0 && board_ms > session.leaf.deadline_ms;
        match session.status() {
            Status::Joining | Status::Running | Status::Dispute => {
                let over = past_deadline && last_call::count(&mut session.leaf, carried, call);
                round::settle(session, over, now);
            }
            Status::Finished | Status::Aborted if past_deadline => session.erase(),
            Status::Finished | Status::Aborted | Status::Erased => {}
        }
        let gives_back_live = was_live && !session.status().is_live();
        let gives_back_bytes = session.status() == Status::Erased;
        let (opener, reserved) = (session.opener, session.reserved_bytes);
        if (gives_back_live || gives_back_bytes)
            && let Some(leaf) = self.opener_mut(opener)
        {
            if gives_back_live {
                leaf.live = leaf.live.saturating_sub(1);
            }
            if gives_back_bytes {
                leaf.live_bytes = leaf.live_bytes.saturating_sub(reserved);
            }
        }
    }

    fn call_block(&self) -> CallBlock {
        let network = self.state.network();
        CallBlock {
            proposer: network.validator_position(&self.context.proposer),
            full: self.tx_bytes >= u64::from(network.params.full_block),
            faults: network.faults(),
        }
    }

    /// How long the board was down before this block, ms.
    fn outage_ms(&self) -> u64 {
        let network = self.state.network();
        let (time, parent) = (self.context.time, self.context.parent_time);
        let step = time.millis().saturating_sub(parent.millis());
        let is_first = self.context.height <= network.initial_height;
        if is_first || step <= u64::from(network.params.cap_ms) {
            return 0;
        }
        step
    }

    fn change<'a>(&self, tx: &'a VerifiedTx) -> Result<Change<'a>, Refusal> {
        let network = self.state.network();
        if *tx.network() != network.id {
            return Err(Refusal::BadSignature {
                key: Hash(*tx.signer().as_bytes()),
            });
        }
        if tx.bytes() > network.params.max_tx {
            return Err(Refusal::TooLarge {
                what: "transaction",
                got: tx.bytes().into(),
                max: network.params.max_tx.into(),
            });
        }
        let signer = tx.signer();
        Ok(match tx.action() {
            Action::Open(open) => {
                if open.opener != *signer {
                    return Err(Refusal::BadSignature {
                        key: Hash(*open.opener.as_bytes()),
                    });
                }
                Change::Open(self.check_open(open)?, open)
            }
            Action::Join(join) => {
                let session = self.session(&join.session)?;
                Change::Fill(session.number, entries::check_join(session, join, signer)?)
            }
            Action::Post(post) => {
                let session = self.session(&post.header.session)?;
                Change::Fill(session.number, entries::check_post(session, post, signer)?)
            }
            Action::Finish(finish) => {
                let session = self.session(&finish.session)?;
                let fill = entries::check_finish(session, finish, signer)?;
                Change::Fill(session.number, fill)
            }
            Action::Leave {
                session,
                index,
                leave,
            } => {
                let session = self.session(session)?;
                let digest = leaving::check(session, *index, leave, signer)?;
                Change::Leave(session.number, *index, digest)
            }
            Action::Evidence(entries) => {
                let session = self.session(&entries[0].entry.slot().0)?;
                Change::Flag(session.number, evidence::check(session, entries, signer)?)
            }
            Action::Complain(complain) => {
                let session = self.session(&complain.post.session)?;
                dispute::check_complain(session, complain, signer)?;
                Change::Complain(session.number, complain)
            }
            Action::Reveal(reveal) => {
                let session = self.session(&reveal.session)?;
                let revealed = dispute::check_reveal(session, reveal, signer, &network.id)?;
                Change::Reveal(session.number, revealed)
            }
        })
    }

    fn check_open(&self, open: &Open) -> Result<Opening, Refusal> {
        let id = open.session_id(&self.state.network().id);
        if self.session(&id).is_ok() {
            return Err(Refusal::AlreadyStored);
        }
        if self.next_session().is_none() {
            return Err(Refusal::NumbersUsedUp);
        }
        let books = Books {
            state: &self.state,
            opener: self.opener(&open.opener),
            next_opener: self.next_opener(),
            strangers_bytes: self.strangers_bytes(),
            board_ms: self.board_ms,
        };
        opening::check(open, id, books)
    }

    fn commit_open(&mut self, opening: Opening, open: &Open) -> u32 {
        let number = self.next_session().unwrap_or(u32::MAX);
        let spec = Arc::new(open.spec.clone());
        self.openers.insert(opening.opener, opening.leaf);
        self.opened.insert(opening.id, number);
        let session = Session::open(number, opening.opener, opening.id, spec);
        self.sessions.insert(number, session);
        number
    }

    fn change_body(&mut self, number: u32, change: impl FnOnce(&mut Body)) -> u32 {
        if let Some(body) = self.session_mut(number).and_then(|s| s.body.as_mut()) {
            change(body);
        }
        number
    }

    fn session(&self, id: &SessionId) -> Result<&Session, Refusal> {
        let number = match self.opened.get(id) {
            Some(number) => *number,
            None => self.state.number(id)?,
        };
        self.sessions
            .get(&number)
            .or_else(|| self.state.sessions().get(number).map(Arc::as_ref))
            .ok_or(Refusal::UnknownSession(Hash(id.0)))
    }

    fn session_mut(&mut self, number: u32) -> Option<&mut Session> {
        if !self.sessions.contains_key(&number) {
            let session = self.state.sessions().get(number)?;
            self.sessions.insert(number, Session::clone(session));
        }
        self.sessions.get_mut(&number)
    }
}

/// A change that has passed every check.
enum Change<'a> {
    Open(Opening, &'a Open),
    Fill(u32, Fill),
    Leave(u32, u16, Hash),
    Flag(u32, white_city_wire::board::Culprit),
    Complain(u32, &'a Complain),
    Reveal(u32, Revealed),
}
