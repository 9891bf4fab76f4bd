//! The directory of a network: its record, its lock, and a home for each replica
//!
//! ```text
//! DIR/testnet.json     what this network is; written last, so a directory without it is incomplete
//! DIR/lock             held by the launcher
//! DIR/genesis.json     for clients; each replica has its own copy
//! DIR/operators/       the operators' keys: replica0.key, …, for white-city board charter; with them a start at other ports signs new cards
//! DIR/network.json     addresses and process ids, while the network runs
//! DIR/run/             unix sockets, where their paths fit
//! DIR/replica0/        a node's home, as `white-city-node` has it
//! ```

use std::fs::File;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::ports::Ports;
use crate::{AppState, Application, Engine, Error, Options};
use white_city_node::files::{private_dir, read, remove, write_atomic};
use white_city_node::genesis::{self, Draft, Genesis};
use white_city_node::home::{self, LAST_SIGNED};
use white_city_node::node::{self, CONSENTS, GENESIS_FILE, Node, Start, VALIDATOR_KEY};
use white_city_node::params::{default_app_state, random_bytes, with_random};
use white_city_node::{Error as NodeError, LocalKey, ceremony, keys};

/// Version of the layout.
const VERSION: u32 = 2;

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
    /// What is wrong with each replica's home, in order.
    pub(crate) bad: Vec<Option<String>>,
    /// Of the directory and of the homes.
    _locks: Vec<File>,
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
    pub(crate) fn create(options: &Options, ports: &Ports) -> Result<Self, Error> {
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
            version: VERSION,
            chain_id,
            engine: options.engine,
            application: options.application,
            replicas: options.replicas + options.spares,
            spares: options.spares,
            port_base: Some(ports.base()),
            memory: memory.clone(),
        };
        let written = write_homes(&dir, &record, ports, app_state);
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
        if record.version != VERSION {
            let reason = format!(
                "it is of version {}, expected {VERSION}; remove it, or run it with the program that made it",
                record.version
            );
            return Err(stale(&dir, &reason));
        }
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
        let complete = genesis.validators.len() + record.spares == record.replicas;
        if !complete || record.replicas == 0 {
            return Err(stale(
                &dir,
                "testnet.json and genesis.json do not belong together",
            ));
        }
        let (mut bad, mut locks) = (Vec::new(), vec![lock]);
        for index in 0..record.replicas {
            let home = dir.join(format!("replica{index}"));
            let checked = check_home(&home, &text, &genesis, index);
            if checked.is_ok() {
                // Nobody starts, joins or compacts it by `white-city-node` meanwhile.
                locks.push(home::lock(&home)?);
            }
            bad.push(checked.err());
        }
        let all: Vec<&str> = bad.iter().flatten().map(String::as_str).collect();
        if !is_board(record.replicas - all.len(), record.replicas) {
            return Err(stale(&dir, &all.join("; ")));
        }
        Ok(Self {
            dir,
            record,
            genesis,
            bad,
            _locks: locks,
        })
    }

    /// A replica's home.
    pub(crate) fn home(&self, index: usize) -> PathBuf {
        self.dir.join(format!("replica{index}"))
    }

    /// The replicas with nothing wrong.
    pub(crate) fn good(&self) -> impl Iterator<Item = usize> {
        let all = self.bad.iter().enumerate();
        all.filter_map(|(index, bad)| bad.is_none().then_some(index))
    }

    /// The key of whoever operates a replica.
    pub(crate) fn operator(&self, index: usize) -> Result<LocalKey, Error> {
        let path = operator_key(&self.dir, index);
        LocalKey::load(&path, None).map_err(bad_key(&path))
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

/// The file with the key of whoever operates a replica.
pub(crate) fn operator_key(dir: &Path, index: usize) -> PathBuf {
    dir.join(format!("operators/replica{index}.key"))
}

fn bad_key<E: std::fmt::Display>(path: &Path) -> impl FnOnce(E) -> Error {
    let path = path.to_owned();
    move |error| {
        Error::Node(NodeError::Malformed {
            path,
            reason: error.to_string(),
        })
    }
}

/// The ceremony, by one who has all keys.
fn write_homes(
    dir: &Path,
    record: &Record,
    ports: &Ports,
    app_state: AppState,
) -> Result<(), Error> {
    private_dir(&dir.join("operators"))?;
    let mut nodes = Vec::new();
    for index in 0..record.replicas {
        let home = dir.join(format!("replica{index}"));
        if let Some(memory) = &record.memory {
            let place = memory.join(format!("replica{index}"));
            private_dir(&place)?;
            std::os::unix::fs::symlink(&place, &home).map_err(Error::io("link", &home))?;
        }
        let path = operator_key(dir, index);
        let operator = LocalKey::create_plain(&path).map_err(bad_key(&path))?;
        let start = Start {
            name: format!("replica{index}"),
            dialled: format!("127.0.0.1:{}", ports.p2p(index)),
            rpc_url: ports.rpc_url(index),
            p2p: ([127, 0, 0, 1], ports.p2p(index)).into(),
            rpc: ([127, 0, 0, 1], ports.rpc(index)).into(),
            direct: String::new(),
        };
        let card = node::init(&home, &start, &operator)?;
        nodes.push((home, operator, card));
    }
    let listed = nodes.get(..record.replicas - record.spares);
    let listed = listed.unwrap_or_default();
    // Not sorted as operators who don't know one another's order do it: replica 0 is the genesis' first validator.
    let keys = listed.iter().map(|(_, _, card)| genesis::Keys {
        name: card.says().name.clone(),
        validator: card.says().validator.0,
        operator: card.says().operator.0,
    });
    let draft = Draft::now(&record.chain_id, app_state)?;
    let text = genesis::render(&draft, &keys.collect::<Vec<_>>())?;
    let path = dir.join("genesis.json");
    write_atomic(&path, text.as_bytes())?;
    let (_, network) = node::read_genesis(&path)?;
    for (home, _, _) in &nodes {
        write_atomic(&home.join(GENESIS_FILE), text.as_bytes())?;
        for (_, operator, card) in listed {
            let consent = ceremony::consent(&text, &network, operator)?;
            let file = format!("{}.json", card.says().operator);
            write_atomic(&home.join(CONSENTS).join(file), consent.as_bytes())?;
        }
    }
    write_record(dir, record)
}

/// Checks that a home is complete and this replica's; says what is wrong.
fn check_home(home: &Path, text: &str, genesis: &Genesis, index: usize) -> Result<(), String> {
    let named = |name: &str, reason: String| format!("replica{index}/{name}: {reason}");
    let read = |name: &str| {
        std::fs::read_to_string(home.join(name)).map_err(|error| named(name, error.to_string()))
    };
    if read(GENESIS_FILE)? != text {
        let reason = "belongs to another chain than DIR/genesis.json";
        return Err(named(GENESIS_FILE, reason.into()));
    }
    let validator = keys::read_validator(&read(VALIDATOR_KEY)?);
    let validator = validator.map_err(|reason| named(VALIDATOR_KEY, reason))?;
    let known = genesis.validators.get(index);
    if known.is_some_and(|known| known.address != validator.address) {
        let reason = format!("not validator {index} of the genesis");
        return Err(named(VALIDATOR_KEY, reason));
    }
    serde_json::from_str::<serde_json::Value>(&read(LAST_SIGNED)?)
        .map_err(|error| named(LAST_SIGNED, error.to_string()))?;
    Node::open(home)
        .map(drop)
        .map_err(|error| error.to_string())
}
