//! The part of CometBFT's RPC that clients of the board use, in its JSON.

use std::{collections::BTreeMap, sync::Arc};

use axum::{
    Json, Router,
    extract::{
        DefaultBodyLimit, Path, Query, State,
        ws::{Message, WebSocket, WebSocketUpgrade},
    },
    response::Response,
    routing::{get, post},
};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use bytes::Bytes;
use serde_json::{Value, json};
use tendermint_abci::Application;
use tendermint_proto::v0_38::abci::RequestQuery;
use tokio::{net::TcpListener, sync::oneshot};

use super::chain::Chain;
use crate::json::at;

/// CometBFT's default limit for a request.
const BODY_BYTES_MAX: usize = 1_000_000;
/// JSON-RPC's code for parameters that can't be used.
const INVALID_PARAMS: i64 = -32_602;
/// JSON-RPC's code for an unknown method.
const NO_METHOD: i64 = -32_601;

/// Serves until it is told to stop.
pub async fn serve(listener: TcpListener, chain: Arc<Chain>, stopped: oneshot::Receiver<()>) {
    let router = Router::new()
        .route("/", post(by_post))
        .route("/websocket", get(by_websocket))
        .route("/{method}", get(by_get))
        .layer(DefaultBodyLimit::max(BODY_BYTES_MAX))
        .with_state(chain);
    let told = async {
        let _ = stopped.await;
    };
    // Each connection keeps the store open: they are closed, not left.
    let served = axum::serve(listener, router).with_graceful_shutdown(told);
    if let Err(error) = served.await {
        tracing::error!(%error, "the RPC ends");
    }
}

struct Failure {
    code: i64,
    text: String,
}

fn invalid(text: impl Into<String>) -> Failure {
    Failure {
        code: INVALID_PARAMS,
        text: text.into(),
    }
}

async fn by_post(State(chain): State<Arc<Chain>>, body: axum::body::Bytes) -> Json<Value> {
    let Ok(request) = serde_json::from_slice::<Value>(&body) else {
        return Json(envelope(&Value::Null, Err(invalid("the body isn't JSON"))));
    };
    Json(answer(chain, request).await)
}

/// `GET /method?name=value`: texts in quotes, bytes as `0x…`, as with CometBFT.
async fn by_get(
    State(chain): State<Arc<Chain>>,
    Path(method): Path<String>,
    Query(query): Query<BTreeMap<String, String>>,
) -> Json<Value> {
    let params: BTreeMap<String, String> = query
        .into_iter()
        .map(|(name, value)| {
            let value = value.trim_matches('"');
            (name, value.strip_prefix("0x").unwrap_or(value).to_owned())
        })
        .collect();
    let request = json!({ "id": -1, "method": method, "params": params, "get": true });
    Json(answer(chain, request).await)
}

async fn by_websocket(State(chain): State<Arc<Chain>>, upgrade: WebSocketUpgrade) -> Response {
    upgrade.on_upgrade(move |socket| follow(chain, socket))
}

async fn answer(chain: Arc<Chain>, request: Value) -> Value {
    let id = at(&request, "/id").clone();
    let result = tokio::task::spawn_blocking(move || call(&chain, &request)).await;
    envelope(
        &id,
        result.unwrap_or_else(|error| Err(invalid(error.to_string()))),
    )
}

fn envelope(id: &Value, result: Result<Value, Failure>) -> Value {
    match result {
        Ok(result) => json!({ "jsonrpc": "2.0", "id": id, "result": result }),
        Err(failure) => json!({
            "jsonrpc": "2.0",
            "id": id,
            "error": { "code": failure.code, "message": "Invalid request", "data": failure.text },
        }),
    }
}

fn call(chain: &Chain, request: &Value) -> Result<Value, Failure> {
    let params = at(request, "/params");
    match at(request, "/method").as_str() {
        Some("health") => Ok(json!({})),
        Some("status") => Ok(status(chain)),
        Some("genesis") => Ok(json!({ "genesis": chain.genesis.json })),
        Some("abci_info") => Ok(json!({ "response": {
            "data": "white-city",
            "last_block_height": chain.height().to_string(),
            "last_block_app_hash": STANDARD.encode(chain.app_hash()),
        } })),
        Some("abci_query") => abci_query(chain, params),
        Some("broadcast_tx_sync" | "broadcast_tx_async") => submit(chain, request),
        Some("commit") => {
            let block = block(chain, params)?;
            Ok(json!({ "signed_header": block.signed_header, "canonical": true }))
        }
        Some("block") => {
            let block = block(chain, params)?;
            let txs: Vec<String> = block.txs.iter().map(|tx| STANDARD.encode(tx)).collect();
            Ok(json!({
                "block_id": block.signed_header.commit.block_id,
                "block": { "header": block.signed_header.header, "data": { "txs": txs } },
            }))
        }
        Some("validators") => Ok(json!({
            "block_height": chain.height().to_string(),
            "validators": chain.validators().validators(),
            "count": "1",
            "total": "1",
        })),
        method => Err(Failure {
            code: NO_METHOD,
            text: format!(
                "Solo doesn't serve the method {}",
                method.unwrap_or("(none)")
            ),
        }),
    }
}

