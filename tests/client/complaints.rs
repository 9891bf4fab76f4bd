//! Complaints: who is convicted, who never is, and that anybody can check it.

use std::time::Duration;

use prost::Message as _;
use white_city_client::{
    AbortRecord, Answer, Dispute, End, Error, Hash, Receipt, RoundBytes, Session, SessionId,
    Signer as _, SpecBuilder,
    receipt::{Claim, Proven, checksum},
    wire::{
        Complain, SignedTx,
        board::{Cause, Offence, Status},
        pb::{self, receipt::Body},
        tx::{Action, Post},
    },
};
use white_city_tests::{
    complaints::{complain_about, ikm_e, reveal_of},
    scene::each_kem,
    tampering::{Mutator, mutators},
};

use crate::{
    villain::{SECRET, complaint, unreadable_post},
    world::{World, closed, key, post, spec, until, world},
};

/// The complaint of these tests: party 1's about what party 0 sent it in round 1.
const DISPUTE: Dispute = Dispute {
    by: 1,
    accused: 0,
    round: 1,
};

fn aborted(end: End) -> AbortRecord {
    match end {
        End::Aborted(record) => *record,
        end => panic!("{end:?}"),
    }
}

/// The findings of somebody who has nothing but the genesis and a ceremony's file.
fn third_party(world: &World, receipt: &Receipt) -> Proven {
    let receipt = Receipt::from_bytes(&receipt.to_bytes()).unwrap();
    receipt.verify(&world.trust()).unwrap()
}

/// The culprits of a ceremony, its dispute and the cause of its end.
fn judged(proven: &Proven) -> (Vec<u16>, Option<Dispute>, Cause) {
    let Claim::Ceremony {
        culprits,
        dispute,
        terminal,
        ..
    } = &proven.claim
    else {
        panic!("{proven}")
    };
    (culprits.clone(), *dispute, terminal.cause)
}

/// A session of three that is in round 2.
async fn in_round_2(world: &World, id: SessionId) -> Vec<Session> {
    let mut sessions = world.joined(id, 3).await;
    post(&mut sessions, 1).await;
    closed(&mut sessions, 1).await;
    sessions
}

