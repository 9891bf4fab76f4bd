//! One session: its leaf, and until erasure everything behind it.

use alloc::{sync::Arc, vec, vec::Vec};

use rpds::VectorSync;
use white_city_wire::{
    Bitmap, Complain, EncryptionKey, Hash, IdentityKey, Refusal, SessionId, Spec,
    board::{Cause, Culprit, SessionLeaf, Status, Terminal, evidence_hash, left_hash, slots_root},
    dispute::Verdict,
    limits::NOBODY,
    possible::kept_until_ms,
    reserve::{Disputed, kept_bytes, reserved_bytes},
};

/// Content of a slot: the first valid one, for ever.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Slot {
    /// Nothing.
    #[default]
    Empty,
    /// A join.
    Join {
        /// Its digest.
        digest: Hash,
        /// The key that it brought, with which complaints of the party are judged.
        key: EncryptionKey,
    },
    /// A post, by its digest.
    Post(Hash),
    /// A finish.
    Finish {
        /// Its digest.
        digest: Hash,
        /// The outcome that it names.
        outcome: Hash,
    },
}

impl Slot {
    /// The digest of what it holds.
    #[must_use]
    pub const fn digest(&self) -> Option<Hash> {
        match self {
            Self::Empty => None,
            Self::Join { digest, .. } | Self::Post(digest) | Self::Finish { digest, .. } => {
                Some(*digest)
            }
        }
    }

    /// Whether it holds nothing.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        matches!(self, Self::Empty)
    }
}

/// A closed round. It never changes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClosedRound {
    /// Its slots.
    pub slots: Arc<Vec<Slot>>,
    /// The root over them, which the transcript chains.
    pub root: Hash,
    /// The transcript before it, so that proofs of late rounds don't chain all those before.
    pub before: Hash,
}

impl ClosedRound {
    /// The round that ended with these slots, after this transcript.
    #[must_use]
    pub fn new(slots: Vec<Slot>, before: Hash) -> Self {
        Self {
            before,
            root: slots_root(slots.iter().map(Slot::digest)),
            slots: Arc::new(slots),
        }
    }
}

/// One session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Session {
    /// Its number, from 0 in the order of opening.
    pub number: u32,
    /// The values that its leaf hashes. The members, and the hashes of slots, terminal record, evidence, leavers and dispute, are those
    /// of the end of the last block.
    pub leaf: SessionLeaf,
    /// The terminal record, once it has ended.
    pub terminal: Option<Terminal>,
    /// Everything that is kept only until erasure.
    pub body: Option<Body>,
    /// Instead of the body what is left of it here, where an ended session was put to rest.
    pub rest: Option<Rest>,
}

/// All that the rules need of an ended session: evidence against its parties is taken until erasure.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rest {
    /// The parties' keys.
    pub roster: Arc<[IdentityKey]>,
    /// Parties with signed evidence against them, ascending.
    pub culprits: Vec<Culprit>,
    /// Number of parties that left by name.
    pub leavers: u16,
}

/// The part of a session that is kept until erasure.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Body {
    /// The session's spec.
    pub spec: Arc<Spec>,
    /// Board time until which it could be opened, ms.
    pub open_by_ms: u64,
    /// Members: the parties that may fill the open round's slots.
    pub members: Bitmap,
    /// The open round's slots.
    pub slots: Vec<Slot>,
    /// The closed rounds, from round 0. There may be tens of thousands: a copy shares them.
    pub closed: VectorSync<ClosedRound>,
    /// Bytes that each party's entries have counted.
    pub used_bytes: Vec<u64>,
    /// Parties with signed evidence against them, ascending.
    pub culprits: Vec<Culprit>,
    /// Parties that left, in that order, with the digest of their word.
    pub left: Vec<(u16, Hash)>,
    /// The complaint that was taken, if there was one.
    pub dispute: Option<Dispute>,
}

