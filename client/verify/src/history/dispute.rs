//! Disputes, judged over the history that they are about.

#[cfg(test)]
mod tests;

use white_city_wire::{
    Complain,
    board::{Cause, Culprit, Offence, Terminal},
    dispute::{Verdict, judge},
};

use super::{Contradiction, History};
use crate::read::{Convicted, SessionEvidence, SignedDispute};

const fn bad<T>(what: &'static str) -> Result<T, Contradiction> {
    Err(Contradiction::Dispute(what))
}

impl History {
    /// Checks that a complaint is about a post of a round that has closed in this history, by somebody who has joined in it.
    ///
    /// # Errors
    /// [`Contradiction::Dispute`].
    pub fn check_complaint(&self, complain: &Complain) -> Result<(), Contradiction> {
        let post = &complain.post;
        if post.session != self.session {
            return bad("a complaint about another session");
        }
        let digest = self.round(post.round).and_then(|closed| {
            let slot = closed.digests.get(usize::from(post.index));
            slot.copied().flatten()
        });
        // The digest of a post has its round, and every transcript before it: those of another history have others.
        if post.round == 0 || digest != Some(post.digest()) {
            return bad("a complaint about a post that isn't in this history");
        }
        if self.join(complain.index).is_none() {
            return bad("a complaint by somebody who hasn't joined");
        }
        Ok(())
    }

    /// The verdict on a complaint that was answered, judged with the key that the complaining party has joined with in this
    /// history; `None` where there is no answer. Whoever hands over the dispute has checked the signatures under it.
    ///
    /// # Errors
    /// [`Contradiction::Dispute`] for a complaint that isn't about this history, or an answer to another one.
    pub fn judge(&self, dispute: &SignedDispute) -> Result<Option<Verdict>, Contradiction> {
        let complain = &dispute.complain.0;
        self.check_complaint(complain)?;
        let Some((reveal, _)) = &dispute.reveal else {
            return Ok(None);
        };
        let Some(join) = self.join(complain.index) else {
            return bad("a complaint by somebody who hasn't joined");
        };
        let verdict = judge(&self.network, &self.spec, &join.key, complain, reveal);
        verdict.map_or_else(|_| bad("an answer to another complaint"), |v| Ok(Some(v)))
    }

    /// Checks that a session that has ended did so of its dispute, if it had one, and that the verdict is the right one.
    ///
    /// # Errors
    /// [`Contradiction::Dispute`].
    pub fn check_verdict(
        &self,
        dispute: Option<&SignedDispute>,
        culprits: &[Culprit],
        terminal: &Terminal,
    ) -> Result<(), Contradiction> {
        let (cause, by) = match dispute {
            None => match terminal.cause {
                Cause::BadPayload | Cause::FalseComplaint | Cause::NoReveal => {
                    return bad("an end by a dispute that there wasn't");
                }
                _ => return Self::check_convicted(None, culprits),
            },
            Some(dispute) => {
                let verdict = self.judge(dispute)?;
                let complain = &dispute.complain.0;
                Self::check_convicted(verdict, culprits)?;
                verdict.map_or((Cause::NoReveal, complain.accused()), |verdict| {
                    (verdict.cause(), verdict.culprit(complain))
                })
            }
        };
        if (terminal.cause, terminal.by()) != (cause, Some(by)) {
            return bad("an end that isn't what the answer has shown");
        }
        if cause != Cause::NoReveal && !culprits.iter().any(|culprit| culprit.index == by) {
            return bad("a verdict that names nobody");
        }
        Ok(())
    }

    /// Checks that a dispute is about this history, and that its answer convicts those whom it is said to convict.
    ///
    /// # Errors
    /// [`Contradiction::Dispute`].
    pub fn check_evidence(&self, evidence: &SessionEvidence) -> Result<(), Contradiction> {
        let verdict = match &evidence.dispute {
            None => None,
            Some(dispute) => self.judge(dispute)?,
        };
        let culprits = evidence.culprits.iter().map(|(culprit, _)| culprit);
        Self::check_convicted(verdict, culprits)
    }

    /// The parties that the evidence convicts: by the two entries that came with it, or by what the dispute's answer shows over
    /// this history.
    ///
    /// # Errors
    /// [`Contradiction::Dispute`].
    pub fn convicted(&self, evidence: &SessionEvidence) -> Result<Vec<Convicted>, Contradiction> {
        self.check_evidence(evidence)?;
        let culprits = evidence.culprits.iter();
        Ok(culprits
            .map(|(culprit, _)| Convicted::new(culprit.clone()))
            .collect())
    }

    /// Only what was judged convicts.
    fn check_convicted<'a>(
        verdict: Option<Verdict>,
        culprits: impl IntoIterator<Item = &'a Culprit>,
    ) -> Result<(), Contradiction> {
        let offence = verdict.map(Verdict::offence);
        let mut judged = culprits
            .into_iter()
            .filter(|culprit| culprit.offence != Offence::Equivocation);
        if judged.any(|culprit| Some(culprit.offence) != offence) {
            return bad("a culprit whom the answer doesn't convict");
        }
        Ok(())
    }
}
