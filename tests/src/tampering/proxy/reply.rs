//! One request and its reply.

use std::{convert::Infallible, io, sync::Arc};

use axum::{
    body::{Body, Bytes, to_bytes},
    http::{StatusCode, header::CONTENT_TYPE},
    response::{IntoResponse, Response},
};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use futures::stream;
use prost::Message as _;
use serde_json::{Value, json};
use tendermint::block::signed_header::SignedHeader;
use tendermint_proto::v0_38::abci::ResponseQuery;
use white_city_wire::{
    pb::{self, query::Question},
    read::{DIRECT_PORT_HINT, QUERY_PATH, decode_query},
};

use super::{DirectPort, SLOW, Shared};
use crate::tampering::{Around, Change, Mutator, Transport};

/// Part of an endless reply that comes at once, bytes.
const CHUNK_BYTES: usize = 64 << 10;
/// The number with which transactions are refused: no such session.
const REFUSAL: u32 = 32;

pub(super) async fn reply(shared: &Arc<Shared>, request: Bytes) -> Response {
    let parsed: Value = serde_json::from_slice(&request).unwrap_or_default();
    let method = parsed["method"].as_str().unwrap_or_default().to_owned();
    let is_tx = method.starts_with("broadcast_tx");
    let drawn = {
        let mut plan = shared.plan();
        if let Some(tx) = parsed["params"]["tx"].as_str().filter(|_| is_tx) {
            plan.sent.extend(STANDARD.decode(tx));
        }
        let height = parsed["params"]["height"].as_str().unwrap_or_default();
        let what = format!("{method} {height}");
        plan.note_request(what.trim());
        plan.draw()
    };
    if let Some(mutator) = &drawn
        && let Change::Transport(transport) = mutator.change
        && is_tx == matches!(transport, Transport::Swallow | Transport::Refuse)
    {
        shared.plan().count(mutator);
        if let Some(withheld) = withhold(transport, &parsed["id"]).await {
            return withheld;
        }
    }
    let lateness = shared.plan().lateness(question_of(&parsed).as_ref());
    tokio::time::sleep(lateness).await;
    let reply = match shared.forward(request).await {
        Ok(reply) => reply,
        Err(error) => return json_of(error_of(&parsed["id"], &error.to_string())),
    };
    let is_query = method == "abci_query" && parsed["params"]["path"] == QUERY_PATH;
    let reply = match is_query {
        true => show_direct_port(shared, &reply).unwrap_or(reply),
        false => reply,
    };
    let reply = match method.as_str() {
        _ if is_query => answer(shared, drawn, &parsed, &reply),
        "commit" => header(shared, drawn, &reply),
        _ => None,
    }
    .unwrap_or(reply);
    ([(CONTENT_TYPE, "application/json")], reply).into_response()
}

/// A reply to what was asked at the direct port.
pub(super) async fn reply_to_query(shared: &Arc<Shared>, query: &[u8]) -> Response {
    shared.plan().note_request("direct port");
    if shared.plan().direct_port == DirectPort::Refusing {
        return StatusCode::SERVICE_UNAVAILABLE.into_response();
    }
    let params =
        json!({ "path": QUERY_PATH, "data": hex::encode(query), "height": "0", "prove": false });
    let request = json!({ "jsonrpc": "2.0", "id": 1, "method": "abci_query", "params": params });
    let reply = reply(shared, request.to_string().into()).await;
    let Ok(body) = to_bytes(reply.into_body(), usize::MAX).await else {
        return StatusCode::BAD_GATEWAY.into_response();
    };
    // What isn't even JSON any more is passed on as it is.
    let protobuf = response_query(&body).map(|response| response.encode_to_vec());
    protobuf.map_or_else(|| body.into_response(), IntoResponse::into_response)
}

/// A reply to transactions that were handed over at the direct port. The replica's engine gets them, and makes a block of them.
pub(super) async fn reply_to_handing(shared: &Arc<Shared>, handing: &[u8]) -> Response {
    let Ok(handing) = pb::Handing::decode(handing) else {
        return StatusCode::BAD_REQUEST.into_response();
    };
    let direct_port = {
        let mut plan = shared.plan();
        plan.handed.extend(handing.txs.iter().cloned());
        plan.direct_port
    };
    if direct_port == DirectPort::Refusing {
        return StatusCode::SERVICE_UNAVAILABLE.into_response();
    }
    let mut handed = pb::Handed::default();
    for tx in &handing.txs {
        let taken = match direct_port {
            DirectPort::Idle => Some(pb::HandedTx::default()),
            _ => by_engine(shared, tx).await,
        };
        let Some(taken) = taken else {
            return StatusCode::BAD_GATEWAY.into_response();
        };
        handed.txs.push(taken);
    }
    handed.encode_to_vec().into_response()
}

/// The answer of the replica's engine to a transaction, for which it makes a block.
async fn by_engine(shared: &Shared, tx: &[u8]) -> Option<pb::HandedTx> {
    let params = json!({ "tx": STANDARD.encode(tx) });
    let request =
        json!({ "jsonrpc": "2.0", "id": 1, "method": "broadcast_tx_sync", "params": params });
    let reply = shared.forward(request.to_string().into()).await.ok()?;
    let reply: Value = serde_json::from_slice(&reply).unwrap_or_default();
    let code = reply["result"]["code"].as_u64().unwrap_or(0);
    Some(pb::HandedTx {
        code: u32::try_from(code).unwrap_or(u32::MAX),
        log: String::new(),
        block_comes: true,
    })
}

