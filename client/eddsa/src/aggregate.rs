//! Aggregated signing: all of `n` parties, each with an Ed25519 key pair of its own, make one signature under one key.
//!
//! MuSig (Maxwell, Poelstra, Seurin and Wuille) with committed nonces, in the Ed25519 group:
//!
//! 1. broadcast: the own public key, and a commitment to the own nonce;
//! 2. broadcast: the nonce;
//! 3. broadcast: the partial signature.
//!
//! Public keys come without a proof of possession: each is weighted by a hash of *all* keys ([`AggregateKey`]), so a key chosen after seeing
//! the others' cancels nothing. For the same reason a nonce may be committed to before all keys are known: it is bound to its session, and
//! revealed when the keys are fixed.
//!
//! Everybody is needed in every round. A fork of the board gives away nothing here, so there is no round of confirmation: an honest party
//! answers one challenge with a nonce that is its own alone.

mod key;
mod rounds;

pub use key::{AggregateKey, KeyPair};
pub(crate) use rounds::context;
pub use rounds::{Round1, Round2, Round3};

use crate::message::{KeyAndCommitment, Nonce};
use crate::{Backend, Dalek, Error, Outgoing, Randomness, Session};

/// The number of rounds in which parties post.
pub const ROUNDS: u16 = 3;

/// The largest broadcast of any round, in bytes. No round has p2p messages.
#[must_use]
pub const fn max_broadcast_bytes() -> u32 {
    let (first, second) = (KeyAndCommitment::BYTES, Nonce::BYTES);
    // `as`: small constants.
    (if first > second { first } else { second }) as u32
}

/// Begins: gives what to post in round 1.
///
/// `expected`: the parties' public keys in roster order where they are known beforehand, as they have to be if the signature shall verify under a
/// key agreed upon earlier; with `None` the parties' keys are whatever they bring. `message`: what is signed, of any length.
///
/// # Errors
/// [`Error::Parameter`] if there aren't as many expected keys as parties, [`Error::OwnKey`] if the own one isn't the key pair's.
pub fn start(
    session: Session,
    key_pair: &KeyPair,
    expected: Option<&[[u8; 32]]>,
    message: &[u8],
    randomness: Randomness,
) -> Result<(Round1<Dalek>, Outgoing), Error> {
    start_with(session, key_pair, expected, message, randomness)
}

/// [`start`] on a backend of choice.
///
/// # Errors
/// As [`start`].
#[expect(
    clippy::needless_pass_by_value,
    reason = "randomness serves once: taking it says so"
)]
pub fn start_with<B: Backend>(
    session: Session,
    key_pair: &KeyPair,
    expected: Option<&[[u8; 32]]>,
    message: &[u8],
    randomness: Randomness,
) -> Result<(Round1<B>, Outgoing), Error> {
    Round1::start(session, key_pair, expected, message, &randomness)
}