fn status(chain: &Chain) -> Value {
    let height = chain.height();
    let hash = chain
        .block(height)
        .map(|block| block.signed_header.commit.block_id.hash.to_string());
    json!({
        "node_info": {
            "network": chain.genesis.chain_id,
            "version": "solo",
            "moniker": "solo",
        },
        "sync_info": {
            "latest_block_hash": hash.unwrap_or_default(),
            "latest_app_hash": hex::encode_upper(chain.app_hash()),
            "latest_block_height": height.to_string(),
            "latest_block_time": chain.time().to_rfc3339(),
            "catching_up": false,
        },
    })
}

fn abci_query(chain: &Chain, params: &Value) -> Result<Value, Failure> {
    let data = at(params, "/data").as_str().unwrap_or_default();
    let data = hex::decode(data).map_err(|_| invalid("data: expected hex"))?;
    let response = chain.replica().query(RequestQuery {
        data: data.into(),
        path: at(params, "/path").as_str().unwrap_or_default().into(),
        ..Default::default()
    });
    Ok(json!({ "response": {
        "code": response.code,
        "log": response.log,
        "info": response.info,
        "value": STANDARD.encode(&response.value),
        "height": response.height.to_string(),
        "codespace": response.codespace,
    } }))
}

fn submit(chain: &Chain, request: &Value) -> Result<Value, Failure> {
    let text = at(request, "/params/tx")
        .as_str()
        .ok_or_else(|| invalid("tx: missing"))?;
    let bytes = if at(request, "/get") == true {
        hex::decode(text).map_err(|_| invalid("tx: expected 0x and hex"))?
    } else {
        STANDARD
            .decode(text)
            .map_err(|_| invalid("tx: expected base64"))?
    };
    let hash = hex::encode_upper(white_city_wire::hash::sha256(&bytes).0);
    let (code, log) = chain.submit(Bytes::from(bytes));
    Ok(json!({ "code": code, "data": "", "log": log, "codespace": "white-city", "hash": hash }))
}

fn block(chain: &Chain, params: &Value) -> Result<super::chain::SoloBlock, Failure> {
    let height = match at(params, "/height") {
        Value::Null => chain.height(),
        Value::String(text) => text
            .parse()
            .map_err(|_| invalid("height: expected a number"))?,
        Value::Number(number) => number
            .as_u64()
            .ok_or_else(|| invalid("height: too large"))?,
        _ => return Err(invalid("height: expected a number")),
    };
    chain.block(height).ok_or_else(|| {
        invalid(format!(
            "height {height} isn't available: Solo keeps what it made since its start"
        ))
    })
}

/// The event by which CometBFT tells of a new block.
fn event_of(block: &super::chain::SoloBlock) -> Value {
    let events = block.events.iter().map(|event| {
        let attributes = event.attributes.iter().map(
            |attribute| json!({ "key": attribute.key, "value": attribute.value, "index": attribute.index }),
        );
        json!({ "type": event.r#type, "attributes": attributes.collect::<Vec<_>>() })
    });
    json!({
        "type": "tendermint/event/NewBlockEvents",
        "value": {
            "height": block.signed_header.header.height.to_string(),
            "events": events.collect::<Vec<_>>(),
            "num_txs": block.txs.len().to_string(),
        },
    })
}

/// Answers a subscription, whatever its query, with the events of each new block.
async fn follow(chain: Arc<Chain>, mut socket: WebSocket) {
    let mut subscription = None;
    let mut heights = chain.heights();
    let mut told = *heights.borrow_and_update();
    loop {
        tokio::select! {
            message = socket.recv() => match message {
                Some(Ok(Message::Text(text))) => {
                    let request: Value = serde_json::from_str(&text).unwrap_or_default();
                    let subscribes = at(&request, "/method") == "subscribe";
                    let reply = if subscribes {
                        subscription = Some((at(&request, "/id").clone(), at(&request, "/params/query").clone()));
                        envelope(at(&request, "/id"), Ok(json!({})))
                    } else {
                        answer(Arc::clone(&chain), request).await
                    };
                    if socket.send(Message::Text(reply.to_string().into())).await.is_err() {
                        return;
                    }
                }
                Some(Ok(_)) => {}
                Some(Err(_)) | None => return,
            },
            changed = heights.changed() => {
                if changed.is_err() || chain.is_stopped() {
                    return;
                }
                let height = *heights.borrow_and_update();
                let new = (told + 1..=height).filter_map(|height| chain.block(height));
                for block in new {
                    let Some((id, query)) = &subscription else { break };
                    let event = json!({ "query": query, "data": event_of(&block) });
                    let event = envelope(id, Ok(event)).to_string();
                    if socket.send(Message::Text(event.into())).await.is_err() {
                        return;
                    }
                }
                told = height;
            }
        }
    }
}
