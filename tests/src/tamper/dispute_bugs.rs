//! Bugs in disputes.

use white_city_state_machine::{Dispute, Session, Slot};
use white_city_wire::{
    Hash,
    board::{Cause, Culprit, Offence, Status},
    limits::NOBODY,
};

use super::{Tamper, given, session};
use crate::simulator::Observed;

/// Property, bug, and how it is planted.
pub const BUGS: &[(&str, &str, Tamper)] = &[
    ("disputes", "a slot is filled in a dispute", fill),
    ("disputes", "a dispute is forgotten", forget),
    ("disputes", "a member is out in a dispute", drop_member),
    ("disputes", "a leaver is taken in a dispute", leave),
    ("disputes", "another complaint wins", other_complaint),
    ("disputes", "a session goes on in a dispute", go_on),
    ("leaf", "the leaf doesn't name the dispute", no_hash),
    ("last_call", "the clock isn't started anew", old_clock),
    ("last_call", "a dispute never ends", never_end),
    ("last_call", "a dispute ends at once", end_at_once),
    ("closing", "the other party is named", name_other),
    ("closing", "nobody is named as silent", name_nobody),
    ("closing", "the verdict is the other one", other_verdict),
    ("culprits", "silence is an offence", convict_silent),
    ("culprits", "the wrong party is convicted", convict_other),
    ("culprits", "a verdict convicts nobody", convict_nobody),
];

fn dispute(s: &Session) -> Option<&Dispute> {
    s.body.as_ref()?.dispute.as_ref()
}

/// A session that is in dispute, and was before the block.
fn in_dispute(s: &Session, old: Option<&Session>) -> Option<()> {
    given(old?.status() == Status::Dispute && s.status() == Status::Dispute)
}

/// Why a session's dispute has ended in this block.
fn just_ended(s: &Session, old: Option<&Session>) -> Option<Cause> {
    given(old?.terminal.is_none())?;
    dispute(s)?;
    Some(s.terminal.as_ref()?.cause)
}

fn fill(seen: &Observed) -> Option<Observed> {
    session(seen, |s, old| {
        in_dispute(s, old)?;
        let slots = &mut s.body.as_mut()?.slots;
        *slots.iter_mut().find(|slot| slot.is_empty())? = Slot::Post(Hash([9; 32]));
        Some(())
    })
}

fn forget(seen: &Observed) -> Option<Observed> {
    session(seen, |s, _| s.body.as_mut()?.dispute.take().map(drop))
}

fn drop_member(seen: &Observed) -> Option<Observed> {
    session(seen, |s, old| {
        in_dispute(s, old)?;
        let body = s.body.as_mut()?;
        body.members = white_city_wire::Bitmap::empty(body.members.size());
        Some(())
    })
}

fn leave(seen: &Observed) -> Option<Observed> {
    session(seen, |s, old| {
        in_dispute(s, old)?;
        s.body.as_mut()?.left.push((0, Hash([9; 32])));
        Some(())
    })
}

fn other_complaint(seen: &Observed) -> Option<Observed> {
    session(seen, |s, _| {
        s.body.as_mut()?.dispute.as_mut()?.complain.leaf.0[0] ^= 1;
        Some(())
    })
}

fn go_on(seen: &Observed) -> Option<Observed> {
    session(seen, |s, _| {
        given(s.status() == Status::Dispute)?;
        s.leaf.status = Status::Running;
        Some(())
    })
}

fn no_hash(seen: &Observed) -> Option<Observed> {
    super::state(seen, |parts| {
        let mut sessions = parts.sessions.iter_mut();
        sessions.find(|s| dispute(s).is_some())?.leaf.dispute = Hash::ZERO;
        Some(())
    })
}

fn old_clock(seen: &Observed) -> Option<Observed> {
    session(seen, |s, old| {
        let old = old?;
        given(old.status() == Status::Running && s.status() == Status::Dispute)?;
        given(old.leaf.deadline_ms > 0)?;
        s.leaf.deadline_ms = old.leaf.deadline_ms;
        Some(())
    })
}

fn never_end(seen: &Observed) -> Option<Observed> {
    session(seen, |s, old| {
        just_ended(s, old)?;
        given(old?.status() == Status::Dispute)?;
        *s = old?.clone();
        Some(())
    })
}

fn end_at_once(seen: &Observed) -> Option<Observed> {
    session(seen, |s, old| {
        given(old?.status() == Status::Running && s.status() == Status::Dispute)?;
        s.terminal = Some(white_city_wire::board::Terminal {
            status: Status::Aborted,
            cause: Cause::NoReveal,
            height: seen.executed.context.height,
            board_ms: seen.executed.board_ms,
            by: dispute(s)?.complain.accused(),
            outcome: Hash::ZERO,
            members: s.body.as_ref()?.members.clone(),
            filled: s.body.as_ref()?.filled(),
        });
        s.leaf.status = Status::Aborted;
        Some(())
    })
}

fn name_other(seen: &Observed) -> Option<Observed> {
    session(seen, |s, old| {
        just_ended(s, old)?;
        let complain = dispute(s)?.complain.clone();
        let record = s.terminal.as_mut()?;
        let both = [complain.index, complain.accused()];
        record.by = both.into_iter().find(|index| *index != record.by)?;
        Some(())
    })
}

fn name_nobody(seen: &Observed) -> Option<Observed> {
    session(seen, |s, old| {
        given(just_ended(s, old)? == Cause::NoReveal)?;
        s.terminal.as_mut()?.by = NOBODY;
        Some(())
    })
}

fn other_verdict(seen: &Observed) -> Option<Observed> {
    session(seen, |s, old| {
        let cause = match just_ended(s, old)? {
            Cause::BadPayload => Cause::FalseComplaint,
            Cause::FalseComplaint => Cause::BadPayload,
            _ => return None,
        };
        s.terminal.as_mut()?.cause = cause;
        Some(())
    })
}

fn convict_silent(seen: &Observed) -> Option<Observed> {
    session(seen, |s, old| {
        given(just_ended(s, old)? == Cause::NoReveal)?;
        let complain = dispute(s)?.complain.clone();
        let culprits = &mut s.body.as_mut()?.culprits;
        given(culprits.is_empty())?;
        culprits.push(Culprit {
            index: complain.accused(),
            offence: Offence::BadPayload,
            round: complain.post.round,
            a: complain.digest(),
            b: Hash::ZERO,
        });
        Some(())
    })
}

fn convicted(s: &mut Session) -> Option<&mut Culprit> {
    let culprits = s.body.as_mut()?.culprits.iter_mut();
    culprits
        .into_iter()
        .find(|culprit| culprit.offence != Offence::Equivocation)
}

fn convict_other(seen: &Observed) -> Option<Observed> {
    session(seen, |s, old| {
        just_ended(s, old)?;
        given(s.body.as_ref()?.culprits.len() == 1)?;
        let complain = dispute(s)?.complain.clone();
        let culprit = convicted(s)?;
        let (index, offence) = match culprit.offence {
            Offence::BadPayload => (complain.index, Offence::FalseComplaint),
            _ => (complain.accused(), Offence::BadPayload),
        };
        (culprit.index, culprit.offence) = (index, offence);
        Some(())
    })
}

fn convict_nobody(seen: &Observed) -> Option<Observed> {
    session(seen, |s, old| {
        just_ended(s, old)?;
        let index = convicted(s)?.index;
        let culprits = &mut s.body.as_mut()?.culprits;
        culprits.retain(|culprit| culprit.index != index);
        Some(())
    })
}
