//! Between transactions and their protobuf: every field has one form, and everything else is refused.

mod approval;
mod complaint;
mod opening;

use alloc::vec::Vec;

pub use approval::{charter_from_pb, charter_to_pb, proposal_from_pb, proposal_to_pb};
pub(super) use opening::check_roster;
pub use opening::{open_from_accepted_pb, open_from_pb, open_to_pb};
use prost::Message;

use super::{Action, Join, Leave, Post};
use crate::{
    entry::{Entry, FinishHeader, PostHeader, SignedEntry, bcast_hash},
    hash::{Hash, SessionId},
    kem::{EncryptionKey, Kem},
    keys::{IdentityKey, Signature},
    limits::{CIPHERTEXT_BYTES_MIN, NOBODY, ROSTER_PARTIES_MAX, TX_BYTES_MAX, WIRE_VERSION},
    pb,
    refusal::Refusal,
    seal::Seal,
    spec::to_usize,
};

/// Decodes a transaction, but for the checks of a roster's keys; its size is checked before anything is decoded.
pub(super) fn decode(bytes: &[u8]) -> Result<(Action, Signature), Refusal> {
    if bytes.len() > to_usize(TX_BYTES_MAX) {
        return Err(Refusal::TooLarge {
            what: "transaction",
            got: u64::try_from(bytes.len()).unwrap_or(u64::MAX),
            max: u64::from(TX_BYTES_MAX),
        });
    }
    if Seal::is_seal(bytes) {
        return Err(Refusal::IsSeal);
    }
    let tx = pb::Tx::decode(bytes).map_err(|_| Refusal::Malformed("not protobuf"))?;
    if tx.version != WIRE_VERSION {
        return Err(Refusal::Version {
            got: tx.version,
            expected: WIRE_VERSION,
        });
    }
    if tx.encode_to_vec() != bytes {
        return Err(Refusal::Malformed(
            "fields out of order, unknown or spelled out",
        ));
    }
    from_body(tx.body.ok_or(Refusal::Malformed("no body"))?)
}

/// The one encoding of a transaction.
pub(super) fn encode(action: &Action, signature: &Signature) -> Vec<u8> {
    pb::Tx {
        version: WIRE_VERSION,
        body: Some(to_body(action, signature)),
    }
    .encode_to_vec()
}

fn from_body(body: pb::tx::Body) -> Result<(Action, Signature), Refusal> {
    use pb::tx::Body;
    Ok(match body {
        Body::Open(open) => {
            let (open, signature) = opening::unchecked(open)?;
            (Action::Open(open), signature)
        }
        Body::Join(join) => {
            let (join, signature) = join_from_pb(&join)?;
            (Action::Join(join), signature)
        }
        Body::Decline(decline) => (
            Action::Leave {
                session: session(&decline.session)?,
                index: index("index", decline.index)?,
                leave: Leave::Decline {
                    reason: u16_field("reason", decline.reason)?,
                },
            },
            signature(&decline.signature)?,
        ),
        Body::Abort(abort) => (
            Action::Leave {
                session: session(&abort.session)?,
                index: index("index", abort.index)?,
                leave: Leave::Abort {
                    cause: u16_field("cause", abort.cause)?,
                    about: index_or_nobody("about", abort.about)?,
                    detail: hash("detail", &abort.detail)?,
                },
            },
            signature(&abort.signature)?,
        ),
        Body::Post(post) => post_from_pb(post)?,
        Body::Finish(finish) => (
            Action::Finish(FinishHeader {
                session: session(&finish.session)?,
                round: round(finish.round)?,
                index: index("index", finish.index)?,
                transcript: hash("transcript", &finish.transcript)?,
                outcome: hash("outcome", &finish.outcome)?,
            }),
            signature(&finish.signature)?,
        ),
        Body::Evidence(evidence) => (
            Action::Evidence([
                entry_from_pb(evidence.first.as_ref())?,
                entry_from_pb(evidence.second.as_ref())?,
            ]),
            Signature([0; 64]),
        ),
        Body::Complain(complain) => complaint::complain_from_pb(&complain)?,
        Body::Reveal(reveal) => complaint::reveal_from_pb(reveal)?,
        Body::Approve(approve) => {
            let (approve, signature) = approval::approve_from_pb(&approve)?;
            (Action::Approve(approve), signature)
        }
    })
}

