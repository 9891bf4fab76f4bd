//! Promise 10: a fork can't go on unnoticed. Here all replicas are malicious: two boards with the same genesis and the same
//! validator's key show two histories to two groups of parties.

mod world;

use std::time::Duration;

use white_city_client::{
    End, Error, Session,
    receipt::{Claim, ForkClaim},
    wire::{
        pb,
        tx::{Action, Post},
    },
};
use white_city_tests::complaints::complain_about;
use world::{Forked, Setup, Switch};

/// The longest that anything in these tests may take.
const PATIENCE: Duration = Duration::from_secs(60);

/// Runs one thing for each of several sessions at the same time.
async fn each<T>(sessions: &mut [Session], what: impl AsyncFn(&mut Session) -> T) -> Vec<T> {
    futures::future::join_all(sessions.iter_mut().map(|session| what(session))).await
}

async fn joined(forked: &Forked, group_a: &mut [Session], group_b: &mut [Session]) {
    for party in &forked.corrupt {
        let join = forked.join(*party).await;
        forked.a.submit(&join).await;
        forked.b.submit(&join).await;
    }
    let (joined_a, joined_b, ()) = tokio::join!(
        each(group_a, ready),
        each(group_b, ready),
        forked.relay_until_open(1),
    );
    for ready in joined_a.into_iter().chain(joined_b) {
        ready.unwrap();
    }
}

async fn ready(session: &mut Session) -> Result<(), Error> {
    session.join().await?;
    session.wait_ready().await
}

/// Round 1, after which the histories differ: the last corrupt party has posted one thing here and another thing there.
async fn fork_in_round_1(forked: &Forked, group_a: &mut [Session], group_b: &mut [Session]) {
    for (at, party) in forked.corrupt.iter().enumerate() {
        let last = at + 1 == forked.corrupt.len();
        for board in [&forked.a, &forked.b] {
            let word = if last { board.name } else { "the same" };
            let transcript = board.transcript(forked.id).await;
            let post = forked.post(*party, 1, transcript, word).await;
            board.submit(&post).await;
        }
    }
    let post = async |session: &mut Session| session.post(1, b"honest".to_vec(), vec![]).await;
    let (a, b, ()) = tokio::join!(
        each(group_a, post),
        each(group_b, post),
        forked.relay_until_open(2),
    );
    for posted in a.into_iter().chain(b) {
        posted.unwrap();
    }
    let liar = u16::from(*forked.corrupt.last().unwrap());
    for (group, word) in [(group_a, "a"), (group_b, "b")] {
        for session in group {
            let inbox = session.inbox(1).await.unwrap();
            assert_eq!(inbox.broadcasts[&liar], word.as_bytes(), "the fork is real");
        }
    }
}

/// Round 2 on both boards: the corrupt parties sign in both, and everything is carried to and fro.
async fn round_2(
    forked: &Forked,
    group_a: &mut [Session],
    group_b: &mut [Session],
) -> [Vec<Result<(), Error>>; 2] {
    for party in &forked.corrupt {
        for board in [&forked.a, &forked.b] {
            let transcript = board.transcript(forked.id).await;
            let post = forked.post(*party, 2, transcript, "after the fork").await;
            board.submit(&post).await;
        }
    }
    let act = async |session: &mut Session| -> Result<(), Error> {
        session.post(2, b"after the fork".to_vec(), vec![]).await?;
        // Only what is in an inbox is acted on.
        session.inbox(2).await.map(|_| ())
    };
    let (a, b, ()) = tokio::join!(
        each(group_a, act),
        each(group_b, act),
        forked.relay_until_over_or_open(3)
    );
    [a, b]
}

