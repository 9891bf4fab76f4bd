//! A session as it is after a block's entries and before anything closes: what closing starts from.

use std::collections::{BTreeMap, BTreeSet};

use white_city_state_machine::{Session, Slot};
use white_city_wire::{Hash, Spec, tx::Action};

use crate::simulator::Observed;

/// A session between a block's last transaction and its end.
pub struct BeforeClosing<'a> {
    pub spec: &'a Spec,
    pub round: u32,
    pub members: BTreeSet<u16>,
    pub slots: BTreeMap<u16, Slot>,
    pub left: Vec<u16>,
    /// Whether the block filled one of its slots.
    pub carried: bool,
}

/// The slot that an action fills.
pub fn fill(action: &Action) -> Option<(u32, u16, Slot)> {
    Some(match action {
        Action::Join(join) => (0, join.index, Slot::Join(join.digest())),
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
        round: before.map_or(0, |session| session.leaf.open_round),
        members: (0..n).collect(),
        slots: BTreeMap::new(),
        left: Vec::new(),
        carried: false,
    };
    if let Some(body) = before.and_then(|session| session.body.as_ref()) {
        here.members = body.members.iter().collect();
        let filled = (0..).zip(&body.slots).filter(|(_, slot)| !slot.is_empty());
        here.slots = filled.map(|(i, slot)| (i, *slot)).collect();
        here.left = body.left.iter().map(|(i, _)| *i).collect();
    }
    for (tx, _) in executed.applied().filter(|(_, at)| *at == number) {
        if let Some((_, index, slot)) = fill(tx.action()) {
            here.slots.insert(index, slot);
            here.carried = true;
        }
        if let Action::Leave { index, .. } = tx.action() {
            here.left.push(*index);
        }
    }
    Some(here)
}

impl BeforeClosing<'_> {
    /// Members that are waited for.
    pub fn awaited(&self) -> BTreeSet<u16> {
        let gone = |i: &u16| self.slots.contains_key(i) || self.left.contains(i);
        self.members.iter().copied().filter(|i| !gone(i)).collect()
    }

    /// Whether fewer than the quorum have filled their slots or still can.
    pub fn too_few_remain(&self) -> bool {
        let remaining = |i: &&u16| self.slots.contains_key(i) || !self.left.contains(i);
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
