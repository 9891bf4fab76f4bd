//! The verifier for whoever has no Rust: built for `wasm32-unknown-unknown` it imports nothing, and anything that runs
//! WebAssembly can ask it whether a receipt or an answer is true.
//!
//! Inputs are handed over one by one: [`give`] makes room and says where, and whoever calls puts the bytes there. Then a
//! `verify_…` takes all of them and gives the length of a JSON text, which is at [`result`] until the next call: `{"proven": …}`,
//! or `{"refused": {"by": …, "reason": …, "text": …}}` with the check that refused it and its reason's name.
//! `tests/wasm/verify.mjs` is a caller.
//!
//! Whoever looks at a board for longer lets the module remember what it has verified: [`open_board`] begins with a genesis, and then
//! [`question`] makes the bytes of a question, [`header`] takes a header, and [`answer`] an answer, each as a replica gave it. What these
//! can't decide yet, they say: `{"wants": {"header": 7}}`, or `links` from an era on, or the `spec` of a session. An answer that nobody
//! can prove is `{"said": …}`. `client/explorer/page/asking.js` is a caller.
#![expect(
    unsafe_code,
    reason = "an export's name has to be the only one of its kind; nothing else here is unsafe"
)]
#![cfg_attr(
    not(test),
    deny(
        clippy::unwrap_used,
        clippy::expect_used,
        clippy::panic,
        clippy::indexing_slicing
    )
)]

pub mod board;
pub mod followed;
pub mod outcome;
mod question;
mod shown;

use std::{cell::RefCell, sync::Arc};

use board::Board;
use outcome::{Answered, NotProven};
use question::Asked;
use serde_json::{Value, json};
use shown::{name, refused};
use white_city_verify::{
    Error, Receipt, Trust, Verified,
    read::{Lie, OrLie, ReadLeaf, ReadSpec, ReadStatus, SessionRef, check},
    wire::{
        SessionId,
        pb::{query::Question, session_ref::Ref},
        read::decode_query,
    },
};
use zeroize::Zeroize as _;

thread_local! {
    static GIVEN: RefCell<Vec<Vec<u8>>> = const { RefCell::new(Vec::new()) };
    static BOARD: RefCell<Option<Board>> = const { RefCell::new(None) };
    static RESULT: RefCell<String> = const { RefCell::new(String::new()) };
}

/// Makes room for the next input, of so many bytes, and says where.
#[unsafe(no_mangle)]
pub extern "C" fn give(length: usize) -> *mut u8 {
    GIVEN.with_borrow_mut(|given| {
        let mut input = vec![0; length];
        let at = input.as_mut_ptr();
        given.push(input);
        at
    })
}

/// Address of the result.
#[unsafe(no_mangle)]
pub extern "C" fn result() -> *const u8 {
    RESULT.with_borrow(|text| text.as_ptr())
}

/// Verifies a receipt. Inputs: the genesis, the receipt.
#[unsafe(no_mangle)]
pub extern "C" fn verify_receipt() -> usize {
    conclude(|[genesis, receipt]| {
        let trust = Trust::genesis_json(genesis)?;
        let receipt = Receipt::from_bytes(receipt)?;
        let proven = receipt.verify(&trust)?;
        Ok(json!({
            "kind": receipt.kind().name(),
            "session": proven.session.map(|id| id.to_string()),
            "heights": proven.certified.iter().map(|at| at.height).collect::<Vec<_>>(),
            "text": proven.to_string(),
        }))
    })
}

