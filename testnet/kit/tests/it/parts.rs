//! Posts that are larger than one on the board, and parties that lie about how much comes.

use std::{collections::BTreeMap, path::Path, time::Duration};

use white_city_client::{
    Client, End, Error, Hash, Inbox, RoundBytes, Session, SessionId, Spec, SpecBuilder,
    delivery::{
        DeliveryError, RunError,
        round_based::{Delivery as _, Mpc as _, MpcParty, Outgoing},
    },
    parts::{BadName, BadPart, Parts, Payloads},
    wire::hash::{Preimage, sha256},
};
use white_city_kit::{Board, Crashing, Faults, Party};

use futures::{SinkExt as _, StreamExt as _};

/// The largest broadcast and plaintext of a part in these tests, bytes.
const PART: (u32, u32) = (66, 64);
/// Bytes of a broadcast that a part holds.
const BYTES: usize = 64;
/// Most parts of one post.
const MOST: u16 = 4;

/// A spec for protocols of this many rounds, whose posts have up to four parts.
fn in_parts(board: &Board, n: u16, rounds: usize) -> SpecBuilder {
    let size = RoundBytes {
        broadcast: 4 * 64,
        p2p: 4 * 64,
    };
    board
        .spec("kit/parts", n)
        .payloads(PART.0, PART.1)
        .any_size(&vec![size; rounds])
}

/// Bytes that a party says in a round.
fn words(from: u16, round: u32, length: usize) -> Vec<u8> {
    let of = |place: u32| {
        let word = Preimage::new("kit/words").u16(from).u32(round);
        word.u32(place).finish().0
    };
    (0..).flat_map(of).take(length).collect()
}

fn to_all(n: u16, me: u16, bytes: &[u8]) -> Payloads {
    let others = (0..n).filter(|to| *to != me);
    others.map(|to| (to, bytes.to_vec().into())).collect()
}

async fn finish(session: &mut Session) -> Result<End, Error> {
    session.finish(Hash([7; 32])).await?;
    session.wait_end().await
}

fn result<T>(results: Vec<Result<T, Error>>) -> Vec<T> {
    results.into_iter().map(Result::unwrap).collect()
}

#[tokio::test]
async fn posts_of_several_parts_arrive_whole_and_small_ones_take_one_round() {
    let board = Board::solo().await.unwrap();
    // A part with a broadcast that fills it, and payloads for two others of which each fills it, too, take the same room.
    let lengths = [0, 1, 63, 64, 65, 200, 256];
    let spec = in_parts(&board, 3, 8);
    let results = board.run(spec, async |party: &mut Party| {
        let session = &mut party.session;
        let (me, n) = (session.index(), session.n());
        let parts = Parts::of(&session.spec().protocol);
        assert_eq!(parts, Ok(Some(Parts { most: MOST })));
        let (mut rounds, mut began) = (session.rounds(), Vec::new());
        for (round, length) in (0..).zip(lengths) {
            began.push(rounds.next_round());
            // Party 0 says most, party 2 nothing.
            let length = |from: u16| length * usize::from(2 - from) / 2;
            let mine = words(me, round, length(me));
            let p2p = if mine.is_empty() {
                Vec::new()
            } else {
                to_all(n, me, &mine)
            };
            let Inbox {
                posted,
                broadcasts,
                p2p,
                ..
            } = rounds.exchange(mine, p2p).await?;
            assert_eq!(posted, [0, 1, 2]);
            for from in 0..n {
                let expected = words(from, round, length(from));
                let got = broadcasts.get(&from).cloned().unwrap_or_default();
                assert_eq!(got, expected, "{from} in {round}");
                let got = p2p.get(&from).map_or(&[][..], |bytes| bytes);
                assert!(from == me || got == expected, "{from} to {me} in {round}");
            }
        }
        began.push(rounds.next_round());
        finish(session).await?;
        Ok::<_, Error>(began)
    });
    for began in result(results.await.unwrap()) {
        assert_eq!(began, [1, 2, 3, 4, 5, 7, 11, 15]);
    }
    board.stop().await.unwrap();
}

