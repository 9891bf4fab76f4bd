//! A party as WebAssembly, for whoever has no Rust: a page in a browser. Built for `wasm32-unknown-unknown` it imports nothing, so
//! whoever calls brings everything: answers of replicas, randomness, and a place that keeps what it is told to keep.
//!
//! All that the verifier exports (`client/verify/wasm`) is here, too, and called likewise. A party reads its session by `answer` with
//! itself as the reader of inboxes; then
//!
//! | export | inputs | gives |
//! |---|---|---|
//! | [`party_key`] | the identity's 32 secret bytes | its public key; it is the one that acts from now on |
//! | [`party_close`] | | nobody acts any more |
//! | [`party_enter`] | `{"session": …}`, the journal (empty: none yet), 120 random bytes | the index, and what to keep |
//! | [`party_join`], [`party_post`], [`party_finish`], [`party_leave`] | `{"session": …}`, what, in JSON, 24 random bytes | what to keep |
//! | [`party_kept`] | `{"session": …}` | what to send, after it was kept |
//! | [`party_standing`] | `{"session": …}` | how the session stands for this party, and what to send again |
//! | [`party_inbox`] | `{"session": …}`, `{"round": …}` | what a closed round holds for it, opened |
//! | [`party_forget`] | `{"session": …}` | whether the journal isn't needed any more; this party doesn't act after that |
//! | [`eddsa_next`] | `{"session": …}`, what the party has, in JSON, 24 random bytes | what to keep, by the session's own protocol |
//!
//! A party acts in one session at a time, which each call names, and on nothing but that session as it was read last.
//!
//! `{"done": {"keep": HEX}}` goes to the end of the journal, for good, before [`party_kept`] is called; nothing is sent before that, and
//! nothing else can be asked for. `{"failed": {"kind": …, "number": …, "text": …}}` is an error by the names of `docs/json.md`.
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

mod eddsa;
mod failure;
mod given;
mod journal;
mod seat;
mod standing;

use std::cell::RefCell;

use failure::Failure;
use given::parsed;
use seat::Seat;
use serde_json::{Value, json};
use white_city_party::{OwnKey, wire::Hash};
use white_city_wasm::{
    answered,
    board::Board,
    of_board,
    outcome::{Answered, NotProven},
};

thread_local! {
    static KEY: RefCell<Option<OwnKey>> = const { RefCell::new(None) };
    static SEAT: RefCell<Option<Seat>> = const { RefCell::new(None) };
}

/// Takes the identity that acts. Input: its 32 secret bytes.
#[unsafe(no_mangle)]
pub extern "C" fn party_key() -> usize {
    answered(|[seed]: [&[u8]; 1]| {
        let seed = <&[u8; 32]>::try_from(seed).map_err(|_| NotProven::usage("32 secret bytes"))?;
        let key = OwnKey::from_seed(seed);
        let key = key.map_err(|bad| NotProven::Usage(bad.to_string()))?;
        let identity = json!({ "identity": Hash(*key.identity().as_bytes()) });
        KEY.set(Some(key));
        SEAT.set(None);
        Ok(Answered::Done(identity))
    })
}

/// Lets nobody act any more.
#[unsafe(no_mangle)]
pub extern "C" fn party_close() -> usize {
    answered(|[]: [&[u8]; 0]| {
        KEY.set(None);
        SEAT.set(None);
        Ok(Answered::Done(json!({})))
    })
}

/// Takes the party's part in the session that was read last, with itself as reader. Inputs: `{"session": …}`, the journal, 120 random bytes.
#[unsafe(no_mangle)]
pub extern "C" fn party_enter() -> usize {
    of_board(|board, [asked, journal, random]| {
        SEAT.set(None);
        with_key(|key| {
            let (seat, done) = Seat::enter(board, key, parsed(asked)?, journal, random)?;
            SEAT.set(Some(seat));
            Ok(done)
        })
    })
}

/// Takes note that what was to be kept is kept. Input: `{"session": …}`.
#[unsafe(no_mangle)]
pub extern "C" fn party_kept() -> usize {
    seated(|seat, board, _, [_]| seat.kept(board))
}

