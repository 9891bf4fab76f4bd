//! Approvals and their charters, whose keys cost more to check than everything else.

use alloc::{boxed::Box, vec::Vec};

use super::{hash, signature};
use crate::{
    approve::{Approve, Proposal, Word},
    charter::{Charter, OpenerQuota, Replica},
    keys::Signature,
    limits::{CHARTER_OPENERS_MAX, VALIDATORS_MAX},
    pb,
    refusal::Refusal,
    spec::to_usize,
};

/// Reads an approval, but for its charter's keys.
pub(super) fn approve_from_pb(approve: &pb::Approve) -> Result<(Approve, Signature), Refusal> {
    let operator = u16::try_from(approve.operator).ok();
    let operator = operator.filter(|position| u32::from(*position) < VALIDATORS_MAX);
    let operator = operator.ok_or(Refusal::Field {
        field: "operator",
        expected: "a position below 256",
    })?;
    if approve.sequence == 0 {
        return Err(Refusal::Field {
            field: "sequence",
            expected: "at least 1",
        });
    }
    let word = match &approve.charter {
        Some(charter) => Word::Charter {
            charter: Box::new(charter_from_pb(charter)?),
            newcomers: signatures(&approve.newcomers)?,
        },
        None if approve.newcomers.is_empty() => Word::Withdraw,
        None => {
            return Err(Refusal::Field {
                field: "newcomers",
                expected: "none where there is no charter",
            });
        }
    };
    let approve_signature = signature(&approve.signature)?;
    Ok((
        Approve {
            term: approve.term,
            operator,
            sequence: approve.sequence,
            word,
        },
        approve_signature,
    ))
}

/// Writes an approval.
pub(super) fn approve_to_pb(approve: &Approve, signature: &Signature) -> pb::Approve {
    let (charter, newcomers) = match &approve.word {
        Word::Charter { charter, newcomers } => (
            Some(charter_to_pb(charter)),
            newcomers.iter().flat_map(|signature| signature.0).collect(),
        ),
        Word::Withdraw => (None, Vec::new()),
    };
    pb::Approve {
        term: approve.term,
        operator: approve.operator.into(),
        sequence: approve.sequence,
        charter,
        newcomers,
        signature: signature.0.to_vec(),
    }
}

/// Reads a charter, of which nothing is checked but its size.
///
/// # Errors
/// [`Refusal::Field`] names the field.
pub fn charter_from_pb(charter: &pb::Charter) -> Result<Charter, Refusal> {
    let field =
        |good: bool, field, expected| good.then_some(()).ok_or(Refusal::Field { field, expected });
    field(
        charter.replicas.len() <= to_usize(VALIDATORS_MAX),
        "replicas",
        "1 to 256",
    )?;
    field(
        charter.openers.len() <= to_usize(CHARTER_OPENERS_MAX),
        "openers",
        "at most 4096",
    )?;
    let replicas = charter.replicas.iter().map(|replica| {
        Ok(Replica {
            validator: hash("validator", &replica.validator)?,
            operator: hash("operator", &replica.operator)?,
        })
    });
    let openers = charter.openers.iter().map(|opener| {
        Ok(OpenerQuota {
            key: hash("opener", &opener.key)?,
            max_live: opener.max_live,
            max_bytes: opener.max_bytes,
        })
    });
    Ok(Charter {
        term: charter.term,
        previous: hash("previous", &charter.previous)?,
        until_ms: charter.until_ms,
        protocol: charter.protocol,
        max_session_bytes: charter.max_session_bytes,
        max_board_bytes: charter.max_board_bytes,
        anyone_may_open: charter.anyone_may_open,
        anyone_max_live: charter.anyone_max_live,
        anyone_max_bytes: charter.anyone_max_bytes,
        stamp_bits: u8::try_from(charter.stamp_bits).map_err(|_| Refusal::Field {
            field: "stamp_bits",
            expected: "0 to 40",
        })?,
        replicas: replicas.collect::<Result<_, Refusal>>()?,
        openers: openers.collect::<Result<_, Refusal>>()?,
    })
}

/// Writes a charter.
#[must_use]
pub fn charter_to_pb(charter: &Charter) -> pb::Charter {
    let replicas = charter.replicas.iter().map(|replica| pb::Replica {
        validator: replica.validator.0.to_vec(),
        operator: replica.operator.0.to_vec(),
    });
    let openers = charter.openers.iter().map(|opener| pb::OpenerQuota {
        key: opener.key.0.to_vec(),
        max_live: opener.max_live,
        max_bytes: opener.max_bytes,
    });
    pb::Charter {
        term: charter.term,
        previous: charter.previous.0.to_vec(),
        until_ms: charter.until_ms,
        protocol: charter.protocol,
        max_session_bytes: charter.max_session_bytes,
        max_board_bytes: charter.max_board_bytes,
        anyone_may_open: charter.anyone_may_open,
        anyone_max_live: charter.anyone_max_live,
        anyone_max_bytes: charter.anyone_max_bytes,
        stamp_bits: charter.stamp_bits.into(),
        replicas: replicas.collect(),
        openers: openers.collect(),
    }
}

/// An operator's word as it stands.
///
/// # Errors
/// [`Refusal::Field`] for a hash that is none, or a position that no operator has.
pub fn proposal_from_pb(word: &pb::Proposal) -> Result<Proposal, Refusal> {
    let operator = u16::try_from(word.operator).map_err(|_| Refusal::Field {
        field: "operator",
        expected: "at most 65535",
    })?;
    Ok(Proposal {
        operator,
        sequence: word.sequence,
        board_ms: word.board_ms,
        charter_hash: hash("charter_hash", &word.charter_hash)?,
    })
}

/// An operator's word as protobuf.
#[must_use]
pub fn proposal_to_pb(word: &Proposal) -> pb::Proposal {
    pb::Proposal {
        operator: word.operator.into(),
        sequence: word.sequence,
        board_ms: word.board_ms,
        charter_hash: word.charter_hash.0.to_vec(),
    }
}

fn signatures(bytes: &[u8]) -> Result<Vec<Signature>, Refusal> {
    let (signatures, rest) = bytes.as_chunks::<64>();
    let bounded = signatures.len() <= to_usize(VALIDATORS_MAX);
    if !rest.is_empty() || !bounded {
        return Err(Refusal::Field {
            field: "newcomers",
            expected: "at most 256 signatures of 64 bytes",
        });
    }
    Ok(signatures.iter().map(|bytes| Signature(*bytes)).collect())
}
