//! Stamps: strangers open sessions with a proof of work, listed openers without, and both go on when the charter asks for another one.

use std::{sync::Arc, time::Duration};

use white_city_client::{
    Client, Error, IdentityKey, Spec, SpecBuilder,
    wire::{SignedTx, stamp::is_stamp, tx::Action},
};

use crate::{
    charters::Board,
    world::{Key, Setup, all_ends, keys, world},
};

const BITS: u8 = 12;

fn spec(keys: &[Key]) -> Spec {
    let roster: Vec<IdentityKey> = keys.iter().map(Key::identity).collect();
    let minute = Duration::from_secs(60);
    let spec = SpecBuilder::new("white-city/test", 1, roster).max_rounds(4);
    let spec = spec.payloads(64, 64).times(minute, minute, minute);
    spec.build().unwrap()
}

/// The stamp with which the board has a session.
async fn stamp(client: &Client, id: white_city_client::SessionId) -> u64 {
    client.open_of(id).await.unwrap().stamp
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn strangers_open_with_a_stamp_and_anew_with_another_one_when_the_charter_changes() {
    let listed = keys(4)[3];
    let Some(world) = world(Setup {
        stamp_bits: BITS,
        opener: Some(listed),
        ..Setup::default()
    })
    .await
    else {
        return;
    };
    let three = keys(3);
    let client = world.client(&three[0]);
    // A stranger opens, and the session runs.
    let id = client.open(spec(&three)).await.unwrap();
    assert!(is_stamp(&id, stamp(&client, id).await, BITS));
    let ends = all_ends(&world, &three, id, 1).await;
    assert!(ends.iter().all(Result::is_ok), "{ends:?}");
    // Without one that it asks the charter for, it gets one from what the replicas say.
    let mut bare = client.opening(spec(&three)).await.unwrap();
    assert_eq!(bare.open().stamp, 0);
    assert_eq!(client.open_with(&mut bare).await, Ok(bare.id()));
    assert!(is_stamp(&bare.id(), bare.open().stamp, BITS));
    // A listed opener needs none, and none is computed.
    let own = world.client(&listed);
    let mut free = own.opening(spec(&three)).await.unwrap();
    assert_eq!(own.stamp(&mut free).await, Ok(false));
    own.open_with(&mut free).await.unwrap();
    assert_eq!(stamp(&own, free.id()).await, 0);
    // One is stamped for this charter, and sent under the next ones: it is the same session.
    let mut kept = client.opening(spec(&three)).await.unwrap();
    assert_eq!(client.stamp(&mut kept).await, Ok(true));
    let bytes = kept.to_bytes();
    assert_eq!(client.stamp(&mut kept).await, Ok(false), "it has one");
    assert_eq!(kept.to_bytes(), bytes, "and it stays");
    let more = (BITS + 1..)
        .find(|bits| !is_stamp(&kept.id(), kept.open().stamp, *bits))
        .unwrap();
    let board = Board::new(&world);
    let dearer = board.next(|charter| charter.stamp_bits = more).await;
    board.enact(&[0, 1, 2], &[], &dearer).await;
    let opened = client.open_with(&mut kept).await;
    assert_eq!(opened, Ok(kept.id()));
    let second = stamp(&client, kept.id()).await;
    assert!(is_stamp(&kept.id(), second, more));
    assert_eq!(second, kept.open().stamp);
    // Under a charter that asks for no stamp, an opening with one is refused: it loses it.
    let mut stamped = client.opening(spec(&three)).await.unwrap();
    assert_eq!(client.stamp(&mut stamped).await, Ok(true));
    let free = board.next(|charter| charter.stamp_bits = 0).await;
    board.enact(&[0, 1, 2], &[], &free).await;
    let opened = client.open_with(&mut stamped).await;
    assert_eq!(opened, Ok(stamped.id()));
    assert_eq!(stamp(&client, stamped.id()).await, 0);
    // More than this machine finds in time: it says so, and nothing is sent.
    let endless = board.next(|charter| charter.stamp_bits = 40).await;
    board.enact(&[0, 1, 2], &[], &endless).await;
    let sessions = client.status().await.unwrap().sessions;
    let refused = client.open(spec(&three)).await;
    assert!(
        matches!(refused, Err(Error::Stamp { bits: 40, .. })),
        "{refused:?}"
    );
    assert_eq!(client.status().await.unwrap().sessions, sessions);
    world.stop().await;
}

/// A session that was opened with one stamp is the one that another stamp would open: whoever changes the stamp of somebody's
/// opening on its way neither opens another session nor keeps it out.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_puts_another_stamp_on_an_opening_changes_nothing() {
    let Some(world) = world(Setup {
        stamp_bits: BITS,
        ..Setup::default()
    })
    .await
    else {
        return;
    };
    let three = keys(3);
    let client = world.client(&three[0]);
    let mut opening = client.opening(spec(&three)).await.unwrap();
    client.stamp(&mut opening).await.unwrap();
    let tx = SignedTx::decode(&opening.to_bytes()).unwrap();
    let Action::Open(open) = tx.unverified_action() else {
        panic!("an opening");
    };
    let verified = tx.clone().verify(&open.opener, 3, &client.network().id);
    let mut other = open.clone();
    other.stamp = (open.stamp + 1..)
        .find(|stamp| is_stamp(&opening.id(), *stamp, BITS))
        .unwrap();
    let other = SignedTx::new(Action::Open(other), *verified.unwrap().signature()).unwrap();
    let network = client.network().id;
    let mut other = white_city_client::Opening::from_bytes(&other.encode(), &network).unwrap();
    assert_eq!(other.id(), opening.id());
    let clients = Arc::new(client);
    let (mine, theirs) = tokio::join!(
        clients.open_with(&mut opening),
        clients.open_with(&mut other)
    );
    assert_eq!((mine, theirs), (Ok(opening.id()), Ok(opening.id())));
    assert_eq!(clients.status().await.unwrap().sessions, 1);
    world.stop().await;
}
