//! A network as a value: create, start, break, heal, stop

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Mutex;

use crate::binaries::Binaries;
use crate::homes::{Homes, is_board, operator_key};
use crate::links::Links;
use crate::network::{ListedReplica, Network, NetworkFile};
use crate::plan::{self, Programs};
use crate::ports::Ports;
use crate::socket::SocketDir;
use crate::solo::Solo;
use white_city_node::Error as NodeError;
use white_city_node::process::poll;
use white_city_node::rpc::{self, Health};
use white_city_node::supervisor::{Handle, Order, RunState, Snapshot};
use white_city_node::watch::Watch;
use white_city_node::{join_file, node_config};

use crate::{Application, Engine, Error, Options, Profile};

/// Time that a network may take until all its replicas work together.
const START: Duration = Duration::from_secs(120);

/// A local network of replicas, its directory locked by this process.
///
/// Needs a multi-threaded tokio runtime or one that is polled all the time: supervision runs in
/// tasks. Dropping it ends all its processes, by their guards, within a few seconds;
/// [`Testnet::stop`] waits for that.
#[derive(Debug)]
pub struct Testnet {
    homes: Homes,
    handles: Vec<Handle>,
    network: Arc<NetworkFile>,
    rpc_urls: Vec<String>,
    sockets: SocketDir,
    ports: Ports,
    /// Between the replicas, if they are slow.
    _links: Option<Links>,
    _watch: Option<Watch>,
    solo: Mutex<Option<Solo>>,
}

impl Testnet {
    /// Writes the homes of a new network. Nothing runs yet.
    ///
    /// # Errors
    /// [`NodeError::Option`], [`Error::StaleHome`] if there is a network already, [`NodeError::Locked`],
    /// [`NodeError::Tooling`] if CometBFT can't be had, [`NodeError::Io`] and the errors of the ports.
    pub async fn create(options: &Options) -> Result<Self, Error> {
        options.check()?;
        // First what takes long and may fail: nothing is left behind then.
        let programs = programs(options).await?;
        let ports = Ports::new(options.port_base, options.replicas + options.spares, None)?;
        Self::over(Homes::create(options, &ports)?, ports, options, &programs)
    }

    /// Continues the network in a directory, with its keys and data. Nothing runs yet.
    ///
    /// # Errors
    /// [`Error::StaleHome`] if it is incomplete, or not what `options` describe; otherwise as
    /// [`Testnet::create`].
    pub async fn open(options: &Options) -> Result<Self, Error> {
        let programs = programs(options).await?;
        let mut homes = Homes::open(options)?;
        let (count, last) = (homes.record.replicas, homes.record.port_base);
        let ports = Ports::new(options.port_base, count, last)?;
        homes.set_port_base(ports.base())?;
        Self::over(homes, ports, options, &programs)
    }

