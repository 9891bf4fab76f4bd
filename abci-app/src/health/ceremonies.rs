//! The sessions of a board by what they wait for. Only those that live are looked at.

use white_city_state_machine::Session;
use white_city_wire::board::Status;

use crate::committed::Committed;

/// Most live sessions that are looked at: those whose deadlines come first.
const LOOKED_AT_MAX: usize = 10_000;

/// The sessions that are in one status.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Phase {
    /// Their number.
    pub sessions: u64,
    /// Parties that they wait for.
    pub awaited: u64,
    /// The longest time that one of them has waited, ms of board time.
    pub open_ms: u64,
}

/// All sessions of a board.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Ceremonies {
    /// Those whose parties join.
    pub joining: Phase,
    /// Those whose rounds run.
    pub running: Phase,
    /// Those where a complaint waits for its answer.
    pub dispute: Phase,
    /// Those that have ended and aren't erased.
    pub ended: u64,
    /// Those that were erased.
    pub erased: u64,
    /// Live ones that were too many to be looked at.
    pub not_looked_at: u64,
    /// Those in last call.
    pub in_last_call: u64,
    /// The longest time since the deadline of one of them, ms of board time.
    pub last_call_ms: u64,
}

impl Ceremonies {
    /// Those after the last block.
    pub fn of(committed: &Committed) -> Self {
        let state = &committed.state;
        let board_ms = committed.tip.time.millis();
        let board_ms = board_ms.saturating_sub(state.paused_ms());
        let (live, ended) = (count(state.live()), count(state.ended()));
        let mut all = Self {
            ended,
            erased: state.sessions().len().saturating_sub(live + ended),
            not_looked_at: live.saturating_sub(count(LOOKED_AT_MAX)),
            ..Self::default()
        };
        let urgent_first = state.past_deadline(u64::MAX).chain(state.unstarted());
        let sessions = urgent_first.filter_map(|number| state.sessions().get(number));
        for session in sessions.take(LOOKED_AT_MAX) {
            all.add(session, board_ms);
        }
        all
    }

    fn add(&mut self, session: &Session, board_ms: u64) {
        let leaf = &session.leaf;
        let awaited = session.body.as_ref().map(|body| body.awaited().count());
        let (phase, awaited) = match session.status() {
            Status::Joining => (&mut self.joining, awaited),
            Status::Running => (&mut self.running, awaited),
            // The accused.
            Status::Dispute => (&mut self.dispute, Some(1)),
            Status::Finished | Status::Aborted | Status::Erased => return,
        };
        let began_ms = session.began_ms().unwrap_or(board_ms);
        phase.sessions += 1;
        phase.awaited += u64::from(awaited.unwrap_or(0));
        phase.open_ms = phase.open_ms.max(board_ms.saturating_sub(began_ms));
        if leaf.call_blocks > 0 {
            let since_ms = board_ms.saturating_sub(leaf.deadline_ms);
            self.in_last_call += 1;
            self.last_call_ms = self.last_call_ms.max(since_ms);
        }
    }
}

fn count(number: usize) -> u64 {
    u64::try_from(number).unwrap_or(u64::MAX)
}
