//! One block: from the state before it to the state after it.

mod charter;
mod context;
mod numbers;

use alloc::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    vec::Vec,
};
use core::ops::Deref;

use white_city_wire::{
    Charter, Complain, Hash, IdentityKey, Refusal, SessionId, VerifiedTx,
    approve::Proposal,
    board::OpenerLeaf,
    limits::ERASURES_MAX,
    seal::Seal,
    tx::{Action, Open, UncheckedTx},
};

pub use self::context::BlockContext;
use self::context::outage_ms;
use crate::{
    approving, dispute,
    entries::{self, Fill},
    evidence,
    last_call::{self, LastCall},
    leaving,
    opening::{self, Books, Opening},
    protocol::longer_ms,
    round::{self, Now},
    session::{Body, Revealed, Session},
    state::{Reserved, State},
};

/// A block in the making. Nothing of it reaches a [`State`] before [`Block::end`].
#[derive(Debug)]
pub struct Block {
    state: State,
    context: BlockContext,
    board_ms: u64,
    /// Time for which the board was down before it, ms.
    outage_ms: u64,
    /// Sessions that this block has changed.
    sessions: BTreeMap<u32, Session>,
    /// Ids of the sessions that this block has opened.
    opened: BTreeMap<SessionId, u32>,
    /// Openers that this block has changed.
    openers: BTreeMap<u32, OpenerLeaf>,
    /// Numbers of those among them that it has brought, by their keys.
    fresh_openers: BTreeMap<[u8; 32], u32>,
    /// Bytes that its openings reserve.
    added: Reserved,
    last_call: LastCall,
    /// Words of the operators, from the first that this block changes.
    proposals: Option<Vec<Proposal>>,
    /// Charters that were approved in it, by their hashes.
    charters: BTreeMap<Hash, Arc<Charter>>,
}

/// A block that would follow now, in which transactions can be checked. It can't be changed, never ends, and knows nothing of last
/// call.
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

