//! Errors of a node, each with what was expected instead

use std::path::{Path, PathBuf};

/// CometBFT can't be built on this machine, and no built one was given.
///
/// Kept apart from [`Error`] because it says something about the machine, not about the network: a
/// caller that does not insist on CometBFT may go on with another engine.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Tooling {
    /// No `go` on the `PATH`.
    #[error(
        "Go is not installed (no `go` on PATH): it builds CometBFT {version}; install Go {required} or newer, or set WHITE_CITY_COMETBFT to a built cometbft"
    )]
    GoMissing {
        /// CometBFT's version.
        version: &'static str,
        /// Oldest version of Go that can build it.
        required: String,
    },
    /// The installed Go is older than CometBFT needs, and did not fetch a newer one.
    #[error(
        "Go is too old: found {found}, CometBFT needs {required} or newer (GOTOOLCHAIN=auto lets Go fetch it)"
    )]
    GoTooOld {
        /// The version that is installed.
        found: String,
        /// Oldest version that will do.
        required: String,
    },
    /// The build ran and failed.
    #[error("building CometBFT failed ({status}); the last lines of {log}:\n{tail}", log = .log.display())]
    BuildFailed {
        /// Exit status of `go build`.
        status: String,
        /// The file with all of its output.
        log: PathBuf,
        /// The end of its output.
        tail: String,
    },
    /// `WHITE_CITY_COMETBFT` names something that can't be used.
    #[error("WHITE_CITY_COMETBFT={path}: {reason}", path = .path.display())]
    BadOverride {
        /// Path that the variable names.
        path: PathBuf,
        /// The mistake in it.
        reason: String,
    },
    /// The cache directory can't be found or written.
    #[error("no place to keep the built CometBFT: {0}")]
    Cache(String),
}

/// Why a home could not be made, or a node not be started or asked.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// CometBFT can't be had here.
    #[error(transparent)]
    Tooling(#[from] Tooling),
    /// A file or directory could not be read or written; a full disk says so here.
    #[error("{action} {path}: {source}", path = .path.display())]
    Io {
        /// The deed that was tried, as in "write".
        action: &'static str,
        /// The file or directory.
        path: PathBuf,
        /// The system's error.
        source: std::io::Error,
    },
    /// An option is out of its range.
    #[error("{what}: got {got}, expected {expected}")]
    Option {
        /// The option.
        what: &'static str,
        /// Its value.
        got: String,
        /// Values that would have been accepted.
        expected: String,
    },
    /// The board's parameters are refused.
    #[error(transparent)]
    Genesis(#[from] white_city_wire::genesis::BadGenesis),
    /// A file does not hold what it should.
    #[error("{path}: {reason}", path = .path.display())]
    Malformed {
        /// The file.
        path: PathBuf,
        /// The content that was expected.
        reason: String,
    },
    /// A program that the launcher needs was not found or could not be built.
    #[error("{program}: {reason}")]
    Program {
        /// Its name.
        program: String,
        /// The mistake.
        reason: String,
    },
    /// Operators of a genesis haven't consented to it.
    #[error("{genesis} isn't signed by {missing}: expected a consent of each of its operators", genesis = .genesis.display())]
    Unsigned {
        /// The genesis.
        genesis: PathBuf,
        /// Names or keys of the operators.
        missing: String,
    },
    /// The board couldn't be verified at the other nodes.
    #[error("the board isn't verified: {0}")]
    Unverified(String),
    /// Another process holds the directory.
    #[error("{dir} is in use by another process{holder}", dir = .dir.display())]
    Locked {
        /// The directory.
        dir: PathBuf,
        /// Its number, where known.
        holder: String,
    },
    /// The application or engine has no such ability.
    #[error("{0}")]
    Unsupported(&'static str),
    /// A node is no longer supervised.
    #[error("{0} is no longer supervised")]
    Gone(String),
    /// A replica is not in the state that the command needs.
    #[error("{name} is {state}: {expected}")]
    State {
        /// Its name.
        name: String,
        /// Its state.
        state: String,
        /// State or deed that the command needs.
        expected: &'static str,
    },
    /// A replica stopped for good.
    #[error("{name} stopped: {diagnosis}")]
    Halted {
        /// Its name.
        name: String,
        /// Exit code and the last lines of its log.
        diagnosis: String,
    },
    /// A replica's process ended unexpectedly.
    #[error("{0}")]
    Ended(String),
    /// A condition did not come true in time.
    #[error("after {seconds} s still waiting for {what}: {seen}")]
    Timeout {
        /// The condition.
        what: String,
        /// Time that it was waited for.
        seconds: u64,
        /// The last that was seen.
        seen: String,
    },
    /// A replica's RPC did not answer, or not as expected.
    #[error("replica at {url}: {reason}")]
    Rpc {
        /// Its address.
        url: String,
        /// The fault in the answer, or its lack.
        reason: String,
    },
}

impl Error {
    /// Wraps what the system said about a path.
    pub fn io(action: &'static str, path: &Path) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self::Io {
            action,
            path,
            source,
        }
    }
}
