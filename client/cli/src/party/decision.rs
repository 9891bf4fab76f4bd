//! A decision on a session: on the disk before it is in the audit log, and there before anybody is told, so that it is made once.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use white_city_client::{
    SessionId,
    files::{create_secret, read_secret},
    groups::Name,
};

use super::folder::Folder;
use crate::failure::Failure;

/// Largest file of a decision, bytes: a session's spec in JSON, and more.
const BYTES_MAX: u64 = 1 << 20;

/// What was decided, and what the audit log says of it.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Decision {
    /// What follows from it.
    pub says: Says,
    /// The rest of the line in the audit log.
    pub line: Value,
}

/// What follows from a decision.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Says {
    /// The party joins, and runs to the end.
    Join {
        /// The rule that lets it in.
        rule: String,
        /// The group of that rule, which a key that is made is noted in.
        group: Option<Name>,
    },
    /// The others are told that it doesn't.
    Decline(Reason),
}

/// Why a party declines: the number that the others see.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reason {
    /// No rule of the policy fits.
    Policy = 1,
    /// An approver or a person said no.
    Refused = 2,
    /// Nobody said yes in time.
    Unanswered = 3,
    /// This party can't compute it: another protocol, or no share of the key.
    Unable = 4,
}

impl Decision {
    /// The event in the audit log.
    pub const fn event(&self) -> &'static str {
        match self.says {
            Says::Join { .. } => "joining",
            Says::Decline(_) => "declined",
        }
    }
}

impl Folder {
    /// The decision on a session that isn't over yet, if there is one.
    ///
    /// # Errors
    /// When it can't be read.
    pub fn decision(&self, session: SessionId) -> Result<Option<Decision>, Failure> {
        let path = self.decided(session);
        if !path.exists() {
            return Ok(None);
        }
        let bytes = read_secret(&path, BYTES_MAX)?;
        let read = serde_json::from_slice(&bytes);
        read.map(Some)
            .map_err(|error| Failure::other(format!("{}: {error}", path.display())))
    }

    /// Writes a decision down, for ever until it is forgotten.
    ///
    /// # Errors
    /// When it can't be written, or there is one.
    pub fn decide(&self, session: SessionId, decision: &Decision) -> Result<(), Failure> {
        let text = serde_json::to_string(decision);
        let text = text.map_err(|error| Failure::other(error.to_string()))?;
        Ok(create_secret(&self.decided(session), text.as_bytes())?)
    }
}
