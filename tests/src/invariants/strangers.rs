//! `bytes.md`: what all have reserved stays within `max_board_bytes`, and what strangers have within that less the listed openers'
//! quotas.

use std::collections::BTreeSet;

use white_city_state_machine::Reserved;
use white_city_wire::{Hash, board::Status};

use super::Property;
use crate::simulator::Observed;

/// Recomputes the reserved bytes from scratch.
#[derive(Default, Clone)]
pub struct Strangers;

impl Property for Strangers {
    const NAME: &'static str = "strangers";

    fn check(&mut self, seen: &Observed) -> Result<(), String> {
        let state = &seen.executed.after;
        let charter = state.charter();
        let listed: BTreeSet<Hash> = charter.openers.iter().map(|o| o.key).collect();
        let (mut all, mut strangers) = (0, 0);
        for session in state.sessions().iter() {
            if session.status() == Status::Erased {
                continue;
            }
            let opener = state.openers().get(session.leaf.opener);
            let opener = opener.ok_or("a session of an unknown opener")?;
            all += session.leaf.reserved_bytes;
            if !listed.contains(&Hash(*opener.key.as_bytes())) {
                strangers += session.leaf.reserved_bytes;
            }
        }
        let due = Reserved { all, strangers };
        let found = state.reserved();
        ensure!(found == due, "{due:?} is reserved, not {found:?}");
        let before = seen.executed.before.reserved();
        // The charter before the block is what its openings were held against.
        let charter = seen.executed.before.charter();
        let quotas: u64 = charter.openers.iter().map(|o| o.max_bytes).sum();
        for (now, before, most) in [
            (all, before.all, charter.max_board_bytes),
            (
                strangers,
                before.strangers,
                charter.max_board_bytes - quotas,
            ),
        ] {
            // What is over a limit since the charter changed stays, but grows no further.
            let within = now <= most.max(before);
            ensure!(within, "{now} bytes are reserved of {most}");
        }
        Ok(())
    }
}
