//! Bugs that need several things to come together in one block: random search with few seeds gives them no chance, exploration does.

use white_city_state_machine::{ClosedRound, Session, Slot};
use white_city_wire::{
    Hash,
    board::{Cause, Offence, Status, Terminal},
    tx::Action,
};

use super::{Tamper, given, session};
use crate::simulator::Observed;

/// Property, bug, and how it is planted.
pub const BUGS: &[(&str, &str, Tamper)] = &[
    (
        "last_call",
        "a complaint in the first millisecond of last call is settled at once",
        settle_complaint,
    ),
    (
        "erasure",
        "evidence that comes a millisecond after the retention isn't in the leaf",
        lose_last_evidence,
    ),
    (
        "closing",
        "a reveal in last call by an accused that is out is taken for silence",
        late_reveal,
    ),
    (
        "culprits",
        "a reveal by a leaver in last call convicts nobody",
        leaver_goes_free,
    ),
    (
        "last_call",
        "an outage as a dispute's clock starts costs a millisecond where a slot is filled",
        outage_in_dispute,
    ),
    (
        "last_call",
        "an outage in a dispute's last call forgets who has called where a slot is filled",
        outage_forgets_callers,
    ),
    (
        "closing",
        "of two that leave in the first millisecond of last call, the first is named",
        first_leaver,
    ),
    (
        "closing",
        "a finish isn't counted when its author leaves in the first millisecond of last call",
        finish_of_leaver,
    ),
    (
        "closing",
        "posts win the last round in the first millisecond of last call, but a finish makes it a disagreement",
        one_finish,
    ),
    (
        "closed_rounds",
        "a round closes when its last entry and a complaint come together in last call",
        close_beside_complaint,
    ),
    (
        "culprits",
        "a verdict in last call replaces the evidence of an equivocation",
        replace_evidence,
    ),
    (
        "members",
        "a party that joins and leaves in the first millisecond of last call isn't a member",
        joined_and_left,
    ),
    (
        "last_call",
        "evidence in the first millisecond of last call keeps the round open",
        evidence_keeps_open,
    ),
    (
        "last_call",
        "a leaver in the first millisecond of last call keeps the round open",
        leaver_keeps_open,
    ),
];

/// Things that a block brought to a session, in order.
fn brought(seen: &Observed, number: u32) -> impl Iterator<Item = &Action> {
    let applied = seen.executed.applied().filter(move |(_, at)| *at == number);
    applied.map(|(tx, _)| tx.action())
}

fn leaves(seen: &Observed, number: u32) -> usize {
    let all = brought(seen, number);
    all.filter(|action| matches!(action, Action::Leave { .. }))
        .count()
}

fn evidence(seen: &Observed, number: u32) -> Option<()> {
    let mut all = brought(seen, number);
    given(all.any(|action| matches!(action, Action::Evidence(_))))
}

/// A session that was in last call in this block.
fn in_last_call(seen: &Observed, old: Option<&Session>) -> Option<()> {
    let old = old?;
    let deadline_ms = old.leaf.deadline_ms;
    given(old.status().is_live() && deadline_ms != 0 && seen.executed.board_ms > deadline_ms)
}

/// A session whose deadline, or whose retention, has passed by no more than a millisecond.
fn just_past(seen: &Observed, old: Option<&Session>) -> Option<()> {
    let deadline_ms = old?.leaf.deadline_ms;
    given(deadline_ms != 0 && seen.executed.board_ms == deadline_ms + 1)
}

/// Why a session ended in this block.
fn just_ended(s: &Session, old: Option<&Session>) -> Option<Cause> {
    given(old?.terminal.is_none())?;
    Some(s.terminal.as_ref()?.cause)
}

fn is_outage(seen: &Observed) -> Option<()> {
    given(seen.executed.before.paused_ms() != seen.executed.after.paused_ms())
}

/// Whether one more caller ends a session's last call.
fn one_is_missing(seen: &Observed, old: &Session) -> Option<()> {
    let called: u32 = old.leaf.callers.iter().map(|byte| byte.count_ones()).sum();
    given(u32::from(seen.executed.before.charter().faults()) == called)
}

