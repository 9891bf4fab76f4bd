//! Answers for people: `/json/params`, `/json/sessions`, `/json/sessions/PARTY`, `/json/session/ID`,
//! `/json/session/ID/spec`, `/json/session/ID/round/N`, `/json/openers`,
//! `/json/work`; ID is a session's id or number.

use serde_json::{Value, json};
use white_city_state_machine::{Body, Dispute, Session, Slot};
use white_city_wire::{
    Bitmap, Hash, Refusal, SessionId,
    board::{Status, Terminal},
    pb,
};

use super::{Reader, is_closed, slots};
use crate::app::{Committed, Work};

/// Answers a path.
pub fn answer(committed: &Committed, work: &Work, path: &str) -> Result<String, Refusal> {
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
        ["json", "openers"] => openers(&reader),
        ["json", "work"] => json!(work),
        ["json", "session", id] => session(&reader, reader.find(&reference(id)?)?),
        ["json", "session", id, "spec"] => spec(reader.find(&reference(id)?)?)?,
        ["json", "session", id, "round", number] => {
            let number = number
                .parse()
                .map_err(|_| Refusal::BadQuery("a round is a number".into()))?;
            round(reader.find(&reference(id)?)?, number)?
        }
        _ => {
            return Err(Refusal::BadQuery(
                "unknown path; known are /v1 (protobuf) and /json/params, /json/sessions[/PARTY], /json/openers, \
                 /json/work, /json/session/ID[/spec|/round/N]"
                    .into(),
            ));
        }
    };
    Ok(json!({
        "height": committed.tip.height,
        "board_ms": committed.peek().board_ms(),
        "answer": value,
    })
    .to_string())
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
    let answer = reader.params()?;
    let board = reader.committed.state.board_root();
    let params: Value = serde_json::from_str(&answer.params_json).unwrap_or(Value::Null);
    Ok(json!({
        "network_id": hex::encode(answer.network_id),
        "chain_id": answer.chain_id,
        "params": params,
        "sessions": board.sessions,
        "openers": board.openers,
        "paused_ms": board.paused_ms,
        "root": board.hash(),
    }))
}

fn sessions(reader: &Reader<'_>, party: Vec<u8>) -> Result<Value, Refusal> {
    let answer = reader.sessions(&pb::SessionsQuery {
        party,
        from_number: 0,
    })?;
    let lines: Vec<Value> = answer
        .sessions
        .iter()
        .map(|line| {
            json!({
                "number": line.number,
                "id": hex::encode(&line.id),
                "status": Status::from_number(line.status).map(Status::name),
                "protocol": line.protocol,
            })
        })
        .collect();
    Ok(json!({ "sessions": lines, "next_number": answer.next_number }))
}

fn openers(reader: &Reader<'_>) -> Value {
    let answer = reader.openers(&pb::OpenersQuery { from: 0 });
    let lines: Vec<Value> = answer
        .openers
        .iter()
        .map(|opener| {
            json!({
                "key": hex::encode(&opener.key),
                "max_live": opener.max_live,
                "max_bytes": opener.max_bytes,
                "live": opener.live,
                "live_bytes": opener.live_bytes,
            })
        })
        .collect();
    json!({ "openers": lines, "next": answer.next })
}

fn session(reader: &Reader<'_>, session: &Session) -> Value {
    let leaf = &session.leaf;
    let board_ms = reader.committed.peek().board_ms();
    json!({
        "number": session.number,
        "id": leaf.session,
        "status": leaf.status.name(),
        "open_round": leaf.open_round,
        "transcript": leaf.transcript,
        "deadline_ms": leaf.deadline_ms,
        "left_ms": leaf.deadline_ms.saturating_sub(board_ms),
        "call_blocks": leaf.call_blocks,
        "end": session.terminal.as_ref().map(terminal),
        "members": session.body.as_ref().map(|body| indices(&body.members)),
        "filled": session.body.as_ref().map(|body| indices(&body.filled())),
        "waiting_for": session.body.as_ref().filter(|_| leaf.status.is_live()).map(waiting_for),
        "left": session.body.as_ref().map(|body| {
            body.left.iter().map(|(index, _)| *index).collect::<Vec<u16>>()
        }),
        "culprits": session.body.as_ref().map(culprits),
        "dispute": session.body.as_ref().and_then(|body| body.dispute.as_ref()).map(dispute),
    })
}

fn waiting_for(body: &Body) -> Vec<u16> {
    indices(&body.awaited())
}

fn culprits(body: &Body) -> Vec<Value> {
    body.culprits
        .iter()
        .map(|culprit| {
            json!({
                "index": culprit.index,
                "kind": culprit.offence.number(),
                "round": culprit.round,
                "a": culprit.a,
                "b": culprit.b,
            })
        })
        .collect()
}

fn dispute(dispute: &Dispute) -> Value {
    let complain = &dispute.complain;
    json!({
        "complaint": complain.digest(),
        "by": complain.index,
        "accused": complain.accused(),
        "round": complain.post.round,
        "reveal": dispute.revealed.map(|revealed| revealed.digest),
        "culprit": dispute.revealed.map(|revealed| revealed.verdict.culprit(complain)),
    })
}

fn terminal(terminal: &Terminal) -> Value {
    json!({
        "status": terminal.status.name(),
        "cause": terminal.cause.number(),
        "reason": format!("{:?}", terminal.cause),
        "height": terminal.height,
        "board_ms": terminal.board_ms,
        "by": terminal.by(),
        "outcome": terminal.outcome,
        "members": indices(&terminal.members),
        "filled": indices(&terminal.filled),
    })
}

fn spec(session: &Session) -> Result<Value, Refusal> {
    let spec = &session.body()?.spec;
    let roster: Vec<String> = spec.roster.iter().map(ToString::to_string).collect();
    Ok(json!({
        "protocol": spec.protocol,
        "version": spec.version,
        "roster": roster,
        "quorum": spec.quorum,
        "corrupt": spec.corrupt,
        "fork_safe": spec.is_fork_safe(),
        "max_rounds": spec.max_rounds,
        "join_ms": spec.join_ms,
        "round_ms": spec.round_ms,
        "reveal_ms": spec.reveal_ms,
        "retention_ms": spec.retention_ms,
        "max_bcast": spec.max_bcast,
        "max_p2p": spec.max_p2p,
        "max_bytes": spec.max_bytes,
        "input": hex::encode(&spec.input),
        "prev_session": spec.prev_session,
        "hash": spec.hash(),
    }))
}

fn round(session: &Session, number: u32) -> Result<Value, Refusal> {
    let slots = slots(session.body()?, number)?;
    let slots: Vec<Value> = slots
        .iter()
        .map(|slot| json!({ "kind": kind(slot), "digest": slot.digest() }))
        .collect();
    Ok(json!({
        "round": number,
        "closed": is_closed(session, number),
        "slots": slots,
    }))
}

const fn kind(slot: &Slot) -> &'static str {
    match slot {
        Slot::Empty => "empty",
        Slot::Join { .. } => "join",
        Slot::Post(_) => "post",
        Slot::Finish { .. } => "finish",
    }
}

fn indices(bitmap: &Bitmap) -> Vec<u16> {
    bitmap.iter().collect()
}
