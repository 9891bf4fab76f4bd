//! The part of a session that a reader has checked: round by round, every signature under its author's key, against the transcript
//! that the reader computed itself.
//!
//! A [`History`] grows by closed rounds only and takes nothing on trust: a round that contradicts it is refused and leaves
//! it as it was. Two readers whose histories have the same transcript have read the same joins and entries.

mod check;
mod dispute;
mod ending;
#[cfg(test)]
pub(crate) mod tests;

use std::sync::Arc;

use white_city_wire::{
    Bitmap, Entry as WireEntry, Hash, NetworkId, SessionId, Signature, SignedEntry, Spec,
    board::{SessionLeaf, slots_root, transcript_after},
    possible::Impossible,
    proof::RoundProof,
    tree::empty_slot_root,
    tx::Join,
};

pub use self::{check::check_broadcast, ending::LastRound};
use crate::{
    checked::Checked,
    read::{Entry, slots_of},
};

/// Why a round can't be the session's.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Contradiction {
    /// An entry at the wrong place, or indices that don't ascend.
    #[error("the entry of party {index} belongs elsewhere: {what}")]
    Place {
        /// Index of the party whose entry it says it is.
        index: u16,
        /// The difference, in words.
        what: &'static str,
    },
    /// An entry of somebody who isn't a member.
    #[error("party {index} isn't a member, but has an entry")]
    NotMember {
        /// Index of its author.
        index: u16,
    },
    /// A signature that isn't its author's.
    #[error("the signature of party {index} doesn't verify")]
    Signature {
        /// Index of the party whose signature it should be.
        index: u16,
    },
    /// A payload that isn't the one that was signed.
    #[error("the {what} of party {index} isn't what was signed")]
    Payload {
        /// Index of its author.
        index: u16,
        /// The payload's name.
        what: &'static str,
    },
    /// A closed round without a group that has the quorum.
    #[error("{got} entries, {needed} are needed to close the round")]
    TooFew {
        /// Number of entries in the group.
        got: u16,
        /// The quorum.
        needed: u16,
    },
    /// A round past the last one.
    #[error("the round is past the spec's last")]
    PastLastRound,
    /// Entries that aren't those of the session's round.
    #[error("the entries aren't those of the round: one was left out, put in or changed")]
    Transcript,
    /// A dispute that isn't about this session's past, or a verdict that doesn't follow from it.
    #[error("dispute: {0}")]
    Dispute(&'static str),
    /// A terminal record that no board comes to after these rounds.
    #[error("the terminal record {0}")]
    Terminal(Impossible),
    /// Somebody who declined after joining, or aborted without having joined.
    #[error(
        "party {index} can't have left like this: a decline comes before joining, an abort after it"
    )]
    Left {
        /// The party's index.
        index: u16,
    },
    /// An entry that no board takes, though its author has signed it.
    #[error("the entry of party {index}: {what}")]
    Entry {
        /// Index of its author.
        index: u16,
        /// The reason why no board takes it.
        what: Impossible,
    },
    /// The session has such a round, but after another past than the reader's.
    #[error("the round follows another history than the one that was read before")]
    Fork {
        /// The round's root.
        root: Hash,
    },
}

/// A round that has closed, as its signatures prove it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClosedRound {
    /// Digests of its slots in the order of the roster.
    pub digests: Vec<Option<Hash>>,
    /// Its joins, in round 0.
    pub joins: Vec<(Join, Signature)>,
    /// Its entries, without payloads, in the other rounds.
    pub entries: Vec<SignedEntry>,
    /// The parties that went on.
    pub members: Bitmap,
    /// The root over its slots.
    pub root: Hash,
    /// The transcript with it.
    pub transcript: Hash,
}

/// A session's checked past.
#[derive(Debug, Clone)]
pub struct History {
    network: NetworkId,
    session: SessionId,
    spec: Spec,
    rounds: Vec<ClosedRound>,
    everybody: Bitmap,
    /// The root over the payloads of a post that has none for anybody.
    nothing_sealed: Hash,
    checked: Arc<Checked>,
}

impl History {
    /// The past of a session that nothing has been read of. The spec has to be the session's: its id commits to it.
    #[must_use]
    pub fn new(network: NetworkId, session: SessionId, spec: Spec) -> Self {
        let parties = spec.parties();
        Self {
            network,
            session,
            rounds: Vec::new(),
            everybody: Bitmap::full(parties),
            nothing_sealed: empty_slot_root(parties),
            checked: Arc::default(),
            spec,
        }
    }

    /// Signatures that others have checked aren't checked again.
    #[must_use]
    pub fn sharing(mut self, checked: Arc<Checked>) -> Self {
        self.checked = checked;
        self
    }

    /// The session.
    #[must_use]
    pub const fn session(&self) -> SessionId {
        self.session
    }

    /// The spec.
    #[must_use]
    pub const fn spec(&self) -> &Spec {
        &self.spec
    }

    /// The round that follows the last one that was read; 0 is joining.
    #[must_use]
    pub fn open_round(&self) -> u32 {
        u32::try_from(self.rounds.len()).unwrap_or(u32::MAX)
    }

