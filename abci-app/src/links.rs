//! Links between eras: what takes a client from one set of validators to the next. They are kept for ever.
//!
//! The engine gives a block's commit only as long as it keeps the block, so a link is fetched as soon as it is there: two blocks after
//! the one that changed the validators. What the engine gives is checked as a client checks it.

use std::time::Duration;

use tokio::time::timeout;

use crate::{app::Replica, engine};

/// Pause between two looks for a link that is missing.
const LOOK: Duration = Duration::from_millis(250);
/// The longest that the engine may take to answer.
const PATIENCE: Duration = Duration::from_secs(5);

/// Fetches what is missing from the engine whose RPC is at `rpc`, on a thread of its own.
///
/// # Errors
/// When the thread can't be started.
pub fn watch(replica: Replica, rpc: String) -> std::io::Result<()> {
    engine::watch("links", LOOK, async move || {
        let Some(missing) = replica.missing_link() else {
            return;
        };
        let (era, height) = (missing.era, missing.height);
        let fetched = timeout(PATIENCE, engine::commit(&rpc, height)).await;
        let taken = match fetched {
            Ok(Ok(Some(signed))) => replica.take_link(missing, signed),
            Ok(Ok(None)) => return,
            Ok(Err(error)) => Err(error.to_string()),
            Err(_) => Err("no answer in time".into()),
        };
        match taken {
            Ok(()) => tracing::info!(era, height, "the link to a new era is stored"),
            Err(error) => tracing::debug!(era, height, error, "no link to a new era yet"),
        }
    })
}
