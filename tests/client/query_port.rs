//! Asking a replica itself, at its query port.

use white_city_client::Session;
use white_city_tests::tampering::{Change, Mutator, Proxy, QueryPort, Sort, mutators};

use crate::world::{World, closed, post, spec, world};

/// How often was asked at the query port, and how often by way of the RPC.
fn asked(proxy: &Proxy) -> (u64, u64) {
    let requests = proxy.requests();
    let count = |what: &str| requests.get(what).copied().unwrap_or(0);
    let direct = count("query port");
    (direct, count("abci_query 0") - direct)
}

/// A session of one party that has posted six rounds by way of these proxies.
async fn six_rounds(world: &World, proxies: &[&Proxy]) -> Session {
    let id = world.open(spec(1)).await;
    let urls: Vec<String> = proxies.iter().map(|proxy| proxy.url()).collect();
    let session = world.client_of(&urls, 0).session(id).await;
    let mut session = session.unwrap();
    session.join().await.unwrap();
    session.wait_ready().await.unwrap();
    for round in 1..=6 {
        post(std::slice::from_mut(&mut session), round).await;
        closed(std::slice::from_mut(&mut session), round).await;
    }
    session
}

#[tokio::test(flavor = "multi_thread")]
async fn a_replica_is_asked_itself_once_an_answer_has_named_its_port() {
    let world = world().await;
    let proxy = world.proxy().await;
    proxy.show_query_port(QueryPort::Own);
    six_rounds(&world, &[&proxy]).await;
    let (direct, by_rpc) = asked(&proxy);
    // Several questions may have been on their way before the first answer.
    assert!(direct >= 7 && by_rpc <= 4, "{direct}, {by_rpc}");
}

#[tokio::test(flavor = "multi_thread")]
async fn where_the_port_says_nothing_useful_the_rpc_is_asked_and_the_port_left_alone() {
    let world = world().await;
    let proxy = world.proxy().await;
    proxy.show_query_port(QueryPort::Refusing);
    let session = six_rounds(&world, &[&proxy]).await;
    let (direct, by_rpc) = asked(&proxy);
    assert!((1..=4).contains(&direct), "{direct}");
    assert!(by_rpc >= 7, "{by_rpc}");
    drop(session);
    assert_eq!(world.client(0).lies(), []);
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_lies_at_its_port_is_named_as_one_who_lies_at_its_rpc() {
    let world = world().await;
    let (liar, honest) = (world.proxy().await, world.proxy().await);
    liar.show_query_port(QueryPort::Own);
    let mut ways = mutators();
    let is_lie = |way: &Mutator| way.sort == Sort::Lie && matches!(way.change, Change::Answer(_));
    ways.retain(is_lie);
    let id = world.open(spec(1)).await;
    let urls = [liar.url(), honest.url()];
    let client = world.client_of(&urls, 0);
    // The first answer names the port.
    client.status().await.unwrap();
    liar.tamper(&ways, 100);
    let (_, by_rpc) = asked(&liar);
    let mut session = client.session(id).await.unwrap();
    session.join().await.unwrap();
    session.wait_ready().await.unwrap();
    let lies = client.lies();
    assert!(!lies.is_empty());
    assert!(lies.iter().all(|lie| lie.replica == liar.url()));
    let (direct, still_by_rpc) = asked(&liar);
    assert!(direct > 0);
    assert_eq!(still_by_rpc, by_rpc);
}
