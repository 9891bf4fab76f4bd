//! The height of each replica, for people who wait.

use std::fmt;

use futures::future::join_all;

use super::{ReadError, Replicas, tally::behind};
use crate::read::ReadStatus;

/// The height of one replica.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReplicaHeight {
    /// Its address.
    pub replica: String,
    /// The height that it proves now, or why it proves none.
    pub height: Result<u64, String>,
}

/// The replicas that have proved how far the board is, when all were asked last. One alone can prove an old state for ever, and those of an
/// era that is over may have nothing newer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Freshness {
    /// Number of replicas that have proved a state of the newest era that is known; each address counts once.
    pub answered: usize,
    /// Number that has an honest one among them for sure: f + 1 of the newest era that is known.
    pub needed: usize,
}

impl Freshness {
    /// Whether so many have answered that the newest state that they prove is new, if the addresses are those of today's replicas.
    #[must_use]
    pub const fn is_known(self) -> bool {
        self.answered >= self.needed
    }
}

impl fmt::Display for Freshness {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { answered, needed } = self;
        match self.is_known() {
            true => write!(f, "{answered} replicas have answered, {needed} are needed"),
            false => write!(
                f,
                "only {answered} of the {needed} replicas have answered that it takes to know how new this is: it may be of long ago"
            ),
        }
    }
}

impl Replicas {
    /// Asks each of them, and waits for all.
    pub(crate) async fn heights(&self) -> Vec<ReplicaHeight> {
        let order = self.in_order();
        let asked = order.iter().map(async |endpoint| {
            let status = self.read_from(endpoint, &ReadStatus, 0).await;
            ReplicaHeight {
                replica: endpoint.name().to_owned(),
                height: status.map(|status| status.height()).map_err(reason),
            }
        });
        join_all(asked).await
    }
}

fn reason(error: ReadError) -> String {
    match error {
        ReadError::Unreachable(reason) => reason,
        ReadError::Lied(lie) | ReadError::Stranger(lie) => lie.to_string(),
        ReadError::Refused { text, .. } => text,
        ReadError::Behind { shown, .. } => behind(shown),
        ReadError::Final(error) => error.to_string(),
    }
}
