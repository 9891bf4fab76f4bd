//! Multi-party EdDSA: several parties make one ordinary Ed25519 signature (RFC 8032), which any verifier accepts.
//!
//! | protocol | who can sign | rounds | module |
//! |---|---|---|---|
//! | key generation | makes a key of which any `degree + 1` parties hold enough | [`keygen::ROUNDS`] | [`keygen`] |
//! | refresh | the same key gets other shares, by all who have one | [`refresh::ROUNDS`] | [`refresh`] |
//! | resharing | the same key gets other holders and another threshold, by `degree + 1` or more of its parties | [`reshare::ROUNDS`] | [`reshare`] |
//! | threshold signing | any `degree + 1` or more of the key's parties | [`sign::ROUNDS`] | [`sign`] |
//! | the same for many messages | likewise, a signature for each message | [`sign::many::ROUNDS`] | [`sign::many`] |
//! | aggregated signing | all of `n` parties, each with a key pair of its own | [`aggregate::ROUNDS`] | [`aggregate`] |
//!
//! # Shape
//!
//! Every protocol is a chain of values. `start` gives `Round1` and what to post in round 1; when round 1 has closed, `Round1::close` takes
//! what everybody posted and gives `Round2` and the next [`Outgoing`]; and so on, until the last `close` gives the result. Each value is
//! consumed, so a nonce can't serve twice. There is no clock, transport, thread or hidden randomness here: all of it is drawn at `start`
//! ([`Randomness`]), so that a party that crashed replays its recorded rounds and arrives at the same bytes.
//!
//! What others posted comes as maps from roster index to raw bytes. A broadcast map holds the party's own entry too; whoever was absent is
//! simply missing. Every failure that is somebody's doing names the party: [`Error::culprit`].
//!
//! ```
//! use std::collections::BTreeMap;
//! use white_city_eddsa::{Error, Randomness, Session, keygen};
//!
//! # fn main() -> Result<(), Error> {
//! let roster = [[1; 32], [2; 32]];
//! let party = |index: u16, seed| {
//!     let session = Session::new([9; 32], &roster, index)?;
//!     keygen::start(session, 1, 2, Randomness::from_seed([seed; 32]))
//! };
//! let (ada, from_ada) = party(0, 5)?;
//! let (bob, from_bob) = party(1, 6)?;
//!
//! let round1 = BTreeMap::from([(0, from_ada.broadcast), (1, from_bob.broadcast)]);
//! let (ada, from_ada) = ada.close(&round1)?;
//! let (bob, from_bob) = bob.close(&round1)?;
//!
//! let to_ada = BTreeMap::from([(1, from_bob.p2p[&0].clone())]);
//! let to_bob = BTreeMap::from([(0, from_ada.p2p[&1].clone())]);
//! let round2 = BTreeMap::from([(0, from_ada.broadcast), (1, from_bob.broadcast)]);
//! let ada = ada.close(&round2, &to_ada)?;
//! let bob = bob.close(&round2, &to_bob)?;
//! assert_eq!(ada.public_key(), bob.public_key());
//! # Ok(())
//! # }
//! ```
//!
//! # What the transport has to give
//!
//! * *Reliable broadcast*: everybody reads the same broadcasts of a round, or stops.
//! * *Authentic and secret* p2p payloads: the bytes here are plaintexts, the caller seals them.
//! * *A session id that is never used twice* and commits to the message and to the parties; it goes into every hash.
//! * A party that starts again from the same [`Randomness`] must replay *the same* rounds. Two different histories with one randomness are two
//!   signatures with one nonce, which gives the key away.
//!
//! # Indices
//!
//! A party is its index in the session's roster, from 0. The Shamir coordinate is index + 1, computed in one function (`polynomial.rs`).
//!
//! # Backends
//!
//! Group arithmetic is behind [`Backend`]: [`Dalek`] (default; constant time for secrets) and, with the feature `curv`, `Curv` (not constant
//! time: for comparison and interoperation). Bytes are the same, so parties with different backends can share a session.
#![cfg_attr(
    not(test),
    deny(
        clippy::unwrap_used,
        clippy::expect_used,
        clippy::panic,
        clippy::indexing_slicing
    )
)]

pub mod aggregate;
pub mod backend;
mod dealing;
mod error;
mod hash;
mod key_share;
pub mod keygen;
pub mod message;
mod polynomial;
mod randomness;
pub mod refresh;
pub mod reshare;
pub mod run;
mod secret;
mod session;
pub mod sign;
mod signed;
mod verdict;

#[cfg(feature = "curv")]
pub use backend::Curv;
pub use backend::{Backend, Dalek};
pub use error::{Error, Malformed};
pub use key_share::KeyShare;
pub use randomness::Randomness;
pub use session::{MAX_PARTIES, MIN_PARTIES, Outgoing, Session};
pub use signed::Signed;
pub use verdict::{Subject, outcome_of, outcome_of_many};
