//! A node that runs: its two programs under supervision, until it is told to end

use std::convert::Infallible;
use std::path::PathBuf;
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::task::JoinSet;
use tokio::time::sleep;
use white_city_explorer::{Explorer, Replica};
use white_city_wire::{Charter, Network};

use crate::card::Card;
use crate::files::is_executable;
use crate::node::Node;
use crate::process::this_program;
use crate::rpc::{self, Status};
use crate::settings::{NODE_FILE, local};
use crate::supervisor::{self, APP_LOG, ENGINE_LOG, Handle, Order, Pids, Plan, RunState};
use crate::watch::{Watch, Watched};
use crate::{Error, cometbft, join_file, joining, logs};

/// Pause between two looks at the logs' sizes.
const LOGS: Duration = Duration::from_secs(10);
/// Pause between two looks at who is in the charter.
const CHARTER: Duration = Duration::from_secs(600);
/// Time that a replica may take to read its store: it may have much to read, after years.
const APP_READY: Duration = Duration::from_secs(1_800);
/// The replica's program, beside this one.
const REPLICA: &str = "white-city-replica";
/// The explorer's verifier, likewise.
const VERIFIER: &str = "white_city_wasm.wasm";

/// The programs of a node.
#[derive(Debug)]
pub struct Programs {
    /// This program, which has the guard in it.
    pub guard: PathBuf,
    /// CometBFT.
    pub engine: PathBuf,
    /// The replica.
    pub replica: PathBuf,
}

impl Programs {
    /// Finds the programs that a node is to run.
    ///
    /// # Errors
    /// [`Error::Program`] names the one that isn't there; [`Error::Tooling`] if the engine can't be built.
    pub async fn find(node: &Node) -> Result<Self, Error> {
        let guard = this_program()?;
        let named = |key: &str, chosen: &str, default: Option<PathBuf>| {
            let path = match chosen {
                "" => default,
                path => Some(node.home.join(path)),
            };
            match path {
                Some(path) if is_executable(&path) => Ok(path),
                Some(path) => Err(Error::Program {
                    program: path.display().to_string(),
                    reason: format!("it can't be run; `{key}` in node.toml names another one"),
                }),
                None => Err(Error::Program {
                    program: key.into(),
                    reason: "it isn't anywhere".into(),
                }),
            }
        };
        let beside = guard.parent().map(|dir| dir.join(REPLICA));
        let replica = named("replica", &node.settings.replica, beside)?;
        let engine = match node.settings.engine.as_str() {
            "" => cometbft::binary(&guard).await?,
            chosen => named("engine", chosen, None)?,
        };
        Ok(Self {
            guard,
            engine,
            replica,
        })
    }
}

/// The files and command lines with which a node's programs are started.
///
/// # Errors
/// [`Error::Option`] if the path of the home is too long for a socket.
pub fn plan(node: &Node, programs: &Programs) -> Result<Plan, Error> {
    let home = &node.home;
    let (app, engine) = supervisor::pair(
        home,
        &programs.guard,
        Some(&programs.replica),
        &programs.engine,
    );
    let signer = node.settings.remote_signer.strip_prefix("unix://");
    Ok(Plan {
        name: node.card.says().name.clone(),
        bad: None,
        home: home.clone(),
        app: app.zip(Some(node.socket()?)),
        signer: signer.map(|signer| home.join(signer)),
        node: engine,
        app_ready: APP_READY,
        pids: Pids(Box::new(|_, _| {})),
    })
}

/// Runs a node until `stop` completes or it can't go on.
///
/// # Errors
/// [`Error::Halted`] if it would end again at once; what keeps it from starting.
pub async fn run(
    node: &Node,
    network: &Network,
    programs: &Programs,
    stop: impl Future<Output = &'static str>,
) -> Result<(), Error> {
    node.write_configs(network)?;
    joining::prepare(node)?;
    let handle = Handle::new(plan(node, programs)?);
    let explorer = explorer(node).await;
    // A page is no reason for a validator not to run.
    let _explorer = explorer.unwrap_or_else(|error| {
        tracing::error!("no explorer: {error}");
        None
    });
    tokio::pin!(stop);
    let result = tokio::select! {
        result = supervise(node, &handle) => result,
        Err(error) = compare(node, network, &handle) => Err(error),
        why = &mut stop => {
            tracing::info!("{why}: ending");
            Ok(())
        }
    };
    handle.ending().await;
    result
}

