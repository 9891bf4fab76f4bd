//! The home of a node: what its operator has made and got, checked before anything runs
//!
//! ```text
//! HOME/node.toml        what the operator chooses
//! HOME/card.json        this node's card; cards/ has those of the other operators
//! HOME/operator.key     the operator's key, if it lies here: no running node needs it
//! HOME/config/          CometBFT's: genesis.json, priv_validator_key.json, node_key.json; config.toml is written at every start
//! HOME/consents/        the operators' signatures of the genesis
//! HOME/data/            CometBFT's chain, and what its validator signed last
//! HOME/app/             the replica's store and snapshots; replica.toml is written at every start
//! HOME/node.log, app.log
//! ```

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr, ToSocketAddrs as _};
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use white_city_client::{LocalKey, Signer as _};
use white_city_wire::{Hash, Network, Params};

use crate::card::{CARD_BYTES_MAX, Card, Statement};
use crate::files::{private_dir, read, read_at_most, write_atomic};
use crate::home::LAST_SIGNED;
use crate::keys::{self, KeyPair};
use crate::node_config::{self, NodeConfig};
use crate::settings::{self, LogFormat, NODE_FILE, Settings, local};
use crate::{Error, Profile, ceremony};

/// Name of a node's own card in its home.
pub const CARD_FILE: &str = "card.json";
/// Folder of the other operators' cards in a home.
pub const CARDS: &str = "cards";
/// Folder of the consents to the genesis in a home.
pub const CONSENTS: &str = "consents";
/// The genesis in a home.
pub const GENESIS_FILE: &str = "config/genesis.json";
/// The validator's key in a home.
pub const VALIDATOR_KEY: &str = "config/priv_validator_key.json";
/// The engine's key for its peers in a home.
pub const NODE_KEY: &str = "config/node_key.json";
/// The operator's key in a home, if it lies there.
pub const OPERATOR_KEY: &str = "operator.key";
/// Socket between engine and replica, in a home.
const SOCKET: &str = "app/app.sock";
/// All networks.
const ANYWHERE: [&str; 2] = ["0.0.0.0/0", "::/0"];
/// Longest path of a unix socket, bytes.
const SOCKET_MAX: usize = 107;

/// What a new node is told.
#[derive(Debug, Clone)]
pub struct Start {
    /// Name on its card.
    pub name: String,
    /// Address on its card: where the others dial.
    pub dialled: String,
    /// Address of its RPC on its card, or empty.
    pub rpc_url: String,
    /// Where the engine listens for the others.
    pub p2p: SocketAddr,
    /// Where the engine answers clients.
    pub rpc: SocketAddr,
    /// Where the replica answers them, or empty.
    pub direct: String,
}

impl Start {
    /// Checks what will stand on the card.
    ///
    /// # Errors
    /// [`Error::Option`].
    pub fn check(&self) -> Result<(), Error> {
        let checked = crate::card::check_name(&self.name)
            .and_then(|()| crate::card::check_address("p2p", &self.dialled))
            .and_then(|()| crate::card::check_rpc(&self.rpc_url));
        checked.map_err(|reason| Error::Option {
            what: "card",
            got: self.name.clone(),
            expected: reason,
        })
    }
}

/// Makes a home with new keys; gives the node's card.
///
/// # Errors
/// [`Error::Option`] if there is a node already, or the card would be none; [`Error::Io`].
pub fn init(home: &Path, start: &Start, operator: &LocalKey) -> Result<Card, Error> {
    check_empty(home)?;
    for part in ["config", "data", "app", CARDS, CONSENTS] {
        private_dir(&home.join(part))?;
    }
    let (validator, node) = (KeyPair::generate()?, KeyPair::generate()?);
    let statement = Statement {
        name: start.name.clone(),
        p2p: start.dialled.clone(),
        rpc: start.rpc_url.clone(),
        validator: Hash(validator.public()),
        node: keys::address(&node.public()),
        operator: Hash(*operator.identity().as_bytes()),
        issued: now(),
    };
    let card = signed(statement, operator)?;
    let settings = settings::render(&[
        ("p2p", start.p2p.to_string().into()),
        ("rpc", start.rpc.to_string().into()),
        ("direct", start.direct.clone().into()),
    ])?;
    Settings::read(&settings)?;
    for (name, text) in [
        (VALIDATOR_KEY, validator.validator_file().as_str()),
        (NODE_KEY, node.node_file().as_str()),
        (LAST_SIGNED, keys::NEVER_SIGNED),
        (CARD_FILE, &card.text()),
        // Last: a home without it is no node.
        (NODE_FILE, &settings),
    ] {
        write_atomic(&home.join(name), text.as_bytes())?;
    }
    Ok(card)
}

