//! Promise 2: one entry a slot, the first valid one wins, and nothing appears that no transaction brought.

use std::collections::BTreeMap;

use white_city_state_machine::Slot;

use super::{Property, before_closing::fill, bodies, body_before};
use crate::simulator::Observed;

/// Compares every slot with the one before the block.
#[derive(Default, Clone)]
pub struct Slots;

impl Property for Slots {
    const NAME: &'static str = "slots";

    fn check(&mut self, seen: &Observed) -> Result<(), String> {
        let mut brought = BTreeMap::new();
        for (tx, number) in seen.executed.applied() {
            if let Some((round, index, slot)) = fill(tx.action()) {
                let twice = brought.insert((number, round, index), slot);
                ensure!(
                    twice.is_none(),
                    "session {number}: two entries were taken for one slot"
                );
            }
        }
        for (session, body) in bodies(&seen.executed.after) {
            let number = session.number;
            let before = body_before(seen, number);
            for round in 0..=session.leaf.open_round {
                for index in 0..body.spec.parties() {
                    let old = before.and_then(|before| before.slot(round, index).cloned());
                    let old = old.unwrap_or_default();
                    let new = body.slot(round, index).cloned().unwrap_or_default();
                    let brought = brought.remove(&(number, round, index));
                    let place = format!("session {number}, round {round}, party {index}");
                    if let Slot::Join { key, .. } = &new {
                        let same = key.kem() == body.spec.kem;
                        ensure!(same, "{place}: a key of another kind than the spec's");
                    }
                    ensure!(old.is_empty() || brought.is_none(), "{place}: taken twice");
                    let expected = brought.unwrap_or(old);
                    ensure!(new == expected, "{place}: {new:?}, expected {expected:?}");
                }
            }
        }
        ensure!(
            brought.is_empty(),
            "an accepted entry isn't on the board: {brought:?}"
        );
        Ok(())
    }
}