    fn over(
        homes: Homes,
        ports: Ports,
        options: &Options,
        programs: &Programs,
    ) -> Result<Self, Error> {
        let count = homes.record.replicas;
        let sockets = SocketDir::new(&homes.dir.join("run"), "control.sock".len())?;
        let rpc_urls: Vec<_> = (0..count).map(|k| ports.rpc_url(k)).collect();
        let replicas = rpc_urls.iter().enumerate();
        let replicas = replicas.map(|(k, rpc)| ListedReplica::stopped(k, rpc, homes.home(k)));
        let content = Network {
            version: 1,
            chain_id: homes.record.chain_id.clone(),
            genesis: homes.dir.join("genesis.json"),
            engine: homes.record.engine,
            launcher_pid: std::process::id(),
            replicas: replicas.collect(),
        };
        let network = Arc::new(NetworkFile::new(homes.dir.join("network.json"), content));
        let profile = options
            .profile
            .unwrap_or_else(|| Profile::for_links(options.link_delay));
        let is_delayed = homes.record.engine == Engine::Cometbft && !options.link_delay.is_zero();
        let links = is_delayed.then(|| Links::new(count, &ports, options.link_delay));
        let links = links.transpose()?;
        let handles = match homes.record.engine {
            Engine::Solo => Vec::new(),
            Engine::Cometbft => {
                plan::write_configs(&homes, &ports, links.as_ref(), &sockets, options, profile)?;
                let plan = |k| {
                    Handle::new(plan::plan(
                        &homes,
                        &sockets,
                        programs,
                        Arc::clone(&network),
                        k,
                    ))
                };
                (0..count).map(plan).collect()
            }
        };
        let holds = handles.iter().map(|handle| handle.hold.clone());
        let watched = holds.zip(&rpc_urls).enumerate();
        let watched = watched.map(|(k, (hold, url))| (hold, url, homes.home(k)));
        let watch = Watch::among(watched, options.stands_still)?;
        let solo = Mutex::new(None);
        Ok(Self {
            homes,
            handles,
            network,
            rpc_urls,
            sockets,
            ports,
            _links: links,
            _watch: watch,
            solo,
        })
    }

    /// Starts every replica that is stopped, and waits until all work together: caught up,
    /// connected to each other, and past the first block.
    ///
    /// # Errors
    /// [`NodeError::Halted`] if an application refuses to run, [`NodeError::Timeout`] after two minutes
    /// with what was seen last.
    pub async fn start_all(&self) -> Result<(), Error> {
        self.network.write()?;
        if self.homes.record.engine == Engine::Solo {
            let solo = Solo::start(&self.homes.home(0), self.ports.rpc(0)).await?;
            *self.solo.lock().await = Some(solo);
            return Ok(());
        }
        for index in self.stopped() {
            self.order(index, Order::Start).await?;
        }
        self.wait_ready(START).await
    }

    /// Starts every replica that is stopped and can be started, and waits until those work together; tells which can't, and why.
    ///
    /// # Errors
    /// What keeps the first one from it, if the others are too few to make blocks; and as [`Testnet::start_all`].
    pub async fn start_most(&self) -> Result<Vec<(usize, Error)>, Error> {
        if self.homes.record.engine == Engine::Solo {
            return self.start_all().await.map(|()| Vec::new());
        }
        self.network.write()?;
        let mut failed = Vec::new();
        for index in self.stopped() {
            if let Err(error) = self.order(index, Order::Start).await {
                failed.push((index, error));
            }
        }
        let all = self.replicas();
        let working: Vec<usize> = (0..all)
            .filter(|index| failed.iter().all(|(bad, _)| bad != index))
            .collect();
        if !is_board(working.len(), all) {
            let first = failed.into_iter().next();
            return Err(first.map_or(Error::Unsupported("there are no replicas"), |(_, e)| e));
        }
        self.wait_together(&working, START).await?;
        Ok(failed)
    }

    /// Those that aren't running, and aren't about to.
    fn stopped(&self) -> Vec<usize> {
        let handles = self.handles.iter().enumerate();
        let stopped =
            handles.filter(|(_, handle)| handle.hold.snapshot.borrow().state == RunState::Stopped);
        stopped.map(|(index, _)| index).collect()
    }

    /// Waits until all replicas work together.
    ///
    /// # Errors
    /// As [`Testnet::start_all`].
    pub async fn wait_ready(&self, within: Duration) -> Result<(), Error> {
        let all: Vec<usize> = (0..self.replicas()).collect();
        self.wait_together(&all, within).await
    }

    async fn wait_together(&self, working: &[usize], within: Duration) -> Result<(), Error> {
        let others = u64::try_from(working.len().saturating_sub(1)).unwrap_or(u64::MAX);
        for &index in working {
            let url = self.url(index)?;
            poll::<_, Error, _>(
                &format!("replica {index} to be ready"),
                within,
                || async move {
                    self.check_not_halted(index)?;
                    let health = match rpc::health(url).await {
                        Ok(health) => health,
                        Err(error) => return Ok(Err(error.to_string())),
                    };
                    let ready = !health.catching_up && health.peers >= others && health.height >= 1;
                    Ok(if ready {
                        Ok(())
                    } else {
                        Err(format!("{health:?}"))
                    })
                },
            )
            .await?;
        }
        Ok(())
    }

