//! Everything that the state machine comes to is among what readers and receipts hold for possible (`white_city_wire::possible`):
//! they would call an honest replica a liar otherwise.

use white_city_wire::possible::{Impossible, check_culprits};

use super::Property;
use crate::simulator::Observed;

/// Asks of every session what its readers ask.
#[derive(Default, Clone)]
pub struct Possible;

impl Property for Possible {
    const NAME: &'static str = "possible";

    fn check(&mut self, seen: &Observed) -> Result<(), String> {
        let executed = &seen.executed;
        let board = executed.after.board_root();
        let replicas = Some(executed.after.charter().size());
        let (height, board_ms) = (executed.context.height, executed.board_ms);
        for session in executed.after.sessions().iter() {
            let (number, leaf) = (session.number, &session.leaf);
            let not = |what: &str, Impossible(why): Impossible| {
                Err(format!("session {number}: {what}: {why}"))
            };
            leaf.check(replicas, &board, board_ms)
                .or_else(|why| not("leaf", why))?;
            if let Some(record) = &session.terminal {
                let checked = record.check(leaf, (height, board_ms));
                checked.or_else(|why| not("record", why))?;
            }
            if let (Some(record), Some(body)) = (&session.terminal, &session.body) {
                let open_by_ms = body.open_by_ms..=body.open_by_ms;
                let checked = record
                    .check_spec(leaf, &body.spec)
                    .and_then(|()| record.check_kept(leaf, &body.spec, open_by_ms));
                checked.or_else(|why| not("record", why))?;
            }
            if let Some(body) = &session.body {
                let checked = leaf.check_spec(&body.spec);
                checked.or_else(|why| not("leaf", why))?;
                let checked = check_culprits(&body.culprits, leaf, body.spec.parties());
                checked.or_else(|why| not("culprits", why))?;
            }
            let before = executed.before.sessions().get(number);
            let undone = before.and_then(|before| before.leaf.undone_by(leaf));
            if let Some(undone) = undone {
                return Err(format!("session {number}: {undone}"));
            }
        }
        Ok(())
    }
}
