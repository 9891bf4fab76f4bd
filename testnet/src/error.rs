//! Errors of the launcher, each with what was expected instead

use std::path::{Path, PathBuf};

/// Why a network could not be created, started or controlled.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A fault of one node, of its files or of its programs.
    #[error(transparent)]
    Node(#[from] white_city_node::Error),
    /// A port that was asked for is in use.
    #[error("port {port} on 127.0.0.1 is taken ({reason}): ports {first} to {last} are needed")]
    PortTaken {
        /// The first one that could not be bound.
        port: u16,
        /// First port of the block.
        first: u16,
        /// Last port of the block.
        last: u16,
        /// The system's error.
        reason: String,
    },
    /// No free block of ports was found.
    #[error("no free block of {count} ports between {first} and {last} on 127.0.0.1")]
    NoPorts {
        /// Number of free ports that are needed in a row.
        count: u16,
        /// Start of the range that was searched.
        first: u16,
        /// End of the range that was searched.
        last: u16,
    },
    /// No launcher runs on the directory.
    #[error("no launcher runs on {dir}, expected white-city-testnet up --dir {dir}: {reason}", dir = .dir.display())]
    NoLauncher {
        /// The network's directory.
        dir: PathBuf,
        /// The sign of it.
        reason: String,
    },
    /// The directory holds something, but not a complete network of this kind.
    #[error("{dir} can't be continued: {reason}", dir = .dir.display())]
    StaleHome {
        /// The network's directory.
        dir: PathBuf,
        /// The part that is missing or different.
        reason: String,
    },
    /// There is no such replica.
    #[error("there is no replica {index}: the network has {count}, numbered from 0")]
    NoReplica {
        /// The number that was given.
        index: usize,
        /// Number of replicas that there are.
        count: usize,
    },
    /// The launcher refused a command.
    #[error("{0}")]
    Refused(String),
    /// The application or engine has no such ability.
    #[error("{0}")]
    Unsupported(&'static str),
    /// The Solo engine can't start or go on.
    #[error("Solo: {0}")]
    Solo(String),
    /// A step of the demo went wrong.
    #[error("{step}: {reason}")]
    Demo {
        /// The step.
        step: String,
        /// The observation.
        reason: String,
    },
}

impl Error {
    /// Wraps what the system said about a path.
    pub(crate) fn io(action: &'static str, path: &Path) -> impl FnOnce(std::io::Error) -> Self {
        let wrap = white_city_node::Error::io(action, path);
        move |source| wrap(source).into()
    }
}
