//! The end of a session, as a party sees it.

use white_city_wire::Hash;

use crate::AbortRecord;

/// The end of a session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum End {
    /// A quorum finished with one outcome.
    Finished {
        /// The outcome's digest.
        outcome: Hash,
    },
    /// It ended without an outcome.
    Aborted(Box<AbortRecord>),
    /// The replicas certify that it ended without an outcome, but this party had finished before. An abort needs no quorum of
    /// parties, so if more replicas than tolerated are malicious, others may have seen the session finished.
    Unknown(Box<AbortRecord>),
}
