//! A party that looks on while others act.

use futures::StreamExt;
use white_city_client::{Error, wire::board::Status};

use crate::{
    refused::{post, two},
    world::{PATIENCE, world},
};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn progress_names_whom_the_round_waits_for_and_ends_with_its_session() {
    let world = world().await;
    let (_, mut first, mut second) = two(&world).await;
    let mut news = first.progress_stream();
    let seen = async {
        loop {
            let now = news.next().await.unwrap();
            assert_eq!((now.status, now.members), (Status::Running, 2));
            if (now.round, now.waiting_for.as_slice()) == (1, &[0]) {
                return now;
            }
        }
    };
    post(&mut second, 1).await.unwrap();
    let waiting = first.wait_round_closed(1);
    let now = tokio::select! {
        now = seen => now,
        closed = waiting => panic!("{closed:?}"),
        () = tokio::time::sleep(PATIENCE) => panic!("nothing was told"),
    };
    assert_eq!(now.filled, 1);
    assert_eq!(first.waiting_for(), [0]);

    first.never_wait();
    let waiting = first.wait_round_closed(1).await;
    assert!(
        matches!(&waiting, Err(Error::Waiting { round: 1, missing, .. }) if missing == &[0]),
        "{waiting:?}"
    );
    post(&mut first, 1).await.unwrap();
    first.wait_round_closed(1).await.unwrap();
    drop(first);
    let end = async { while news.next().await.is_some() {} };
    tokio::time::timeout(PATIENCE, end).await.unwrap();
    world.net.stop().await.unwrap();
}
