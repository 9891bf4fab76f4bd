//! The reason that is told for a refusal, where the state has let go of what the right one needs: of an ended session what it stored, of
//! an erased one that it was there. Whoever sends again what is stored already has to hear just that.

use white_city_wire::{
    Hash, Refusal, SessionId, VerifiedTx,
    tx::{Action, Open, UncheckedTx},
};

use crate::{
    committed::Committed,
    store::{Snapshot, StoreError},
};

/// The reason for what was refused before its signature was checked.
pub fn unverified(committed: &Committed, bytes: &[u8], refusal: Refusal) -> Refusal {
    let tx = match &refusal {
        Refusal::OpenExpired { .. } => UncheckedTx::decode(bytes).ok(),
        _ => None,
    };
    erased(
        committed,
        tx.as_ref().and_then(UncheckedTx::opening),
        &refusal,
    )
    .unwrap_or(refusal)
}

/// The reason for what was refused after that.
pub fn verified(committed: &Committed, tx: &VerifiedTx, refusal: Refusal) -> Refusal {
    if refusal == Refusal::Ended {
        let stored = stored(committed, tx.action());
        // What can't be read isn't said to be stored.
        return stored.unwrap_or_default().unwrap_or(refusal);
    }
    let open = match tx.action() {
        Action::Open(open) => Some(open),
        _ => None,
    };
    erased(committed, open, &refusal).unwrap_or(refusal)
}

/// The reason that was another one before the session's erasure.
fn erased(committed: &Committed, open: Option<&Open>, refusal: &Refusal) -> Option<Refusal> {
    let (id, reason) = match refusal {
        Refusal::UnknownSession(id) => (SessionId(id.0), Refusal::Erased),
        Refusal::OpenExpired { .. } => {
            let network = &committed.state.network().id;
            (open?.session_id(network), Refusal::AlreadyStored)
        }
        _ => return None,
    };
    let number = committed.snapshot.erased_number(&id).ok()?;
    number.map(|_| reason)
}

/// The reason that a session still knew before its end.
fn stored(committed: &Committed, action: &Action) -> Result<Option<Refusal>, StoreError> {
    let snapshot = &committed.snapshot;
    let Some((session, index)) = action.author() else {
        return Ok(None);
    };
    let Ok(session) = committed.state.session(&session) else {
        return Ok(None);
    };
    let number = session.number;
    Ok(match action {
        Action::Join(join) => in_slot(snapshot, (number, 0, index), join.digest())?,
        Action::Post(post) => {
            let digest = post.header.digest();
            in_slot(snapshot, (number, post.header.round, index), digest)?
        }
        Action::Finish(finish) => {
            let digest = finish.digest();
            in_slot(snapshot, (number, finish.round, index), digest)?
        }
        Action::Leave { leave, .. } => {
            let digest = leave.digest(&session.id(), index);
            let left = snapshot.left(number)?;
            let own = left.iter().find(|(leaver, _)| *leaver == index);
            own.map(|(_, existing)| match *existing == digest {
                true => Refusal::AlreadyStored,
                false => Refusal::HasLeft(index),
            })
        }
        Action::Complain(complain) => {
            let dispute = snapshot.dispute(number, session.terminal.as_ref())?;
            let is_it = dispute.is_some_and(|one| one.complain.digest() == complain.digest());
            is_it.then_some(Refusal::AlreadyStored)
        }
        Action::Reveal(reveal) => {
            let dispute = snapshot.dispute(number, session.terminal.as_ref())?;
            let is_it = dispute.is_some_and(|dispute| dispute.is_answered_by(reveal.digest()));
            is_it.then_some(Refusal::AlreadyStored)
        }
        Action::Open(_) | Action::Evidence(_) | Action::Approve(_) => None,
    })
}

fn in_slot(
    snapshot: &Snapshot,
    (session, round, index): (u32, u32, u16),
    digest: Hash,
) -> Result<Option<Refusal>, StoreError> {
    let existing = snapshot.digest(session, round, index)?;
    Ok(existing.map(|existing| match existing == digest {
        true => Refusal::AlreadyStored,
        false => Refusal::SlotTaken { existing },
    }))
}
