//! The policy of sending: what goes where and when, given what was heard and what time it is. It neither waits nor sends.
//!
//! | what | at first | where the board doesn't show it | after that |
//! |---|---|---|---|
//! | an entry: a join, a post, a finish | each replica's direct port | the direct ports again | all engines |
//! | an opening | one engine | all engines | all engines |
//! | a word: leaving, a complaint | all engines | all engines | all engines |
//!
//! An entry that too few direct ports take, or that is too large for them, goes to one engine at first, and to all when it is sent again.
//! Where they take it but no block comes for it, likewise; but if another entry of this process is brought to an engine after this
//! one was handed over, that one's block is enough: hundreds that come after a pause would cost an engine more than all their blocks.
//! With little time left all engines get it at once.

#[cfg(test)]
mod tests;

use std::time::Duration;

use tokio::time::Instant;
use white_city_wire::Refusal;

use crate::{bounds::Bounds, replicas::HandedOver};

/// Time to wait for the first engine to answer before the others get a transaction, too; longer where all are late. It checks one in
/// a moment, but many may be waiting.
pub(crate) const FIRST_ALONE: Bounds = Bounds::ms(500, 4_000);
/// Time to wait for an entry before it is sent again; longer where that usually takes long.
pub(crate) const SHOWN: Bounds = Bounds::ms(500, 4_000);
/// Time to wait for whoever brings another entry to an engine. It may itself wait long for engines that are silent.
pub(crate) const TURN: Duration = FIRST_ALONE.least;

/// Largest entry that is handed over to each replica itself, bytes. A larger one goes to one engine: the replicas' links carry it to
/// the others, and the party's own, which may be slow, only once.
const HANDED_BYTES_MAX: usize = 128 << 10;
/// Number of times that an entry is handed over before all engines get it.
const HANDED_TIMES: u32 = 2;
/// With less time than this an entry goes to all engines at once: there may be none to send it again, should one keep it to itself.
const NEAR: Duration = Duration::from_secs(3);
/// Longest pause before the same bytes are sent again.
const PAUSE_MAX: Duration = Duration::from_secs(8);
/// Pause before an opening is sent again: usually, and at most where replicas have no time for it.
const OPENING: Bounds = Bounds::ms(500, 8_000);
/// Number of times that a refusal may speak of a state that this party doesn't see yet, before it is believed.
const HINTS_MAX: u32 = 3;
/// Pause before the answer to a complaint is sent again.
const ANSWER_AGAIN: Duration = Duration::from_millis(500);

/// The kind of what is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum TxKind {
    /// A join, a post or a finish: it fills a slot of a round.
    Entry,
    /// The opening of a session.
    Opening,
    /// Something that may be said at any time in a session: leaving, a complaint.
    Word,
}

/// The usual lateness, as times to be patient for.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Usual {
    /// Time to wait for a replica before another one is asked, too.
    pub(crate) hedge: Duration,
    /// Within [`FIRST_ALONE`].
    pub(crate) first_alone: Duration,
    /// Within [`SHOWN`].
    pub(crate) shown: Duration,
    /// Whether the direct ports of all but as many replicas as may be malicious are known.
    pub(crate) are_ports_known: bool,
}

/// The state of the board and the replicas, as far as a decision needs it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct View {
    pub(crate) usual: Usual,
    /// Time that the open round has left; `None` while its clock hasn't started.
    pub(crate) left: Option<Duration>,
    /// All the time that such a round has.
    pub(crate) whole: Duration,
    /// Whether the session is in dispute, which ends it: whoever wants something else of it learns how.
    pub(crate) is_disputed: bool,
    /// Whether the board takes it no more, by its own clock.
    pub(crate) is_too_late: bool,
}

impl View {
    /// The view of something that no round waits for.
    pub(crate) const fn of_no_round(usual: Usual, is_too_late: bool) -> Self {
        Self {
            usual,
            left: None,
            whole: Duration::MAX,
            is_disputed: false,
            is_too_late,
        }
    }

    fn time_at_least(&self) -> Duration {
        self.left.unwrap_or(self.whole)
    }
}