/// Joins. Inputs: `{"session": …}`, 24 random bytes.
#[unsafe(no_mangle)]
pub extern "C" fn party_join() -> usize {
    seated(|seat, board, key, [_, random]| seat.join(board, key, random))
}

/// Posts. Inputs: `{"session": …}`, `{"round": …, "broadcast": HEX, "p2p": [[index, HEX], …]}`, 24 random bytes.
#[unsafe(no_mangle)]
pub extern "C" fn party_post() -> usize {
    seated(|seat, board, key, [_, post, random]| seat.post(board, key, parsed(post)?, random))
}

/// Finishes. Inputs: `{"session": …}`, `{"outcome": …}`, 24 random bytes.
#[unsafe(no_mangle)]
pub extern "C" fn party_finish() -> usize {
    seated(|seat, board, key, [_, finish, random]| {
        let given::Finish { outcome } = parsed(finish)?;
        seat.finish(board, key, outcome, random)
    })
}

/// Leaves. Inputs: `{"session": …}`, `{"decline": reason}` or `{"abort": cause, "about": index, "detail": …}`, 24 random bytes.
#[unsafe(no_mangle)]
pub extern "C" fn party_leave() -> usize {
    seated(|seat, board, key, [_, leave, random]| {
        let leave: given::Leave = parsed(leave)?;
        seat.leave(board, key, leave.into(), random)
    })
}

/// Says how the session stands. Input: `{"session": …}`.
#[unsafe(no_mangle)]
pub extern "C" fn party_standing() -> usize {
    seated(|seat, board, _, [_]| seat.standing(board))
}

/// Opens what a closed round holds. Inputs: `{"session": …}`, `{"round": …}`.
#[unsafe(no_mangle)]
pub extern "C" fn party_inbox() -> usize {
    seated(|seat, board, _, [_, asked]| {
        let given::Inbox { round } = parsed(asked)?;
        let inbox = seat.inbox(board, round)?;
        Ok(given::shown(&inbox))
    })
}

/// Says whether the journal isn't needed any more: the result is safe, there will be none, or nothing was signed. If so,
/// this party acts in it no more. Input: `{"session": …}`.
#[unsafe(no_mangle)]
pub extern "C" fn party_forget() -> usize {
    of_board(|board, inputs: [&[u8]; 1]| {
        let [of] = inputs;
        let forgotten = with_seat(of, |seat, _| {
            seat.check_may_forget(board)?;
            Ok(json!({}))
        });
        if forgotten.is_ok() {
            SEAT.set(None);
        }
        forgotten
    })
}

/// Goes on with the session's protocol, if it is one of the EdDSA. Inputs: `{"session": …}`, what the party has, 24 random bytes.
#[unsafe(no_mangle)]
pub extern "C" fn eddsa_next() -> usize {
    seated(|seat, board, key, [_, has, random]| eddsa::next(seat, board, key, parsed(has)?, random))
}

fn with_key(act: impl FnOnce(&OwnKey) -> Result<Value, Failure>) -> Result<Answered, NotProven> {
    KEY.with_borrow(|key| {
        let key = key.as_ref();
        let key = key.ok_or_else(|| NotProven::usage("no identity: party_key comes first"))?;
        Ok(Answered::Done(act(key)?))
    })
}

/// As [`answered`], for the party of a session of the board that is looked at, which the first input names.
fn seated<const N: usize>(
    act: impl FnOnce(&mut Seat, &Board, &OwnKey, [&[u8]; N]) -> Result<Value, Failure>,
) -> usize {
    of_board(|board, inputs: [&[u8]; N]| {
        let of = inputs.first().copied().unwrap_or_default();
        with_seat(of, |seat, key| act(seat, board, key, inputs))
    })
}

/// The party of the session that a call is `of`, if it is the one that is seated.
fn with_seat(
    of: &[u8],
    act: impl FnOnce(&mut Seat, &OwnKey) -> Result<Value, Failure>,
) -> Result<Answered, NotProven> {
    with_key(|key| {
        SEAT.with_borrow_mut(|seat| {
            let seat = seat.as_mut();
            let seat = seat.ok_or_else(|| NotProven::usage("no party: party_enter comes first"))?;
            seat.check_of(of)?;
            act(seat, key)
        })
    })
}
