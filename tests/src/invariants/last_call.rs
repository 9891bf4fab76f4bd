//! Promise 6 and `model.md`, last call: a round closes exactly when nobody is awaited, too few remain, or f + 1
//! different proposers had nothing to add after the deadline, though there was room for it, which begins in the block after its opening; a dispute ends
//! with its reveal, or likewise.

use std::collections::{BTreeMap, BTreeSet};

use white_city_state_machine::Session;
use white_city_wire::{board::Status, protocol::NEXT, tx::Action};

use super::{Property, before_closing::before_closing, bodies};
use crate::{board::Executed, simulator::Observed};

/// An oracle of every session's clock and last call.
#[derive(Default, Clone)]
pub struct LastCall(BTreeMap<u32, Clock>);

#[derive(Default, Clone)]
struct Clock {
    round: u32,
    disputed: bool,
    deadline: Option<u64>,
    blocks: u32,
    callers: BTreeSet<usize>,
}

impl Property for LastCall {
    const NAME: &'static str = "last_call";

    fn check(&mut self, seen: &Observed) -> Result<(), String> {
        let executed = &seen.executed;
        let replicas = &executed.before.charter().replicas;
        let room = sessions_with_room(executed);
        let address = executed.context.proposer;
        let proposer = replicas.iter().position(|r| r.address() == address);
        let enough = (replicas.len() - 1) / 3 + 1;
        let enacted = executed.before.term().charter_hash != executed.after.term().charter_hash;
        for (session, _) in bodies(&executed.after) {
            let Some(here) = before_closing(seen, session.number) else {
                continue;
            };
            let number = session.number;
            let before = executed.before.sessions().get(number);
            let clock = self.0.entry(number).or_default();
            let stopped = here.complain.is_some() && !here.was_disputed;
            let phase = (here.round, here.was_disputed);
            if (clock.round, clock.disputed) != phase || stopped {
                *clock = Clock {
                    round: here.round,
                    disputed: here.was_disputed,
                    ..Clock::default()
                };
            }
            if stopped {
                let did = session.terminal.is_some();
                ensure!(
                    did == here.shown.is_some(),
                    "session {number}: settled by a complaint: {did}"
                );
                clock.compare(session, did)?;
                continue;
            }
            if let (Some(before), None) = (before, clock.deadline) {
                let duration = match before.status() {
                    Status::Joining => here.spec.join_ms,
                    Status::Dispute => here.spec.reveal_ms,
                    _ => here.spec.round_ms,
                };
                // The rule of the number that is there for tests.
                let longer = u64::from(executed.after.protocol() >= NEXT);
                let begins = executed.board_ms.saturating_add(longer);
                clock.deadline = Some(begins.saturating_add(duration));
            }
            if clock
                .deadline
                .is_some_and(|deadline| executed.board_ms > deadline)
            {
                clock.blocks += 1;
                let counts = !here.carried && room.contains(&number);
                clock.callers.extend(proposer.filter(|_| counts));
            }
            let over = clock.callers.len() >= enough;
            let must = if here.was_disputed {
                here.shown.is_some() || over
            } else {
                here.too_few_remain() || here.awaited().is_empty() || over
            };
            let did = session.terminal.is_some() || session.leaf.open_round != here.round;
            ensure!(
                did == must,
                "session {number}: settled: {did}, must be: {must}"
            );
            if enacted {
                // Under the next charter positions and f are others: it begins anew.
                (clock.blocks, clock.callers) = (0, BTreeSet::new());
            }
            clock.compare(session, did)?;
        }
        Ok(())
    }
}

/// Sessions in last call that could have had one more entry in this block: behind those of the sessions whose deadlines came before
/// theirs, or whose numbers did at the same deadline.
fn sessions_with_room(executed: &Executed) -> BTreeSet<u32> {
    let params = executed.before.params();
    let mut order: Vec<(u64, u32)> = executed
        .before
        .sessions()
        .iter()
        .filter(|session| session.status().is_live())
        .map(|session| (session.leaf.deadline_ms, session.number))
        .filter(|(deadline_ms, _)| *deadline_ms != 0 && *deadline_ms < executed.board_ms)
        .collect();
    order.sort_unstable();
    let (mut bytes, mut work) = (0_u64, 0_u32);
    let mut room = BTreeSet::new();
    for (_, number) in order {
        if bytes < u64::from(params.full_block) && work + 8 <= params.max_work {
            room.insert(number);
        }
        for (tx, _) in executed.applied().filter(|(_, at)| *at == number) {
            let weighs = match tx.action() {
                Action::Join(_) | Action::Post(_) | Action::Finish(_) => 1,
                Action::Reveal(_) => 8,
                _ => continue,
            };
            bytes += u64::from(tx.bytes());
            work += weighs;
        }
    }
    room
}

impl Clock {
    /// Compares what the leaf says with what the oracle counted.
    fn compare(&self, session: &Session, settled: bool) -> Result<(), String> {
        let (number, leaf) = (session.number, &session.leaf);
        let deadline = leaf.deadline_ms;
        if settled {
            let fresh = leaf.call_blocks == 0 && leaf.callers == [0; 32];
            ensure!(fresh, "session {number}: last call goes on after closing");
            let unstarted = session.terminal.is_some() || deadline == 0;
            ensure!(unstarted, "session {number}: a clock that runs at once");
            return Ok(());
        }
        let expected = self.deadline.unwrap_or(0);
        ensure!(
            deadline == expected,
            "session {number}: deadline {deadline}, not {expected}"
        );
        ensure!(
            leaf.call_blocks == self.blocks,
            "session {number}: blocks of last call"
        );
        let mut bits = [0_u8; 32];
        self.callers
            .iter()
            .for_each(|i| bits[i / 8] |= 1 << (i % 8));
        ensure!(leaf.callers == bits, "session {number}: callers");
        Ok(())
    }
}
