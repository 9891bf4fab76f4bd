//! A dispute as the board stores it: the complaint and the answer to it, under their authors' signatures.

#[cfg(test)]
mod tests;

use prost::Message as _;
use white_city_wire::{
    Complain, Hash, Reveal, Signature, SignedTx,
    board::{Culprit, Offence, SessionLeaf},
    pb,
    tx::Action,
};

use super::{Lie, OrLie, Parties};

/// The two parties of a dispute.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Dispute {
    /// Index of the party that says it can't open a payload.
    pub by: u16,
    /// Index of the party that sent the payload.
    pub accused: u16,
    /// The closed round, at least 1, in which the payload was sent.
    pub round: u32,
}

impl std::fmt::Display for Dispute {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "party {} complained about the payload that party {} sent it in round {}",
            self.by, self.accused, self.round
        )
    }
}

/// A complaint that the board has taken, and the answer to it; both signed by their authors.
///
/// Who is right is decided over the history that the complaint is about: [`History::judge`](crate::history::History::judge).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignedDispute {
    /// The complaint: its digest is in the session's leaf.
    pub complain: (Complain, Signature),
    /// The answer, once the board has taken one.
    pub reveal: Option<(Reveal, Signature)>,
}

impl SignedDispute {
    /// The party that complains, and the one that it complains about.
    #[must_use]
    pub const fn parties(&self) -> Dispute {
        let complain = &self.complain.0;
        Dispute {
            by: complain.index,
            accused: complain.accused(),
            round: complain.post.round,
        }
    }

    /// The two transactions, as a receipt carries them.
    pub(crate) fn to_pb(&self) -> (Option<pb::Tx>, Option<pb::Tx>) {
        let (complain, by) = &self.complain;
        let reveal = self.reveal.as_ref();
        (
            tx_pb(Action::Complain(complain.clone()), by),
            reveal.and_then(|(reveal, by)| tx_pb(Action::Reveal(reveal.clone()), by)),
        )
    }
}

fn tx_pb(action: Action, signature: &Signature) -> Option<pb::Tx> {
    let tx = SignedTx::new(action, *signature).ok()?;
    pb::Tx::decode(tx.encode().as_slice()).ok()
}

impl Parties<'_> {
    /// The dispute of a session with this leaf: signed by those whom it names, and the one that the leaf and the culprits
    /// name. A payload that nobody has joined for, or nobody has sent, is noticed by whoever has the history.
    pub(crate) fn dispute(
        self,
        leaf: &SessionLeaf,
        culprits: &[Culprit],
        (complain, reveal): (Option<&pb::Tx>, Option<&pb::Tx>),
    ) -> Result<Option<SignedDispute>, Lie> {
        let convicted = culprits
            .iter()
            .find(|culprit| culprit.offence != Offence::Equivocation);
        let Some(complain) = complain else {
            if leaf.dispute != Hash::ZERO {
                return Err(Lie::new("the complaint is missing"));
            }
            if reveal.is_some() || convicted.is_some() {
                return Err(Lie::new("a verdict without a complaint"));
            }
            return Ok(None);
        };
        let complain = self.complaint(complain)?;
        if complain.0.digest() != leaf.dispute {
            return Err(Lie::new("the complaint isn't the session's"));
        }
        let reveal = reveal.map(|reveal| self.reveal(reveal, &complain.0));
        let reveal = reveal.transpose()?;
        if reveal.is_some() && leaf.status.is_live() {
            return Err(Lie::new("an answer that hasn't ended the session"));
        }
        let dispute = SignedDispute { complain, reveal };
        dispute.check_culprits(culprits)?;
        Ok(Some(dispute))
    }

    /// A complaint under the signature of the party that makes it, whose path leads to the post.
    fn complaint(self, tx: &pb::Tx) -> Result<(Complain, Signature), Lie> {
        let tx = SignedTx::decode(&tx.encode_to_vec()).or_lie("complaint")?;
        let Action::Complain(complain) = tx.unverified_action().clone() else {
            return Err(Lie::new("something else instead of a complaint"));
        };
        if complain.post.session != self.id {
            return Err(Lie::new("a complaint of another session"));
        }
        let signature = self.verified(tx, complain.index).or_lie("complaint")?;
        Ok((complain, signature))
    }

    /// A reveal under the signature of the accused, for this complaint.
    fn reveal(self, tx: &pb::Tx, complain: &Complain) -> Result<(Reveal, Signature), Lie> {
        let tx = SignedTx::decode(&tx.encode_to_vec()).or_lie("reveal")?;
        let Action::Reveal(reveal) = tx.unverified_action().clone() else {
            return Err(Lie::new("something else instead of a reveal"));
        };
        let place = (reveal.session, reveal.complaint, reveal.index);
        if place != (self.id, complain.digest(), complain.accused()) {
            return Err(Lie::new("a reveal for another complaint"));
        }
        let signature = self.verified(tx, reveal.index).or_lie("reveal")?;
        Ok((reveal, signature))
    }

    fn verified(self, tx: SignedTx, index: u16) -> Result<Signature, white_city_wire::Refusal> {
        let key = self.spec.key(index)?;
        let tx = tx.verify(key, self.spec.parties(), self.network)?;
        Ok(*tx.signature())
    }
}

impl SignedDispute {
    /// Whoever is convicted of a bad payload or a false complaint, is convicted by these two; and an answer convicts one of
    /// the two parties, unless that one was convicted before.
    fn check_culprits(&self, culprits: &[Culprit]) -> Result<(), Lie> {
        let parties = self.parties();
        let mut is_answered = false;
        for culprit in culprits {
            let index = match culprit.offence {
                Offence::Equivocation => {
                    is_answered |= [parties.by, parties.accused].contains(&culprit.index);
                    continue;
                }
                Offence::BadPayload => parties.accused,
                Offence::FalseComplaint => parties.by,
            };
            let reveal = self.reveal.as_ref().map(|(reveal, _)| reveal.digest());
            let place = (culprit.index, culprit.round, culprit.a, Some(culprit.b));
            if place != (index, parties.round, self.complain.0.digest(), reveal) {
                return Err(Lie::new("a verdict that isn't about the complaint"));
            }
            is_answered = true;
        }
        if self.reveal.is_some() && !is_answered {
            return Err(Lie::new("an answer that convicts nobody"));
        }
        Ok(())
    }
}
