//! What a replica says of sessions that it has let go of: memory follows what is live, and nobody notices.

use white_city_client::Trust;
use white_city_replica::{committed::Committed, query::ask};
use white_city_state_machine::State;
use white_city_tests::party::Party;
use white_city_wire::{
    Hash, Refusal, SessionId,
    board::Status,
    pb::{self, query::Question, session_ref::Ref},
    tx::{Action, Leave},
};

use crate::chain::{Chain, naive};

/// Every question about each session of a state, and about rounds that it has and the next one.
pub fn questions(state: &State) -> Vec<Question> {
    let sessions = state.sessions().iter();
    let about = sessions.flat_map(|session| {
        let by_id = Ref::Id(session.id().0.to_vec());
        let by_number = Ref::Number(session.number.into());
        let rounds = session.leaf.open_round + 1;
        [by_id, by_number]
            .into_iter()
            .flat_map(move |one| about(one, rounds))
    });
    let from = |number, down_from, statuses| {
        Question::Sessions(pb::SessionsQuery {
            from_number: number,
            down_from,
            statuses,
            party: Vec::new(),
        })
    };
    let lists = [0, 1].map(|number| from(number, None, 0));
    let down = [0, 0b1110, 1 << 6].map(|statuses| from(0, Some(1), statuses));
    let parties = state.sessions().iter();
    let parties = parties.flat_map(|session| session.roster().first().copied());
    let of_party = parties.flat_map(|party| {
        [0, 0b1110, 0b1_0000].map(|statuses| {
            Question::Sessions(pb::SessionsQuery {
                party: party.as_bytes().to_vec(),
                from_number: 0,
                down_from: Some(u64::MAX),
                statuses,
            })
        })
    });
    let lists = about.chain(lists).chain(down);
    lists.chain(of_party).collect()
}

fn about(one: Ref, rounds: u32) -> Vec<Question> {
    let session = || {
        Some(pb::SessionRef {
            r#ref: Some(one.clone()),
        })
    };
    let mut questions = vec![
        Question::Session(pb::SessionQuery { session: session() }),
        Question::Spec(pb::SpecQuery { session: session() }),
        Question::Roster(pb::RosterQuery { session: session() }),
        Question::Transcript(pb::TranscriptQuery { session: session() }),
        Question::Evidence(pb::EvidenceQuery { session: session() }),
        Question::Terminal(pb::TerminalQuery { session: session() }),
    ];
    for round in 0..=rounds {
        let session = session();
        questions.push(Question::Round(pb::RoundQuery {
            session: session.clone(),
            round,
        }));
        questions.push(Question::Inbox(pb::InboxQuery {
            session,
            round,
            reader: 0,
            from_index: 0,
        }));
    }
    questions
}

/// All that a replica answers, with why it refuses the rest.
pub fn answers(committed: &Committed, questions: &[Question]) -> Vec<Result<pb::Answer, Refusal>> {
    let trust = Trust::new(committed.state.network().as_ref().clone()).unwrap();
    let asked = questions.iter();
    asked
        .map(|question| ask(committed, &trust, question))
        .collect()
}

/// Three parties in round 1, who then leave or are absent.
struct Case {
    chain: Chain,
    parties: Vec<Party>,
    session: SessionId,
    open: Vec<u8>,
    joins: Vec<Vec<u8>>,
    post: Vec<u8>,
}

impl Case {
    fn new() -> Self {
        let mut chain = Chain::new(&naive());
        let parties = Party::several(3);
        let (session, open) = chain.open(&parties, 1);
        chain.block(std::slice::from_ref(&open));
        let joins = chain.joins(&parties, session);
        chain.block(&joins);
        let post = chain.post(&parties, session, 0, b"first");
        chain.block(std::slice::from_ref(&post));
        Self {
            chain,
            parties,
            session,
            open,
            joins,
            post,
        }
    }

