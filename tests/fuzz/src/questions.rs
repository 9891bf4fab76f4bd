//! Questions and answers.

use std::sync::{Arc, LazyLock};

use prost::Message as _;
use white_city_tests::network::{network, rules};
use white_city_wire::{
    Hash, Network,
    bitmap::Bitmap,
    pb::{self, query::Question, session_ref::Ref},
    proof::{RoundProof, SessionProof, StateProof},
    protocol::Known,
    read::{decode_answer, decode_query, encode_query, join_hashes, split_hashes},
    seal::Seal,
};

use crate::{Target, golden::column};

/// The network that the answers are said to be of.
static NETWORK: LazyLock<Arc<Network>> = LazyLock::new(|| network(1, rules(&[])));

/// Questions that clients ask.
pub const QUESTIONS: Target =
    Target::new("questions", || questions(&[Hash([5; 32])]), take_question);

/// Answers, which clients read from replicas that may be malicious.
pub const ANSWERS: Target = Target::new("answers", answers, take_answer);

/// Seals of blocks.
pub const SEALS: Target = Target::new("seals", || column("seals", "/out/seal"), take_seal);

/// Sets of a roster's parties.
pub const BITMAPS: Target = Target::new("bitmaps", || column("bitmaps", "/out/bytes"), take_bitmap);

fn session(reference: Ref) -> Option<pb::SessionRef> {
    Some(pb::SessionRef {
        r#ref: Some(reference),
    })
}

/// Every kind of question, about sessions that the replica of these tests has, and others.
pub fn questions(ids: &[Hash]) -> Vec<Vec<u8>> {
    let mut references: Vec<Ref> = ids.iter().map(|id| Ref::Id(id.0.to_vec())).collect();
    references.extend([0, 1, 2, u64::MAX].map(Ref::Number));
    references.push(Ref::Id(vec![1; 31]));
    let mut questions = vec![
        Question::Params(pb::ParamsQuery {}),
        Question::Sessions(pb::SessionsQuery {
            party: Vec::new(),
            from_number: 0,
            ..Default::default()
        }),
        Question::Sessions(pb::SessionsQuery {
            party: vec![3; 32],
            from_number: u64::MAX,
            ..Default::default()
        }),
        Question::Sessions(pb::SessionsQuery {
            party: vec![3; 32],
            from_number: 0,
            down_from: Some(u64::MAX),
            statuses: 0b1110,
        }),
        Question::Openers(pb::OpenersQuery { from: 0 }),
        Question::Openers(pb::OpenersQuery { from: u32::MAX }),
    ];
    for reference in references {
        let session = session(reference);
        questions.push(Question::Session(pb::SessionQuery {
            session: session.clone(),
        }));
        questions.push(Question::Spec(pb::SpecQuery {
            session: session.clone(),
        }));
        questions.push(Question::Roster(pb::RosterQuery {
            session: session.clone(),
        }));
        questions.push(Question::Evidence(pb::EvidenceQuery {
            session: session.clone(),
        }));
        questions.push(Question::Terminal(pb::TerminalQuery {
            session: session.clone(),
        }));
        for round in [0, 1, 2, u32::MAX] {
            let session = session.clone();
            questions.push(Question::Round(pb::RoundQuery {
                session: session.clone(),
                round,
            }));
            questions.push(Question::Transcript(pb::TranscriptQuery {
                session: session.clone(),
            }));
            for (reader, from_index) in [(0, 0), (2, 1), (65_535, u32::MAX)] {
                let session = session.clone();
                questions.push(Question::Inbox(pb::InboxQuery {
                    session,
                    round,
                    reader,
                    from_index,
                }));
            }
        }
    }
    questions.into_iter().map(encode_query).collect()
}

fn take_question(input: &[u8]) -> bool {
    match decode_query(input) {
        Ok(question) => {
            assert_eq!(decode_query(&encode_query(question.clone())), Ok(question));
            true
        }
        Err(refusal) => {
            assert!([16, 18, 144].contains(&refusal.code()), "{refusal}");
            false
        }
    }
}