/// Checks that there is nothing of a node in a directory: a key that is written over is gone, and what was signed last, too.
///
/// # Errors
/// [`Error::Option`] names the file.
pub fn check_empty(home: &Path) -> Result<(), Error> {
    for name in [NODE_FILE, CARD_FILE, VALIDATOR_KEY, NODE_KEY, LAST_SIGNED] {
        if home.join(name).exists() {
            return Err(Error::Option {
                what: "--home",
                got: home.display().to_string(),
                expected: format!("a directory without a node: this one has {name}"),
            });
        }
    }
    Ok(())
}

/// Signs a new card of a node: with other addresses.
///
/// # Errors
/// [`Error::Option`] if the key isn't that of the present card, or an address is none.
pub fn renew_card(
    home: &Path,
    operator: &LocalKey,
    dialled: Option<&str>,
    rpc_url: Option<&str>,
) -> Result<Card, Error> {
    let present = own_card(home)?;
    let mut statement = present.says().clone();
    if statement.operator.0 != *operator.identity().as_bytes() {
        return Err(Error::Option {
            what: "operator's key",
            got: operator.identity().to_string(),
            expected: statement.operator.to_string(),
        });
    }
    statement.p2p = dialled.unwrap_or(&statement.p2p).to_owned();
    statement.rpc = rpc_url.unwrap_or(&statement.rpc).to_owned();
    statement.issued = now().max(statement.issued.saturating_add(1));
    let card = signed(statement, operator)?;
    write_atomic(&home.join(CARD_FILE), card.text().as_bytes())?;
    Ok(card)
}

fn signed(statement: Statement, operator: &LocalKey) -> Result<Card, Error> {
    Card::sign(statement, operator).map_err(|reason| Error::Malformed {
        path: CARD_FILE.into(),
        reason,
    })
}

fn now() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.unwrap_or_default().as_secs()
}

/// A node's home, read and checked.
#[derive(Debug)]
pub struct Node {
    /// Its directory, absolute.
    pub home: PathBuf,
    /// The operator's choices.
    pub settings: Settings,
    /// Its own card.
    pub card: Card,
    /// The newest card of each other operator.
    pub others: Vec<Card>,
}

impl Node {
    /// Reads a home.
    ///
    /// # Errors
    /// [`Error::Malformed`] names the file and what is wrong with it; [`Error::Io`].
    pub fn open(home: &Path) -> Result<Self, Error> {
        let home = home.canonicalize().map_err(Error::io("open", home))?;
        let path = home.join(NODE_FILE);
        let settings = Settings::read(&read(&path)?)?;
        let card = own_card(&home)?;
        check_keys(&home, &card, !settings.remote_signer.is_empty())?;
        let cards = read_cards(&home.join(CARDS))?;
        let mut newest: BTreeMap<Hash, Card> = BTreeMap::new();
        for other in cards {
            let said = other.says();
            let is_own = said.operator == card.says().operator;
            let known = newest.get(&said.operator);
            if !is_own && known.is_none_or(|known| known.says().issued < said.issued) {
                newest.insert(said.operator, other);
            }
        }
        Ok(Self {
            home,
            settings,
            card,
            others: newest.into_values().collect(),
        })
    }

    /// The genesis, to which every operator in it has consented.
    ///
    /// # Errors
    /// [`Error::Unsigned`] names whose consent is missing; [`Error::Malformed`], [`Error::Io`].
    pub fn genesis(&self) -> Result<Network, Error> {
        let (text, network) = read_genesis(&self.home.join(GENESIS_FILE))?;
        let consented = read_consents(&self.home.join(CONSENTS), &text, &network)?;
        let missing = ceremony::missing(&network, &consented);
        if missing.is_empty() {
            return Ok(network);
        }
        let names = missing.iter().map(|operator| self.name_of(operator));
        Err(Error::Unsigned {
            genesis: self.home.join(GENESIS_FILE),
            missing: names.collect::<Vec<_>>().join(", "),
        })
    }

    /// Name on the card of an operator, or its key.
    #[must_use]
    pub fn name_of(&self, operator: &Hash) -> String {
        let cards = std::iter::once(&self.card).chain(&self.others);
        let mut cards = cards.map(Card::says);
        let card = cards.find(|said| said.operator == *operator);
        card.map_or_else(|| operator.to_string(), |said| said.name.clone())
    }

