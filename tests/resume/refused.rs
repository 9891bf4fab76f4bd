//! Deeds that a party repeats after a crash, and those that it never repeats.

use std::{path::Path, time::Duration};

use white_city_client::{
    Client, End, Error, Hash, Inbox, Session, SessionId, Signer, SpecBuilder, journal::JournalError,
};
use white_city_tests::{rng::Rng, tampering};

use crate::{
    gate::{Gate, When},
    world::{PATIENCE, World, world},
};

/// Rounds of the longest session: more than a reader keeps.
const ROUNDS: u32 = 7;

async fn open(world: &World, parties: usize) -> SessionId {
    let roster = (0..parties).map(|party| world.key(party).identity());
    let spec = SpecBuilder::new("white-city/test", 1, roster.collect())
        .max_rounds(ROUNDS + 1)
        .payloads(64, 128)
        .build()
        .unwrap();
    world.client().open(spec).await.unwrap()
}

fn client(world: &World, party: usize, url: &str) -> Client {
    let builder = Client::builder(world.trust()).replicas([url.to_owned(), world.url()]);
    let builder = builder.signer(world.key(party));
    builder.timeout(Duration::from_secs(5)).build().unwrap()
}

pub async fn resume(world: &World, party: usize, id: SessionId) -> Session {
    try_resume(world, party, id, &world.url()).await.unwrap()
}

async fn try_resume(
    world: &World,
    party: usize,
    id: SessionId,
    url: &str,
) -> Result<Session, Error> {
    let client = client(world, party, url);
    client.resume(id, &world.file(party, "journal")).await
}

async fn ready(session: &mut Session) {
    session.join().await.unwrap();
    session.wait_ready().await.unwrap();
}

fn word(round: u32, from: u16, to: u16) -> Vec<u8> {
    format!("round {round} from {from} to {to}").into_bytes()
}

pub async fn post(session: &mut Session, round: u32) -> Result<(), Error> {
    let me = session.index();
    let others = (0..session.n()).filter(|to| *to != me);
    let p2p = others.map(|to| (to, word(round, me, to).into())).collect();
    session.post(round, word(round, me, me), p2p).await
}

async fn assert_inbox(session: &mut Session, round: u32) {
    let inbox = session.inbox(round).await.unwrap();
    assert_eq!(inbox.round, round);
    assert_is_inbox(session, &inbox);
}

fn assert_is_inbox(session: &Session, inbox: &Inbox) {
    let (me, n, round) = (session.index(), session.n(), inbox.round);
    assert_eq!(inbox.posted, (0..n).collect::<Vec<_>>());
    for from in 0..n {
        assert_eq!(inbox.broadcasts[&from], word(round, from, from));
        if from != me {
            assert_eq!(inbox.p2p[&from].as_slice(), word(round, from, me));
        }
    }
}

/// `None` where all replicas lied about one question.
fn truth<T>(result: Result<T, Error>) -> Option<T> {
    match result {
        Ok(value) => Some(value),
        Err(Error::ReplicaLied { .. } | Error::Unreachable(_) | Error::Behind { .. }) => None,
        Err(other) => panic!("{other}"),
    }
}

async fn again<T>(ask: impl AsyncFn() -> Result<T, Error>) -> T {
    loop {
        if let Some(value) = truth(ask().await) {
            return value;
        }
    }
}

/// Two parties that have joined, with journals.
pub async fn two(world: &World) -> (SessionId, Session, Session) {
    let id = open(world, 2).await;
    let mut first = resume(world, 0, id).await;
    let mut second = resume(world, 1, id).await;
    tokio::join!(ready(&mut first), ready(&mut second));
    (id, first, second)
}

