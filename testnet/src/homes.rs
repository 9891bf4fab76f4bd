//! The directory of a network: its record, its lock, and a home for each replica
//!
//! ```text
//! DIR/testnet.json     what this network is; written last, so a directory without it is incomplete
//! DIR/lock             held by the launcher
//! DIR/genesis.json     for clients; each replica has its own copy
//! DIR/operators/       the operators' keys, which no replica needs: replica0.key, …, for white-city board charter
//! DIR/network.json     addresses and process ids, while the network runs
//! DIR/run/             unix sockets, where their paths fit
//! DIR/replica0/        a home: config/, data/ (CometBFT's), app/ (the application's), app.log, node.log
//! ```

use std::fs::File;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::{AppState, Application, Engine, Error, Options};
use white_city_node::Error as NodeError;
use white_city_node::files::{private_dir, read, remove, write_atomic};
use white_city_node::genesis::{self, Draft, Genesis};
use white_city_node::home;
use white_city_node::keys::{self, KeyPair};
use white_city_node::params::{default_app_state, random_bytes, with_random};

/// Identity of a network; the content of `testnet.json`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Record {
    pub(crate) version: u32,
    pub(crate) chain_id: String,
    pub(crate) engine: Engine,
    pub(crate) application: Application,
    /// Number of homes.
    pub(crate) replicas: usize,
    /// Number of the last ones among them that the genesis doesn't list.
    #[serde(default)]
    pub(crate) spares: usize,
    /// First of the ports that it had the last time.
    pub(crate) port_base: Option<u16>,
    /// Directory of the homes if they are in memory.
    pub(crate) memory: Option<PathBuf>,
}

/// A network's directory, locked by this process.
#[derive(Debug)]
pub(crate) struct Homes {
    pub(crate) dir: PathBuf,
    pub(crate) record: Record,
    pub(crate) genesis: Genesis,
    /// Each replica's node id, in order; or what is wrong with its home.
    pub(crate) node_ids: Vec<Result<String, String>>,
    _lock: File,
}

/// Whether `dir` holds a network that can be continued, nothing, or something else.
pub(crate) fn exists(dir: &Path) -> Result<bool, Error> {
    if dir.join("testnet.json").exists() {
        return Ok(true);
    }
    if std::fs::symlink_metadata(dir.join("replica0")).is_ok() {
        return Err(stale(
            dir,
            "testnet.json is missing: its creation was interrupted; remove it",
        ));
    }
    Ok(false)
}

impl Homes {
    /// Makes a new network.
    pub(crate) fn create(options: &Options) -> Result<Self, Error> {
        options.check()?;
        private_dir(&options.dir)?;
        let dir = options
            .dir
            .canonicalize()
            .map_err(Error::io("open", &options.dir))?;
        let lock = home::lock(&dir)?;
        if exists(&dir)? {
            return Err(stale(&dir, "it already holds a network"));
        }
        let chain_id = match &options.chain_id {
            Some(id) => id.clone(),
            None => format!("white-city-{}", hex::encode(random_bytes::<6>()?)),
        };
        let app_state = match &options.app_state {
            Some(app_state) => app_state.clone(),
            None => default_app_state()?,
        };
        let app_state = with_random(app_state)?;
        let memory = options.tmpfs.then(memory_dir).transpose()?;
        let record = Record {
            version: 1,
            chain_id,
            engine: options.engine,
            application: options.application,
            replicas: options.replicas + options.spares,
            spares: options.spares,
            port_base: None,
            memory: memory.clone(),
        };
        let written = write_homes(&dir, &record, app_state);
        if let (Err(_), Some(memory)) = (&written, &memory) {
            // The first error is the one to tell.
            let _ = remove(memory);
        }
        written?;
        Self::check(dir, lock)
    }

