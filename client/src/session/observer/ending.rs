//! The end of a session: one record for everybody, checked against what was read.

use white_city_wire::board::{Status, Terminal};

use super::{End, Observer};
use crate::{
    AbortRecord, SessionState, Verified,
    error::Leaver,
    read::{InboxPage, Lie, OrLie, ReadEvidence},
    replicas::{Endpoint, ReadError},
};

impl Observer {
    /// Checks the terminal record against the members and the last round's entries; an outcome against a quorum of the
    /// parties' own signatures, too.
    pub(super) async fn check_end(
        &self,
        endpoint: &Endpoint,
        now: &Verified<SessionState>,
        terminal: &Terminal,
        last: &InboxPage,
    ) -> Result<End, ReadError> {
        if terminal.members != *self.history.members() {
            return Err(Lie::new("the terminal record has other members").into());
        }
        let outcome = (terminal.status == Status::Finished).then_some(terminal.outcome);
        if now.leaf.open_round > 0 {
            self.history
                .check_last_round(outcome.as_ref(), &last.entries, &now.leaf)
                .or_lie("last round")?;
        }
        if let Some(outcome) = outcome {
            return Ok(End::Finished { outcome });
        }
        let missing = terminal.members.iter();
        Ok(End::Aborted(Box::new(AbortRecord {
            record: terminal.clone(),
            left: self.words_of_leavers(endpoint, now).await?,
            culprits: now.culprits.clone(),
            missing: missing
                .filter(|index| !terminal.filled.contains(*index))
                .collect(),
        })))
    }

    /// Who left, with what they signed.
    async fn words_of_leavers(
        &self,
        endpoint: &Endpoint,
        now: &Verified<SessionState>,
    ) -> Result<Vec<Leaver>, ReadError> {
        if now.left.is_empty() {
            return Ok(Vec::new());
        }
        let (id, spec) = (self.id, self.spec());
        let read = ReadEvidence { id, spec };
        let replicas = self.client.replicas();
        let evidence = replicas.read_from(endpoint, &read, now.height()).await?;
        let left = evidence.into_value().left.into_iter();
        Ok(left
            .map(|(index, word, _)| Leaver {
                index,
                word: Some(word),
            })
            .collect())
    }
}