#[tokio::test]
async fn a_post_is_refused_from_the_first_byte_that_has_no_room_before_anything_is_signed() {
    let board = Board::solo().await.unwrap();
    let most = usize::from(MOST) * BYTES;
    let results = board.run(in_parts(&board, 2, 2), async |party: &mut Party| {
        let session = &mut party.session;
        let to = 1 - session.index();
        let too_large = Error::TooLarge {
            what: "the post of this round of the protocol",
            bytes: 257,
            max: 256,
            limit: "the parts that the session's protocol allows, and the rounds that it has left",
        };
        let mut rounds = session.rounds();
        let (broadcast, p2p) = (vec![1; most + 1], vec![(to, vec![1; most + 1].into())]);
        let refused = rounds.exchange(broadcast, Vec::new()).await;
        assert_eq!(refused.unwrap_err(), too_large);
        let refused = rounds.exchange(Vec::new(), p2p).await;
        assert_eq!(refused.unwrap_err(), too_large);
        for (to, bytes, recipient) in [(to, 0, false), (2, 1, true), (1 - to, 1, true)] {
            let refused = rounds.exchange(Vec::new(), vec![(to, vec![1; bytes].into())]);
            let refused = refused.await.unwrap_err();
            assert_eq!(matches!(refused, Error::Recipient { .. }), recipient);
            assert_eq!(matches!(refused, Error::Usage { .. }), !recipient);
        }
        rounds.exchange(vec![1; most], Vec::new()).await?;
        assert_eq!(rounds.next_round(), 5);
        // Rounds 5 to 8 are left, and 9 to finish in.
        let mut rounds = rounds.from_round(6);
        let refused = rounds
            .exchange(vec![1; most], Vec::new())
            .await
            .unwrap_err();
        let expected = Error::TooLarge {
            bytes: 256,
            max: 192,
            what: "the post of this round of the protocol",
            limit: "the parts that the session's protocol allows, and the rounds that it has left",
        };
        assert_eq!(refused, expected);
        assert_eq!(session.now().unwrap().filled().count(), 0);
        Ok::<_, Error>(())
    });
    result(results.await.unwrap());
    board.stop().await.unwrap();
}

/// Runs a protocol in a session of this very spec.
async fn run_as_it_is(
    board: &Board,
    spec: Spec,
    protocol: impl AsyncFn(&mut Session) -> Result<(), Error>,
) {
    let parties = spec.parties();
    let id = board.client(0).unwrap().open(spec).await.unwrap();
    let runs = (0..parties).map(async |party| {
        let mut party = board.join(id, party).await.unwrap();
        party.session.wait_ready().await?;
        protocol(&mut party.session).await
    });
    result(futures::future::join_all(runs).await);
}

/// Posts the parts of nothing, as many as one may have, in the board's rounds from this one on.
async fn post_empty_parts(session: &mut Session, first: u32) -> Result<(), Error> {
    for (round, following) in (first..).zip((0..MOST).rev()) {
        let broadcast = match following {
            0 => Vec::new(),
            _ => following.to_be_bytes().to_vec(),
        };
        session.post(round, broadcast, Vec::new()).await?;
        session.inbox(round).await?;
    }
    Ok(())
}

