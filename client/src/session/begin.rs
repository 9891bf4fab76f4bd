//! A client's sessions: where a party's part, or a reader's, begins or goes on.

use std::path::Path;

use white_city_wire::SessionId;

use super::{Observer, Session};
use crate::{
    Client, Error, Verified,
    read::{ReadEvidence, SessionEvidence},
    vault::Unlock,
};

impl Client {
    /// This party's handle on a session.
    ///
    /// # Errors
    /// [`Error::NotMember`]; [`Error::UnknownSession`]; [`Error::Erased`]; [`Error::Unreachable`].
    pub async fn session(&self, id: SessionId) -> Result<Session, Error> {
        Session::new(self.clone(), id, None).await
    }

    /// As [`Client::session`], with a journal: it is begun where there is no such file, and otherwise the session goes on where
    /// it stopped, however it stopped. One file for each session of each identity; keep it until the result is safe
    /// ([`Session::forget`]).
    ///
    /// The protocol starts anew, from [`Session::randomness`]; its posts are compared with what was signed before, and its
    /// inboxes come from the board. Each signed entry is written and synced before it is sent, which blocks the thread for as
    /// long as the disk takes.
    ///
    /// # Errors
    /// [`Error::Journal`] when the file is locked by another process, was changed, or is of another session, network or
    /// identity; [`Error::Sign`] when the signer has no storage key; [`Error::Fork`] when the board's history doesn't extend
    /// what this party has signed for; as [`Client::session`].
    pub async fn resume(&self, id: SessionId, journal: &Path) -> Result<Session, Error> {
        Session::new(self.clone(), id, Some((journal, None))).await
    }

    /// As [`Client::resume`], with a journal that the identity alone doesn't open: `unlock` is what opens the vault that the result
    /// goes to. For whoever keeps shares in a [`crate::vault`], since a journal gives them away to whoever opens it.
    ///
    /// A passphrase is stretched first, which blocks the thread for as long as that takes.
    ///
    /// # Errors
    /// As [`Client::resume`]; [`Error::Journal`] when the journal was begun with something else.
    pub async fn resume_locked(
        &self,
        id: SessionId,
        journal: &Path,
        unlock: &Unlock,
    ) -> Result<Session, Error> {
        Session::new(self.clone(), id, Some((journal, Some(unlock)))).await
    }

    /// A reader of a session.
    ///
    /// # Errors
    /// [`Error::UnknownSession`]; [`Error::Erased`]; [`Error::Unreachable`].
    pub async fn observe(&self, id: SessionId) -> Result<Observer, Error> {
        Observer::new(self.clone(), id, None, 0).await
    }

    /// The evidence against parties of a session, and what those who left said. After a complaint, or when somebody has left, the
    /// whole session is read, too, because both are judged again with its joins and posts.
    ///
    /// # Errors
    /// [`Error::UnknownSession`]; [`Error::Erased`]; as [`Client::read`].
    pub async fn evidence(&self, id: SessionId) -> Result<Verified<SessionEvidence>, Error> {
        let open = self.open_of(id).await?;
        let spec = &open.spec;
        let evidence = self.newest(&ReadEvidence { id, spec }).await?;
        if evidence.dispute.is_some() || !evidence.left.is_empty() {
            let client = self.clone();
            let mut observer = Observer::new(client, id, None, evidence.height()).await?;
            return observer.evidence().await;
        }
        Ok(evidence)
    }
}
