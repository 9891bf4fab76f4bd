//! One of four replicas behind a proxy that tampers with what it says.

use std::{
    net::SocketAddr,
    time::{Duration, Instant},
};

use tokio::{task::JoinSet, time::timeout};
use white_city_client::{Client, End, SessionId};
use white_city_tests::tampering::{Change, Mutator, Proxy, Sort, mutators};

use crate::world::{Key, PATIENCE, Setup, World, keys, party, world};

/// Most readings of the board until the liar has lied and was named.
const READINGS_MAX: usize = 20;
/// The longest that one of them takes.
const READING: Duration = Duration::from_secs(5);

/// A client that has the liar in front of the three others.
fn client(world: &World, liar: &Proxy, key: &Key) -> Client {
    let others = world.net.rpc_urls()[1..].iter().cloned();
    world.client_of(std::iter::once(liar.url()).chain(others), key)
}

/// Three parties, two rounds, and everybody finishes.
async fn a_session(world: &World, liar: &Proxy, keys: &[Key]) -> (SessionId, Vec<Client>) {
    let id = world.open(keys, |spec| spec).await;
    let clients: Vec<Client> = keys.iter().map(|key| client(world, liar, key)).collect();
    let mut running = JoinSet::new();
    for client in clients.clone() {
        running.spawn(async move { party(client.session(id).await?, 2).await });
    }
    let ended = timeout(PATIENCE, running.join_all()).await;
    for end in ended.expect("the session to end") {
        assert!(matches!(end, Ok(End::Finished { .. })), "{end:?}");
    }
    (id, clients)
}

/// Whether a client has named the liar, and nobody else.
fn is_named(client: &Client, liar: &Proxy) -> bool {
    let lies = client.lies();
    assert!(lies.iter().all(|lie| lie.replica == liar.url()), "{lies:?}");
    !lies.is_empty()
}

/// Reads the session from the liar alone, since another one that is quicker is believed before it has answered, until it is named; true,
/// too, where it has no occasion to lie.
async fn gets_named(
    world: &World,
    liar: &Proxy,
    mutator: &Mutator,
    key: &Key,
    id: SessionId,
) -> bool {
    let before = liar.count(mutator);
    for _ in 0..READINGS_MAX {
        let reading = world.client_of([liar.url()], key);
        // Whatever comes of it.
        let _ = timeout(READING, reading.observe(id)).await;
        if is_named(&reading, liar) {
            return true;
        }
    }
    liar.count(mutator) == before
}

#[tokio::test(flavor = "multi_thread")]
async fn sessions_end_right_beside_a_replica_that_tampers_in_any_way_and_it_is_named() {
    let Some(world) = world(Setup::default()).await else {
        return;
    };
    let anywhere = SocketAddr::from(([127, 0, 0, 1], 0));
    let liar = Proxy::start(&world.net.rpc_urls()[0], anywhere, 1)
        .await
        .unwrap();
    let keys = keys(3);
    let (mut applied, mut named) = (0, 0);
    let began = Instant::now();
    for mutator in mutators() {
        liar.tamper(&[mutator], 100);
        let (id, clients) = a_session(&world, &liar, &keys).await;
        // Some headers can't be read at all, so that nobody can say what is wrong with them.
        let is_lie = mutator.sort == Sort::Lie && !matches!(mutator.change, Change::Header(_));
        let names = clients
            .iter()
            .filter(|client| is_named(client, &liar))
            .count();
        let is_told =
            names > 0 || !is_lie || gets_named(&world, &liar, &mutator, &keys[0], id).await;
        assert!(is_told, "{mutator:?}: {:?}", liar.count(&mutator));
        applied += usize::from(liar.count(&mutator) > 0);
        named += usize::from(names > 0);
    }
    println!(
        "{} sessions in {:?}: {applied} ways were applied, {named} named by parties",
        mutators().len(),
        began.elapsed()
    );
    assert!(
        applied >= 100 && named >= 30,
        "{applied} applied, {named} named"
    );
    world.stop().await;
}
