//! A receipt under a later header: the session's leaf keeps transcript, slots and terminal hash for ever.

use white_city_wire::{
    board::SessionLeaf,
    pb::{self, receipt::Body},
};

use super::{BadReceipt, Receipt, error::OrBad};
use crate::trust::Trust;

impl Receipt {
    /// The session that a later header can certify again.
    ///
    /// # Errors
    /// [`BadReceipt::NoAnchor`] for a receipt that rests on the parties' signatures alone, or is about a fork.
    pub fn anchored_session(&self) -> Result<white_city_wire::SessionId, BadReceipt> {
        let anchor = anchor_of(&self.body).ok_or(BadReceipt::NoAnchor)?;
        Ok(leaf_of(anchor)?.session)
    }

    /// The same receipt with the session's state of a later height, also after its erasure.
    ///
    /// # Errors
    /// [`BadReceipt::MovedOn`] when the session has gone on since the receipt was made; [`BadReceipt`] as
    /// [`Receipt::verify`].
    pub fn renewed(mut self, anchor: pb::Anchor, trust: &Trust) -> Result<Self, BadReceipt> {
        let kept = anchor_of(&self.body).ok_or(BadReceipt::NoAnchor)?;
        let same = is_same(&leaf_of(kept)?, &leaf_of(&anchor)?);
        match &mut self.body {
            Body::Submission(receipt) => receipt.anchor = Some(anchor),
            Body::End(receipt) => receipt.anchor = Some(anchor),
            Body::Ceremony(receipt) => receipt.anchor = Some(anchor),
            Body::Absence(receipt) => receipt.anchor = Some(anchor),
            Body::Equivocation(_) | Body::Fork(_) => return Err(BadReceipt::NoAnchor),
        }
        self.links = trust.links_from(0);
        match self.verify(trust) {
            Ok(_) => Ok(self),
            // Not every change matters to every kind: a closed round is proven as long as no other has closed since.
            Err(_) if !same => Err(BadReceipt::MovedOn),
            Err(bad) => Err(bad),
        }
    }
}

const fn anchor_of(body: &Body) -> Option<&pb::Anchor> {
    match body {
        Body::Submission(receipt) => receipt.anchor.as_ref(),
        Body::End(receipt) => receipt.anchor.as_ref(),
        Body::Ceremony(receipt) => receipt.anchor.as_ref(),
        Body::Absence(receipt) => receipt.anchor.as_ref(),
        Body::Equivocation(_) | Body::Fork(_) => None,
    }
}

fn leaf_of(anchor: &pb::Anchor) -> Result<SessionLeaf, BadReceipt> {
    let leaf = anchor
        .session
        .as_ref()
        .and_then(|session| session.leaf.as_ref());
    let leaf = leaf.ok_or(BadReceipt::Missing("session"))?;
    SessionLeaf::try_from(leaf).or_bad("session")
}

/// Whether everything that a receipt may lead to is the same in both. Erasure, deadlines and last call change none of it.
fn is_same(kept: &SessionLeaf, later: &SessionLeaf) -> bool {
    let lasting = |leaf: &SessionLeaf| {
        let hashes = [
            leaf.transcript,
            leaf.slots_root,
            leaf.terminal,
            leaf.evidence,
            leaf.left,
            leaf.dispute,
        ];
        (leaf.session, leaf.open_round, hashes)
    };
    lasting(kept) == lasting(later)
}