fn settle_complaint(seen: &Observed) -> Option<Observed> {
    session(seen, |s, old| {
        given(s.status() == Status::Dispute && old?.status() == Status::Running)?;
        just_past(seen, old)?;
        one_is_missing(seen, old?)?;
        let body = s.body.as_ref()?;
        s.terminal = Some(Terminal {
            status: Status::Aborted,
            cause: Cause::NoReveal,
            height: seen.executed.context.height,
            board_ms: seen.executed.board_ms,
            by: body.dispute.as_ref()?.complain.accused(),
            outcome: Hash::ZERO,
            members: body.members.clone(),
            filled: body.filled(),
        });
        s.leaf.status = Status::Aborted;
        Some(())
    })
}

fn lose_last_evidence(seen: &Observed) -> Option<Observed> {
    session(seen, |s, old| {
        given(s.body.is_none() && old?.body.is_some())?;
        just_past(seen, old)?;
        evidence(seen, s.number)?;
        s.leaf.evidence = old?.leaf.evidence;
        Some(())
    })
}

/// The accused of a dispute that a reveal has ended in this block, in last call.
fn revealed_late(seen: &Observed, s: &Session, old: Option<&Session>) -> Option<u16> {
    just_ended(s, old)?;
    in_last_call(seen, old)?;
    let dispute = s.body.as_ref()?.dispute.as_ref()?;
    dispute.revealed?;
    Some(dispute.complain.accused())
}

fn late_reveal(seen: &Observed) -> Option<Observed> {
    session(seen, |s, old| {
        let accused = revealed_late(seen, s, old)?;
        given(!s.body.as_ref()?.members.contains(accused))?;
        let record = s.terminal.as_mut()?;
        (record.cause, record.by) = (Cause::NoReveal, accused);
        Some(())
    })
}

fn leaver_goes_free(seen: &Observed) -> Option<Observed> {
    session(seen, |s, old| {
        let accused = revealed_late(seen, s, old)?;
        let body = s.body.as_mut()?;
        given(body.has_left(accused))?;
        let before = body.culprits.len();
        body.culprits.retain(|c| c.offence == Offence::Equivocation);
        given(body.culprits.len() < before)
    })
}

fn outage_in_dispute(seen: &Observed) -> Option<Observed> {
    is_outage(seen)?;
    session(seen, |s, old| {
        let old = old?;
        given(old.status() == Status::Dispute && old.leaf.deadline_ms == 0)?;
        given(s.status() == Status::Dispute)?;
        let mut slots = s.body.as_ref()?.slots.iter();
        given(slots.any(|slot| !slot.is_empty()))?;
        s.leaf.deadline_ms -= 1;
        Some(())
    })
}

fn outage_forgets_callers(seen: &Observed) -> Option<Observed> {
    is_outage(seen)?;
    session(seen, |s, old| {
        given(old?.status() == Status::Dispute && old?.leaf.callers != [0; 32])?;
        given(s.status() == Status::Dispute)?;
        let mut slots = s.body.as_ref()?.slots.iter();
        given(slots.any(|slot| !slot.is_empty()))?;
        s.leaf.callers = [0; 32];
        Some(())
    })
}

fn first_leaver(seen: &Observed) -> Option<Observed> {
    session(seen, |s, old| {
        just_past(seen, old)?;
        given(just_ended(s, old)? == Cause::Left && leaves(seen, s.number) > 1)?;
        let left = &s.body.as_ref()?.left;
        let first = left.len().checked_sub(leaves(seen, s.number))?;
        s.terminal.as_mut()?.by = left.get(first)?.0;
        Some(())
    })
}

fn finish_of_leaver(seen: &Observed) -> Option<Observed> {
    session(seen, |s, old| {
        just_past(seen, old)?;
        given(just_ended(s, old)? == Cause::None && leaves(seen, s.number) > 0)?;
        let body = s.body.as_ref()?;
        let mut leavers = body.left.iter();
        let quorum = body.spec.quorum;
        given(leavers.any(|(index, _)| body.filled().contains(*index)))?;
        given(body.filled().count() == quorum)?;
        let record = s.terminal.as_mut()?;
        (record.status, record.cause) = (Status::Aborted, Cause::TooFew);
        record.outcome = Hash::ZERO;
        s.leaf.status = Status::Aborted;
        Some(())
    })
}

