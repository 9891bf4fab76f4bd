//! Promise 2: a round's content never changes once closed. And `bytes.md`: T is the fold over the closed rounds.

use std::collections::BTreeMap;

use white_city_wire::Hash;

use super::{
    Property, bodies,
    bytes::{sha, slots_root, tag},
};
use crate::simulator::Observed;

/// Digests that every closed round held when it closed.
#[derive(Default, Clone)]
pub struct ClosedRounds(BTreeMap<(u32, usize), Vec<Option<Hash>>>);

impl Property for ClosedRounds {
    const NAME: &'static str = "closed_rounds";

    fn check(&mut self, seen: &Observed) -> Result<(), String> {
        for (session, body) in bodies(&seen.executed.after) {
            let number = session.number;
            let open = usize::try_from(session.leaf.open_round).unwrap_or(usize::MAX);
            ensure!(
                body.closed.len() == open,
                "session {number}: {open} rounds haven't closed"
            );
            let start = tag("white-city/tr/1");
            let mut transcript = Hash(session.id().0);
            for (round, closed) in (0_u32..).zip(&body.closed) {
                let digests: Vec<_> = closed.slots.iter().map(|slot| slot.digest()).collect();
                let root = slots_root(&digests);
                let place = (number, usize::try_from(round).unwrap_or(usize::MAX));
                let known = self.0.entry(place).or_insert_with(|| digests.clone());
                ensure!(
                    *known == digests,
                    "session {number}: closed round {round} changed"
                );
                transcript = sha(&[&start, &transcript.0, &round.to_be_bytes(), &root.0]);
            }
            let same = transcript == session.leaf.transcript;
            ensure!(
                same,
                "session {number}: the transcript isn't the fold of its rounds"
            );
        }
        Ok(())
    }
}
