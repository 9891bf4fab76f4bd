//! A party that dies, and is started again with the same command.

use std::os::unix::process::ExitStatusExt;

use white_city_client::SessionId;

use crate::{
    gate::{Gate, When},
    world::{PATIENCE, Step, World, assert_signed, remove, result, run, spawn, world},
};

/// Party 0 is killed at the moment when a transaction of its is on its way.
async fn kill_at(world: &World, step: Step, id: SessionId, at: usize, when: When) {
    let gate = Gate::start(&world.url(), at, when).await;
    let mut child = spawn(world.party(&gate.url(), step, 0, id));
    tokio::select! {
        () = gate.caught() => {}
        ended = child.wait() => panic!("transaction {at} never came: {ended:?}"),
        () = tokio::time::sleep(PATIENCE) => panic!("transaction {at} never came"),
    }
    child.kill().await.unwrap();
    assert!(child.wait().await.unwrap().signal().is_some());
}

/// Runs a session of which party 0 is killed on the way, and started again until it ends.
async fn session(world: &World, step: Step, id: SessionId, at: usize, when: When) {
    let others: Vec<usize> = match step {
        Step::Keygen => vec![1, 2],
        Step::Sign => vec![1],
    };
    let others = others.into_iter();
    let others = others.map(|party| run(world.party(&world.url(), step, party, id)));
    let first = async {
        kill_at(world, step, id, at, when).await;
        assert!(world.journal(0, id).exists());
        run(world.party(&world.url(), step, 0, id)).await
    };
    let (first, others) = tokio::join!(first, futures::future::join_all(others));
    let first = result(&first);
    for other in others {
        let other = result(&other);
        assert_eq!(first["public_key"], other["public_key"]);
        assert_eq!(first["signature"], other["signature"]);
    }
    world.assert_nobody_is_blamed(id).await;
    assert!(!world.journal(0, id).exists(), "the result is safe");
    if step == Step::Sign {
        let public_key = first["public_key"].as_str().unwrap();
        assert_signed(&first, public_key);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_party_that_is_killed_at_any_transaction_of_a_signing_finishes_it() {
    let world = world().await;
    let public_key = world.keygen().await;
    for at in 0..Step::Sign.transactions() {
        for when in [When::BeforeSending, When::AfterSending] {
            let id = world.open_signing(&public_key).await;
            session(&world, Step::Sign, id, at, when).await;
        }
    }
    world.net.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_party_that_is_killed_at_any_transaction_of_a_key_generation_finishes_it() {
    let world = world().await;
    for at in 0..Step::Keygen.transactions() {
        for when in [When::BeforeSending, When::AfterSending] {
            (0..3).for_each(|party| remove(&world.file(party, "share")));
            let id = world.open_keygen().await;
            session(&world, Step::Keygen, id, at, when).await;
        }
    }
    world.net.stop().await.unwrap();
}

/// The system ends a process in the middle of a write: what was written of the record stays.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_party_that_dies_while_it_writes_its_journal_finishes_the_session() {
    let world = world().await;
    let public_key = world.keygen().await;
    // How long the journal becomes: as it is when the last transaction is on its way.
    let id = world.open_signing(&public_key).await;
    let other = world.party(&world.url(), Step::Sign, 1, id);
    let last = Step::Sign.transactions() - 1;
    let killed = kill_at(&world, Step::Sign, id, last, When::BeforeSending);
    let other = spawn_and_wait_for(killed, other).await;
    let whole = world.journal(0, id).metadata().unwrap().len();
    result(&run(world.party(&world.url(), Step::Sign, 0, id)).await);
    result(&other.wait_with_output().await.unwrap());

    let steps = 24;
    let mut died = 0;
    for step in 0..steps {
        let id = world.open_signing(&public_key).await;
        let other = spawn(world.party(&world.url(), Step::Sign, 1, id));
        let first = world.args(Step::Sign, 0, id);
        let first: Vec<&str> = first.iter().map(String::as_str).collect();
        let limited = run(world.limited(whole * step / steps, &first)).await;
        assert_eq!(limited.status.signal(), Some(SIGXFSZ), "{limited:?}");
        died += 1;
        let done = result(&run(world.command(&world.url(), &first)).await);
        assert_signed(&done, &public_key);
        assert_signed(
            &result(&other.wait_with_output().await.unwrap()),
            &public_key,
        );
        world.assert_nobody_is_blamed(id).await;
    }
    assert_eq!(died, steps);
    world.net.stop().await.unwrap();
}

/// Signal that ends a process which writes past its limit.
const SIGXFSZ: i32 = 25;

async fn spawn_and_wait_for(
    event: impl Future<Output = ()>,
    command: tokio::process::Command,
) -> tokio::process::Child {
    let child = spawn(command);
    event.await;
    child
}