fn to_body(action: &Action, signature: &Signature) -> pb::tx::Body {
    use pb::tx::Body;
    let signature_bytes = signature.0.to_vec();
    match action {
        Action::Open(open) => Body::Open(open_to_pb(open, signature)),
        Action::Join(join) => Body::Join(join_to_pb(join, signature)),
        Action::Leave {
            session,
            index,
            leave,
        } => leave_to_pb(session, *index, leave, signature_bytes),
        Action::Post(post) => Body::Post(pb::Post {
            session: post.header.session.0.to_vec(),
            round: post.header.round,
            index: post.header.index.into(),
            transcript: post.header.transcript.0.to_vec(),
            broadcast: post.broadcast.clone(),
            p2p: post.p2p.iter().map(sealed_to_pb).collect(),
            signature: signature_bytes,
        }),
        Action::Finish(finish) => Body::Finish(pb::Finish {
            session: finish.session.0.to_vec(),
            round: finish.round,
            index: finish.index.into(),
            transcript: finish.transcript.0.to_vec(),
            outcome: finish.outcome.0.to_vec(),
            signature: signature_bytes,
        }),
        Action::Evidence([first, second]) => Body::Evidence(pb::Evidence {
            first: Some(entry_to_pb(first)),
            second: Some(entry_to_pb(second)),
        }),
        Action::Complain(complain) => {
            Body::Complain(complaint::complain_to_pb(complain, signature_bytes))
        }
        Action::Reveal(reveal) => Body::Reveal(complaint::reveal_to_pb(reveal, signature_bytes)),
        Action::Approve(approve) => Body::Approve(approval::approve_to_pb(approve, signature)),
    }
}

fn leave_to_pb(session: &SessionId, index: u16, leave: &Leave, signature: Vec<u8>) -> pb::tx::Body {
    match leave {
        Leave::Decline { reason } => pb::tx::Body::Decline(pb::Decline {
            session: session.0.to_vec(),
            index: index.into(),
            reason: (*reason).into(),
            signature,
        }),
        Leave::Abort {
            cause,
            about,
            detail,
        } => pb::tx::Body::Abort(pb::Abort {
            session: session.0.to_vec(),
            index: index.into(),
            cause: (*cause).into(),
            about: (*about).into(),
            detail: detail.0.to_vec(),
            signature,
        }),
    }
}

fn sealed_to_pb((to, ciphertext): &(u16, Vec<u8>)) -> pb::Sealed {
    pb::Sealed {
        to: (*to).into(),
        ciphertext: ciphertext.clone(),
    }
}

fn post_from_pb(post: pb::Post) -> Result<(Action, Signature), Refusal> {
    let author = index("index", post.index)?;
    let mut p2p: Vec<(u16, Vec<u8>)> = Vec::with_capacity(post.p2p.len());
    for sealed in post.p2p {
        let to = index("p2p.to", sealed.to)?;
        let field = |good: bool, field, expected| {
            good.then_some(()).ok_or(Refusal::Field { field, expected })
        };
        field(
            p2p.last().is_none_or(|(before, _)| *before < to),
            "p2p",
            "recipients ascending, none twice",
        )?;
        field(to != author, "p2p.to", "not the author")?;
        field(
            sealed.ciphertext.len() >= to_usize(CIPHERTEXT_BYTES_MIN),
            "p2p.ciphertext",
            "at least 49 bytes",
        )?;
        p2p.push((to, sealed.ciphertext));
    }
    let header = PostHeader {
        session: session(&post.session)?,
        round: round(post.round)?,
        index: author,
        transcript: hash("transcript", &post.transcript)?,
        bcast_hash: bcast_hash(&post.broadcast),
        bcast_len: u32::try_from(post.broadcast.len()).unwrap_or(u32::MAX),
        p2p_root: Hash::ZERO,
        p2p_bytes: super::p2p_bytes(&p2p),
    };
    let post_signature = signature(&post.signature)?;
    Ok((
        Action::Post(Post {
            header,
            broadcast: post.broadcast,
            p2p,
        }),
        post_signature,
    ))
}

/// Reads a join.
///
/// # Errors
/// [`Refusal::Field`] or [`Refusal::Key`] name the field.
pub fn join_from_pb(join: &pb::Join) -> Result<(Join, Signature), Refusal> {
    let kem = kem(join.kem)?;
    let key = EncryptionKey::from_bytes(kem, &join.enc_pk).map_err(|reason| Refusal::Key {
        field: "enc_pk",
        reason,
    })?;
    Ok((
        Join {
            session: session(&join.session)?,
            index: index("index", join.index)?,
            key,
        },
        signature(&join.signature)?,
    ))
}

/// Writes a join.
#[must_use]
pub fn join_to_pb(join: &Join, signature: &Signature) -> pb::Join {
    pb::Join {
        session: join.session.0.to_vec().into(),
        index: join.index.into(),
        kem: join.key.kem().number().into(),
        enc_pk: join.key.as_bytes().to_vec().into(),
        signature: signature.0.to_vec().into(),
    }
}

