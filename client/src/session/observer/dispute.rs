//! A dispute while it lasts: who complains about whom, read with proof.

use white_city_wire::{Complain, board::Status};

use super::{Observer, pages::NotTaken};
use crate::{
    Dispute, SessionState, Verified,
    read::{Lie, OrLie},
    replicas::Tally,
};

impl Observer {
    /// The party that complains and the one that it complains about, as long as the session waits for the answer. Once it has
    /// ended, its [`End`](super::End) says so.
    #[must_use]
    pub fn dispute(&self) -> Option<Dispute> {
        self.dispute_of(self.now.as_ref()?)
    }

    pub(super) fn dispute_of(&self, now: &SessionState) -> Option<Dispute> {
        let complain = self.complaint.as_ref();
        let complain = complain.filter(|_| now.leaf.status == Status::Dispute)?;
        Some(Dispute {
            by: complain.index,
            accused: complain.accused(),
            round: complain.post.round,
        })
    }

    /// The complaint that waits for its answer, in the state that was read last: signed by its author, about a post of this
    /// history, with a path that leads there, and its digest is the one in the session's leaf.
    pub(in crate::session) fn open_complaint(&self) -> Option<&Complain> {
        self.dispute()?;
        self.complaint.as_ref()
    }

    /// Reads the complaint when a session has come into a dispute.
    pub(super) async fn read_complaint(
        &mut self,
        now: &Verified<SessionState>,
        tally: &mut Tally,
    ) -> Result<(), NotTaken> {
        let disputed = now.leaf.dispute;
        let known = self.complaint.as_ref().map(Complain::digest);
        if now.leaf.status != Status::Dispute || known == Some(disputed) {
            return Ok(());
        }
        let words = self.words(now, tally).await?;
        let dispute = words.and_then(|words| words.dispute);
        let dispute = dispute.filter(|read| disputed == read.complain.0.digest());
        // A session has one dispute at most, so a state that has come since has the same.
        let dispute = dispute.ok_or_else(|| Lie::new("another dispute than the session's"))?;
        let complain = dispute.complain.0;
        self.history.check_complaint(&complain).or_lie("dispute")?;
        self.complaint = Some(complain);
        Ok(())
    }
}
