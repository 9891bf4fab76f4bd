//! Predicates besides the simulator's properties: what an honest party may rely on, whoever else is hostile.

mod charters;

use white_city_state_machine::{Session, State};
use white_city_tests::board::Board;
use white_city_wire::board::{Cause, Status};

use crate::{
    binder::{Binder, UNREADABLE},
    choices::Choice,
    explorer::Node,
    moves::{Aim, Answer, Content, Move, What},
};

/// Whether the rules say that this has to be taken now: an honest party's entry for its own empty slot, its complaint about what it
/// can't open, its answer.
#[must_use]
pub fn must_be_taken(binder: &Binder, board: &Board, mv: Move) -> bool {
    if let What::Say(draft, flaw) = mv.what {
        return charters::word_must_be_taken(board, mv, draft, flaw);
    }
    if !binder.world.is_honest(mv.index) || mv.by != mv.index {
        return false;
    }
    let Ok(session) = board.state.session(&binder.id(mv.session)) else {
        return false;
    };
    let Some(body) = &session.body else {
        return false;
    };
    let (index, status) = (mv.index, session.status());
    let empty = body
        .slots
        .get(usize::from(index))
        .is_some_and(|slot| slot.is_empty());
    let stays = !body.left.iter().any(|(leaver, _)| *leaver == index);
    let member = body.members.contains(index) && stays;
    match mv.what {
        What::Join(0) => status == Status::Joining && empty && stays,
        What::Post(0, Content::Plain | Content::Sealed) | What::Finish(0, 0) => {
            status == Status::Running && empty && member
        }
        What::Decline => status == Status::Joining && empty && stays,
        What::Abort(0) => {
            member && (status == Status::Running || (status == Status::Joining && !empty))
        }
        What::Complain(ago @ ..0, accused, Aim::Stored) => {
            let ago = u32::from(ago.unsigned_abs());
            let round = session.leaf.open_round.saturating_sub(ago);
            let slot = body.slot(round, accused).and_then(|slot| slot.digest());
            let unreadable = slot.is_some_and(|digest| binder.symbol(&digest) == UNREADABLE);
            status == Status::Running && member && unreadable
        }
        What::Reveal(Answer::Right) => {
            let dispute = body.dispute.as_ref();
            let accused = dispute.is_some_and(|dispute| dispute.complain.accused() == index);
            status == Status::Dispute && accused
        }
        _ => false,
    }
}

/// Punctual parties after a block: what was decided in it or before, until another round opens.
#[must_use]
pub fn punctual_after(node: &Node, choice: &Choice, board: &Board) -> Option<u16> {
    let before = node.board.state.sessions().get(0);
    let after = board.state.sessions().get(0)?;
    let same = before.is_some_and(|before| {
        before.leaf.open_round == after.leaf.open_round && before.status() == after.status()
    });
    let punctual = choice.punctual.or(node.punctual);
    punctual.filter(|_| same && after.status().is_live())
}

/// Checks a block from a state to the one after it.
///
/// # Errors
/// The promise that is broken, and how.
pub fn check(binder: &Binder, node: &Node, choice: &Choice, after: &State) -> Result<(), String> {
    charters::check(binder, node, choice, after)?;
    let sessions = node.board.state.sessions().iter();
    for before in sessions {
        let Some(now) = after.sessions().get(before.number) else {
            return Err(format!("session {} is gone", before.number));
        };
        ended_for_ever(before, now)?;
        nobody_honest_is_blamed(binder, now)?;
        if before.number == 0 {
            let punctual = choice.punctual.or(node.punctual).unwrap_or(0);
            nobody_punctual_is_absent(binder, punctual, before, now)?;
        }
    }
    Ok(())
}

/// Promise 6: the entry that every honest replica had when last call began gets in.
fn nobody_punctual_is_absent(
    binder: &Binder,
    punctual: u16,
    before: &Session,
    now: &Session,
) -> Result<(), String> {
    let (Some(was), Some(body)) = (&before.body, &now.body) else {
        return Ok(());
    };
    let round = before.leaf.open_round;
    let cause = now.terminal.as_ref().map(|record| record.cause);
    let ended = before.terminal.is_none()
        && matches!(
            cause,
            Some(Cause::TooFew | Cause::Disagreement | Cause::None)
        );
    let closed = now.leaf.open_round > round || ended;
    for index in (0..binder.world.honest).filter(|index| punctual >> index & 1 == 1) {
        let slot = body.slot(round, index);
        let absent = slot.is_none_or(|slot| slot.is_empty());
        if closed && absent && was.members.contains(index) && !body.has_left(index) {
            return Err(format!(
                "party {index} is absent from round {round}, though every honest replica had its entry"
            ));
        }
    }
    Ok(())
}

/// Promise 7: a session that has ended stays as it ended, and is erased some time after that.
fn ended_for_ever(before: &Session, now: &Session) -> Result<(), String> {
    let Some(record) = &before.terminal else {
        let gone = now.body.is_none();
        return if gone {
            Err("a session was erased as it ended".into())
        } else {
            Ok(())
        };
    };
    let same = now.terminal.as_ref() == Some(record);
    let later = before.status() == now.status() || now.status() == Status::Erased;
    let there = before.body.is_some() || now.body.is_none();
    if same && later && there {
        Ok(())
    } else {
        Err("an ended session changed".into())
    }
}

/// Promise 5: no evidence names an honest party, and no record does for a lie.
fn nobody_honest_is_blamed(binder: &Binder, now: &Session) -> Result<(), String> {
    let world = &binder.world;
    if let Some(record) = &now.terminal {
        let lie = matches!(record.cause, Cause::BadPayload | Cause::FalseComplaint);
        if lie && record.by().is_some_and(|by| world.is_honest(by)) {
            return Err("an honest party is named for a lie".into());
        }
    }
    let culprits = now.body.iter().flat_map(|body| &body.culprits);
    match culprits.into_iter().find(|c| world.is_honest(c.index)) {
        Some(culprit) => Err(format!("honest party {} is a culprit", culprit.index)),
        None => Ok(()),
    }
}
