//! `network.json`: where the replicas are, for clients and tests

use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use serde::{Deserialize, Serialize};

use crate::{Engine, Error};
use white_city_node::Error as NodeError;
use white_city_node::files::write_atomic;

/// The content of `network.json`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Network {
    /// Version of this file: 1.
    pub version: u32,
    /// The chain's name.
    pub chain_id: String,
    /// Absolute path of `genesis.json`.
    pub genesis: PathBuf,
    /// Engine that makes the blocks.
    pub engine: Engine,
    /// The launcher's process id.
    pub launcher_pid: u32,
    /// The replicas, by index.
    pub replicas: Vec<ListedReplica>,
}

/// One replica in `network.json`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ListedReplica {
    /// Its number, from 0.
    pub index: usize,
    /// Address of its RPC.
    pub rpc: String,
    /// Its home.
    pub home: PathBuf,
    /// CometBFT's process id, 0 if it doesn't run.
    pub node_pid: u32,
    /// The application's process id, 0 if it doesn't run.
    pub app_pid: u32,
}

impl ListedReplica {
    /// One without processes.
    pub(crate) fn stopped(index: usize, rpc: &str, home: PathBuf) -> Self {
        Self {
            index,
            rpc: rpc.into(),
            home,
            node_pid: 0,
            app_pid: 0,
        }
    }
}

impl Network {
    /// Reads a `network.json`.
    ///
    /// # Errors
    /// If it can't be read, or is not of this form.
    pub fn read(path: &Path) -> Result<Self, Error> {
        serde_json::from_str(&white_city_node::files::read(path)?).map_err(|error| {
            Error::Node(NodeError::Malformed {
                path: path.to_owned(),
                reason: error.to_string(),
            })
        })
    }
}

/// Keeps the file in step with the processes.
#[derive(Debug)]
pub(crate) struct NetworkFile {
    path: PathBuf,
    content: Mutex<Network>,
}

impl NetworkFile {
    pub(crate) fn new(path: PathBuf, content: Network) -> Self {
        Self {
            path,
            content: Mutex::new(content),
        }
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Writes the file as it stands.
    pub(crate) fn write(&self) -> Result<(), Error> {
        self.update(|_| {})
    }

    /// Notes which processes a replica has now.
    pub(crate) fn set_pids(&self, index: usize, app: u32, node: u32) -> Result<(), Error> {
        self.update(|network| {
            if let Some(replica) = network.replicas.get_mut(index) {
                (replica.app_pid, replica.node_pid) = (app, node);
            }
        })
    }

    /// One writer at a time: the file and the content can't get out of step.
    fn update(&self, change: impl FnOnce(&mut Network)) -> Result<(), Error> {
        let mut content = self.content.lock().unwrap_or_else(PoisonError::into_inner);
        change(&mut content);
        let text = serde_json::to_string_pretty(&*content).unwrap_or_default() + "\n";
        Ok(write_atomic(&self.path, text.as_bytes())?)
    }
}
