//! A party in a dispute: it complains about a payload that its key doesn't open, and answers a complaint about its own.
//! What either needs is checked by [`white_city_party::Party`], before anything is signed.

use std::sync::Arc;

use tokio::time::Instant;
pub use white_city_party::Answer;
use white_city_party::Goal;
use white_city_wire::{Complain, Hash, tx::Action};

use super::Session;
use crate::{Error, sending::is_answer_due};

/// The words that a party has signed in the one dispute that a session can have. Complaint and answer are signed once.
#[derive(Default)]
pub(super) struct Words {
    complaint: Option<(Hash, Arc<Vec<u8>>)>,
    answer: Option<(Hash, Answer)>,
    /// The signed answer, and when it was sent last.
    reveal: Option<(Arc<Vec<u8>>, Option<Instant>)>,
}

impl Session {
    /// Complains about the payload that party `from` sent in a closed round, because it can't be opened:
    /// [`Error::Payload`] of [`Session::inbox`]. Returns when the board shows a dispute, this one or another; the session
    /// ends of it, and [`Session::wait_end`] says how. The sender reveals the payload, which everybody can read then, or is
    /// silent, which convicts nobody; if what it reveals isn't what it sent, it is convicted.
    ///
    /// Not for a payload that opens to nonsense: nobody can judge that, so [`Session::abort`] with `about` is for it.
    ///
    /// # Errors
    /// [`Error::Usage`] for a payload that opens, or that was never sent: a complaint would convict this party;
    /// [`Error::WrongRound`] for a round that hasn't closed; [`Error::NoJournal`] or [`Error::SlotTaken`] where this process
    /// doesn't have the key that this party joined with; [`Error::Out`], [`Error::Left`] after leaving; [`Error::Aborted`] or
    /// [`Error::Finished`] when the session has ended; [`Error::Refused`]; as [`Session::inbox`].
    pub async fn complain(&mut self, round: u32, from: u16) -> Result<(), Error> {
        self.party.check_not_failed()?;
        self.sync().await?;
        if self.party.is_disputed(self.observer.seen())? {
            return Ok(());
        }
        let seen = self.observer.seen();
        self.party.check_may_complain(seen, round)?;
        let entries = self.observer.entries_of(round).await?;
        let seen = self.observer.seen();
        let complain = self.party.complaint_about(seen, (round, from), &entries)?;
        let digest = complain.digest();
        let tx = match &self.words.complaint {
            Some((signed, tx)) if *signed == digest => Arc::clone(tx),
            _ => self.sign(Action::Complain(complain)).await?,
        };
        self.words.complaint = Some((digest, Arc::clone(&tx)));
        self.send_until(tx, Goal::Dispute).await
    }

    /// The answer of this party to the complaint against it, once there is one and it was read.
    #[must_use]
    pub fn answer(&self) -> Option<Answer> {
        self.words.answer.as_ref().map(|(_, answer)| *answer)
    }

    /// Answers a complaint against this party, and sends the answer again after a while: whoever follows the session calls
    /// this with each look at the board, until that shows the end.
    pub(super) async fn answer_complaint(&mut self) {
        let Some(complain) = self.observer.open_complaint().cloned() else {
            return;
        };
        if complain.accused() != self.index() {
            return;
        }
        let digest = complain.digest();
        if self.words.answer.is_none_or(|(to, _)| to != digest) {
            self.words.reveal = None;
            let Some(answer) = self.sign_answer(&complain).await else {
                return;
            };
            self.words.answer = Some((digest, answer));
        }
        let Some((tx, sent)) = &mut self.words.reveal else {
            return;
        };
        if !is_answer_due(*sent, Instant::now()) {
            return;
        }
        *sent = Some(Instant::now());
        let tx = Arc::clone(tx);
        self.observer.hurry();
        let replies = self.client().replicas().submit(&tx).await;
        if let Some((_, refusal)) = replies.refusal(self.client().replicas().witnesses()) {
            // The answer that this refusal comes for may be on the board already: the next look says so.
            tracing::debug!(%refusal, "the answer to the complaint isn't taken");
        }
    }

    /// Decides what is said to a complaint; `None` when the signer fails, who is asked again, and for an entry from the journal until
    /// the protocol has posted it again.
    async fn sign_answer(&mut self, complain: &Complain) -> Option<Answer> {
        let (by, round) = (complain.index, complain.post.round);
        let reveal = match self.party.reveal_for(self.observer.seen(), complain) {
            Ok(Some(reveal)) => reveal,
            Ok(None) => return None,
            Err(answer) => {
                tracing::warn!(
                    by,
                    round,
                    ?answer,
                    "a complaint about a payload of this party can't be answered"
                );
                return Some(answer);
            }
        };
        tracing::warn!(
            by,
            round,
            "a party complains about a payload that it can open: it is revealed"
        );
        match self.sign(Action::Reveal(reveal)).await {
            Ok(tx) => {
                self.words.reveal = Some((tx, None));
                Some(Answer::Reveal)
            }
            Err(error) => {
                tracing::warn!(%error, "the answer to a complaint isn't signed; trying again");
                None
            }
        }
    }
}