    /// Socket between engine and replica.
    ///
    /// # Errors
    /// [`Error::Option`] if its path is too long.
    pub fn socket(&self) -> Result<PathBuf, Error> {
        let path = self.home.join(SOCKET);
        if path.as_os_str().len() <= SOCKET_MAX {
            return Ok(path);
        }
        Err(Error::Option {
            what: "--home",
            got: self.home.display().to_string(),
            expected: format!("a path of at most {} bytes", SOCKET_MAX - SOCKET.len() - 1),
        })
    }

    /// Writes what engine and replica read when they start.
    ///
    /// # Errors
    /// [`Error::Io`], [`Error::Malformed`].
    pub fn write_configs(&self, network: &Network) -> Result<(), Error> {
        self.write(&self.engine_config(&network.params, &self.socket()?))
    }

    /// The same, with an engine's configuration that differs from what follows from the settings.
    ///
    /// # Errors
    /// As [`Node::write_configs`].
    pub fn write(&self, config: &NodeConfig) -> Result<(), Error> {
        let text = node_config::render(config)?;
        write_atomic(&self.home.join("config/config.toml"), text.as_bytes())?;
        let text = self.replica_file(&config.proxy_app, config.profile)?;
        write_atomic(&self.home.join("app/replica.toml"), text.as_bytes())
    }

    /// What differs from node to node of the engine's configuration, whose replica listens at this socket.
    #[must_use]
    pub fn engine_config(&self, params: &Params, socket: &Path) -> NodeConfig {
        let settings = &self.settings;
        let joined = |of: fn(&Card) -> String| {
            let all: Vec<String> = self.others.iter().map(of).collect();
            all.join(",")
        };
        NodeConfig {
            moniker: self.card.says().name.clone(),
            proxy_app: format!("unix://{}", socket.display()),
            signer: settings.remote_signer.clone(),
            rpc: settings.rpc.to_string(),
            p2p: settings.p2p.to_string(),
            persistent_peers: joined(Card::peer),
            peer_ids: joined(|card| card.says().node.clone()),
            profile: settings.profile.profile(),
            heartbeat_ms: params.heartbeat_ms,
            max_tx_bytes: params.max_tx,
            filter_peers: true,
            json_log: settings.log_format == LogFormat::Json,
            one_machine: settings.one_machine,
        }
    }

    pub(crate) fn replica_file(&self, socket: &str, profile: Profile) -> Result<String, Error> {
        let settings = &self.settings;
        let mut keys = settings.replica_keys.clone();
        let text = |value: &str| toml::Value::String(value.into());
        let list = |values: Vec<String>| {
            toml::Value::Array(values.iter().map(|value| text(value)).collect())
        };
        let ids = self.others.iter().map(|card| card.says().node.clone());
        let number = |value: u64| toml::Value::Integer(i64::try_from(value).unwrap_or(i64::MAX));
        for (key, ms) in profile.replica() {
            keys.entry(key).or_insert(number(ms));
        }
        for (key, value) in [
            ("listen", text(socket)),
            ("engine_rpc", text(&local(settings.rpc).to_string())),
            ("direct_address", text(&settings.direct)),
            ("direct_url", text(&settings.direct_url)),
            ("health_address", text(&settings.health)),
            ("store", text("board.redb")),
            ("log", text(&settings.log)),
            (
                "log_format",
                text(match settings.log_format {
                    LogFormat::Json => "json",
                    LogFormat::Text => "text",
                }),
            ),
            ("snapshot_blocks", number(settings.snapshot_blocks)),
            ("keep_blocks", number(settings.keep_blocks)),
            ("genesis", text("../config/genesis.json")),
            ("other_rpcs", list(self.other_rpcs())),
            ("peer_ids", list(ids.collect())),
            ("peers_from", list(self.peers_from())),
        ] {
            keys.insert(key.into(), value);
        }
        let keys = toml::to_string(&keys).map_err(|error| Error::Malformed {
            path: NODE_FILE.into(),
            reason: error.to_string(),
        })?;
        Ok(format!(
            "# Written by white-city-node at every start: changes made here are lost.\n{keys}"
        ))
    }

    /// Addresses of the others' RPC, where the replica can ask for a header after a snapshot: those without TLS and without a path.
    fn other_rpcs(&self) -> Vec<String> {
        let urls = self.others.iter().map(|card| card.says().rpc.as_str());
        let plain = urls.filter_map(|url| url.strip_prefix("http://"));
        let hosts = plain.map(|host| host.trim_end_matches('/'));
        let found = hosts.filter_map(|host| host.to_socket_addrs().ok()?.next());
        found.map(|address| address.to_string()).collect()
    }

