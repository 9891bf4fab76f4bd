//! Delivery of a session's messages to a protocol, case by case.

use std::{convert::Infallible, time::Duration};

use futures::{SinkExt as _, StreamExt as _};
use white_city_client::{
    Error, Hash, Session,
    delivery::{
        DeliveryError, Position, RunError,
        round_based::{Delivery as _, Incoming, Mpc, MpcParty, Outgoing},
    },
};
use white_city_kit::{Board, Faults, Habits, Party};

/// Reads so many messages: sender and number.
async fn read<S, E>(incomings: &mut S, count: usize) -> Result<Vec<(u16, u32)>, DeliveryError>
where
    S: futures::Stream<Item = Result<Incoming<u32>, E>> + Unpin,
    DeliveryError: From<E>,
{
    let mut messages = Vec::new();
    for _ in 0..count {
        let message = incomings.next().await.expect("it has no end")?;
        messages.push((message.sender, message.msg));
    }
    Ok(messages)
}

/// Everybody says a number in each of so many rounds. Gives what came last.
async fn rounds<M>(party: M, n: u16, count: u32) -> Result<Vec<(u16, u32)>, DeliveryError>
where
    M: Mpc<ProtocolMessage = u32, SendError = DeliveryError, ReceiveError = DeliveryError>,
{
    let (mut incomings, mut outgoings) = party.into_party().delivery.split();
    let mut last = Vec::new();
    for round in 0..count {
        outgoings.send(Outgoing::broadcast(round)).await?;
        last = read(&mut incomings, usize::from(n) - 1).await?;
    }
    Ok(last)
}

async fn finish(session: &mut Session) -> Result<(), Error> {
    session.finish(Hash([7; 32])).await?;
    session.wait_end().await.map(drop)
}

#[tokio::test]
async fn one_post_a_round_carries_all_that_was_sent_before_the_protocol_waits() {
    let board = Board::solo().await.unwrap();
    let results = board.run(board.spec("kit/test", 3), async |party: &mut Party| {
        let (me, mut ids) = (party.session.index(), Vec::new());
        let mut delivery = party.session.delivery::<u32>();
        let (mut incomings, mut outgoings) = MpcParty::connected(&mut delivery)
            .into_party()
            .delivery
            .split();
        for to in (0..3).filter(|to| *to != me) {
            outgoings.send(Outgoing::p2p(to, u32::from(to))).await?;
            outgoings.flush().await?;
        }
        outgoings.send(Outgoing::broadcast(9)).await?;
        for _ in 0..4 {
            let message = incomings.next().await.expect("it has no end")?;
            assert_eq!(
                message.msg,
                if message.is_p2p() { u32::from(me) } else { 9 }
            );
            ids.push(Position::from(message.id));
        }
        // Sent in the end, and never waited for.
        outgoings.send(Outgoing::broadcast(10)).await?;
        drop((incomings, outgoings));
        assert_eq!(delivery.next_round(), 2);
        delivery.close().await?;
        let second = party.session.inbox(2).await?;
        assert_eq!(second.broadcasts.len(), 3);
        finish(&mut party.session).await?;
        Ok::<_, DeliveryError>((me, ids))
    });
    for result in results.await.unwrap() {
        let (me, ids) = result.unwrap();
        let others = (0..3).filter(|from| *from != me);
        // Two p2p messages came first, of which the reader got one.
        let expected = others.flat_map(|sender| {
            let place = if (me > sender && me == 2) || (sender == 2 && me == 1) {
                1
            } else {
                0
            };
            [place, 2].map(|number| Position {
                round: 1,
                sender,
                number,
            })
        });
        assert_eq!(ids, expected.collect::<Vec<_>>(), "party {me}");
    }
    board.stop().await.unwrap();
}

#[tokio::test]
async fn protocols_that_end_in_different_rounds_all_end_and_the_session_finishes() {
    let board = Board::solo().await.unwrap();
    let results = board.run(board.spec("kit/test", 3), async |party: &mut Party| {
        let me = party.session.index();
        let mut delivery = party.session.delivery::<u32>();
        let result = delivery.run(async |party| {
            let (mut incomings, mut outgoings) = party.into_party().delivery.split();
            match me {
                // Ends at once, with its word unread.
                0 => outgoings.send(Outgoing::broadcast(1)).await?,
                1 => {
                    assert_eq!(read(&mut incomings, 1).await?, [(0, 1)]);
                    outgoings.send(Outgoing::p2p(2, 2)).await?;
                }
                _ => {
                    assert_eq!(read(&mut incomings, 2).await?, [(0, 1), (1, 2)]);
                }
            }
            Ok::<_, DeliveryError>(())
        });
        result.await?;
        let next = delivery.next_round();
        drop(delivery);
        finish(&mut party.session)
            .await
            .map_err(DeliveryError::from)?;
        Ok::<_, RunError<DeliveryError>>(next)
    });
    // Said in round 1, passed on in round 2, and in round 3 all have ended.
    for result in results.await.unwrap() {
        assert_eq!(result, Ok(4));
    }
    board.stop().await.unwrap();
}

