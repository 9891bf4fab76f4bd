//! The verifier for whoever has no Rust: built for `wasm32-unknown-unknown` it imports nothing, and anything that runs
//! WebAssembly can ask it whether a receipt or an answer is true.
//!
//! Inputs are handed over one by one: [`give`] makes room and says where, and whoever calls puts the bytes there. Then a
//! `verify_…` takes all of them and gives the length of a JSON text, which is at [`result`] until the next call: `{"proven": …}`,
//! or `{"refused": {"by": …, "reason": …, "text": …}}` with the check that refused it and its reason's name.
//! `tests/wasm/verify.mjs` is a caller.
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

use std::{cell::RefCell, fmt::Debug, sync::Arc};

use serde_json::{Value, json};
use white_city_verify::{
    Error, Receipt, Trust, Verified,
    read::{Lie, OrLie, ReadLeaf, ReadSpec, ReadStatus, SessionRef, check},
    wire::{
        SessionId,
        pb::{query::Question, session_ref::Ref},
        read::decode_query,
    },
};

thread_local! {
    static GIVEN: RefCell<Vec<Vec<u8>>> = const { RefCell::new(Vec::new()) };
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

/// Takes what was given, and keeps what came of it.
fn conclude<const N: usize>(verify: impl FnOnce([&[u8]; N]) -> Result<Value, Error>) -> usize {
    let given = GIVEN.take();
    let inputs: Vec<&[u8]> = given.iter().map(Vec::as_slice).collect();
    let concluded = match inputs.try_into() {
        Ok(inputs) => match verify(inputs) {
            Ok(proven) => json!({ "proven": proven }),
            Err(error) => refused(&error),
        },
        Err(inputs) => json!({ "usage": format!("{N} inputs, got {}", inputs.len()) }),
    };
    let text = concluded.to_string();
    let length = text.len();
    RESULT.set(text);
    length
}

fn refused(error: &Error) -> Value {
    let (by, reason) = match error {
        Error::Genesis(bad) => ("genesis", name(bad)),
        Error::Header(bad) => ("header", name(bad)),
        Error::Answer(lie) => ("answer", name(lie)),
        Error::Receipt(bad) => ("receipt", name(bad)),
        _ => ("other", name(error)),
    };
    json!({ "refused": { "by": by, "reason": reason, "text": error.to_string() } })
}

/// The name of a variant.
fn name(value: &impl Debug) -> String {
    let text = format!("{value:?}");
    text.split(|c: char| !c.is_alphanumeric())
        .next()
        .unwrap_or_default()
        .to_owned()
}

#[cfg(test)]
mod tests {
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
}
