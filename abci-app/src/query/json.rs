//! Answers for people: `/json/params`, `/json/sessions`, `/json/sessions/PARTY`, `/json/session/ID`,
//! `/json/session/ID/spec`, `/json/session/ID/round/N`, `/json/openers`,
//! `/json/work`, `/json/program`; ID is a session's id or number. What is in them is [`white_city_wire::json`]'s.

use serde::Serialize;
use serde_json::Value;
use white_city_state_machine::{Dispute, Session, Slot};
use white_city_wire::{
    Bitmap, Hash, Refusal, SessionId,
    board::Status,
    json::{
        self, Answer, Board, Opener, Openers, Program, SessionLine, Sessions, SlotKind,
        remaining_ms,
    },
    pb,
    protocol::Known,
    tx::open_from_accepted_pb,
};

use super::{Reader, is_closed};
use crate::{committed::Committed, work::Work};

/// Answers a path.
pub fn answer(
    committed: &Committed,
    work: &Work,
    known: Known,
    path: &str,
) -> Result<String, Refusal> {
    let reader = Reader { committed };
    let parts: Vec<&str> = path.trim_matches('/').split('/').collect();
    let value = match parts.as_slice() {
        ["json", "params"] => params(&reader)?,
        ["json", "sessions"] => sessions(&reader, Vec::new())?,
        ["json", "sessions", party] => {
            let party = Hash::from_hex(party)
                .ok_or_else(|| Refusal::BadQuery("a party is 64 hex digits".into()))?;
            sessions(&reader, party.0.to_vec())?
        }
        ["json", "openers"] => openers(&reader)?,
        ["json", "work"] => to_value(work)?,
        ["json", "program"] => to_value(&program(known))?,
        ["json", "session", id] => session(&reader, &*reader.find(&reference(id)?)?)?,
        ["json", "session", id, "spec"] => spec(&reader, &*reader.find(&reference(id)?)?)?,
        ["json", "session", id, "round", number] => {
            let number = number
                .parse()
                .map_err(|_| Refusal::BadQuery("a round is a number".into()))?;
            round(&reader, &*reader.find(&reference(id)?)?, number)?
        }
        _ => {
            return Err(Refusal::BadQuery(
                "unknown path; known are /v1 (protobuf) and /json/params, /json/sessions[/PARTY], /json/openers, \
                 /json/work, /json/program, /json/session/ID[/spec|/round/N]"
                    .into(),
            ));
        }
    };
    let answer = to_value(&Answer {
        height: committed.tip.height,
        board_ms: committed.peek().board_ms(),
        answer: value,
    })?;
    Ok(answer.to_string())
}

/// This program, and the numbers of the rules that it knows.
pub fn program(known: Known) -> Program {
    let all = known.all();
    Program {
        version: env!("CARGO_PKG_VERSION").into(),
        oldest_protocol: *all.start(),
        newest_protocol: *all.end(),
    }
}

fn reference(text: &str) -> Result<Option<pb::SessionRef>, Refusal> {
    let id = SessionId::from_hex(text).map(|id| pb::session_ref::Ref::Id(id.0.to_vec()));
    let number = || text.parse().ok().map(pb::session_ref::Ref::Number);
    let reference = id.or_else(number).ok_or_else(|| {
        Refusal::BadQuery("a session is its id (64 hex digits) or its number".into())
    })?;
    Ok(Some(pb::SessionRef {
        r#ref: Some(reference),
    }))
}

fn params(reader: &Reader<'_>) -> Result<Value, Refusal> {
    let network = reader.committed.state.network();
    let board = reader.committed.state.board_root();
    to_value(&Board {
        network: network.id,
        chain_id: network.chain_id.clone(),
        params: &network.params,
        charter: reader.committed.state.charter(),
        session_count: board.sessions,
        opener_count: board.openers,
        paused_ms: board.paused_ms,
        root: board.hash(),
    })
}

