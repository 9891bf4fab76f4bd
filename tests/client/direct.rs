//! Asking a replica itself, at its direct port.

use std::{
    fmt::Debug,
    sync::{Arc, Mutex},
    time::Instant,
};

use axum::{Router, http::Request, routing::any};
use tokio::net::TcpListener;
use white_city_client::Session;
use white_city_tests::tampering::{Change, DirectPort, Mutator, Proxy, Sort, mutators};

use crate::world::{PATIENCE, World, closed, post, spec, world};

/// Number of requests at the direct port, and of those by way of the RPC.
fn asked(proxy: &Proxy) -> (u64, u64) {
    let requests = proxy.requests();
    let count = |what: &str| requests.get(what).copied().unwrap_or(0);
    let direct = count("direct port");
    (direct, count("abci_query 0") - direct)
}

/// Number of times that a port may have been tried again since then where nothing useful was heard: no sooner than after two seconds.
fn tried_again(since: Instant) -> u64 {
    since.elapsed().as_secs() / 2
}

/// Counts something that follows from who was quick, up to three times until it is as expected: a machine may stand still for a moment.
async fn in_one_of_three<T: Debug>(count: impl AsyncFn() -> T, is_expected: impl Fn(&T) -> bool) {
    let mut seen = Vec::new();
    while seen.len() < 3 {
        let counted = count().await;
        if is_expected(&counted) {
            return;
        }
        seen.push(counted);
    }
    panic!("{seen:?}");
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
    let count = async || {
        let proxy = world.proxy().await;
        proxy.show_direct_port(DirectPort::Own);
        six_rounds(&world, &[&proxy]).await;
        asked(&proxy)
    };
    // Several questions may have been on their way before the first answer.
    in_one_of_three(count, |(direct, by_rpc)| *direct >= 7 && *by_rpc <= 4).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn where_the_port_says_nothing_useful_the_rpc_is_asked_and_the_port_left_alone() {
    let world = world().await;
    let proxy = world.proxy().await;
    proxy.show_direct_port(DirectPort::Refusing);
    let began = Instant::now();
    let session = six_rounds(&world, &[&proxy]).await;
    let (direct, by_rpc) = asked(&proxy);
    let most = 4 + 4 * tried_again(began);
    assert!((1..=most).contains(&direct), "{direct}");
    assert!(by_rpc >= 7, "{by_rpc}");
    drop(session);
    assert_eq!(world.client(0).lies(), []);
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_lies_at_its_port_is_named_as_one_who_lies_at_its_rpc() {
    let world = world().await;
    let (liar, honest) = (world.proxy().await, world.proxy().await);
    liar.show_direct_port(DirectPort::Own);
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
    // Some answers give no opportunity for the lie that is drawn; and whoever has been caught isn't asked first any more.
    let named = async {
        while client.lies().is_empty() {
            client.observe(id).await.unwrap();
        }
    };
    tokio::time::timeout(PATIENCE, named).await.unwrap();
    assert!(client.lies().iter().all(|lie| lie.replica == liar.url()));
    let (direct, still_by_rpc) = asked(&liar);
    assert!(direct > 0);
    assert_eq!(still_by_rpc, by_rpc);
}

/// A service of this machine that has nothing to do with the board: its port, and what it was asked, by method.
async fn service(asked: &Arc<Mutex<Vec<String>>>) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let asked = Arc::clone(asked);
    let answer = any(async move |request: Request<axum::body::Body>| {
        asked.lock().unwrap().push(request.method().to_string());
        "at your service"
    });
    let router = Router::new().fallback(answer);
    tokio::spawn(async move { axum::serve(listener, router).await });
    port
}

#[tokio::test(flavor = "multi_thread")]
async fn services_of_this_machine_that_a_replica_names_are_sent_nothing() {
    let world = world().await;
    let heard = Arc::default();
    let mut ports = Vec::new();
    for _ in 0..16 {
        ports.push(service(&heard).await);
    }
    for named in [1, 16] {
        let proxy = world.proxy().await;
        proxy.name_ports_of_others(ports[..named].iter().copied());
        heard.lock().unwrap().clear();
        let began = Instant::now();
        six_rounds(&world, &[&proxy]).await;
        let (direct, by_rpc) = asked(&proxy);
        assert!(direct == 0 && by_rpc >= 7, "{direct}, {by_rpc}");
        let heard = heard.lock().unwrap();
        assert!(heard.iter().all(|method| method == "GET"), "{heard:?}");
        // However many it names, one of them is looked at, and after a pause another one.
        let most = usize::try_from(1 + tried_again(began)).unwrap();
        assert!((1..=most).contains(&heard.len()), "{heard:?}");
    }
}

/// Four addresses of the board, each with a direct port, and a session of one party that has looked at all of them.
async fn four(world: &World) -> (Vec<Proxy>, Session) {
    let mut proxies = Vec::new();
    for _ in 0..4 {
        let proxy = world.proxy().await;
        proxy.show_direct_port(DirectPort::Own);
        proxies.push(proxy);
    }
    let id = world.open(spec(1)).await;
    let urls: Vec<String> = proxies.iter().map(Proxy::url).collect();
    let session = world.client_of(&urls, 0).session(id).await;
    (proxies, session.unwrap())
}

/// Number of transactions that each proxy got at its direct port, and that all of them got at their RPC.
fn sent(proxies: &[Proxy]) -> (Vec<usize>, usize) {
    let handed = proxies.iter().map(|proxy| proxy.handed().len());
    let sent = proxies.iter().map(|proxy| proxy.sent().len());
    (handed.collect(), sent.sum())
}

/// Seven entries at each; but a machine that stands still for a third of a second makes an engine get one.
fn are_handed(handed: &[usize]) -> bool {
    handed.iter().all(|handed| (4..=7).contains(handed))
}

async fn join_and_post(session: &mut Session) {
    session.join().await.unwrap();
    session.wait_ready().await.unwrap();
    for round in 1..=6 {
        post(std::slice::from_mut(session), round).await;
        closed(std::slice::from_mut(session), round).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn entries_are_handed_over_to_all_replicas_and_to_no_engine_while_blocks_come() {
    let world = world().await;
    let count = async || {
        let (proxies, mut session) = four(&world).await;
        join_and_post(&mut session).await;
        sent(&proxies)
    };
    in_one_of_three(count, |(handed, by_rpc)| are_handed(handed) && *by_rpc <= 4).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn where_no_block_comes_at_one_of_them_an_engine_gets_the_entry_too() {
    let world = world().await;
    let count = async || {
        let (proxies, mut session) = four(&world).await;
        proxies[2].show_direct_port(DirectPort::Idle);
        join_and_post(&mut session).await;
        sent(&proxies)
    };
    in_one_of_three(count, |(handed, by_rpc)| are_handed(handed) && *by_rpc >= 7).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn without_one_of_the_ports_entries_go_to_an_engine_alone() {
    let world = world().await;
    let count = async || {
        let (proxies, mut session) = four(&world).await;
        proxies[1].show_direct_port(DirectPort::Refusing);
        let began = Instant::now();
        join_and_post(&mut session).await;
        (sent(&proxies), tried_again(began))
    };
    in_one_of_three(count, |((handed, by_rpc), tried)| {
        // It is noticed once: by a question, or by an entry.
        let most = 1 + usize::try_from(*tried).unwrap();
        handed.iter().all(|handed| *handed <= most) && *by_rpc >= 6
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_large_entry_goes_to_an_engine_alone() {
    let world = world().await;
    let proxy = world.proxy().await;
    proxy.show_direct_port(DirectPort::Own);
    // With what is around it, 128 KiB are the most that is handed over.
    let around = 256;
    let max = 128 << 10;
    let large = spec(1).payloads(max, 0);
    let id = world.open(large).await;
    let session = world.client_of(&[proxy.url()], 0).session(id).await;
    let mut session = session.unwrap();
    session.join().await.unwrap();
    session.wait_ready().await.unwrap();
    let sizes = |txs: Vec<Vec<u8>>| txs.iter().map(Vec::len).max().unwrap_or(0);
    for (round, bytes) in [(1, max - around), (2, max)] {
        session
            .post(round, vec![1; bytes as usize], Vec::new())
            .await
            .unwrap();
        session.wait_round_closed(round).await.unwrap();
    }
    assert!(sizes(proxy.handed()) > 120_000);
    assert!(sizes(proxy.handed()) <= 128 << 10);
    assert!(sizes(proxy.sent()) > 128 << 10);
}
