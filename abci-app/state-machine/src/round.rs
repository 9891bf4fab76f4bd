//! Closing a round: the one place that decides which entries win and what follows.

use alloc::{collections::BTreeMap, vec};
use core::mem;

use white_city_wire::{
    Bitmap, Hash,
    board::{Cause, Status, transcript_after},
};

use crate::session::{Body, ClosedRound, Session, Slot};

/// Circumstances in which a round closes, as the block tells them.
#[derive(Debug, Clone, Copy)]
pub struct Now {
    /// The block's height.
    pub height: u64,
    /// Its board time, ms.
    pub board_ms: u64,
}

/// Entries that say the same: all joins, all posts, or all finishes with one outcome.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Group {
    Joins,
    Posts,
    Finishes(Hash),
}

/// Settles a session at the end of a block, before anything is erased: it closes the open round, or ends the dispute.
///
/// In a dispute nothing closes. It ends when the reveal was judged, or when last call for it is over.
pub fn settle(session: &mut Session, last_call_over: bool, now: Now) {
    let Some(body) = &session.body else { return };
    match (&body.dispute, session.status()) {
        (Some(dispute), Status::Dispute) => {
            let (cause, by) = dispute.ending();
            if dispute.revealed.is_some() || last_call_over {
                abort(session, cause, Some(by), now);
            }
        }
        _ => close(session, last_call_over, now),
    }
}

/// Settles a joining or running session at the end of a block.
///
/// It ends when fewer than the quorum can still fill their slots. The round closes when every member has filled
/// its slot or left, or when last call is over: the group with a quorum wins, its authors are the members from
/// then on.
fn close(session: &mut Session, last_call_over: bool, now: Now) {
    if end_if_too_few_remain(session, now) {
        return;
    }
    let Some(body) = &session.body else { return };
    if body.awaited().count() > 0 && !last_call_over {
        return;
    }
    match winners(body) {
        Some((Group::Joins | Group::Posts, members)) => advance(session, members, now),
        Some((Group::Finishes(outcome), _)) => {
            let end = (Status::Finished, Cause::None);
            session.end(end, None, outcome, (now.height, now.board_ms));
        }
        None => {
            let cause = if body.filled().count() < body.spec.quorum {
                Cause::TooFew
            } else {
                Cause::Disagreement
            };
            abort(session, cause, None, now);
        }
    }
}

/// The group that has the quorum. The quorum is more than half, so there is at most one.
fn winners(body: &Body) -> Option<(Group, Bitmap)> {
    let mut groups: BTreeMap<Group, Bitmap> = BTreeMap::new();
    for (index, slot) in (0_u16..).zip(&body.slots) {
        let group = match slot {
            Slot::Empty => continue,
            Slot::Join { .. } => Group::Joins,
            Slot::Post(_) => Group::Posts,
            Slot::Finish { outcome, .. } => Group::Finishes(*outcome),
        };
        groups
            .entry(group)
            .or_insert_with(|| Bitmap::empty(body.spec.parties()))
            .insert(index);
    }
    groups
        .into_iter()
        .find(|(_, authors)| authors.count() >= body.spec.quorum)
}

/// Chains the round and opens the next one.
fn advance(session: &mut Session, members: Bitmap, now: Now) {
    let round = session.leaf.open_round;
    let Some(body) = &mut session.body else {
        return;
    };
    if round >= body.spec.max_rounds {
        return abort(session, Cause::OutOfRounds, None, now);
    }
    let empty = vec![Slot::Empty; body.slots.len()];
    let slots = mem::replace(&mut body.slots, empty);
    let closed = ClosedRound::new(slots, session.leaf.transcript);
    let root = closed.root;
    body.closed.push_back_mut(closed);
    body.members = members;
    let leaf = &mut session.leaf;
    leaf.transcript = transcript_after(&leaf.transcript, round, &root);
    leaf.status = Status::Running;
    leaf.open_round = round.saturating_add(1);
    session.restart_clock();
    end_if_too_few_remain(session, now);
}

/// Ends the session when fewer than the quorum have filled their slots or still can. Whoever leaves while parties join writes
/// nothing in the next round, whether it has joined or not: with fewer than the quorum then, that could not be won.
fn end_if_too_few_remain(session: &mut Session, now: Now) -> bool {
    let Some(body) = &session.body else {
        return true;
    };
    let (filled, left) = (body.filled(), body.leavers());
    let joining = session.status() == Status::Joining;
    let counts = |i: &u16| !left.contains(*i) || (filled.contains(*i) && !joining);
    let remaining = body.members.iter().filter(counts).count();
    if remaining >= usize::from(body.spec.quorum) {
        return false;
    }
    let last_leaver = body
        .left
        .iter()
        .rev()
        .map(|(index, _)| *index)
        .find(|index| body.members.contains(*index));
    abort(session, Cause::Left, last_leaver, now);
    true
}

fn abort(session: &mut Session, cause: Cause, by: Option<u16>, now: Now) {
    let end = (Status::Aborted, cause);
    session.end(end, by, Hash::ZERO, (now.height, now.board_ms));
}
