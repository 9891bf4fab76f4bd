//! Filling slots: joins, posts and finishes. The order of the checks is part of the rules: what is stored already
//! is found before anything that could have changed since.

use white_city_wire::{
    Hash, IdentityKey, Refusal, Spec,
    board::Status,
    entry::FinishHeader,
    limits::ENTRY_BYTES,
    tx::{Join, Post},
};

use crate::session::{Body, Session, Slot};

/// A slot to be filled.
pub struct Fill {
    /// Index of its author.
    pub index: u16,
    /// With what.
    pub slot: Slot,
    /// Size that it counts against its author's share, bytes.
    pub bytes: u64,
}

impl Fill {
    /// Fills the slot, which the checks have found empty.
    pub fn commit(self, body: &mut Body) {
        let index = usize::from(self.index);
        if let Some(slot) = body.slots.get_mut(index) {
            *slot = self.slot;
        }
        if let Some(used) = body.used_bytes.get_mut(index) {
            *used = used.saturating_add(self.bytes);
        }
    }
}

/// Checks a join.
pub fn check_join(session: &Session, join: &Join, signer: &IdentityKey) -> Result<Fill, Refusal> {
    let body = session.body()?;
    session.check_signer(join.index, signer)?;
    let digest = join.digest();
    check_slot(body, 0, join.index, digest)?;
    match session.status() {
        Status::Joining => {}
        status if status.is_live() => return Err(Refusal::NotJoining),
        _ => return Err(Refusal::Ended),
    }
    check_not_left(body, join.index)?;
    join.check_kem(&body.spec)?;
    Ok(Fill {
        index: join.index,
        slot: Slot::Join {
            digest,
            key: join.key.clone(),
        },
        bytes: 0,
    })
}

/// Checks a post.
pub fn check_post(session: &Session, post: &Post, signer: &IdentityKey) -> Result<Fill, Refusal> {
    let header = &post.header;
    let digest = header.digest();
    let place = (header.round, header.index, header.transcript);
    let body = check_entry(session, place, digest, signer)?;
    over_spec("broadcast", header.bcast_len, body.spec.max_bcast)?;
    for (to, ciphertext) in &post.p2p {
        check_sealed(&body.spec, ciphertext)?;
        if !body.members.contains(*to) {
            return Err(Refusal::RecipientOut(*to));
        }
    }
    let payloads = u64::from(header.bcast_len).saturating_add(u64::from(header.p2p_bytes));
    Ok(Fill {
        index: header.index,
        slot: Slot::Post(digest),
        bytes: check_share(body, header.index, ENTRY_BYTES.saturating_add(payloads))?,
    })
}

/// Checks a finish.
pub fn check_finish(
    session: &Session,
    finish: &FinishHeader,
    signer: &IdentityKey,
) -> Result<Fill, Refusal> {
    let digest = finish.digest();
    let place = (finish.round, finish.index, finish.transcript);
    let body = check_entry(session, place, digest, signer)?;
    Ok(Fill {
        index: finish.index,
        slot: Slot::Finish {
            digest,
            outcome: finish.outcome,
        },
        bytes: check_share(body, finish.index, ENTRY_BYTES)?,
    })
}

/// Checks what posts and finishes have in common.
fn check_entry<'a>(
    session: &'a Session,
    (round, index, transcript): (u32, u16, Hash),
    digest: Hash,
    signer: &IdentityKey,
) -> Result<&'a Body, Refusal> {
    let body = session.body()?;
    session.check_signer(index, signer)?;
    check_slot(body, round, index, digest)?;
    let open = session.leaf.open_round;
    match session.status() {
        Status::Running if round < open => return Err(Refusal::RoundClosed { round, open }),
        Status::Running if round == open => {}
        Status::Running | Status::Joining => return Err(Refusal::RoundNotOpen { round, open }),
        Status::Dispute => return Err(Refusal::InDispute),
        _ => return Err(Refusal::Ended),
    }
    check_not_left(body, index)?;
    if !body.members.contains(index) {
        return Err(Refusal::Out(index));
    }
    if transcript != session.leaf.transcript {
        return Err(Refusal::Transcript {
            expected: session.leaf.transcript,
        });
    }
    Ok(body)
}

fn check_slot(body: &Body, round: u32, index: u16, digest: Hash) -> Result<(), Refusal> {
    match body.slot(round, index).and_then(Slot::digest) {
        Some(existing) if existing == digest => Err(Refusal::AlreadyStored),
        Some(existing) => Err(Refusal::SlotTaken { existing }),
        None => Ok(()),
    }
}

fn check_not_left(body: &Body, index: u16) -> Result<(), Refusal> {
    if body.has_left(index) {
        return Err(Refusal::HasLeft(index));
    }
    Ok(())
}

/// Checks the size of a sealed payload against what the session's spec takes.
///
/// # Errors
/// [`Refusal::OverSpec`] or [`Refusal::UnderSealed`].
pub fn check_sealed(spec: &Spec, ciphertext: &[u8]) -> Result<(), Refusal> {
    let got = u32::try_from(ciphertext.len()).unwrap_or(u32::MAX);
    over_spec("p2p payload", got, spec.max_p2p)?;
    let min = spec.kem.ciphertext_bytes_min();
    if got < min {
        return Err(Refusal::UnderSealed { got, min });
    }
    Ok(())
}

/// Checks a size against what the session's spec takes.
///
/// # Errors
/// [`Refusal::OverSpec`].
pub fn over_spec(what: &'static str, got: u32, max: u32) -> Result<(), Refusal> {
    if got > max {
        return Err(Refusal::OverSpec {
            what,
            got: got.into(),
            max: max.into(),
        });
    }
    Ok(())
}

/// Checks what an entry counts against what is left of its author's share, bytes; gives it back.
///
/// # Errors
/// [`Refusal::ShareUsedUp`].
pub fn check_share(body: &Body, index: u16, needed: u64) -> Result<u64, Refusal> {
    let used = body.used_bytes.get(usize::from(index)).copied();
    let left = body
        .spec
        .share_bytes()
        .saturating_sub(used.unwrap_or(u64::MAX));
    if needed > left {
        return Err(Refusal::ShareUsedUp { needed, left });
    }
    Ok(needed)
}
