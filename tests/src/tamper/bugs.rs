//! Bugs in slots, rounds and closing.

use std::sync::Arc;

use white_city_state_machine::{ClosedRound, Session, Slot};
use white_city_wire::{
    Bitmap, Hash,
    board::{Cause, Status},
};

use super::{Tamper, given, session};
use crate::simulator::Observed;

/// Property, bug, and how it is planted.
pub const BUGS: &[(&str, &str, Tamper)] = &[
    ("slots", "a filled slot is overwritten", overwrite),
    ("slots", "a filled slot is emptied", empty),
    ("slots", "a slot is filled by nobody", fill),
    ("authorship", "an entry that nobody signed", fill),
    (
        "closed_rounds",
        "a closed round is written to",
        write_to_closed,
    ),
    ("closed_rounds", "a round isn't chained", unchained),
    ("closed_rounds", "a closed round is lost", lose_round),
    ("members", "an absent party is a member again", come_back),
    (
        "members",
        "a round closes without its quorum",
        without_quorum,
    ),
    ("closing", "disagreement instead of too few", other_cause),
    (
        "closing",
        "a finished session names another outcome",
        other_outcome,
    ),
    ("closing", "nobody is named as the last leaver", nobody_left),
    ("closing", "the absent stay members", absent_stay),
    (
        "last_call",
        "a round closes while a member is awaited",
        close_early,
    ),
    ("last_call", "a round never closes", never_close),
    ("last_call", "a caller is forgotten", forget_caller),
    (
        "last_call",
        "a deadline is a millisecond early",
        early_deadline,
    ),
    ("leavers", "a leaver is forgotten", forget_leaver),
    ("leavers", "somebody leaves twice", leave_twice),
];

fn live(session: &Session) -> Option<()> {
    given(session.status().is_live())
}

fn first_slot(session: &mut Session, filled: bool) -> Option<&mut Slot> {
    live(session)?;
    let slots = &mut session.body.as_mut()?.slots;
    slots.iter_mut().find(|slot| slot.is_empty() != filled)
}

fn overwrite(seen: &Observed) -> Option<Observed> {
    session(seen, |s, _| {
        *first_slot(s, true)? = Slot::Post(Hash([9; 32]));
        Some(())
    })
}

fn empty(seen: &Observed) -> Option<Observed> {
    session(seen, |s, _| {
        *first_slot(s, true)? = Slot::Empty;
        Some(())
    })
}

fn fill(seen: &Observed) -> Option<Observed> {
    session(seen, |s, _| {
        *first_slot(s, false)? = Slot::Post(Hash([9; 32]));
        Some(())
    })
}

fn write_to_closed(seen: &Observed) -> Option<Observed> {
    session(seen, |s, old| {
        given(old?.leaf.open_round > 0)?;
        let closed = Arc::make_mut(&mut s.body.as_mut()?.closed.get_mut(0)?.slots);
        *closed.first_mut()? = Slot::Post(Hash([9; 32]));
        Some(())
    })
}

fn unchained(seen: &Observed) -> Option<Observed> {
    session(seen, |s, old| {
        let old = old?;
        given(old.leaf.open_round < s.leaf.open_round)?;
        s.leaf.transcript = old.leaf.transcript;
        Some(())
    })
}

fn lose_round(seen: &Observed) -> Option<Observed> {
    session(seen, |s, _| given(s.body.as_mut()?.closed.drop_last_mut()))
}

fn come_back(seen: &Observed) -> Option<Observed> {
    session(seen, |s, _| {
        let body = s.body.as_mut()?;
        given(body.members.count() < body.members.size())?;
        body.members = Bitmap::full(body.members.size());
        Some(())
    })
}

fn without_quorum(seen: &Observed) -> Option<Observed> {
    session(seen, |s, _| {
        let body = s.body.as_mut()?;
        let last = body.closed.len().checked_sub(1)?;
        let last = Arc::make_mut(&mut body.closed.get_mut(last)?.slots);
        last.fill(Slot::Empty);
        body.members = Bitmap::empty(body.members.size());
        Some(())
    })
}

/// A session that this block ended.
fn just_ended(s: &Session, old: Option<&Session>) -> Option<Cause> {
    given(old?.terminal.is_none())?;
    s.terminal.as_ref().map(|record| record.cause)
}

fn other_cause(seen: &Observed) -> Option<Observed> {
    session(seen, |s, old| {
        given(just_ended(s, old)? == Cause::TooFew)?;
        s.terminal.as_mut()?.cause = Cause::Disagreement;
        Some(())
    })
}

fn other_outcome(seen: &Observed) -> Option<Observed> {
    session(seen, |s, old| {
        given(just_ended(s, old)? == Cause::None)?;
        s.terminal.as_mut()?.outcome.0[0] ^= 1;
        Some(())
    })
}

fn nobody_left(seen: &Observed) -> Option<Observed> {
    session(seen, |s, old| {
        given(just_ended(s, old)? == Cause::Left)?;
        s.terminal.as_mut()?.by = white_city_wire::limits::NOBODY;
        Some(())
    })
}

fn absent_stay(seen: &Observed) -> Option<Observed> {
    session(seen, |s, old| {
        let old = old?.body.as_ref()?.members.clone();
        let advanced = s.terminal.is_none() && s.leaf.open_round > 0;
        let body = s.body.as_mut()?;
        given(advanced && body.members != old && old.count() > body.members.count())?;
        body.members = old;
        Some(())
    })
}

fn close_early(seen: &Observed) -> Option<Observed> {
    session(seen, |s, old| {
        live(s)?;
        given(old?.leaf.open_round == s.leaf.open_round)?;
        let body = s.body.as_mut()?;
        given(body.awaited().count() > 0)?;
        let empty = vec![Slot::Empty; body.slots.len()];
        let slots = std::mem::replace(&mut body.slots, empty);
        body.closed
            .push_back_mut(ClosedRound::new(slots, s.leaf.transcript));
        s.leaf.open_round += 1;
        s.leaf.status = Status::Running;
        Some(())
    })
}

fn never_close(seen: &Observed) -> Option<Observed> {
    session(seen, |s, old| {
        let old = old?;
        let closed = old.status().is_live() && s.leaf.open_round > old.leaf.open_round;
        given(closed || just_ended(s, Some(old)).is_some())?;
        *s = old.clone();
        Some(())
    })
}

fn forget_caller(seen: &Observed) -> Option<Observed> {
    session(seen, |s, _| {
        live(s)?;
        given(s.leaf.callers != [0; 32])?;
        s.leaf.callers = [0; 32];
        Some(())
    })
}

fn early_deadline(seen: &Observed) -> Option<Observed> {
    session(seen, |s, _| {
        live(s)?;
        s.leaf.deadline_ms = s.leaf.deadline_ms.checked_sub(1)?;
        Some(())
    })
}

fn forget_leaver(seen: &Observed) -> Option<Observed> {
    session(seen, |s, _| s.body.as_mut()?.left.pop().map(drop))
}

fn leave_twice(seen: &Observed) -> Option<Observed> {
    session(seen, |s, _| {
        let left = &mut s.body.as_mut()?.left;
        left.push(*left.first()?);
        Some(())
    })
}
