//! The questions that a reader of the policy could ask, each with its answer.

use super::*;

const fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

/// All is as usual, and there is a minute.
const VIEW: View = View {
    usual: Usual {
        hedge: HEDGE,
        first_alone: FIRST_ALONE.least,
        shown: SHOWN.least,
        are_ports_known: true,
    },
    left: Some(MINUTE),
    whole: MINUTE,
    is_disputed: false,
    is_too_late: false,
};
const MINUTE: Duration = Duration::from_secs(60);
const HEDGE: Duration = ms(300);

/// A step as it is done, without the times.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Does {
    Hands,
    WakesOne,
    WakesAll,
    One,
    All,
    Looks,
    /// for so many milliseconds
    Watches(u64),
    Stops(Outcome),
}
use Does::{All, Hands, Looks, One, Stops, WakesAll, WakesOne, Watches};

const COMING: Heard = Heard::HandedOver(HandedOver::Coming);
const IDLE: Heard = Heard::HandedOver(HandedOver::Idle);
const TOO_FEW: Heard = Heard::HandedOver(HandedOver::TooFew);
/// A round that isn't open (67 is one that is over in a moment), a bad signature, a full quota, no time.
const ABOUT_STATE: Heard = Heard::Refused { code: 64 };
const BAD: Heard = Heard::Refused { code: 33 };
const QUOTA: Heard = Heard::NotNow { code: 81 };
const BUSY: Heard = Heard::NotNow { code: 128 };

fn does(step: Step, now: Instant) -> Does {
    match step {
        Step::HandOver { .. } => Hands,
        Step::Wake { all: false, .. } => WakesOne,
        Step::Wake { all: true, .. } => WakesAll,
        Step::One { .. } => One,
        Step::All { .. } => All,
        Step::Look => Looks,
        Step::Watch { until } => Watches((until - now).as_millis().try_into().unwrap()),
        Step::Stop(outcome) => Stops(outcome),
    }
}

/// Whether each thing that is heard is followed by what is said, one after the other.
#[track_caller]
fn check(kind: TxKind, bytes: usize, view: View, story: &[(Heard, Does)]) {
    let mut sending = Sending::new(kind, bytes);
    let mut now = Instant::now();
    for (at, (heard, expected)) in story.iter().enumerate() {
        let step = sending.next(*heard, now, &view);
        assert_eq!(does(step, now), *expected, "step {at}, after {heard:?}");
        now += ms(10);
        if let Step::Watch { until } = step {
            now = until;
        }
    }
}

use Heard::{NotShown, NotThere, Nothing, Open, Silence, Taken, TooLong};

#[test]
fn what_happens_with_an_entry_that_every_replica_takes_and_the_board_never_shows() {
    let story = [
        (Nothing, Hands),
        (COMING, Watches(500)),
        (NotShown, Hands),
        (COMING, Watches(1_000)),
        (NotShown, All),
        (Taken, Watches(2_000)),
        (NotShown, All),
        (Taken, Watches(4_000)),
        (NotShown, All),
        (Taken, Watches(8_000)),
        (NotShown, All),
        (Taken, Watches(8_000)),
    ];
    check(TxKind::Entry, 1_000 / 32, VIEW, &story);
}

#[test]
fn who_gets_an_entry_that_no_block_comes_for() {
    let story = [
        (Nothing, Hands),
        (IDLE, WakesOne),
        (Taken, Watches(500)),
        (NotShown, Hands),
        (IDLE, WakesAll),
        (Taken, Watches(1_000)),
    ];
    check(TxKind::Entry, 0, VIEW, &story);
}

#[test]
fn who_gets_an_entry_that_too_few_direct_ports_take() {
    let story = [
        (Nothing, Hands),
        (TOO_FEW, One),
        (Taken, Watches(500)),
        (NotShown, Hands),
        (TOO_FEW, All),
    ];
    check(TxKind::Entry, 0, VIEW, &story);
}

#[test]
fn which_entries_are_handed_over_at_all() {
    let at = |bytes, view| {
        let mut sending = Sending::new(TxKind::Entry, bytes);
        let now = Instant::now();
        does(sending.next(Nothing, now, &view), now)
    };
    assert_eq!(at(HANDED_BYTES_MAX, VIEW), Hands);
    assert_eq!(at(HANDED_BYTES_MAX + 1, VIEW), One);
    let mut unknown = VIEW;
    unknown.usual.are_ports_known = false;
    assert_eq!(at(0, unknown), One);
    for (left, does) in [
        (Some(NEAR - ms(1)), All),
        (Some(NEAR), Hands),
        (None, Hands),
    ] {
        assert_eq!(at(0, View { left, ..VIEW }), does, "{left:?}");
    }
}

#[test]
fn how_long_an_attempt_and_its_parts_may_take() {
    let now = Instant::now();
    let first = |bytes, view: View| Sending::new(TxKind::Entry, bytes).next(Nothing, now, &view);
    let until = now + MINUTE / 4;
    let patience = HEDGE + ms(1_000);
    let hand = Step::HandOver { patience, until };
    assert_eq!(first(32_000, VIEW), hand, "1 s more for 32 KB");
    // The clock of the round hasn't started.
    let (left, whole) = (None, MINUTE * 2);
    let view = View {
        left,
        whole,
        ..VIEW
    };
    assert_eq!(first(0, view).until(), Some(now + MINUTE / 2));
    // When it has taken a quarter of the time that is left, all engines get it.
    let mut sending = Sending::new(TxKind::Entry, 0);
    sending.next(Nothing, now, &VIEW);
    for late in [TooLong, TooLong] {
        let all = Step::All { until: None };
        assert_eq!(sending.next(late, now, &VIEW), all);
    }
    // One engine has what is usual before the others get it.
    let mut view = VIEW;
    view.usual.first_alone = ms(1_234);
    let mut sending = Sending::new(TxKind::Entry, 0);
    sending.next(Nothing, now, &view);
    let one = Step::One {
        patience: ms(1_234),
        until: Some(until),
    };
    assert_eq!(sending.next(TOO_FEW, now, &view), one);
}