/// A complaint that was taken, and what became of it. A session has at most one, kept until erasure.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Dispute {
    /// The complaint.
    pub complain: Complain,
    /// The answer, from the transaction that brought it to the end of its block and on.
    pub revealed: Option<Revealed>,
}

/// An answer that was judged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Revealed {
    /// Digest of the reveal.
    pub digest: Hash,
    /// The verdict on the reveal.
    pub verdict: Verdict,
    /// Size of the plaintext that it shows, bytes.
    pub plaintext_bytes: u32,
}

impl Dispute {
    /// Whether this is the answer that has come.
    #[must_use]
    pub fn is_answered_by(&self, digest: Hash) -> bool {
        self.revealed
            .is_some_and(|revealed| revealed.digest == digest)
    }

    /// Kind of dispute that a session's weight counts.
    fn left_behind(dispute: Option<&Self>) -> Disputed {
        let Some(dispute) = dispute else {
            return Disputed::No;
        };
        dispute.revealed.map_or(Disputed::Complained, |revealed| {
            Disputed::Revealed(revealed.plaintext_bytes)
        })
    }

    /// Cause and causer of the session's end. Silence has a cause, too: the accused; but it is no offence.
    pub(crate) fn ending(&self) -> (Cause, u16) {
        match self.revealed {
            Some(Revealed { verdict, .. }) => (verdict.cause(), verdict.culprit(&self.complain)),
            None => (Cause::NoReveal, self.complain.accused()),
        }
    }
}

impl Session {
    /// A session that has just been opened, under the rules of this number.
    #[must_use]
    pub fn open(
        protocol: u32,
        number: u32,
        opener: u32,
        (id, open_by_ms): (SessionId, u64),
        spec: Arc<Spec>,
    ) -> Self {
        let n = spec.parties();
        let body = Body {
            members: Bitmap::full(n),
            slots: vec![Slot::Empty; usize::from(n)],
            closed: VectorSync::new_sync(),
            used_bytes: vec![0; usize::from(n)],
            culprits: Vec::new(),
            left: Vec::new(),
            dispute: None,
            spec,
            open_by_ms,
        };
        let mut session = Self {
            number,
            leaf: SessionLeaf {
                session: id,
                status: Status::Joining,
                open_round: 0,
                protocol,
                opener,
                reserved_bytes: reserved_bytes(&body.spec),
                members: body.members.clone(),
                transcript: Hash(id.0),
                slots_root: Hash::ZERO,
                deadline_ms: 0,
                call_blocks: 0,
                callers: [0; 32],
                dispute: Hash::ZERO,
                terminal: Hash::ZERO,
                evidence: Hash::ZERO,
                left: Hash::ZERO,
            },
            terminal: None,
            body: Some(body),
            rest: None,
        };
        session.refresh_leaf();
        session
    }

    /// The session's id.
    #[must_use]
    pub const fn id(&self) -> SessionId {
        self.leaf.session
    }

    /// Its present status.
    #[must_use]
    pub const fn status(&self) -> Status {
        self.leaf.status
    }

    /// The part that is kept until erasure, or until the ended session was put to rest.
    ///
    /// # Errors
    /// [`Refusal::Erased`]; [`Refusal::Ended`].
    pub fn body(&self) -> Result<&Body, Refusal> {
        self.body.as_ref().ok_or(match self.rest {
            Some(_) => Refusal::Ended,
            None => Refusal::Erased,
        })
    }

    /// The key of a party.
    ///
    /// # Errors
    /// [`Refusal::NotInRoster`]; [`Refusal::Erased`].
    pub fn key(&self, index: u16) -> Result<&IdentityKey, Refusal> {
        let Some(rest) = &self.rest else {
            return self.body()?.spec.key(index);
        };
        let key = rest.roster.get(usize::from(index));
        key.ok_or(Refusal::NotInRoster {
            index,
            parties: self.leaf.members.size(),
        })
    }

