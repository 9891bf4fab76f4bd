//! Wire format of White City: everything that is signed, hashed, stored and sent.
//!
//! Everything that a party signs or a replica commits to has exactly one encoding, made here, and one golden
//! file in `tests/golden/`. Protobuf ([`pb`]) only carries the values. The crate is pure: no clock, no I/O,
//! no panic on any input.
#![no_std]
#![cfg_attr(
    not(test),
    deny(
        clippy::unwrap_used,
        clippy::expect_used,
        clippy::panic,
        clippy::indexing_slicing,
        clippy::arithmetic_side_effects,
        clippy::as_conversions,
        clippy::float_arithmetic
    )
)]

extern crate alloc;

pub mod approve;
pub mod bitmap;
pub mod board;
pub mod charter;
pub mod dispute;
pub mod entry;
pub mod genesis;
pub mod hash;
pub mod json;
pub mod kem;
pub mod keys;
pub mod limits;
pub mod payload;
#[rustfmt::skip]
#[expect(missing_docs, clippy::large_enum_variant, reason = "generated from docs/spec/white_city.proto, whose comments are the documentation")]
pub mod pb;
pub mod possible;
pub mod proof;
pub mod protocol;
pub mod read;
pub mod refusal;
pub mod reserve;
pub mod seal;
pub mod signing;
pub mod spec;
pub mod stamp;
pub mod tree;
pub mod tx;

pub use bitmap::Bitmap;
pub use charter::Charter;
pub use dispute::{Complain, Reveal};
pub use entry::{Entry, FinishHeader, PostHeader, SignedEntry};
pub use genesis::{AppState, Network, Params};
pub use hash::{Hash, NetworkId, SessionId};
pub use kem::{EncryptionKey, Kem};
pub use keys::{IdentityKey, Signature};
pub use refusal::Refusal;
pub use spec::Spec;
pub use tx::{SignedTx, VerifiedTx};
