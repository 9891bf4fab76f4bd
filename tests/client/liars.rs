//! Parties among replicas of which one lies, is old, or says nothing.

use std::time::Duration;

use white_city_client::{
    Client, End, Error, Hash, SessionId,
    wire::{SignedTx, tx::Action},
};
use white_city_tests::tampering::{Change, Mutator, Proxy, Sort, mutators, named};

use crate::world::{PATIENCE, World, closed, key, post, spec, until, world};

fn of(name: &str) -> Mutator {
    named(name).unwrap()
}

/// A session of three that has two closed rounds and its third open, for which two have posted.
async fn a_session(world: &World) -> SessionId {
    let id = world.open(spec(3).quorum(2)).await;
    let mut sessions = world.joined(id, 3).await;
    for round in 1..=2 {
        post(&mut sessions, round).await;
        closed(&mut sessions, round).await;
    }
    post(&mut sessions[..1], 3).await;
    id
}

/// Observation of a session by a client that asks the liar first.
async fn observed(client: &Client, id: SessionId) -> Result<Hash, Error> {
    let observer = client.observe(id).await?;
    Ok(observer.history().transcript())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_replica_that_tampers_in_any_way_is_named_and_passed_over() {
    let world = world().await;
    let id = a_session(&world).await;
    let honest = observed(&world.client(0), id).await.unwrap();
    let proxy = world.proxy().await;
    // So that it remembers answers that it can give in the wrong place.
    observed(&world.client_of(&[proxy.url()], 0), id)
        .await
        .unwrap();
    let (mut named, mut applied) = (0, 0);
    for mutator in mutators() {
        if matches!(mutator.change, Change::Transport(_)) {
            continue;
        }
        proxy.tamper(&[mutator], 100);
        let alone = world.client_of(&[proxy.url()], 0);
        let before = proxy.count(&mutator);
        let told = observed(&alone, id).await;
        if proxy.count(&mutator) == before {
            assert_eq!(told, Ok(honest), "{mutator:?}");
            continue;
        }
        applied += 1;
        // Whoever believes nothing that is wrong either learns the truth or nothing.
        assert!(told.is_err() || told == Ok(honest), "{mutator:?}: {told:?}");
        let lies = alone.lies();
        // Some headers can't be read at all.
        let is_silence = matches!(mutator.change, Change::Header(_))
            && matches!(told, Err(Error::Unreachable(_)));
        if mutator.sort == Sort::Lie && told.is_err() && !is_silence {
            // The only one there is might as well be right, and the genesis wrong.
            let is_strange = matches!(mutator.change, Change::Header(_))
                && matches!(told, Err(Error::OtherNetwork { .. }));
            assert!(
                is_strange || matches!(told, Err(Error::ReplicaLied { .. })),
                "{mutator:?}: {told:?}"
            );
            assert_eq!(lies[0].replica, proxy.url(), "{mutator:?}");
            named += 1;
        }
        let among_others = world.client_of(&[proxy.url(), world.url()], 0);
        assert_eq!(observed(&among_others, id).await, Ok(honest), "{mutator:?}");
        assert!(
            among_others
                .lies()
                .iter()
                .all(|lie| lie.replica == proxy.url())
        );
    }
    println!("{applied} ways were applied, {named} named as lies");
    assert!(
        named >= 60 && applied >= 80,
        "{applied} applied, {named} named"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_replica_that_changes_a_broadcast_is_passed_over_for_an_honest_one() {
    let world = world().await;
    let id = a_session(&world).await;
    let liar = world.proxy().await;
    liar.tamper(&[of("broadcast")], 100);
    let alone = observed(&world.client_of(&[liar.url()], 0), id).await;
    let is_it = |error: &Error| matches!(error, Error::ReplicaLied { what, .. } if what.contains("broadcast"));
    assert!(alone.as_ref().is_err_and(is_it), "{alone:?}");
    // Whichever answers first is asked for the round: the liar, sooner or later.
    until("the liar to be asked", async || {
        let client = world.client_of(&[liar.url(), world.url()], 0);
        let observer = client.observe(id).await.unwrap();
        assert_eq!(observer.history().open_round(), 3);
        assert_eq!(observer.now().unwrap().replica(), world.url());
        let lies = client.lies();
        lies.first().is_some_and(|lie| {
            assert_eq!(lie.replica, liar.url());
            !lie.question.is_empty() && !lie.answer.is_empty()
        })
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn one_replica_alone_can_neither_end_a_session_nor_take_a_slot_nor_name_a_culprit() {
    let world = world().await;
    let id = world.open(spec(3)).await;
    let liar = world.proxy().await;
    for name in [
        "terminal-added",
        "leaf-status",
        "slots",
        "culprit-added",
        "leaver-added",
        "leaf-open-round",
    ] {
        liar.tamper(&[of(name)], 100);
        let alone = observed(&world.client_of(&[liar.url()], 0), id).await;
        assert!(
            matches!(alone, Err(Error::ReplicaLied { .. })),
            "{name}: {alone:?}"
        );
        let client = world.client_of(&[liar.url(), world.url()], 0);
        let observer = client.observe(id).await.unwrap();
        assert_eq!(observer.end(), None);
        let now = observer.now().unwrap();
        assert!(
            now.accused.is_empty() && now.left.is_empty() && now.filled().count() == 0,
            "{name}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_process_that_remembers_nothing_does_not_write_where_its_party_has_joined() {
    let world = world().await;
    let id = world.open(spec(3).quorum(2)).await;
    let mut sessions = world.joined(id, 3).await;
    post(&mut sessions[..2], 1).await;
    let watched = world.proxy().await;
    let mut again = world
        .client_of(&[watched.url()], 0)
        .session(id)
        .await
        .unwrap();
    let refused = Error::NoJournal { round: 0 };
    assert_eq!(again.join().await, Err(refused.clone()));
    assert_eq!(again.post(1, b"x".to_vec(), Vec::new()).await, Err(refused));
    assert!(watched.sent().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_bytes_are_sent_until_the_board_shows_them() {
    let world = world().await;
    let id = world.open(spec(2)).await;
    let replica = world.proxy().await;
    replica.tamper(&[of("tx-swallowed")], 100);
    let mut session = world
        .client_of(&[replica.url()], 1)
        .session(id)
        .await
        .unwrap();
    // On another thread: handles and their futures may be sent.
    let joining = tokio::spawn(async move { session.join().await.map(|()| session) });
    until("three times the same", async || replica.sent().len() >= 3).await;
    assert!(!joining.is_finished());
    replica.be_honest();
    let mut session = joining.await.unwrap().unwrap();
    let sent = replica.sent();
    assert!(sent.iter().all(|tx| *tx == sent[0]));
    assert_eq!(session.join().await, Ok(()));
    assert_eq!(
        replica.sent().len(),
        sent.len(),
        "joining again sends nothing"
    );
    let tx = SignedTx::decode(&sent[0]).unwrap();
    assert!(matches!(tx.unverified_action(), Action::Join(join) if join.index == 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn one_replica_alone_can_not_stop_the_sending_with_a_refusal() {
    let world = world().await;
    let id = world.open(spec(2)).await;
    let refusing = world.proxy().await;
    refusing.tamper(&[of("tx-refused")], 100);
    let urls = [refusing.url(), world.url()];
    let mut session = world.client_of(&urls, 1).session(id).await.unwrap();
    assert_eq!(session.join().await, Ok(()));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_loser_of_a_race_to_join_never_writes_again() {
    let world = world().await;
    let id = world.open(spec(2)).await;
    let held_up = world.proxy().await;
    held_up.tamper(&[of("tx-swallowed")], 100);
    let mut loser = world
        .client_of(&[held_up.url()], 1)
        .session(id)
        .await
        .unwrap();
    let winner = world.client(1).session(id).await.unwrap();
    let (lost, won) = {
        let mut winner = winner;
        let winning = async {
            until("the loser to have signed", async || {
                !held_up.sent().is_empty()
            })
            .await;
            winner.join().await
        };
        tokio::join!(loser.join(), winning)
    };
    assert_eq!(won, Ok(()));
    assert!(
        matches!(lost, Err(Error::SlotTaken { round: 0, .. })),
        "{lost:?}"
    );
    let sent = held_up.sent().len();
    assert_eq!(loser.join().await, lost);
    assert_eq!(
        loser.post(1, Vec::new(), Vec::new()).await.err(),
        lost.clone().err()
    );
    assert_eq!(loser.finish(Hash::ZERO).await, lost);
    assert_eq!(held_up.sent().len(), sent);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lie_is_not_fatal_as_long_as_another_replica_might_answer() {
    let world = world().await;
    let id = a_session(&world).await;
    let (liar, other) = (world.proxy().await, world.proxy().await);
    let both = [liar.url(), other.url()];
    let mut observer = world.client_of(&both, 0).observe(id).await.unwrap();
    let mut alone = world.client_of(&both[..1], 0).observe(id).await.unwrap();
    liar.tamper(&[of("slots")], 100);
    other.tamper(&[of("withheld-error")], 100);
    assert_eq!(observer.sync().await, Ok(()));
    assert!(matches!(alone.sync().await, Err(Error::ReplicaLied { .. })));
}

#[tokio::test(flavor = "multi_thread")]
async fn strangers_and_unknown_sessions_are_told_apart() {
    let world = world().await;
    let id = world.open(spec(2)).await;
    let stranger = world.client(9).session(id).await;
    assert!(matches!(stranger.err(), Some(Error::NotMember { .. })));
    let unknown = world.client(0).session(SessionId([7; 32])).await;
    assert!(matches!(unknown.err(), Some(Error::UnknownSession(_))));
    let nobody = Client::builder(world.trust())
        .replicas(["http://127.0.0.1:1"])
        .signer(key(0));
    let unreachable = nobody.build().unwrap().observe(id).await;
    assert!(matches!(unreachable.err(), Some(Error::Unreachable(faults)) if faults.len() == 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_beside_a_replica_that_lies_in_every_way_at_once_ends_right() {
    let world = world().await;
    let id = world.open(spec(3)).await;
    let liar: Proxy = world.proxy().await;
    let fast: Vec<Mutator> = mutators()
        .into_iter()
        .filter(|mutator| !["slow", "endless"].contains(&mutator.name))
        .collect();
    liar.tamper(&fast, 60);
    let urls = [liar.url(), world.url()];
    let mut parties = tokio::task::JoinSet::new();
    for party in 0..3 {
        let mut session = world.client_of(&urls, party).session(id).await.unwrap();
        parties.spawn(async move {
            session.join().await.unwrap();
            session.wait_ready().await.unwrap();
            for round in 1..=3 {
                post(std::slice::from_mut(&mut session), round).await;
                assert_eq!(session.inbox(round).await.unwrap().broadcasts.len(), 3);
            }
            session.finish(Hash([5; 32])).await.unwrap();
            session.wait_end().await.unwrap()
        });
    }
    let ended = tokio::time::timeout(Duration::from_secs(60), parties.join_all())
        .await
        .unwrap();
    assert!(
        ended.iter().all(|end| matches!(end, End::Finished { .. })),
        "{ended:?}"
    );
    // Parties that hear nothing but the truth from the other one hardly ask the liar: then it gets its occasion now.
    let occasion = async {
        while liar.counts().is_empty() {
            let observer = world.client_of(&urls, 0).observe(id).await.unwrap();
            assert!(matches!(observer.end(), Some(End::Finished { .. })));
        }
    };
    tokio::time::timeout(PATIENCE, occasion).await.unwrap();
}
