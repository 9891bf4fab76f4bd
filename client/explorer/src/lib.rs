//! The explorer: a page that shows sessions, replicas and the charter of a board, and verifies in the browser what it shows.
//!
//! An [`Explorer`] serves the page and the verifier as WebAssembly (`client/verify/wasm`), and hands the page's questions on to the
//! replicas, since a browser asks nobody but the page's own server. It answers nothing itself, so nobody has to believe it but for the
//! page: whoever can't trust another one's machine with that runs an explorer of his own. Only questions are handed on: sizes, times and rates are
//! bounded, and nothing can be written, unless the page of a party is served, too ([`Explorer::with_party`]). The genesis never comes here.
#![cfg_attr(
    not(test),
    deny(
        clippy::unwrap_used,
        clippy::expect_used,
        clippy::panic,
        clippy::indexing_slicing
    )
)]

mod assets;
mod error;
mod replica;
mod serving;

use std::{num::NonZeroU32, sync::Arc, time::Duration};

use axum::body::Bytes;
use governor::{DefaultDirectRateLimiter, Quota, RateLimiter};
use tokio::{net::TcpListener, sync::Semaphore};

pub use self::{error::ExplorerError, replica::Replica};

/// Questions a second that are handed on, of all who look together, and how many more at once.
const QUESTIONS_PER_SECOND: NonZeroU32 = NonZeroU32::new(300).unwrap();
const QUESTIONS_SAVED: NonZeroU32 = NonZeroU32::new(900).unwrap();
/// Questions that are on their way at once.
const QUESTIONS_AT_ONCE: usize = 32;
/// Transactions a second of the party that is served, how many more at once, and how many are on their way at once.
const TRANSACTIONS_PER_SECOND: NonZeroU32 = NonZeroU32::new(100).unwrap();
const TRANSACTIONS_SAVED: NonZeroU32 = NonZeroU32::new(512).unwrap();
const TRANSACTIONS_AT_ONCE: usize = 16;
/// Longest time for one question, from a replica and back.
pub(crate) const ANSWER_DUE: Duration = Duration::from_secs(10);
/// Most replicas.
const REPLICAS_MAX: usize = 256;
/// First bytes of WebAssembly.
const WASM_MAGIC: &[u8] = b"\0asm";

/// An explorer of the board of some replicas.
pub struct Explorer {
    replicas: Vec<Replica>,
    verifier: Bytes,
    /// The files of a party, where its page is served, too.
    party: Option<Bytes>,
    questions: Limit,
    /// Apart, so that who only looks doesn't keep a party from writing.
    transactions: Limit,
}

/// The limit of what is handed on.
struct Limit {
    rate: DefaultDirectRateLimiter,
    turns: Semaphore,
}

impl Limit {
    fn new(per_second: NonZeroU32, saved: NonZeroU32, at_once: usize) -> Self {
        let quota = Quota::per_second(per_second).allow_burst(saved);
        Self {
            rate: RateLimiter::direct(quota),
            turns: Semaphore::new(at_once),
        }
    }
}

impl Explorer {
    /// Of these replicas. `verifier` is `white_city_wasm.wasm`, whose checks the page runs.
    ///
    /// # Errors
    /// [`ExplorerError::Replicas`] for none, or more than 256; [`ExplorerError::Verifier`] for what isn't WebAssembly.
    pub fn new(replicas: Vec<Replica>, verifier: Vec<u8>) -> Result<Self, ExplorerError> {
        if replicas.is_empty() || replicas.len() > REPLICAS_MAX {
            return Err(ExplorerError::Replicas(replicas.len()));
        }
        if !verifier.starts_with(WASM_MAGIC) {
            return Err(ExplorerError::Verifier);
        }
        Ok(Self {
            replicas,
            verifier: verifier.into(),
            party: None,
            questions: Limit::new(QUESTIONS_PER_SECOND, QUESTIONS_SAVED, QUESTIONS_AT_ONCE),
            transactions: Limit::new(
                TRANSACTIONS_PER_SECOND,
                TRANSACTIONS_SAVED,
                TRANSACTIONS_AT_ONCE,
            ),
        })
    }

    /// Serves the page of a party, too, and hands its transactions on. `party` is `white_city_party_wasm.wasm`, which the page runs. Whoever
    /// serves the page has what its user has: so this is for the user's own machine, and nobody else's page.
    ///
    /// # Errors
    /// [`ExplorerError::Party`] for what isn't WebAssembly.
    pub fn with_party(mut self, party: Vec<u8>) -> Result<Self, ExplorerError> {
        if !party.starts_with(WASM_MAGIC) {
            return Err(ExplorerError::Party);
        }
        self.party = Some(party.into());
        Ok(self)
    }

    /// Serves whoever connects, and ends by being dropped only.
    pub async fn serve(self, listener: TcpListener) {
        serving::serve(Arc::new(self), listener).await;
    }
}