fn one_finish(seen: &Observed) -> Option<Observed> {
    session(seen, |s, old| {
        just_past(seen, old)?;
        given(just_ended(s, old)? == Cause::OutOfRounds)?;
        let mut slots = s.body.as_ref()?.slots.iter();
        given(slots.any(|slot| matches!(slot, Slot::Finish { .. })))?;
        s.terminal.as_mut()?.cause = Cause::Disagreement;
        Some(())
    })
}

fn close_beside_complaint(seen: &Observed) -> Option<Observed> {
    session(seen, |s, old| {
        in_last_call(seen, old)?;
        given(s.status() == Status::Dispute && old?.status() == Status::Running)?;
        let body = s.body.as_mut()?;
        given(body.awaited().count() == 0 && old?.body.as_ref()?.awaited().count() > 0)?;
        let empty = vec![Slot::Empty; body.slots.len()];
        let slots = std::mem::replace(&mut body.slots, empty);
        let closed = ClosedRound::new(slots, s.leaf.transcript);
        body.closed.push_back_mut(closed);
        s.leaf.open_round += 1;
        Some(())
    })
}

fn replace_evidence(seen: &Observed) -> Option<Observed> {
    session(seen, |s, old| {
        revealed_late(seen, s, old)?;
        let body = s.body.as_mut()?;
        let dispute = body.dispute.as_ref()?;
        let revealed = dispute.revealed?;
        let convicted = revealed.verdict.culprit(&dispute.complain);
        let digest = dispute.complain.digest();
        let mut culprits = body.culprits.iter_mut();
        let culprit = culprits.find(|culprit| culprit.index == convicted)?;
        given(culprit.offence == Offence::Equivocation)?;
        culprit.offence = revealed.verdict.offence();
        (culprit.a, culprit.b) = (digest, revealed.digest);
        Some(())
    })
}

fn joined_and_left(seen: &Observed) -> Option<Observed> {
    session(seen, |s, old| {
        just_past(seen, old)?;
        given(old?.status() == Status::Joining && s.status() == Status::Running)?;
        let joined = |index: u16| {
            let mut all = brought(seen, s.number);
            all.any(|action| matches!(action, Action::Join(join) if join.index == index))
        };
        let left = s.body.as_ref()?.left.iter().map(|(index, _)| *index);
        let both = left.into_iter().find(|index| joined(*index))?;
        let body = s.body.as_mut()?;
        let members = body.members.iter().map(|index| (index, index != both));
        body.members = members.collect();
        Some(())
    })
}

/// A session whose round or life the last caller has ended in this block, though somebody was awaited.
fn ended_by_caller(seen: &Observed, s: &Session, old: Option<&Session>) -> Option<()> {
    in_last_call(seen, old)?;
    let old = old?;
    given(old.leaf.open_round < s.leaf.open_round || s.terminal.is_some())?;
    given(
        s.terminal
            .as_ref()
            .is_none_or(|record| record.cause != Cause::Left),
    )
}

fn keep_open(s: &mut Session, old: &Session) {
    let left = s.body.as_ref().map(|body| body.left.clone());
    let culprits = s.body.as_ref().map(|body| body.culprits.clone());
    *s = old.clone();
    if let (Some(body), Some(left), Some(culprits)) = (&mut s.body, left, culprits) {
        (body.left, body.culprits) = (left, culprits);
    }
    s.leaf.call_blocks += 1;
}

fn evidence_keeps_open(seen: &Observed) -> Option<Observed> {
    session(seen, |s, old| {
        ended_by_caller(seen, s, old)?;
        just_past(seen, old)?;
        given(brought(seen, s.number).count() == 1)?;
        evidence(seen, s.number)?;
        keep_open(s, old?);
        Some(())
    })
}

fn leaver_keeps_open(seen: &Observed) -> Option<Observed> {
    session(seen, |s, old| {
        ended_by_caller(seen, s, old)?;
        just_past(seen, old)?;
        given(brought(seen, s.number).count() == 1 && leaves(seen, s.number) == 1)?;
        given(s.body.as_ref()?.slots.iter().all(Slot::is_empty) || s.terminal.is_some())?;
        keep_open(s, old?);
        Some(())
    })
}