    /// The transcript of the last round that was read; the session id while joining.
    #[must_use]
    pub fn transcript(&self) -> Hash {
        self.rounds
            .last()
            .map_or(Hash(self.session.0), |round| round.transcript)
    }

    /// The parties that may write into the round that follows; in round 0 the whole roster.
    #[must_use]
    pub fn members(&self) -> &Bitmap {
        self.rounds
            .last()
            .map_or(&self.everybody, |round| &round.members)
    }

    /// The parties that may write into a round that has been read, or that follows.
    #[must_use]
    pub fn members_of(&self, round: u32) -> &Bitmap {
        let before = round.checked_sub(1).and_then(|before| self.round(before));
        before.map_or(&self.everybody, |before| &before.members)
    }

    /// A round that has been read.
    #[must_use]
    pub fn round(&self, round: u32) -> Option<&ClosedRound> {
        self.rounds.get(usize::try_from(round).ok()?)
    }

    /// The transcript that the entries of `round` name: that of the round before.
    #[must_use]
    pub fn transcript_before(&self, round: u32) -> Option<Hash> {
        self.round(round.checked_sub(1)?)
            .map(|round| round.transcript)
    }

    /// Whether a state of the session goes on from what was read. Of one that is further, each round is compared when it is read.
    #[must_use]
    pub fn leads_to(&self, leaf: &SessionLeaf) -> bool {
        let open = self.open_round();
        let expected = match leaf.open_round {
            round if round > open => return true,
            0 => Some(Hash(self.session.0)),
            round if round == open => Some(self.transcript()),
            round => self.transcript_before(round),
        };
        expected.is_none_or(|expected| leaf.transcript == expected)
    }

    /// The join that a party has signed; `None` as long as joining hasn't closed, too.
    #[must_use]
    pub fn join(&self, index: u16) -> Option<&Join> {
        let joins = &self.rounds.first()?.joins;
        let at = joins.binary_search_by_key(&index, |(join, _)| join.index);
        Some(&joins.get(at.ok()?)?.0)
    }

    /// The way from a round, the one that follows included, to the transcript of a session with this leaf.
    ///
    /// `None` unless the leaf is of this history.
    #[must_use]
    pub fn proof_of(&self, round: u32, leaf: &SessionLeaf) -> Option<RoundProof> {
        let before = match round.checked_sub(1) {
            None => Hash(self.session.0),
            Some(earlier) => self.round(earlier)?.transcript,
        };
        let first = usize::try_from(round).ok()?.checked_add(1)?;
        let end = usize::try_from(leaf.open_round).ok()?;
        let later = self.rounds.get(first..end)?;
        let proof = RoundProof {
            before,
            later_roots: later.iter().map(|round| round.root).collect(),
        };
        proof
            .is_of(leaf, round, &self.round(round)?.root)
            .then_some(proof)
    }

    /// Checks the joins of a session in which joining has closed. Their signatures have been checked by whoever read them.
    ///
    /// # Errors
    /// [`Contradiction`].
    pub fn check_joining(
        &self,
        joins: &[(Join, Signature)],
        proof: &RoundProof,
        leaf: &SessionLeaf,
    ) -> Result<ClosedRound, Contradiction> {
        if !self.rounds.is_empty() {
            return Err(Contradiction::PastLastRound);
        }
        let digests = self.join_digests(joins)?;
        if !proof.is_of(leaf, 0, &slots_root(digests.iter().copied())) {
            return Err(Contradiction::Transcript);
        }
        self.closed_joining(joins, digests)
    }

    /// The digests of all slots of round 0.
    pub(crate) fn join_digests(
        &self,
        joins: &[(Join, Signature)],
    ) -> Result<Vec<Option<Hash>>, Contradiction> {
        self.digests(joins.iter().map(|(join, _)| (join.index, join.digest())))
    }

    /// Round 0 with these joins, if they are enough to close it.
    pub(crate) fn closed_joining(
        &self,
        joins: &[(Join, Signature)],
        digests: Vec<Option<Hash>>,
    ) -> Result<ClosedRound, Contradiction> {
        let root = slots_root(digests.iter().copied());
        let members = filled(&digests);
        self.check_quorum(&members)?;
        Ok(ClosedRound {
            digests,
            joins: joins.to_vec(),
            entries: Vec::new(),
            members,
            root,
            transcript: transcript_after(&Hash(self.session.0), 0, &root),
        })
    }

