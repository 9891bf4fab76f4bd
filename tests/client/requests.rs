//! Numbers of a client's requests, and those who get them.

use std::collections::BTreeSet;

use white_city_client::{Client, Session};
use white_city_tests::tampering::{Proxy, named};

use crate::world::{World, closed, key, post, spec, world};

/// Four addresses of the board, each through a proxy of its own.
async fn four(world: &World) -> Vec<Proxy> {
    let mut proxies = Vec::new();
    for _ in 0..4 {
        proxies.push(world.proxy().await);
    }
    proxies
}

fn client(world: &World, proxies: &[Proxy], party: u8) -> Client {
    let urls: Vec<String> = proxies.iter().map(Proxy::url).collect();
    world.client_of(&urls, party)
}

/// Number of transactions that each proxy has got.
fn sent(proxies: &[Proxy]) -> Vec<usize> {
    proxies.iter().map(|proxy| proxy.sent().len()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_entry_goes_to_one_replica() {
    let world = world().await;
    let proxies = four(&world).await;
    let id = world.open(spec(1)).await;
    let mut session = client(&world, &proxies, 0).session(id).await.unwrap();
    session.join().await.unwrap();
    session.wait_ready().await.unwrap();
    for round in 1..=6 {
        post(std::slice::from_mut(&mut session), round).await;
    }
    closed(std::slice::from_mut(&mut session), 6).await;
    let sent = sent(&proxies);
    // On a machine that stood still for half a second one of them may have gone to all.
    let all: usize = sent.iter().sum();
    assert!((7..=7 + 4).contains(&all), "{sent:?} for seven entries");
}

#[tokio::test(flavor = "multi_thread")]
async fn replicas_that_keep_an_entry_to_themselves_get_no_other_one_first() {
    let world = world().await;
    let proxies = four(&world).await;
    let id = world.open(spec(1)).await;
    let mut session = client(&world, &proxies, 0).session(id).await.unwrap();
    let (honest, liars) = proxies.split_last().unwrap();
    for liar in liars {
        liar.tamper(&[named("tx-swallowed").unwrap()], 100);
    }
    session.join().await.unwrap();
    session.wait_ready().await.unwrap();
    for round in 1..=8 {
        post(std::slice::from_mut(&mut session), round).await;
    }
    let sent = sent(liars);
    assert_eq!(
        BTreeSet::from_iter(honest.sent()).len(),
        9,
        "all in the end"
    );
    // Each liar gets one entry alone, and is among all of them when the board doesn't show one.
    assert!(
        sent.iter().all(|sent| *sent <= 1 + 3 + 1),
        "{sent:?} of nine"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_process_fetches_each_header_once() {
    let world = world().await;
    let proxy = world.proxy().await;
    let id = world.open(spec(3)).await;
    let first = client(&world, std::slice::from_ref(&proxy), 0);
    let mut sessions: Vec<Session> = Vec::new();
    for party in 0..3 {
        let client = first.with_signer(key(party));
        sessions.push(client.session(id).await.unwrap());
    }
    for session in &mut sessions {
        session.join().await.unwrap();
    }
    for round in 1..=4 {
        closed(&mut sessions, round - 1).await;
        post(&mut sessions, round).await;
    }
    let requests = proxy.requests();
    let headers: Vec<(&String, &u64)> = requests
        .iter()
        .filter(|(what, _)| what.starts_with("commit "))
        .collect();
    assert!(headers.len() >= 5, "{requests:?}");
    let twice = headers.iter().filter(|(_, times)| **times > 1).count();
    // Who waits for a header that another one fetches doesn't wait for ever.
    assert!(twice <= 1, "{headers:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_waits_doesnt_ask_at_each_block_of_others() {
    let world = world().await;
    let proxy = world.proxy().await;
    let id = world.open(spec(2)).await;
    let mut sessions = vec![world.client(0).session(id).await.unwrap()];
    sessions[0].join().await.unwrap();
    let waiting = client(&world, std::slice::from_ref(&proxy), 1);
    let mut waiting = waiting.session(id).await.unwrap();
    waiting.join().await.unwrap();
    closed(&mut sessions, 0).await;
    // It waits for the first party, which runs another session meanwhile.
    let queries = || proxy.requests().get("abci_query 0").copied().unwrap_or(0);
    let waiting = tokio::spawn(async move {
        post(std::slice::from_mut(&mut waiting), 1).await;
        waiting.inbox(1).await.unwrap()
    });
    let other = world.open(spec(1).max_rounds(200)).await;
    let mut busy = world.joined(other, 1).await;
    let (before, from) = (queries(), busy[0].height());
    for round in 1..=100 {
        post(&mut busy, round).await;
        closed(&mut busy, round).await;
    }
    let (asked, blocks) = (queries() - before, busy[0].height() - from);
    assert!(blocks >= 100);
    assert!(asked * 2 < blocks, "asked {asked} times in {blocks} blocks");
    post(&mut sessions, 1).await;
    let inbox = tokio::time::timeout(crate::world::PATIENCE, waiting).await;
    assert_eq!(inbox.unwrap().unwrap().posted, [0, 1]);
}