/// Reads an entry without payloads.
///
/// # Errors
/// [`Refusal::Field`] or [`Refusal::Malformed`] say what is wrong.
pub fn entry_from_pb(entry: Option<&pb::SignedEntry>) -> Result<SignedEntry, Refusal> {
    use pb::signed_entry::Header;
    let entry = entry.ok_or(Refusal::Malformed("no entry"))?;
    let header = match entry.header.as_ref() {
        Some(Header::Post(h)) => Entry::Post(post_header_from_pb(h)?),
        Some(Header::Finish(h)) => Entry::Finish(FinishHeader {
            session: session(&h.session)?,
            round: round(h.round)?,
            index: index("index", h.index)?,
            transcript: hash("transcript", &h.transcript)?,
            outcome: hash("outcome", &h.outcome)?,
        }),
        None => return Err(Refusal::Malformed("no header")),
    };
    Ok(SignedEntry {
        entry: header,
        signature: signature(&entry.signature)?,
    })
}

fn post_header_from_pb(h: &pb::PostHeader) -> Result<PostHeader, Refusal> {
    Ok(PostHeader {
        session: session(&h.session)?,
        round: round(h.round)?,
        index: index("index", h.index)?,
        transcript: hash("transcript", &h.transcript)?,
        bcast_hash: hash("bcast_hash", &h.bcast_hash)?,
        bcast_len: h.bcast_len,
        p2p_root: hash("p2p_root", &h.p2p_root)?,
        p2p_bytes: h.p2p_bytes,
    })
}

fn post_header_to_pb(h: &PostHeader) -> pb::PostHeader {
    pb::PostHeader {
        session: h.session.0.to_vec().into(),
        round: h.round,
        index: h.index.into(),
        transcript: h.transcript.0.to_vec().into(),
        bcast_hash: h.bcast_hash.0.to_vec().into(),
        bcast_len: h.bcast_len,
        p2p_root: h.p2p_root.0.to_vec().into(),
        p2p_bytes: h.p2p_bytes,
    }
}

/// Writes an entry without payloads.
#[must_use]
pub fn entry_to_pb(entry: &SignedEntry) -> pb::SignedEntry {
    use pb::signed_entry::Header;
    let header = match &entry.entry {
        Entry::Post(h) => Header::Post(post_header_to_pb(h)),
        Entry::Finish(h) => Header::Finish(pb::FinishHeader {
            session: h.session.0.to_vec().into(),
            round: h.round,
            index: h.index.into(),
            transcript: h.transcript.0.to_vec().into(),
            outcome: h.outcome.0.to_vec().into(),
        }),
    };
    pb::SignedEntry {
        header: Some(header),
        signature: entry.signature.0.to_vec().into(),
    }
}

fn hash(field: &'static str, bytes: &[u8]) -> Result<Hash, Refusal> {
    Hash::from_slice(bytes).ok_or(Refusal::Field {
        field,
        expected: "32 bytes",
    })
}

fn session(bytes: &[u8]) -> Result<SessionId, Refusal> {
    hash("session", bytes).map(|hash| SessionId(hash.0))
}

fn signature(bytes: &[u8]) -> Result<Signature, Refusal> {
    Signature::from_slice(bytes).ok_or(Refusal::Field {
        field: "signature",
        expected: "64 bytes",
    })
}

fn identity(field: &'static str, bytes: &[u8]) -> Result<IdentityKey, Refusal> {
    IdentityKey::from_bytes(bytes).map_err(|reason| Refusal::Key { field, reason })
}

fn kem(value: u32) -> Result<Kem, Refusal> {
    Kem::from_number(value).ok_or(Refusal::Field {
        field: "kem",
        expected: Kem::EXPECTED,
    })
}

fn u16_field(field: &'static str, value: u32) -> Result<u16, Refusal> {
    u16::try_from(value).map_err(|_| Refusal::Field {
        field,
        expected: "at most 65535",
    })
}

fn index(field: &'static str, value: u32) -> Result<u16, Refusal> {
    u16::try_from(value)
        .ok()
        .filter(|index| *index < ROSTER_PARTIES_MAX)
        .ok_or(Refusal::Field {
            field,
            expected: "an index below 1024",
        })
}

fn index_or_nobody(field: &'static str, value: u32) -> Result<u16, Refusal> {
    if value == u32::from(NOBODY) {
        return Ok(NOBODY);
    }
    index(field, value)
}

fn round(value: u32) -> Result<u32, Refusal> {
    (value >= 1).then_some(value).ok_or(Refusal::Field {
        field: "round",
        expected: "at least 1",
    })
}
