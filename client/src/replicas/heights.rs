//! The height of each replica, for people who wait.

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