#[tokio::test]
async fn a_share_has_room_for_the_parts_that_a_liar_has_others_wait_for_or_nothing_is_signed() {
    let board = Board::solo().await.unwrap();
    // For twice three parts, the fourth of the second post, which is empty, and a finish; or a byte less.
    for less in [0, 1] {
        let mut spec = in_parts(&board, 2, 3).build().unwrap();
        spec.max_bytes = 2 * (6 * (256 + 66) + 256 + 256 - less);
        run_as_it_is(&board, spec, async |session: &mut Session| {
            let size = RoundBytes {
                broadcast: 256,
                p2p: 256,
            };
            let room = session.check_room(&[size; 3]);
            assert!(matches!(room, Err(Error::NoRoom { .. })), "{room:?}");
            let me = session.index();
            let mut rounds = session.rounds();
            rounds.exchange(vec![1; 3 * BYTES], Vec::new()).await?;
            assert_eq!(rounds.next_round(), 4);
            if less == 0 && me == 1 {
                post_empty_parts(session, 4).await?;
                return finish(session).await.map(drop);
            }
            let second = rounds.exchange(vec![1; 3 * BYTES], Vec::new()).await;
            if less == 0 {
                second?;
                assert_eq!(rounds.next_round(), 8);
                return finish(session).await.map(drop);
            }
            let needed = 3 * (256 + 66) + 256 + 256;
            assert!(
                matches!(second, Err(Error::TooLarge { bytes, max, .. }) if (bytes, max) == (needed, needed - 1)),
                "{second:?}"
            );
            let shown = rounds.session().now().unwrap().filled().count();
            assert_eq!(shown, 0);
            Ok(())
        })
        .await;
    }
    board.stop().await.unwrap();
}

/// Posts of a liar in the board's rounds from 1 on: broadcasts, and whether it sends something to party 0.
type Lie = &'static [(&'static [u8], bool)];

const LIES: [(Lie, u32, BadPart); 9] = [
    (
        &[(&[0, 4, 1], false)],
        1,
        BadPart::TooLarge {
            parts: 5,
            most: MOST,
        },
    ),
    (
        &[(&[255, 255], false)],
        1,
        BadPart::TooLarge {
            parts: 65_536,
            most: MOST,
        },
    ),
    (&[(&[9], false)], 1, BadPart::Number),
    (&[(&[0, 0], false)], 1, BadPart::Number),
    (
        &[(&[0, 3], false), (&[0, 3], false)],
        2,
        BadPart::Following {
            got: 3,
            expected: 2,
        },
    ),
    (
        &[(&[0, 3], false), (&[0, 0, 1], false)],
        2,
        BadPart::Following {
            got: 0,
            expected: 2,
        },
    ),
    (
        &[(&[0, 2], false), (&[], false)],
        2,
        BadPart::Following {
            got: 0,
            expected: 1,
        },
    ),
    (&[(&[], false), (&[0, 1], false)], 2, BadPart::AfterLast),
    // Only party 0 is sent something, and party 2 sees that as well.
    (&[(&[], false), (&[], true)], 2, BadPart::AfterLast),
];

#[tokio::test]
async fn whoever_says_what_is_no_next_part_is_named_by_everybody_in_the_same_round() {
    let board = Board::solo().await.unwrap();
    for (lie, round, why) in LIES {
        let results = board.run(in_parts(&board, 3, 2), async |party: &mut Party| {
            let session = &mut party.session;
            if session.index() == 1 {
                for (round, (broadcast, sends)) in (1..).zip(lie) {
                    let p2p = sends.then(|| (0, vec![1].into()));
                    let post = session.post(round, broadcast.to_vec(), p2p.into_iter().collect());
                    post.await?;
                    session.inbox(round).await?;
                }
                return session.wait_end().await.map(Some);
            }
            let mine = vec![1; 4 * BYTES];
            let error = session
                .rounds()
                .exchange(mine, Vec::new())
                .await
                .unwrap_err();
            assert_eq!(
                error,
                Error::Part {
                    from: 1,
                    round,
                    why
                }
            );
            let error = DeliveryError::from(error);
            assert_eq!(error.about(), Some(1));
            session.give_up(77, &error).await?;
            session.wait_end().await.map(Some)
        });
        for end in results.await.unwrap() {
            let end = format!("{:?}", end.unwrap());
            assert!(end.contains("cause: 77, about: 1"), "{end}");
        }
    }
    board.stop().await.unwrap();
}