/// An answer with all of its parts.
fn example() -> pb::Answer {
    let terminal = pb::Terminal {
        status: 4,
        n: 9,
        members: vec![255, 1],
        filled: vec![1, 0],
        outcome: vec![7; 32],
        ..Default::default()
    };
    let culprit = pb::Culprit {
        index: 1,
        kind: 1,
        round: 1,
        a: vec![1; 32],
        b: vec![2; 32],
    };
    let session = pb::SessionAnswer {
        terminal: Some(terminal),
        culprits: vec![culprit],
        slots: vec![1; 96],
        ..Default::default()
    };
    let hash = || vec![9; 32];
    let leaf = pb::SessionLeaf {
        id: hash(),
        status: 4,
        open_round: 2,
        transcript: hash(),
        slots_root: hash(),
        callers: hash(),
        dispute: hash(),
        terminal: hash(),
        evidence: hash(),
        left: hash(),
        ..Default::default()
    };
    pb::Answer {
        version: 1,
        height: 5,
        state: Some(pb::StateProof {
            sessions: 3,
            sessions_root: vec![1; 32],
            openers: 1,
            openers_root: vec![2; 32],
            parent_hash: vec![3; 32],
            data_path: vec![4; 64],
            ..Default::default()
        }),
        session: Some(pb::SessionProof {
            number: 2,
            leaf: Some(leaf),
            path: vec![5; 64],
        }),
        round: Some(pb::RoundProof {
            before: vec![6; 32],
            later_roots: vec![7; 32],
        }),
        body: Some(pb::answer::Body::SessionNow(session)),
    }
}

fn answers() -> Vec<Vec<u8>> {
    let empty = pb::Answer {
        version: 1,
        ..Default::default()
    };
    vec![example().encode_to_vec(), empty.encode_to_vec()]
}

fn take_answer(input: &[u8]) -> bool {
    let Ok(answer) = decode_answer(input) else {
        return false;
    };
    follow(&answer);
    if let Some(pb::answer::Body::SessionNow(session)) = &answer.body {
        for culprit in &session.culprits {
            if let Ok(read) = white_city_wire::board::Culprit::try_from(culprit) {
                assert_eq!(&pb::Culprit::from(&read), culprit);
            }
        }
        if let Some(terminal) = &session.terminal
            && let Ok(read) = white_city_wire::board::Terminal::try_from(terminal)
        {
            assert_eq!(&pb::Terminal::from(&read), terminal);
        }
        if let Some(hashes) = split_hashes(&session.slots) {
            assert_eq!(join_hashes(&hashes), session.slots);
        }
    }
    true
}

/// Follows an answer's proofs as far as they lead.
fn follow(answer: &pb::Answer) {
    let state = answer.state.as_ref();
    let state = state.and_then(|state| StateProof::from_pb(state, &NETWORK, Known::RELEASED).ok());
    if let Some(state) = &state {
        assert_ne!(state.data_hash(), Hash::ZERO);
        assert_eq!(answer.state, Some(state.into()));
    }
    let Some(Ok(session)) = answer.session.as_ref().map(SessionProof::try_from) else {
        return;
    };
    assert_eq!(answer.session, Some((&session).into()));
    let is_stated = state.is_some_and(|state| session.is_of(&state.board));
    assert!(!is_stated, "made-up roots are nobody's");
    if let Some(Ok(round)) = answer.round.as_ref().map(RoundProof::try_from) {
        assert!(!round.is_of(&session.leaf, 0, &Hash::ZERO));
        assert_eq!(answer.round, Some((&round).into()));
    }
}

fn take_seal(input: &[u8]) -> bool {
    let seal = Seal::decode(input);
    if let Some(seal) = &seal {
        assert_eq!(seal.encode(), input);
    }
    seal.is_some()
}

fn take_bitmap(input: &[u8]) -> bool {
    let size = u16::try_from(input.len() * 8)
        .unwrap_or(u16::MAX)
        .saturating_sub(3);
    let set = Bitmap::from_bytes(size, input);
    if let Some(set) = &set {
        assert_eq!(set.as_bytes(), input);
        assert!(set.iter().all(|index| index < size));
    }
    set.is_some()
}
