//! Shares that are refreshed, by parties that are killed and started again.

use white_city_client::SessionId;

use crate::{
    gate::{Gate, When},
    world::{PATIENCE, World, assert_signs, result, run, spawn, world},
};

/// Transactions of a party: its join, its two posts, its finish.
const TRANSACTIONS: usize = 4;

/// The arguments of a party that refreshes the share `old` into `new`.
fn args(party: usize, id: SessionId, old: &str, new: &str) -> Vec<String> {
    let file = |what: &str| format!("party{party}.{what}");
    let id = id.to_string();
    let fixed = [
        "eddsa",
        "refresh",
        "--session",
        &id,
        "--identity",
        &file("key"),
    ]
    .map(str::to_owned);
    let files = [
        "--key-file",
        &file("key32"),
        "--share",
        &file(old),
        "--out",
        &file(new),
    ];
    [&fixed[..], &files.map(str::to_owned)].concat()
}

fn command(
    world: &World,
    url: &str,
    party: usize,
    id: SessionId,
    old: &str,
    new: &str,
) -> tokio::process::Command {
    let args = args(party, id, old, new);
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    world.command(url, &args)
}

async fn open(world: &World, key: &str, made: SessionId) -> SessionId {
    let what = [
        "--preset",
        "eddsa-refresh",
        "--public-key",
        key,
        "--previous",
    ];
    world
        .open(&[0, 1, 2], &[&what[..], &[&made.to_string()]].concat())
        .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn shares_are_refreshed_by_parties_that_are_killed_and_an_old_one_is_refused_before_it_joins()
{
    let world = world().await;
    let mut made = world.open_keygen().await;
    let all =
        (0..3).map(|party| run(world.party(&world.url(), crate::world::Step::Keygen, party, made)));
    let all = futures::future::join_all(all.collect::<Vec<_>>()).await;
    let key = result(&all[0])["public_key"].as_str().unwrap().to_owned();
    let mut old = "share".to_owned();
    for at in 0..TRANSACTIONS {
        let when = if at % 2 == 0 {
            When::BeforeSending
        } else {
            When::AfterSending
        };
        let (id, new) = (open(&world, &key, made).await, format!("share{at}"));
        let others = [1, 2].map(|party| run(command(&world, &world.url(), party, id, &old, &new)));
        let first = async {
            let gate = Gate::start(&world.url(), at, when).await;
            let mut child = spawn(command(&world, &gate.url(), 0, id, &old, &new));
            tokio::time::timeout(PATIENCE, gate.caught()).await.unwrap();
            child.kill().await.unwrap();
            run(command(&world, &world.url(), 0, id, &old, &new)).await
        };
        let (first, others) = tokio::join!(first, futures::future::join_all(others));
        for done in others.iter().chain([&first]) {
            let done = result(done);
            assert_eq!(
                (done["public_key"].as_str(), done["session"].as_str()),
                (Some(&*key), Some(&*id.to_string()))
            );
        }
        world.assert_nobody_is_blamed(id).await;
        let stale = old;
        (made, old) = (id, new);
        let shares = [0, 1].map(|party| (party, format!("party{party}.{old}")));
        let shares = shares.each_ref().map(|(party, share)| (*party, &**share));
        for signed in world.sign_with(&shares, &key, "m", made).await {
            assert_signs(&result(&signed), &key, b"m");
        }
        if at == 0 {
            // The other one waits for it, until it sees that nobody comes.
            let id = open(&world, &key, made).await;
            let refused = run(command(&world, &world.url(), 0, id, &stale, "nothing")).await;
            assert_eq!(refused.status.code(), Some(2), "{refused:?}");
            assert!(
                !world.file(0, "nothing.unconfirmed").exists() && !world.journal(0, id).exists()
            );
        }
    }
    world.net.stop().await.unwrap();
}