    fn check_not_halted(&self, index: usize) -> Result<(), Error> {
        match self
            .handles
            .get(index)
            .map(|handle| handle.hold.snapshot.borrow().state.clone())
        {
            Some(RunState::Halted(diagnosis)) => Err(Error::Node(NodeError::Halted {
                name: format!("replica {index}"),
                diagnosis,
            })),
            _ => Ok(()),
        }
    }

    /// Ends all replicas, all at once. The network can be started again.
    pub async fn stop_all(&self) {
        let mut ends = tokio::task::JoinSet::new();
        // Ending takes up to the grace period of a node and of its application.
        for handle in &self.handles {
            ends.spawn(handle.ending());
        }
        while ends.join_next().await.is_some() {}
        let solo = self.solo.lock().await.take();
        if let Some(solo) = solo
            && let Err(error) = solo.stop().await
        {
            tracing::error!("{error}");
        }
    }

    /// Ends everything and lets the directory go. A network in memory is removed.
    ///
    /// # Errors
    /// [`NodeError::Io`] if something could not be removed.
    pub async fn stop(self) -> Result<(), Error> {
        self.stop_all().await;
        white_city_node::files::remove(self.network.path())?;
        self.homes.forget_memory()
    }

    /// Number of replicas.
    #[must_use]
    pub fn replicas(&self) -> usize {
        self.rpc_urls.len()
    }

    /// The chain's name.
    #[must_use]
    pub fn chain_id(&self) -> &str {
        &self.homes.record.chain_id
    }

    /// Engine that makes the blocks.
    #[must_use]
    pub fn engine(&self) -> Engine {
        self.homes.record.engine
    }

    /// The board's parameters, and the charter that it began with.
    #[must_use]
    pub fn app_state(&self) -> &crate::AppState {
        &self.homes.genesis.app_state
    }

    /// The directory, absolute.
    #[must_use]
    pub fn dir(&self) -> &Path {
        &self.homes.dir
    }

    /// Addresses of the replicas' RPC, in order.
    #[must_use]
    pub fn rpc_urls(&self) -> &[String] {
        &self.rpc_urls
    }

    /// Path of `network.json`.
    #[must_use]
    pub fn network_file(&self) -> &Path {
        self.network.path()
    }

    /// Path of the launcher's control socket.
    pub(crate) fn control_socket(&self) -> PathBuf {
        self.sockets.path("control.sock")
    }

    /// The socket at which a replica's node listens for its remote signer, if
    /// [`Options::remote_signers`] names it.
    #[must_use]
    pub fn signer_socket(&self, index: usize) -> PathBuf {
        plan::signer_socket(&self.sockets, index)
    }

    /// A replica's home, with `app.log` and `node.log`.
    #[must_use]
    pub fn home(&self, index: usize) -> PathBuf {
        self.homes.home(index)
    }

    /// The file with the key of whoever operates a replica, which no replica needs.
    #[must_use]
    pub fn operator_key(&self, index: usize) -> PathBuf {
        operator_key(self.dir(), index)
    }

    async fn order(&self, index: usize, order: Order) -> Result<(), Error> {
        if self.homes.record.engine == Engine::Solo {
            return Err(Error::Unsupported(
                "the Solo engine has no replicas to break",
            ));
        }
        Ok(self.handle(index)?.hold.order(order).await?)
    }

    fn handle(&self, index: usize) -> Result<&Handle, Error> {
        let none = Error::NoReplica {
            index,
            count: self.replicas(),
        };
        self.handles.get(index).ok_or(none)
    }

