//! `model.md`, leaving: once, in order, remembered, and a leaver fills no slot any more.

use std::collections::BTreeSet;

use white_city_wire::tx::Action;

use super::{Property, bodies, body_before};
use crate::simulator::Observed;

/// Checks the list of those who left.
#[derive(Default, Clone)]
pub struct Leavers;

impl Property for Leavers {
    const NAME: &'static str = "leavers";

    fn check(&mut self, seen: &Observed) -> Result<(), String> {
        for (session, body) in bodies(&seen.executed.after) {
            let number = session.number;
            let before = body_before(seen, number);
            let mut expected = before.map_or(vec![], |before| before.left.clone());
            for (tx, _) in seen.executed.applied().filter(|(_, at)| *at == number) {
                if let Action::Leave {
                    session,
                    index,
                    leave,
                } = tx.action()
                {
                    expected.push((*index, leave.digest(session, *index)));
                }
            }
            ensure!(
                body.left == expected,
                "session {number}: another list of leavers"
            );
            let different: BTreeSet<u16> = body.left.iter().map(|(index, _)| *index).collect();
            ensure!(
                different.len() == body.left.len(),
                "session {number}: somebody left twice"
            );
            let Some(before) = before else { continue };
            for (index, _) in &before.left {
                let slot = before.slots.get(usize::from(*index));
                let was_empty = slot.is_some_and(|slot| slot.is_empty());
                let round = u32::try_from(before.closed.len()).unwrap_or(u32::MAX);
                let now = body
                    .slot(round, *index)
                    .is_some_and(|slot| !slot.is_empty());
                ensure!(
                    !(was_empty && now),
                    "session {number}: leaver {index} filled a slot"
                );
            }
        }
        Ok(())
    }
}