#[tokio::test]
async fn a_liar_that_says_more_as_long_as_it_may_costs_rounds_and_nothing_else() {
    let board = Board::solo().await.unwrap();
    let results = board.run(in_parts(&board, 3, 3), async |party: &mut Party| {
        let session = &mut party.session;
        let me = session.index();
        if me == 1 {
            for round in 1..=12 {
                let following = MOST - 1 - u16::try_from((round - 1) % 4).unwrap();
                let broadcast = match following {
                    0 => Vec::new(),
                    _ => following.to_be_bytes().to_vec(),
                };
                session.post(round, broadcast, Vec::new()).await?;
                session.inbox(round).await?;
            }
            return finish(session).await;
        }
        let mut rounds = session.rounds();
        for round in 0..3 {
            let inbox = rounds.exchange(words(me, round, 9), Vec::new()).await?;
            let said = [0, 2].map(|from| (from, words(from, round, 9)));
            assert_eq!(inbox.broadcasts, BTreeMap::from(said));
        }
        assert_eq!(rounds.next_round(), 13);
        finish(session).await
    });
    for end in result(results.await.unwrap()) {
        assert!(matches!(end, End::Finished { .. }), "{end:?}");
    }
    board.stop().await.unwrap();
}

/// A spec in parts whose rounds wait for nobody for long.
fn impatient(board: &Board, n: u16) -> SpecBuilder {
    let (long, short) = (Duration::from_secs(60), Duration::from_secs(8));
    in_parts(board, n, 2).times(long, short, short)
}

/// Party 2 of three posts this, and nothing more.
async fn two_go_on_without_the_third(board: &Board, first: Vec<u8>) {
    let spec = impatient(board, 3).quorum(2);
    let results = board.run(spec, async |party: &mut Party| {
        let session = &mut party.session;
        let me = session.index();
        if me == 2 {
            session.post(1, first.clone(), to_all(3, me, &[7])).await?;
            return Ok(None);
        }
        let mut rounds = session.rounds();
        let inbox = rounds.exchange(words(me, 0, 100), to_all(3, me, &words(me, 0, 99)));
        let inbox = inbox.await?;
        assert_eq!(inbox.posted, [0, 1]);
        let said = [0, 1].map(|from| (from, words(from, 0, 100)));
        assert_eq!(inbox.broadcasts, BTreeMap::from(said));
        assert_eq!(inbox.p2p[&(1 - me)][..], words(1 - me, 0, 99));
        assert_eq!(inbox.p2p.len(), 1);
        let other = vec![(1 - me, vec![1; 100].into())];
        let inbox = rounds.exchange(Vec::new(), other).await?;
        assert_eq!((inbox.posted, inbox.p2p.len()), (vec![0, 1], 1));
        finish(session).await.map(Some)
    });
    let ends = result(results.await.unwrap());
    let finished = |end: &&Option<End>| matches!(end, Some(End::Finished { .. }));
    assert_eq!(ends.iter().filter(finished).count(), 2);
}

/// Both are needed: the session ends, and names who was missing.
async fn one_ends_without_the_other(board: &Board) {
    let spec = impatient(board, 2);
    let results = board.run(spec, async |party: &mut Party| {
        if party.session.index() == 1 {
            party.session.post(1, vec![0, 1, 7], Vec::new()).await?;
            return Ok(());
        }
        let ended = party.session.rounds().exchange(vec![1], Vec::new()).await;
        let Err(Error::Aborted(record)) = ended else {
            panic!("{ended:?}")
        };
        assert_eq!(record.missing, [1]);
        Ok::<_, Error>(())
    });
    result(results.await.unwrap());
}

