//! `bytes.md`, check 4 of a reader: `filled(r) ⊆ members(r-1)`, the winning group has the quorum, members only
//! shrink, and nobody outside comes back.

use std::collections::BTreeSet;

use white_city_state_machine::Slot;

use super::{Property, bodies};
use crate::simulator::Observed;

/// Recomputes the members of every round from the slots alone.
#[derive(Default, Clone)]
pub struct Members;

fn filled(slots: &[Slot]) -> BTreeSet<u16> {
    let filled = (0..).zip(slots).filter(|(_, slot)| !slot.is_empty());
    filled.map(|(index, _)| index).collect()
}

fn posted(slots: &[Slot]) -> BTreeSet<u16> {
    let posted = |slot: &Slot| matches!(slot, Slot::Join { .. } | Slot::Post(_));
    let filled = (0..).zip(slots).filter(|(_, slot)| posted(slot));
    filled.map(|(index, _)| index).collect()
}

impl Property for Members {
    const NAME: &'static str = "members";

    fn check(&mut self, seen: &Observed) -> Result<(), String> {
        for (session, body) in bodies(&seen.executed.after) {
            let number = session.number;
            let mut members: BTreeSet<u16> = (0..body.spec.parties()).collect();
            for (round, closed) in body.closed.iter().enumerate() {
                let inside = filled(&closed.slots).is_subset(&members);
                ensure!(
                    inside,
                    "session {number}: a slot of round {round} by an outsider"
                );
                let winners = posted(&closed.slots);
                let quorum = winners.len() >= usize::from(body.spec.quorum);
                ensure!(
                    quorum,
                    "session {number}: round {round} closed without its quorum"
                );
                members = winners;
            }
            let found: BTreeSet<u16> = body.members.iter().collect();
            ensure!(
                found == members,
                "session {number}: members {found:?}, not {members:?}"
            );
            let inside = filled(&body.slots).is_subset(&members);
            ensure!(inside, "session {number}: an open slot by an outsider");
        }
        Ok(())
    }
}
