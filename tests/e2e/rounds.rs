//! What a round costs in blocks.

use tokio::task::JoinSet;

use crate::world::{PATIENCE, Setup, finish, join, keys, round, world};

const ROUNDS: u32 = 20;

#[tokio::test(flavor = "multi_thread")]
async fn a_round_takes_one_block() {
    // The longest waiting that may be configured, for a machine that is busy with other things.
    let setup = Setup {
        replica_config: "proposal_wait_ms = 500\nproposal_gap_ms = 500\n",
        ..Setup::default()
    };
    let Some(world) = world(setup).await else {
        return;
    };
    let keys = keys(4);
    let id = world.open(&keys, |spec| spec.max_rounds(ROUNDS + 2)).await;
    let mut running = JoinSet::new();
    for key in &keys {
        let mut session = world.session(key, id).await;
        running.spawn(async move {
            join(&mut session).await.unwrap();
            round(&mut session, 1).await.unwrap();
            let from = session.height();
            for number in 2..=ROUNDS + 1 {
                round(&mut session, number).await.unwrap();
            }
            let blocks = session.height() - from;
            finish(&mut session).await.unwrap();
            blocks
        });
    }
    let blocks = tokio::time::timeout(PATIENCE, running.join_all()).await;
    let blocks = blocks.expect("the session stands still");
    let fewest = *blocks.iter().min().unwrap();
    assert!(
        fewest >= ROUNDS.into(),
        "{blocks:?} blocks for {ROUNDS} rounds"
    );
    // A heartbeat may have come between, once.
    assert!(
        fewest <= u64::from(ROUNDS) + 1,
        "{blocks:?} blocks for {ROUNDS} rounds"
    );
    world.stop().await;
}