    /// The parties' keys; none of an erased session.
    #[must_use]
    pub fn roster(&self) -> &[IdentityKey] {
        match (&self.body, &self.rest) {
            (Some(body), _) => &body.spec.roster,
            (None, Some(rest)) => &rest.roster,
            (None, None) => &[],
        }
    }

    /// Parties with signed evidence against them, ascending; none of an erased session.
    #[must_use]
    pub fn culprits(&self) -> &[Culprit] {
        match (&self.body, &self.rest) {
            (Some(body), _) => &body.culprits,
            (None, Some(rest)) => &rest.culprits,
            (None, None) => &[],
        }
    }

    /// The open round's filled slots, as they are or were at the end; of an erased session `None`.
    #[must_use]
    pub fn filled(&self) -> Option<Bitmap> {
        match (&self.body, &self.rest) {
            (Some(body), _) => Some(body.filled()),
            (None, Some(_)) => self.terminal.as_ref().map(|end| end.filled.clone()),
            (None, None) => None,
        }
    }

    /// Number of parties that left by name; of an erased session none.
    #[must_use]
    pub fn leavers(&self) -> usize {
        match (&self.body, &self.rest) {
            (Some(body), _) => body.left.len(),
            (None, Some(rest)) => rest.leavers.into(),
            (None, None) => 0,
        }
    }

    /// Checks that `signer` is the party at `index`.
    pub(crate) fn check_signer(&self, index: u16, signer: &IdentityKey) -> Result<(), Refusal> {
        let key = self.key(index)?;
        (key == signer).then_some(()).ok_or(Refusal::BadSignature {
            key: Hash(*key.as_bytes()),
        })
    }

    /// Flags a culprit.
    pub(crate) fn flag(&mut self, culprit: Culprit) {
        let culprits = match (&mut self.body, &mut self.rest) {
            (Some(body), _) => &mut body.culprits,
            (None, Some(rest)) => &mut rest.culprits,
            (None, None) => return,
        };
        flag(culprits, culprit);
    }

    /// The same session without what the rules don't need of an ended one. Others are as they are.
    #[must_use]
    pub fn at_rest(&self) -> Self {
        let ended = !self.status().is_live();
        let Some(body) = self.body.as_ref().filter(|_| ended) else {
            return self.clone();
        };
        Self {
            number: self.number,
            leaf: self.leaf.clone(),
            terminal: self.terminal.clone(),
            body: None,
            rest: Some(Rest {
                roster: body.spec.roster.as_slice().into(),
                culprits: body.culprits.clone(),
                leavers: u16::try_from(body.left.len()).unwrap_or(u16::MAX),
            }),
        }
    }

    /// Length of the present phase, ms of board time.
    #[must_use]
    pub fn phase_ms(&self) -> u64 {
        self.body.as_ref().map_or(0, |body| match self.leaf.status {
            Status::Joining => body.spec.join_ms,
            Status::Dispute => body.spec.reveal_ms,
            _ => body.spec.round_ms,
        })
    }

    /// Board time at which the present phase began, ms; `None` as long as its clock hasn't started.
    #[must_use]
    pub fn began_ms(&self) -> Option<u64> {
        let deadline_ms = self.leaf.deadline_ms;
        (deadline_ms > 0).then(|| deadline_ms.saturating_sub(self.phase_ms()))
    }

    /// Recomputes the hashes in the leaf. An erased session keeps what it had.
    pub fn refresh_leaf(&mut self) {
        self.leaf.terminal = self.terminal.as_ref().map_or(Hash::ZERO, Terminal::hash);
        if let Some(body) = &self.body {
            self.leaf.members.clone_from(&body.members);
            self.leaf.slots_root = slots_root(body.slots.iter().map(Slot::digest));
            self.leaf.evidence = evidence_hash(&body.culprits);
            self.leaf.left = left_hash(&body.left);
            let dispute = body.dispute.as_ref();
            self.leaf.dispute = dispute.map_or(Hash::ZERO, |dispute| dispute.complain.digest());
        }
        if let Some(rest) = &self.rest {
            self.leaf.evidence = evidence_hash(&rest.culprits);
        }
    }

