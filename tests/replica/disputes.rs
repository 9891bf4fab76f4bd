//! A dispute in a replica: what waits in its mempool, what it proposes, stores, and answers to a third party.

use prost::Message as _;
use serde::{Serialize, de::DeserializeOwned};
use serde_json::Value;
use tendermint_abci::Application as _;
use tendermint_proto::v0_38::abci::RequestQuery;
use white_city_state_machine::{Session, Slot};
use white_city_tests::{
    complaints::{PayloadPlace, complain_about, ikm_e, reveal_of},
    party::Party,
};
use white_city_wire::{
    Charter, Complain, Params, Refusal, SessionId, SignedTx,
    board::{Cause, Culprit, Offence, Status, evidence_hash, slot_leaf},
    dispute::judge,
    json::{self, SlotKind},
    pb::{self, answer::Body as Answer, query::Question, session_ref::Ref},
    proof::SessionProof,
    read::{decode_answer, encode_query, split_hashes},
    tx::{Action, Join, Post, join_from_pb, open_from_pb},
};

use crate::chain::{Chain, naive, replica};

const SECRET: &[u8] = b"a share";

/// Three parties in round 2 of a session; in round 1 party 0 sent the others a payload, a good or a bad one.
struct Case {
    chain: Chain,
    parties: Vec<Party>,
    session: SessionId,
    post: Post,
}

impl Case {
    fn new(mut chain: Chain, good: bool) -> Self {
        let parties = Party::several(3);
        let session = chain.running(&parties);
        let post = Self::sealed(&chain, session, good);
        let mut posts = vec![chain.tx(&parties[0], Action::Post(post.clone()))];
        posts.extend((1..3).map(|index| chain.post(&parties, session, index, b"words")));
        chain.block(&posts);
        let case = Self {
            chain,
            parties,
            session,
            post,
        };
        assert_eq!(case.get().leaf.open_round, 2);
        case
    }

    fn sealed(chain: &Chain, session: SessionId, good: bool) -> Post {
        let committed = chain.replica.committed().unwrap();
        let now = committed.state.session(&session).unwrap();
        let body = now.body().unwrap();
        let p2p = (1..3).map(|to| {
            let Some(Slot::Join { key, .. }) = body.slot(0, to) else {
                panic!("party {to} has joined");
            };
            let place = PayloadPlace {
                network: chain.network.id,
                session,
                spec: &body.spec,
                transcript: now.leaf.transcript,
                round: if good { 1 } else { 9 },
                from: 0,
                to,
                key: key.clone(),
            };
            (to, place.seal(&ikm_e(SECRET), SECRET))
        });
        let transcript = now.leaf.transcript;
        Post::new(session, 1, (0, 3), transcript, vec![], p2p.collect())
    }

    fn get(&self) -> Session {
        let committed = self.chain.replica.committed().unwrap();
        if let Ok(session) = committed.state.session(&self.session) {
            return Session::clone(session);
        }
        let number = committed.snapshot.erased_number(&self.session).unwrap();
        committed.snapshot.erased(number.unwrap()).unwrap().unwrap()
    }

    fn complaint(&self, index: u16) -> Complain {
        complain_about(&self.post, index, 3).unwrap()
    }

    fn complain(&self, index: u16) -> Vec<u8> {
        let complaint = Action::Complain(self.complaint(index));
        self.chain.tx(&self.parties[usize::from(index)], complaint)
    }

    fn reveal(&self, index: u16, plaintext: &[u8]) -> Vec<u8> {
        let reveal = reveal_of(&self.complaint(index), ikm_e(plaintext), plaintext);
        self.chain.tx(&self.parties[0], Action::Reveal(reveal))
    }

    fn ask(&self, question: Question) -> pb::Answer {
        let response = self.chain.replica.query(RequestQuery {
            path: "/v1".into(),
            data: encode_query(question).into(),
            ..Default::default()
        });
        assert_eq!(response.code, 0, "{}", response.log);
        decode_answer(&response.value[..]).unwrap()
    }