    /// Continues a network that was made before. What `options` says about it must fit.
    pub(crate) fn open(options: &Options) -> Result<Self, Error> {
        let (dir, lock) = locked(&options.dir)?;
        let homes = Self::check(dir.clone(), lock)?;
        let other = |what: &str, has: String, asked: String| {
            Err(stale(
                &dir,
                &format!("its {what} is {has:?}, {asked:?} was asked for"),
            ))
        };
        let record = &homes.record;
        match &options.chain_id {
            Some(id) if *id != record.chain_id => {
                return other("chain id", record.chain_id.clone(), id.clone());
            }
            _ => {}
        }
        if record.engine != options.engine {
            return other(
                "engine",
                format!("{:?}", record.engine),
                format!("{:?}", options.engine),
            );
        }
        if record.application != options.application {
            let asked = format!("{:?}", options.application);
            return other("application", format!("{:?}", record.application), asked);
        }
        Ok(homes)
    }

    /// Reads a network's directory back, and checks that it is one chain, with enough complete homes for a board.
    fn check(dir: PathBuf, lock: File) -> Result<Self, Error> {
        let record = read_record(&dir)?;
        if record
            .memory
            .as_ref()
            .is_some_and(|memory| !memory.exists())
        {
            return Err(stale(
                &dir,
                "its homes were in memory and are gone; remove it",
            ));
        }
        let path = dir.join("genesis.json");
        let text = read(&path)?;
        let genesis = genesis::parse(&text).map_err(|reason| {
            Error::Node(NodeError::Malformed {
                path: path.clone(),
                reason,
            })
        })?;
        if genesis.chain_id != record.chain_id {
            let reason = format!(
                "expected chain {}, found {}",
                record.chain_id, genesis.chain_id
            );
            return Err(stale(&dir, &format!("genesis.json: {reason}")));
        }
        let complete =
            record.version == 1 && genesis.validators.len() + record.spares == record.replicas;
        if !complete || record.replicas == 0 {
            return Err(stale(
                &dir,
                "testnet.json and genesis.json do not belong together",
            ));
        }
        let node_ids: Vec<_> = (0..record.replicas)
            .map(|index| {
                check_home(&dir.join(format!("replica{index}")), &text, &genesis, index)
                    .map_err(|reason| format!("replica{index}/{reason}"))
            })
            .collect();
        let bad: Vec<&str> = node_ids
            .iter()
            .filter_map(|id| id.as_ref().err().map(String::as_str))
            .collect();
        if !is_board(record.replicas - bad.len(), record.replicas) {
            return Err(stale(&dir, &bad.join("; ")));
        }
        Ok(Self {
            dir,
            record,
            genesis,
            node_ids,
            _lock: lock,
        })
    }

    /// A replica's home.
    pub(crate) fn home(&self, index: usize) -> PathBuf {
        self.dir.join(format!("replica{index}"))
    }

    /// Remembers where the ports are.
    pub(crate) fn set_port_base(&mut self, base: u16) -> Result<(), Error> {
        self.record.port_base = Some(base);
        write_record(&self.dir, &self.record)
    }

    /// Removes a network that was in memory, so that its directory can be used again.
    pub(crate) fn forget_memory(&self) -> Result<(), Error> {
        let Some(memory) = &self.record.memory else {
            return Ok(());
        };
        remove(&self.dir.join("testnet.json"))?;
        for index in 0..self.record.replicas {
            remove(&self.home(index))?;
        }
        remove(&self.dir.join("genesis.json"))?;
        Ok(remove(memory)?)
    }
}

/// Whether so many replicas make blocks without the others: more than two thirds.
pub(crate) const fn is_board(working: usize, all: usize) -> bool {
    3 * working > 2 * all
}

/// Deletes what a replica of a network that no launcher runs has of the chain, but neither its keys nor what it signed last.
///
/// # Errors
/// [`NodeError::Locked`] if a launcher runs it, [`Error::StaleHome`], [`Error::NoReplica`], [`NodeError::Io`].
pub fn wipe_stopped(dir: &Path, index: usize) -> Result<(), Error> {
    let (dir, _lock) = locked(dir)?;
    let count = read_record(&dir)?.replicas;
    if index >= count {
        return Err(Error::NoReplica { index, count });
    }
    Ok(home::wipe(&dir.join(format!("replica{index}")))?)
}

fn stale(dir: &Path, reason: &str) -> Error {
    Error::StaleHome {
        dir: dir.to_owned(),
        reason: reason.into(),
    }
}