/// The result of the last step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Heard {
    /// There was none yet.
    Nothing,
    HandedOver(HandedOver),
    /// An engine has it.
    Taken,
    /// Engines have answered, but none has taken it, and too few refuse it for one of them to be honest.
    Open,
    /// Nobody was reached.
    Silence,
    /// So many refuse it for good, with this number, that one of them is honest.
    Refused {
        code: u32,
    },
    /// So many refuse it, for now, that one of them is honest; with this number, of those the one that is over last.
    NotNow {
        code: u32,
    },
    /// The step took longer than it may.
    TooLong,
    /// The board was looked at once and doesn't show it.
    NotThere,
    /// The board was looked at for as long as was said and doesn't show it.
    NotShown,
}

/// The next thing to do. What has an `until` ends then, with [`Heard::TooLong`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Step {
    /// Every replica's direct port gets it; all but as many as may be malicious are waited for, so long.
    HandOver { patience: Duration, until: Instant },
    /// One engine gets it, or all, unless another entry's block is enough.
    Wake {
        all: bool,
        patience: Duration,
        until: Instant,
    },
    /// One engine gets it, and all others where that one doesn't take it so soon.
    One {
        patience: Duration,
        until: Option<Instant>,
    },
    /// All engines get it.
    All { until: Option<Instant> },
    /// The board is looked at, once.
    Look,
    /// The board is looked at again and again until then.
    Watch { until: Instant },
    /// Nothing more.
    Stop(Outcome),
}

impl Step {
    /// When it ends at the latest.
    pub(crate) const fn until(&self) -> Option<Instant> {
        match *self {
            Self::HandOver { until, .. } | Self::Wake { until, .. } => Some(until),
            Self::One { until, .. } | Self::All { until } => until,
            Self::Look | Self::Watch { .. } | Self::Stop(_) => None,
        }
    }
}

/// Why nothing more is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// It is refused, for good or for longer than anybody waits.
    Refused,
    /// Nobody was reached.
    Unreachable,
    /// The board takes it no more.
    TooLate,
}

/// One transaction on its way.
#[derive(Debug)]
pub(crate) struct Sending {
    kind: TxKind,
    bytes: usize,
    /// The one that goes on, from 1 on.
    attempt: u32,
    /// Time for which the board is looked at before the next one; `None` before the first.
    pause: Option<Duration>,
    /// When the attempt has taken much of the time that is left.
    until: Option<Instant>,
    /// The end that it comes to, if the board that is looked at once more doesn't show it; `None` when it goes on all the same.
    verdict: Option<Outcome>,
}

impl Sending {
    pub(crate) const fn new(kind: TxKind, bytes: usize) -> Self {
        Self {
            kind,
            bytes,
            attempt: 0,
            pause: None,
            until: None,
            verdict: None,
        }
    }

    /// Whether what is shown now tells how long that usually takes.
    pub(crate) fn tells_what_is_usual(&self) -> bool {
        self.attempt == 1 && self.kind != TxKind::Opening
    }

    /// The next step, after what was heard of the last one.
    pub(crate) fn next(&mut self, heard: Heard, now: Instant, view: &View) -> Step {
        match heard {
            Heard::Nothing => self.begin(now, view),
            Heard::NotShown if view.is_too_late => self.doubt(Some(Outcome::TooLate)),
            Heard::NotShown => {
                self.lengthen_pause();
                self.begin(now, view)
            }
            Heard::HandedOver(HandedOver::Coming) | Heard::Taken | Heard::Open => self.hope(now),
            Heard::HandedOver(HandedOver::Idle) => Step::Wake {
                all: self.is_again(),
                patience: view.usual.first_alone,
                // An attempt that hands over always has one.
                until: self.until.unwrap_or(now),
            },
            Heard::HandedOver(HandedOver::TooFew) => self.engines(view),
            // A quarter of the time is gone: this attempt ends with all engines, and isn't cut short again.
            Heard::TooLong => Step::All { until: None },
            // What they have opens the same session, whatever stamp somebody has put on it.
            Heard::Refused { code }
                if self.kind == TxKind::Opening && Refusal::is_pending(code) =>
            {
                self.hope(now)
            }
            Heard::Refused { code } => self.refused(code, view),
            Heard::NotNow { code } => self.not_now(code, now),
            Heard::Silence if self.kind == TxKind::Opening => Step::Stop(Outcome::Unreachable),
            Heard::Silence => self.watch(now),
            Heard::NotThere => self.verdict.map_or_else(|| self.watch(now), Step::Stop),
        }
    }