async fn finish(session: &mut Session) {
    session.finish(Hash([7; 32])).await.unwrap();
    let end = session.wait_end().await.unwrap();
    assert!(matches!(end, End::Finished { .. }), "{end:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_signed_before_a_crash_is_posted_and_nothing_else() {
    let world = world().await;
    let (id, first, mut second) = two(&world).await;
    drop(first);
    // Nobody but the party knows what it signed for round 1.
    let gate = Gate::start(&world.url(), 0, When::BeforeSending).await;
    let only_gate = Client::builder(world.trust()).replicas([gate.url()]);
    let only_gate = only_gate.signer(world.key(0)).build().unwrap();
    let journal = world.file(0, "journal");
    let mut first = only_gate.resume(id, &journal).await.unwrap();
    tokio::select! {
        () = gate.caught() => {}
        posted = post(&mut first, 1) => panic!("{posted:?}"),
    }
    drop(first);

    let mut first = resume(&world, 0, id).await;
    let other = first.post(1, b"something else".to_vec(), vec![]).await;
    assert_eq!(other, Err(Error::Differs { round: 1 }));
    let fewer = first.post(1, word(1, 0, 0), vec![]).await;
    assert_eq!(fewer, Err(Error::Differs { round: 1 }));
    let secret = vec![(1, b"another secret".to_vec().into())];
    let other = first.post(1, word(1, 0, 0), secret).await;
    assert_eq!(other, Err(Error::Differs { round: 1 }));
    post(&mut first, 1).await.unwrap();
    post(&mut second, 1).await.unwrap();
    assert_inbox(&mut first, 1).await;
    finish_both(&mut first, &mut second).await;
    world.assert_nobody_is_blamed(id).await;
    world.net.stop().await.unwrap();
}

async fn finish_both(first: &mut Session, second: &mut Session) {
    tokio::join!(finish(first), finish(second));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_journal_is_used_by_one_handle_and_lasts_until_the_end() {
    let world = world().await;
    let (id, first, mut second) = two(&world).await;
    let locked = try_resume(&world, 0, id, &world.url()).await.err();
    assert!(
        matches!(locked, Some(Error::Journal(JournalError::Locked { .. }))),
        "{locked:?}"
    );
    let drawn = first.randomness("nonces");
    assert_ne!(*drawn, *first.randomness("other"));
    assert_ne!(*drawn, *second.randomness("nonces"));
    drop(first);
    let first = resume(&world, 0, id).await;
    assert_eq!(*drawn, *first.randomness("nonces"));
    let kept = first.forget();
    assert!(matches!(kept, Err(Error::Usage { .. })), "{kept:?}");
    let mut first = resume(&world, 0, id).await;
    finish_both(&mut first, &mut second).await;
    first.forget().unwrap();
    assert!(!world.file(0, "journal").exists());
    assert!(world.file(1, "journal").exists());
    world.net.stop().await.unwrap();
}

/// A copy is what no lock can see. It doesn't write where it has no memory of having written.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_journal_from_a_snapshot_stops_where_it_has_forgotten_what_was_sent() {
    let world = world().await;
    let (id, mut first, mut second) = two(&world).await;
    let (journal, copy) = (world.file(0, "journal"), world.file(0, "copy"));
    std::fs::copy(&journal, &copy).unwrap();
    post(&mut first, 1).await.unwrap();
    drop(first);
    restore(&copy, &journal);
    let mut old = resume(&world, 0, id).await;
    let refused = post(&mut old, 1).await;
    assert!(
        matches!(
            refused,
            Err(Error::NoJournal { round: 1 } | Error::SlotTaken { round: 1, .. })
        ),
        "{refused:?}"
    );
    drop(old);
    post(&mut second, 1).await.unwrap();
    second.wait_round_closed(1).await.unwrap();
    let mut old = resume(&world, 0, id).await;
    let refused = post(&mut old, 2).await;
    assert!(
        matches!(refused, Err(Error::NoJournal { round: 1 })),
        "{refused:?}"
    );
    drop(old);
    // Without any memory of having joined, it neither writes nor reads what was sealed to it.
    std::fs::remove_file(&journal).unwrap();
    let mut none = resume(&world, 0, id).await;
    assert_eq!(none.join().await, Err(Error::NoJournal { round: 0 }));
    let unread = none.inbox(1).await.err();
    assert_eq!(unread, Some(Error::NoJournal { round: 0 }));
    world.assert_nobody_is_blamed(id).await;
    world.net.stop().await.unwrap();
}

/// Two copies at once, which nothing saves from speaking against themselves: the round has closed with what the first one wrote when
/// the other one looks.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_finds_another_entry_in_its_closed_slot_never_writes_again() {
    let world = world().await;
    let id = open(&world, 1).await;
    let mut first = resume(&world, 0, id).await;
    ready(&mut first).await;
    let copy = world.file(0, "copy");
    std::fs::copy(world.file(0, "journal"), &copy).unwrap();
    let mut other = client(&world, 0, &world.url())
        .resume(id, &copy)
        .await
        .unwrap();
    post(&mut first, 1).await.unwrap();
    first.wait_round_closed(1).await.unwrap();
    let lost = other.post(1, b"another".to_vec(), Vec::new()).await;
    assert!(
        matches!(lost, Err(Error::SlotTaken { round: 1, .. })),
        "{lost:?}"
    );
    assert_eq!(other.history().open_round(), 2);
    assert_eq!(post(&mut other, 2).await, lost);
    assert_eq!(other.finish(Hash([7; 32])).await, lost);
    world.net.stop().await.unwrap();
}