    /// Starts a replica that was stopped or killed: its application, then its node. Returns when
    /// both run; [`Testnet::wait_height`] tells when it has caught up.
    ///
    /// # Errors
    /// [`NodeError::State`] if it runs, [`NodeError::Halted`] if its application refuses to.
    pub async fn start(&self, index: usize) -> Result<(), Error> {
        self.order(index, Order::Start).await
    }

    /// Kills a replica's application and node (SIGKILL). It stays down until it is started.
    ///
    /// # Errors
    /// [`Error::NoReplica`].
    pub async fn kill(&self, index: usize) -> Result<(), Error> {
        self.order(index, Order::Kill).await
    }

    /// Crashes a replica's application (SIGKILL); supervision restarts the replica.
    ///
    /// # Errors
    /// [`NodeError::State`] if it doesn't run.
    pub async fn kill_app(&self, index: usize) -> Result<(), Error> {
        self.order(index, Order::KillApp).await
    }

    /// Crashes a replica's node (SIGKILL); supervision restarts the replica.
    ///
    /// # Errors
    /// [`NodeError::State`] if it doesn't run.
    pub async fn kill_node(&self, index: usize) -> Result<(), Error> {
        self.order(index, Order::KillNode).await
    }

    /// Ends a replica in order (SIGTERM). It stays down until it is started.
    ///
    /// # Errors
    /// [`Error::NoReplica`].
    pub async fn end(&self, index: usize) -> Result<(), Error> {
        self.order(index, Order::End).await
    }

    /// Freezes a replica (SIGSTOP to both processes).
    ///
    /// # Errors
    /// [`NodeError::State`] if it doesn't run.
    pub async fn pause(&self, index: usize) -> Result<(), Error> {
        self.order(index, Order::Pause).await
    }

    /// Lets a frozen replica go on (SIGCONT).
    ///
    /// # Errors
    /// [`NodeError::State`] if it doesn't run.
    pub async fn resume(&self, index: usize) -> Result<(), Error> {
        self.order(index, Order::Resume).await
    }

    /// Deletes what a stopped replica has of the chain, but not its keys and what it signed last:
    /// when started it fetches everything from the others.
    ///
    /// # Errors
    /// [`NodeError::State`] if it isn't stopped.
    pub async fn wipe(&self, index: usize) -> Result<(), Error> {
        self.order(index, Order::Wipe).await
    }

    /// The longest time that [`Testnet::restore`] may take until the replica goes on: CometBFT waits two minutes for a snapshot that the others
    /// no longer have, before it takes the next one.
    pub const RESTORING: Duration = Duration::from_secs(600);

    /// Has a stopped replica lose what it has of the chain, as [`Testnet::wipe`], and start with a snapshot of the others' state, from
    /// which it goes on. The others that run are asked for a header to begin with, which is believed: they are this launcher's own.
    ///
    /// # Errors
    /// As [`Testnet::wipe`] and [`Testnet::start`]; [`Error::Unsupported`] with fewer than two others that answer.
    pub async fn restore(&self, index: usize) -> Result<(), Error> {
        let mut servers = Vec::new();
        let mut trusted = None;
        for other in (0..self.replicas()).filter(|other| *other != index) {
            let url = self.url(other)?;
            if let Ok(newest) = rpc::newest_header(url).await {
                servers.push(url);
                trusted = Some(newest);
            }
        }
        let Some((height, hash)) = trusted.filter(|_| servers.len() > 1) else {
            return Err(Error::Unsupported(
                "state sync needs two other replicas that run",
            ));
        };
        let home = self.home(index);
        let join = join_file::Join {
            servers: servers.iter().copied().map(String::from).collect(),
            height,
            hash,
            has_blocks: false,
        };
        self.wipe(index).await?;
        join_file::begin(&home, &join)?;
        node_config::use_snapshot(&home, &servers, height, &join.hash)?;
        self.start(index).await?;
        join_file::follow(home, self.url(index)?.to_owned());
        Ok(())
    }

