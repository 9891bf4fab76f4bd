//! The control socket: how `down`, `kill` and the others reach the launcher in the foreground
//!
//! One JSON object a line in each direction. Nobody but the launcher ever signals a process: a
//! process id in a file may belong to something else by now.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Weak};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::Notify;

use crate::{Error, Testnet};
use white_city_node::Error as NodeError;
use white_city_node::files::{read, remove, write_atomic};

/// Longest that a launcher may take from its answer to `down` to its end.
const ENDING: Duration = Duration::from_secs(30);

/// A command to the launcher.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "command", rename_all = "lowercase")]
pub enum Request {
    /// Stop the network and end.
    Down,
    /// Tell how the replicas are.
    Status,
    /// See [`Testnet::kill`].
    Kill {
        /// Its number.
        replica: usize,
    },
    /// See [`Testnet::start`].
    Start {
        /// Its number.
        replica: usize,
    },
    /// See [`Testnet::pause`].
    Pause {
        /// Its number.
        replica: usize,
    },
    /// See [`Testnet::resume`].
    Resume {
        /// Its number.
        replica: usize,
    },
    /// See [`Testnet::wipe`].
    Wipe {
        /// Its number.
        replica: usize,
    },
    /// See [`Testnet::restore`].
    Restore {
        /// Its number.
        replica: usize,
    },
}

/// Answer of the launcher.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Answer {
    Ok(Value),
    Error(String),
}

/// Address of the launcher of a directory; the content of `launcher.json`.
#[derive(Debug, Serialize, Deserialize)]
struct Address {
    pid: u32,
    socket: PathBuf,
}

/// Serves the control socket of a network until it is dropped.
#[derive(Debug)]
pub struct Server {
    task: tokio::task::JoinHandle<()>,
    address: PathBuf,
    socket: PathBuf,
}

impl Server {
    /// Starts to serve. `down` is notified when the launcher is asked to end.
    ///
    /// # Errors
    /// [`NodeError::Io`] if the socket can't be made.
    pub fn start(testnet: &Arc<Testnet>, down: Arc<Notify>) -> Result<Self, Error> {
        let socket = testnet.control_socket();
        // The directory's lock is held, so a socket that is there is a dead launcher's.
        remove(&socket)?;
        let listener = UnixListener::bind(&socket).map_err(Error::io("listen on", &socket))?;
        let address = testnet.dir().join("launcher.json");
        let content = Address {
            pid: std::process::id(),
            socket: socket.clone(),
        };
        write_atomic(
            &address,
            serde_json::to_string(&content)
                .unwrap_or_default()
                .as_bytes(),
        )?;
        // A client that stays connected must not keep the network from being let go.
        let testnet = Arc::downgrade(testnet);
        let task = tokio::spawn(async move {
            loop {
                match listener.accept().await {
                    Ok((stream, _)) => {
                        let (testnet, down) = (Weak::clone(&testnet), Arc::clone(&down));
                        tokio::spawn(async move { serve(stream, &testnet, &down).await });
                    }
                    Err(error) => {
                        tracing::warn!("control socket: {error}");
                        tokio::time::sleep(Duration::from_millis(100)).await;
                    }
                }
            }
        });
        Ok(Self {
            task,
            address,
            socket,
        })
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.task.abort();
        // What remains is recognised as a dead launcher's.
        let _ = remove(&self.address);
        let _ = remove(&self.socket);
    }
}

async fn serve(stream: UnixStream, testnet: &Weak<Testnet>, down: &Notify) {
    let (input, mut output) = stream.into_split();
    let mut lines = BufReader::new(input).lines();
    while let Ok(Some(line)) = lines.next_line().await {
        let request = serde_json::from_str::<Request>(&line);
        let result = match (&request, testnet.upgrade()) {
            (Ok(request), Some(testnet)) => obey(&testnet, *request).await,
            (Ok(_), None) => Err(Error::Unsupported("the launcher is ending")),
            (Err(error), _) => Err(Error::Refused(format!("not a command: {error}"))),
        };
        let answer = result.map_or_else(|error| Answer::Error(error.to_string()), Answer::Ok);
        let line = serde_json::to_string(&answer).unwrap_or_default() + "\n";
        // Whoever asked may be gone; what was asked is done all the same.
        let _ = output.write_all(line.as_bytes()).await;
        if matches!(request, Ok(Request::Down)) {
            down.notify_one();
        }
    }
}