#[tokio::test]
async fn protocols_that_wait_for_each_other_are_stuck_in_the_same_round() {
    let board = Board::solo().await.unwrap();
    let results = board.run(board.spec("kit/test", 2), async |party: &mut Party| {
        let n = party.session.n();
        // Each waits for one more message than there is.
        let mut delivery = party.session.delivery::<u32>();
        let run = delivery.run(async |party| {
            let (mut incomings, mut outgoings) = party.into_party().delivery.split();
            outgoings.send(Outgoing::broadcast(0)).await?;
            read(&mut incomings, usize::from(n)).await
        });
        run.await
    });
    for result in results.await.unwrap() {
        let stuck = DeliveryError::Stuck { round: 2 };
        assert_eq!(result, Err(RunError::Delivery(stuck)));
    }
    board.stop().await.unwrap();
}

#[tokio::test]
async fn a_protocol_that_listens_before_it_sends_in_the_same_turn_loses_no_round() {
    let board = Board::solo().await.unwrap();
    let results = board.run(board.spec("kit/test", 2), async |party: &mut Party| {
        let mut delivery = party.session.delivery::<u32>();
        let run = delivery.run(async |party| {
            let (mut incomings, mut outgoings) = party.into_party().delivery.split();
            let (heard, sent) = futures::join!(
                read(&mut incomings, 1),
                outgoings.send(Outgoing::broadcast(5))
            );
            sent?;
            heard
        });
        run.await.map(|heard| (heard, delivery.next_round()))
    });
    let results: Vec<_> = results.await.unwrap();
    assert_eq!(results, [Ok((vec![(1, 5)], 3)), Ok((vec![(0, 5)], 3))]);
    board.stop().await.unwrap();
}

#[tokio::test]
async fn a_post_over_the_limit_is_refused_before_anything_is_sent() {
    let board = Board::solo().await.unwrap();
    let spec = board.spec("kit/test", 2).payloads(100, 100);
    let results = board.run(spec, async |party: &mut Party| {
        let mut delivery = party.session.delivery::<Vec<u8>>();
        let run = delivery.run(async |party| {
            let (mut incomings, mut outgoings) = party.into_party().delivery.split();
            // With kind, number and length.
            outgoings.send(Outgoing::broadcast(vec![0; 98])).await?;
            incomings.next().await.expect("it has no end").map(drop)
        });
        let result = run.await;
        drop(delivery);
        assert_eq!(party.session.history().open_round(), 1);
        let now = party.session.now().unwrap();
        assert_eq!(now.filled().count(), 0);
        result
    });
    for result in results.await.unwrap() {
        let too_large = Error::TooLarge {
            what: "the broadcast",
            bytes: 101,
            max: 100,
            limit: "the spec's max_bcast",
        };
        assert_eq!(result, Err(RunError::Delivery(too_large.into())));
    }
    board.stop().await.unwrap();
}

#[tokio::test]
async fn whoever_posts_nonsense_is_named_and_left() {
    let board = Board::solo().await.unwrap();
    let results = board.run(board.spec("kit/test", 3), async |party: &mut Party| {
        let session = &mut party.session;
        if session.index() == 1 {
            session
                .post(1, b"nonsense".to_vec(), Vec::new())
                .await
                .unwrap();
            return session.wait_end().await.map(|_| None);
        }
        let n = session.n();
        let run = session
            .delivery::<u32>()
            .run(async |party| rounds(party, n, 1).await)
            .await;
        let Err(RunError::Delivery(error)) = run else {
            panic!("{run:?}");
        };
        assert_eq!(error.about(), Some(1));
        session.give_up(77, &error).await?;
        session.wait_end().await.map(Some)
    });
    for result in results.await.unwrap() {
        let end = result.unwrap();
        assert!(end.is_none_or(|end| format!("{end:?}").contains("cause: 77, about: 1")));
    }
    board.stop().await.unwrap();
}

#[tokio::test]
async fn two_protocols_run_one_after_the_other_in_one_session() {
    let board = Board::solo().await.unwrap();
    let results = board.run(board.spec("kit/test", 2), async |party: &mut Party| {
        let n = party.session.n();
        let mut first = party.session.delivery::<u32>();
        first.run(async |party| rounds(party, n, 2).await).await?;
        let next = first.next_round();
        drop(first);
        let mut second = party.session.delivery::<u32>().from_round(next);
        second.run(async |party| rounds(party, n, 1).await).await?;
        let next = second.next_round();
        drop(second);
        finish(&mut party.session)
            .await
            .map_err(DeliveryError::from)?;
        Ok::<_, RunError<DeliveryError>>(next)
    });
    // Two rounds and the one that says so; one round and the one that says so.
    assert_eq!(results.await.unwrap(), [Ok(6), Ok(6)]);
    board.stop().await.unwrap();
}

