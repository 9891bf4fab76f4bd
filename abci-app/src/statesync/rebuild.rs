//! One session of a snapshot, from its transactions: each is verified, and what they come to must be what its leaf says.

use std::sync::Arc;

use prost::bytes::Bytes;
use white_city_state_machine::{ClosedRound, Slot};
use white_city_wire::{
    Complain, EncryptionKey, Hash, IdentityKey, Network, Spec, VerifiedTx,
    board::{
        Culprit, Offence, SessionLeaf, Status, Terminal, evidence_hash, left_hash, slots_root,
        transcript_after,
    },
    dispute::{Verdict, judge},
    entry::equivocation,
    tx::{Action, UncheckedTx},
};

use super::restore::Rejected;
use crate::store::{Fill, SessionRecord};

/// A session that is being put together.
pub struct Rebuild {
    number: u32,
    network: Arc<Network>,
    leaf: SessionLeaf,
    terminal: Option<Terminal>,
    culprits: Vec<Culprit>,
    left: Vec<(u16, Hash)>,
    /// From its opening on.
    spec: Option<Spec>,
    /// The round that its entries fill at present.
    round: u32,
    slots: Vec<Slot>,
    transcript: Hash,
    joins: Vec<Option<EncryptionKey>>,
    /// Numbers of words of leaving and of pieces of evidence.
    leaves: usize,
    evidence: usize,
    complain: Option<Complain>,
    has_reveal: bool,
    /// Place of the last transaction.
    last: Option<Place>,
}

/// Place of a transaction among those of a session: its kind, its round and its author's index.
type Place = (u8, u32, u16);

impl Rebuild {
    /// Begins with what its record says.
    pub fn new(
        network: Arc<Network>,
        number: u32,
        record: &SessionRecord,
    ) -> Result<Self, Rejected> {
        let (leaf, terminal) = record.leaf_and_end()?;
        let good = leaf.status != Status::Erased && leaf.status.is_live() == terminal.is_none();
        good.then_some(()).ok_or(Rejected::Session("status"))?;
        let (culprits, left) = (record.culprits()?, record.left()?);
        if evidence_hash(&culprits) != leaf.evidence || left_hash(&left) != leaf.left {
            return Err(Rejected::Session("culprits or leavers"));
        }
        Ok(Self {
            number,
            network,
            transcript: Hash(leaf.session.0),
            leaf,
            terminal,
            culprits,
            left,
            spec: None,
            round: 0,
            slots: Vec::new(),
            joins: Vec::new(),
            leaves: 0,
            evidence: 0,
            complain: None,
            has_reveal: false,
            last: None,
        })
    }

    /// Takes its next transaction, and writes what it brings.
    pub fn take(&mut self, bytes: &Bytes, fill: &Fill) -> Result<(), Rejected> {
        let tx = UncheckedTx::decode(bytes)?;
        let tx = match tx.opening() {
            Some(_) => self.open(tx)?,
            None => self.verify(tx)?,
        };
        let place = Some(place(tx.action()));
        if place <= self.last {
            return Err(Rejected::Session("order of transactions"));
        }
        self.last = place;
        match tx.action() {
            Action::Open(_) => {}
            Action::Join(join) => {
                let slot = Slot::Join {
                    digest: join.digest(),
                    key: join.key.clone(),
                };
                self.fill((0, join.index), slot, fill)?;
                let key = self.joins.get_mut(usize::from(join.index));
                *key.ok_or(Rejected::Session("join"))? = Some(join.key.clone());
            }
            Action::Post(post) => {
                let place = (post.header.round, post.header.index);
                self.fill(place, Slot::Post(post.header.digest()), fill)?;
            }
            Action::Finish(finish) => {
                let slot = Slot::Finish {
                    digest: finish.digest(),
                    outcome: finish.outcome,
                };
                self.fill((finish.round, finish.index), slot, fill)?;
            }
            Action::Leave { index, leave, .. } => {
                let digest = leave.digest(&self.leaf.session, *index);
                let next = self.left.iter().find(|left| **left == (*index, digest));
                next.ok_or(Rejected::Session("word of leaving"))?;
                self.leaves += 1;
            }
            Action::Evidence(pair) => {
                let culprit = equivocation(pair).map_err(|_| Rejected::Session("evidence"))?;
                let known = self.culprits.contains(&culprit);
                known.then_some(()).ok_or(Rejected::Session("evidence"))?;
                self.evidence += 1;
            }
            Action::Complain(complain) => self.complain(complain)?,
            Action::Reveal(reveal) => {
                let verdict = self.judged(reveal)?;
                let ended = self.terminal.as_ref().map(|end| end.cause);
                let good = ended.and_then(Verdict::from_cause) == Some(verdict);
                good.then_some(()).ok_or(Rejected::Session("verdict"))?;
                self.has_reveal = true;
            }
            Action::Approve(_) => return Err(Rejected::Session("a word about a charter")),
        }
        fill.tx(self.number, self.leaf.members.size(), &tx)?;
        Ok(())
    }