#[tokio::test]
async fn whoever_stops_in_the_middle_is_out_and_nothing_of_it_is_delivered() {
    let board = Board::solo().await.unwrap();
    // At the same time, since each waits for a deadline.
    tokio::join!(
        // After a part of two, and after all that it has to say, while others go on.
        two_go_on_without_the_third(&board, vec![0, 1, 7]),
        two_go_on_without_the_third(&board, vec![0, 0, 7]),
        one_ends_without_the_other(&board),
    );
    board.stop().await.unwrap();
}

#[tokio::test]
async fn a_protocol_that_was_written_for_round_based_knows_nothing_of_parts() {
    let board = Board::solo().await.unwrap();
    let results = board.run(in_parts(&board, 3, 4), async |party: &mut Party| {
        let me = party.session.index();
        let mut delivery = party.session.delivery::<Vec<u8>>();
        let run = delivery.run(async |party| {
            let MpcParty { delivery, .. } = party.into_party();
            let (mut incomings, mut outgoings) = delivery.split();
            for round in 0..2 {
                let say = |length| words(me, round, length);
                outgoings.send(Outgoing::broadcast(say(150))).await?;
                for to in (0..3).filter(|to| *to != me) {
                    outgoings.send(Outgoing::p2p(to, say(70))).await?;
                }
                for _ in 0..4 {
                    let message = incomings.next().await.expect("it has no end")?;
                    let length = if message.is_p2p() { 70 } else { 150 };
                    assert_eq!(message.msg, words(message.sender, round, length));
                }
            }
            Ok::<_, DeliveryError>(())
        });
        run.await?;
        // Twice three parts, and a round in which all have ended.
        assert_eq!(delivery.next_round(), 8);
        drop(delivery);
        let finished = finish(&mut party.session).await;
        finished.map(drop).map_err(DeliveryError::from)?;
        Ok::<_, RunError<DeliveryError>>(())
    });
    assert!(results.await.unwrap().iter().all(Result::is_ok));
    board.stop().await.unwrap();
}

#[tokio::test]
async fn a_session_with_parts_of_another_version_is_not_joined() {
    let board = Board::solo().await.unwrap();
    let mut spec = board.spec("kit/parts", 2).build().unwrap();
    spec.protocol = "kit/parts+parts/2:4".into();
    let client = board.client(0).unwrap();
    let id = client.open(spec.clone()).await.unwrap();
    let mut session = client.session(id).await.unwrap();
    let unknown = Error::Parts(BadName {
        name: spec.protocol,
    });
    assert_eq!(session.join().await.unwrap_err(), unknown);
    assert_eq!(session.check_room(&[]).unwrap_err(), unknown);
    assert!(!session.has_signed());
    assert_eq!(session.now().unwrap().filled().count(), 0);
    board.stop().await.unwrap();
}

#[tokio::test]
async fn a_round_that_is_asked_for_again_takes_its_payloads_in_another_order() {
    let board = Board::solo().await.unwrap();
    let network = board.client(0).unwrap().network().clone();
    // A part has room for one recipient and a half.
    let size = network.params.max_tx / 3 * 2;
    let round = RoundBytes {
        broadcast: 0,
        p2p: size,
    };
    let spec = board.spec("kit/parts", 3).for_board(&network);
    let stopped = tokio::sync::Barrier::new(3);
    let results = board.run(spec.any_size(&[round]), async |party: &mut Party| {
        let session = &mut party.session;
        let me = session.index();
        let mut p2p = to_all(3, me, &vec![7; usize::try_from(size).unwrap()]);
        if me == 0 {
            // Others wait for its first part, so it stops after that.
            session.never_wait();
            let first = session.rounds().exchange(Vec::new(), p2p.clone()).await;
            assert!(matches!(first, Err(Error::Waiting { round: 1, .. })));
        }
        stopped.wait().await;
        let mut rounds = session.rounds();
        let inbox = loop {
            p2p.reverse();
            match rounds.exchange(Vec::new(), p2p.clone()).await {
                Err(Error::Waiting { .. }) => rounds.session().wait_news().await,
                inbox => break inbox?,
            }
        };
        assert_eq!((inbox.posted.len(), inbox.p2p.len()), (3, 2));
        assert_eq!(rounds.next_round(), 3);
        Ok::<_, Error>(())
    });
    result(results.await.unwrap());
    board.stop().await.unwrap();
}

