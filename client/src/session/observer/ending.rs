//! The end of a session: one record for everybody, checked against what was read.

use white_city_wire::{
    Hash,
    board::{Status, Terminal},
};

use super::{
    End, Observer,
    pages::{NotTaken, Pages},
};
use crate::{
    AbortRecord, SessionState, Verified,
    error::Leaver,
    read::{InboxPage, Lie, OrLie, ReadEvidence, SessionEvidence, SignedDispute},
    replicas::Tally,
};

impl Observer {
    /// Checks the terminal record against the members and the last round's entries; an outcome against a quorum of the
    /// parties' own signatures, too.
    pub(super) async fn check_end(
        &self,
        now: &Verified<SessionState>,
        terminal: &Terminal,
        mut last: Pages,
        tally: &mut Tally,
    ) -> Result<(End, InboxPage), NotTaken> {
        if terminal.members != *self.history.members() {
            return Err(Lie::new("the terminal record has other members").into());
        }
        let outcome = (terminal.status == Status::Finished).then_some(terminal.outcome);
        if now.leaf.open_round > 0 {
            let entries = &last.all.entries;
            let checked = self
                .history
                .check_last_round(outcome.as_ref(), entries, &now.leaf);
            last.blame(checked, "last round")?;
        }
        if let Some(outcome) = outcome {
            return Ok((End::Finished { outcome }, last.all));
        }
        let evidence = self.words(now, tally).await?;
        let dispute = evidence.as_ref().and_then(|words| words.dispute.as_ref());
        self.history
            .check_verdict(dispute, &now.culprits, terminal)
            .or_lie("end")?;
        let missing = terminal.members.iter();
        let record = AbortRecord {
            record: terminal.clone(),
            dispute: dispute.map(SignedDispute::parties),
            left: evidence.map_or_else(Vec::new, leavers),
            culprits: now.culprits.clone(),
            missing: missing
                .filter(|index| !terminal.filled.contains(*index))
                .collect(),
        };
        Ok((End::Aborted(Box::new(record)), last.all))
    }

    /// What those who left and those in dispute have signed, if there is anybody.
    pub(super) async fn words(
        &self,
        now: &Verified<SessionState>,
        tally: &mut Tally,
    ) -> Result<Option<SessionEvidence>, NotTaken> {
        if now.left.is_empty() && now.leaf.dispute == Hash::ZERO {
            return Ok(None);
        }
        let (id, spec) = (self.id, self.spec());
        let read = ReadEvidence { id, spec };
        let replicas = self.client.replicas();
        let evidence = replicas.read_reached(&read, now.height(), tally).await?;
        Ok(Some(evidence.into_value()))
    }
}

/// Who left, with what they signed.
fn leavers(evidence: SessionEvidence) -> Vec<Leaver> {
    let left = evidence.left.into_iter();
    left.map(|(index, word, _)| Leaver {
        index,
        word: Some(word),
    })
    .collect()
}