/// The question that a request asks the board.
fn question_of(request: &Value) -> Option<Question> {
    let question = hex::decode(request["params"]["data"].as_str()?).ok()?;
    decode_query(&question).ok()
}

fn response_query(reply: &[u8]) -> Option<ResponseQuery> {
    let json: Value = serde_json::from_slice(reply).ok()?;
    let response = &json["result"]["response"];
    let value = response["value"].as_str().unwrap_or_default();
    Some(ResponseQuery {
        code: u32::try_from(response["code"].as_u64().unwrap_or(0)).ok()?,
        log: response["log"].as_str().unwrap_or_default().into(),
        value: STANDARD.decode(value).ok()?.into(),
        ..Default::default()
    })
}

/// A reply that says of the direct port what it should; `None` where it does.
fn show_direct_port(shared: &Shared, reply: &[u8]) -> Option<Vec<u8>> {
    let mut plan = shared.plan();
    let hint = match plan.direct_port {
        DirectPort::Replicas => return None,
        DirectPort::Hidden => String::new(),
        DirectPort::Own | DirectPort::Idle | DirectPort::Refusing => {
            format!("{DIRECT_PORT_HINT}{}", shared.port)
        }
        DirectPort::Others => {
            plan.others.rotate_left(1);
            format!("{DIRECT_PORT_HINT}{}", plan.others.front()?)
        }
    };
    let mut json: Value = serde_json::from_slice(reply).ok()?;
    let response = json["result"]["response"].as_object_mut()?;
    response.insert("info".into(), hint.into());
    Some(json.to_string().into_bytes())
}

/// The response that comes instead of a reply; `None` if the reply itself comes after all.
async fn withhold(transport: Transport, id: &Value) -> Option<Response> {
    let submitted = |code: u32| json!({ "jsonrpc": "2.0", "id": id, "result": { "code": code, "log": "no session" } });
    Some(match transport {
        Transport::Error => json_of(error_of(id, "no")),
        Transport::Swallow => json_of(submitted(0)),
        Transport::Refuse => json_of(submitted(REFUSAL)),
        Transport::Close => {
            let parts = [
                Ok(Bytes::from_static(b"{")),
                Err(io::Error::other("no more")),
            ];
            Response::new(Body::from_stream(stream::iter(parts)))
        }
        Transport::Endless => {
            let spaces = Bytes::from(vec![b' '; CHUNK_BYTES]);
            let endless = stream::repeat(Ok::<_, Infallible>(spaces));
            Response::new(Body::from_stream(endless))
        }
        Transport::Slow => {
            tokio::time::sleep(SLOW).await;
            return None;
        }
    })
}

fn error_of(id: &Value, text: &str) -> Value {
    json!({ "jsonrpc": "2.0", "id": id, "error": { "code": -32_603, "message": "Internal error", "data": text } })
}

fn json_of(value: Value) -> Response {
    axum::Json(value).into_response()
}

/// Tampers with an answer of the board; `None` where it stays as it is.
fn answer(
    shared: &Shared,
    drawn: Option<Mutator>,
    request: &Value,
    reply: &[u8],
) -> Option<Vec<u8>> {
    let mut json: Value = serde_json::from_slice(reply).ok()?;
    let value = &mut json["result"]["response"]["value"];
    let honest = STANDARD.decode(value.as_str()?).ok()?;
    let mut answer = pb::Answer::decode(&honest[..]).ok()?;
    let question = question_of(request)?;
    let mut plan = shared.plan();
    plan.memory.keep(&question, &answer);
    let mutator = drawn?;
    let mut rng = plan.rng.clone();
    let around = Around {
        question: &question,
        memory: &plan.memory,
    };
    let mut text = None;
    let mut bytes = honest.clone();
    match mutator.change {
        Change::Answer(change) => {
            change(&mut answer, &around, &mut rng)?;
            bytes = answer.encode_to_vec();
        }
        Change::Bytes(change) => change(&mut bytes, &mut rng)?,
        Change::Text(change) => change(text.insert(reply.to_vec()), &mut rng)?,
        Change::Header(_) | Change::Transport(_) => return None,
    }
    plan.rng = rng;
    if bytes == honest && text.is_none() {
        return None;
    }
    plan.count(&mutator);
    *value = STANDARD.encode(bytes).into();
    Some(text.unwrap_or_else(|| json.to_string().into_bytes()))
}

/// Tampers with a header; `None` where it stays as it is.
fn header(shared: &Shared, drawn: Option<Mutator>, reply: &[u8]) -> Option<Vec<u8>> {
    let mut json: Value = serde_json::from_slice(reply).ok()?;
    let place = &mut json["result"]["signed_header"];
    let honest: SignedHeader = serde_json::from_value(place.clone()).ok()?;
    let mut plan = shared.plan();
    plan.memory.keep_header(&honest);
    let mutator = drawn?;
    let mut rng = plan.rng.clone();
    let mut text = None;
    let mut header = honest.clone();
    match mutator.change {
        Change::Header(change) => change(&mut header, &plan.memory, &mut rng)?,
        Change::Text(change) => change(text.insert(reply.to_vec()), &mut rng)?,
        _ => return None,
    }
    plan.rng = rng;
    if header == honest && text.is_none() {
        return None;
    }
    plan.count(&mutator);
    *place = serde_json::to_value(&header).ok()?;
    Some(text.unwrap_or_else(|| json.to_string().into_bytes()))
}
