//! What a replica's own node says of itself, asked again and again.

use std::{
    io,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use tokio::time::{error::Elapsed, timeout};

use crate::{
    app::Replica,
    engine::{self, Failure, Status},
};

/// Pause between two questions.
const LOOK: Duration = Duration::from_secs(1);
/// Pause between two questions for its peers, of which it tells a lot.
const PEERS: Duration = Duration::from_secs(5);
/// The longest that an answer may take.
const PATIENCE: Duration = Duration::from_secs(3);
/// Age from which an answer says nothing any more.
const OLD: Duration = Duration::from_secs(10);

/// An account that a node has given of itself, with the application's height before and after it was asked: both move on meanwhile.
#[derive(Debug, Clone)]
pub struct Heard {
    /// The account.
    pub status: Status,
    /// The application's height before.
    pub height_before: u64,
    /// The application's height after.
    pub height_after: u64,
}

impl Heard {
    /// Blocks that node and application were apart at least.
    pub fn blocks_apart(&self) -> u64 {
        let behind = self.height_before.saturating_sub(self.status.height);
        let ahead = self.status.height.saturating_sub(self.height_after);
        behind.max(ahead)
    }
}

/// The last answers of a node.
#[derive(Default)]
struct Answers {
    status: Option<(Instant, Heard)>,
    peers: Option<(Instant, u64)>,
    /// Why the last question got no answer.
    failure: String,
}

impl Answers {
    /// Whether the number of peers need not be asked for again yet.
    fn knows_peers(&self) -> bool {
        self.peers.is_some_and(|(at, _)| at.elapsed() < PEERS)
    }
}

/// A node, as far as it is known.
pub struct Node {
    rpc: String,
    answers: Mutex<Answers>,
}

impl Node {
    /// The replica's node at `rpc`, which is asked on a thread of its own from now on.
    ///
    /// # Errors
    /// When the thread can't be started.
    pub fn watch(replica: Replica, rpc: String) -> io::Result<Arc<Self>> {
        let node = Arc::new(Self {
            rpc,
            answers: Mutex::default(),
        });
        let asking = Arc::clone(&node);
        engine::watch("health", LOOK, async move || asking.ask(&replica).await)?;
        Ok(node)
    }

    async fn ask(&self, replica: &Replica) {
        let height = || replica.committed().map_or(0, |c| c.tip.height);
        let height_before = height();
        let status = timeout(PATIENCE, engine::status(&self.rpc)).await;
        let height_after = height();
        let has_answered = matches!(status, Ok(Ok(_)));
        self.note(replica, status, (height_before, height_after));
        if has_answered && !self.answers().knows_peers() {
            let peers = timeout(PATIENCE, engine::peers(&self.rpc)).await;
            if let Ok(Ok(peers)) = peers {
                self.answers().peers = Some((Instant::now(), peers));
            }
        }
    }

    fn note(
        &self,
        replica: &Replica,
        status: Result<Result<Status, Failure>, Elapsed>,
        (height_before, height_after): (u64, u64),
    ) {
        let mut answers = self.answers();
        match status {
            Ok(Ok(status)) => {
                replica.metrics().progress.set_own(status.validator);
                let heard = Heard {
                    status,
                    height_before,
                    height_after,
                };
                answers.status = Some((Instant::now(), heard));
            }
            Ok(Err(error)) => {
                answers.status = None;
                answers.failure = error.to_string();
            }
            // It may be busy: what it has said before is good for a while.
            Err(_) => answers.failure = format!("nothing within {} s", PATIENCE.as_secs()),
        }
    }

    /// Its last account of itself.
    ///
    /// # Errors
    /// Why there is none that says anything, in words.
    pub fn heard(&self) -> Result<Heard, String> {
        let answers = self.answers();
        let heard = answers.status.as_ref().filter(|(at, _)| is_new(at));
        heard.map(|(_, heard)| heard.clone()).ok_or_else(|| {
            let why = match answers.failure.as_str() {
                "" => "it wasn't asked yet",
                failure => failure,
            };
            format!("its node doesn't answer at {}: {why}", self.rpc)
        })
    }

    /// Number of its peers, as far as that is known.
    pub fn peers(&self) -> Option<u64> {
        let answers = self.answers();
        let peers = answers.peers.filter(|(at, _)| is_new(at));
        peers.map(|(_, peers)| peers)
    }

    fn answers(&self) -> MutexGuard<'_, Answers> {
        self.answers.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn is_new(at: &Instant) -> bool {
    at.elapsed() < OLD
}