/// Verifies an answer. Inputs: the genesis, the signed header of the answer's height in CometBFT's protobuf, the question (a
/// protobuf `Query`: for the board's numbers, a session, or a spec), the answer (a protobuf `Answer`).
#[unsafe(no_mangle)]
pub extern "C" fn verify_read() -> usize {
    conclude(|[genesis, header, question, answer]| {
        let trust = Trust::genesis_json(genesis)?;
        let header = Arc::new(trust.decode_header(header)?);
        match decode_query(question).or_lie("question")? {
            Question::Params(_) => proven(
                &check(&ReadStatus, &trust, answer, &header)?,
                |board| json!({ "sessions": board.sessions, "openers": board.openers }),
            ),
            Question::Session(asked) => {
                let asked = asked.session.and_then(|session| session.r#ref);
                let session = match asked {
                    Some(Ref::Id(id)) => SessionRef::Id(session_id(&id)?),
                    Some(Ref::Number(number)) => SessionRef::Number(number),
                    None => return Err(Lie::new("a question about no session").into()),
                };
                proven(
                    &check(&ReadLeaf(session), &trust, answer, &header)?,
                    |session| {
                        json!({
                            "number": session.number,
                            "session": session.leaf.session.to_string(),
                            "status": name(&session.leaf.status),
                            "open_round": session.leaf.open_round,
                            "transcript": session.leaf.transcript.to_string(),
                        })
                    },
                )
            }
            Question::Spec(asked) => {
                let id = match asked.session.and_then(|session| session.r#ref) {
                    Some(Ref::Id(id)) => session_id(&id)?,
                    _ => return Err(Lie::new("a spec is asked for by its session's id").into()),
                };
                proven(&check(&ReadSpec(id), &trust, answer, &header)?, |open| {
                    let roster = open.spec.roster.iter().map(ToString::to_string);
                    json!({
                        "protocol": open.spec.protocol,
                        "opener": open.opener.to_string(),
                        "roster": roster.collect::<Vec<_>>(),
                    })
                })
            }
            _ => Err(
                Lie::new("a question whose answer can't be read without its session's spec").into(),
            ),
        }
    })
}

fn session_id(bytes: &[u8]) -> Result<SessionId, Lie> {
    SessionId::from_slice(bytes).ok_or_else(|| Lie::new("id: not 32 bytes"))
}

fn proven<T>(value: &Verified<T>, shown: impl FnOnce(&T) -> Value) -> Result<Value, Error> {
    Ok(json!({
        "height": value.height(),
        "board_ms": value.board_ms(),
        "value": shown(value),
    }))
}

/// Begins to look at a board, and forgets the one before. Input: its genesis.
#[unsafe(no_mangle)]
pub extern "C" fn open_board() -> usize {
    conclude(|[genesis]| {
        let board = Board::new(Trust::genesis_json(genesis)?);
        let network = shown::network(board.trust());
        BOARD.set(Some(board));
        Ok(network)
    })
}

/// Makes the bytes of a question. Input: the question in JSON, as `question.rs` reads it.
#[unsafe(no_mangle)]
pub extern "C" fn question() -> usize {
    answered(|[asked]| {
        let asked = Asked::from_json(asked)?;
        Ok(Answered::Proven(json!(asked.to_hex())))
    })
}

/// Takes a header. Input: the answer of a replica's RPC to `commit`.
#[unsafe(no_mangle)]
pub extern "C" fn header() -> usize {
    of_board(|board, [answer]| board.header(answer))
}

/// Takes an answer. Inputs: the question in JSON, the answer (a protobuf `Answer`).
#[unsafe(no_mangle)]
pub extern "C" fn answer() -> usize {
    of_board(|board, [asked, answer]| board.answer(&Asked::from_json(asked)?, answer))
}

/// Shows one entry of the session whose inboxes were read last. Input: `[round, index]`.
#[unsafe(no_mangle)]
pub extern "C" fn entry() -> usize {
    of_board(|board, [place]| board.entry(place))
}

/// As [`answered`], for the board that is looked at.
pub fn of_board<const N: usize>(
    take: impl FnOnce(&mut Board, [&[u8]; N]) -> Result<Answered, NotProven>,
) -> usize {
    BOARD.with_borrow_mut(|board| {
        answered(|inputs| match board {
            Some(board) => take(board, inputs),
            None => Err(NotProven::usage("no board: open_board comes first")),
        })
    })
}

/// Takes what was given, and keeps what came of it.
fn conclude<const N: usize>(verify: impl FnOnce([&[u8]; N]) -> Result<Value, Error>) -> usize {
    answered(|inputs| Ok(Answered::Proven(verify(inputs)?)))
}

/// Takes what was given, and keeps what came of it, for an export of another module of this kind.
pub fn answered<const N: usize>(
    take: impl FnOnce([&[u8]; N]) -> Result<Answered, NotProven>,
) -> usize {
    let given = GIVEN.take();
    let inputs: Vec<&[u8]> = given.iter().map(Vec::as_slice).collect();
    let concluded = match inputs.try_into() {
        Ok(inputs) => take(inputs),
        Err(inputs) => {
            let text = format!("{N} inputs, got {}", inputs.len());
            Err(NotProven::Usage(text))
        }
    };
    let concluded = match concluded {
        Ok(Answered::Proven(proven)) => json!({ "proven": proven }),
        Ok(Answered::Said(said)) => json!({ "said": said }),
        Ok(Answered::Done(done)) => json!({ "done": done }),
        Err(NotProven::Wants(wants)) => json!({ "wants": wants }),
        Err(NotProven::Usage(text)) => json!({ "usage": text }),
        Err(NotProven::Failed(failed)) => json!({ "failed": failed }),
        Err(NotProven::Refused(error)) => refused(&error),
        Err(NotProven::Other { by, text }) => json!({ "refused": { "by": by, "text": text } }),
    };
    let text = concluded.to_string();
    let length = text.len();
    // What a party is told may be secret.
    wipe(concluded);
    RESULT.replace(text).zeroize();
    given.into_iter().for_each(|mut input| input.zeroize());
    length
}

/// Overwrites the texts of a value.
fn wipe(value: Value) {
    match value {
        Value::String(mut text) => text.zeroize(),
        Value::Array(values) => values.into_iter().for_each(wipe),
        Value::Object(values) => values.into_iter().for_each(|(_, value)| wipe(value)),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use prost::Message as _;
    use white_city_verify::wire::pb;

    use super::*;

    /// As somebody outside does it, but that the bytes are put there from inside.
    fn told(inputs: &[&[u8]], verify: extern "C" fn() -> usize) -> Value {
        for input in inputs {
            let at = give(input.len());
            GIVEN.with_borrow_mut(|given| {
                let room = given.last_mut().unwrap();
                assert_eq!(room.as_mut_ptr(), at);
                room.copy_from_slice(input);
            });
        }
        let length = verify();
        RESULT.with_borrow(|text| {
            assert_eq!((text.len(), text.as_ptr()), (length, result()));
            serde_json::from_str(text).unwrap()
        })
    }

    #[test]
    fn whatever_is_given_there_is_a_result() {
        let two = told(&[b"{}", b"receipt"], verify_receipt);
        assert_eq!(two["refused"]["by"], "genesis");
        assert_eq!(two["refused"]["reason"], "Json");
        let three = told(&[b"a", b"", b"b"], verify_receipt);
        assert_eq!(three["usage"], "2 inputs, got 3");
        let none = told(&[], verify_read);
        assert_eq!(none["usage"], "4 inputs, got 0");
    }

    #[test]
    fn questions_are_made_of_json_and_answers_need_a_board() {
        let made = told(&[br#"{"of":"sessions","from_number":5}"#], question);
        assert_eq!(made["proven"], "08015a021005");
        for other in [&br#"{"of":"write"}"#[..], br#"{"of":"status","to":1}"#, b""] {
            assert!(told(&[other], question)["usage"].is_string());
        }
        let none = told(&[br#"{"of":"status"}"#, b""], answer);
        assert_eq!(none["usage"], "no board: open_board comes first");
        assert!(told(&[b"{}"], open_board)["refused"].is_object());
    }

    #[test]
    fn a_list_is_only_said_and_one_that_leaves_a_session_out_is_a_lie() {
        let opened = told(
            &[include_bytes!(
                "../../../../tests/golden/receipts/genesis.json"
            )],
            open_board,
        );
        assert!(opened["proven"]["chain_id"].is_string(), "{opened}");
        let list = |numbers: &[u64]| {
            let sessions = numbers.iter().map(|number| pb::SessionLine {
                number: *number,
                id: vec![7; 32],
                status: 1,
                protocol: "a".into(),
            });
            let page = pb::SessionsAnswer {
                sessions: sessions.collect(),
                next_number: 0,
            };
            let answer = pb::Answer {
                version: 1,
                body: Some(pb::answer::Body::Sessions(page)),
                ..Default::default()
            };
            let asked = br#"{"of":"sessions","from_number":3}"#;
            told(&[asked, &answer.encode_to_vec()], super::answer)
        };
        assert_eq!(list(&[3, 4])["said"]["sessions"][1]["number"], 4);
        assert_eq!(
            list(&[3, 5])["refused"]["text"],
            "answer: a list without session 4"
        );
        assert_eq!(list(&[4])["refused"]["by"], "answer");
        let wants = told(&[br#"{"of":"status"}"#, b"\x08\x01\x10\x07"], answer);
        assert_eq!(wants["wants"]["header"], 7);
        let none = told(&[br#"{"of":"status"}"#, b"\xff"], answer);
        assert_eq!(none["refused"]["by"], "answer");
        let bad = told(&[br#"{"result":{}}"#], header);
        assert_eq!(bad["refused"]["reason"], "Malformed");
    }
}
