//! Leaving by name, once: a decline before joining, an abort after it.

use white_city_wire::{Hash, IdentityKey, Refusal, board::Status, tx::Leave};

use crate::session::Session;

/// Checks a decline or an abort, and gives its digest.
pub fn check(
    session: &Session,
    index: u16,
    leave: &Leave,
    signer: &IdentityKey,
) -> Result<Hash, Refusal> {
    let body = session.body()?;
    session.check_signer(index, signer)?;
    let digest = leave.digest(&session.id(), index);
    match body.left.iter().find(|(leaver, _)| *leaver == index) {
        Some((_, existing)) if *existing == digest => return Err(Refusal::AlreadyStored),
        Some(_) => return Err(Refusal::HasLeft(index)),
        None => {}
    }
    let joined = body.slot(0, index).is_some_and(|slot| !slot.is_empty());
    match (session.status(), leave) {
        (Status::Joining, Leave::Decline { .. }) if !joined => Ok(digest),
        (Status::Joining, Leave::Decline { .. }) => Err(Refusal::SlotTaken {
            existing: body
                .slot(0, index)
                .and_then(|s| s.digest())
                .unwrap_or_default(),
        }),
        (Status::Joining, Leave::Abort { .. }) if joined => Ok(digest),
        (Status::Joining, Leave::Abort { .. }) => Err(Refusal::NotJoined(index)),
        (Status::Running, Leave::Abort { .. }) if body.members.contains(index) => Ok(digest),
        (Status::Running, Leave::Abort { .. }) => Err(Refusal::Out(index)),
        (Status::Running, Leave::Decline { .. }) => Err(Refusal::NotJoining),
        (Status::Dispute, _) => Err(Refusal::InDispute),
        (Status::Finished | Status::Aborted | Status::Erased, _) => Err(Refusal::Ended),
    }
}