    fn reference(&self) -> Option<pb::SessionRef> {
        Some(pb::SessionRef {
            r#ref: Some(Ref::Id(self.session.0.to_vec())),
        })
    }
}

fn case(good: bool) -> Case {
    Case::new(Chain::new(&naive()), good)
}

#[test]
fn one_complaint_of_each_party_and_one_reveal_are_pending_at_most() {
    let mut case = case(true);
    let take = |case: &Case, tx: &[u8]| case.chain.replica.check_tx(tx);
    let again = |case: &Case, index: u16, action: Action| {
        let party = &case.parties[usize::from(index)];
        party.tx_again(action, &case.chain.network.id).encode()
    };
    take(&case, &case.complain(1)).unwrap();
    take(&case, &case.complain(1)).unwrap();
    take(&case, &case.complain(2)).unwrap();
    let otherwise = again(&case, 1, Action::Complain(case.complaint(1)));
    let existing = case.complaint(1).digest();
    assert_eq!(
        take(&case, &otherwise),
        Err(Refusal::SlotPending { existing })
    );
    assert_eq!(
        take(&case, &case.reveal(1, SECRET)),
        Err(Refusal::NoDispute)
    );
    // The proposer takes one of them, and what waits of the other goes when it is checked again.
    let block = case
        .chain
        .propose(&[case.complain(1), case.complain(2)], 1 << 20);
    assert_eq!(block.len(), 2);
    case.chain.decide(block).unwrap();
    assert_eq!(take(&case, &case.complain(2)), Err(Refusal::InDispute));
    assert_eq!(take(&case, &case.complain(1)), Err(Refusal::AlreadyStored));
    take(&case, &case.reveal(1, SECRET)).unwrap();
    let other = take(&case, &case.reveal(1, b"another"));
    assert!(matches!(other, Err(Refusal::SlotPending { .. })));
    assert_eq!(
        take(&case, &case.chain.post(&case.parties, case.session, 1, b"")),
        Err(Refusal::SlotTaken {
            existing: case
                .get()
                .body
                .unwrap()
                .slot(1, 1)
                .unwrap()
                .digest()
                .unwrap()
        })
    );
}

#[test]
fn a_reveal_in_last_call_goes_first_and_needs_no_engine_to_offer_it() {
    let mut case = case(true);
    let (other, open) = case.chain.open(&case.parties, 2);
    assert_ne!(other, case.session);
    let complain = case.complain(1);
    case.chain.block(&[complain]);
    case.chain.block(&[]);
    let deadline_ms = case.get().leaf.deadline_ms;
    while case.chain.context().time.millis() <= deadline_ms {
        assert_eq!(case.get().status(), Status::Dispute);
        case.chain.block(&[]);
    }
    let reveal = case.reveal(1, SECRET);
    case.chain.replica.check_tx(&reveal).unwrap();
    let block = case.chain.propose(&[open], 1 << 20);
    assert_eq!(block.len(), 3);
    assert_eq!(block[1], reveal, "the session in last call comes first");
    case.chain.decide(block).unwrap();
    let end = case.get().terminal.unwrap();
    assert_eq!((end.cause, end.by()), (Cause::FalseComplaint, Some(1)));
}

#[test]
fn a_replica_that_is_started_again_in_the_middle_of_a_dispute_goes_on_with_it() {
    for good in [true, false] {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("board.redb");
        let mut chain = Chain::new(&naive());
        let (on_disk, stops) = replica(Some(&path), &naive());
        on_disk.init(chain.network.clone()).unwrap();
        (chain.replica, chain.stops) = (on_disk, stops);
        let mut case = Case::new(chain, good);
        let restart = |case: &mut Case| {
            let before = case.get();
            // The file is locked as long as anybody has it open.
            let (elsewhere, stops) = replica(None, &naive());
            (case.chain.replica, case.chain.stops) = (elsewhere, stops);
            let (again, stops) = replica(Some(&path), &naive());
            (case.chain.replica, case.chain.stops) = (again, stops);
            assert_eq!(case.get(), before);
        };
        let complain = case.complain(1);
        case.chain.block(std::slice::from_ref(&complain));
        restart(&mut case);
        case.chain.block(&[]);
        restart(&mut case);
        assert_eq!(case.get().status(), Status::Dispute);
        let dispute = case.get().body.unwrap().dispute.unwrap();
        assert_eq!(dispute.complain, case.complaint(1));
        let reveal = case.reveal(1, SECRET);
        case.chain.block(std::slice::from_ref(&reveal));
        restart(&mut case);
        let cause = case.get().terminal.unwrap().cause;
        let expected = [Cause::BadPayload, Cause::FalseComplaint][usize::from(good)];
        assert_eq!(cause, expected);
        for tx in [complain, reveal] {
            let refused = case.chain.replica.check_tx(&tx);
            assert_eq!(refused, Err(Refusal::AlreadyStored));
        }
    }
}

