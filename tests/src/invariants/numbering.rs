//! `bytes.md`, trees: sessions are numbered as they are opened, ids are unique and never forgotten.

use std::collections::BTreeSet;

use white_city_wire::tx::Action;

use super::Property;
use crate::simulator::Observed;

/// Checks numbers and ids.
#[derive(Default, Clone)]
pub struct Numbering;

impl Property for Numbering {
    const NAME: &'static str = "numbering";

    fn check(&mut self, seen: &Observed) -> Result<(), String> {
        let (before, after) = (&seen.executed.before, &seen.executed.after);
        let network = before.network().id;
        let mut expected: Vec<_> = before.sessions().iter().map(|s| s.id()).collect();
        for (tx, number) in seen.executed.applied() {
            if let Action::Open(open) = tx.action() {
                let next = u32::try_from(expected.len()).unwrap_or(u32::MAX);
                ensure!(
                    number == next,
                    "a session was given number {number}, not {next}"
                );
                expected.push(open.session_id(&network));
            }
        }
        let found: Vec<_> = after.sessions().iter().map(|s| s.id()).collect();
        ensure!(found == expected, "other sessions than were opened");
        let different: BTreeSet<_> = found.iter().collect();
        ensure!(different.len() == found.len(), "two sessions have one id");
        for (number, session) in (0_u32..).zip(after.sessions().iter()) {
            let at = after.number(&session.id());
            ensure!(at == Ok(number), "session {number} is found at {at:?}");
            ensure!(
                session.number == number,
                "session {number} has another number"
            );
        }
        let openers: Vec<_> = after.openers().iter().map(|o| o.key).collect();
        let different: BTreeSet<_> = openers.iter().collect();
        ensure!(different.len() == openers.len(), "an opener is there twice");
        Ok(())
    }
}
