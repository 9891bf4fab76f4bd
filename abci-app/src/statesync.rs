//! Snapshots of the state, by which a replica that has lost everything, or is new, joins without executing every block: how they are
//! made and kept, and how one is restored and checked.
//!
//! A snapshot is a row of items: the board, links, openers, and the sessions by their numbers, of those that aren't erased with every
//! transaction that they keep. So a restored replica takes nobody's word for anything: it verifies each signature again, and what they
//! come to is what the root says, which more than two thirds of the validators have signed.

mod export;
mod items;
mod rebuild;
mod restore;
mod shelf;

pub use items::{CHUNK_BYTES_MAX, FORMAT};
pub use restore::{Rejected, Restored, Restorer};
pub use shelf::{MANIFEST_BYTES_MAX, Manifest, Shelf};
