//! Report of an exploration: figures, and that nothing of what it should meet was missing.

use std::{collections::BTreeMap, time::Duration};

use white_city_state_machine::Session;
use white_city_tests::simulator::Observed;
use white_city_wire::board::Status;

/// Report of an exploration.
#[derive(Debug, Default, Clone)]
pub struct Report {
    /// Different states.
    pub states: usize,
    /// Blocks that were executed.
    pub blocks: usize,
    /// Blocks from the start to the farthest state.
    pub depth: usize,
    /// Whether every state that can be reached was.
    pub complete: bool,
    /// Count of each refusal, by code.
    pub refused: BTreeMap<u32, usize>,
    /// Count of the sessions that each cause ended.
    pub causes: BTreeMap<u16, usize>,
    /// Counts: a session was erased, a culprit flagged, a round closed with somebody absent.
    pub events: BTreeMap<&'static str, usize>,
    /// Time that it took.
    pub time: Duration,
}

impl Report {
    /// Counts what a block has done.
    pub fn tally(&mut self, seen: &Observed) {
        self.tally_charters(seen);
        for after in seen.executed.after.sessions().iter() {
            let before = seen.executed.before.sessions().get(after.number);
            let lived = before.is_none_or(|before| before.terminal.is_none());
            if let Some(record) = after.terminal.as_ref().filter(|_| lived) {
                *self.causes.entry(record.cause.number()).or_default() += 1;
            }
            let Some(before) = before else { continue };
            let closed = after.leaf.open_round > before.leaf.open_round;
            let culprits = |s: &Session| s.body.as_ref().map_or(0, |body| body.culprits.len());
            let members = after.body.as_ref().map(|body| body.members.count());
            let events = [
                ("erased", before.body.is_some() && after.body.is_none()),
                ("flagged", culprits(after) > culprits(before)),
                ("closed", closed),
                (
                    "closed without somebody",
                    closed && members < before.body.as_ref().map(|body| body.members.count()),
                ),
                (
                    "last call",
                    after.leaf.call_blocks > before.leaf.call_blocks,
                ),
                (
                    "disputed",
                    after.status() == Status::Dispute && before.status() == Status::Running,
                ),
            ];
            for (event, happened) in events {
                *self.events.entry(event).or_default() += usize::from(happened);
            }
        }
    }

    /// Counts what a block has done to the rules.
    fn tally_charters(&mut self, seen: &Observed) {
        let (before, after) = (&seen.executed.before, &seen.executed.after);
        let (was, is) = (before.term(), after.term());
        let enacted = was.charter_hash != is.charter_hash;
        let height = seen.executed.context.height;
        let sessions = || before.sessions().iter();
        let ended = sessions().any(|session| {
            let now = after.sessions().get(session.number);
            session.terminal.is_none() && now.is_some_and(|now| now.terminal.is_some())
        });
        let in_last_call = sessions().any(|session| session.leaf.call_blocks > 0);
        let number = is.charter.protocol != was.charter.protocol;
        let events = [
            ("enacted", enacted),
            ("era", is.eras != was.eras),
            ("proven", !enacted && is.proven != was.proven),
            ("number", enacted && number),
            ("enacted where a session ends", enacted && ended),
            ("enacted in last call", enacted && in_last_call),
            (
                "enacted twice in a row",
                enacted && was.height > 0 && was.height + 1 == height,
            ),
        ];
        for (event, happened) in events {
            *self.events.entry(event).or_default() += usize::from(happened);
        }
    }
}
