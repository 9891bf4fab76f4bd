//! Two histories of one session: noticing the other one, and proving it.

use white_city_wire::{
    Hash,
    board::SessionLeaf,
    pb::{self, fork_receipt::Fork as Proof},
};

use super::Observer;
use crate::{Error, Fork, Verified, read::InboxPage, replicas::ReadError};

impl Observer {
    /// Whether the state goes on from what was read before: if it doesn't, the validators have signed two histories.
    pub(super) fn check_past(
        &self,
        leaf: &SessionLeaf,
        page: &Verified<InboxPage>,
    ) -> Result<(), ReadError> {
        let side = || pb::ForkSide {
            anchor: page.anchor(),
            proof: None,
            round_root: Vec::new(),
        };
        if !self.history.leads_to(leaf) {
            return Err(ReadError::Final(self.fork_to(leaf.open_round, side())));
        }
        let newest = self.newest.as_ref();
        let newest = newest.filter(|newest| newest.height() < page.height());
        if let Some(undone) = newest.and_then(|newest| newest.leaf()?.undone_by(leaf)) {
            let what = format!("a state of the session that undoes an earlier one: {undone}");
            let round = leaf.open_round;
            let fork = self.fork(what, (round, self.anchor()), side());
            return Err(ReadError::Final(fork));
        }
        Ok(())
    }

    /// Two transcripts before this round: the other side's, and the one that was read before.
    pub(super) fn fork_to(&self, round: u32, other: pb::ForkSide) -> Error {
        let what = format!("two transcripts before round {round}");
        self.fork(what, (round, self.anchor()), other)
    }

    /// This history, and the one that this party had read when it signed for a round.
    pub(in crate::session) fn fork_from(
        &self,
        what: String,
        round: u32,
        signed_for: Option<pb::Anchor>,
    ) -> Error {
        let other = pb::ForkSide {
            anchor: signed_for,
            proof: None,
            round_root: Vec::new(),
        };
        self.fork(what, (round, self.anchor()), other)
    }

    /// A fork, with whatever of it can be proven: two transcripts before one round, a later state that undoes an earlier one, or
    /// two blocks of one height.
    fn fork(
        &self,
        what: String,
        (round, ours): (u32, Option<pb::Anchor>),
        other: pb::ForkSide,
    ) -> Error {
        let back = |earlier: &Option<pb::Anchor>, later: &Option<pb::Anchor>| {
            Proof::Back(pb::WentBack {
                earlier: earlier.clone(),
                later: later.clone(),
            })
        };
        let header = |anchor: &Option<pb::Anchor>| {
            let anchor = anchor.as_ref();
            anchor.map_or_else(Vec::new, |anchor| anchor.signed_header.clone())
        };
        let theirs = other.anchor.clone();
        let proofs = [
            back(&ours, &theirs),
            back(&theirs, &ours),
            Proof::Headers(pb::HeaderFork {
                first: header(&ours),
                second: header(&theirs),
            }),
        ];
        let session = Proof::Session(pb::SessionFork {
            round,
            first: ours.map(|anchor| self.side(round, anchor)),
            second: Some(other),
        });
        let proofs = std::iter::once(session).chain(proofs);
        Error::Fork(Box::new(Fork::new(what, proofs, self.client.trust())))
    }

    /// The era of the validators that have certified what was read last, and the hash of the link to it.
    pub(in crate::session) fn era(&self) -> (u32, Option<Hash>) {
        let trust = self.client.trust();
        let newest = self.newest.as_ref();
        let era = newest.map_or(0, |newest| trust.era_of(newest.header()));
        (era, trust.link_to(era))
    }

    /// The proof of this history.
    fn anchor(&self) -> Option<pb::Anchor> {
        self.newest.as_ref()?.anchor()
    }

    fn side(&self, round: u32, anchor: pb::Anchor) -> pb::ForkSide {
        let proof = anchor.session.as_ref().and_then(|session| {
            let leaf = SessionLeaf::try_from(session.leaf.as_ref()?).ok()?;
            self.history.proof_of(round, &leaf)
        });
        let root = self.history.round(round).map(|closed| closed.root);
        pb::ForkSide {
            anchor: Some(anchor),
            round_root: match (&proof, root) {
                (Some(_), Some(root)) => root.0.to_vec(),
                _ => Vec::new(),
            },
            proof: proof.as_ref().map(Into::into),
        }
    }
}
