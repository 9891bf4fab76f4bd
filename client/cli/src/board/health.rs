//! `white-city board status`

use std::time::{SystemTime, UNIX_EPOCH};

use serde_json::{Value, json};
use white_city_client::{
    Freshness, ReplicaHeight,
    read::{BoardStatus, Verified},
};

use crate::{args::NetworkArgs, failure::Failure, network, output::Output};

/// Heartbeats after which a board without a new block is said to stand still.
const HEARTBEATS: u64 = 3;

/// Asks all replicas, and says what they prove.
pub async fn run(args: &NetworkArgs, output: &Output) -> Result<(), Failure> {
    let client = network::reader(args)?;
    let status = client.status().await?;
    let heights = client.heights().await;
    let now = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    let now_ms = u64::try_from(now.as_millis()).unwrap_or(u64::MAX);
    let age_ms = now_ms.saturating_sub(status.header().time().millis());
    let heartbeat_ms = u64::from(client.network().params.heartbeat_ms);
    let is_standing = age_ms > heartbeat_ms.saturating_mul(HEARTBEATS);
    let is_fresh = client.freshness().is_some_and(Freshness::is_known);
    output.result(
        &value(&status, &heights, (age_ms, is_standing, is_fresh)),
        &told(&status, &heights, age_ms, is_standing),
    )
}

/// The same for machines: with its age, whether it stands still, and whether enough replicas have answered to know that it is new.
fn value(
    status: &Verified<BoardStatus>,
    heights: &[ReplicaHeight],
    (age_ms, is_standing, is_fresh): (u64, bool, bool),
) -> Value {
    let replicas = heights.iter().map(|one| match &one.height {
        Ok(height) => json!({ "replica": one.replica, "height": height, "error": null }),
        Err(error) => json!({ "replica": one.replica, "height": null, "error": error }),
    });
    json!({
        "height": status.height(),
        "header_ms": status.header().time().millis(),
        "board_ms": status.board_ms(),
        "age_ms": age_ms,
        "is_standing": is_standing,
        "is_fresh": is_fresh,
        "session_count": status.sessions,
        "paused_ms": status.paused_ms,
        "replicas": replicas.collect::<Vec<_>>(),
    })
}

fn told(
    status: &Verified<BoardStatus>,
    heights: &[ReplicaHeight],
    age_ms: u64,
    is_standing: bool,
) -> String {
    let mut lines = vec![format!(
        "height {}, {} sessions so far; its newest block is {}.{} s old by this machine's clock{}",
        status.height(),
        status.sessions,
        age_ms / 1_000,
        age_ms % 1_000 / 100,
        match is_standing {
            true => ": the board stands still, or this clock is wrong",
            false => "",
        }
    )];
    lines.extend(heights.iter().map(|one| match &one.height {
        Ok(height) => format!("  {}: height {height}", one.replica),
        Err(error) => format!("  {}: {error}", one.replica),
    }));
    lines.join("\n")
}
