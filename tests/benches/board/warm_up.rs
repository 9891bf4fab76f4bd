//! Warming up, which isn't measured.

use tokio::task::JoinSet;

use crate::world::{World, keys, party};

/// A session that isn't measured, for replicas that have just started.
pub async fn warm_up(world: &World) {
    let keys = keys(4);
    let id = world.open(&keys, |spec| spec).await;
    let mut running = JoinSet::new();
    for key in &keys {
        running.spawn(party(world.session(key, id).await, 3));
    }
    for end in running.join_all().await {
        end.unwrap();
    }
}
