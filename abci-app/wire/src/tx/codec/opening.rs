//! Openings and their specs, whose rosters' keys cost more to check than everything else.

use alloc::string::ToString;

use super::{hash, identity, kem, session, signature, u16_field};
use crate::{
    hash::{NetworkId, SessionId},
    keys::{BadKey, IdentityKey, Signature},
    limits::ROSTER_PARTIES_MAX,
    pb,
    refusal::Refusal,
    spec::Spec,
    tx::Open,
};

/// Reads what opened a session.
///
/// # Errors
/// [`Refusal::Field`], [`Refusal::Key`] or [`Refusal::TooLarge`] name the field.
pub fn open_from_pb(open: pb::Open) -> Result<(Open, Signature), Refusal> {
    let (open, signature) = unchecked(open)?;
    check_roster(&open.spec, IdentityKey::check)?;
    Ok((open, signature))
}

/// Reads what opened a session that the board has: its id commits to it, so the keys, which were checked before it was opened, aren't
/// checked again, and nothing else than what was opened is taken.
///
/// # Errors
/// Those of [`open_from_pb`] but for bad keys; [`Refusal::Field`] when another session's id follows from it.
pub fn open_from_accepted_pb(
    open: pb::Open,
    network: &NetworkId,
    id: &SessionId,
) -> Result<(Open, Signature), Refusal> {
    let (open, signature) = read(open, |field, bytes| {
        IdentityKey::from_accepted(bytes).map_err(|reason| Refusal::Key { field, reason })
    })?;
    if open.session_id(network) != *id {
        return Err(Refusal::Field {
            field: "session",
            expected: "the id that follows from what opened it",
        });
    }
    Ok((open, signature))
}

/// Checks each key of a roster.
pub(crate) fn check_roster(
    spec: &Spec,
    mut check: impl FnMut(&IdentityKey) -> Result<(), BadKey>,
) -> Result<(), Refusal> {
    let field = "roster";
    spec.roster
        .iter()
        .try_for_each(|key| check(key).map_err(|reason| Refusal::Key { field, reason }))
}

/// Everything but the checks of the roster's keys, which cost more than all the rest of a large opening.
pub(super) fn unchecked(open: pb::Open) -> Result<(Open, Signature), Refusal> {
    read(open, identity)
}

/// Everything, with another way to read the opener's key.
fn read(
    open: pb::Open,
    opener: impl FnOnce(&'static str, &[u8]) -> Result<IdentityKey, Refusal>,
) -> Result<(Open, Signature), Refusal> {
    let spec = spec_from_pb(open.spec.ok_or(Refusal::Malformed("no spec"))?)?;
    Ok((
        Open {
            spec,
            opener: opener("opener", &open.opener)?,
            nonce: hash("nonce", &open.nonce)?.0,
            open_by_ms: open.open_by_ms,
            stamp: open.stamp,
        },
        signature(&open.signature)?,
    ))
}

/// Writes what opened a session.
#[must_use]
pub fn open_to_pb(open: &Open, signature: &Signature) -> pb::Open {
    let spec = &open.spec;
    pb::Open {
        spec: Some(pb::Spec {
            protocol: spec.protocol.to_string(),
            version: spec.version,
            kem: spec.kem.number().into(),
            roster: spec
                .roster
                .iter()
                .map(|key| key.as_bytes().to_vec())
                .collect(),
            quorum: spec.quorum.into(),
            corrupt: spec.corrupt.into(),
            max_rounds: spec.max_rounds,
            join_ms: spec.join_ms,
            round_ms: spec.round_ms,
            reveal_ms: spec.reveal_ms,
            retention_ms: spec.retention_ms,
            max_bcast: spec.max_bcast,
            max_p2p: spec.max_p2p,
            max_bytes: spec.max_bytes,
            input: spec.input.clone(),
            prev_session: spec.prev_session.0.to_vec(),
        }),
        opener: open.opener.as_bytes().to_vec(),
        nonce: open.nonce.to_vec(),
        open_by_ms: open.open_by_ms,
        stamp: open.stamp,
        signature: signature.0.to_vec(),
    }
}

fn spec_from_pb(spec: pb::Spec) -> Result<Spec, Refusal> {
    if spec.roster.len() > usize::from(ROSTER_PARTIES_MAX) {
        return Err(Refusal::Field {
            field: "roster",
            expected: "1 to 1024 parties",
        });
    }
    let roster = spec
        .roster
        .iter()
        .map(|key| IdentityKey::from_unchecked(key))
        .collect::<Result<_, _>>()
        .map_err(|reason| Refusal::Key {
            field: "roster",
            reason,
        })?;
    let spec = Spec {
        protocol: spec.protocol,
        version: spec.version,
        kem: kem(spec.kem)?,
        roster,
        quorum: u16_field("quorum", spec.quorum)?,
        corrupt: u16_field("corrupt", spec.corrupt)?,
        max_rounds: spec.max_rounds,
        join_ms: spec.join_ms,
        round_ms: spec.round_ms,
        reveal_ms: spec.reveal_ms,
        retention_ms: spec.retention_ms,
        max_bcast: spec.max_bcast,
        max_p2p: spec.max_p2p,
        max_bytes: spec.max_bytes,
        input: spec.input,
        prev_session: session(&spec.prev_session)?,
    };
    spec.check()?;
    Ok(spec)
}