async fn obey(testnet: &Testnet, request: Request) -> Result<Value, Error> {
    match request {
        Request::Down => testnet.stop_all().await,
        Request::Status => return status(testnet).await,
        Request::Kill { replica } => testnet.kill(replica).await?,
        Request::Start { replica } => testnet.start(replica).await?,
        Request::Pause { replica } => testnet.pause(replica).await?,
        Request::Resume { replica } => testnet.resume(replica).await?,
        Request::Wipe { replica } => testnet.wipe(replica).await?,
        Request::Restore { replica } => testnet.restore(replica).await?,
    }
    Ok(Value::Null)
}

async fn status(testnet: &Testnet) -> Result<Value, Error> {
    let mut replicas = Vec::new();
    let mut highest = 0;
    for (index, rpc) in testnet.rpc_urls().iter().enumerate() {
        let snapshot = testnet.snapshot(index)?;
        let running = snapshot.state == crate::RunState::Running;
        let health = if running {
            testnet.health(index).await.ok()
        } else {
            None
        };
        highest = highest.max(health.as_ref().map_or(0, |health| health.height));
        replicas.push(json!({
            "index": index,
            "rpc": rpc,
            "state": snapshot.state.to_string(),
            "app_pid": snapshot.app_pid,
            "node_pid": snapshot.node_pid,
            "restarts": snapshot.restarts,
            "why": Some(snapshot.why).filter(|why| !why.is_empty()),
            "height": health.as_ref().map(|health| health.height),
            "catching_up": health.as_ref().map(|health| health.catching_up),
            "peers": health.as_ref().map(|health| health.peers),
            "app_hash": health.as_ref().map(|health| health.app_hash.clone()),
        }));
    }
    for replica in &mut replicas {
        // What a node says of itself is what it was told last: one whose engine stands still has caught up for ever.
        let height = replica.get("height").and_then(Value::as_u64);
        if let (Some(height), Some(shown)) = (height, replica.as_object_mut()) {
            shown.insert("behind".into(), highest.saturating_sub(height).into());
        }
    }
    Ok(json!({ "chain_id": testnet.chain_id(), "engine": testnet.engine(), "replicas": replicas }))
}

/// Sends one command to the launcher of a directory and waits until it is carried out.
///
/// # Errors
/// [`Error::NoLauncher`] if none runs there, [`Error::Refused`] with its reason if it refuses.
pub async fn request(dir: &Path, request: Request) -> Result<Value, Error> {
    let none = |reason: String| Error::NoLauncher {
        dir: dir.to_owned(),
        reason,
    };
    let path = dir.join("launcher.json");
    let address: Address = read(&path)
        .and_then(|text| {
            serde_json::from_str(&text).map_err(|error| NodeError::Malformed {
                path,
                reason: error.to_string(),
            })
        })
        .map_err(|error| none(error.to_string()))?;
    let stream = UnixStream::connect(&address.socket)
        .await
        .map_err(|error| none(format!("process {} does not answer: {error}", address.pid)))?;
    let (input, mut output) = stream.into_split();
    let line = serde_json::to_string(&request).unwrap_or_default() + "\n";
    output
        .write_all(line.as_bytes())
        .await
        .map_err(|error| none(error.to_string()))?;
    let line = BufReader::new(input)
        .lines()
        .next_line()
        .await
        .ok()
        .flatten();
    let line = line.ok_or_else(|| none("it ended before it answered".into()))?;
    match serde_json::from_str(&line) {
        Ok(Answer::Ok(value)) => {
            if request == Request::Down {
                white_city_node::home::released(dir, ENDING).await?;
            }
            Ok(value)
        }
        Ok(Answer::Error(reason)) => Err(Error::Refused(reason)),
        Err(error) => Err(Error::Refused(format!("the launcher's answer: {error}"))),
    }
}