    fn abort(&self, party: u16, detail: u8) -> Vec<u8> {
        let leave = Action::Leave {
            session: self.session,
            index: party,
            leave: Leave::Abort {
                cause: 1,
                about: 0,
                detail: Hash([detail; 32]),
            },
        };
        self.chain.tx(&self.parties[usize::from(party)], leave)
    }

    fn refusal(&self, tx: &[u8]) -> Refusal {
        self.chain.replica.check_tx(tx).unwrap_err()
    }

    fn is_in_memory(&self) -> [bool; 2] {
        let committed = self.chain.replica.committed().unwrap();
        let session = committed.state.session(&self.session);
        [session.is_ok(), session.is_ok_and(|s| s.body.is_some())]
    }
}

#[test]
fn whoever_sends_again_what_is_stored_hears_just_that_after_the_end_and_after_erasure() {
    let mut case = Case::new();
    let second = case.chain.post(&case.parties, case.session, 0, b"second");
    let late = case.chain.post(&case.parties, case.session, 1, b"late");
    let aborts = [1, 2].map(|party| case.abort(party, 7));
    assert_eq!(case.is_in_memory(), [true, true]);
    case.chain.block(&aborts);
    assert_eq!(case.is_in_memory(), [true, false], "it has ended");
    for stored in case.joins.iter().chain([&case.post]).chain(&aborts) {
        assert_eq!(case.refusal(stored), Refusal::AlreadyStored);
    }
    assert_eq!(case.refusal(&case.open), Refusal::AlreadyStored);
    assert_eq!(case.refusal(&case.abort(2, 8)), Refusal::HasLeft(2));
    assert_eq!(case.refusal(&case.abort(0, 7)), Refusal::Ended);
    assert_eq!(case.refusal(&late), Refusal::Ended);
    // A second entry still convicts: the next proposal has the evidence.
    assert!(matches!(case.refusal(&second), Refusal::SlotTaken { .. }));
    let block = case.chain.propose(&[], 1 << 20);
    assert_eq!(block.len(), 2, "the seal and the evidence");
    case.chain.decide(block).unwrap();
    let committed = case.chain.replica.committed().unwrap();
    let session = committed.state.session(&case.session).unwrap();
    assert_eq!(session.culprits().len(), 1);
    drop(committed);
    let erased = (0..200).any(|_| {
        case.chain.block(&[]);
        !case.is_in_memory()[0]
    });
    assert!(erased);
    assert_eq!(case.refusal(&case.open), Refusal::AlreadyStored);
    let parts = [&case.post, &late, &second, &aborts[0]];
    for gone in parts.into_iter().chain(&case.joins) {
        assert_eq!(case.refusal(gone), Refusal::Erased);
    }
    let (unknown, open) = case.chain.open(&case.parties, 2);
    let expired = case.refusal(&open);
    assert!(matches!(expired, Refusal::OpenExpired { .. }), "{expired}");
    let join = &case.chain.joins(&case.parties, unknown)[0];
    assert_eq!(case.refusal(join), Refusal::UnknownSession(Hash(unknown.0)));
}

#[test]
fn of_an_erased_session_there_is_its_leaf_with_a_proof_and_its_end() {
    let mut case = Case::new();
    case.chain.block(&[case.abort(1, 1), case.abort(2, 1)]);
    for nonce in 3..6 {
        let (_, open) = case.chain.open(&case.parties, nonce);
        case.chain.block(&[open]);
    }
    let erased = (0..200).any(|_| {
        case.chain.block(&[]);
        !case.is_in_memory()[0]
    });
    assert!(erased);
    let committed = case.chain.replica.committed().unwrap();
    let one = Ref::Id(case.session.0.to_vec());
    let [session, terminal] = {
        let about = about(one, 0);
        let asked = [about[0].clone(), about[5].clone()];
        let answers = answers(&committed, &asked);
        <[_; 2]>::try_from(answers).unwrap()
    };
    let proof = session.unwrap().session.unwrap();
    let leaf = proof.leaf.unwrap();
    assert_eq!(leaf.status, u32::from(Status::Erased.number()));
    assert!(!proof.path.is_empty());
    assert!(terminal.is_ok());
}