    const fn is_again(&self) -> bool {
        self.attempt > 1
    }

    /// Sends it, in a new attempt.
    fn begin(&mut self, now: Instant, view: &View) -> Step {
        self.attempt = self.attempt.saturating_add(1);
        if self.pause.is_none() {
            self.pause = Some(self.first_pause(view));
        }
        let is_near = view.left.is_some_and(|left| left < NEAR);
        let is_handed = self.kind == TxKind::Entry && self.attempt <= HANDED_TIMES && !is_near;
        self.until = is_handed.then(|| now + view.time_at_least() / 4);
        match (self.kind, self.until) {
            (TxKind::Entry, Some(until))
                if self.bytes <= HANDED_BYTES_MAX && view.usual.are_ports_known =>
            {
                let patience = view.usual.hedge.saturating_add(by_size(self.bytes));
                Step::HandOver { patience, until }
            }
            (TxKind::Entry, Some(_)) => self.engines(view),
            (TxKind::Opening, _) => self.engines(view),
            _ => Step::All { until: None },
        }
    }

    /// One engine at first, all when it is sent again.
    const fn engines(&self, view: &View) -> Step {
        let until = self.until;
        match self.is_again() {
            true => Step::All { until },
            false => Step::One {
                patience: view.usual.first_alone,
                until,
            },
        }
    }

    /// Time for which what was sent is looked for at first: as long as is usual, but not too much of the time that is left.
    fn first_pause(&self, view: &View) -> Duration {
        if self.kind == TxKind::Opening {
            return OPENING.least;
        }
        let usual = view.usual.shown.saturating_add(by_size(self.bytes));
        usual.min((view.time_at_least() / 8).max(NEAR / 8))
    }

    /// The pause before an opening grows while it is refused for now, and only then.
    fn lengthen_pause(&mut self) {
        if self.kind != TxKind::Opening {
            let pause = self.pause.unwrap_or_default();
            self.pause = Some(pause.saturating_mul(2).min(PAUSE_MAX));
        }
    }

    /// Nothing speaks against it.
    fn hope(&mut self, now: Instant) -> Step {
        if self.kind == TxKind::Opening {
            self.pause = Some(OPENING.least);
        }
        self.watch(now)
    }

    fn watch(&self, now: Instant) -> Step {
        let pause = self.pause.unwrap_or_default();
        Step::Watch { until: now + pause }
    }

    /// Looks once more before it is believed that nothing comes of it.
    const fn doubt(&mut self, verdict: Option<Outcome>) -> Step {
        self.verdict = verdict;
        Step::Look
    }

    /// The step after a refusal: what was refused may be on the board all the same, or the round may have closed; and what the
    /// refusal is about may be seen soon.
    fn refused(&mut self, code: u32, view: &View) -> Step {
        let waits = self.attempt < HINTS_MAX || view.is_disputed;
        let is_hint = self.kind != TxKind::Opening && waits && Refusal::is_about_state(code);
        self.doubt((!is_hint).then_some(Outcome::Refused))
    }

    fn not_now(&mut self, code: u32, now: Instant) -> Step {
        if self.kind == TxKind::Opening {
            // Whoever opens a session wants to know what isn't over in a moment.
            if !Refusal::is_for_a_moment(code) {
                return Step::Stop(Outcome::Refused);
            }
            self.pause = self.pause.map(|pause| OPENING.doubled(pause));
        }
        self.watch(now)
    }
}

/// Time that an entry of so many bytes is waited for in addition: 1 s for 32 KB. Hundreds of large ones come together.
pub(crate) fn by_size(bytes: usize) -> Duration {
    Duration::from_millis(u64::try_from(bytes / 32).unwrap_or(u64::MAX))
}

/// Whether the answer to a complaint is sent (again).
pub(crate) fn is_answer_due(sent: Option<Instant>, now: Instant) -> bool {
    sent.is_none_or(|sent| now.saturating_duration_since(sent) >= ANSWER_AGAIN)
}
