//! One of four replicas on real CometBFT is hostile, and the chain goes on: sessions end right for every party.
//!
//! As with `e2e`, `WHITE_CITY_REQUIRE_COMETBFT=1` makes these tests fail where CometBFT can't be had.

mod application;
mod clock;
mod isolation;
mod newcomer;
mod spam;
#[path = "../e2e/world.rs"]
mod world;

use std::{path::PathBuf, time::Duration};

use white_city_client::{End, SessionId};

use crate::world::{Key, PATIENCE, World, all_ends};

/// The hostile replica.
const HOSTILE: usize = 0;

/// The program of all hostile parts.
fn program() -> PathBuf {
    env!("CARGO_BIN_EXE_white-city-hostile").into()
}

/// Three parties run a session of two rounds to its end, which is the same for all.
async fn a_session_finishes(world: &World, keys: &[Key]) {
    let id = world.open(keys, |spec| spec).await;
    the_session_finishes(world, keys, id).await;
}

/// The same of a session that is open already.
async fn the_session_finishes(world: &World, keys: &[Key], id: SessionId) {
    let ends = tokio::time::timeout(PATIENCE, all_ends(world, keys, id, 2)).await;
    let ends: Vec<End> = ends.unwrap().into_iter().map(Result::unwrap).collect();
    assert!(matches!(ends[0], End::Finished { .. }), "{:?}", ends[0]);
    assert!(ends.iter().all(|end| *end == ends[0]), "{ends:?}");
}

/// Waits until `condition` holds; `what` says what was waited for in vain.
async fn until(what: &str, mut condition: impl AsyncFnMut() -> bool) {
    let waiting = async {
        while !condition().await {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    let came = tokio::time::timeout(PATIENCE, waiting).await;
    assert!(came.is_ok(), "{what}: not within {PATIENCE:?}");
}
