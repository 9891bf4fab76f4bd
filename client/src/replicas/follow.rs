//! Following a replica: its WebSocket says that there is a new block, and what it has changed.

use std::{
    collections::BTreeSet,
    sync::{Arc, Mutex, Weak},
    time::Duration,
};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use futures::{SinkExt, StreamExt, future::join_all};
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

use super::{BlockEvent, Endpoint, Replicas, Seen, wakeups::Feed};
use crate::{bounds::Bounds, checked::lock};

/// Largest event, bytes: a block that changes twenty thousand sessions.
const EVENT_BYTES_MAX: usize = 16 << 20;
/// Without an event for this long, another replica is followed.
const SILENCE: Duration = Duration::from_secs(60);
/// Longest time for connecting.
const CONNECT: Duration = Duration::from_secs(2);
/// Pause before following again, when none of the replicas could be followed: at first, and at most. Whoever follows nobody looks
/// for itself.
const RECONNECT: Bounds = Bounds::ms(500, 16_000);
/// The subscription: each block, with what it has changed.
const SUBSCRIBE: &str = r#"{"jsonrpc":"2.0","id":1,"method":"subscribe","params":{"query":"tm.event='NewBlockEvents'"}}"#;

/// Follows so many replicas at once that one of them is honest, until nobody needs it any more: one that falls silent costs
/// nobody any time.
pub(crate) async fn follow(replicas: Weak<Replicas>, followers: usize, seen: watch::Sender<Seen>) {
    let followed = Mutex::default();
    let following = (0..followers).map(|number| {
        let follower = Follower {
            replicas: &replicas,
            followed: &followed,
            seen: &seen,
            number,
        };
        follower.follow()
    });
    join_all(following).await;
}

/// One of several followers.
struct Follower<'a> {
    replicas: &'a Weak<Replicas>,
    /// Addresses that followers follow: no two of them the same.
    followed: &'a Mutex<BTreeSet<String>>,
    seen: &'a watch::Sender<Seen>,
    number: usize,
}

impl Follower<'_> {
    /// Follows one replica after the other.
    async fn follow(self) {
        let mut attempt: usize = 0;
        let mut pause = RECONNECT.least;
        loop {
            let Some(order) = self.replicas.upgrade().map(|replicas| replicas.in_order()) else {
                return;
            };
            let count = order.len();
            if let Some(endpoint) = self.choose(order, attempt) {
                let followed = tokio::select! {
                    result = follow_one(&endpoint, &self) => result,
                    () = self.seen.closed() => return,
                };
                if let Err(reason) = followed {
                    tracing::debug!(replica = endpoint.name(), %reason, "not following");
                }
                lock(self.followed).remove(endpoint.name());
            }
            if self.has_connected() {
                pause = RECONNECT.least;
            }
            self.note(|heard| heard.is_connected = false);
            attempt = attempt.wrapping_add(1);
            // The next one at once, until all have been tried.
            if matches!(attempt.checked_rem(count), Some(1..)) {
                continue;
            }
            tokio::select! {
                () = sleep(pause) => {}
                () = self.seen.closed() => return,
            }
            pause = RECONNECT.doubled(pause);
        }
    }

    /// Whether the one that was followed last let itself be followed.
    fn has_connected(&self) -> bool {
        let mut seen = false;
        // Only looked at: nothing is changed, and nobody is told.
        self.seen.send_if_modified(|all| {
            seen = all.by(self.number).is_some_and(|heard| heard.is_connected);
            false
        });
        seen
    }

    /// The next one that nobody else follows.
    fn choose(&self, order: Vec<Arc<Endpoint>>, attempt: usize) -> Option<Arc<Endpoint>> {
        let mut followed = lock(self.followed);
        let mut free = order.into_iter();
        let mut free: Vec<_> = free
            .by_ref()
            .filter(|endpoint| !followed.contains(endpoint.name()))
            .collect();
        let next = attempt.checked_rem(free.len())?;
        let chosen = free.swap_remove(next);
        followed.insert(chosen.name().to_owned());
        Some(chosen)
    }

    fn note(&self, news: impl FnOnce(&mut Feed)) {
        self.seen
            .send_modify(|seen| seen.by(self.number).map_or((), news));
    }
}

