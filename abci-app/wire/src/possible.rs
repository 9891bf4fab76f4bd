//! States that a board can come to: what holds of every session's leaf and of what it hashes, whoever has certified them.
//!
//! It follows from the rules of the state machine and needs nothing but what is stated. Whoever reads a board and whoever
//! checks a receipt ask the same functions, so that neither believes what the other refuses.

use core::ops::RangeInclusive;

use crate::{
    bitmap::Bitmap,
    board::{BoardRoot, Cause, Culprit, Offence, SessionLeaf, Status, Terminal},
    charter::faults,
    entry::PostHeader,
    hash::Hash,
    limits::{ENTRY_BYTES, NOBODY, PROTOCOL, ROUNDS_MAX},
    reserve::reserved_bytes,
    spec::Spec,
    tree::empty_slot_root,
};

/// Why no board comes to this.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Impossible(pub &'static str);

const fn no(what: &'static str) -> Result<(), Impossible> {
    Err(Impossible(what))
}

impl SessionLeaf {
    /// Checks what the leaf says by itself, in a state with this root and board time, of a board with so many replicas where that is known.
    ///
    /// # Errors
    /// [`Impossible`].
    pub fn check(
        &self,
        replicas: Option<u16>,
        board: &BoardRoot,
        board_ms: u64,
    ) -> Result<(), Impossible> {
        if !(PROTOCOL..=board.protocol).contains(&self.protocol) {
            return no("it was opened under rules that the board didn't have");
        }
        if u64::from(self.opener) >= board.openers {
            return no("nobody has opened it");
        }
        let everybody = self.members == Bitmap::full(self.members.size());
        if self.members.count() == 0 || (self.open_round == 0 && !everybody) {
            return no("its members aren't those of its round");
        }
        let (live, joining) = (self.status.is_live(), self.open_round == 0);
        let disputed = self.dispute != Hash::ZERO;
        if joining != (self.transcript == Hash(self.session.0)) || self.open_round > ROUNDS_MAX {
            return no("its transcript isn't that of its round");
        }
        if live != (self.terminal == Hash::ZERO) {
            return no("it lives and has ended");
        }
        if disputed && self.open_round < 2 {
            return no("a complaint before a round has closed that has payloads");
        }
        let fits = match self.status {
            Status::Joining => joining && !disputed,
            Status::Running | Status::Finished => !joining && !disputed,
            Status::Dispute => disputed,
            Status::Aborted => true,
            Status::Erased => board_ms > self.deadline_ms,
        };
        if !fits {
            return no("its status isn't that of its round, its dispute or its time");
        }
        self.check_last_call(replicas)
    }

    /// Checks the leaf against the session's spec.
    ///
    /// # Errors
    /// [`Impossible`].
    pub fn check_spec(&self, spec: &Spec) -> Result<(), Impossible> {
        if self.members.size() != spec.parties() {
            return no("is of another roster");
        }
        if self.members.count() < spec.quorum {
            return no("has fewer members than the quorum");
        }
        if self.open_round > spec.max_rounds {
            return no("is of a round past the spec's last");
        }
        let all = reserved_bytes(spec);
        let fits = if self.status.is_live() {
            self.reserved_bytes == all
        } else {
            self.reserved_bytes <= all
        };
        if !fits {
            return no("reserves other bytes than the spec says");
        }
        Ok(())
    }

    /// The block in which the last caller counts ends last call, and the end of a session its clock.
    fn check_last_call(&self, replicas: Option<u16>) -> Result<(), Impossible> {
        let callers = Bitmap::from_bytes(256, &self.callers).unwrap_or(Bitmap::empty(256));
        let validators = replicas.unwrap_or(256);
        if self.call_blocks > 0 && (!self.status.is_live() || self.deadline_ms == 0) {
            return no("last call without a deadline that has passed");
        }
        let fits = u32::from(callers.count()) <= self.call_blocks
            && callers.count() <= faults(validators)
            && callers.iter().all(|caller| caller < validators);
        if !fits {
            return no("its callers aren't those of a last call");
        }
        Ok(())
    }
}

