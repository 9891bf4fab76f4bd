//! The board as a deterministic state machine: sessions, each a row of rounds, each a row of slots.
//!
//! [`State`] is a value: cloning it costs nothing, and a [`Block`] turns one into the next. There is no clock, no
//! I/O, no panic and no CometBFT in here; all that the outside contributes is a [`BlockContext`].
//!
//! Where is a round closed? In [`round::settle`].
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

mod append_tree;
mod approving;
mod block;
mod dispute;
mod entries;
mod evidence;
mod last_call;
mod leaving;
mod opening;
mod protocol;
pub mod round;
mod session;
mod state;
mod term;

pub use append_tree::{AppendTree, Frozen};
pub use block::{Block, BlockContext, Ended, Preview};
pub use entries::{check_sealed, check_share, over_spec};
pub use session::{Body, ClosedRound, Dispute, Rest, Revealed, Session, Slot};
pub use state::{Part, Reserved, Rules, State};
pub use term::Term;