    /// Checks the next round, which has closed and was won by posts. `reader` is whose p2p payloads came along.
    ///
    /// # Errors
    /// [`Contradiction`]; [`Contradiction::Fork`] when the session has such a round, but after another past than this one.
    pub fn check_round(
        &self,
        reader: Option<u16>,
        entries: &[Entry],
        proof: &RoundProof,
        leaf: &SessionLeaf,
    ) -> Result<ClosedRound, Contradiction> {
        let round = self.open_round();
        // Posts that win round `max_rounds` end the session: no round follows that one.
        if round == 0 || round >= self.spec.max_rounds {
            return Err(Contradiction::PastLastRound);
        }
        let digests = self.digests(slots_of(entries.iter().map(|entry| &entry.signed)))?;
        let root = slots_root(digests.iter().copied());
        if !proof.is_of(leaf, round, &root) {
            return Err(Contradiction::Transcript);
        }
        // The proof leads from this round to the transcript that is certified: only what is before the round can be another past.
        if proof.before != self.transcript() {
            return Err(Contradiction::Fork { root });
        }
        self.check_entries(entries, &digests)?;
        for entry in entries {
            self.check_payload(reader, entry)?;
        }
        let entries = entries.iter().map(|entry| entry.signed.clone());
        self.closed_by_posts(entries.collect(), digests, root)
    }

    /// Checks the next round without its payloads: every entry, and that posts win it.
    pub(crate) fn check_signed_round(
        &self,
        entries: Vec<SignedEntry>,
    ) -> Result<ClosedRound, Contradiction> {
        let round = self.open_round();
        if round == 0 || round >= self.spec.max_rounds {
            return Err(Contradiction::PastLastRound);
        }
        let digests = self.digests(slots_of(&entries))?;
        for entry in &entries {
            self.check_signed(entry)?;
        }
        let root = slots_root(digests.iter().copied());
        self.closed_by_posts(entries, digests, root)
    }

    /// The next round with these entries and this root over their digests, if posts win it.
    fn closed_by_posts(
        &self,
        entries: Vec<SignedEntry>,
        digests: Vec<Option<Hash>>,
        root: Hash,
    ) -> Result<ClosedRound, Contradiction> {
        let posts = entries.iter().filter_map(|signed| match &signed.entry {
            WireEntry::Post(post) => Some(post.index),
            WireEntry::Finish(_) => None,
        });
        let mut members = Bitmap::empty(self.spec.parties());
        for index in posts {
            members.insert(index);
        }
        self.check_quorum(&members)?;
        Ok(ClosedRound {
            digests,
            joins: Vec::new(),
            entries,
            members,
            root,
            transcript: transcript_after(&self.transcript(), self.open_round(), &root),
        })
    }

    /// Checks that these are the entries of a round that is in this history, with their payloads. Signatures have been checked
    /// for the same digests.
    ///
    /// # Errors
    /// [`Contradiction`].
    pub fn check_again(
        &self,
        round: u32,
        reader: Option<u16>,
        entries: &[Entry],
    ) -> Result<(), Contradiction> {
        let digests = self.digests(slots_of(entries.iter().map(|entry| &entry.signed)))?;
        if self.round(round).map(|known| &known.digests) != Some(&digests) {
            return Err(Contradiction::Transcript);
        }
        let mut payloads = entries.iter();
        payloads.try_for_each(|entry| {
            check_broadcast(entry).and_then(|()| self.check_payload(reader, entry))
        })
    }

    /// Takes in the round that was checked last.
    pub fn push(&mut self, closed: ClosedRound) {
        self.rounds.push(closed);
    }

    /// Checks the entries of the round that was open when the session ended, but for p2p payloads, which nobody opens any
    /// more; `outcome` if it finished, and then that the members themselves have finished with it.
    ///
    /// # Errors
    /// [`Contradiction`].
    pub fn check_last_round(
        &self,
        outcome: Option<&Hash>,
        entries: &[Entry],
        leaf: &SessionLeaf,
    ) -> Result<(), Contradiction> {
        let signed: Vec<SignedEntry> = entries.iter().map(|entry| entry.signed.clone()).collect();
        self.check_signed_last_round(outcome, &signed, leaf)?;
        entries.iter().try_for_each(check_broadcast)
    }

    /// As [`History::check_last_round`], without payloads.
    pub(crate) fn check_signed_last_round(
        &self,
        outcome: Option<&Hash>,
        entries: &[SignedEntry],
        leaf: &SessionLeaf,
    ) -> Result<(), Contradiction> {
        if slots_root(self.digests(slots_of(entries))?) != leaf.slots_root {
            return Err(Contradiction::Transcript);
        }
        for entry in entries {
            self.check_signed(entry)?;
        }
        let Some(outcome) = outcome else {
            return Ok(());
        };
        let finished = entries.iter().filter(|signed| match &signed.entry {
            WireEntry::Finish(finish) => finish.outcome == *outcome,
            WireEntry::Post(_) => false,
        });
        let (got, needed) = (
            u16::try_from(finished.count()).unwrap_or(u16::MAX),
            self.spec.quorum,
        );
        if got < needed {
            return Err(Contradiction::TooFew { got, needed });
        }
        Ok(())
    }

    fn check_quorum(&self, winners: &Bitmap) -> Result<(), Contradiction> {
        let (got, needed) = (winners.count(), self.spec.quorum);
        if got < needed {
            return Err(Contradiction::TooFew { got, needed });
        }
        Ok(())
    }
}

/// The slots that are filled.
#[must_use]
pub fn filled(digests: &[Option<Hash>]) -> Bitmap {
    (0_u16..)
        .zip(digests)
        .map(|(index, digest)| (index, digest.is_some()))
        .collect()
}