    /// Lets the next block start the clock anew; last call hasn't begun.
    pub(crate) fn restart_clock(&mut self) {
        self.leaf.deadline_ms = 0;
        self.leaf.call_blocks = 0;
        self.leaf.callers = [0; 32];
    }

    /// Ends the session. Transcript, slots and open round stay as they are.
    pub(crate) fn end(
        &mut self,
        (status, cause): (Status, Cause),
        by: Option<u16>,
        outcome: Hash,
        (height, board_ms): (u64, u64),
    ) {
        let Some(body) = &self.body else { return };
        self.terminal = Some(Terminal {
            status,
            cause,
            height,
            board_ms,
            by: by.unwrap_or(NOBODY),
            outcome,
            members: body.members.clone(),
            filled: body.filled(),
        });
        let entries = body.used_bytes.iter();
        let entries = entries.fold(0, |sum: u64, used| sum.saturating_add(*used));
        let disputed = Dispute::left_behind(body.dispute.as_ref());
        self.leaf.reserved_bytes = kept_bytes(&body.spec, self.leaf.open_round, entries, disputed);
        self.leaf.status = status;
        self.leaf.deadline_ms = kept_until_ms(board_ms, body.open_by_ms, &body.spec);
        self.leaf.call_blocks = 0;
        self.leaf.callers = [0; 32];
    }

    /// Drops what isn't kept for ever.
    pub(crate) fn erase(&mut self) {
        self.refresh_leaf();
        self.leaf.status = Status::Erased;
        self.body = None;
        self.rest = None;
    }
}

impl Body {
    /// The open round's filled slots.
    #[must_use]
    pub fn filled(&self) -> Bitmap {
        (0_u16..)
            .zip(&self.slots)
            .map(|(index, slot)| (index, !slot.is_empty()))
            .collect()
    }

    /// The slot of the open round or a closed one; `None` for rounds to come and indices past the roster.
    #[must_use]
    pub fn slot(&self, round: u32, index: u16) -> Option<&Slot> {
        let round = usize::try_from(round).ok()?;
        let slots = match self.closed.get(round) {
            Some(closed) => closed.slots.as_slice(),
            None if round == self.closed.len() => &self.slots,
            None => return None,
        };
        slots.get(usize::from(index))
    }

    /// Whether the party has left by name.
    #[must_use]
    pub fn has_left(&self, index: u16) -> bool {
        self.left.iter().any(|(leaver, _)| *leaver == index)
    }

    /// The parties that have left by name.
    #[must_use]
    pub fn leavers(&self) -> Bitmap {
        let mut leavers = Bitmap::empty(self.members.size());
        self.left
            .iter()
            .for_each(|(index, _)| leavers.insert(*index));
        leavers
    }

    /// Members whose slots the open round still waits for.
    #[must_use]
    pub fn awaited(&self) -> Bitmap {
        let (filled, left) = (self.filled(), self.leavers());
        (0..self.members.size())
            .map(|i| {
                let awaited = self.members.contains(i) && !filled.contains(i) && !left.contains(i);
                (i, awaited)
            })
            .collect()
    }
}

/// Position among culprits that a party has, or would have.
pub fn place_of(culprits: &[Culprit], index: u16) -> Result<usize, usize> {
    culprits.binary_search_by_key(&index, |culprit| culprit.index)
}

/// Flags a culprit, unless the party is one already: the first evidence against it stays.
pub fn flag(culprits: &mut Vec<Culprit>, culprit: Culprit) {
    if let Err(place) = place_of(culprits, culprit.index) {
        culprits.insert(place, culprit);
    }
}