async fn follow_one(endpoint: &Arc<Endpoint>, follower: &Follower<'_>) -> Result<(), String> {
    let mut socket = timeout(CONNECT, connect(endpoint))
        .await
        .map_err(|_| "no answer in time".to_owned())??;
    socket
        .send(Message::text(SUBSCRIBE))
        .await
        .map_err(|error| error.to_string())?;
    follower.note(|heard| heard.is_connected = true);
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
                heard(endpoint, follower, block);
                // One at a time, however many events there are.
                if fetching.as_ref().is_none_or(JoinHandle::is_finished) {
                    fetching = fetch_header(endpoint, follower.replicas, height);
                }
            }
            Ok(Some(Ok(_))) => {}
        }
    }
}

/// There is a new block, says this one, and so it has it: it is asked first, unless another one has shown that block before. Another
/// one may store the block a moment later; who asked that one in vain would hear of the block no more.
fn heard(endpoint: &Endpoint, follower: &Follower<'_>, block: Option<BlockEvent>) {
    let height = block.as_ref().map(|block| block.height);
    if let Some(replicas) = follower.replicas.upgrade()
        && height.is_none_or(|height| height > replicas.highest())
    {
        replicas.prefer(endpoint);
    }
    follower.note(|heard| heard.note(block));
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
    let response = endpoint
        .http()
        .get(endpoint.websocket_url())
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

    fn two() -> (Arc<Replicas>, watch::Sender<Seen>, watch::Receiver<Seen>) {
        let urls = ["http://a:1", "http://b:1"].map(String::from);
        let trust = crate::Trust::new(crate::genesis::tests::network(4)).unwrap();
        let replicas = Arc::new(Replicas::new(&urls, SILENCE, trust).unwrap());
        let (sender, receiver) = watch::channel(Seen::new(2));
        (replicas, sender, receiver)
    }

    #[tokio::test]
    async fn whoever_tells_of_a_block_is_asked_first() {
        let (replicas, seen, mut receiver) = two();
        let [a, b] = [0, 1].map(|k| Arc::clone(&replicas.in_order()[k]));
        let follower = Follower {
            replicas: &Arc::downgrade(&replicas),
            followed: &Mutex::default(),
            seen: &seen,
            number: 1,
        };
        for endpoint in [&b, &a] {
            heard(endpoint, &follower, None);
            assert_eq!(replicas.in_order()[0].name(), endpoint.name());
            assert!(receiver.has_changed().unwrap());
            receiver.mark_unchanged();
        }
    }

    #[tokio::test]
    async fn one_that_tells_nothing_is_tried_more_and_more_seldom_beside_where_it_answers() {
        use tokio::io::{AsyncReadExt, AsyncWriteExt};
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/board/rpc/", listener.local_addr().unwrap());
        let trust = crate::Trust::new(crate::genesis::tests::network(4)).unwrap();
        let replicas = Arc::new(Replicas::new(&[url], SILENCE, trust).unwrap());
        let (sender, _receiver) = watch::channel(Seen::new(1));
        let began = tokio::time::Instant::now();
        let following = tokio::spawn(follow(Arc::downgrade(&replicas), 1, sender));
        for _ in 0..4 {
            let (mut asked, _) = listener.accept().await.unwrap();
            let mut request = vec![0; 4_096];
            let got = asked.read(&mut request).await.unwrap();
            let request = String::from_utf8_lossy(&request[..got]).into_owned();
            assert!(
                request.starts_with("GET /board/rpc/websocket "),
                "{request}"
            );
            let no = b"HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\nconnection: close\r\n\r\n";
            asked.write_all(no).await.unwrap();
        }
        // Half a second, one, two.
        assert!(
            began.elapsed() >= RECONNECT.least * 7,
            "{:?}",
            began.elapsed()
        );
        following.abort();
    }

    #[tokio::test]
    async fn no_two_follow_the_same_and_each_tries_all_that_are_free() {
        let (replicas, seen, _receiver) = two();
        let (weak, followed) = (Arc::downgrade(&replicas), Mutex::default());
        let [first, second] = [0, 1].map(|number| Follower {
            replicas: &weak,
            followed: &followed,
            seen: &seen,
            number,
        });
        let chosen = |follower: &Follower<'_>, attempt| {
            let chosen = follower.choose(replicas.in_order(), attempt);
            chosen.map(|endpoint| endpoint.name().to_owned())
        };
        assert_eq!(chosen(&first, 1).as_deref(), Some("http://b:1"));
        assert_eq!(chosen(&second, 1).as_deref(), Some("http://a:1"));
        assert_eq!(chosen(&first, 2), None);
    }
}