fn passed(results: &[Result<(), Error>]) -> usize {
    results.iter().filter(|result| result.is_ok()).count()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn neither_history_passes_when_the_honest_parties_are_split_evenly() {
    // 2m = 10 > n + t = 8: each history gets four entries of five that it needs.
    let forked = Forked::start(&Setup::six()).await;
    assert!(forked.spec.is_fork_safe());
    let (mut a, mut b) = (
        forked.a.sessions(&[0, 1]).await,
        forked.b.sessions(&[2, 3]).await,
    );
    joined(&forked, &mut a, &mut b).await;
    fork_in_round_1(&forked, &mut a, &mut b).await;
    let [in_a, in_b] = tokio::time::timeout(PATIENCE, round_2(&forked, &mut a, &mut b))
        .await
        .unwrap();
    assert_eq!((passed(&in_a), passed(&in_b)), (0, 0));
    for result in in_a.iter().chain(&in_b) {
        assert!(matches!(result, Err(Error::Aborted(_))), "{result:?}");
    }
    forked.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn at_most_one_history_passes_when_it_has_the_quorum() {
    let forked = Forked::start(&Setup::six()).await;
    let (mut a, mut b) = (
        forked.a.sessions(&[0, 1, 2]).await,
        forked.b.sessions(&[3]).await,
    );
    joined(&forked, &mut a, &mut b).await;
    fork_in_round_1(&forked, &mut a, &mut b).await;
    let [in_a, in_b] = tokio::time::timeout(PATIENCE, round_2(&forked, &mut a, &mut b))
        .await
        .unwrap();
    assert_eq!((passed(&in_a), passed(&in_b)), (3, 0));
    forked.stop().await;
}

/// Nobody signs an abort. Whoever has finished before doesn't believe that nobody else saw the session finished.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_abort_after_ones_own_finish_is_unknown() {
    let forked = Forked::start(&Setup::six()).await;
    let (mut a, mut b) = (
        forked.a.sessions(&[0, 1]).await,
        forked.b.sessions(&[2, 3]).await,
    );
    joined(&forked, &mut a, &mut b).await;
    fork_in_round_1(&forked, &mut a, &mut b).await;
    let finish = async |session: &mut Session| {
        session.finish(session.history().transcript()).await?;
        session.wait_end().await
    };
    let (a, b) = tokio::join!(each(&mut a, finish), each(&mut b, finish));
    for end in a.into_iter().chain(b) {
        assert!(
            matches!(end, Ok(End::Unknown(_)) | Err(Error::Unknown(_))),
            "{end:?}"
        );
    }
    forked.stop().await;
}

/// Why the bound is what it is: a spec that isn't fork-safe ends twice, and says so beforehand.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_spec_that_is_not_fork_safe_can_have_two_outcomes() {
    // 2m = 6 = n + t.
    let setup = Setup {
        n: 4,
        quorum: 3,
        corrupt: vec![2, 3],
        round_s: 15,
    };
    let forked = Forked::start(&setup).await;
    assert!(!forked.spec.is_fork_safe());
    let (mut a, mut b) = (forked.a.sessions(&[0]).await, forked.b.sessions(&[1]).await);
    joined(&forked, &mut a, &mut b).await;
    fork_in_round_1(&forked, &mut a, &mut b).await;
    for party in &forked.corrupt {
        for board in [&forked.a, &forked.b] {
            let transcript = board.transcript(forked.id).await;
            let finish = forked.finish(*party, 2, transcript).await;
            board.submit(&finish).await;
        }
    }
    let finish = async |session: &mut Session| {
        session.finish(session.history().transcript()).await?;
        session.wait_end().await
    };
    let (mut a, mut b) = tokio::join!(each(&mut a, finish), each(&mut b, finish));
    let (a, b) = (a.remove(0).unwrap(), b.remove(0).unwrap());
    assert!(matches!(
        (&a, &b),
        (End::Finished { .. }, End::Finished { .. })
    ));
    assert_ne!(a, b);
    forked.stop().await;
}

