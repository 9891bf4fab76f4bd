//! Knowing when to look again: a replica's WebSocket says that there is a new block; a timer covers its silence.

use std::{
    sync::{Arc, Weak},
    time::Duration,
};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use futures::{SinkExt, StreamExt};
use reqwest::header::{
    CONNECTION, SEC_WEBSOCKET_ACCEPT, SEC_WEBSOCKET_KEY, SEC_WEBSOCKET_VERSION, UPGRADE,
};
use serde::Deserialize;
use tokio::{
    sync::watch,
    task::JoinHandle,
    time::{Instant, sleep, sleep_until, timeout},
};
use tokio_tungstenite::{
    WebSocketStream,
    tungstenite::{
        Message,
        handshake::derive_accept_key,
        protocol::{Role, WebSocketConfig},
    },
};

use super::{Endpoint, Replicas};

/// Largest event, bytes. Only that there is one matters.
const EVENT_BYTES_MAX: usize = 4 << 20;
/// Without an event for this long, another replica is followed.
const SILENCE: Duration = Duration::from_secs(60);
/// Pause before following again.
const RECONNECT: Duration = Duration::from_millis(500);
/// First and longest interval of looking without having been told: while nobody is followed.
const POLL: (Duration, Duration) = (Duration::from_millis(50), Duration::from_secs(1));
/// The same while a replica is followed, which may be silent only because nothing happens.
const POLL_FOLLOWING: (Duration, Duration) = (Duration::from_millis(400), Duration::from_secs(2));
/// Blocks wake a waiter at most once in this time: less than the fastest board takes for one.
const COALESCE: Duration = Duration::from_millis(5);
/// What is subscribed to: the smallest event that each block has.
const SUBSCRIBE: &str = r#"{"jsonrpc":"2.0","id":1,"method":"subscribe","params":{"query":"tm.event='NewBlockHeader'"}}"#;

/// What a follower knows.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Seen {
    blocks: u64,
    connected: bool,
}

/// Why to look again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Wake {
    /// There is a new block.
    Block,
    /// Nothing was heard for a while: whom we follow may be behind or silent.
    Timer,
}

/// One waiter's view of a follower.
pub(crate) struct Wakeups {
    seen: watch::Receiver<Seen>,
    pause: Duration,
    /// Before then, blocks wake nobody.
    not_before: Instant,
}

impl Wakeups {
    pub(crate) fn new(seen: watch::Receiver<Seen>) -> Self {
        Self {
            seen,
            pause: POLL.0,
            not_before: Instant::now(),
        }
    }

    /// Waits until there is reason to look again: a block, or a pause that grows while nothing happens.
    pub(crate) async fn next(&mut self) -> Wake {
        // Whoever is followed may send events as fast as it likes.
        sleep_until(self.not_before).await;
        let pause = self.pause;
        tokio::select! {
            changed = self.seen.changed() => {
                if changed.is_err() {
                    // Nobody follows any more: only the timer is left.
                    sleep(pause).await;
                    return self.slower();
                }
                self.pause = match self.seen.borrow_and_update().connected {
                    true => POLL_FOLLOWING.1,
                    false => POLL.0,
                };
                self.not_before = Instant::now() + COALESCE;
                Wake::Block
            }
            () = sleep(pause) => self.slower(),
        }
    }

    fn slower(&mut self) -> Wake {
        self.pause = self.pause.saturating_mul(2).min(self.poll().1);
        Wake::Timer
    }

    /// Looks often again, because something was just sent.
    pub(crate) fn hurry(&mut self) {
        self.pause = self.poll().0;
    }

    fn poll(&self) -> (Duration, Duration) {
        match self.seen.borrow().connected {
            true => POLL_FOLLOWING,
            false => POLL,
        }
    }
}

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
        seen.send_modify(|seen| seen.connected = false);
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
    seen.send_modify(|seen| seen.connected = true);
    let mut fetching: Option<JoinHandle<()>> = None;
    loop {
        match timeout(SILENCE, socket.next()).await {
            Err(_) => return Err("no event for a minute".into()),
            Ok(None) => return Err("it closed the connection".into()),
            Ok(Some(Err(error))) => return Err(error.to_string()),
            // The first text confirms the subscription: whatever happened before it is worth a look, too.
            Ok(Some(Ok(Message::Text(event)))) => {
                heard(endpoint, replicas, seen);
                // One at a time, however many events there are.
                if fetching.as_ref().is_none_or(JoinHandle::is_finished) {
                    fetching = fetch_header(endpoint, replicas, &event);
                }
            }
            Ok(Some(Ok(_))) => {}
        }
    }
}

/// There is a new block, says this one, and so it has it: it is asked first. Another one may store the block a moment later;
/// who asked that one in vain would hear of the block no more.
fn heard(endpoint: &Endpoint, replicas: &Weak<Replicas>, seen: &watch::Sender<Seen>) {
    if let Some(replicas) = replicas.upgrade() {
        replicas.prefer(endpoint);
    }
    seen.send_modify(|seen| seen.blocks = seen.blocks.wrapping_add(1));
}

/// Fetches the header of the block that an event speaks of, while the waiters ask what is in the state.
fn fetch_header(
    endpoint: &Arc<Endpoint>,
    replicas: &Weak<Replicas>,
    event: &str,
) -> Option<JoinHandle<()>> {
    let (replicas, endpoint) = (replicas.upgrade()?, Arc::clone(endpoint));
    let height = height_of(event).filter(|height| *height > replicas.highest())?;
    Some(tokio::spawn(async move {
        // Whoever needs it fetches it again, and says what is wrong.
        let _ = replicas.header(&endpoint, height).await;
    }))
}

/// The height that an event speaks of; the confirmation of the subscription speaks of none.
fn height_of(event: &str) -> Option<u64> {
    let event: Event = serde_json::from_str(event).ok()?;
    event.result.data?.value.header.height.parse().ok()
}

#[derive(Deserialize)]
struct Event {
    result: EventResult,
}

#[derive(Deserialize)]
struct EventResult {
    data: Option<EventData>,
}

#[derive(Deserialize)]
struct EventData {
    value: EventValue,
}

#[derive(Deserialize)]
struct EventValue {
    header: EventHeader,
}

#[derive(Deserialize)]
struct EventHeader {
    height: String,
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
            heard(endpoint, &Arc::downgrade(&replicas), &sender);
            assert_eq!(replicas.in_order()[0].name(), endpoint.name());
            assert!(receiver.has_changed().unwrap());
            receiver.mark_unchanged();
        }
    }

    #[test]
    fn an_event_names_its_height() {
        let event = r#"{"jsonrpc":"2.0","id":1,"result":{"query":"tm.event='NewBlockHeader'","data":{"type":"tendermint/event/NewBlockHeader","value":{"header":{"version":{"block":"11"},"height":"4711"}}},"events":{}}}"#;
        assert_eq!(height_of(event), Some(4711));
        for other in [r#"{"jsonrpc":"2.0","id":1,"result":{}}"#, "", "[]"] {
            assert_eq!(height_of(other), None);
        }
    }

    #[tokio::test]
    async fn a_flood_of_events_wakes_at_most_once_in_a_while() {
        let (sender, receiver) = watch::channel(Seen::default());
        let mut wakeups = Wakeups::new(receiver);
        let began = Instant::now();
        for block in 0..4 {
            for _ in 0..100 {
                sender.send_modify(|seen| seen.blocks += 1);
            }
            assert_eq!(wakeups.next().await, Wake::Block);
            assert!(began.elapsed() >= COALESCE * block);
        }
    }
}
