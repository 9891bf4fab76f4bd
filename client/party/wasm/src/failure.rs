//! Why a party couldn't do something.

use serde_json::json;
use white_city_party::{Error, journal::JournalError};
use white_city_wasm::outcome::NotProven;

/// See the module.
pub struct Failure(NotProven);

impl From<NotProven> for Failure {
    fn from(not_proven: NotProven) -> Self {
        Self(not_proven)
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        let kind = error.kind();
        let failed = json!({ "kind": kind.name, "number": kind.number, "text": error.to_string() });
        Self(NotProven::Failed(failed))
    }
}

impl From<JournalError> for Failure {
    fn from(error: JournalError) -> Self {
        Error::from(error).into()
    }
}

impl Failure {
    /// A mistake of whoever called, or a session that can't be what was asked for.
    pub fn usage(text: impl Into<String>) -> Self {
        Self(NotProven::Usage(text.into()))
    }
}

impl From<Failure> for NotProven {
    fn from(Failure(not_proven): Failure) -> Self {
        not_proven
    }
}
