//! A replica whose application lies.

use std::{fs, time::Duration};

use tendermint_rpc::{Client as _, HttpClient, client::CompatMode};
use tokio::time::timeout;
use white_city_client::SessionFilter;
use white_city_tests::adversary::{Lie, Tally};

use crate::{
    HOSTILE, a_session_finishes, program, until,
    world::{Key, PATIENCE, Setup, World, keys, world},
};

/// Most sessions that a lie may take until it has had an occasion.
const SESSIONS_MAX: usize = 20;

async fn liars_world() -> Option<World> {
    world(Setup {
        heartbeat_ms: Some(300),
        replica_program: Some(program()),
        // One that stands still stays so for as long as it is looked at.
        stands_still: Some(Duration::from_secs(600)),
        ..Setup::default()
    })
    .await
}

/// Tells the hostile replica how to lie; `None`: to be honest.
fn order(world: &World, lie: Option<Lie>) {
    let file = world.net.home(HOSTILE).join("app/hostile");
    fs::write(file, lie.map_or("", Lie::name)).unwrap();
}

/// Number of times that it has lied like that.
fn lies(world: &World, lie: Lie) -> u64 {
    let counts = Tally::read(&world.net.home(HOSTILE).join("app/lies"));
    counts.get(lie.name()).copied().unwrap_or(0)
}

/// Number of proposals that an honest replica has rejected.
fn rejected(world: &World) -> usize {
    let log = fs::read_to_string(world.net.home(1).join("app.log")).unwrap();
    log.matches("proposal rejected").count()
}

/// Sends something that is no transaction to the hostile replica.
async fn send_nonsense(world: &World) {
    let rpc = HttpClient::builder(world.net.rpc_urls()[HOSTILE].parse().unwrap())
        .compat_mode(CompatMode::V0_38)
        .build()
        .unwrap();
    // Whatever comes of it: the tally tells.
    let _ = rpc.broadcast_tx_sync(b"no transaction".to_vec()).await;
}

/// Whether every proposal with this lie is invalid, and there in time to be rejected.
const fn is_invalid(lie: Lie) -> bool {
    matches!(
        lie,
        Lie::Garbage
            | Lie::SealedGarbage
            | Lie::WrongRoot
            | Lie::WrongParent
            | Lie::Dearest
            | Lie::NoSeal
            | Lie::SealLast
            | Lie::TwoSeals
    )
}

/// Lets sessions run until the hostile replica has had an occasion to lie, and, where its lie is invalid, an honest one to reject it.
async fn sessions_finish_beside(world: &World, lie: Lie) {
    let keys = keys(3);
    let before = rejected(world);
    order(world, Some(lie));
    if lie == Lie::Hide {
        what_it_hides_is_found(world, &keys).await;
    }
    for _ in 0..SESSIONS_MAX {
        if lie == Lie::TakeAll {
            send_nonsense(world).await;
        }
        a_session_finishes(world, &keys).await;
        if lies(world, lie) > 0 && (rejected(world) > before || !is_invalid(lie)) {
            return;
        }
    }
    panic!("{}: no occasion in {SESSIONS_MAX} sessions", lie.name());
}

/// Parties find a session that one replica, which they ask and follow first, leaves out of its lists and events: all that wait are woken,
/// and whoever comes later sees it in the list.
async fn what_it_hides_is_found(world: &World, keys: &[Key]) {
    let (me, early) = (keys[1].identity(), SessionFilter::live());
    let mut first = world.client(&keys[1]).discover(&me);
    let known = world.open(keys, |spec| spec).await;
    let found = timeout(PATIENCE, first.next()).await.unwrap().unwrap();
    assert_eq!((found.id, found.index_of(&me)), (known, Some(1)));
    let mut quickest = Duration::MAX;
    for _ in 0..3 {
        let began = std::time::Instant::now();
        let waiting = tokio::spawn(async move {
            let found = first.next().await.unwrap();
            (first, found)
        });
        let id = world.open(keys, |spec| spec).await;
        let (waited, found) = timeout(PATIENCE, waiting).await.unwrap().unwrap();
        let took = began.elapsed();
        println!("a hidden session is found {took:?} after its opening began");
        quickest = quickest.min(took);
        assert_eq!(found.id, id);
        first = waited;
    }
    // Sooner than anybody looks without having been told; each of them may be slow for another reason.
    assert!(quickest < Duration::from_secs(4));
    let client = world.client(&keys[1]);
    let mut list = client.sessions_of(&me, early).await.unwrap();
    let listed = list.take(usize::MAX).await.unwrap();
    assert_eq!(listed.len(), 4);
    assert_eq!(
        listed.last().map(|found| found.id),
        Some(known),
        "the newest come first"
    );
    assert!(lies(world, Lie::Hide) > 3, "it has had occasions");
}

#[tokio::test(flavor = "multi_thread")]
async fn sessions_end_right_beside_a_replica_that_lies_in_any_way() {
    let Some(world) = liars_world().await else {
        return;
    };
    let in_sessions = |lie: &Lie| !lie.stops_its_node() && !lie.is_for_newcomers();
    for lie in Lie::ALL.into_iter().filter(in_sessions) {
        let began = std::time::Instant::now();
        let before = rejected(&world);
        sessions_finish_beside(&world, lie).await;
        order(&world, None);
        world.agree().await;
        let rejected = rejected(&world) - before;
        println!(
            "{:<15} {} lies, {rejected} proposals rejected, {:?}",
            lie.name(),
            lies(&world, lie),
            began.elapsed()
        );
        assert!(rejected > 0 || !is_invalid(lie), "{}", lie.name());
    }
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lie_that_its_own_node_notices_is_a_crash_and_no_more() {
    let Some(world) = liars_world().await else {
        return;
    };
    for lie in Lie::ALL.into_iter().filter(|lie| lie.stops_its_node()) {
        sessions_finish_beside(&world, lie).await;
        let others = 1..world.net.replicas();
        let stood = world.net.height(HOSTILE).await.unwrap();
        for other in others {
            world
                .net
                .wait_height(other, stood + 10, crate::world::PATIENCE)
                .await
                .unwrap();
        }
        let stands = world.net.height(HOSTILE).await;
        println!("{}: stood at {stood}, now {stands:?}", lie.name());
        assert!(
            stands.is_ok_and(|height| height <= stood + 1),
            "{}",
            lie.name()
        );
        // It comes back like one that crashed; its disk can't be believed where its node was lied to.
        order(&world, None);
        world.net.kill(HOSTILE).await.unwrap();
        if lie == Lie::WrongAppHash {
            world.net.wipe(HOSTILE).await.unwrap();
        }
        world.net.start(HOSTILE).await.unwrap();
        until("the replica to come back", async || {
            world
                .net
                .height(HOSTILE)
                .await
                .is_ok_and(|height| height > stood + 10)
        })
        .await;
        world.agree().await;
    }
    world.stop().await;
}
