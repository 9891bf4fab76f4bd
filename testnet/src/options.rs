//! Choices of a caller about a network

use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::{AppState, Error, Profile};
use white_city_node::Error as NodeError;

/// Maker of the blocks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Engine {
    /// Replicas that agree by CometBFT: fewer than a third of them may be faulty.
    Cometbft,
    /// One process and one key: tolerates no fault, needs no CometBFT.
    Solo,
}

/// Program behind CometBFT.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Application {
    /// White City's replica.
    Replica,
    /// The example that is built into CometBFT: no process of its own. Only for trying the
    /// launcher by itself.
    Kvstore,
}

impl FromStr for Engine {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "cometbft" => Ok(Self::Cometbft),
            "solo" => Ok(Self::Solo),
            _ => Err("expected cometbft or solo".into()),
        }
    }
}

impl FromStr for Application {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "replica" => Ok(Self::Replica),
            "kvstore" => Ok(Self::Kvstore),
            _ => Err("expected replica or kvstore".into()),
        }
    }
}

/// Description of a network that is to be made.
#[derive(Debug, Clone)]
pub struct Options {
    /// Its directory. Created if it isn't there; only its owner may enter.
    pub dir: PathBuf,
    /// Number of replicas, 1 to 16.
    pub replicas: usize,
    /// Number of further homes, whose replicas follow the chain and are none of its validators: newcomers for later charters.
    pub spares: usize,
    /// Its name, 1 to 50 characters; `None` draws one.
    pub chain_id: Option<String>,
    /// The board's parameters and its charter, but for the replicas, which are drawn; `None` takes those of `config/genesis.toml`.
    pub app_state: Option<AppState>,
    /// First of three ports per replica; `None` finds free ones.
    pub port_base: Option<u16>,
    /// Keep the homes in memory (`/dev/shm`): faster, and gone when the network is stopped.
    pub tmpfs: bool,
    /// Time that every byte between two replicas takes, in each direction: zero, as on one machine, or as over a long wire.
    pub link_delay: Duration,
    /// Times that replicas wait for one another; `None`: what fits `link_delay`.
    pub profile: Option<Profile>,
    /// Time that a node may stay at its height while the others go on, until it is restarted. Several heartbeats.
    pub stands_still: Duration,
    /// Blocks from one snapshot of the state to the next; 0: none are made.
    pub snapshot_blocks: u64,
    /// Blocks that nodes keep, once there is a newer snapshot; 0: all.
    pub keep_blocks: u64,
    /// Maker of the blocks.
    pub engine: Engine,
    /// Program behind CometBFT.
    pub application: Application,
    /// The replica's program; `None` finds it. Only for tests with a program of their own, which
    /// takes the same arguments.
    pub replica_program: Option<PathBuf>,
    /// Replicas whose node asks a remote signer for every signature, and never its key file: it
    /// listens at [`Testnet::signer_socket`](crate::Testnet::signer_socket) and doesn't start
    /// before a signer has dialled. Only for tests with a signer of their own.
    pub remote_signers: Vec<usize>,
}

impl Options {
    /// Four replicas of White City on CometBFT, with all defaults.
    #[must_use]
    pub fn new(dir: impl Into<PathBuf>) -> Self {
        Self {
            dir: dir.into(),
            replicas: 4,
            spares: 0,
            chain_id: None,
            app_state: None,
            port_base: None,
            tmpfs: false,
            link_delay: Duration::ZERO,
            profile: None,
            stands_still: Duration::from_secs(30),
            snapshot_blocks: 10_000,
            keep_blocks: 100_000,
            engine: Engine::Cometbft,
            application: Application::Replica,
            replica_program: None,
            remote_signers: Vec::new(),
        }
    }

    pub(crate) fn check(&self) -> Result<(), Error> {
        let most = if self.engine == Engine::Solo { 1 } else { 16 };
        if !(1..=most).contains(&self.replicas) {
            return Err(Error::Node(NodeError::Option {
                what: "replicas",
                got: self.replicas.to_string(),
                expected: match self.engine {
                    Engine::Solo => "1: Solo is one replica".into(),
                    Engine::Cometbft => format!("1 to {most}"),
                },
            }));
        }
        if let Some(none) = self.remote_signers.iter().find(|k| **k >= self.replicas) {
            return Err(Error::NoReplica {
                index: *none,
                count: self.replicas,
            });
        }
        let checked = self.chain_id.as_deref();
        let checked = checked.map_or(Ok(()), white_city_node::genesis::check_chain_id);
        Ok(checked?)
    }
}
