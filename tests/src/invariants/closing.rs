//! `model.md`, closing: which group wins, what follows, and who is named, by an oracle of its own.

use std::collections::BTreeSet;

use white_city_state_machine::Session;
use white_city_wire::{
    Hash,
    board::{Cause, Status},
};

use super::{
    Property,
    before_closing::{BeforeClosing, before_closing},
    bodies,
};
use crate::simulator::Observed;

/// Compares every closing with the oracle.
#[derive(Default, Clone)]
pub struct Closing;

/// State of a session after a closing.
#[derive(Debug, PartialEq, Eq)]
struct After {
    round: u32,
    members: BTreeSet<u16>,
    end: Option<(Status, Cause, Option<u16>, Hash)>,
}

impl Property for Closing {
    const NAME: &'static str = "closing";

    fn check(&mut self, seen: &Observed) -> Result<(), String> {
        for (session, body) in bodies(&seen.executed.after) {
            let Some(before) = before_closing(seen, session.number) else {
                continue;
            };
            let ended = session.terminal.is_some();
            if !ended && session.leaf.open_round == before.round {
                continue;
            }
            let expected = expected(&before);
            let found = After {
                round: session.leaf.open_round,
                members: body.members.iter().collect(),
                end: end_of(session),
            };
            let number = session.number;
            ensure!(
                found == expected,
                "session {number}: {found:?}, expected {expected:?}"
            );
        }
        Ok(())
    }
}

fn end_of(session: &Session) -> Option<(Status, Cause, Option<u16>, Hash)> {
    let record = session.terminal.as_ref()?;
    Some((session.status(), record.cause, record.by(), record.outcome))
}

fn expected(before: &BeforeClosing<'_>) -> After {
    let aborted = |round, members: &BTreeSet<u16>, cause| {
        let left = before
            .left
            .iter()
            .rev()
            .copied()
            .find(|i| members.contains(i));
        let by = left.filter(|_| cause == Cause::Left);
        After {
            round,
            members: members.clone(),
            end: Some((Status::Aborted, cause, by, Hash::ZERO)),
        }
    };
    let (round, members) = (before.round, &before.members);
    let quorum = usize::from(before.spec.quorum);
    if let Some(complain) = &before.complain {
        let (cause, by) = match before.shown {
            Some(shown) => shown,
            None => (Cause::NoReveal, complain.post.index),
        };
        return After {
            round,
            members: members.clone(),
            end: Some((Status::Aborted, cause, Some(by), Hash::ZERO)),
        };
    }
    if before.too_few_remain() {
        return aborted(round, members, Cause::Left);
    }
    match before.winners() {
        None if before.slots.len() < quorum => aborted(round, members, Cause::TooFew),
        None => aborted(round, members, Cause::Disagreement),
        Some((_, Some(outcome))) => After {
            round,
            members: members.clone(),
            end: Some((Status::Finished, Cause::None, None, outcome)),
        },
        Some(_) if round >= before.spec.max_rounds => aborted(round, members, Cause::OutOfRounds),
        Some((winners, None)) => {
            let staying = winners.iter().filter(|i| !before.left.contains(i));
            if staying.count() < quorum {
                return aborted(round + 1, &winners, Cause::Left);
            }
            After {
                round: round + 1,
                members: winners,
                end: None,
            }
        }
    }
}