    /// Ends it, and writes its record; gives its leaf.
    pub fn end(mut self, record: &SessionRecord, fill: &Fill) -> Result<Hash, Rejected> {
        let spec = self.spec.as_ref().ok_or(Rejected::Session("opening"))?;
        if spec.protocol != record.protocol {
            return Err(Rejected::Session("protocol"));
        }
        self.close_until(self.leaf.open_round, fill)?;
        let slots = slots_root(self.slots.iter().map(Slot::digest));
        if self.transcript != self.leaf.transcript || slots != self.leaf.slots_root {
            return Err(Rejected::Session("entries"));
        }
        let by_entries = |culprit: &&Culprit| culprit.offence == Offence::Equivocation;
        let evidence = self.culprits.iter().filter(by_entries).count();
        if (self.leaves, self.evidence) != (self.left.len(), evidence) {
            return Err(Rejected::Session("words of leaving or evidence"));
        }
        let ended = self.terminal.as_ref().map(|end| end.cause);
        let judged = ended.and_then(Verdict::from_cause).is_some();
        let disputed = self.leaf.dispute != Hash::ZERO;
        if (self.complain.is_some(), self.has_reveal) != (disputed, judged) {
            return Err(Rejected::Session("dispute"));
        }
        fill.session(self.number, record)?;
        Ok(self.leaf.hash())
    }

    fn open(&mut self, tx: UncheckedTx) -> Result<VerifiedTx, Rejected> {
        let wrong = Rejected::Session("opening");
        let Some(open) = tx.opening().filter(|_| self.spec.is_none()) else {
            return Err(wrong);
        };
        let (opener, spec) = (open.opener, open.spec.clone());
        let n = spec.parties();
        if open.session_id(&self.network.id) != self.leaf.session || self.leaf.members.size() != n {
            return Err(wrong);
        }
        self.slots = vec![Slot::Empty; usize::from(n)];
        self.joins = vec![None; usize::from(n)];
        self.spec = Some(spec);
        // The id commits to the keys, which every replica has checked before it was on the board.
        let tx = tx.check_keys(|_| true)?;
        Ok(tx.verify(&opener, n, &self.network.id)?)
    }

    fn verify(&self, tx: UncheckedTx) -> Result<VerifiedTx, Rejected> {
        let tx = tx.check_keys(|_| true)?;
        let spec = self.spec.as_ref().ok_or(Rejected::Session("opening"))?;
        let author = tx.unverified_action().author();
        let own = author.filter(|(session, _)| *session == self.leaf.session);
        let (_, index) = own.ok_or(Rejected::Session("a transaction of another one"))?;
        let signer: IdentityKey = *spec.key(index)?;
        Ok(tx.verify(&signer, spec.parties(), &self.network.id)?)
    }

    fn fill(&mut self, place: (u32, u16), slot: Slot, fill: &Fill) -> Result<(), Rejected> {
        let (round, index) = place;
        if round > self.leaf.open_round {
            return Err(Rejected::Session("an entry of a round to come"));
        }
        self.close_until(round, fill)?;
        let place = self.slots.get_mut(usize::from(index));
        *place.ok_or(Rejected::Session("an entry of nobody"))? = slot;
        Ok(())
    }

    /// Closes the rounds before this one.
    fn close_until(&mut self, round: u32, fill: &Fill) -> Result<(), Rejected> {
        while self.round < round {
            let empty = vec![Slot::Empty; self.slots.len()];
            let slots = std::mem::replace(&mut self.slots, empty);
            let closed = ClosedRound::new(slots, self.transcript);
            self.transcript = transcript_after(&self.transcript, self.round, &closed.root);
            fill.round(self.number, self.round, &closed)?;
            self.round = self.round.saturating_add(1);
        }
        Ok(())
    }

    fn complain(&mut self, complain: &Complain) -> Result<(), Rejected> {
        if complain.digest() != self.leaf.dispute {
            return Err(Rejected::Session("complaint"));
        }
        self.complain = Some(complain.clone());
        Ok(())
    }

    fn judged(&self, reveal: &white_city_wire::Reveal) -> Result<Verdict, Rejected> {
        let wrong = || Rejected::Session("reveal");
        let (Some(spec), Some(complain)) = (&self.spec, &self.complain) else {
            return Err(wrong());
        };
        if reveal.complaint != complain.digest() {
            return Err(wrong());
        }
        let key = self.joins.get(usize::from(complain.index));
        let key = key.and_then(Option::as_ref).ok_or_else(wrong)?;
        Ok(judge(&self.network.id, spec, key, complain, reveal)?)
    }
}

const fn place(action: &Action) -> Place {
    match action {
        Action::Open(_) => (0, 0, 0),
        Action::Join(join) => (1, 0, join.index),
        Action::Post(post) => (1, post.header.round, post.header.index),
        Action::Finish(finish) => (1, finish.round, finish.index),
        Action::Leave { index, .. } => (2, 0, *index),
        Action::Evidence([first, _]) => (3, 0, first.entry.slot().2),
        Action::Complain(_) => (4, 0, 0),
        Action::Reveal(_) | Action::Approve(_) => (5, 0, 0),
    }
}
