//! Warming up, which isn't measured.

use crate::world::{World, all_ends, keys};

/// A session that isn't measured, for replicas that have just started.
pub async fn warm_up(world: &World) {
    let keys = keys(4);
    let id = world.open(&keys, |spec| spec).await;
    for end in all_ends(world, &keys, id, 3).await {
        end.unwrap();
    }
}