/// The join of a party.
fn join_of(case: &Case, index: u16) -> Join {
    let session = case.reference();
    let roster = case.ask(Question::Roster(pb::RosterQuery { session }));
    let Some(Answer::Roster(roster)) = roster.body else {
        panic!("joins")
    };
    let joins = roster.joins.iter();
    let mut joins = joins.map(|join| join_from_pb(join).unwrap().0);
    joins.find(|join| join.index == index).unwrap()
}

/// The culprit that somebody finds who has only answers and the session's leaf: it judges by itself.
fn convicted(case: &Case) -> Culprit {
    let session = case.reference();
    let round = |round| {
        let session = session.clone();
        let answer = case.ask(Question::Round(pb::RoundQuery { session, round }));
        let Some(Answer::Slots(slots)) = answer.body else {
            panic!("slots")
        };
        split_hashes(&slots.slots).unwrap()
    };
    let answer = case.ask(Question::Evidence(pb::EvidenceQuery {
        session: session.clone(),
    }));
    let leaf = SessionProof::try_from(&answer.session.unwrap())
        .unwrap()
        .leaf;
    let Some(Answer::Evidence(evidence)) = answer.body else {
        panic!("evidence")
    };
    let Some(Answer::Spec(spec)) = case
        .ask(Question::Spec(pb::SpecQuery {
            session: session.clone(),
        }))
        .body
    else {
        panic!("a spec")
    };
    let (open, _) = open_from_pb(spec.open.unwrap()).unwrap();
    let network = case.chain.network.id;
    assert_eq!(open.session_id(&network), leaf.session);
    let verified = |tx: Option<pb::Tx>| {
        let tx = SignedTx::decode(&tx.unwrap().encode_to_vec()).unwrap();
        let (_, index) = tx.unverified_action().author().unwrap();
        let key = open.spec.key(index).unwrap();
        let tx = tx.verify(key, open.spec.parties(), &network).unwrap();
        tx.action().clone()
    };
    let Action::Complain(complain) = verified(evidence.complain) else {
        panic!("a complaint")
    };
    let Action::Reveal(reveal) = verified(evidence.reveal) else {
        panic!("a reveal")
    };
    assert_eq!(leaf.dispute, complain.digest());
    let accused = usize::from(complain.accused());
    let posts = round(complain.post.round);
    assert_eq!(posts[accused], slot_leaf(Some(&complain.post.digest())));
    let join = join_of(case, complain.index);
    assert_eq!(
        round(0)[usize::from(complain.index)],
        slot_leaf(Some(&join.digest()))
    );
    let verdict = judge(&network, &open.spec, &join.key, &complain, &reveal).unwrap();
    let culprit = Culprit {
        index: verdict.culprit(&complain),
        offence: verdict.offence(),
        round: complain.post.round,
        a: complain.digest(),
        b: reveal.digest(),
    };
    let said: Vec<Culprit> = evidence
        .culprits
        .iter()
        .map(|culprit| Culprit::try_from(culprit).unwrap())
        .collect();
    assert_eq!(said, std::slice::from_ref(&culprit));
    assert_eq!(leaf.evidence, evidence_hash(&said));
    culprit
}

