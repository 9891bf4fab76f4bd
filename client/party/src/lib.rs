//! A party's side of a session without I/O: what it signs, seals, opens and remembers, and when.
//!
//! A [`Party`] decides from what its reader has checked ([`Seen`]). It neither sends, nor waits, nor draws anything at random: whoever
//! runs it (the client library, or a page in a browser through `client/party/wasm`) gives it randomness and signatures, keeps its
//! [records](journal::Record) before anything is sent, and brings what the board shows.
#![cfg_attr(
    not(test),
    deny(
        clippy::unwrap_used,
        clippy::expect_used,
        clippy::panic,
        clippy::indexing_slicing
    )
)]

mod end;
mod error;
pub mod journal;
mod own_key;
pub mod parts;
mod party;

pub use end::End;
pub use error::{AbortRecord, Error, Fork, Kind, Leaver, ReplicaFault, ReplicaLie, cause_text};
pub use own_key::{OwnKey, SignError};
pub use party::{Answer, Filling, Goal, Inbox, Memory, Party, Place, Secret, Seen, Unrestored};
pub use white_city_verify::{self as verify, wire};
