//! The plan of each replica's start: its node's settings and card, and its two command lines

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use crate::Application;
use crate::Error;
use crate::Options;
use crate::Profile;
use crate::homes::Homes;
use crate::links::Links;
use crate::network::NetworkFile;
use crate::ports::Ports;
use crate::socket::SocketDir;
use white_city_node::files::write_atomic;
use white_city_node::node::{self, Node};
use white_city_node::node_config::NodeConfig;
use white_city_node::settings::{self, NODE_FILE};
use white_city_node::supervisor::{Pids, Plan, pair};
use white_city_node::{join_file, sharing};

/// The programs of a network.
#[derive(Debug, Default)]
pub(crate) struct Programs {
    pub(crate) guard: PathBuf,
    pub(crate) node: PathBuf,
    /// `None` where the application is built into the node.
    pub(crate) replica: Option<PathBuf>,
}

fn socket(sockets: &SocketDir, index: usize) -> PathBuf {
    sockets.path(&format!("app{index}.sock"))
}

/// Socket on which a node listens for its remote signer.
pub(crate) fn signer_socket(sockets: &SocketDir, index: usize) -> PathBuf {
    sockets.path(&format!("sign{index}.sock"))
}

/// Time that a replica may take until it accepts connections: it may have much to read.
const APP_READY: Duration = Duration::from_secs(60);
/// An eighth of the default: all replicas have the processor of one machine.
const DIRECT_BYTES_PER_SECOND: u32 = 1 << 20;

/// Moves every node to the ports of this start, and writes its configuration for them.
pub(crate) fn write_configs(
    homes: &Homes,
    ports: &Ports,
    links: Option<&Links>,
    sockets: &SocketDir,
    options: &Options,
    profile: Profile,
) -> Result<(), Error> {
    let mut cards = Vec::new();
    for index in homes.good() {
        let home = homes.home(index);
        let text = settings(index, ports, sockets, options, profile)?;
        write_atomic(&home.join(NODE_FILE), text.as_bytes())?;
        let dialled = links.and_then(|links| links.port(index));
        let dialled = format!("127.0.0.1:{}", dialled.unwrap_or(ports.p2p(index)));
        let (card, rpc) = (node::own_card(&home)?, ports.rpc_url(index));
        let has_moved = (&card.says().p2p, &card.says().rpc) != (&dialled, &rpc);
        cards.push(match has_moved {
            true => node::renew_card(&home, &homes.operator(index)?, Some(&dialled), Some(&rpc))?,
            false => card,
        });
    }
    for index in homes.good() {
        let home = homes.home(index);
        // The configuration that follows knows nothing of a snapshot.
        join_file::give_up(&home)?;
        let own = node::own_card(&home)?;
        for card in cards.iter().filter(|card| **card != own) {
            sharing::keep_card(&home, card)?;
        }
        let node = Node::open(&home)?;
        let params = &homes.genesis.app_state.params;
        let config = node.engine_config(params, &socket(sockets, index));
        node.write(&NodeConfig {
            profile,
            proxy_app: match homes.record.application {
                Application::Replica => config.proxy_app.clone(),
                Application::Kvstore => "persistent_kvstore".into(),
            },
            ..config
        })?;
    }
    Ok(())
}

/// `node.toml` of a node that shares its machine with the others.
fn settings(
    index: usize,
    ports: &Ports,
    sockets: &SocketDir,
    options: &Options,
    profile: Profile,
) -> Result<String, Error> {
    let here = |port: u16| toml::Value::from(format!("127.0.0.1:{port}"));
    let number = |value: u64| toml::Value::from(i64::try_from(value).unwrap_or(i64::MAX));
    let signer = match options.remote_signers.contains(&index) {
        true => format!("unix://{}", signer_socket(sockets, index).display()),
        false => String::new(),
    };
    let distance = match profile == Profile::REGIONS {
        true => "regions",
        false => "data-centre",
    };
    let replica = match &options.replica_program {
        Some(program) => std::path::absolute(program).map_err(Error::io("find", program))?,
        None => PathBuf::new(),
    };
    let text = settings::render(&[
        ("replica", replica.display().to_string().into()),
        ("p2p", here(ports.p2p(index))),
        ("rpc", here(ports.rpc(index))),
        ("direct", here(0)),
        ("health", here(ports.health(index))),
        ("profile", distance.into()),
        ("remote_signer", signer.into()),
        ("snapshot_blocks", number(options.snapshot_blocks)),
        ("keep_blocks", number(options.keep_blocks)),
        ("log_format", "text".into()),
        ("one_machine", true.into()),
    ])?;
    // The keys of the replica are the last section.
    Ok(text + &format!("direct_bytes_per_second = {DIRECT_BYTES_PER_SECOND}\n"))
}

/// The files and command lines with which a replica is started.
pub(crate) fn plan(
    homes: &Homes,
    sockets: &SocketDir,
    programs: &Programs,
    network: Arc<NetworkFile>,
    index: usize,
) -> Plan {
    let home = homes.home(index);
    let (app, node) = pair(
        &home,
        &programs.guard,
        programs.replica.as_ref(),
        &programs.node,
    );
    Plan {
        name: format!("replica {index}"),
        bad: homes.bad.get(index).cloned().flatten(),
        home,
        app: app.map(|app| (app, socket(sockets, index))),
        signer: Some(signer_socket(sockets, index)),
        node,
        app_ready: APP_READY,
        pids: Pids(Box::new(move |app, node| {
            if let Err(error) = network.set_pids(index, app, node) {
                tracing::error!("{error}");
            }
        })),
    }
}
