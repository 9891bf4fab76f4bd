//! Promises 1 and 2: an entry is for the open round, for its history, by a member that hasn't left; a join for a
//! session that is joining.

use white_city_wire::{board::Status, tx::Action};

use super::Property;
use crate::simulator::Observed;

/// Checks what was accepted against the state before the block.
#[derive(Default, Clone)]
pub struct History;

impl Property for History {
    const NAME: &'static str = "history";

    fn check(&mut self, seen: &Observed) -> Result<(), String> {
        let network = seen.executed.before.network().id;
        for (tx, number) in seen.executed.applied() {
            ensure!(*tx.network() == network, "a transaction of another network");
            let Some(session) = seen.executed.before.sessions().get(number) else {
                let new = matches!(
                    tx.action(),
                    Action::Open(_) | Action::Approve(_) | Action::Join(_) | Action::Leave { .. }
                );
                ensure!(
                    new || matches!(tx.action(), Action::Evidence(_)),
                    "an entry in a new session"
                );
                continue;
            };
            let (index, round, transcript) = match tx.action() {
                Action::Join(_) => {
                    ensure!(
                        session.status() == Status::Joining,
                        "a late join in session {number}"
                    );
                    continue;
                }
                Action::Post(post) => {
                    (post.header.index, post.header.round, post.header.transcript)
                }
                Action::Finish(finish) => (finish.index, finish.round, finish.transcript),
                _ => continue,
            };
            let leaf = &session.leaf;
            let place = leaf.status == Status::Running && leaf.open_round == round;
            ensure!(
                place,
                "session {number}: an entry for round {round}, which isn't open"
            );
            ensure!(
                leaf.transcript == transcript,
                "session {number}: an entry of another history"
            );
            let body = session.body().map_err(|refusal| refusal.to_string())?;
            let may = body.members.contains(index) && !body.has_left(index);
            ensure!(
                may,
                "session {number}: an entry by party {index}, which is out"
            );
        }
        Ok(())
    }
}
