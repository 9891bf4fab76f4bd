//! Parties that come by, do what there is to do, and leave.

use white_city_client::SessionId;

use crate::world::{Step, World, assert_signed, result, run, world};

/// Exit code of `--once` when other parties have to act first.
const WAITING: i32 = 9;

/// Each party comes by in turn, until all are done. Gives what they ended with, and how often somebody had to come again.
async fn in_turns(
    world: &World,
    step: Step,
    id: SessionId,
    parties: usize,
) -> (Vec<serde_json::Value>, usize) {
    let mut done = vec![None; parties];
    let mut waits = 0;
    while done.iter().any(Option::is_none) {
        for (party, done) in done.iter_mut().enumerate() {
            if done.is_some() {
                continue;
            }
            let mut command = world.party(&world.url(), step, party, id);
            command.arg("--once");
            let output = run(command).await;
            if output.status.code() == Some(WAITING) {
                waits += 1;
                assert!(waits < 100, "it doesn't get on");
                let said = String::from_utf8_lossy(&output.stdout);
                let last: serde_json::Value =
                    serde_json::from_str(said.lines().last().unwrap()).unwrap();
                assert_eq!(last["result"], "waiting", "{said}");
                let awaited = last["waiting_for"].as_array().unwrap();
                assert!(!awaited.contains(&party.into()), "{said}");
                assert!(last["open_round"].is_u64(), "{said}");
                continue;
            }
            *done = Some(result(&output));
        }
    }
    (done.into_iter().flatten().collect(), waits)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn parties_that_are_never_there_at_the_same_time_make_a_key_and_sign() {
    let world = world().await;
    let id = world.open_keygen().await;
    // Consenting is a step of its own; whatever runs the rounds goes on from its journal.
    let joined = result(&run(world.join(&world.url(), 0, id, &["--yes"])).await);
    assert_eq!(joined["journal"], format!("party0.key.journals/{id}"));
    let (made, waits) = in_turns(&world, Step::Keygen, id, 3).await;
    assert!(waits >= 3 * Step::Keygen.transactions() - 4, "{waits}");
    let public_key = made[0]["public_key"].as_str().unwrap().to_owned();
    assert!(
        made.iter()
            .all(|made| made["public_key"] == made_key(&public_key))
    );
    let id = world.open_signing(&public_key).await;
    for signed in in_turns(&world, Step::Sign, id, 2).await.0 {
        assert_signed(&signed, &public_key);
    }
    world.net.stop().await.unwrap();
}

fn made_key(key: &str) -> serde_json::Value {
    serde_json::Value::from(key)
}
