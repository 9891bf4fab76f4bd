//! The transactions that a replica holds pending: one a slot, a bounded number of each identity and in all, so that nobody fills
//! CometBFT's mempool, which would refuse everybody. Local policy, never consensus.

mod arrivals;
mod room;

use std::{collections::BTreeMap, sync::Arc, time::Instant};

pub use arrivals::Arrivals;
pub use room::{Account, ByteLimits};
use room::{Lack, OVERHEAD_BYTES, Room};
use white_city_wire::{
    Hash, IdentityKey, Refusal, SessionId, SignedEntry, SignedTx, VerifiedTx, entry::Entry,
    keys::Signature, tx::Action,
};

use crate::front::Source;

/// A claim that at most one pending transaction can have.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Claim {
    /// The id of a session to be opened.
    Open(Hash),
    /// A slot.
    Slot(SessionId, u32, u16),
    /// A party's leaving.
    Leave(SessionId, u16),
    /// Evidence against a party.
    Evidence(SessionId, u16),
    /// A party's complaint.
    Complaint(SessionId, u16),
    /// A party's answer to a complaint: the accused's, as long as its session is in dispute.
    Reveal(SessionId, u16),
    /// An operator's word.
    Word([u8; 32]),
}

/// Kind of transaction, as far as numbers of them are bounded apart.
#[derive(PartialEq, Eq)]
enum Counted {
    Open,
    Entry,
    Evidence,
}

impl Claim {
    /// The round that it is a slot of.
    const fn round(&self) -> Option<(SessionId, u32)> {
        match self {
            Self::Slot(session, round, _) => Some((*session, *round)),
            _ => None,
        }
    }
}

impl Counted {
    const fn of(claim: &Claim) -> Self {
        match claim {
            Claim::Open(_) => Self::Open,
            Claim::Slot(..)
            | Claim::Leave(..)
            | Claim::Complaint(..)
            | Claim::Reveal(..)
            | Claim::Word(_) => Self::Entry,
            Claim::Evidence(..) => Self::Evidence,
        }
    }
}

struct Held {
    digest: Hash,
    tx: Arc<VerifiedTx>,
    account: Account,
    /// Height of the last commit before it was seen.
    seen: u64,
    is_in_mempool: bool,
}

/// The pending transactions.
pub struct Pending {
    per_identity: u32,
    total: u32,
    /// Number of the held ones that open a session.
    opens: u32,
    held: BTreeMap<Claim, Held>,
    room: Room,
    /// Number of them that the engine has, too.
    in_mempool: usize,
    arrivals: Arrivals,
    identities: BTreeMap<[u8; 32], u32>,
    /// Evidence that this replica has found and that waits for a block of its own.
    found: BTreeMap<(SessionId, u16), Vec<u8>>,
}

/// Part of all pending transactions that may be openings: one in so many.
const OPENS_PART: u32 = 10;
/// Most pieces of evidence that wait for a block.
const FOUND_MAX: usize = 1_024;
/// Blocks after which what CometBFT hasn't rechecked is forgotten: it dropped it.
pub const FORGET_BLOCKS: u64 = 3;

impl Pending {
    pub fn new(per_identity: u32, total: u32, bytes: ByteLimits) -> Self {
        Self {
            per_identity,
            total,
            opens: 0,
            held: BTreeMap::new(),
            room: Room::new(bytes),
            in_mempool: 0,
            arrivals: Arrivals::default(),
            identities: BTreeMap::new(),
            found: BTreeMap::new(),
        }
    }

    /// Takes a transaction that the state would take, `now`; taking the very same again is fine. One digest can be signed in many
    /// ways: only the first of them is taken, or one signer could fill the mempool with copies. Where bytes are used up that sessions
    /// share, the one that has the most makes room.
    pub fn take(
        &mut self,
        tx: &Arc<VerifiedTx>,
        account: Account,
        source: Source,
        height: u64,
        now: Instant,
    ) -> Result<(), Refusal> {
        let (claim, digest) = claim(tx);
        let is_in_mempool = source != Source::Client;
        self.give_way(&claim, tx);
        if let Some(held) = self.held.get_mut(&claim) {
            if held.tx == *tx {
                held.seen = height;
                if is_in_mempool && !held.is_in_mempool {
                    held.is_in_mempool = true;
                    self.in_mempool += 1;
                }
                return Ok(());
            }
            let existing = held.digest;
            let first = signed_entry(&held.tx);
            self.note_equivocation(first, tx);
            return Err(Refusal::SlotPending { existing });
        }
        let counted = Counted::of(&claim);
        self.check_room(&counted, tx.signer())?;
        self.make_room(&account, counted_bytes(tx))?;
        self.room.add(&account, counted_bytes(tx));
        if counted != Counted::Evidence {
            *self.identities.entry(*tx.signer().as_bytes()).or_default() += 1;
        }
        if counted == Counted::Open {
            self.opens += 1;
        }
        self.arrivals.note(claim.round(), now);
        self.in_mempool += usize::from(is_in_mempool);
        let held = Held {
            digest,
            tx: Arc::clone(tx),
            account,
            seen: height,
            is_in_mempool,
        };
        self.held.insert(claim, held);
        Ok(())
    }

