//! Following a replica: its WebSocket says that there is a new block, and what it has changed.

use std::{
    sync::{Arc, Weak},
    time::Duration,
};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use futures::{SinkExt, StreamExt};
use reqwest::header::{
    CONNECTION, SEC_WEBSOCKET_ACCEPT, SEC_WEBSOCKET_KEY, SEC_WEBSOCKET_VERSION, UPGRADE,
};
use tokio::{
    sync::watch,
    task::JoinHandle,
    time::{sleep, timeout},
};
use tokio_tungstenite::{
    WebSocketStream,
    tungstenite::{
        Message,
        handshake::derive_accept_key,
        protocol::{Role, WebSocketConfig},
    },
};

use super::{BlockEvent, Endpoint, Replicas, Seen};

/// Largest event, bytes: a block that changes twenty thousand sessions.
const EVENT_BYTES_MAX: usize = 16 << 20;
/// Without an event for this long, another replica is followed.
const SILENCE: Duration = Duration::from_secs(60);
/// Pause before following again.
const RECONNECT: Duration = Duration::from_millis(500);
/// What is subscribed to: each block, with what it has changed.
const SUBSCRIBE: &str = r#"{"jsonrpc":"2.0","id":1,"method":"subscribe","params":{"query":"tm.event='NewBlockEvents'"}}"#;

/// Follows one replica after the other until nobody needs it any more.
pub(crate) async fn follow(replicas: Weak<Replicas>, seen: watch::Sender<Seen>) {
    let mut attempt: usize = 0;
    loop {
        let Some(order) = replicas.upgrade().map(|replicas| replicas.in_order()) else {
            return;
        };
        let next = attempt.checked_rem(order.len()).unwrap_or(0);
        if let Some(endpoint) = order.get(next) {
            tokio::select! {
                result = follow_one(endpoint, &replicas, &seen) => if let Err(reason) = result {
                    tracing::debug!(replica = endpoint.name(), %reason, "not following");
                },
                () = seen.closed() => return,
            }
        }
        drop(order);
        seen.send_modify(|seen| seen.is_connected = false);
        attempt = attempt.wrapping_add(1);
        tokio::select! {
            () = sleep(RECONNECT) => {}
            () = seen.closed() => return,
        }
    }
}

async fn follow_one(
    endpoint: &Arc<Endpoint>,
    replicas: &Weak<Replicas>,
    seen: &watch::Sender<Seen>,
) -> Result<(), String> {
    let mut socket = timeout(Duration::from_secs(10), connect(endpoint))
        .await
        .map_err(|_| "no answer in time".to_owned())??;
    socket
        .send(Message::text(SUBSCRIBE))
        .await
        .map_err(|error| error.to_string())?;
    seen.send_modify(|seen| seen.is_connected = true);
    let mut fetching: Option<JoinHandle<()>> = None;
    loop {
        match timeout(SILENCE, socket.next()).await {
            Err(_) => return Err("no event for a minute".into()),
            Ok(None) => return Err("it closed the connection".into()),
            Ok(Some(Err(error))) => return Err(error.to_string()),
            // The first text confirms the subscription: whatever happened before it is worth a look, too.
            Ok(Some(Ok(Message::Text(text)))) => {
                let block = BlockEvent::parse(&text);
                let height = block.as_ref().map(|block| block.height);
                heard(endpoint, replicas, seen, block);
                // One at a time, however many events there are.
                if fetching.as_ref().is_none_or(JoinHandle::is_finished) {
                    fetching = fetch_header(endpoint, replicas, height);
                }
            }
            Ok(Some(Ok(_))) => {}
        }
    }
}

/// There is a new block, says this one, and so it has it: it is asked first. Another one may store the block a moment later;
/// who asked that one in vain would hear of the block no more.
fn heard(
    endpoint: &Endpoint,
    replicas: &Weak<Replicas>,
    seen: &watch::Sender<Seen>,
    block: Option<BlockEvent>,
) {
    if let Some(replicas) = replicas.upgrade() {
        replicas.prefer(endpoint);
    }
    seen.send_modify(|seen| seen.note(block));
}

/// Fetches the header of the block that an event speaks of, while the waiters ask what is in the state.
fn fetch_header(
    endpoint: &Arc<Endpoint>,
    replicas: &Weak<Replicas>,
    height: Option<u64>,
) -> Option<JoinHandle<()>> {
    let (replicas, endpoint) = (replicas.upgrade()?, Arc::clone(endpoint));
    let height = height.filter(|height| *height > replicas.highest())?;
    Some(tokio::spawn(async move {
        // Whoever needs it fetches it again, and says what is wrong.
        let _ = replicas.header(&endpoint, height).await;
    }))
}

async fn connect(endpoint: &Endpoint) -> Result<WebSocketStream<reqwest::Upgraded>, String> {
    let mut nonce = [0; 16];
    getrandom::fill(&mut nonce).map_err(|error| error.to_string())?;
    let key = STANDARD.encode(nonce);
    let mut url = endpoint.url().clone();
    url.set_path("/websocket");
    let response = endpoint
        .http()
        .get(url)
        // The usual time-out would also end the connection that comes of it.
        .timeout(Duration::from_secs(365 * 86_400))
        .header(CONNECTION, "Upgrade")
        .header(UPGRADE, "websocket")
        .header(SEC_WEBSOCKET_VERSION, "13")
        .header(SEC_WEBSOCKET_KEY, &key)
        .send()
        .await
        .map_err(|error| error.to_string())?;
    if response.status() != reqwest::StatusCode::SWITCHING_PROTOCOLS {
        return Err(format!("no WebSocket: HTTP status {}", response.status()));
    }
    let accept = response.headers().get(SEC_WEBSOCKET_ACCEPT);
    if accept.is_none_or(|accept| accept.as_bytes() != derive_accept_key(key.as_bytes()).as_bytes())
    {
        return Err("a wrong answer to the WebSocket handshake".into());
    }
    let stream = response
        .upgrade()
        .await
        .map_err(|error| error.to_string())?;
    let limits = WebSocketConfig::default()
        .max_message_size(Some(EVENT_BYTES_MAX))
        .max_frame_size(Some(EVENT_BYTES_MAX));
    Ok(WebSocketStream::from_raw_socket(stream, Role::Client, Some(limits)).await)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn whoever_tells_of_a_block_is_asked_first() {
        let urls = ["http://a:1", "http://b:1"].map(String::from);
        let trust = crate::Trust::new(crate::genesis::tests::network(4)).unwrap();
        let replicas = Arc::new(Replicas::new(&urls, SILENCE, trust).unwrap());
        let (sender, mut receiver) = watch::channel(Seen::default());
        let [a, b] = [0, 1].map(|k| Arc::clone(&replicas.in_order()[k]));
        for endpoint in [&b, &a] {
            heard(endpoint, &Arc::downgrade(&replicas), &sender, None);
            assert_eq!(replicas.in_order()[0].name(), endpoint.name());
            assert!(receiver.has_changed().unwrap());
            receiver.mark_unchanged();
        }
    }
}
