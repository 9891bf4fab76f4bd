//! Failures, and what the program exits with.

use std::path::Path;

use serde::Serialize;
use serde_json::{Value, json};
use white_city_client::{
    Error, Fork,
    files::FileError,
    genesis::GenesisFileError,
    signer::KeyFileError,
    vault::VaultError,
    wire::{Refusal, board::Status, json::remaining_ms},
};

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
    /// The result that there is all the same, for machines.
    result: Option<Box<Value>>,
}

/// The round that other parties have to act in first.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Waiting {
    /// The open round; 0 is joining.
    open_round: u32,
    /// Indices of the parties that it waits for.
    waiting_for: Vec<u16>,
    /// Until when, board time; 0 while the clock hasn't started.
    deadline_ms: u64,
    /// Time that is left until then.
    remaining_ms: Option<u64>,
    /// The board's time.
    board_ms: u64,
}

impl Failure {
    /// With this exit code.
    pub fn new(code: u8, text: impl Into<String>) -> Self {
        Self {
            code,
            text: text.into(),
            fork: None,
            waiting: None,
            result: None,
        }
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
        let waiting = waiting(&error).map(Box::new);
        let code = match error {
            // The round has closed, or this party is out.
            Error::Refused { code, .. } if Refusal::is_too_late(code) => 6,
            Error::Usage { .. }
            | Error::Spec(_)
            | Error::NotMember { .. }
            | Error::TooLarge { .. }
            | Error::Journal(_)
            | Error::OtherNetwork { .. }
            | Error::Recipient { .. } => 2,
            Error::Unreachable(_) | Error::Behind { .. } => 3,
            Error::Refused { .. }
            | Error::QuotaExceeded { .. }
            | Error::OtherCharter { .. }
            | Error::Stamp { .. }
            | Error::UnknownSession(_) => 4,
            Error::Aborted(_) | Error::Unknown(_) | Error::Left | Error::Erased => 5,
            Error::Late { .. }
            | Error::Out { .. }
            | Error::Finished { .. }
            | Error::NoJournal { .. }
            | Error::Differs { .. } => 6,
            Error::ReplicaLied { .. } | Error::Fork { .. } | Error::SlotTaken { .. } => 7,
            Error::Payload { .. } => 8,
            Error::Waiting { .. } => WAITING,
            _ => 1,
        };
        Self {
            code,
            text,
            fork,
            waiting,
            result: None,
        }
    }
}

fn waiting(error: &Error) -> Option<Waiting> {
    let Error::Waiting {
        round,
        missing,
        deadline_ms,
        board_ms,
    } = error
    else {
        return None;
    };
    Some(Waiting {
        open_round: *round,
        waiting_for: missing.clone(),
        deadline_ms: *deadline_ms,
        // Only a session that goes on is waited in.
        remaining_ms: remaining_ms(Status::Running, *deadline_ms, *board_ms),
        board_ms: *board_ms,
    })
}

/// These name their file.
impl From<FileError> for Failure {
    fn from(error: FileError) -> Self {
        Self::usage(error.to_string())
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
        true => Failure::usage(error.to_string()),
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