    /// Networks that the other nodes come from: the addresses on their cards, and what the operator adds.
    #[must_use]
    pub fn peers_from(&self) -> Vec<String> {
        let mut all = Vec::new();
        for card in &self.others {
            let said = card.says();
            match said.p2p.to_socket_addrs() {
                Ok(addresses) => {
                    let ips = addresses.map(|address| address.ip());
                    all.extend(ips.map(|ip| match ip {
                        IpAddr::V4(ip) => format!("{ip}/32"),
                        IpAddr::V6(ip) => format!("{ip}/128"),
                    }));
                }
                Err(error) => {
                    tracing::warn!(
                        "{} isn't found at {}: {error}; until the next start, nodes may come from anywhere, by their ids alone",
                        said.name,
                        said.p2p
                    );
                    all.extend(ANYWHERE.map(str::to_owned));
                }
            }
        }
        for extra in &self.settings.peers_from {
            let bits = if extra.contains(':') { 128 } else { 32 };
            all.push(match extra.contains('/') {
                true => extra.clone(),
                false => format!("{extra}/{bits}"),
            });
        }
        all.sort_unstable();
        all.dedup();
        all
    }
}

/// The card of the node whose home this is.
///
/// # Errors
/// [`Error::Io`], [`Error::Malformed`].
pub fn own_card(home: &Path) -> Result<Card, Error> {
    read_card(&home.join(CARD_FILE))
}

/// A card in a file.
///
/// # Errors
/// [`Error::Io`], [`Error::Malformed`].
pub fn read_card(path: &Path) -> Result<Card, Error> {
    let malformed = |reason: String| Error::Malformed {
        path: path.to_owned(),
        reason,
    };
    Card::parse(&read_at_most(path, CARD_BYTES_MAX)?).map_err(malformed)
}

/// All cards in a folder.
///
/// # Errors
/// [`Error::Io`], [`Error::Malformed`].
pub fn read_cards(folder: &Path) -> Result<Vec<Card>, Error> {
    json_files(folder)?
        .iter()
        .map(|path| read_card(path))
        .collect()
}

/// A genesis with what it says.
///
/// # Errors
/// [`Error::Io`], [`Error::Malformed`].
pub fn read_genesis(path: &Path) -> Result<(String, Network), Error> {
    let text = read(path)?;
    let network = white_city_client::genesis::from_json(text.as_bytes());
    match network {
        Ok(network) => Ok((text, network)),
        Err(error) => Err(Error::Malformed {
            path: path.to_owned(),
            reason: error.to_string(),
        }),
    }
}

/// Operators who consented to a genesis, by the files in a folder.
///
/// # Errors
/// [`Error::Malformed`] for a file that is no consent to it.
pub fn read_consents(folder: &Path, text: &str, network: &Network) -> Result<Vec<Hash>, Error> {
    let consents = json_files(folder)?;
    let consents = consents.iter().map(|path| {
        let consent = read(path)?;
        ceremony::read_consent(&consent, text, network).map_err(|reason| Error::Malformed {
            path: path.clone(),
            reason,
        })
    });
    consents.collect()
}

pub(crate) fn json_files(folder: &Path) -> Result<Vec<PathBuf>, Error> {
    let entries = folder.read_dir().map_err(Error::io("read", folder))?;
    let mut paths = Vec::new();
    for entry in entries {
        let path = entry.map_err(Error::io("read", folder))?.path();
        if path
            .extension()
            .is_some_and(|extension| extension == "json")
        {
            paths.push(path);
        }
    }
    paths.sort();
    Ok(paths)
}

