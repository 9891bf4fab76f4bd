//! A session as it is after a block's entries and before anything closes: what closing starts from.

use std::collections::{BTreeMap, BTreeSet};

use white_city_state_machine::{Session, Slot};
use white_city_wire::{
    Complain, Hash, Reveal, Spec,
    board::{Cause, Status},
    tx::Action,
};

use crate::simulator::Observed;

/// A session between a block's last transaction and its end.
pub struct BeforeClosing<'a> {
    pub spec: &'a Spec,
    pub is_joining: bool,
    pub round: u32,
    pub members: BTreeSet<u16>,
    pub slots: BTreeMap<u16, Slot>,
    pub left: Vec<u16>,
    /// Whether the block filled one of its slots.
    pub carried: bool,
    /// The complaint that the session was stopped by, in this block or before.
    pub complain: Option<Complain>,
    /// Whether it was before.
    pub was_disputed: bool,
    /// The result of the block's reveal, by the ledger of what was sealed.
    pub shown: Option<(Cause, u16)>,
}

/// The slot that an action fills.
pub fn fill(action: &Action) -> Option<(u32, u16, Slot)> {
    Some(match action {
        Action::Join(join) => {
            let (digest, key) = (join.digest(), join.key.clone());
            (0, join.index, Slot::Join { digest, key })
        }
        Action::Post(post) => {
            let header = &post.header;
            (header.round, header.index, Slot::Post(header.digest()))
        }
        Action::Finish(finish) => {
            let (digest, outcome) = (finish.digest(), finish.outcome);
            let slot = Slot::Finish { digest, outcome };
            (finish.round, finish.index, slot)
        }
        _ => return None,
    })
}

/// Reconstructs it for a session that lived when the block began or that the block opened.
pub fn before_closing(seen: &Observed, number: u32) -> Option<BeforeClosing<'_>> {
    let executed = &seen.executed;
    let before: Option<&Session> = executed.before.sessions().get(number).map(AsRef::as_ref);
    if before.is_some_and(|session| !session.status().is_live()) {
        return None;
    }
    let after = executed.after.sessions().get(number)?.body.as_ref()?;
    let n = after.spec.parties();
    let mut here = BeforeClosing {
        spec: &after.spec,
        is_joining: before.is_none_or(|session| session.status() == Status::Joining),
        round: before.map_or(0, |session| session.leaf.open_round),
        members: (0..n).collect(),
        slots: BTreeMap::new(),
        left: Vec::new(),
        carried: false,
        complain: None,
        was_disputed: before.is_some_and(|session| session.status() == Status::Dispute),
        shown: None,
    };
    if let Some(body) = before.and_then(|session| session.body.as_ref()) {
        here.members = body.members.iter().collect();
        let filled = (0..).zip(&body.slots).filter(|(_, slot)| !slot.is_empty());
        here.slots = filled.map(|(i, slot)| (i, slot.clone())).collect();
        here.left = body.left.iter().map(|(i, _)| *i).collect();
        here.complain = body.dispute.as_ref().map(|d| d.complain.clone());
    }
    for (tx, _) in executed.applied().filter(|(_, at)| *at == number) {
        if let Some((_, index, slot)) = fill(tx.action()) {
            here.slots.insert(index, slot);
            here.carried = true;
        }
        if let Action::Leave { index, .. } = tx.action() {
            here.left.push(*index);
        }
        match tx.action() {
            Action::Complain(complain) => here.complain = Some(complain.clone()),
            Action::Reveal(reveal) => here.shown = shown(seen, here.complain.as_ref(), reveal),
            _ => {}
        }
    }
    Some(here)
}

/// The result of a reveal: the payload was rightly sealed from just this, or it wasn't.
fn shown(seen: &Observed, complain: Option<&Complain>, reveal: &Reveal) -> Option<(Cause, u16)> {
    let complain = complain?;
    let (ikm_e, plaintext) = (reveal.ikm_e, reveal.plaintext.clone());
    let good = seen.sealed.get(&complain.leaf) == Some(&(ikm_e, plaintext));
    Some(if good {
        (Cause::FalseComplaint, complain.index)
    } else {
        (Cause::BadPayload, complain.post.index)
    })
}

impl BeforeClosing<'_> {
    /// Members that are waited for.
    pub fn awaited(&self) -> BTreeSet<u16> {
        let gone = |i: &u16| self.slots.contains_key(i) || self.left.contains(i);
        self.members.iter().copied().filter(|i| !gone(i)).collect()
    }

    /// Whether fewer than the quorum have filled their slots or still can; while joining, whether fewer would be left to go on.
    pub fn too_few_remain(&self) -> bool {
        let remaining = |i: &&u16| {
            let counts = self.slots.contains_key(i) && !self.is_joining;
            counts || !self.left.contains(i)
        };
        let count = self.members.iter().filter(remaining).count();
        count < usize::from(self.spec.quorum)
    }

    /// The group with the quorum: its authors, and the outcome if it finished.
    pub fn winners(&self) -> Option<(BTreeSet<u16>, Option<Hash>)> {
        let mut groups: BTreeMap<Option<Hash>, BTreeSet<u16>> = BTreeMap::new();
        for (index, slot) in &self.slots {
            let key = match slot {
                Slot::Finish { outcome, .. } => Some(*outcome),
                _ => None,
            };
            groups.entry(key).or_default().insert(*index);
        }
        let quorum = usize::from(self.spec.quorum);
        let mut winners = groups.into_iter().filter(|(_, who)| who.len() >= quorum);
        winners.next().map(|(outcome, who)| (who, outcome))
    }
}