/// A party that is shown the one history and then the other stops, signs nothing for the other, and can prove it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_party_that_sees_both_histories_stops_with_a_proof() {
    let forked = Forked::start(&Setup::six()).await;
    let (mut a, mut b) = (
        forked.a.sessions(&[1]).await,
        forked.b.sessions(&[2, 3]).await,
    );
    // Whoever stands between it and the boards shows it the first one, and then the other.
    let switch = Switch::start(&forked.a).await;
    a.push(forked.session_through(&switch, 0).await);
    joined(&forked, &mut a, &mut b).await;
    fork_in_round_1(&forked, &mut a, &mut b).await;
    let mut both = a.pop().unwrap();
    switch.turn_to(&forked.b);
    let stopped = tokio::time::timeout(PATIENCE, both.inbox(2)).await.unwrap();
    let stopped = stopped.unwrap_err();
    let Error::Fork(fork) = &stopped else {
        panic!("{stopped}");
    };
    assert!(matches!(
        fork.proof.as_ref().and_then(|proof| proof.fork.as_ref()),
        Some(pb::fork_receipt::Fork::Session(_) | pb::fork_receipt::Fork::Headers(_))
    ));
    let refused = both
        .post(2, b"for the other history".to_vec(), vec![])
        .await;
    assert_eq!(refused.unwrap_err(), stopped, "it never writes again");
    let unsigned = both.submission_receipt(2).await;
    assert_eq!(unsigned.err(), Some(Error::NoJournal { round: 2 }));
    assert!(!forked.b.filled(forked.id).await.contains(0));
    forked.stop().await;
}

/// A party remembers over a restart what it has signed for: it isn't led into another history, and can prove it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_party_that_comes_back_to_another_history_stops_with_a_proof() {
    let forked = Forked::start(&Setup::six()).await;
    let dir = tempfile::tempdir().unwrap();
    let journal = dir.path().join("journal");
    let (mut a, mut b) = (
        forked.a.sessions(&[1]).await,
        forked.b.sessions(&[2, 3]).await,
    );
    a.push(forked.a.resumed(0, &journal).await.unwrap());
    joined(&forked, &mut a, &mut b).await;
    fork_in_round_1(&forked, &mut a, &mut b).await;
    let mut first = a.pop().unwrap();
    first.post(2, b"signed".to_vec(), vec![]).await.unwrap();
    drop(first);
    // Where the other board isn't as high yet, it is waited for.
    let stopped = tokio::time::timeout(PATIENCE, forked.b.resumed(0, &journal)).await;
    let stopped = stopped.unwrap().err().unwrap();
    let Error::Fork(fork) = &stopped else {
        panic!("{stopped}");
    };
    let trust = forked.client_of_both(0).trust().clone();
    let proven = fork.receipt(&trust).unwrap().verify(&trust).unwrap();
    assert!(matches!(
        proven.claim,
        Claim::Fork(ForkClaim::Session { round: 2, .. })
    ));
    assert!(!forked.b.filled(forked.id).await.contains(0));
    // Its own history it goes on with.
    let mut first = forked.a.resumed(0, &journal).await.unwrap();
    first.post(2, b"signed".to_vec(), vec![]).await.unwrap();
    forked.stop().await;
}

/// Both boards have one history, but one of them is a round behind: a party that has finished on the other one comes back and is
/// shown an earlier round at a later height.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_party_that_is_shown_an_earlier_round_again_stops_with_a_proof_of_that() {
    let patient = Setup {
        round_s: 30,
        ..Setup::six()
    };
    let forked = Forked::start(&patient).await;
    let dir = tempfile::tempdir().unwrap();
    let journal = dir.path().join("journal");
    let mut a = forked.a.sessions(&[1, 2, 3]).await;
    a.push(forked.a.resumed(0, &journal).await.unwrap());
    joined(&forked, &mut a, &mut []).await;
    for party in &forked.corrupt {
        let before = forked.a.transcript(forked.id).await;
        let post = forked.post(*party, 1, before, "the same").await;
        forked.a.submit(&post).await;
        forked.b.submit(&post).await;
    }
    let post = async |session: &mut Session| session.post(1, b"honest".to_vec(), vec![]).await;
    let (posted, ()) = tokio::join!(each(&mut a, post), forked.relay_until_open(2));
    assert_eq!(passed(&posted), 4);
    // Round 2 closes on one board only.
    for party in &forked.corrupt {
        let before = forked.a.transcript(forked.id).await;
        let post = forked.post(*party, 2, before, "here only").await;
        forked.a.submit(&post).await;
    }
    let post = async |session: &mut Session| {
        session.wait_round_closed(1).await?;
        session.post(2, b"honest".to_vec(), vec![]).await?;
        session.wait_round_closed(2).await
    };
    let posted = each(&mut a, post).await;
    assert_eq!(passed(&posted), 4, "{posted:?}");
    let mut first = a.pop().unwrap();
    let transcript = first.history().transcript();
    first.finish(transcript).await.unwrap();
    drop(first);
    // What is shown from now on becomes higher than what was shown before.
    forked.a.stop().await;
    let resumed = tokio::time::timeout(PATIENCE, forked.b.resumed(0, &journal)).await;
    let stopped = resumed.unwrap().err().unwrap();
    let Error::Fork(fork) = &stopped else {
        panic!("{stopped}");
    };
    let trust = forked.client_of_both(0).trust().clone();
    let proven = fork.receipt(&trust).unwrap().verify(&trust).unwrap();
    let is_it = matches!(
        proven.claim,
        // The latter where both were of one height.
        Claim::Fork(ForkClaim::Back { rounds: [3, 2], .. } | ForkClaim::Headers { .. })
    );
    assert!(is_it, "{proven}");
    forked.stop().await;
}

