//! The file that tells the next start to begin with a snapshot, as long as that hasn't come to blocks of its own
//!
//! CometBFT notes the snapshot's state before it stores the first block after it. Killed in between, or while its folders were being
//! deleted, it never starts again: its stores don't fit together. So as long as it has stored no block since, each start begins again
//! with nothing.

use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::files::{read, remove, write_atomic};
use crate::{Error, home, rpc};

/// Pause between two looks.
const LOOK: Duration = Duration::from_millis(250);
/// Its name.
const JOIN_FILE: &str = "join.json";

/// Where state sync begins.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Join {
    /// Addresses of the others' RPC; none where all blocks are fetched.
    pub servers: Vec<String>,
    /// Height of a verified header.
    pub height: u64,
    /// Its hash, in upper-case hexadecimal.
    pub hash: String,
    /// Whether the engine has stored blocks since.
    #[serde(default)]
    pub has_blocks: bool,
}

/// Its path in a home.
#[must_use]
pub fn path(home: &Path) -> PathBuf {
    home.join(JOIN_FILE)
}

/// What it says; nothing where it isn't.
///
/// # Errors
/// [`Error::Malformed`], [`Error::Io`].
pub fn pending(home: &Path) -> Result<Option<Join>, Error> {
    let path = path(home);
    if !path.exists() {
        return Ok(None);
    }
    let join = serde_json::from_str(&read(&path)?);
    join.map(Some).map_err(|error| Error::Malformed {
        path,
        reason: error.to_string(),
    })
}

fn write(home: &Path, join: &Join) -> Result<(), Error> {
    let text = serde_json::to_string_pretty(join).unwrap_or_default() + "\n";
    write_atomic(&path(home), text.as_bytes())
}

/// Deletes what a home has of the chain, and has the next start begin where the file says.
///
/// # Errors
/// [`Error::Io`]: half of it done, the next start does the rest.
pub fn begin(home: &Path, join: &Join) -> Result<(), Error> {
    // Before anything is deleted.
    write(home, join)?;
    begin_again(home)
}

/// Deletes what an interrupted beginning has left, before a start.
///
/// # Errors
/// [`Error::Malformed`], [`Error::Io`].
pub fn begin_again(home: &Path) -> Result<(), Error> {
    let Some(join) = pending(home)?.filter(|join| !join.has_blocks) else {
        return Ok(());
    };
    home::wipe(home)?;
    if join.servers.is_empty() {
        // From here on it starts like any other one that has nothing.
        remove(&path(home))?;
    }
    Ok(())
}

/// Forgets that a home was to begin with a snapshot, and deletes what an interrupted beginning has left.
///
/// # Errors
/// As [`begin_again`].
pub fn give_up(home: &Path) -> Result<(), Error> {
    begin_again(home)?;
    remove(&path(home))
}

/// Looks how far a node is, again and again on a task, until it has joined.
pub fn follow(home: PathBuf, url: String) {
    tokio::spawn(async move {
        while look(&home, &url).await {
            tokio::time::sleep(LOOK).await;
        }
    });
}

/// Looks how far the node is, at its RPC, and forgets that it was to join once it has passed the height that it began with. Says
/// whether that is still to come.
pub async fn look(home: &Path, url: &str) -> bool {
    let Ok(Some(join)) = pending(home) else {
        return false;
    };
    let Ok(health) = rpc::health(url).await else {
        return true;
    };
    let is_there = health.height >= join.height && !health.catching_up;
    let noted = match (is_there, health.height > 0 && !join.has_blocks) {
        (true, _) => {
            tracing::info!(
                "the node has joined the board, above height {}",
                join.height
            );
            remove(&path(home))
        }
        (false, true) => write(
            home,
            &Join {
                has_blocks: true,
                ..join
            },
        ),
        (false, false) => Ok(()),
    };
    if let Err(error) = &noted {
        tracing::warn!("{error}");
    }
    !is_there || noted.is_err()
}