fn sessions(reader: &Reader<'_>, party: Vec<u8>) -> Result<Value, Refusal> {
    let answer = reader.sessions(&pb::SessionsQuery {
        party,
        ..Default::default()
    })?;
    let lines = answer.sessions.into_iter().filter_map(|line| {
        Some(SessionLine {
            session: SessionId::from_slice(&line.id)?,
            number: line.number,
            status: Status::from_number(line.status)?,
            protocol: line.protocol,
        })
    });
    to_value(&Sessions {
        sessions: lines.collect(),
        next_number: Some(answer.next_number),
    })
}

fn openers(reader: &Reader<'_>) -> Result<Value, Refusal> {
    let answer = reader.openers(&pb::OpenersQuery { from: 0 });
    let lines = answer.openers.iter().filter_map(|opener| {
        Some(Opener {
            key: Hash::from_slice(&opener.key)?,
            listed: opener.listed,
            max_live: opener.max_live,
            max_bytes: opener.max_bytes,
            live: opener.live,
            live_bytes: opener.live_bytes,
        })
    });
    to_value(&Openers {
        openers: lines.collect(),
        next: Some(answer.next),
    })
}

fn session(reader: &Reader<'_>, session: &Session) -> Result<Value, Refusal> {
    let leaf = &session.leaf;
    let board_ms = reader.committed.peek().board_ms();
    // Of an erased session there is nothing to be told but its leaf and end.
    let kept = session.key(0).is_ok();
    let awaited = session.body.as_ref().filter(|_| leaf.status.is_live());
    let left = reader.left(session)?;
    let culprits = session.culprits().iter();
    to_value(&json::Session {
        remaining_ms: remaining_ms(leaf.status, leaf.deadline_ms, board_ms),
        members: kept.then(|| indices(&leaf.members)),
        filled: session.filled().map(|filled| indices(&filled)),
        waiting_for: kept.then(|| awaited.map_or_else(Vec::new, |body| indices(&body.awaited()))),
        left: kept.then(|| left.iter().map(|(index, _)| *index).collect()),
        culprits: kept.then(|| culprits.clone().map(|culprit| culprit.index).collect()),
        offences: kept.then(|| culprits.map(Into::into).collect()),
        dispute: reader.dispute(session)?.as_deref().map(dispute),
        ..json::Session::of_leaf(session.number, leaf, session.terminal.as_ref())
    })
}

fn dispute(dispute: &Dispute) -> json::Dispute {
    let complain = &dispute.complain;
    json::Dispute {
        by: complain.index,
        accused: complain.accused(),
        round: complain.post.round,
        complaint: Some(complain.digest()),
        reveal: dispute.revealed.map(|revealed| revealed.digest),
        culprit: dispute
            .revealed
            .map(|revealed| revealed.verdict.culprit(complain)),
    }
}

fn spec(reader: &Reader<'_>, session: &Session) -> Result<Value, Refusal> {
    let open = reader.committed.snapshot.open(session.number)?;
    let network = &reader.committed.state.network().id;
    let open = open_from_accepted_pb(open.ok_or(Refusal::Erased)?, network, &session.id())?;
    to_value(&json::Spec::from(&open.0))
}

fn round(reader: &Reader<'_>, session: &Session, number: u32) -> Result<Value, Refusal> {
    let slots = reader.slots(session, number)?;
    let slots = slots.iter().map(|slot| json::Slot {
        kind: kind(slot),
        digest: slot.digest(),
    });
    to_value(&json::Round {
        round: number,
        closed: is_closed(session, number),
        slots: slots.collect(),
    })
}

const fn kind(slot: &Slot) -> SlotKind {
    match slot {
        Slot::Empty => SlotKind::Empty,
        Slot::Join { .. } => SlotKind::Join,
        Slot::Post(_) => SlotKind::Post,
        Slot::Finish { .. } => SlotKind::Finish,
    }
}

fn indices(bitmap: &Bitmap) -> Vec<u16> {
    bitmap.iter().collect()
}

fn to_value(shown: &impl Serialize) -> Result<Value, Refusal> {
    serde_json::to_value(shown).map_err(|error| Refusal::Store(error.to_string()))
}
