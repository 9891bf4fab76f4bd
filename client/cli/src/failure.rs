//! Failures, and what the program exits with.

use std::path::Path;

use serde_json::{Value, json};
use white_city_client::{
    Error, Fork, files::FileError, genesis::GenesisFileError, signer::KeyFileError,
    vault::VaultError, wire::Refusal,
};
use white_city_gateway::shown::Waiting;

use crate::output::to_json;

/// Exit code of `--once` when other parties have to act first.
const WAITING: u8 = 9;
/// Exit code of a receipt that rests on an older era than is asked for.
const UNRENEWED: u8 = 10;
/// Exit code of a program whose reader has gone, by convention: 128 and SIGPIPE.
const CLOSED: u8 = 141;

/// Why the program failed.
#[derive(Debug)]
pub struct Failure {
    /// The exit code.
    pub code: u8,
    /// For people.
    pub text: String,
    /// The proof, if it is that the replicas have signed two histories.
    pub fork: Option<Box<Fork>>,
    /// The round that is waited for, if other parties have to act first.
    pub waiting: Option<Box<Waiting>>,
    /// A quota has no room at present: the same may be taken when other sessions have ended.
    pub is_later: bool,
    /// The disk, a lock, the replicas or a quota were in the way: the same may go well the next time.
    pub is_passing: bool,
    /// The result that there is all the same, for machines.
    result: Option<Box<Value>>,
}

impl Failure {
    /// With this exit code.
    pub fn new(code: u8, text: impl Into<String>) -> Self {
        Self {
            code,
            text: text.into(),
            fork: None,
            waiting: None,
            is_later: false,
            is_passing: false,
            result: None,
        }
    }

    /// The same, where it may go well the next time.
    pub fn passing(self) -> Self {
        Self {
            is_passing: true,
            ..self
        }
    }

    /// The same with a result that there is all the same.
    pub fn with_result(self, result: Value) -> Self {
        let result = Some(Box::new(result));
        Self { result, ..self }
    }

    /// The result that there is all the same.
    pub fn held_result(&self) -> Option<Value> {
        self.result.as_deref().cloned()
    }

    /// A receipt is true, but rests on an older era than is asked for.
    pub fn unrenewed(text: impl Into<String>, result: Value) -> Self {
        Self {
            result: Some(Box::new(result)),
            ..Self::new(UNRENEWED, text)
        }
    }

    /// Anything else.
    pub fn other(text: impl Into<String>) -> Self {
        Self::new(1, text)
    }

    /// Wrong arguments, configuration or files.
    pub fn usage(text: impl Into<String>) -> Self {
        Self::new(2, text)
    }

    /// The session aborted, or this party declined or left.
    pub fn aborted(text: impl Into<String>) -> Self {
        Self::new(5, text)
    }

    /// Nothing can be done in the session any more.
    pub fn late(text: impl Into<String>) -> Self {
        Self::new(6, text)
    }

    /// A session's journal has no state of this name.
    pub fn not_remembered(name: &str) -> Self {
        Self::new(11, format!("nothing is remembered under {name:?}"))
    }

    /// An answer, a session or a receipt can't be true.
    pub fn verification(text: impl Into<String>) -> Self {
        Self::new(7, text)
    }

    /// Whoever read the results has gone.
    pub fn closed() -> Self {
        Self::new(CLOSED, "nobody reads the output any more")
    }

    /// Whether that is why, so that nobody wants to know.
    pub const fn is_closed(&self) -> bool {
        self.code == CLOSED
    }

    /// Whether other parties have to act first.
    pub const fn is_waiting(&self) -> bool {
        self.code == WAITING
    }

    /// Whether it is a result, which the exit code says, too: other parties have to act first, or a receipt has to be renewed.
    pub const fn is_result(&self) -> bool {
        matches!(self.code, WAITING | UNRENEWED)
    }

    /// For machines. Waiting isn't an error, and says for whom.
    pub fn to_json(&self) -> Value {
        if let Some(mut result) = self.result.as_deref().cloned() {
            if let Value::Object(result) = &mut result {
                result.insert("exit_code".into(), self.code.into());
            }
            return result;
        }
        let Some(waiting) = &self.waiting else {
            return json!({ "error": self.text, "exit_code": self.code });
        };
        let mut value = json!({ "result": "waiting", "text": self.text, "exit_code": self.code });
        if let (Value::Object(value), Value::Object(waiting)) = (&mut value, to_json(waiting)) {
            value.extend(waiting);
        }
        value
    }

    /// A party broke the protocol.
    pub fn protocol(party: u16, text: impl std::fmt::Display) -> Self {
        Self::new(8, format!("party {party} is to blame: {text}"))
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        let text = error.to_string();
        let fork = match &error {
            Error::Fork(fork) => Some(fork.clone()),
            _ => None,
        };
        let waiting = Waiting::of(&error).map(Box::new);
        let is_later =
            matches!(error, Error::QuotaExceeded { code, .. } if Refusal::is_transient(code));
        let code = error.kind().exit_code();
        // A journal that is wrong stays wrong, but so do the others' sessions: whoever goes on tries again, not for ever.
        let is_passing = is_later || matches!(code, 1 | 3) || matches!(error, Error::Journal(_));
        Self {
            code,
            text,
            fork,
            waiting,
            is_later,
            is_passing,
            result: None,
        }
    }
}

/// These name their file.
impl From<FileError> for Failure {
    fn from(error: FileError) -> Self {
        let is_passing = matches!(error, FileError::Io { .. } | FileError::Locked { .. });
        Self {
            is_passing,
            ..Self::usage(error.to_string())
        }
    }
}

/// An error about a file, or about what it holds.
pub trait OfFile {
    /// Whether it is about the file itself, and names it.
    fn is_named(&self) -> bool;
}

impl OfFile for GenesisFileError {
    fn is_named(&self) -> bool {
        matches!(self, Self::File(_))
    }
}

impl OfFile for KeyFileError {
    fn is_named(&self) -> bool {
        matches!(self, Self::File(_) | Self::Vault(VaultError::File(_)))
    }
}

impl OfFile for VaultError {
    fn is_named(&self) -> bool {
        matches!(self, Self::File(_))
    }
}

/// Says of which file an error speaks: a command has several.
pub fn in_file<E: OfFile + std::fmt::Display>(path: &Path) -> impl FnOnce(E) -> Failure + '_ {
    move |error| match error.is_named() {
        // About the file itself: it may be there, or free, the next time.
        true => Failure::usage(error.to_string()).passing(),
        false => Failure::usage(format!("{}: {error}", path.display())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_is_too_late_or_looks_at_an_erased_session_is_told_by_the_exit_code() {
        let refused = |code| {
            let (text, replica) = (String::new(), String::new());
            Failure::from(Error::Refused {
                code,
                text,
                replica,
            })
            .code
        };
        assert_eq!([52, 53, 54, 65, 66, 67].map(refused), [4, 6, 4, 4, 6, 4]);
        assert_eq!(Failure::from(Error::Erased).code, 5);
        let outcome = white_city_client::Hash::ZERO;
        assert_eq!(Failure::from(Error::Finished { outcome }).code, 6);
    }
}
