//! Replicas that are slow, endless, or behind.

use std::time::{Duration, Instant};

use white_city_client::{
    Error,
    read::{ReadStatus, SessionRef},
};
use white_city_tests::tampering::{Mutator, SLOW, named};

use crate::world::{spec, until, world};

/// Delay of one that nobody waits for.
const LATE: Duration = Duration::from_secs(30);

fn of(name: &str) -> Mutator {
    named(name).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn while_one_replica_is_slow_another_one_is_asked() {
    let world = world().await;
    let (slow, other) = (world.proxy().await, world.proxy().await);
    slow.be_late(LATE, |_| true);
    let client = world.patient(&[slow.url(), other.url()]);
    let hedged = client.read(&ReadStatus, 0);
    let status = tokio::time::timeout(LATE, hedged)
        .await
        .expect("before the slow one answers")
        .unwrap();
    assert_eq!(status.replica(), other.url());
    assert!(!slow.requests().is_empty(), "it was asked first");
    // Alone it is slow, but right.
    slow.be_late(Duration::ZERO, |_| true);
    slow.tamper(&[of("slow")], 100);
    let began = Instant::now();
    let alone = world
        .patient(&[slow.url()])
        .read(&ReadStatus, 0)
        .await
        .unwrap();
    assert_eq!(alone.replica(), slow.url());
    assert!(slow.count(&of("slow")) > 0 && began.elapsed() >= SLOW);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_endless_answer_is_cut_at_the_limit() {
    let world = world().await;
    let endless = world.proxy().await;
    endless.tamper(&[of("endless")], 100);
    let cut = world.patient(&[endless.url()]).read(&ReadStatus, 0).await;
    let Err(Error::Unreachable(faults)) = cut else {
        panic!("{cut:?}");
    };
    assert!(faults[0].reason.contains("more than"), "{faults:?}");
    let status = world
        .patient(&[endless.url(), world.url()])
        .read(&ReadStatus, 0)
        .await;
    assert_eq!(status.unwrap().replica(), world.url());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_can_not_be_read_is_no_answer() {
    let world = world().await;
    let garbled = world.proxy().await;
    for name in [
        "json-truncated",
        "json-garbage",
        "json-empty",
        "json-other-type",
        "json-deep",
        "withheld-error",
        "withheld-closed",
    ] {
        garbled.tamper(&[of(name)], 100);
        let alone = world.patient(&[garbled.url()]).read(&ReadStatus, 0).await;
        let is_none = matches!(alone, Err(Error::Unreachable(_) | Error::Refused { .. }));
        assert!(is_none, "{name}: {alone:?}");
        let status = world
            .patient(&[garbled.url(), world.url()])
            .read(&ReadStatus, 0)
            .await;
        assert_eq!(status.unwrap().replica(), world.url(), "{name}");
        assert!(garbled.count(&of(name)) >= 2, "{name}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_replica_that_shows_an_old_state_is_left_for_another_one() {
    let world = world().await;
    let id = world.open(spec(2)).await;
    // Each has something old to show, and is asked once: what it is asked, it could show later.
    let mut old = Vec::new();
    let mut height = 0;
    for _ in 0..3 {
        let proxy = world.proxy().await;
        let client = world.client_of(&[proxy.url()], 0);
        let before = client.summary(SessionRef::Id(id)).await.unwrap();
        height = before.height().max(height);
        old.push(proxy);
    }
    let read = white_city_client::read::ReadLeaf(id.into());
    world
        .client(1)
        .session(id)
        .await
        .unwrap()
        .join()
        .await
        .unwrap();
    until("a later state", async || {
        world.client(0).status().await.unwrap().height() > height
    })
    .await;
    let latest = world.client(0).status().await.unwrap().height();
    for proxy in &old {
        proxy.tamper(&[of("replay-old")], 100);
    }
    let shown = world.patient(&[old[0].url()]).read(&read, 0).await;
    let shown = shown.unwrap();
    assert!(shown.height() < latest, "an old state is true, too");
    let refused = world.patient(&[old[1].url()]).read(&read, latest).await;
    assert!(
        matches!(&refused, Err(Error::Behind { shown, expected }) if shown < expected && *expected == latest),
        "{refused:?}"
    );
    let both = world.patient(&[old[2].url(), world.url()]);
    let fresh = both.read(&read, latest).await.unwrap();
    assert_eq!(fresh.replica(), world.url());
    let replayed: u64 = old.iter().map(|proxy| proxy.count(&of("replay-old"))).sum();
    assert!(fresh.height() >= latest && replayed >= 3);
    assert!(both.lies().is_empty(), "an old state is no lie");
}

#[tokio::test(flavor = "multi_thread")]
async fn less_than_the_height_that_was_asked_for_is_never_taken() {
    let world = world().await;
    let client = world.client(0);
    let now = client.status().await.unwrap().height();
    let future = client.read(&ReadStatus, now + 1_000_000).await;
    assert!(
        matches!(future, Err(Error::Behind { expected, .. }) if expected == now + 1_000_000),
        "{future:?}"
    );
    assert!(client.read(&ReadStatus, now).await.unwrap().height() >= now);
}