#[test]
fn how_long_the_board_is_looked_at_first() {
    let first = |bytes, left_ms, shown| {
        let mut view = VIEW;
        (view.left, view.usual.shown) = (Some(ms(left_ms)), ms(shown));
        let now = Instant::now();
        let mut sending = Sending::new(TxKind::Entry, bytes);
        sending.next(Nothing, now, &view);
        does(sending.next(Taken, now, &view), now)
    };
    assert_eq!(first(0, 60_000, 500), Watches(500));
    assert_eq!(first(0, 60_000, 4_000), Watches(4_000), "that is usual");
    assert_eq!(first(64_000, 60_000, 500), Watches(2_500), "it is large");
    assert_eq!(first(0, 8_000, 4_000), Watches(1_000), "an eighth of it");
    assert_eq!(first(0, 1_000, 4_000), Watches(375), "but no less");
}

#[test]
fn when_a_refusal_of_an_entry_is_believed() {
    let waiting = [
        (Nothing, Hands),
        (TOO_FEW, One),
        (ABOUT_STATE, Looks),
        (NotThere, Watches(500)),
        (NotShown, Hands),
        (TOO_FEW, All),
        (ABOUT_STATE, Looks),
        (NotThere, Watches(1_000)),
        (NotShown, All),
        (ABOUT_STATE, Looks),
    ];
    let mut believed = waiting.to_vec();
    believed.push((NotThere, Stops(Outcome::Refused)));
    check(TxKind::Entry, 0, VIEW, &believed);
    // A dispute ends the session: whoever wants something else of it learns how.
    let mut disputed = waiting.to_vec();
    disputed.push((NotThere, Watches(2_000)));
    let is_disputed = true;
    check(
        TxKind::Entry,
        0,
        View {
            is_disputed,
            ..VIEW
        },
        &disputed,
    );
    let at_once = [
        (Nothing, All),
        (BAD, Looks),
        (NotThere, Stops(Outcome::Refused)),
    ];
    check(TxKind::Word, 0, VIEW, &at_once);
}

#[test]
fn what_says_nothing_certain_of_an_entry_changes_nothing() {
    for heard in [Open, Silence, BUSY, QUOTA] {
        let story = [
            (Nothing, All),
            (heard, Watches(500)),
            (NotShown, All),
            (heard, Watches(1_000)),
        ];
        check(TxKind::Word, 0, VIEW, &story);
    }
}

#[test]
fn what_happens_with_an_opening() {
    let sent = [
        (Nothing, One),
        (Taken, Watches(500)),
        (NotShown, All),
        (Open, Watches(500)),
        (NotShown, All),
    ];
    check(TxKind::Opening, 0, VIEW, &sent);
    let busy = [
        (Nothing, One),
        (BUSY, Watches(1_000)),
        (NotShown, All),
        (BUSY, Watches(2_000)),
        (NotShown, All),
        (BUSY, Watches(4_000)),
        (NotShown, All),
        (BUSY, Watches(8_000)),
        (NotShown, All),
        (BUSY, Watches(8_000)),
        (NotShown, All),
        (Taken, Watches(500)),
    ];
    check(TxKind::Opening, 0, VIEW, &busy);
    // They hold it with another stamp, which opens the same session.
    let pending = Heard::Refused { code: 129 };
    let held = [
        (Nothing, One),
        (pending, Watches(500)),
        (NotShown, All),
        (pending, Watches(500)),
    ];
    check(TxKind::Opening, 0, VIEW, &held);
    for (heard, outcome) in [(QUOTA, Outcome::Refused), (Silence, Outcome::Unreachable)] {
        let story = [(Nothing, One), (heard, Stops(outcome))];
        check(TxKind::Opening, 0, VIEW, &story);
    }
    for refused in [BAD, ABOUT_STATE] {
        let story = [
            (Nothing, One),
            (refused, Looks),
            (NotThere, Stops(Outcome::Refused)),
        ];
        check(TxKind::Opening, 0, VIEW, &story);
    }
    let is_too_late = true;
    let late = [
        (Nothing, One),
        (Taken, Watches(500)),
        (NotShown, Looks),
        (NotThere, Stops(Outcome::TooLate)),
    ];
    check(
        TxKind::Opening,
        0,
        View {
            is_too_late,
            ..VIEW
        },
        &late,
    );
}

#[test]
fn what_tells_how_long_showing_usually_takes() {
    let now = Instant::now();
    for (kind, tells) in [
        (TxKind::Entry, true),
        (TxKind::Word, true),
        (TxKind::Opening, false),
    ] {
        let mut sending = Sending::new(kind, 0);
        sending.next(Nothing, now, &VIEW);
        assert_eq!(sending.tells_what_is_usual(), tells, "{kind:?}");
        sending.next(NotShown, now, &VIEW);
        assert!(!sending.tells_what_is_usual(), "how long a pause was");
    }
}

#[test]
fn when_the_answer_to_a_complaint_is_sent() {
    let now = Instant::now();
    assert!(is_answer_due(None, now));
    assert!(!is_answer_due(Some(now), now + ms(499)));
    assert!(is_answer_due(Some(now), now + ms(500)));
}