/// A payload is bad in one history, where its sender posted something else than in the other: the complaint names the post,
/// so that nobody can carry it over.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_complaint_is_about_one_history_and_the_other_board_refuses_it() {
    let forked = Forked::start(&Setup::six()).await;
    let (mut a, mut b) = (
        forked.a.sessions(&[0, 1]).await,
        forked.b.sessions(&[2, 3]).await,
    );
    joined(&forked, &mut a, &mut b).await;
    let before = forked.a.transcript(forked.id).await;
    let sealed_bytes = usize::try_from(forked.spec.kem.ciphertext_bytes_min()).unwrap();
    let unreadable = vec![(0, vec![7; sealed_bytes])];
    let bad = Post::new(forked.id, 1, (5, 6), before, vec![], unreadable);
    let signed = forked.signed(5, Action::Post(bad.clone())).await;
    assert!(forked.a.submit(&signed).await);
    let other = forked.post(5, 1, before, "b").await;
    assert!(forked.b.submit(&other).await);
    let same = forked.post(4, 1, before, "the same").await;
    for board in [&forked.a, &forked.b] {
        assert!(board.submit(&same).await);
    }
    let post = async |session: &mut Session| session.post(1, b"honest".to_vec(), vec![]).await;
    let (_, _, ()) = tokio::join!(
        each(&mut a, post),
        each(&mut b, post),
        forked.relay_until_open(2),
    );
    let payload = Error::Payload { from: 5, round: 1 };
    assert_eq!(a[0].inbox(1).await.unwrap_err(), payload);
    b[0].inbox(1).await.unwrap();
    a[0].complain(1, 5).await.unwrap();
    let complain = complain_about(&bad, 0, 6).unwrap();
    let dispute = a[0].now().unwrap().leaf.dispute;
    assert_eq!(dispute, complain.digest());
    let complaint = forked.signed(0, Action::Complain(complain)).await;
    assert!(forked.a.submit(&complaint).await, "it has it already");
    assert!(!forked.b.submit(&complaint).await);
    b[0].sync().await.unwrap();
    assert_eq!((b[0].dispute(), b[0].end()), (None, None));
    forked.stop().await;
}

/// Two replicas that show different histories give themselves away to whoever asks both.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_client_that_knows_both_boards_finds_out_at_once() {
    let forked = Forked::start(&Setup::six()).await;
    let client = forked.client_of_both(0);
    let found = async {
        loop {
            if let Err(Error::Fork(fork)) = client.status().await {
                return fork;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    let fork = tokio::time::timeout(PATIENCE, found).await.unwrap();
    assert!(matches!(
        fork.proof.as_ref().and_then(|proof| proof.fork.as_ref()),
        Some(pb::fork_receipt::Fork::Headers(_))
    ));
    forked.stop().await;
}
