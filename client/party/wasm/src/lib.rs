//! A party as WebAssembly, for whoever has no Rust: a page in a browser. Built for `wasm32-unknown-unknown` it imports nothing, so
//! whoever calls brings everything: answers of replicas, randomness, and a place that keeps what it is told to keep.
//!
//! All that the verifier exports (`client/verify/wasm`) is here, too, and called likewise. A party reads its session by `answer` with
//! itself as the reader of inboxes; then
//!
//! | export | inputs | gives |
//! |---|---|---|
//! | [`party_key`] | the identity's 32 secret bytes | its public key; it is the one that acts from now on |
//! | [`party_enter`] | `{"session": …}`, the journal (empty: none yet), 120 random bytes | the index, and what to keep |
//! | [`party_join`], [`party_post`], [`party_finish`], [`party_leave`] | what, in JSON, 24 random bytes | what to keep |
//! | [`party_kept`] | | what to send, after it was kept |
//! | [`party_standing`] | | how the session stands for this party, and what to send again |
//! | [`party_inbox`] | `{"round": …}` | what a closed round holds for it, opened |
//! | [`party_forget`] | | whether the journal isn't needed any more |
//! | [`eddsa_next`] | what the party has, in JSON, 24 random bytes | what to keep, by the session's own protocol |
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

/// Takes note that what was to be kept is kept.
#[unsafe(no_mangle)]
pub extern "C" fn party_kept() -> usize {
    seated(|seat, _, _, []| Ok(seat.kept()))
}

/// Joins. Input: 24 random bytes.
#[unsafe(no_mangle)]
pub extern "C" fn party_join() -> usize {
    seated(|seat, board, key, [random]| seat.join(board, key, random))
}

/// Posts. Inputs: `{"round": …, "broadcast": HEX, "p2p": [[index, HEX], …]}`, 24 random bytes.
#[unsafe(no_mangle)]
pub extern "C" fn party_post() -> usize {
    seated(|seat, board, key, [post, random]| seat.post(board, key, parsed(post)?, random))
}

/// Finishes. Inputs: `{"outcome": …}`, 24 random bytes.
#[unsafe(no_mangle)]
pub extern "C" fn party_finish() -> usize {
    seated(|seat, board, key, [finish, random]| {
        let given::Finish { outcome } = parsed(finish)?;
        seat.finish(board, key, outcome, random)
    })
}

/// Leaves. Inputs: `{"decline": reason}` or `{"abort": cause, "about": index, "detail": …}`, 24 random bytes.
#[unsafe(no_mangle)]
pub extern "C" fn party_leave() -> usize {
    seated(|seat, board, key, [leave, random]| {
        let leave: given::Leave = parsed(leave)?;
        seat.leave(board, key, leave.into(), random)
    })
}

/// Says how the session stands.
#[unsafe(no_mangle)]
pub extern "C" fn party_standing() -> usize {
    seated(|seat, board, _, []| seat.standing(board))
}

/// Opens what a closed round holds. Input: `{"round": …}`.
#[unsafe(no_mangle)]
pub extern "C" fn party_inbox() -> usize {
    seated(|seat, board, _, [asked]| {
        let given::Inbox { round } = parsed(asked)?;
        let inbox = seat.inbox(board, round)?;
        Ok(given::shown(&inbox))
    })
}

/// Says whether the journal isn't needed any more: the result is safe, there will be none, or nothing was signed.
#[unsafe(no_mangle)]
pub extern "C" fn party_forget() -> usize {
    seated(|seat, board, _, []| {
        seat.check_may_forget(board)?;
        Ok(json!({}))
    })
}

/// Goes on with the session's protocol, if it is one of the EdDSA. Inputs: what the party has, 24 random bytes.
#[unsafe(no_mangle)]
pub extern "C" fn eddsa_next() -> usize {
    seated(|seat, board, key, [has, random]| eddsa::next(seat, board, key, parsed(has)?, random))
}

fn with_key(act: impl FnOnce(&OwnKey) -> Result<Value, Failure>) -> Result<Answered, NotProven> {
    KEY.with_borrow(|key| {
        let key = key.as_ref();
        let key = key.ok_or_else(|| NotProven::usage("no identity: party_key comes first"))?;
        Ok(Answered::Done(act(key)?))
    })
}

/// As [`answered`], for the party of a session of the board that is looked at.
fn seated<const N: usize>(
    act: impl FnOnce(&mut Seat, &Board, &OwnKey, [&[u8]; N]) -> Result<Value, Failure>,
) -> usize {
    of_board(|board, inputs| {
        with_key(|key| {
            SEAT.with_borrow_mut(|seat| {
                let seat = seat.as_mut();
                let seat =
                    seat.ok_or_else(|| NotProven::usage("no party: party_enter comes first"))?;
                act(seat, board, key, inputs)
            })
        })
    })
}
