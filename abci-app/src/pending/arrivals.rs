//! When pending transactions came, by the round that they fill.

use std::{collections::BTreeMap, time::Instant};

use white_city_wire::SessionId;

/// The arrivals of one round, or of everything that fills none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Arrived {
    /// Number of them that are pending.
    pub pending: usize,
    /// When the last one of a round came; of everything else, the first one that is pending.
    pub at: Instant,
}

/// The arrivals of what is pending.
#[derive(Default)]
pub struct Arrivals {
    rounds: BTreeMap<(SessionId, u32), Arrived>,
    others: Option<Arrived>,
}

impl Arrivals {
    /// Notes that something for a round, or for none, came `now`.
    pub fn note(&mut self, round: Option<(SessionId, u32)>, now: Instant) {
        let first = Arrived {
            pending: 0,
            at: now,
        };
        let arrived = match round {
            Some(round) => {
                let arrived = self.rounds.entry(round).or_insert(first);
                arrived.at = now;
                arrived
            }
            None => self.others.get_or_insert(first),
        };
        arrived.pending += 1;
    }

    /// Notes that something for a round, or for none, isn't pending any more.
    pub fn forget(&mut self, round: Option<(SessionId, u32)>) {
        let arrived = match &round {
            Some(round) => self.rounds.get_mut(round),
            None => self.others.as_mut(),
        };
        let Some(arrived) = arrived else { return };
        arrived.pending = arrived.pending.saturating_sub(1);
        if arrived.pending == 0 {
            match round {
                Some(round) => drop(self.rounds.remove(&round)),
                None => self.others = None,
            }
        }
    }

    /// Number of transactions that are pending for one round.
    pub fn round(&self, session: SessionId, round: u32) -> usize {
        let arrived = self.rounds.get(&(session, round));
        arrived.map_or(0, |arrived| arrived.pending)
    }

    /// The arrivals that are pending for rounds, by session and round.
    pub const fn rounds(&self) -> &BTreeMap<(SessionId, u32), Arrived> {
        &self.rounds
    }

    /// The arrivals that are pending and fill no round.
    pub const fn others(&self) -> Option<Arrived> {
        self.others
    }
}