impl SessionLeaf {
    /// Contradiction between a later state of the same session and this one; `None` where it may go on from it.
    #[must_use]
    pub fn undone_by(&self, later: &Self) -> Option<&'static str> {
        let is_gone = |before: Hash, after: Hash| before != Hash::ZERO && after == Hash::ZERO;
        if later.open_round < self.open_round {
            return Some("a round that had closed is open again");
        }
        if later.open_round == self.open_round && later.transcript != self.transcript {
            return Some("the open round follows another past");
        }
        let opened = |leaf: &Self| (leaf.protocol, leaf.opener, leaf.members.size());
        if opened(self) != opened(later) {
            return Some("it was opened otherwise");
        }
        if !later.members.is_subset(&self.members) {
            return Some("who was out is a member again");
        }
        if later.reserved_bytes > self.reserved_bytes {
            return Some("it reserves more than before");
        }
        if !self.status.is_live() {
            let end = |leaf: &Self| {
                let round = (leaf.open_round, leaf.slots_root, leaf.members.clone());
                (round, leaf.terminal, leaf.left, leaf.reserved_bytes)
            };
            if end(self) != end(later) {
                return Some("it had ended otherwise");
            }
            if self.status == Status::Erased && later.status != Status::Erased {
                return Some("what was erased is there again");
            }
        }
        if self.dispute != Hash::ZERO && later.dispute != self.dispute {
            return Some("the complaint is gone");
        }
        if is_gone(self.evidence, later.evidence) {
            return Some("the evidence is gone");
        }
        is_gone(self.left, later.left).then_some("those who had left are back")
    }
}

impl Terminal {
    /// Checks the record of a session with this leaf, which has its hash, in a state of this height and board time. What is
    /// wrong follows "the terminal record".
    ///
    /// # Errors
    /// [`Impossible`].
    pub fn check(
        &self,
        leaf: &SessionLeaf,
        (height, board_ms): (u64, u64),
    ) -> Result<(), Impossible> {
        // Erasure changes the status only: how the session ended is in the record.
        let ended = [Status::Finished, Status::Aborted].contains(&self.status);
        if !ended || (leaf.status != self.status && leaf.status != Status::Erased) {
            return no("has another status than the session");
        }
        if self.members != leaf.members {
            return no("has other members than the session");
        }
        if !self.filled.is_subset(&self.members) {
            return no("contradicts itself: others than the members have filled slots");
        }
        let finished = self.status == Status::Finished;
        if finished && leaf.open_round == 0 {
            return no("finishes a session that never ran");
        }
        if finished != (self.cause == Cause::None) {
            return no("contradicts itself: an abort has a cause, and a finish has none");
        }
        if !finished && self.outcome != Hash::ZERO {
            return no("contradicts itself: an abort has no outcome");
        }
        if self.height > height || self.board_ms > board_ms {
            return no("is of a time to come");
        }
        self.check_cause(leaf)
    }

    /// Each cause has its round, and names somebody or nobody.
    fn check_cause(&self, leaf: &SessionLeaf) -> Result<(), Impossible> {
        let disputed = leaf.dispute != Hash::ZERO;
        let nobody = self.by == NOBODY;
        match self.cause {
            Cause::BadPayload | Cause::FalseComplaint | Cause::NoReveal if !disputed => {
                no("is an end by a dispute that there wasn't")
            }
            Cause::BadPayload | Cause::FalseComplaint | Cause::NoReveal => {
                if self.by >= self.members.size() {
                    return no("doesn't name the party that the dispute is about");
                }
                Ok(())
            }
            _ if disputed => no("isn't that of the session's dispute"),
            Cause::Left if !self.members.contains(self.by) || leaf.left == Hash::ZERO => {
                no("doesn't name a member that has left")
            }
            Cause::Left => Ok(()),
            _ if !nobody => no("names somebody for what nobody has caused"),
            Cause::Disagreement | Cause::OutOfRounds if leaf.open_round == 0 => {
                no("has a cause that needs rounds, of a session that never ran")
            }
            Cause::None | Cause::TooFew | Cause::Disagreement | Cause::OutOfRounds => Ok(()),
        }
    }

    /// Checks the record against the session's spec. What is wrong follows "the terminal record".
    ///
    /// # Errors
    /// [`Impossible`].
    pub fn check_spec(&self, leaf: &SessionLeaf, spec: &Spec) -> Result<(), Impossible> {
        let enough = self.filled.count() >= spec.quorum;
        let fits = match self.cause {
            Cause::None | Cause::Disagreement => enough,
            Cause::OutOfRounds => enough && leaf.open_round == spec.max_rounds,
            Cause::TooFew => !enough,
            // A joining ends as soon as too few are left to go on, whoever has joined.
            Cause::Left => !enough || leaf.open_round == 0,
            // A complaint stops the session wherever it is.
            Cause::BadPayload | Cause::FalseComplaint | Cause::NoReveal => true,
        };
        if !fits {
            return no("has a cause that its filled slots don't have");
        }
        Ok(())
    }

