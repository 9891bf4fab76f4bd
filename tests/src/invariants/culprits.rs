//! Promise 5: a culprit is named only with evidence, never an honest party; the first evidence stays, also after
//! the end, and nothing else changes.

use std::collections::BTreeMap;

use white_city_wire::board::{Culprit, Offence};

use super::{Property, bodies};
use crate::simulator::Observed;

/// The evidence that was on the board first.
#[derive(Default, Clone)]
pub struct Culprits(BTreeMap<(u32, u16), Culprit>);

impl Property for Culprits {
    const NAME: &'static str = "culprits";

    fn check(&mut self, seen: &Observed) -> Result<(), String> {
        for (session, body) in bodies(&seen.executed.after) {
            let number = session.number;
            let ascending = body.culprits.is_sorted_by(|a, b| a.index < b.index);
            ensure!(
                ascending,
                "session {number}: culprits out of order or twice"
            );
            for culprit in &body.culprits {
                let slot = (session.id(), culprit.round, culprit.index);
                let signed = seen.entries.get(&slot);
                let real = [culprit.a, culprit.b]
                    .iter()
                    .all(|digest| signed.is_some_and(|signed| signed.contains_key(digest)));
                ensure!(real, "session {number}: party {} is framed", culprit.index);
                let kind = culprit.offence == Offence::Equivocation && culprit.a < culprit.b;
                ensure!(kind, "session {number}: that is no equivocation");
                let first = self
                    .0
                    .entry((number, culprit.index))
                    .or_insert_with(|| culprit.clone());
                ensure!(
                    first == culprit,
                    "session {number}: the evidence was replaced"
                );
            }
            let known = self.0.range((number, 0)..=(number, u16::MAX)).count();
            let all = known == body.culprits.len();
            ensure!(all, "session {number}: a culprit was forgotten");
        }
        Ok(())
    }
}
