//! The client library of White City: what a party of a multi-party computation runs.
//!
//! A [`Client`] knows one network (from its genesis), some replicas, and who signs. It opens sessions, reads the
//! board, and hands out a [`Session`] for each session that its identity takes part in:
//!
//! ```no_run
//! # async fn party() -> Result<(), Box<dyn std::error::Error>> {
//! use white_city_client::{Client, LocalKey, SessionId, genesis, vault::Unlock};
//!
//! let client = Client::builder(genesis::trust("genesis.json")?)
//!     .replicas(["http://127.0.0.1:26657", "http://127.0.0.1:26757"])
//!     .signer(LocalKey::load("identity.key".as_ref(), Some(&Unlock::key_file("key32".as_ref())?))?)
//!     .build()?;
//! let id = SessionId::from_hex("…").ok_or("not a session id")?;
//! let mut session = client.session(id).await?;
//! session.join().await?;
//! session.wait_ready().await?;
//! session.post(1, b"hello".to_vec(), Vec::new()).await?;
//! let inbox = session.inbox(1).await?;
//! # Ok(())
//! # }
//! ```
//!
//! What a party may rely on:
//!
//! * It trusts the validators that the genesis names, more than two thirds of them together, and nobody else. Every answer
//!   of a replica leads to a header that they have signed, or it isn't taken: [`Verified`]. One honest replica is enough.
//! * Every join and every entry that it reads is also checked under its author's own key, against the transcript that the
//!   reader computed itself: even all replicas together can't forge one.
//! * What it has verified of the network it keeps in a [`trust_file`], if it is told to, and goes on from there: nobody takes it back to
//!   an older state, or to validators who have left.
//! * It remembers what it has read. Two histories that the validators have signed are a [`Fork`], with a proof for anybody.
//! * What it has read it can prove to others, offline and for ever: [`receipt`].
//! * It complains about a payload only if its key really doesn't open it ([`Session::complain`]), and answers a complaint by
//!   itself while it follows the session, with nothing but what it has sealed ([`Session::answer`]).
//! * That nothing is missing in a list of sessions nobody can prove: so a list is what `f + 1` replicas say together, and what it names is
//!   read with proof ([`Client::sessions_of`], [`Client::discover`]).
//! * A party decides once what fills a slot and sends the same bytes again. With a [`journal`] ([`Client::resume`]) it goes on
//!   after a crash; without one a process that was restarted doesn't write into a session that it had joined
//!   ([`Error::NoJournal`]). After a slot of its own turned out empty or to hold something else, joins, posts and finishes
//!   fail with that same error.
//! * A protocol's post may be larger than a transaction: it goes over several of the board's rounds ([`Session::rounds`], [`parts`]).
//! * Every future can be dropped at any point, and what it did asked for again: cancelling is dropping.
#![cfg_attr(
    not(test),
    deny(
        clippy::unwrap_used,
        clippy::expect_used,
        clippy::panic,
        clippy::indexing_slicing
    )
)]

mod bounds;
mod client;
#[cfg(feature = "round-based")]
pub mod delivery;
mod discovery;
pub mod files;
pub mod genesis;
pub mod groups;
pub mod journal;
pub mod kem;
mod listed;
mod opening;
mod operating;
mod replicas;
mod sending;
mod session;
pub mod signer;
mod spec_builder;
mod stamping;
mod tls;
pub mod trust_file;
pub mod vault;

pub use client::{Client, ClientBuilder};
pub use discovery::Discovery;
pub use listed::{FoundSession, SessionFilter, SessionList};
pub use opening::Opening;
pub use operating::Said;
pub use replicas::{Freshness, ReplicaHeight};
pub use session::{Answer, End, Inbox, Observer, Progress, Rounds, Session};
pub use signer::{LocalKey, SignError, Signer};
pub use spec_builder::{RoundBytes, SpecBuilder};
pub use stamping::Stamping;
pub use white_city_party::parts;
pub use white_city_party::{
    AbortRecord, Error, Fork, Kind, Leaver, ReplicaFault, ReplicaLie, cause_text,
};
pub use white_city_verify::{
    Convicted, Dispute, Receipt, SessionState, Trust, Verified, history, read, receipt, trust,
};
use white_city_verify::{base64_fields, checked, shape};
pub use white_city_wire::{
    self as wire, Bitmap, Hash, IdentityKey, Kem, Network, NetworkId, SessionId, Signature, Spec,
};
