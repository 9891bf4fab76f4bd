//! The checks that a reader of White City makes: answers, sessions, receipts, with nothing but the genesis.
//!
//! Bytes go in, and what they prove comes out. There is no I/O here, no clock, no randomness and no thread, so that it runs
//! wherever somebody wants to know whether something is true: `white-city-client`, which brings questions and answers to and
//! fro, re-exports all of it.
//!
//! ```no_run
//! use std::sync::Arc;
//! use white_city_verify::{Error, Receipt, Trust, read};
//!
//! # fn verify(genesis: &[u8], receipt: &[u8], header: &[u8], answer: &[u8]) -> Result<(), Error> {
//! let trust = Trust::genesis_json(genesis)?;
//! println!("{}", Receipt::from_bytes(receipt)?.verify(&trust)?);
//! let header = Arc::new(trust.decode_header(header)?);
//! let status = read::check(&read::ReadStatus, &trust, answer, &header)?;
//! println!("{} sessions at height {}", status.sessions, status.height());
//! # Ok(())
//! # }
//! ```
#![cfg_attr(
    not(test),
    deny(
        clippy::unwrap_used,
        clippy::expect_used,
        clippy::panic,
        clippy::indexing_slicing
    )
)]

pub mod base64_fields;
mod causes;
pub mod checked;
mod eras;
mod error;
mod execution_id;
pub mod genesis;
mod header;
pub mod history;
pub mod read;
pub mod receipt;
pub mod shape;
#[cfg(test)]
mod testing;
pub mod trust;
mod votes;

pub use causes::cause_text;
pub use error::{Error, Fork};
pub use execution_id::execution_id;
pub use read::{Convicted, Dispute, SessionState, Verified};
pub use receipt::Receipt;
pub use trust::Trust;
pub use white_city_wire as wire;
