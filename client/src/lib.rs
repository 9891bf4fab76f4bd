//! The client library of White City: what a party of a multi-party computation runs.
//!
//! A [`Client`] knows one network (from its genesis), some replicas, and who signs. It opens sessions, reads the
//! board, and hands out a [`Session`] for each session that its identity takes part in:
//!
//! ```no_run
//! # async fn party() -> Result<(), Box<dyn std::error::Error>> {
//! use white_city_client::{Client, LocalKey, SessionId, genesis};
//!
//! let client = Client::builder(genesis::from_file("genesis.json".as_ref())?)
//!     .replicas(["http://127.0.0.1:26657", "http://127.0.0.1:26757"])
//!     .signer(LocalKey::load("identity.key".as_ref())?)
//!     .build()?;
//! let id = SessionId::from_hex("…").ok_or("not a session id")?;
//! let mut session = client.session(id).await?;
//! session.join().await?;
//! session.wait_ready().await?;
//! let round = session.post(b"hello".to_vec(), Vec::new()).await?;
//! let inbox = session.inbox(round).await?;
//! # Ok(())
//! # }
//! ```
//!
//! What a party may rely on, and what not yet:
//!
//! * Every join and every entry that it reads is checked under its author's own key, against the transcript that the
//!   reader recomputed itself. A replica can't forge or change them, or carry them to another session.
//! * Answers carry no proofs yet. What signatures can't show counts when `f + 1` replicas say the same (all configured
//!   ones, if they are fewer): which entries a closed round has, what this party's slot of the open round holds, that a
//!   party left, and how a session aborted. Configure at least `f + 1` replicas, better all: with fewer, those are trusted.
//! * Anything else that only a replica vouches for (time, whom a round waits for, lists) comes from one replica, as
//!   [`Unproven`] or for showing only.
//! * A party decides once what fills a slot and sends the same bytes again. It keeps them in memory: a process that was
//!   restarted doesn't write into a session that it had joined ([`Error::NoJournal`]). After a slot of its own turned out
//!   empty or to hold something else, joins, posts and finishes fail with that same error.
#![cfg_attr(
    not(test),
    deny(
        clippy::unwrap_used,
        clippy::expect_used,
        clippy::panic,
        clippy::indexing_slicing
    )
)]

mod client;
mod error;
pub mod files;
pub mod genesis;
pub mod history;
pub mod read;
mod replicas;
mod session;
pub mod signer;
mod spec_builder;
pub mod trust;
pub mod vault;

pub use client::{Client, ClientBuilder, Report};
pub use error::{AbortRecord, Error, Leaver, ReplicaFault, cause_text};
pub use read::{SessionView, Unproven};
pub use session::{End, Inbox, Observer, Progress, Session};
pub use signer::{LocalKey, SignError, Signer};
pub use spec_builder::{SEALING_BYTES, SpecBuilder};
pub use white_city_wire::{
    self as wire, Bitmap, Hash, IdentityKey, Network, NetworkId, SessionId, Signature, Spec,
};