const ROUNDS: u32 = 3;

/// In each round everybody says three parts that depend on its randomness and on all that was said before.
async fn chain(session: &mut Session, mine: [u8; 32]) -> Result<[u8; 32], Error> {
    let (me, n) = (session.index(), session.n());
    let mut rounds = session.rounds();
    let mut all = [0; 32];
    for _ in 0..ROUNDS {
        let word = sha256(&[mine, all].concat()).0;
        let (broadcast, secret) = (word.repeat(5), word.repeat(3));
        let inbox = rounds.exchange(broadcast, to_all(n, me, &secret)).await?;
        let words: Vec<_> = inbox.broadcasts.values().flatten().copied().collect();
        assert_eq!(words.len(), 160 * usize::from(n));
        for (from, secret) in &inbox.p2p {
            assert_eq!(secret[..], inbox.broadcasts[from][..96]);
        }
        all = sha256(&words).0;
    }
    Ok(all)
}

#[tokio::test]
async fn a_party_that_crashes_at_any_step_posts_the_same_parts_again() {
    let board = Board::solo().await.unwrap();
    let mut crashed = 0;
    for step in (0..120).step_by(3) {
        let faults = Faults {
            crashes: [(0, vec![step, step / 2])].into(),
            ..Faults::default()
        };
        let starts = std::cell::Cell::new(0);
        let spec = in_parts(&board, 2, 3);
        let results = board.run_with(spec, &faults, async |party: &mut Party| {
            starts.set(starts.get() + u32::from(party.session.index() == 0));
            let all = chain(&mut party.session, party.seed).await?;
            finish(&mut party.session).await?;
            Ok::<_, Error>(all)
        });
        let all = result(results.await.unwrap());
        assert_eq!(all[0], all[1], "step {step}");
        crashed += starts.get() - u32::from(step > 0);
    }
    assert!(crashed >= 10, "only {crashed} crashes");
    board.stop().await.unwrap();
}

/// From the journal to the end of the session.
async fn whole_party(client: &Client, id: SessionId, journal: &Path) -> [u8; 32] {
    let mut session = client.resume(id, journal).await.unwrap();
    session.join().await.unwrap();
    session.wait_ready().await.unwrap();
    let mine = *session.randomness("chain");
    let all = chain(&mut session, mine).await.unwrap();
    session.finish(Hash(all)).await.unwrap();
    session.wait_end().await.unwrap();
    all
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn parts_go_on_from_the_journal_of_parties_that_die_at_every_step() {
    let board = Board::solo().await.unwrap();
    let id = board.open(in_parts(&board, 3, 3)).await.unwrap();
    let dir = tempfile::tempdir().unwrap();
    let parties = (0..3).map(|party| {
        let client = board.client(party).unwrap();
        let journal = dir.path().join(party.to_string());
        async move {
            // Each life is a step longer than the one before, until one gets to the end.
            let mut crashing = Crashing::after(1..1_000);
            loop {
                let life = crashing.start(whole_party(&client, id, &journal));
                if let Some(all) = life.await {
                    return (all, crashing.crashes());
                }
            }
        }
    });
    let ended = futures::future::join_all(parties);
    let ended = tokio::time::timeout(Duration::from_secs(120), ended);
    let ended = ended.await.unwrap();
    assert!(ended.iter().all(|(all, _)| *all == ended[0].0));
    assert!(ended.iter().all(|(_, died)| *died > 10), "{ended:?}");
    let evidence = board.client(0).unwrap().evidence(id).await.unwrap();
    assert!(evidence.culprits.is_empty());
    board.stop().await.unwrap();
}
