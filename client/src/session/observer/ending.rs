//! The end of a session: one record for everybody, checked against what was read.

use std::mem;

use white_city_wire::{
    Bitmap, Hash, Signature, SignedEntry,
    board::{Status, Terminal},
    tx::Join,
};

use super::{
    End, Observer,
    pages::{NotTaken, Pages},
};
use crate::{
    AbortRecord, Error, Leaver, SessionState, Verified,
    history::{History, LastRound, check_broadcast, filled},
    read::{Convicted, OrLie, ReadEvidence, SessionEvidence, SignedDispute},
    replicas::Tally,
};

/// A session's end, and what its last round held.
pub(super) struct Ended {
    pub(super) end: End,
    pub(super) joins: Vec<(Join, Signature)>,
    pub(super) entries: Vec<SignedEntry>,
}

impl Observer {
    /// Checks the terminal record against the members and the last round's entries; an outcome against a quorum of the
    /// parties' own signatures, too.
    pub(super) async fn check_end(
        &self,
        now: &Verified<SessionState>,
        terminal: &Terminal,
        mut last: Pages,
        tally: &mut Tally,
    ) -> Result<Ended, NotTaken> {
        let mut payloads = last.all.entries.iter();
        let checked = payloads.try_for_each(check_broadcast);
        last.blame(checked, "last round")?;
        let joins = mem::take(&mut last.all.joins);
        let entries = mem::take(&mut last.all.entries);
        let entries: Vec<_> = entries.into_iter().map(|entry| entry.signed).collect();
        let round = LastRound {
            joins: &joins,
            entries: &entries,
        };
        let state = (&now.leaf, terminal);
        let checked = self.history.check_end(state, round, &now.left);
        last.blame(checked, "end")?;
        let end = match terminal.status {
            Status::Finished => End::Finished {
                outcome: terminal.outcome,
            },
            _ => End::Aborted(Box::new(self.aborted(now, terminal, tally).await?)),
        };
        Ok(Ended {
            end,
            joins,
            entries,
        })
    }

    /// The record of an abort, with everything that was signed about it.
    async fn aborted(
        &self,
        now: &Verified<SessionState>,
        terminal: &Terminal,
        tally: &mut Tally,
    ) -> Result<AbortRecord, NotTaken> {
        let evidence = self.words(now, tally).await?;
        let dispute = evidence.as_ref().and_then(|words| words.dispute.as_ref());
        let culprits = evidence.as_ref().map_or(Ok(Vec::new()), |evidence| {
            History::check_words(&evidence.left, &self.joined(now))?;
            self.history.convicted(evidence)
        });
        let culprits = culprits.or_lie("evidence")?;
        let named: Vec<_> = culprits.iter().map(|culprit| (**culprit).clone()).collect();
        self.history
            .check_verdict(dispute, &named, terminal)
            .or_lie("end")?;
        let missing = terminal.members.iter();
        Ok(AbortRecord {
            record: terminal.clone(),
            dispute: dispute.map(SignedDispute::parties),
            left: evidence.map_or_else(Vec::new, leavers),
            culprits,
            missing: missing
                .filter(|index| !terminal.filled.contains(*index))
                .collect(),
        })
    }

    /// The parties that have joined, in this state.
    fn joined(&self, now: &SessionState) -> Bitmap {
        let joining = self.history.round(0);
        joining.map_or_else(|| now.filled(), |joined| filled(&joined.digests))
    }

    /// The words that those who left, those in dispute and culprits have signed, if there is anybody.
    pub(super) async fn words(
        &self,
        now: &Verified<SessionState>,
        tally: &mut Tally,
    ) -> Result<Option<SessionEvidence>, NotTaken> {
        let hashes = [now.leaf.left, now.leaf.dispute, now.leaf.evidence];
        if hashes == [Hash::ZERO; 3] {
            return Ok(None);
        }
        let (id, spec) = (self.id, self.spec());
        let read = ReadEvidence { id, spec };
        let replicas = self.client.replicas();
        let evidence = replicas.read_reached(&read, now.height(), tally).await?;
        Ok(Some(evidence.into_value()))
    }

    /// The evidence against parties and what those who left have said, from a state as new as this reader's or newer, judged
    /// over the rounds that were read.
    ///
    /// # Errors
    /// [`Error::ReplicaLied`]; [`Error::Erased`]; as [`crate::Client::read`].
    pub async fn evidence(&mut self) -> Result<Verified<SessionEvidence>, Error> {
        let (id, spec) = (self.id, self.spec());
        let read = ReadEvidence { id, spec };
        let evidence = self.client.read(&read, self.height()).await;
        let evidence = evidence.map_err(Error::or_erased)?;
        // What it is about may be newer than what was read: it is judged when that has been read, too.
        while self.end.is_none() && self.height() < evidence.height() {
            self.wait_news().await;
            self.sync().await?;
        }
        let judged = self.history.check_evidence(&evidence).and_then(|()| {
            let now = self.now.as_ref();
            let joined = now.map_or_else(|| Bitmap::empty(0), |now| self.joined(now));
            History::check_words(&evidence.left, &joined)
        });
        judged.map_err(|contradiction| Error::ReplicaLied {
            replica: evidence.replica().to_owned(),
            what: contradiction.to_string(),
        })?;
        Ok(evidence)
    }

    /// Against whom there is signed evidence, read and checked; nobody is named on the replicas' word.
    ///
    /// # Errors
    /// As [`Observer::evidence`].
    pub async fn culprits(&mut self) -> Result<Vec<Convicted>, Error> {
        let accused = self.now.as_ref().map(|now| now.leaf.evidence);
        if accused.is_none_or(|accused| accused == Hash::ZERO) {
            return Ok(Vec::new());
        }
        let evidence = self.evidence().await?;
        let convicted = self.history.convicted(&evidence);
        convicted.map_err(|contradiction| Error::ReplicaLied {
            replica: evidence.replica().to_owned(),
            what: contradiction.to_string(),
        })
    }
}

/// The parties that left, with what they signed.
fn leavers(evidence: SessionEvidence) -> Vec<Leaver> {
    let left = evidence.left.into_iter();
    left.map(|(index, word, _)| Leaver {
        index,
        word: Some(word),
    })
    .collect()
}