/// Checks that the keys in a home are those on its card.
fn check_keys(home: &Path, card: &Card, is_signed_elsewhere: bool) -> Result<(), Error> {
    let said = card.says();
    let path = home.join(NODE_KEY);
    let node = keys::read_node_id(&read(&path)?);
    let node = node.map_err(|reason| Error::Malformed {
        path: path.clone(),
        reason,
    })?;
    if node != said.node {
        return Err(Error::Malformed {
            path,
            reason: format!("it is of the node {node}, the card says {}", said.node),
        });
    }
    let path = home.join(VALIDATOR_KEY);
    // CometBFT would make one that is nobody's, and forget what was signed last.
    if is_signed_elsewhere && !path.exists() {
        return Ok(());
    }
    let validator = keys::read_validator(&read(&path)?);
    let validator = validator.map_err(|reason| Error::Malformed {
        path: path.clone(),
        reason,
    })?;
    if validator.key != said.validator.0 {
        return Err(Error::Malformed {
            path,
            reason: "it isn't the validator's key that the card names".into(),
        });
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;
    use crate::testing::start;

    #[test]
    fn a_home_is_made_once_with_private_files_and_read_back() {
        let dir = tempfile::tempdir().unwrap();
        let home = dir.path().join("node");
        let key = LocalKey::from_seed(&[1; 32]).unwrap();
        let card = init(&home, &start("alice"), &key).unwrap();
        assert!(matches!(
            init(&home, &start("alice"), &key),
            Err(Error::Option { .. })
        ));
        let node = Node::open(&home).unwrap();
        assert_eq!((&node.card, node.others.len()), (&card, 0));
        for secret in ["priv_validator_key.json", "node_key.json"] {
            let meta = home.join("config").join(secret).metadata().unwrap();
            assert_eq!(meta.permissions().mode() & 0o777, 0o600, "{secret}");
        }
        assert!(matches!(node.genesis(), Err(Error::Io { .. })));
    }

    #[test]
    fn a_key_that_the_card_does_not_name_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let key = LocalKey::from_seed(&[1; 32]).unwrap();
        let homes = ["a", "b"].map(|name| dir.path().join(name));
        for home in &homes {
            init(home, &start("alice"), &key).unwrap();
        }
        for name in ["config/node_key.json", "config/priv_validator_key.json"] {
            let own = read(&homes[0].join(name)).unwrap();
            std::fs::copy(homes[1].join(name), homes[0].join(name)).unwrap();
            let refused = Node::open(&homes[0]).unwrap_err().to_string();
            assert!(refused.contains(name), "{refused}");
            write_atomic(&homes[0].join(name), own.as_bytes()).unwrap();
        }
        Node::open(&homes[0]).unwrap();
        // Without it the engine would make another one, and forget what was signed last; elsewhere it may be, if it is said so.
        std::fs::remove_file(homes[0].join("config/priv_validator_key.json")).unwrap();
        assert!(Node::open(&homes[0]).is_err());
        write_atomic(&homes[0].join(NODE_FILE), b"remote_signer = \"unix://s\"").unwrap();
        Node::open(&homes[0]).unwrap();
    }

    #[test]
    fn a_directory_with_any_part_of_a_node_is_not_written_over() {
        let dir = tempfile::tempdir().unwrap();
        let home = dir.path().join("node");
        let key = LocalKey::from_seed(&[1; 32]).unwrap();
        init(&home, &start("alice"), &key).unwrap();
        for name in [
            NODE_FILE,
            CARD_FILE,
            "config/priv_validator_key.json",
            "config/node_key.json",
        ] {
            std::fs::remove_file(home.join(name)).unwrap();
            assert!(check_empty(&home).is_err(), "{name}");
        }
        std::fs::remove_file(home.join("data/priv_validator_state.json")).unwrap();
        check_empty(&home).unwrap();
    }

    #[test]
    fn the_newest_card_of_each_other_operator_counts_and_says_who_may_come() {
        let dir = tempfile::tempdir().unwrap();
        let home = dir.path().join("node");
        let key = LocalKey::from_seed(&[1; 32]).unwrap();
        init(&home, &start("alice"), &key).unwrap();
        let other_home = dir.path().join("other");
        let other = LocalKey::from_seed(&[2; 32]).unwrap();
        let first = init(&other_home, &start("bob"), &other).unwrap();
        let moved = renew_card(&other_home, &other, Some("192.0.2.9:1"), None).unwrap();
        assert!(renew_card(&other_home, &key, None, None).is_err());
        for (name, card) in [("1", &moved), ("2", &first)] {
            let path = home.join(CARDS).join(format!("{name}.json"));
            write_atomic(&path, card.text().as_bytes()).unwrap();
        }
        let mut node = Node::open(&home).unwrap();
        assert_eq!(node.others, [moved]);
        node.settings.peers_from = vec!["198.51.100.0/24".into(), "2001:db8::1".into()];
        assert_eq!(
            node.peers_from(),
            ["192.0.2.9/32", "198.51.100.0/24", "2001:db8::1/128"]
        );
        let text = node.replica_file("unix://x", Profile::REGIONS).unwrap();
        let file: toml::Table = text.parse().unwrap();
        assert_eq!(file["peer_ids"].as_array().unwrap().len(), 1);
        assert_eq!(file["engine_rpc"].as_str(), Some("127.0.0.1:26657"));
        let rpcs = file["other_rpcs"].as_array().unwrap();
        assert_eq!(rpcs[0].as_str(), Some("192.0.2.1:26657"));
    }
}
