//! Entries that a party may not write, or not any more: said before anything is signed, since a slot is signed for once.

use std::time::Duration;

use white_city_client::{End, Error, Hash, Session, SpecBuilder};

use crate::world::{PATIENCE, closed, post, spec, world, world_with};

/// More time than any of these tests takes.
const LONG: Duration = Duration::from_secs(600);
const OUTCOME: Hash = Hash([7; 32]);

/// A post without a broadcast, with a byte for each of these.
async fn send(session: &mut Session, round: u32, to: &[u16]) -> Result<(), Error> {
    let p2p = to.iter().map(|to| (*to, vec![1].into())).collect();
    session.post(round, Vec::new(), p2p).await
}

/// The expectation in the refusal of another round.
fn wrong(refused: Result<(), Error>) -> String {
    match refused {
        Err(Error::WrongRound { expected, .. }) => expected,
        other => panic!("{other:?}"),
    }
}

/// The part that is too large, and why.
fn too_large(refused: Result<(), Error>) -> (&'static str, &'static str) {
    match refused {
        Err(Error::TooLarge { what, limit, .. }) => (what, limit),
        other => panic!("{other:?}"),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn only_the_open_round_is_written_into_and_once() {
    let world = world().await;
    let id = world.open(spec(2)).await;
    let mut first = world.client(0).session(id).await.unwrap();
    first.join().await.unwrap();
    assert!(wrong(send(&mut first, 1, &[]).await).contains("joining"));
    assert!(wrong(first.finish(OUTCOME).await).contains("joining"));
    let mut second = world.client(1).session(id).await.unwrap();
    second.join().await.unwrap();
    let mut sessions = [first, second];
    closed(&mut sessions, 0).await;
    let expected = wrong(send(&mut sessions[0], 2, &[]).await);
    assert!(expected.contains("round 1, which is open"), "{expected}");
    post(&mut sessions[..1], 1).await;
    for round in [2, 3] {
        let expected = wrong(send(&mut sessions[0], round, &[]).await);
        assert!(expected.contains("this party has written"), "{expected}");
    }
    assert!(wrong(sessions[0].finish(OUTCOME).await).contains("has written"));
    let other = send(&mut sessions[0], 1, &[]).await;
    assert_eq!(other, Err(Error::Differs { round: 1 }));
    post(&mut sessions[1..], 1).await;
    closed(&mut sessions, 1).await;
    sessions[0].finish(OUTCOME).await.unwrap();
    sessions[0].finish(OUTCOME).await.unwrap();
    let other = sessions[0].finish(Hash([8; 32])).await;
    assert_eq!(other, Err(Error::Differs { round: 2 }));
    sessions[1].finish(OUTCOME).await.unwrap();
    let end = sessions[0].wait_end().await.unwrap();
    assert_eq!(end, End::Finished { outcome: OUTCOME });
}

#[tokio::test(flavor = "multi_thread")]
async fn what_has_no_room_or_no_recipient_is_refused_and_leaves_the_slot_free() {
    let large = 300_000;
    // Room for a broadcast, and for one payload beside it.
    let world = world_with(|app_state| app_state.params.max_tx = large + (32 << 10)).await;
    // Room for less than two large posts of each party.
    let room = 3 * (u64::from(large) + 64 * 1_024);
    let id = world
        .open(spec(3).payloads(large, 16 << 10).max_bytes(room))
        .await;
    let mut sessions = world.joined(id, 3).await;
    let first = &mut sessions[0];
    let large = large as usize;
    let refused = first.post(1, vec![1; large + 1], Vec::new()).await;
    assert_eq!(
        too_large(refused),
        ("the broadcast", "the spec's max_bcast")
    );
    let sealed = vec![(1, vec![1; (16 << 10) + 1].into())];
    let refused = first.post(1, Vec::new(), sealed).await;
    assert_eq!(too_large(refused).1, "the spec's max_p2p");
    let sealed = vec![(1, Vec::new().into())];
    let refused = first.post(1, Vec::new(), sealed).await;
    assert!(matches!(refused, Err(Error::Usage { .. })), "{refused:?}");
    for to in [&[0][..], &[1, 1], &[1, 2, 1], &[3]] {
        let refused = send(first, 1, to).await;
        assert!(
            matches!(refused, Err(Error::Recipient { to: wrong }) if wrong == to[0]),
            "{to:?}: {refused:?}"
        );
    }
    let both = vec![(1, vec![1; 16 << 10].into()), (2, vec![1; 16 << 10].into())];
    let refused = first.post(1, vec![1; large], both).await;
    assert_eq!(too_large(refused).1, "the genesis's max_tx");
    assert!(
        !sessions
            .iter()
            .any(|session| session.history().open_round() > 1)
    );
    // Nothing of all this was signed.
    for session in &mut sessions {
        session
            .post(1, vec![1; large - 1_024], Vec::new())
            .await
            .unwrap();
    }
    closed(&mut sessions, 1).await;
    let share = "what is left of this party's share of the spec's max_bytes";
    let refused = sessions[0]
        .post(2, vec![1; large - 1_024], Vec::new())
        .await;
    assert_eq!(too_large(refused), ("the entry", share));
    send(&mut sessions[0], 2, &[1, 2]).await.unwrap();
}

/// A session whose rounds close with two of three.
fn of_two(join: Duration, round: Duration) -> SpecBuilder {
    spec(3).quorum(2).times(join, round, LONG)
}

#[tokio::test(flavor = "multi_thread")]
async fn who_missed_a_round_is_out_and_nobody_seals_to_it() {
    let world = world().await;
    let id = world.open(of_two(LONG, Duration::from_secs(10))).await;
    let mut sessions = world.joined(id, 3).await;
    post(&mut sessions[..2], 1).await;
    closed(&mut sessions[..2], 1).await;
    assert_eq!(
        send(&mut sessions[0], 2, &[2]).await,
        Err(Error::Recipient { to: 2 })
    );
    sessions[2].sync().await.unwrap();
    let round = sessions[2].history().open_round();
    let refused = send(&mut sessions[2], round, &[]).await;
    assert_eq!(refused, Err(Error::Out { round }));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_party_leaves_once_and_writes_nothing_afterwards() {
    let world = world().await;
    let id = world.open(of_two(LONG, LONG)).await;
    let mut sessions = world.joined(id, 3).await;
    let leaver = &mut sessions[2];
    leaver.abort(5, None, Hash::ZERO).await.unwrap();
    // Another cause is no other word: what is on the board is what it said first.
    leaver.abort(6, None, Hash::ZERO).await.unwrap();
    let left = world.client(0).state(id).await.unwrap().left.clone();
    assert_eq!(left.len(), 1);
    assert_eq!(send(leaver, 1, &[]).await, Err(Error::Left));
    // A process that doesn't know of it sees it.
    let mut other = world.client(2).session(id).await.unwrap();
    other.sync().await.unwrap();
    assert!(other.has_left() && !other.has_signed());
    let waited = tokio::time::timeout(PATIENCE, other.wait_round_closed(1)).await;
    assert_eq!(waited.expect("not to wait"), Err(Error::Left));
    assert_eq!(other.finish(OUTCOME).await, Err(Error::Left));
}

#[tokio::test(flavor = "multi_thread")]
async fn after_the_end_nothing_is_signed_and_an_abort_after_an_own_finish_is_unknown() {
    let world = world().await;
    let id = world.open(spec(2)).await;
    let mut late = world.client(1).session(id).await.unwrap();
    let mut first = world.client(0).session(id).await.unwrap();
    first.join().await.unwrap();
    let mut other = world.client(1).session(id).await.unwrap();
    other.decline(1).await.unwrap();
    late.sync().await.unwrap();
    let refused = late.join().await;
    assert!(matches!(refused, Err(Error::Aborted(_))), "{refused:?}");
    assert!(!late.has_signed());

    let id = world.open(spec(2)).await;
    let mut sessions = world.joined(id, 2).await;
    post(&mut sessions[..1], 1).await;
    sessions[1].abort(1, None, Hash::ZERO).await.unwrap();
    sessions[0].sync().await.unwrap();
    // What it wrote isn't what stops it.
    let refused = send(&mut sessions[0], 2, &[]).await;
    assert!(matches!(refused, Err(Error::Aborted(_))), "{refused:?}");

    let id = world.open(spec(2)).await;
    let mut sessions = world.joined(id, 2).await;
    sessions[0].finish(OUTCOME).await.unwrap();
    sessions[1].abort(1, None, Hash::ZERO).await.unwrap();
    let seen = [
        sessions[0].wait_end().await.unwrap(),
        sessions[1].wait_end().await.unwrap(),
    ];
    assert!(
        matches!(seen, [End::Unknown(_), End::Aborted(_)]),
        "{seen:?}"
    );
}
