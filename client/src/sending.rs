//! Sending a transaction until the board shows it.
//!
//! [`policy`] decides what is sent where and when; here is what performs it. How the board is looked at is the matter of whoever
//! sends: a [`Target`].

mod policy;

use std::sync::Arc;

use policy::{FIRST_ALONE, Heard, Outcome, SHOWN, Sending, Step, TURN};
pub(crate) use policy::{TxKind, Usual, View, is_answer_due};
use tokio::time::{Instant, timeout_at};

use crate::{
    Error,
    replicas::{Replicas, Replies},
};

/// The aim of a transaction: what it is to bring about, and how the board shows it.
pub(crate) trait Target {
    /// An attempt begins: what comes of it may be seen soon.
    fn begin(&mut self);

    /// The state of the board, as far as it was looked at.
    fn view(&self, usual: Usual) -> View;

    /// Looks at the board: whether it shows what was to come about.
    ///
    /// # Errors
    /// Why it can't any more.
    async fn look(&mut self) -> Result<bool, Error>;

    /// Waits for news, until then at most, and looks.
    ///
    /// # Errors
    /// As [`Target::look`].
    async fn wait(&mut self, until: Instant) -> Result<bool, Error>;
}

/// Sends the same bytes again and again until the board shows what they are for.
///
/// # Errors
/// Why it can't any more, or what so many replicas refuse them for that one of them is honest.
pub(crate) async fn send(
    replicas: &Replicas,
    tx: &Arc<Vec<u8>>,
    kind: TxKind,
    target: &mut impl Target,
) -> Result<(), Error> {
    let began = Instant::now();
    let mut sending = Sending::new(kind, tx.len());
    let (mut heard, mut replies) = (Heard::Nothing, Replies::default());
    loop {
        if heard == Heard::NotShown {
            replicas.doubt_entrance(&replies);
        }
        let view = target.view(usual(replicas));
        let step = sending.next(heard, Instant::now(), &view);
        heard = match step {
            Step::Look => match target.look().await? {
                true => return Ok(()),
                false => Heard::NotThere,
            },
            Step::Watch { until } => match watch(target, until).await? {
                true => {
                    if sending.tells_what_is_usual() {
                        replicas.note_shown(began.elapsed().min(SHOWN.most));
                    }
                    return Ok(());
                }
                false => Heard::NotShown,
            },
            Step::Stop(outcome) => return Err(error(outcome, replies, replicas)),
            step => {
                if matches!(heard, Heard::Nothing | Heard::NotShown) {
                    target.begin();
                }
                perform(replicas, tx, step, &mut replies).await
            }
        };
    }
}

/// Sends once, as a step says.
async fn perform(
    replicas: &Replicas,
    tx: &Arc<Vec<u8>>,
    step: Step,
    replies: &mut Replies,
) -> Heard {
    *replies = Replies::default();
    let performed = async {
        *replies = match step {
            Step::HandOver { patience, .. } => {
                return Heard::HandedOver(replicas.hand_over(tx, patience).await);
            }
            Step::Wake { all, patience, .. } => replicas.wake(tx, all, TURN, patience).await,
            Step::One { patience, .. } => replicas.submit_to_one(tx, patience).await,
            _ => replicas.submit(tx).await,
        };
        heard(replies, replicas.witnesses())
    };
    match step.until() {
        Some(until) => {
            let performed = timeout_at(until, performed).await;
            performed.unwrap_or(Heard::TooLong)
        }
        None => performed.await,
    }
}

async fn watch(target: &mut impl Target, until: Instant) -> Result<bool, Error> {
    while Instant::now() < until {
        if target.wait(until).await? {
            return Ok(true);
        }
    }
    Ok(false)
}

fn usual(replicas: &Replicas) -> Usual {
    Usual {
        hedge: replicas.hedge(),
        first_alone: replicas.patience_for_answers(FIRST_ALONE),
        shown: replicas.patience_until_shown(SHOWN),
        are_ports_known: replicas.are_ports_known(),
    }
}

/// The answers of engines, in short.
fn heard(replies: &Replies, witnesses: usize) -> Heard {
    if replies.taken > 0 {
        return Heard::Taken;
    }
    if replies.is_silence() {
        tracing::warn!(faults = ?replies.faults, "nobody was reached");
        return Heard::Silence;
    }
    let for_good = replies.refusal(witnesses);
    let for_good = for_good.map(|(code, _)| Heard::Refused { code });
    let for_now = || replies.refusal_for_now(witnesses);
    let for_now = || for_now().map(|(code, _)| Heard::NotNow { code });
    for_good.or_else(for_now).unwrap_or(Heard::Open)
}

fn error(outcome: Outcome, replies: Replies, replicas: &Replicas) -> Error {
    let witnesses = replicas.witnesses();
    let refusal = replies.refusal(witnesses);
    let refusal = refusal.or_else(|| replies.refusal_for_now(witnesses));
    match (outcome, refusal) {
        (Outcome::Refused | Outcome::TooLate, Some((_, refusal))) => refusal,
        (Outcome::TooLate, None) => Error::usage("board", "to take it in time"),
        (Outcome::Unreachable | Outcome::Refused, _) => Error::Unreachable(replies.faults),
    }
}

#[cfg(test)]
mod tests;
