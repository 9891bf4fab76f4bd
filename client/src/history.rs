//! What a reader has checked of a session: round by round, every signature under its author's key, against the transcript
//! that the reader computed itself.
//!
//! A [`History`] grows by closed rounds only and takes nothing on trust: a round that contradicts it is refused and leaves
//! it as it was. Two readers whose histories have the same transcript have read the same joins and entries.

mod check;
#[cfg(test)]
pub(crate) mod tests;

use white_city_wire::{
    Bitmap, Entry as WireEntry, Hash, NetworkId, SessionId, SignedEntry, Spec,
    board::{slots_root, transcript_next, transcript_start},
    tx::Join,
};

use crate::read::Entry;

/// Why a round can't be the session's.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Contradiction {
    /// An entry at the wrong place, or indices that don't ascend.
    #[error("the entry of party {index} belongs elsewhere: {what}")]
    Place {
        /// Whose it says it is.
        index: u16,
        /// What differs.
        what: &'static str,
    },
    /// An entry of somebody who isn't a member.
    #[error("party {index} isn't a member, but has an entry")]
    NotMember {
        /// Whose.
        index: u16,
    },
    /// A signature that isn't its author's.
    #[error("the signature of party {index} doesn't verify")]
    Signature {
        /// Whose it should be.
        index: u16,
    },
    /// A payload that isn't the one that was signed.
    #[error("the {what} of party {index} isn't what was signed")]
    Payload {
        /// Whose.
        index: u16,
        /// Which payload.
        what: &'static str,
    },
    /// A closed round without a group that has the quorum.
    #[error("{got} entries, {needed} are needed to close the round")]
    TooFew {
        /// How many there are.
        got: u16,
        /// The quorum.
        needed: u16,
    },
    /// A round past the last one.
    #[error("the round is past the spec's last")]
    PastLastRound,
    /// A transcript that isn't the one that the reader computed.
    #[error("another transcript than the one that follows from the rounds")]
    Transcript,
}

/// A round that has closed, as its signatures prove it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClosedRound {
    /// Digests of its slots in the order of the roster.
    pub digests: Vec<Option<Hash>>,
    /// Its entries, without payloads; none in round 0.
    pub entries: Vec<SignedEntry>,
    /// Who went on.
    pub members: Bitmap,
    /// The transcript with it.
    pub transcript: Hash,
}

/// A session's checked past.
#[derive(Debug, Clone)]
pub struct History {
    network: NetworkId,
    session: SessionId,
    spec: Spec,
    joins: Vec<Option<Join>>,
    rounds: Vec<ClosedRound>,
    everybody: Bitmap,
}

impl History {
    /// The past of a session that nothing has been read of. The spec has to be the session's: its id commits to it.
    #[must_use]
    pub fn new(network: NetworkId, session: SessionId, spec: Spec) -> Self {
        let parties = spec.parties();
        Self {
            network,
            session,
            joins: vec![None; usize::from(parties)],
            rounds: Vec::new(),
            everybody: Bitmap::full(parties),
            spec,
        }
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

    /// Who may write into the round that follows; in round 0 the whole roster.
    #[must_use]
    pub fn members(&self) -> &Bitmap {
        self.rounds
            .last()
            .map_or(&self.everybody, |round| &round.members)
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

    /// What a party brought when it joined; `None` as long as joining hasn't closed, too.
    #[must_use]
    pub fn join(&self, index: u16) -> Option<&Join> {
        self.joins.get(usize::from(index))?.as_ref()
    }

    /// Forgets the rounds from `open_round` on.
    pub(crate) fn cut(&mut self, open_round: u32) {
        self.rounds
            .truncate(usize::try_from(open_round).unwrap_or(usize::MAX));
        if open_round == 0 {
            self.joins.fill(None);
        }
    }

    /// Takes in the joins when joining has closed. Their signatures have been checked by whoever read them.
    ///
    /// # Errors
    /// [`Contradiction`]; nothing has changed then.
    pub(crate) fn close_joining(&mut self, joins: Vec<Join>) -> Result<(), Contradiction> {
        if !self.rounds.is_empty() {
            return Err(Contradiction::PastLastRound);
        }
        let mut by_index = vec![None; usize::from(self.spec.parties())];
        for join in joins {
            let index = join.index;
            match by_index.get_mut(usize::from(index)) {
                Some(slot @ None) => *slot = Some(join),
                _ => {
                    return Err(Contradiction::Place {
                        index,
                        what: "a second join",
                    });
                }
            }
        }
        let digests: Vec<Option<Hash>> = by_index
            .iter()
            .map(|join| join.as_ref().map(Join::digest))
            .collect();
        let members = filled(&digests);
        self.check_quorum(&members)?;
        self.joins = by_index;
        let transcript = transcript_start(&self.session, &slots_root(digests.iter().copied()));
        self.rounds.push(ClosedRound {
            digests,
            entries: Vec::new(),
            members,
            transcript,
        });
        Ok(())
    }

    /// Takes in the next round, which has closed and was won by posts. `reader` is whose p2p payloads came along.
    ///
    /// # Errors
    /// [`Contradiction`]; nothing has changed then.
    pub fn close_round(
        &mut self,
        reader: Option<u16>,
        entries: &[Entry],
    ) -> Result<(), Contradiction> {
        let round = self.open_round();
        if round == 0 || round >= self.spec.max_rounds {
            return Err(Contradiction::PastLastRound);
        }
        let digests = self.check_entries(reader, entries)?;
        let posts = (0..self.spec.parties()).map(|index| {
            let posted = |entry: &Entry| {
                entry.signed.entry.slot().2 == index
                    && matches!(entry.signed.entry, WireEntry::Post(_))
            };
            (index, entries.iter().any(posted))
        });
        let members: Bitmap = posts.collect();
        self.check_quorum(&members)?;
        let root = slots_root(digests.iter().copied());
        let transcript = transcript_next(&self.transcript(), round, &root);
        self.rounds.push(ClosedRound {
            digests,
            entries: entries.iter().map(|entry| entry.signed.clone()).collect(),
            members,
            transcript,
        });
        Ok(())
    }

    /// Checks that the members themselves have finished the session with this outcome in the round that follows.
    ///
    /// # Errors
    /// [`Contradiction`].
    pub fn check_finish(&self, outcome: &Hash, entries: &[Entry]) -> Result<(), Contradiction> {
        self.check_entries(None, entries)?;
        let finished = entries.iter().map(|entry| match &entry.signed.entry {
            WireEntry::Finish(finish) => (finish.index, finish.outcome == *outcome),
            WireEntry::Post(post) => (post.index, false),
        });
        let finished = finished.filter(|(_, agrees)| *agrees).count();
        let got = u16::try_from(finished).unwrap_or(u16::MAX);
        if got < self.spec.quorum {
            return Err(Contradiction::TooFew {
                got,
                needed: self.spec.quorum,
            });
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

fn filled(digests: &[Option<Hash>]) -> Bitmap {
    (0_u16..)
        .zip(digests)
        .map(|(index, digest)| (index, digest.is_some()))
        .collect()
}
