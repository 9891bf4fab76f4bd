//! Disputes: a complaint stops the session, a reveal or silence ends it. What a reveal proves is decided in
//! [`white_city_wire::dispute`], which also says why nobody honest is ever a culprit.

use white_city_wire::{
    Complain, IdentityKey, NetworkId, Refusal, Reveal,
    board::{Culprit, Status},
    dispute::judge,
    reserve::max_plaintext,
};

use crate::{
    entries::over_spec,
    session::{self, Body, Dispute, Revealed, Session, Slot},
};

/// Checks a complaint: about another party's payload for its author in a closed round, by a member, while running.
pub fn check_complain(
    session: &Session,
    complain: &Complain,
    signer: &IdentityKey,
) -> Result<(), Refusal> {
    let body = session.body()?;
    session.check_signer(complain.index, signer)?;
    let known = body.dispute.as_ref();
    if known.is_some_and(|dispute| dispute.complain.digest() == complain.digest()) {
        return Err(Refusal::AlreadyStored);
    }
    let (round, open) = (complain.post.round, session.leaf.open_round);
    match session.status() {
        Status::Running if round < open => {}
        Status::Running | Status::Joining => return Err(Refusal::NotClosed { round, open }),
        Status::Dispute => return Err(Refusal::InDispute),
        Status::Finished | Status::Aborted | Status::Erased => return Err(Refusal::Ended),
    }
    if body.has_left(complain.index) {
        return Err(Refusal::HasLeft(complain.index));
    }
    if !body.members.contains(complain.index) {
        return Err(Refusal::Out(complain.index));
    }
    match body.slot(round, complain.accused()) {
        Some(Slot::Post(digest)) if *digest == complain.post.digest() => Ok(()),
        Some(Slot::Post(_)) => Err(Refusal::NoComplaint("the post in the slot is another one")),
        _ => Err(Refusal::NoComplaint(
            "the accused posted nothing in this round",
        )),
    }
}

/// Opens the dispute. Slots stay as they are; the clock starts anew, in the next block.
pub fn commit_complain(session: &mut Session, complain: &Complain) {
    if let Some(body) = &mut session.body {
        body.dispute = Some(Dispute {
            complain: complain.clone(),
            revealed: None,
        });
    }
    session.leaf.status = Status::Dispute;
    session.restart_clock();
}

/// Checks a reveal, which may come from an accused that is out or has left, and judges it.
pub fn check_reveal(
    session: &Session,
    reveal: &Reveal,
    signer: &IdentityKey,
    network: &NetworkId,
) -> Result<Revealed, Refusal> {
    let body = session.body()?;
    session.check_signer(reveal.index, signer)?;
    let digest = reveal.digest();
    let dispute = match (session.status(), &body.dispute) {
        (Status::Dispute, Some(dispute)) => dispute,
        (Status::Joining | Status::Running, _) => return Err(Refusal::NoDispute),
        (_, Some(dispute)) if dispute.is_answered_by(digest) => return Err(Refusal::AlreadyStored),
        _ => return Err(Refusal::Ended),
    };
    if let Some(Revealed {
        digest: existing, ..
    }) = dispute.revealed
    {
        return Err(if existing == digest {
            Refusal::AlreadyStored
        } else {
            Refusal::SlotTaken { existing }
        });
    }
    let complain = &dispute.complain;
    let plaintext_bytes = u32::try_from(reveal.plaintext.len()).unwrap_or(u32::MAX);
    let max = max_plaintext(&body.spec, complain.post.p2p_bytes);
    over_spec("revealed payload", plaintext_bytes, max)?;
    let Some(Slot::Join { key, .. }) = body.slot(0, complain.index) else {
        return Err(Refusal::NotJoined(complain.index));
    };
    let verdict = judge(network, &body.spec, key, complain, reveal)?;
    Ok(Revealed {
        digest,
        verdict,
        plaintext_bytes,
    })
}

/// Takes the answer, and flags the culprit; the first evidence against a party stays.
pub fn commit_reveal(body: &mut Body, revealed: Revealed) {
    let Some(dispute) = &mut body.dispute else {
        return;
    };
    dispute.revealed = Some(revealed);
    let complain = &dispute.complain;
    let culprit = Culprit {
        index: revealed.verdict.culprit(complain),
        offence: revealed.verdict.offence(),
        round: complain.post.round,
        a: complain.digest(),
        b: revealed.digest,
    };
    session::flag(&mut body.culprits, culprit);
}
