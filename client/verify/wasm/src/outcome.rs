//! What comes of what was given: something proven, or why not.

use serde_json::Value;
use white_city_verify::{Error, genesis::GenesisError, read::Lie, trust::BadHeader};

/// Name of the reason that there are two histories.
pub const FORK: &str = "fork";
/// Name of the reason that the board goes by rules that the verifier doesn't know.
pub const RULES: &str = "rules";

/// Something that an answer says.
pub enum Answered {
    /// It is proven.
    Proven(Value),
    /// Nobody can prove it.
    Said(Value),
    /// This party has done something.
    Done(Value),
}

/// Why nothing came of it.
pub enum NotProven {
    /// It isn't believed.
    Refused(Error),
    /// Something else has to be read first.
    Wants(Value),
    /// Whoever called made a mistake.
    Usage(String),
    /// This party can't do it.
    Failed(Value),
    /// It isn't believed, for a reason that isn't the replica's own.
    Other {
        /// The kind of reason.
        by: &'static str,
        /// The reason.
        text: String,
    },
}

impl NotProven {
    /// A mistake of whoever called.
    pub fn usage(text: &str) -> Self {
        Self::Usage(text.into())
    }

    /// Two histories that the validators have signed.
    pub const fn fork(text: String) -> Self {
        Self::Other { by: FORK, text }
    }
}

impl From<Error> for NotProven {
    fn from(error: Error) -> Self {
        Self::Refused(error)
    }
}

impl From<Lie> for NotProven {
    fn from(lie: Lie) -> Self {
        Self::Refused(lie.into())
    }
}

impl From<BadHeader> for NotProven {
    fn from(bad: BadHeader) -> Self {
        Self::Refused(bad.into())
    }
}

impl From<GenesisError> for NotProven {
    fn from(error: GenesisError) -> Self {
        Self::Refused(error.into())
    }
}