/// A network's directory, absolute, for this process alone.
fn locked(dir: &Path) -> Result<(PathBuf, File), Error> {
    let dir = dir.canonicalize().map_err(Error::io("open", dir))?;
    if !exists(&dir)? {
        return Err(stale(&dir, "it holds no network"));
    }
    let lock = home::lock(&dir)?;
    Ok((dir, lock))
}

fn memory_dir() -> Result<PathBuf, Error> {
    let base = Path::new("/dev/shm");
    let made = tempfile::Builder::new()
        .prefix("white-city-")
        .tempdir_in(base);
    Ok(made.map_err(Error::io("create directory in", base))?.keep())
}

fn read_record(dir: &Path) -> Result<Record, Error> {
    let path = dir.join("testnet.json");
    let malformed = |error: serde_json::Error| {
        Error::Node(NodeError::Malformed {
            path: path.clone(),
            reason: error.to_string(),
        })
    };
    serde_json::from_str(&read(&path)?).map_err(malformed)
}

fn write_record(dir: &Path, record: &Record) -> Result<(), Error> {
    let text = serde_json::to_string_pretty(record).unwrap_or_default() + "\n";
    Ok(write_atomic(&dir.join("testnet.json"), text.as_bytes())?)
}

fn write_homes(dir: &Path, record: &Record, app_state: AppState) -> Result<(), Error> {
    let operators = dir.join("operators");
    private_dir(&operators)?;
    let mut keys = Vec::new();
    let mut homes = Vec::new();
    for index in 0..record.replicas {
        let link = dir.join(format!("replica{index}"));
        if let Some(memory) = &record.memory {
            let home = memory.join(format!("replica{index}"));
            private_dir(&home)?;
            std::os::unix::fs::symlink(&home, &link).map_err(Error::io("link", &link))?;
        }
        for part in ["config", "data", "app"] {
            private_dir(&link.join(part))?;
        }
        let validator = KeyPair::generate()?;
        let config = link.join("config");
        write_atomic(
            &config.join("priv_validator_key.json"),
            validator.validator_file().as_bytes(),
        )?;
        write_atomic(
            &config.join("node_key.json"),
            KeyPair::generate()?.node_file().as_bytes(),
        )?;
        let state = link.join("data/priv_validator_state.json");
        write_atomic(&state, keys::NEVER_SIGNED.as_bytes())?;
        let operator = KeyPair::generate()?;
        write_atomic(
            &operators.join(format!("replica{index}.key")),
            operator.identity_file().as_bytes(),
        )?;
        keys.push(genesis::Keys {
            name: format!("replica{index}"),
            validator: validator.public(),
            operator: operator.public(),
        });
        homes.push(config);
    }
    keys.truncate(record.replicas - record.spares);
    let draft = Draft::now(&record.chain_id, app_state)?;
    let genesis = genesis::render(&draft, &keys)?;
    for config in homes {
        write_atomic(&config.join("genesis.json"), genesis.as_bytes())?;
    }
    write_atomic(&dir.join("genesis.json"), genesis.as_bytes())?;
    write_record(dir, record)
}

/// The node id of a complete home, or what is wrong.
fn check_home(home: &Path, text: &str, genesis: &Genesis, index: usize) -> Result<String, String> {
    let read = |name: &str| {
        std::fs::read_to_string(home.join(name)).map_err(|error| format!("{name}: {error}"))
    };
    if read("config/genesis.json")? != text {
        return Err("config/genesis.json: belongs to another chain than DIR/genesis.json".into());
    }
    let named = |name: &str, reason: String| format!("{name}: {reason}");
    let name = "config/priv_validator_key.json";
    let validator = keys::read_validator(&read(name)?).map_err(|reason| named(name, reason))?;
    let known = genesis.validators.get(index);
    if known.is_some_and(|known| known.address != validator.address) {
        return Err(format!("{name}: not validator {index} of the genesis"));
    }
    let name = "data/priv_validator_state.json";
    serde_json::from_str::<serde_json::Value>(&read(name)?)
        .map_err(|error| named(name, error.to_string()))?;
    let name = "config/node_key.json";
    keys::read_node_id(&read(name)?).map_err(|reason| named(name, reason))
}
