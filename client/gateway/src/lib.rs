//! A party for programs in any language: HTTP and JSON on this machine, to the client library.
//!
//! A [`Gateway`] signs, seals, verifies and journals for one identity; whoever calls it writes its protocol and nothing else. All of its
//! state is in journals and on the board, so that the same calls give the same answers after it, or its caller, was killed: a post that was
//! made is made again, and another one for the same round is refused by number.
//!
//! **Whom it answers.** Whoever has the token, on loopback or a unix socket. A browser on the same machine is nobody: a request that
//! names another host than this machine, or comes from a page, is refused before the token is looked at. What is asked is bounded in size,
//! time and number.
#![cfg_attr(
    not(test),
    deny(
        clippy::unwrap_used,
        clippy::expect_used,
        clippy::panic,
        clippy::indexing_slicing
    )
)]

mod api;
mod events;
mod failure;
mod guard;
mod listening;
mod openings;
mod receipts;
mod routes;
mod seat;
mod seats;
mod serving;
pub mod shown;
mod token;

use std::{path::PathBuf, sync::Arc};

use tokio::sync::{Semaphore, watch};
use white_city_client::{Client, IdentityKey, vault::Unlock};

use self::seats::Seats;
pub use self::{
    listening::{Address, ListenError, Listening},
    token::{Token, TokenError},
};

/// Description of the calls, by the rules of OpenAPI 3.1.
pub const OPENAPI: &str = include_str!("../openapi.json");

/// Requests that may wait at once, for other parties or for the board.
const WAITS_MAX: usize = 192;

/// The party that a gateway is for, and its limits.
pub struct Options {
    /// A client that signs with the identity.
    pub client: Client,
    /// The identity.
    pub identity: IdentityKey,
    /// Folder of its journals.
    pub journals: PathBuf,
    /// Folder of the openings that were asked for.
    pub openings: PathBuf,
    /// Folder for the proof, should the replicas turn out to have signed two histories.
    pub forks: PathBuf,
    /// The passphrase or key of the journals beside the identity, if there is one.
    pub unlock: Option<Unlock>,
    /// Word by which it knows who may ask.
    pub token: Token,
    /// Most sessions that are followed at once.
    pub max_sessions: usize,
}

/// A gateway for one identity.
pub struct Gateway(Arc<Inner>);

pub(crate) struct Inner {
    client: Client,
    identity: IdentityKey,
    openings: PathBuf,
    forks: PathBuf,
    token: Token,
    seats: Seats,
    waits: Arc<Semaphore>,
    /// Whether it is ending.
    ending: watch::Sender<bool>,
}

impl Gateway {
    /// For this party. Nothing is asked, and nothing is opened.
    #[must_use]
    pub fn new(options: Options) -> Self {
        let seats = Seats::new(
            options.client.clone(),
            options.journals,
            options.unlock,
            options.max_sessions,
        );
        Self(Arc::new(Inner {
            client: options.client,
            identity: options.identity,
            openings: options.openings,
            forks: options.forks,
            token: options.token,
            seats,
            waits: Arc::new(Semaphore::new(WAITS_MAX)),
            ending: watch::Sender::new(false),
        }))
    }

    /// Serves whoever connects, until `ended` is done; then it answers whoever waits that it ends, and returns. Journals are always as they
    /// have to be, so being dropped or killed costs nothing but the answers.
    pub async fn serve(self, listening: Listening, ended: impl Future<Output = ()>) {
        serving::serve(self.0, listening, ended).await;
    }
}

impl Inner {
    /// Waits until the gateway is to end.
    pub(crate) async fn ends(&self) {
        let mut ending = self.ending.subscribe();
        let _ = ending.wait_for(|ending| *ending).await;
    }
}