#[tokio::test]
async fn a_party_that_crashes_at_any_step_runs_again_and_ends_like_the_others() {
    let board = Board::solo().await.unwrap();
    let mut crashed = 0;
    for step in 0..40 {
        let faults = Faults {
            crashes: [(0, vec![step])].into(),
            ..Faults::default()
        };
        let starts = std::sync::atomic::AtomicU32::new(0);
        let results = board.run_with(
            board.spec("kit/test", 2),
            &faults,
            async |party: &mut Party| {
                let n = party.session.n();
                if party.session.index() == 0 {
                    starts.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
                }
                let run = party
                    .session
                    .delivery::<u32>()
                    .run(async |party| rounds(party, n, 2).await)
                    .await?;
                finish(&mut party.session)
                    .await
                    .map_err(DeliveryError::from)?;
                Ok::<_, RunError<DeliveryError>>(run)
            },
        );
        let results = results.await.unwrap();
        assert_eq!(results, [Ok(vec![(1, 1)]), Ok(vec![(0, 1)])], "step {step}");
        crashed += starts.into_inner() - u32::from(step > 0);
    }
    // Early steps do crash; how many a run takes is the machine's affair.
    assert!(crashed >= 10, "only {crashed} crashes");
    board.stop().await.unwrap();
}

#[tokio::test]
async fn a_bad_replica_costs_retries_and_an_absent_party_ends_the_session() {
    let mut board = Board::solo().await.unwrap();
    let habits = Habits {
        drop: 20,
        delay: 5,
        duplicate: 20,
        lie: 20,
    };
    board.add_bad_replica(3, habits).await.unwrap();
    let results = board.run(board.spec("kit/test", 2), async |party: &mut Party| {
        let n = party.session.n();
        party
            .session
            .delivery::<u32>()
            .run(async |party| rounds(party, n, 3).await)
            .await
    });
    assert_eq!(results.await.unwrap(), [Ok(vec![(1, 2)]), Ok(vec![(0, 2)])]);
    assert!(board.bad_answers() > 0);

    let (long, short) = (Duration::from_secs(60), Duration::from_secs(8));
    let spec = board.spec("kit/test", 2).times(long, short, short);
    let faults = Faults {
        absent: vec![1],
        ..Faults::default()
    };
    let results = board.run_with(spec, &faults, async |party: &mut Party| {
        let run = party
            .session
            .delivery::<u32>()
            .run(async |party| rounds(party, 2, 1).await)
            .await;
        assert!(matches!(
            run,
            Err(RunError::Delivery(DeliveryError::Session(Error::Aborted(
                _
            ))))
        ));
        Ok::<_, Infallible>(())
    });
    assert_eq!(results.await.unwrap(), [Ok(())]);
    board.stop().await.unwrap();
}

#[tokio::test]
async fn whoever_is_out_is_sent_nothing_and_the_others_go_on() {
    let board = Board::solo().await.unwrap();
    let (long, short) = (Duration::from_secs(60), Duration::from_secs(8));
    let spec = board
        .spec("kit/test", 3)
        .quorum(2)
        .times(long, short, short);
    let faults = Faults {
        absent: vec![2],
        ..Faults::default()
    };
    let results = board.run_with(spec, &faults, async |party: &mut Party| {
        let me = party.session.index();
        let mut delivery = party.session.delivery::<u32>();
        let run = delivery.run(async |party| {
            let (mut incomings, mut outgoings) = party.into_party().delivery.split();
            outgoings.send(Outgoing::broadcast(0)).await?;
            read(&mut incomings, 1).await?;
            for to in [1 - me, 2] {
                outgoings.send(Outgoing::p2p(to, u32::from(to))).await?;
            }
            read(&mut incomings, 1).await
        });
        let heard = run.await?;
        drop(delivery);
        let finished = finish(&mut party.session).await;
        finished.map_err(DeliveryError::from)?;
        Ok::<_, RunError<DeliveryError>>(heard)
    });
    let results = results.await.unwrap();
    assert_eq!(results, [Ok(vec![(1, 0)]), Ok(vec![(0, 1)])]);
    board.stop().await.unwrap();
}

/// Whoever spawns a party on a runtime of several threads needs that.
#[tokio::test(flavor = "multi_thread")]
async fn a_running_party_can_go_from_one_thread_to_another() {
    let board = Board::solo().await.unwrap();
    let id = board.open(board.spec("kit/test", 2)).await.unwrap();
    let mut parties = tokio::task::JoinSet::new();
    for index in 0..2 {
        let mut party = board.join(id, index).await.unwrap();
        parties.spawn(async move {
            let ready = party.session.wait_ready().await;
            ready.map_err(DeliveryError::from)?;
            let mut delivery = party.session.delivery::<u32>();
            delivery.run(|party| rounds(party, 2, 2)).await?;
            Ok::<_, RunError<DeliveryError>>(delivery.next_round())
        });
    }
    while let Some(party) = parties.join_next().await {
        assert_eq!(party.unwrap(), Ok(4));
    }
    board.stop().await.unwrap();
}