async fn supervise(node: &Node, handle: &Handle) -> Result<(), Error> {
    handle.hold.order(Order::Start).await?;
    let said = node.card.says();
    tracing::info!(
        "{} runs: p2p {}, RPC {}",
        said.name,
        node.settings.p2p,
        node.settings.rpc
    );
    let mut state = handle.hold.snapshot.clone();
    let mut looks = tokio::time::interval(LOGS);
    loop {
        tokio::select! {
            _ = looks.tick() => {
                for log in [APP_LOG, ENGINE_LOG] {
                    let settings = &node.settings;
                    let aside = logs::put_aside(&node.home.join(log), settings.log_bytes, settings.log_files);
                    if let Err(error) = aside {
                        tracing::warn!("{error}");
                    }
                }
                joining::forget(node).await;
            }
            changed = state.changed() => {
                if changed.is_err() {
                    return Err(Error::Gone(said.name.clone()));
                }
                if let RunState::Halted(diagnosis) = &state.borrow_and_update().state {
                    return Err(Error::Halted {
                        name: said.name.clone(),
                        diagnosis: diagnosis.clone(),
                    });
                }
            }
        }
    }
}

/// The explorer, where the operator wants it; it ends by being dropped.
async fn explorer(node: &Node) -> Result<Option<JoinSet<()>>, Error> {
    let settings = &node.settings;
    if settings.explorer.is_empty() {
        return Ok(None);
    }
    let verifier = match settings.explorer_verifier.as_str() {
        "" => this_program()?.with_file_name(VERIFIER),
        chosen => node.home.join(chosen),
    };
    let wasm = std::fs::read(&verifier).map_err(Error::io("read", &verifier))?;
    let said = node.card.says();
    let others = node.others.iter().map(Card::says);
    let others = others.map(|said| (said.name.as_str(), said.rpc.clone()));
    let all = std::iter::once((said.name.as_str(), own_rpc(node))).chain(others);
    let malformed = |reason: String| Error::Malformed {
        path: NODE_FILE.into(),
        reason: format!("explorer: {reason}"),
    };
    let replicas = all.filter(|(_, url)| !url.is_empty());
    let replicas = replicas.map(|(name, url)| format!("{name}={url}").parse::<Replica>());
    let replicas: Result<Vec<Replica>, _> = replicas.collect();
    let replicas = replicas.map_err(|error| malformed(error.to_string()))?;
    let explorer = Explorer::new(replicas, wasm).map_err(|error| malformed(error.to_string()))?;
    let listener = TcpListener::bind(&settings.explorer).await;
    let listener =
        listener.map_err(|error| malformed(format!("{}: {error}", settings.explorer)))?;
    tracing::info!("the explorer is at http://{}/", settings.explorer);
    let mut serving = JoinSet::new();
    serving.spawn(explorer.serve(listener));
    Ok(Some(serving))
}

/// Restarts the engine when it stands still while f + 1 others go on, of those that the charter in force lists.
async fn compare(node: &Node, network: &Network, handle: &Handle) -> Result<Infallible, Error> {
    let mut charter = Charter::clone(&network.charter);
    loop {
        let _watch = watch(node, &charter, handle)?;
        charter = with_others(node, &charter).await;
    }
}

/// Waits until a charter with other replicas than this one's is in force.
async fn with_others(node: &Node, charter: &Charter) -> Charter {
    loop {
        match joining::verified(node).await {
            Ok(board) if board.charter.replicas != charter.replicas => return board.charter,
            Ok(_) => {}
            // The others may be down, too: those that were known last are compared with.
            Err(error) => tracing::debug!("who is in the charter isn't known: {error}"),
        }
        sleep(CHARTER).await;
    }
}

/// Watches how this node gets on beside the others that are in a charter.
fn watch(node: &Node, charter: &Charter, handle: &Handle) -> Result<Option<Watch>, Error> {
    let own = Status::of(&own_rpc(node))?;
    let mut all = vec![Watched {
        hold: Some(handle.hold.clone()),
        status: own,
        joining: Some(join_file::path(&node.home)),
    }];
    // Newcomers are too easily made: of the operators at most f lie.
    let is_listed = |card: &&Card| charter.is_operator(&card.says().operator);
    for card in node.others.iter().filter(is_listed) {
        let url = &card.says().rpc;
        match Status::of(url) {
            Ok(status) => all.push(Watched {
                hold: None,
                status,
                joining: None,
            }),
            Err(_) if url.is_empty() => {}
            Err(error) => tracing::warn!("{}: {error}", card.says().name),
        }
    }
    let needed = usize::from(charter.faults()) + 1;
    if all.len() <= needed {
        tracing::info!(
            "too few of the other nodes have an RPC on their cards: nobody is compared with"
        );
        return Ok(None);
    }
    let still = Duration::from_secs(node.settings.stands_still_seconds);
    Ok(Some(Watch::start(all, still, needed)))
}

/// Address at which this machine reaches a node's RPC.
#[must_use]
pub fn own_rpc(node: &Node) -> String {
    format!("http://{}", local(node.settings.rpc))
}

/// How a node that runs here is, in words; it is asked at its RPC.
///
/// # Errors
/// [`Error::Rpc`] if it doesn't answer.
pub async fn health(node: &Node) -> Result<rpc::Health, Error> {
    rpc::health(&own_rpc(node)).await
}
