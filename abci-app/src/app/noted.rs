//! What is told of a block that was stored: in the log, and in numbers for operators.

use std::sync::Arc;

use white_city_state_machine::{Ended, Session, Slot};
use white_city_wire::board::Status;

use crate::{committed::Committed, execution::Executed, metrics::Metrics, store::Tip};

pub fn log_block(executed: &Executed, tip: &Tip) {
    if executed.ended.enacted {
        let term = executed.ended.state.term();
        let (number, hash) = (term.charter.term, term.charter_hash);
        tracing::info!(height = tip.height, term = number, charter = %hash, eras = term.eras, "a new charter is in force");
    }
    let (txs, sessions) = (executed.txs.len(), executed.ended.sessions.len());
    let (height, time_ms, root) = (tip.height, tip.time.millis(), &tip.seal.root);
    // A heartbeat says nothing that the one before didn't.
    match txs {
        0 => tracing::debug!(height, time_ms, txs, sessions, %root, "block"),
        _ => tracing::info!(height, time_ms, txs, sessions, %root, "block"),
    }
    for number in &executed.ended.sessions {
        if let Some(session) = executed.ended.state.sessions().get(*number) {
            let leaf = &session.leaf;
            tracing::debug!(session = %leaf.session, number, status = ?leaf.status, round = leaf.open_round, "session");
        }
    }
}

/// Counts what a block has done with sessions, by what they were before it.
pub fn count(metrics: &Metrics, before: Option<&Committed>, ended: &Ended) {
    for number in &ended.sessions {
        let was = before.and_then(|before| before.state.sessions().get(*number));
        if let Some(is) = ended.state.sessions().get(*number) {
            count_session(metrics, was, is, ended.board_ms);
        }
    }
}

fn count_session(metrics: &Metrics, was: Option<&Arc<Session>>, is: &Session, board_ms: u64) {
    let was = was.map(AsRef::as_ref);
    let known = was.map_or(&[][..], Session::culprits);
    for culprit in is.culprits() {
        if known.iter().all(|known| known.index != culprit.index) {
            metrics.culprit(culprit.offence);
        }
    }
    if was.is_some_and(|was| !was.status().is_live()) {
        return;
    }
    if let Some(was) = was.filter(|was| has_closed(was, is)) {
        let began_ms = was.began_ms().unwrap_or(board_ms);
        let open_ms = board_ms.saturating_sub(began_ms);
        metrics.phase_ended(was.status(), open_ms, missing_slots(was, is));
    }
    if let Some(end) = is.terminal.as_ref().filter(|_| !is.status().is_live()) {
        metrics.session_ended(end.cause);
    }
}

/// Whether the phase that a session was in is over: its round has closed, or its dispute has ended.
fn has_closed(was: &Session, is: &Session) -> bool {
    !is.status().is_live() || is.leaf.open_round > was.leaf.open_round
}

/// Number of members whose slots stayed empty in the round that has closed; none of a dispute.
fn missing_slots(was: &Session, is: &Session) -> u64 {
    let (Some(body), true) = (&is.body, was.status() != Status::Dispute) else {
        return 0;
    };
    let round = was.leaf.open_round;
    let members = was.leaf.members.iter();
    let missing = members.filter(|index| body.slot(round, *index).is_none_or(Slot::is_empty));
    missing.fold(0, |count, _| count + 1)
}