    /// State of a replica's processes, as the launcher knows it. Solo has none, and runs in this one.
    ///
    /// # Errors
    /// [`Error::NoReplica`].
    pub fn snapshot(&self, index: usize) -> Result<Snapshot, Error> {
        if self.homes.record.engine == Engine::Solo {
            self.url(index)?;
            let state = RunState::Running;
            return Ok(Snapshot {
                state,
                app_pid: 0,
                node_pid: 0,
                restarts: 0,
                why: String::new(),
            });
        }
        Ok(self.handle(index)?.hold.snapshot.borrow().clone())
    }

    /// Hints of a replica about itself.
    ///
    /// # Errors
    /// [`Error::NoReplica`], [`NodeError::Rpc`].
    pub async fn health(&self, index: usize) -> Result<Health, Error> {
        Ok(rpc::health(self.url(index)?).await?)
    }

    /// A replica's latest height.
    ///
    /// # Errors
    /// As [`Testnet::health`].
    pub async fn height(&self, index: usize) -> Result<u64, Error> {
        Ok(self.health(index).await?.height)
    }

    /// The app hash in a replica's latest header, in upper-case hexadecimal. Replicas may be at
    /// different heights: compare them by [`Testnet::app_hash_at`].
    ///
    /// # Errors
    /// As [`Testnet::health`].
    pub async fn app_hash(&self, index: usize) -> Result<String, Error> {
        Ok(self.health(index).await?.app_hash)
    }

    /// The app hash in the header of one height, in upper-case hexadecimal.
    ///
    /// # Errors
    /// [`Error::NoReplica`]; [`NodeError::Rpc`] also if the replica doesn't have that block.
    pub async fn app_hash_at(&self, index: usize, height: u64) -> Result<String, Error> {
        Ok(rpc::app_hash_at(self.url(index)?, height).await?)
    }

    /// Waits until a replica has reached a height; returns where it is then.
    ///
    /// # Errors
    /// [`NodeError::Timeout`]; [`NodeError::Halted`] if it stopped for good.
    pub async fn wait_height(
        &self,
        index: usize,
        height: u64,
        within: Duration,
    ) -> Result<u64, Error> {
        let url = self.url(index)?;
        poll(
            &format!("replica {index} to reach height {height}"),
            within,
            || async move {
                self.check_not_halted(index)?;
                Ok(match rpc::health(url).await {
                    Ok(health) if health.height >= height => Ok(health.height),
                    Ok(health) => Err(format!("{health:?}")),
                    Err(error) => Err(error.to_string()),
                })
            },
        )
        .await
    }

    fn url(&self, index: usize) -> Result<&str, Error> {
        let none = Error::NoReplica {
            index,
            count: self.replicas(),
        };
        self.rpc_urls.get(index).map(String::as_str).ok_or(none)
    }
}

async fn programs(options: &Options) -> Result<Programs, Error> {
    if options.engine == Engine::Solo {
        // It starts no process.
        return Ok(Programs::default());
    }
    // The engine is built beside our own programs.
    let (binaries, node) = match Binaries::running() {
        Some(guard) => tokio::try_join!(Binaries::find(), async {
            Ok(white_city_node::cometbft::binary(&guard).await?)
        })?,
        None => {
            let binaries = Binaries::find().await?;
            let node = white_city_node::cometbft::binary(&binaries.guard()?).await?;
            (binaries, node)
        }
    };
    let guard = binaries.guard()?;
    Ok(Programs {
        node,
        replica: match (options.application, &options.replica_program) {
            (Application::Kvstore, _) => None,
            (Application::Replica, Some(program)) => Some(program.clone()),
            (Application::Replica, None) => Some(binaries.replica()?),
        },
        guard,
    })
}
