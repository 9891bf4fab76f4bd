//! The plan of each replica's start: its configuration files and its two command lines

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
use white_city_node::join_file;
use white_city_node::node_config::{self, NodeConfig};
use white_city_node::supervisor::{Pids, Plan, pair};

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

/// Writes every replica's configuration for the ports and sockets of this start.
pub(crate) fn write_configs(
    homes: &Homes,
    ports: &Ports,
    links: Option<&Links>,
    sockets: &SocketDir,
    options: &Options,
    profile: Profile,
) -> Result<(), Error> {
    let remote_signers = &options.remote_signers;
    let port = |k| {
        links
            .and_then(|links| links.port(k))
            .unwrap_or(ports.p2p(k))
    };
    let peer = |k: usize, id: &String| format!("{id}@127.0.0.1:{}", port(k));
    for index in 0..homes.record.replicas {
        let home = homes.home(index);
        if matches!(homes.node_ids.get(index), Some(Err(_))) {
            // Nothing is written into a home that isn't this replica's.
            continue;
        }
        // The configuration that follows knows nothing of a snapshot.
        join_file::give_up(&home)?;
        let known = homes.node_ids.iter().enumerate();
        let others: Vec<(usize, &String)> = known
            .filter(|(k, _)| *k != index)
            .filter_map(|(k, id)| Some((k, id.as_ref().ok()?)))
            .collect();
        let joined = |of: &dyn Fn(usize, &String) -> String| {
            let all: Vec<String> = others.iter().map(|(k, id)| of(*k, id)).collect();
            all.join(",")
        };
        let address = format!("unix://{}", socket(sockets, index).display());
        let config = NodeConfig {
            moniker: format!("replica{index}"),
            proxy_app: match homes.record.application {
                Application::Replica => address.clone(),
                Application::Kvstore => "persistent_kvstore".into(),
            },
            signer: if remote_signers.contains(&index) {
                format!("unix://{}", signer_socket(sockets, index).display())
            } else {
                String::new()
            },
            rpc: format!("127.0.0.1:{}", ports.rpc(index)),
            p2p: format!("127.0.0.1:{}", ports.p2p(index)),
            persistent_peers: joined(&peer),
            peer_ids: joined(&|_, id| id.clone()),
            profile,
            heartbeat_ms: homes.genesis.app_state.params.heartbeat_ms,
            max_tx_bytes: homes.genesis.app_state.params.max_tx,
            filter_peers: false,
            json_log: false,
            one_machine: true,
        };
        let text = node_config::render(&config)?;
        write_atomic(&home.join("config/config.toml"), text.as_bytes())?;
        let text = replica_config(&address, ports.rpc(index), ports.health(index))
            + &profile.replica_lines()
            + &snapshot_lines(options, ports, others.iter().map(|(other, _)| *other));
        write_atomic(&home.join("app/replica.toml"), text.as_bytes())?;
    }
    Ok(())
}

/// Time that a replica may take until it accepts connections: it may have much to read.
const APP_READY: Duration = Duration::from_secs(60);
/// An eighth of the default: all replicas have the processor of one machine.
const DIRECT_BYTES_PER_SECOND: u32 = 1 << 20;

/// `replica.toml`; what its keys mean is said in `config/replica.toml`.
fn replica_config(address: &str, rpc_port: u16, health_port: u16) -> String {
    format!(
        "# Written by white-city-testnet at every start: changes made here are lost.\n\
         listen = {}\nengine_rpc = \"127.0.0.1:{rpc_port}\"\ndirect_address = \"127.0.0.1:0\"\nhealth_address = \"127.0.0.1:{health_port}\"\nstore = \"board.redb\"\nlog = \"info\"\nlog_format = \"text\"\n\
         direct_bytes_per_second = {DIRECT_BYTES_PER_SECOND}\n",
        toml::Value::String(address.into())
    )
}

/// What `replica.toml` says of snapshots, with the others that a restored replica can ask.
fn snapshot_lines(options: &Options, ports: &Ports, others: impl Iterator<Item = usize>) -> String {
    let rpcs = others.map(|other| format!("\"127.0.0.1:{}\"", ports.rpc(other)));
    let rpcs: Vec<String> = rpcs.collect();
    format!(
        "snapshot_blocks = {}\nkeep_blocks = {}\ngenesis = \"../config/genesis.json\"\nother_rpcs = [{}]\n",
        options.snapshot_blocks,
        options.keep_blocks,
        rpcs.join(", ")
    )
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
        bad: homes
            .node_ids
            .get(index)
            .and_then(|id| id.as_ref().err())
            .cloned(),
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_replica_is_told_its_socket_whatever_the_path_contains() {
        let text = replica_config("unix:///a \"b\"\\c.sock", 7, 8);
        let parsed: toml::Table = text.parse().unwrap();
        assert_eq!(parsed["listen"].as_str(), Some("unix:///a \"b\"\\c.sock"));
        assert_eq!(parsed["store"].as_str(), Some("board.redb"));
    }
}