#[test]
fn a_third_party_convicts_from_the_board_alone() {
    for (good, index) in [(false, 0), (true, 1)] {
        let mut case = case(good);
        let txs = [case.complain(1), case.reveal(1, SECRET)];
        case.chain.block(&txs);
        assert_eq!(convicted(&case).index, index);
    }
}

/// The answer to a path under `/json`, which has the names of `wire::json` and no others.
fn shown<A: Serialize + DeserializeOwned>(case: &Case, path: &str) -> A {
    let response = case.chain.replica.query(RequestQuery {
        path: path.to_owned(),
        ..Default::default()
    });
    let value: Value = serde_json::from_str(&response.info).unwrap();
    let answer: json::Answer<A> = serde_json::from_value(value.clone()).unwrap();
    assert_eq!(serde_json::to_value(&answer).unwrap(), value);
    answer.answer
}

#[test]
fn every_path_for_people_answers_with_the_documented_names() {
    let mut case = case(true);
    let spec_hash = case.get().body().unwrap().spec.hash();
    let txs = [case.complain(1), case.reveal(1, SECRET)];
    case.chain.block(&txs);
    let id = case.session;
    let session: json::Session = shown(&case, &format!("/json/session/{id}"));
    let dispute = session.dispute.unwrap();
    assert_eq!((dispute.by, dispute.culprit), (1, Some(1)));
    assert_eq!(session.culprits, Some(vec![1]));
    let offence = session.offences.unwrap().pop().unwrap().offence;
    assert_eq!(offence, Offence::FalseComplaint);
    assert_eq!(session.end.unwrap().cause, Cause::FalseComplaint);
    let spec: json::Spec = shown(&case, &format!("/json/session/{}/spec", session.number));
    assert_eq!(spec.spec_hash, spec_hash);
    let round: json::Round = shown(&case, &format!("/json/session/{id}/round/0"));
    assert!(round.closed && round.slots.iter().all(|slot| slot.kind == SlotKind::Join));
    let sessions: json::Sessions = shown(&case, "/json/sessions");
    assert_eq!(sessions.sessions[0].session, id);
    let board: json::Board<Params, Charter> = shown(&case, "/json/params");
    assert_eq!(board.session_count, 1);
    let openers: json::Openers = shown(&case, "/json/openers");
    assert_eq!(
        u64::try_from(openers.openers.len()).unwrap(),
        board.opener_count
    );
    let work: Value = shown(&case, "/json/work");
    assert!(work["queries"].as_u64().unwrap() >= 6);
}

#[test]
fn a_dispute_is_shown_to_people_and_erased_with_its_session() {
    let mut case = case(true);
    let shown = |case: &Case| {
        let response = case.chain.replica.query(RequestQuery {
            path: format!("/json/session/{}", case.session),
            ..Default::default()
        });
        let value: serde_json::Value = serde_json::from_str(&response.info).unwrap();
        value["answer"]["dispute"].clone()
    };
    assert!(shown(&case).is_null());
    case.chain.block(&[case.complain(2)]);
    let dispute = shown(&case);
    assert_eq!(
        (&dispute["by"], &dispute["accused"]),
        (&2.into(), &0.into())
    );
    assert!(dispute["reveal"].is_null() && dispute["culprit"].is_null());
    case.chain.block(&[case.reveal(2, SECRET)]);
    assert_eq!(shown(&case)["culprit"], 2);
    let number = case.get().number;
    let stored = |case: &Case| {
        let committed = case.chain.replica.committed().unwrap();
        let snapshot = &committed.snapshot;
        [snapshot.complaint(number), snapshot.reveal(number)].map(|tx| tx.unwrap().is_some())
    };
    assert_eq!(stored(&case), [true; 2]);
    for _ in 0..100 {
        case.chain.block(&[]);
        if case.get().status() == Status::Erased {
            break;
        }
    }
    assert_eq!(
        (case.get().status(), stored(&case)),
        (Status::Erased, [false; 2])
    );
    assert_eq!(case.get().leaf.dispute, case.complaint(2).digest());
}