/// A journal is a party's only memory: whoever can't look at the board leaves it as it is.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_journal_stays_when_nobody_is_reached() {
    let world = world().await;
    let (id, first, mut second) = two(&world).await;
    drop(first);
    let (journal, fresh) = (world.file(0, "journal"), world.file(0, "fresh"));
    let kept = std::fs::read(&journal).unwrap();
    let nobody = Client::builder(world.trust()).replicas(["http://127.0.0.1:1".to_owned()]);
    let nobody = nobody.signer(world.key(0)).build().unwrap();
    for path in [&journal, &fresh] {
        let unreached = nobody.resume(id, path).await.err();
        let is_so = matches!(unreached, Some(Error::Unreachable(_)));
        assert!(is_so, "{unreached:?}");
    }
    assert_eq!(std::fs::read(&journal).unwrap(), kept);
    assert!(!fresh.exists(), "nothing was written into it");
    let mut first = resume(&world, 0, id).await;
    finish_both(&mut first, &mut second).await;
    world.net.stop().await.unwrap();
}

fn restore(copy: &Path, journal: &Path) {
    std::fs::copy(copy, journal).unwrap();
}

/// Rounds that closed long ago come from the board again, and replicas may lie about them.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn old_rounds_are_read_again_beside_a_replica_that_lies() {
    let world = world().await;
    let (id, mut first, mut second) = two(&world).await;
    for round in 1..=ROUNDS {
        post(&mut first, round).await.unwrap();
        post(&mut second, round).await.unwrap();
        first.wait_round_closed(round).await.unwrap();
        second.wait_round_closed(round).await.unwrap();
    }
    drop(first);
    // What can be changed in a round that has closed.
    let kinds = ["inbox-", "post-", "broadcast", "p2p", "ciphertext"];
    let mut ways = tampering::mutators();
    ways.retain(|way| kinds.iter().any(|kind| way.name.starts_with(kind)));
    let mut liars = Vec::new();
    for seed in [1, 2] {
        let anywhere = ([127, 0, 0, 1], 0).into();
        let board = world.url();
        let liar = tampering::Proxy::start(&board, anywhere, seed)
            .await
            .unwrap();
        liar.tamper(&ways, 60);
        liars.push(liar);
    }
    let both = Client::builder(world.trust()).replicas(liars.iter().map(tampering::Proxy::url));
    let both = both.signer(world.key(0)).build().unwrap();
    // Both may lie about the same question: then it is asked again.
    let journal = world.file(0, "journal");
    let mut first = again(async || both.resume(id, &journal).await).await;
    for round in 1..=ROUNDS {
        post(&mut first, round).await.unwrap();
    }
    // The last rounds are in memory, the first ones are read each time.
    for round in (1..=ROUNDS - 4).cycle().take(60) {
        let inbox = loop {
            if let Some(inbox) = truth(first.inbox(round).await) {
                break inbox;
            }
        };
        assert_is_inbox(&first, &inbox);
    }
    let lies = liars.iter().map(|liar| liar.counts().values().sum::<u64>());
    assert!(lies.sum::<u64>() > 40);
    drop(first);
    let mut first = resume(&world, 0, id).await;
    finish_both(&mut first, &mut second).await;
    world.net.stop().await.unwrap();
}

/// Dropping a future is cancelling it, wherever it is.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whatever_is_cancelled_can_be_asked_for_again() {
    let world = world().await;
    let id = open(&world, 2).await;
    let mut rng = Rng::new(11);
    let mut cancelled = 0;
    let mut sessions = [resume(&world, 0, id).await, resume(&world, 1, id).await];
    for step in 0..=ROUNDS {
        let [first, second] = &mut sessions;
        let mut done = [false, false];
        while done != [true, true] {
            for (session, done) in [&mut *first, &mut *second].into_iter().zip(&mut done) {
                let patience = Duration::from_micros(rng.below(4_000));
                let work = async {
                    match step {
                        0 => session.join().await,
                        round => post(session, round).await,
                    }
                };
                match tokio::time::timeout(patience, work).await {
                    Ok(result) => {
                        result.unwrap();
                        *done = true;
                    }
                    Err(_) => cancelled += 1,
                }
            }
        }
        for session in &mut sessions {
            let waited = session.wait_round_closed(step);
            tokio::time::timeout(PATIENCE, waited)
                .await
                .unwrap()
                .unwrap();
        }
    }
    assert!(cancelled > 5, "{cancelled}");
    let [first, second] = &mut sessions;
    for round in 1..=ROUNDS {
        assert_inbox(first, round).await;
        assert_inbox(second, round).await;
    }
    finish_both(first, second).await;
    world.assert_nobody_is_blamed(id).await;
    world.net.stop().await.unwrap();
}
