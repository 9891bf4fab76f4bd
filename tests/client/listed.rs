//! Lists of sessions from replicas that lie in them, lists of any length, and what comes for a party.

use std::{collections::BTreeSet, time::Duration};

use tokio::time::timeout;
use white_city_client::{
    End, Error, FoundSession, Hash, IdentityKey, SessionFilter, SessionId, Signer as _,
    wire::board::Status,
};
use white_city_tests::tampering::list_mutators;

use crate::world::{PATIENCE, World, closed, key, post, spec, world};

fn party(number: u8) -> IdentityKey {
    key(number).identity()
}

async fn listed(
    world: &World,
    urls: &[String],
    of: u8,
    filter: SessionFilter,
) -> Result<Vec<FoundSession>, Error> {
    let client = world.client_of(urls, 9);
    let mut list = client.sessions_of(&party(of), filter).await?;
    list.take(usize::MAX).await
}

/// A session of parties 0 and 1 that finishes.
async fn finished(world: &World) -> SessionId {
    let id = world.open(spec(2)).await;
    let mut sessions = world.joined(id, 2).await;
    post(&mut sessions, 1).await;
    closed(&mut sessions, 1).await;
    for session in &mut sessions {
        session.finish(Hash([1; 32])).await.unwrap();
    }
    for session in &mut sessions {
        assert!(matches!(
            session.wait_end().await.unwrap(),
            End::Finished { .. }
        ));
    }
    id
}

fn ids(found: &[FoundSession]) -> Vec<SessionId> {
    found.iter().map(|found| found.id).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn lists_have_what_is_asked_for_the_newest_first() {
    let world = world().await;
    let ended = finished(&world).await;
    let others = world.open(spec(1)).await;
    let open = world.open(spec(3)).await;
    let urls = [world.url()];
    let of = async |party, filter| ids(&listed(&world, &urls, party, filter).await.unwrap());
    assert_eq!(of(1, SessionFilter::all()).await, [open, ended]);
    assert_eq!(of(0, SessionFilter::all()).await, [open, others, ended]);
    assert_eq!(of(0, SessionFilter::live()).await, [open, others]);
    assert_eq!(of(2, SessionFilter::all()).await, [open]);
    assert_eq!(of(1, SessionFilter::all().from_number(1)).await, [open]);
    assert_eq!(
        of(1, SessionFilter::with([Status::Finished])).await,
        [ended]
    );
    assert_eq!(of(9, SessionFilter::all()).await, []);
    let client = world.client(9);
    let mut all = client.sessions(SessionFilter::all()).await.unwrap();
    let all = all.take(usize::MAX).await.unwrap();
    assert_eq!(ids(&all), [open, others, ended]);
    assert_eq!(all[2].status, Status::Finished);
    assert_eq!(
        all[0].open.as_ref().map(|open| open.spec.parties()),
        Some(3)
    );
    assert_eq!(all[0].index_of(&party(2)), Some(2));
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_lies_in_a_list_is_named_and_left() {
    let world = world().await;
    finished(&world).await;
    world.open(spec(1)).await;
    // Two pages and some more, of sessions that party 1 is in but for one.
    for _ in 0..3 {
        world.open(spec(2)).await;
    }
    let honest = listed(&world, &[world.url()], 1, SessionFilter::all()).await;
    let honest = honest.unwrap();
    assert_eq!(honest.len(), 4);
    let proxy = world.proxy().await;
    let client = world.client_of(&[proxy.url()], 9);
    // So that it remembers what it can list in the wrong place.
    let mut all = client.sessions(SessionFilter::all()).await.unwrap();
    assert_eq!(all.take(usize::MAX).await.unwrap().len(), 5);
    let newest = SessionFilter::all().from_number(4);
    assert_eq!(
        listed(&world, &[proxy.url()], 1, newest)
            .await
            .unwrap()
            .len(),
        1
    );
    for mutator in list_mutators() {
        if mutator.name == "list-repeated" {
            continue;
        }
        proxy.tamper(&[mutator], 100);
        let before = proxy.count(&mutator);
        let alone = listed(&world, &[proxy.url()], 1, SessionFilter::all()).await;
        assert!(proxy.count(&mutator) > before, "{mutator:?}: no occasion");
        assert!(
            matches!(alone, Err(Error::ReplicaLied { .. })),
            "{mutator:?}: {alone:?}"
        );
        let client = world.client_of(&[proxy.url(), world.url()], 9);
        let mut list = client
            .sessions_of(&party(1), SessionFilter::all())
            .await
            .unwrap();
        let found = list.take(usize::MAX).await.unwrap();
        assert_eq!(ids(&found), ids(&honest), "{mutator:?}");
        for lie in client.lies() {
            assert_eq!(lie.replica, proxy.url(), "{mutator:?}");
            assert!(!lie.question.is_empty() && !lie.answer.is_empty());
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_list_of_several_pages_is_whole_and_one_that_repeats_itself_is_a_lie() {
    let world = world().await;
    let client = world.client(0);
    let opening = (0..120).map(|_| client.open(spec(2).build().unwrap()));
    let opened = futures::future::join_all(opening).await;
    let opened: BTreeSet<SessionId> = opened.into_iter().map(Result::unwrap).collect();
    let whole = |found: Result<Vec<FoundSession>, Error>| {
        let found = found.unwrap();
        assert!(found.is_sorted_by(|a, b| a.number > b.number));
        assert_eq!(found.len(), opened.len());
        assert_eq!(ids(&found).into_iter().collect::<BTreeSet<_>>(), opened);
    };
    let proxy = world.proxy().await;
    let all = listed(&world, &[proxy.url()], 1, SessionFilter::all()).await;
    whole(all);
    let repeated = list_mutators();
    let repeated = repeated.iter().find(|m| m.name == "list-repeated").unwrap();
    proxy.tamper(&[*repeated], 100);
    let told = listed(&world, &[proxy.url()], 1, SessionFilter::all()).await;
    assert!(matches!(told, Err(Error::ReplicaLied { .. })), "{told:?}");
    assert!(proxy.count(repeated) > 0);
    let both = listed(&world, &[proxy.url(), world.url()], 1, SessionFilter::all()).await;
    whole(both);
}

#[tokio::test(flavor = "multi_thread")]
async fn discovery_gives_what_there_is_and_then_what_comes_each_once() {
    let world = world().await;
    finished(&world).await;
    let before = [world.open(spec(2)).await, world.open(spec(3)).await];
    let mut discovery = world.client(9).discover(&party(1));
    for expected in before.into_iter().rev() {
        let found = timeout(PATIENCE, discovery.next()).await.unwrap().unwrap();
        assert_eq!((found.id, found.index_of(&party(1))), (expected, Some(1)));
    }
    for _ in 0..3 {
        // Which isn't for it.
        world.open(spec(1)).await;
        let expected = world.open(spec(2)).await;
        // As whoever is woken by something else drops it.
        let dropped = timeout(Duration::from_millis(1), discovery.next()).await;
        let found = match dropped {
            Ok(found) => found,
            Err(_) => timeout(PATIENCE, discovery.next()).await.unwrap(),
        };
        assert_eq!(found.unwrap().id, expected);
    }
    let nothing = timeout(Duration::from_millis(300), discovery.next()).await;
    assert!(nothing.is_err(), "{nothing:?}");
}