    /// Lets go of an operator's word, if a later one comes.
    fn give_way(&mut self, claim: &Claim, tx: &VerifiedTx) {
        let order = |tx: &VerifiedTx| match tx.action() {
            Action::Approve(approve) => Some((approve.term, approve.sequence)),
            _ => None,
        };
        let held = self.held.get(claim).map(|held| Arc::clone(&held.tx));
        if let Some(held) = held.filter(|held| order(held) < order(tx)) {
            self.release(&held);
        }
    }

    /// Whether an opening that isn't held yet could be taken.
    pub fn check_opening(&self, id: &SessionId, opener: &IdentityKey) -> Result<(), Refusal> {
        if let Some(held) = self.held.get(&Claim::Open(Hash(id.0))) {
            return Err(Refusal::SlotPending {
                existing: held.digest,
            });
        }
        self.check_room(&Counted::Open, opener)
    }

    /// Openings have a small part of the whole for themselves, so that they can't crowd out entries. Evidence isn't counted
    /// against the one that it convicts: there is one piece at most for each session and party.
    fn check_room(&self, counted: &Counted, signer: &IdentityKey) -> Result<(), Refusal> {
        let total = u32::try_from(self.held.len()).unwrap_or(u32::MAX);
        let own = self.identities.get(signer.as_bytes()).copied();
        let own = (own.unwrap_or(0), self.per_identity);
        let opens = (self.opens, (self.total / OPENS_PART).max(1));
        let limits: &[(u32, u32)] = match counted {
            Counted::Open => &[own, opens, (total, self.total)],
            Counted::Entry => &[own, (total, self.total)],
            Counted::Evidence => &[(total, self.total)],
        };
        match limits.iter().find(|(pending, max)| pending >= max) {
            Some((pending, max)) => Err(Refusal::TooManyPending {
                pending: *pending,
                max: *max,
            }),
            None => Ok(()),
        }
    }

    /// Finds room for so many bytes. The session that has the most gives entries up as long as it has more than the one that needs
    /// room: so whoever fills it all leaves the others an equal part.
    fn make_room(&mut self, account: &Account, bytes: u64) -> Result<(), Refusal> {
        loop {
            let (is_strangers, refusal) = match self.room.check(account, bytes) {
                Ok(()) => return Ok(()),
                Err(Lack::Own(refusal)) => return Err(refusal),
                Err(Lack::Shared {
                    is_strangers,
                    refusal,
                }) => (is_strangers, refusal),
            };
            let fattest = self.room.fattest(account, bytes, is_strangers);
            let given_up = fattest.and_then(|session| self.last_entry(session));
            let Some(given_up) = given_up else {
                return Err(refusal);
            };
            // It stays given up even if this isn't enough in the end: its session has more than the other one's either way.
            self.release(&given_up);
        }
    }

    /// The last entry that a session has pending, in the order of its rounds and parties.
    fn last_entry(&self, session: SessionId) -> Option<Arc<VerifiedTx>> {
        let slots = Claim::Slot(session, 0, 0)..=Claim::Slot(session, u32::MAX, u16::MAX);
        let (_, held) = self.held.range(slots).next_back()?;
        Some(Arc::clone(&held.tx))
    }

    /// Lets go of what a block has settled. Another entry for the same slot is evidence: its author may have handed one to this
    /// replica and another one to the next.
    pub fn settle(&mut self, committed: &VerifiedTx) {
        let (claim, digest) = claim(committed);
        let Some(held) = self.held.get(&claim) else {
            return;
        };
        let (is_other, tx) = (held.digest != digest, Arc::clone(&held.tx));
        if is_other {
            self.note_equivocation(signed_entry(committed), &tx);
        }
        self.release(&tx);
    }

    /// Lets go of a transaction that was committed or refused by a recheck.
    pub fn release(&mut self, tx: &VerifiedTx) {
        let (claim, digest) = claim(tx);
        let held = self.held.get(&claim);
        if let Some(held) = held.filter(|held| held.digest == digest) {
            let counted = Counted::of(&claim);
            let (is_in_mempool, account) = (held.is_in_mempool, held.account);
            self.room.remove(&account, counted_bytes(&held.tx));
            self.in_mempool = self.in_mempool.saturating_sub(is_in_mempool.into());
            self.held.remove(&claim);
            self.arrivals.forget(claim.round());
            if counted == Counted::Open {
                self.opens = self.opens.saturating_sub(1);
            }
            if counted != Counted::Evidence {
                self.count_down(tx);
            }
        }
    }

    /// Lets go of everything, and gives it, with where it came from.
    pub fn take_all(&mut self) -> Vec<(Arc<VerifiedTx>, Source)> {
        let held = self.held.values().map(|held| {
            let source = match held.is_in_mempool {
                true => Source::EngineAgain,
                false => Source::Client,
            };
            (Arc::clone(&held.tx), source)
        });
        let all: Vec<(Arc<VerifiedTx>, Source)> = held.collect();
        for (tx, _) in &all {
            self.release(tx);
        }
        all
    }