/// The same, but nobody can open what party 0 has sent.
async fn with_a_bad_payload(world: &World, id: SessionId) -> (Vec<Session>, Complain) {
    let mut sessions = world.joined(id, 3).await;
    let bad = unreadable_post(world, &sessions[0], 0, &[1, 2]);
    assert_eq!(world.send(0, Action::Post(bad.clone())).await, 0);
    post(&mut sessions[1..], 1).await;
    closed(&mut sessions[1..], 1).await;
    let complain = complain_about(&bad, 1, 3).unwrap();
    (sessions, complain)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sender_whose_payload_can_not_be_opened_is_convicted_by_what_it_reveals() {
    for kem in each_kem() {
        let world = world().await;
        let id = world.open(spec(3).kem(kem)).await;
        let (mut sessions, complain) = with_a_bad_payload(&world, id).await;
        let payload = Error::Payload { from: 0, round: 1 };
        assert_eq!(sessions[1].inbox(1).await.unwrap_err(), payload);
        sessions[1].complain(1, 0).await.unwrap();
        assert_eq!(sessions[1].complain(1, 0).await, Ok(()), "once is enough");
        let mut observer = world.client(2).observe(id).await.unwrap();
        until("the clock of the dispute", async || {
            observer.sync().await.unwrap();
            observer.now().unwrap().leaf.deadline_ms > 0
        })
        .await;
        let progress = observer.progress().borrow().clone().unwrap();
        assert_eq!(progress.status, Status::Dispute);
        assert_eq!(
            (progress.dispute, progress.waiting_for),
            (Some(DISPUTE), vec![0])
        );
        assert!(progress.deadline_ms > progress.board_ms);
        assert_eq!(observer.now().unwrap().leaf.dispute, complain.digest());
        let reveal = reveal_of(&complain, ikm_e(SECRET), SECRET);
        assert_eq!(world.send(0, Action::Reveal(reveal)).await, 0);
        let record = aborted(sessions[2].wait_end().await.unwrap());
        assert_eq!(record.record.cause, Cause::BadPayload);
        assert_eq!(record.dispute, Some(DISPUTE));
        let culprit = &record.culprits[0];
        assert_eq!((culprit.index, culprit.offence), (0, Offence::BadPayload));
        assert_eq!(record.culprits.len(), 1);
        let seen = aborted(observer.wait_end().await.unwrap());
        assert_eq!(seen, record);
        let receipt = observer.ceremony_receipt().await.unwrap();
        let proven = third_party(&world, &receipt);
        let expected = (vec![0], Some(DISPUTE), Cause::BadPayload);
        assert_eq!(judged(&proven), expected, "{proven}");
        let evidence = world.client(2).evidence(id).await.unwrap();
        assert_eq!(evidence.dispute.as_ref().unwrap().complain.0, complain);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_false_complaint_convicts_its_author_because_the_accused_answers_by_itself() {
    for kem in each_kem() {
        let world = world().await;
        let id = world.open(spec(3).kem(kem)).await;
        let mut sessions = in_round_2(&world, id).await;
        let complain = complaint(&world, &sessions[1], 1, 0, 1).await;
        assert_eq!(world.send(1, Action::Complain(complain)).await, 0);
        // It has noticed nothing yet and goes on: all that it is told is how the session has ended.
        let told = sessions[0].post(2, b"round 2".to_vec(), Vec::new()).await;
        let Err(Error::Aborted(record)) = told else {
            panic!("{told:?}")
        };
        assert_eq!(sessions[0].answer(), Some(Answer::Reveal));
        assert_eq!(record.record.cause, Cause::FalseComplaint);
        assert_eq!(record.dispute, Some(DISPUTE));
        let culprit = &record.culprits[0];
        assert_eq!(
            (culprit.index, culprit.offence),
            (1, Offence::FalseComplaint)
        );
        assert_eq!(record.culprits.len(), 1);
        for session in &mut sessions[1..] {
            assert_eq!(aborted(session.wait_end().await.unwrap()), *record);
            assert_eq!(session.answer(), None);
        }
        let receipt = sessions[2].ceremony_receipt().await.unwrap();
        let proven = third_party(&world, &receipt);
        let expected = (vec![1], Some(DISPUTE), Cause::FalseComplaint);
        assert_eq!(judged(&proven), expected, "{proven}");
        check_tampered(&world, &receipt).await;
    }
}

/// Signs as a party, past any check.
async fn signed(world: &World, party: u8, action: Action) -> pb::Tx {
    let network = world.trust().network().id;
    let signature = key(party).sign(&action, &network).await.unwrap();
    let tx = SignedTx::new(action, signature).unwrap();
    pb::Tx::decode(tx.encode().as_slice()).unwrap()
}

/// Nothing about the dispute in a ceremony can be left out or exchanged, also not by those who have signed it.
async fn check_tampered(world: &World, receipt: &Receipt) {
    let bytes = receipt.to_bytes();
    let honest = pb::Receipt::decode(&bytes[..bytes.len() - 32]).unwrap();
    let Some(Body::Ceremony(ceremony)) = &honest.body else {
        panic!("a ceremony")
    };
    let complain = ceremony.complain.as_ref().unwrap();
    let reveal = ceremony.reveal.as_ref().unwrap();
    let action = |tx: &pb::Tx| {
        let tx = SignedTx::decode(&tx.encode_to_vec()).unwrap();
        tx.unverified_action().clone()
    };
    let (Action::Complain(complaint), Action::Reveal(mut other)) =
        (action(complain), action(reveal))
    else {
        panic!("a dispute")
    };
    other.plaintext.push(0);
    let other = signed(world, 0, Action::Reveal(other)).await;
    let mut elsewhere = complaint.clone();
    elsewhere.post.round = 2;
    let elsewhere = signed(world, 1, Action::Complain(elsewhere)).await;
    let by_another = signed(world, 2, Action::Complain(complaint)).await;
    let with = |complain: Option<&pb::Tx>, reveal: Option<&pb::Tx>| {
        let mut changed = ceremony.clone();
        (changed.complain, changed.reveal) = (complain.cloned(), reveal.cloned());
        let receipt = pb::Receipt {
            body: Some(Body::Ceremony(changed)),
            ..honest.clone()
        };
        let message = receipt.encode_to_vec();
        let file = [&message[..], &checksum(&message).0].concat();
        Receipt::from_bytes(&file).and_then(|receipt| receipt.verify(&world.trust()))
    };
    assert!(with(Some(complain), Some(reveal)).is_ok());
    for (complain, reveal) in [
        (None, None),
        (Some(complain), None),
        (None, Some(reveal)),
        (Some(reveal), Some(complain)),
        (Some(complain), Some(&other)),
        (Some(&elsewhere), Some(reveal)),
        (Some(&by_another), Some(reveal)),
    ] {
        let told = with(complain, reveal);
        assert!(told.is_err(), "{complain:?} {reveal:?}: {told:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_accused_that_has_left_answers_too() {
    let world = world().await;
    let id = world.open(spec(3).quorum(2)).await;
    let mut sessions = in_round_2(&world, id).await;
    sessions[0].abort(1, None, Hash::ZERO).await.unwrap();
    let complain = complaint(&world, &sessions[1], 1, 0, 1).await;
    assert_eq!(world.send(1, Action::Complain(complain)).await, 0);
    let record = aborted(sessions[0].wait_end().await.unwrap());
    assert_eq!(record.record.cause, Cause::FalseComplaint);
    assert_eq!(record.culprits[0].index, 1);
}

/// A spec with so many seconds for the answer to a complaint.
fn patient(seconds: u64) -> SpecBuilder {
    let times = [30, 30, seconds].map(Duration::from_secs);
    spec(3).times(times[0], times[1], times[2])
}

#[tokio::test(flavor = "multi_thread")]
async fn silence_convicts_nobody_and_both_are_named() {
    let world = world().await;
    let id = world.open(patient(4)).await;
    let (mut sessions, _) = with_a_bad_payload(&world, id).await;
    sessions[1].complain(1, 0).await.unwrap();
    // However often it is told that there is a dispute, it waits for the end.
    let told = sessions[2].post(2, b"round 2".to_vec(), Vec::new()).await;
    let Err(Error::Aborted(record)) = told else {
        panic!("{told:?}")
    };
    assert_eq!(record.record.cause, Cause::NoReveal);
    assert_eq!((record.dispute, record.culprits.len()), (Some(DISPUTE), 0));
    let text = record.to_string();
    assert!(
        text.contains("party 1 complained about the payload that party 0 sent it in round 1"),
        "{text}"
    );
    let proven = third_party(&world, &sessions[2].ceremony_receipt().await.unwrap());
    let expected = (vec![], Some(DISPUTE), Cause::NoReveal);
    assert_eq!(judged(&proven), expected, "{proven}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_accused_without_memory_says_so_and_is_no_culprit() {
    let world = world().await;
    let id = world.open(patient(10)).await;
    let mut sessions = in_round_2(&world, id).await;
    let complain = complaint(&world, &sessions[1], 1, 0, 1).await;
    drop(sessions.remove(0));
    let mut again = world.client(0).session(id).await.unwrap();
    assert_eq!(world.send(1, Action::Complain(complain)).await, 0);
    let record = aborted(again.wait_end().await.unwrap());
    assert_eq!(again.answer(), Some(Answer::NoMemory));
    assert_eq!(record.record.cause, Cause::NoReveal);
    assert!(record.culprits.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn an_honest_party_can_not_be_made_to_complain_falsely_by_its_own_program() {
    let world = world().await;
    let id = world.open(spec(3)).await;
    let mut sessions = world.joined(id, 3).await;
    post(&mut sessions[..1], 1).await;
    sessions[1].post(1, Vec::new(), Vec::new()).await.unwrap();
    post(&mut sessions[2..], 1).await;
    closed(&mut sessions, 1).await;
    let before = world.client(0).state(id).await.unwrap();
    let usage = |result: Result<(), Error>| match result {
        Err(Error::Usage { expected, .. }) => expected,
        other => panic!("{other:?}"),
    };
    let opens = usage(sessions[1].complain(1, 0).await);
    assert!(opens.contains("this one opens"), "{opens}");
    for (party, from) in [(0, 1), (2, 1), (0, 0), (0, 9)] {
        let absent = usage(sessions[party].complain(1, from).await);
        assert!(absent.contains("there is none"), "{absent}");
    }
    for round in [0, 2, 3] {
        let early = sessions[1].complain(round, 0).await;
        assert!(matches!(early, Err(Error::WrongRound { asked, .. }) if asked == round));
    }
    // A process that doesn't have the key that the party has joined with opens nothing, and says nothing.
    let mut again = world.client(1).session(id).await.unwrap();
    let forgot = again.complain(1, 0).await;
    assert_eq!(forgot, Err(Error::NoJournal { round: 0 }));
    let after = world.client(0).state(id).await.unwrap();
    assert_eq!(after.leaf.dispute, before.leaf.dispute);
    assert_eq!(after.leaf.status, Status::Running);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_complaint_about_another_post_session_or_round_is_refused_and_never_answered() {
    let world = world().await;
    let (id, other) = (world.open(spec(3)).await, world.open(spec(3)).await);
    let (mut sessions, mut others) = (
        in_round_2(&world, id).await,
        in_round_2(&world, other).await,
    );
    let good = complaint(&world, &sessions[1], 1, 0, 1).await;
    let elsewhere = complaint(&world, &others[1], 1, 0, 1).await;
    let with = |change: &dyn Fn(&mut Complain)| {
        let mut bad = good.clone();
        change(&mut bad);
        bad
    };
    let refused = [
        with(&|bad| bad.post.session = other),
        with(&|bad| bad.post.transcript = elsewhere.post.transcript),
        with(&|bad| bad.post.round = 2),
        with(&|bad| bad.post.bcast_len += 1),
        with(&|bad| bad.leaf = elsewhere.leaf),
        with(&|bad| (bad.leaf, bad.path) = (elsewhere.leaf, elsewhere.path.clone())),
        with(&|bad| bad.index = 2),
    ];
    for complain in refused {
        let by = u8::try_from(complain.index).unwrap();
        let code = world.send(by, Action::Complain(complain.clone())).await;
        assert_ne!(code, 0, "{complain:?}");
    }
    for sessions in [&mut sessions, &mut others] {
        post(sessions, 2).await;
        closed(sessions, 2).await;
        for session in sessions {
            session.finish(Hash([5; 32])).await.unwrap();
            assert_eq!(session.answer(), None);
        }
    }
    for sessions in [&mut sessions, &mut others] {
        let end = sessions[0].wait_end().await.unwrap();
        assert!(matches!(end, End::Finished { .. }));
        let receipt = sessions[0].ceremony_receipt().await.unwrap();
        let expected = (vec![], None, Cause::None);
        assert_eq!(judged(&third_party(&world, &receipt)), expected);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lying_replica_can_not_make_a_party_reveal() {
    let world = world().await;
    let id = world.open(spec(3)).await;
    let liar = world.proxy().await;
    let mut accused = world.client_of(&[liar.url()], 0).session(id).await.unwrap();
    accused.join().await.unwrap();
    let mut others = Vec::new();
    for party in 1..3 {
        let mut session = world.client(party).session(id).await.unwrap();
        session.join().await.unwrap();
        others.push(session);
    }
    accused.wait_ready().await.unwrap();
    closed(&mut others, 0).await;
    others.insert(0, accused);
    post(&mut others, 1).await;
    closed(&mut others, 1).await;
    let accused = &mut others[0];
    let complain = complaint(&world, accused, 1, 0, 1).await;
    assert_eq!(world.send(1, Action::Complain(complain)).await, 0);
    until("the dispute", async || {
        let state = world.client(2).state(id).await.unwrap();
        state.leaf.status == Status::Dispute
    })
    .await;
    let reveals = || {
        let sent = liar.sent().into_iter();
        let is_reveal = |tx: &Vec<u8>| {
            let tx = SignedTx::decode(tx).unwrap();
            matches!(tx.unverified_action(), Action::Reveal(_))
        };
        sent.filter(is_reveal).collect::<Vec<_>>()
    };
    let lies = mutators().into_iter();
    let lies: Vec<Mutator> = lies
        .filter(|mutator| mutator.name.starts_with("complaint-") || mutator.name == "leaf-dispute")
        .collect();
    assert!(lies.len() >= 12, "{lies:?}");
    for lie in lies {
        liar.tamper(&[lie], 100);
        until("the lie", async || {
            let _ = accused.sync().await;
            liar.count(&lie) > 0
        })
        .await;
        assert_eq!((accused.answer(), reveals().len()), (None, 0), "{lie:?}");
    }
    liar.be_honest();
    let record = aborted(accused.wait_end().await.unwrap());
    assert_eq!(record.record.cause, Cause::FalseComplaint);
    let sent = reveals();
    assert!(!sent.is_empty() && sent.iter().all(|tx| *tx == sent[0]));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_part_that_can_not_be_opened_convicts_its_sender_as_any_payload() {
    let world = world().await;
    let size = RoundBytes {
        broadcast: 150,
        p2p: 150,
    };
    let id = world.open(spec(3).any_size(&[size; 2])).await;
    let mut sessions = world.joined(id, 3).await;
    // The villain's second part is for nobody's key.
    let honest = async |session: &mut Session| {
        let mut rounds = session.rounds();
        rounds.exchange(vec![1; 100], Vec::new()).await
    };
    let (villain, others) = sessions.split_at_mut(1);
    let (one, two) = others.split_at_mut(1);
    let lies = async {
        let session = &mut villain[0];
        session.post(1, vec![0, 1, 7], Vec::new()).await.unwrap();
        session.wait_round_closed(1).await.unwrap();
        let bad = unreadable_post(&world, session, 0, &[1, 2]);
        let (place, header) = ((0, 3), bad.header);
        let part = vec![0, 0, 7];
        let bad = Post::new(id, 2, place, header.transcript, part, bad.p2p);
        assert_eq!(world.send(0, Action::Post(bad.clone())).await, 0);
        bad
    };
    let (bad, one_got, two_got) = tokio::join!(lies, honest(&mut one[0]), honest(&mut two[0]));
    let payload = Error::Payload { from: 0, round: 2 };
    assert_eq!(one_got.unwrap_err(), payload);
    assert_eq!(two_got.unwrap_err(), payload);
    one[0].complain(2, 0).await.unwrap();
    let complain = complain_about(&bad, 1, 3).unwrap();
    let reveal = reveal_of(&complain, ikm_e(SECRET), SECRET);
    assert_eq!(world.send(0, Action::Reveal(reveal)).await, 0);
    let record = aborted(two[0].wait_end().await.unwrap());
    let dispute = Dispute {
        round: 2,
        ..DISPUTE
    };
    assert_eq!(record.dispute, Some(dispute));
    assert_eq!(record.record.cause, Cause::BadPayload);
    assert_eq!(record.culprits[0].index, 0);
}
