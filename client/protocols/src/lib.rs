//! Protocols over White City, as examples: each is a function of a [`Session`] that has joined and is ready, and ends with
//! everybody's agreement on the outcome.
//!
//! | module | protocol | how it runs |
//! |---|---|---|
//! | [`givre`] | FROST over Ed25519, from the crate `givre` | unchanged, over [`Session::delivery`] |
//! | [`frost`] | FROST over Ed25519, from the crate `frost-ed25519` | its plain functions, between the rounds of [`Session::rounds`] |
//! | [`eddsa`] | our own, from `white-city-eddsa` | likewise |
//!
//! Threshold ECDSA (`cggmp24`) is in a workspace of its own beside this crate: its dependencies can't share a lock file.
//!
//! All the randomness of a party comes from its session ([`Session::randomness`]): another session draws other nonces, whoever calls.
//! With a journal it is the same again for a party that goes on after a crash: then it posts the same again, and catches up.
//!
//! [`Session`]: white_city_client::Session
//! [`Session::randomness`]: white_city_client::Session::randomness
//! [`Session::rounds`]: white_city_client::Session::rounds
//! [`Session::delivery`]: white_city_client::Session::delivery
#![cfg_attr(
    not(test),
    deny(
        clippy::unwrap_used,
        clippy::expect_used,
        clippy::panic,
        clippy::indexing_slicing
    )
)]

pub mod eddsa;
pub mod frost;
pub mod givre;

use std::collections::BTreeMap;

use white_city_client::{End, Inbox, Rounds, Session, wire::hash::sha256};
use zeroize::Zeroizing;

/// Whatever went wrong.
pub type Failure = Box<dyn std::error::Error + Send + Sync>;

/// Posts in the next round, and reads it when all of it is there.
async fn exchange(
    rounds: &mut Rounds<'_>,
    broadcast: Vec<u8>,
    p2p: BTreeMap<u16, Zeroizing<Vec<u8>>>,
) -> Result<Inbox, Failure> {
    let p2p = p2p.into_iter().collect();
    Ok(rounds.exchange(broadcast, p2p).await?)
}

/// Finishes with the digest of a result that all parties have, and waits until they have said so.
async fn agree(session: &mut Session, result: &[u8]) -> Result<(), Failure> {
    let outcome = sha256(result);
    session.finish(outcome).await?;
    match session.wait_end().await? {
        End::Finished { outcome: agreed } if agreed == outcome => Ok(()),
        end => Err(format!("the session ended otherwise: {end:?}").into()),
    }
}
