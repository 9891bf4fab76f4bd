//! `model.md`, dispute: it begins with a rightful complaint, nothing but a reveal and evidence comes in meanwhile, nothing
//! that is the session's moves, and both words were signed by those that they name.

use white_city_state_machine::{Body, Dispute, Session, Slot};
use white_city_wire::{Complain, board::Status, tx::Action};

use super::{Property, bodies, bytes::complain_digest};
use crate::simulator::Observed;

/// Compares every dispute with the block before and its transactions.
#[derive(Default, Clone)]
pub struct Disputes;

impl Property for Disputes {
    const NAME: &'static str = "disputes";

    fn check(&mut self, seen: &Observed) -> Result<(), String> {
        for (session, body) in bodies(&seen.executed.after) {
            let number = session.number;
            let before = seen.executed.before.sessions().get(number);
            let old = before.and_then(|before| before.body.as_ref()?.dispute.as_ref());
            let expected = replay(seen, number, before.map(AsRef::as_ref), old)?;
            let found = body.dispute.as_ref().map(|dispute| {
                let revealed = dispute.revealed.map(|revealed| revealed.digest);
                (dispute.complain.clone(), revealed)
            });
            ensure!(
                found == expected,
                "session {number}: dispute {found:?}, expected {expected:?}"
            );
            if let Some(before) = before.filter(|before| before.status() == Status::Dispute) {
                stands_still(before, session, body)?;
            }
            if let Some(dispute) = &body.dispute {
                signed(seen, body, dispute)?;
            }
            let open = body.dispute.as_ref().is_some_and(|d| d.revealed.is_none())
                && session.terminal.is_none();
            ensure!(
                (session.status() == Status::Dispute) == open,
                "session {number}: {:?}, in dispute: {open}",
                session.status()
            );
        }
        Ok(())
    }
}

type Expected = Option<(Complain, Option<white_city_wire::Hash>)>;

/// Goes through the block's transactions of one session.
fn replay(
    seen: &Observed,
    number: u32,
    before: Option<&Session>,
    old: Option<&Dispute>,
) -> Result<Expected, String> {
    let mut so_far: Expected = old.map(|dispute| {
        let revealed = dispute.revealed.map(|revealed| revealed.digest);
        (dispute.complain.clone(), revealed)
    });
    let mut left: Vec<u16> = Vec::new();
    for (tx, _) in seen.executed.applied().filter(|(_, at)| *at == number) {
        match (tx.action(), &mut so_far) {
            (Action::Evidence(_), _) => {}
            (Action::Complain(complain), None) => {
                let before = before.ok_or(format!("session {number}: complained about at once"))?;
                rightful(before, complain, &left)?;
                so_far = Some((complain.clone(), None));
            }
            (Action::Reveal(reveal), Some((complain, revealed @ None))) => {
                let answers = reveal.complaint == complain_digest(complain)
                    && reveal.index == complain.post.index;
                ensure!(
                    answers,
                    "session {number}: the reveal answers something else"
                );
                *revealed = Some(reveal.digest());
            }
            (action, None) => {
                ensure!(
                    !matches!(action, Action::Reveal(_)),
                    "session {number}: a reveal without a complaint"
                );
                if let Action::Leave { index, .. } = action {
                    left.push(*index);
                }
            }
            (_, Some(_)) => return Err(format!("session {number}: written to in a dispute")),
        }
    }
    Ok(so_far)
}

/// A member that hasn't left, a closed round, the post in the slot of somebody else.
fn rightful(before: &Session, complain: &Complain, left: &[u16]) -> Result<(), String> {
    let number = before.number;
    let body = before.body().map_err(|refusal| refusal.to_string())?;
    let by = complain.index;
    let gone = body.has_left(by) || left.contains(&by);
    let member = body.members.contains(by) && !gone && by != complain.post.index;
    ensure!(member, "session {number}: party {by} may not complain");
    let closed = before.status() == Status::Running && complain.post.round < before.leaf.open_round;
    ensure!(closed, "session {number}: a complaint about an open round");
    let slot = body.slot(complain.post.round, complain.post.index);
    let real = slot == Some(&Slot::Post(complain.post.digest()));
    ensure!(real, "session {number}: a complaint about another post");
    Ok(())
}

fn stands_still(before: &Session, session: &Session, body: &Body) -> Result<(), String> {
    let number = session.number;
    let old = before.body().map_err(|refusal| refusal.to_string())?;
    let same = old.slots == body.slots
        && old.closed == body.closed
        && old.members == body.members
        && old.left == body.left
        && old.used_bytes == body.used_bytes
        && before.leaf.open_round == session.leaf.open_round;
    ensure!(same, "session {number} moved in a dispute");
    Ok(())
}

fn signed(seen: &Observed, body: &Body, dispute: &Dispute) -> Result<(), String> {
    let complain = &dispute.complain;
    let revealed = dispute.revealed.map(|revealed| revealed.digest);
    let words = [
        (complain.index, Some(complain_digest(complain))),
        (complain.post.index, revealed),
    ];
    for (index, digest) in words {
        let Some(digest) = digest else { continue };
        let key = body.spec.key(index);
        let key = key.map_err(|refusal| refusal.to_string())?;
        let signed = seen.signed.contains(&(*key.as_bytes(), digest));
        ensure!(signed, "{key} never signed {digest} in a dispute");
    }
    Ok(())
}