    /// Lets go of what CometBFT doesn't hold any more.
    pub fn forget_unseen(&mut self, height: u64) {
        let gone: Vec<Arc<VerifiedTx>> = self
            .held
            .values()
            .filter(|held| held.seen + FORGET_BLOCKS < height)
            .map(|held| Arc::clone(&held.tx))
            .collect();
        for tx in gone {
            self.release(&tx);
        }
    }

    /// Keeps two signed entries of one slot for a proposal, if that is what they are; says so when they are new.
    pub fn note_equivocation(&mut self, first: Option<SignedEntry>, second: &VerifiedTx) {
        let (Some(first), Some(second)) = (first, signed_entry(second)) else {
            return;
        };
        if first.entry.slot() != second.entry.slot()
            || first.entry.digest() == second.entry.digest()
        {
            return;
        }
        let (session, round, index) = first.entry.slot();
        if self.found.len() >= FOUND_MAX || self.found.contains_key(&(session, index)) {
            return;
        }
        let mut pair = [first, second];
        pair.sort_by_key(|entry| entry.entry.digest());
        if let Ok(evidence) = SignedTx::new(Action::Evidence(pair), Signature([0; 64])) {
            tracing::warn!(%session, round, index, "two entries for one slot");
            self.found.insert((session, index), evidence.encode());
        }
    }

    /// Whether the engine has some of it, and so makes a block.
    pub const fn is_in_mempool(&self) -> bool {
        self.in_mempool > 0
    }

    /// Number of the held transactions, and the bytes that they count.
    pub fn figures(&self) -> (usize, u64) {
        (self.held.len(), self.room.total())
    }

    /// Every transaction that is held.
    pub fn held(&self) -> impl Iterator<Item = &Arc<VerifiedTx>> {
        self.held.values().map(|held| &held.tx)
    }

    /// When it came.
    pub const fn arrivals(&self) -> &Arrivals {
        &self.arrivals
    }

    /// The evidence that waits for a block.
    pub fn found(&self) -> Vec<Vec<u8>> {
        self.found.values().cloned().collect()
    }

    /// Keeps only the found evidence that `still_wanted` wants.
    pub fn retain_found(&mut self, still_wanted: impl Fn(&[u8]) -> bool) {
        self.found.retain(|_, evidence| still_wanted(evidence));
    }

    fn count_down(&mut self, tx: &VerifiedTx) {
        let key = *tx.signer().as_bytes();
        if let Some(count) = self.identities.get_mut(&key) {
            *count = count.saturating_sub(1);
            if *count == 0 {
                self.identities.remove(&key);
            }
        }
    }
}

/// Bytes that a transaction counts against those that may be pending.
fn counted_bytes(tx: &VerifiedTx) -> u64 {
    u64::from(tx.bytes()).saturating_add(OVERHEAD_BYTES)
}

fn claim(tx: &VerifiedTx) -> (Claim, Hash) {
    match tx.action() {
        Action::Open(open) => {
            let id = Hash(open.session_id(tx.network()).0);
            (Claim::Open(id), id)
        }
        Action::Join(join) => (Claim::Slot(join.session, 0, join.index), join.digest()),
        Action::Post(post) => {
            let h = &post.header;
            (Claim::Slot(h.session, h.round, h.index), h.digest())
        }
        Action::Finish(h) => (Claim::Slot(h.session, h.round, h.index), h.digest()),
        Action::Leave {
            session,
            index,
            leave,
        } => (
            Claim::Leave(*session, *index),
            leave.digest(session, *index),
        ),
        Action::Evidence([first, second]) => {
            let (session, _, index) = first.entry.slot();
            let digest = white_city_wire::tree::node(&first.entry.digest(), &second.entry.digest());
            (Claim::Evidence(session, index), digest)
        }
        Action::Complain(complain) => {
            let claim = Claim::Complaint(complain.post.session, complain.index);
            (claim, complain.digest())
        }
        Action::Reveal(reveal) => (Claim::Reveal(reveal.session, reveal.index), reveal.digest()),
        Action::Approve(approve) => (Claim::Word(*tx.signer().as_bytes()), approve.digest()),
    }
}

/// The session and round of the slot that a transaction fills, if it fills one.
pub fn round_of(tx: &VerifiedTx) -> Option<(SessionId, u32)> {
    claim(tx).0.round()
}

/// The entry in a transaction, if it is one.
pub fn signed_entry(tx: &VerifiedTx) -> Option<SignedEntry> {
    let entry = match tx.action() {
        Action::Post(post) => Entry::Post(post.header.clone()),
        Action::Finish(finish) => Entry::Finish(finish.clone()),
        _ => return None,
    };
    Some(SignedEntry {
        entry,
        signature: *tx.signature(),
    })
}