/// Result of a block.
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
    /// Whether the charter has changed: another one is in force for the next block.
    pub enacted: bool,
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
        block.last_call = LastCall::fix(&block.state, block.board_ms);
        block.state.add_pause(block.outage_ms);
        if let Some(term) = block.state.term().with_voters(&context.voted) {
            block.state.set_term(term);
        }
        let unstarted: Vec<u32> = block.state.unstarted().collect();
        for number in unstarted {
            let begins_ms = block.board_ms.saturating_add(longer_ms(block.protocol()));
            if let Some(session) = block.session_mut(number) {
                session.leaf.deadline_ms = begins_ms.saturating_add(session.phase_ms());
            }
        }
        block
    }

    fn open(mut state: State, context: BlockContext) -> Self {
        // A charter is enacted by the rules before it, and is in force from here on.
        state.set_protocol(state.charter().protocol);
        let outage_ms = outage_ms(state.network(), &context);
        let paused_ms = state.paused_ms().saturating_add(outage_ms);
        let board_ms = context.time.millis().saturating_sub(paused_ms);
        Self {
            context,
            board_ms,
            outage_ms,
            sessions: BTreeMap::new(),
            opened: BTreeMap::new(),
            openers: BTreeMap::new(),
            fresh_openers: BTreeMap::new(),
            added: Reserved::default(),
            last_call: LastCall::default(),
            proposals: None,
            charters: BTreeMap::new(),
            state,
        }
    }

    /// The block's board time, ms.
    #[must_use]
    pub const fn board_ms(&self) -> u64 {
        self.board_ms
    }

    /// The identity that has to have signed a transaction, and the size of the roster.
    ///
    /// # Errors
    /// [`Refusal::UnknownSession`], [`Refusal::Erased`] or [`Refusal::NotInRoster`]; of a word about a charter [`Refusal::Term`] or
    /// [`Refusal::NotAnOperator`].
    pub fn signer(&self, action: &Action) -> Result<(IdentityKey, u16), Refusal> {
        match action {
            Action::Open(open) => return Ok((open.opener, open.spec.parties())),
            Action::Approve(approve) => {
                return Ok((approving::operator(self.state.term(), approve)?, 0));
            }
            _ => {}
        }
        let author = action.author();
        let (session, index) = author.ok_or(Refusal::Malformed("nobody's word"))?;
        let session = self.session(&session)?;
        Ok((*session.key(index)?, session.leaf.members.size()))
    }

    /// The session that a transaction is of, unless it opens one; and where in the order of last call an entry or a reveal stands,
    /// if its session is in last call.
    #[must_use]
    pub fn place(&self, tx: &VerifiedTx) -> (Option<u32>, Option<usize>) {
        let action = tx.action();
        let session = action.author().and_then(|(id, _)| self.session(&id).ok());
        let number = session.map(|session| session.number);
        let entry = number.filter(|_| action.is_entry_or_reveal());
        (
            number,
            entry.and_then(|number| self.last_call.place(number)),
        )
    }

    /// Says whether a transaction would be applied now.
    ///
    /// # Errors
    /// The [`Refusal`] that [`Block::apply`] would give.
    pub fn check(&self, tx: &VerifiedTx) -> Result<(), Refusal> {
        self.change(tx).map(|_| ())
    }

    /// Says whether what is dear to check would be applied now, as far as that can be said before its signature is checked: an opening
    /// but for its roster's keys, an operator's word but for its charter. Everything else passes.
    ///
    /// # Errors
    /// The [`Refusal`] that [`Block::apply`] would give.
    pub fn check_cheaply(&self, tx: &UncheckedTx) -> Result<(), Refusal> {
        self.check_bounds(tx.bytes(), tx.work())?;
        if let Some(approve) = tx.approval() {
            return self.check_word(approve).map(|_| ());
        }
        tx.opening()
            .map_or(Ok(()), |open| self.check_open(open).map(|_| ()))
    }

    /// Applies a transaction; gives the number of its session, if it is of one.
    ///
    /// # Errors
    /// A [`Refusal`]; the block is as it was.
    pub fn apply(&mut self, tx: &VerifiedTx) -> Result<Option<u32>, Refusal> {
        let change = self.change(tx)?;
        let number = self.commit(change);
        if let Some(number) = number.filter(|_| tx.action().is_entry_or_reveal()) {
            self.last_call.carry(number, tx.bytes(), tx.work());
        }
        Ok(number)
    }

    fn commit(&mut self, change: Change<'_>) -> Option<u32> {
        Some(match change {
            Change::Word(proposal, charter) => {
                self.commit_word(proposal, charter);
                return None;
            }
            Change::Open(opening, open) => self.commit_open(opening, open),
            Change::Fill(number, fill) => self.change_body(number, |body| fill.commit(body)),
            Change::Leave(number, index, digest) => {
                self.change_body(number, |body| body.left.push((index, digest)))
            }
            Change::Flag(number, culprit) => self.change_session(number, |s| s.flag(culprit)),
            Change::Complain(number, complain) => {
                self.change_session(number, |s| dispute::commit_complain(s, complain))
            }
            Change::Reveal(number, revealed) => {
                self.change_body(number, |body| dispute::commit_reveal(body, revealed))
            }
        })
    }

    /// Ends the block: last call, closing, endings and erasure, session by session in the order of their numbers. Each of them is
    /// bounded: what is past its deadline beyond the bounds has its turn in a later block.
    #[must_use]
    pub fn end(mut self) -> Ended {
        let counting = self.last_call.counting(self.state.params());
        let erased: BTreeSet<u32> = self
            .state
            .past_retention(self.board_ms)
            .take(usize::try_from(ERASURES_MAX).unwrap_or(usize::MAX))
            .collect();
        let touched = self.sessions.keys().chain(counting.keys());
        let due: BTreeSet<u32> = touched.chain(&erased).copied().collect();
        let proposer = self.state.charter().position_of(&self.context.proposer);
        for number in due {
            if erased.contains(&number) {
                self.erase_session(number);
                continue;
            }
            let caller = counting
                .get(&number)
                .map(|counts| proposer.filter(|_| *counts));
            self.settle_session(number, caller);
        }
        let enacted = self.enact();
        let sessions: Vec<u32> = self.sessions.keys().copied().collect();
        let openers: Vec<u32> = self.openers.keys().copied().collect();
        if let Some(proposals) = self.proposals {
            self.state.set_proposals(proposals);
        }
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
            enacted,
            context: self.context,
        }
    }

    /// Counts a live session's last call, if it is in it: for `caller`, if the block counts for its proposer. Then closes its round
    /// or ends it, where that is due.
    fn settle_session(&mut self, number: u32, caller: Option<Option<u16>>) {
        let faults = self.state.charter().faults();
        let now = Now {
            height: self.context.height,
            board_ms: self.board_ms,
        };
        let Some(session) = self.session_mut(number) else {
            return;
        };
        if !session.status().is_live() {
            return;
        }
        let reserved = session.leaf.reserved_bytes;
        // A complaint in this block has stopped the clock.
        let caller = caller.filter(|_| session.leaf.deadline_ms != 0);
        let over = caller.is_some_and(|caller| last_call::count(&mut session.leaf, caller, faults));
        round::settle(session, over, now);
        if !session.status().is_live() {
            let freed = reserved.saturating_sub(session.leaf.reserved_bytes);
            let opener = session.leaf.opener;
            self.give_back(opener, 1, freed);
        }
    }

    fn erase_session(&mut self, number: u32) {
        if let Some(session) = self.session_mut(number) {
            session.erase();
            let (opener, reserved) = (session.leaf.opener, session.leaf.reserved_bytes);
            self.give_back(opener, 0, reserved);
        }
    }

    fn give_back(&mut self, opener: u32, live: u32, bytes: u64) {
        if let Some(leaf) = self.opener_mut(opener) {
            leaf.live = leaf.live.saturating_sub(live);
            leaf.live_bytes = leaf.live_bytes.saturating_sub(bytes);
        }
    }

    fn check_bounds(&self, bytes: u32, work: u32) -> Result<(), Refusal> {
        let params = self.state.params();
        if bytes > params.max_tx {
            return Err(Refusal::TooLarge {
                what: "transaction",
                got: bytes.into(),
                max: params.max_tx.into(),
            });
        }
        if work > params.max_work {
            return Err(Refusal::TooMuchWork {
                got: work,
                max: params.max_work,
            });
        }
        Ok(())
    }

    fn change<'a>(&self, tx: &'a VerifiedTx) -> Result<Change<'a>, Refusal> {
        let network = self.state.network();
        if *tx.network() != network.id {
            return Err(Refusal::BadSignature {
                key: Hash(*tx.signer().as_bytes()),
            });
        }
        self.check_bounds(tx.bytes(), tx.work())?;
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
            Action::Approve(approve) => self.change_charter(approve, signer)?,
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
            reserved: self.reserved(),
            board_ms: self.board_ms,
        };
        opening::check(open, id, books)
    }

    fn commit_open(&mut self, opening: Opening, open: &Open) -> u32 {
        let number = self.next_session().unwrap_or(u32::MAX);
        let spec = Arc::new(open.spec.clone());
        self.opened.insert(opening.id, number);
        let named = (opening.id, open.open_by_ms);
        let session = Session::open(self.protocol(), number, opening.opener, named, spec);
        self.sessions.insert(number, session);
        self.put_opening(opening);
        number
    }

    fn change_body(&mut self, number: u32, change: impl FnOnce(&mut Body)) -> u32 {
        self.change_session(number, |session| {
            session.body.as_mut().map(change).unwrap_or_default();
        })
    }

    fn change_session(&mut self, number: u32, change: impl FnOnce(&mut Session)) -> u32 {
        self.session_mut(number).map(change).unwrap_or_default();
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
    Word(Proposal, Option<&'a Charter>),
}