    /// Checks how long the session is kept after its end, where it could be opened until `open_by_ms`: until one board time, or until
    /// one in between where the reader hasn't what opened it. What is wrong follows "the terminal record".
    ///
    /// # Errors
    /// [`Impossible`].
    pub fn check_kept(
        &self,
        leaf: &SessionLeaf,
        spec: &Spec,
        open_by_ms: RangeInclusive<u64>,
    ) -> Result<(), Impossible> {
        let kept = |open_by_ms| kept_until_ms(self.board_ms, open_by_ms, spec);
        if (kept(*open_by_ms.start())..=kept(*open_by_ms.end())).contains(&leaf.deadline_ms) {
            return Ok(());
        }
        no("isn't kept for as long as the spec says")
    }
}

/// Board time until which a session that ends now is kept, ms: its retention, but not before nobody can open it anew.
#[must_use]
pub fn kept_until_ms(board_ms: u64, open_by_ms: u64, spec: &Spec) -> u64 {
    board_ms.saturating_add(spec.retention_ms).max(open_by_ms)
}

/// Checks the form of a session's culprits, whose hash its leaf has: each party once, ascending, and convicted of something
/// that there can be evidence of. The evidence itself is another thing.
///
/// # Errors
/// [`Impossible`].
pub fn check_culprits(
    culprits: &[Culprit],
    leaf: &SessionLeaf,
    parties: u16,
) -> Result<(), Impossible> {
    if !culprits.is_sorted_by(|one, next| one.index < next.index) {
        return no("culprits that are there twice, or out of order");
    }
    if culprits.iter().any(|culprit| culprit.index >= parties) {
        return no("a culprit whom the roster doesn't have");
    }
    let mut judged = 0_u32;
    for culprit in culprits {
        match culprit.offence {
            Offence::Equivocation if culprit.a >= culprit.b || culprit.round == 0 => {
                return no("two entries that are the same, or in the wrong order");
            }
            Offence::Equivocation => {}
            Offence::BadPayload | Offence::FalseComplaint => {
                judged = judged.saturating_add(1);
                if leaf.status.is_live()
                    || culprit.a != leaf.dispute
                    || leaf.dispute == Hash::ZERO
                    || !(1..leaf.open_round).contains(&culprit.round)
                {
                    return no("a culprit of a dispute that the session hasn't had");
                }
            }
        }
    }
    if judged > 1 {
        return no("two culprits of one dispute");
    }
    Ok(())
}

/// Checks the form of the list of those who left, whose hash the session's leaf has: each party once.
///
/// # Errors
/// [`Impossible`].
pub fn check_left(left: &[(u16, Hash)], parties: u16) -> Result<(), Impossible> {
    let mut seen = Bitmap::empty(parties);
    for (index, _) in left {
        if *index >= parties || seen.contains(*index) {
            return no("somebody left twice, or isn't in the roster");
        }
        seen.insert(*index);
    }
    Ok(())
}

impl PostHeader {
    /// Checks that a post can have this header in a session with this spec: sizes go with hashes and are within the limits.
    ///
    /// # Errors
    /// [`Impossible`].
    pub fn check(&self, spec: &Spec) -> Result<(), Impossible> {
        let parties = spec.parties();
        if (self.bcast_len == 0) != (self.bcast_hash == Hash::ZERO) {
            return no("a broadcast's size without its hash, or the other way round");
        }
        if (self.p2p_bytes == 0) != (self.p2p_root == empty_slot_root(parties)) {
            return no("the size of payloads without their root, or the other way round");
        }
        let others = u64::from(parties.saturating_sub(1));
        let bytes = u64::from(self.bcast_len).saturating_add(self.p2p_bytes.into());
        let fits = self.bcast_len <= spec.max_bcast
            && (self.p2p_bytes == 0 || self.p2p_bytes >= spec.kem.ciphertext_bytes_min())
            && u64::from(self.p2p_bytes) <= others.saturating_mul(spec.max_p2p.into())
            && bytes.saturating_add(ENTRY_BYTES) <= spec.share_bytes();
        if !fits {
            return no("more bytes than the spec allows, or fewer than a payload has");
        }
        Ok(())
    }
}
