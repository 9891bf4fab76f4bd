//! The command line and what its commands do

mod demo;
mod up;

use std::io::Write as _;
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};
use serde_json::Value;
use white_city_testnet::binaries::Binaries;
use white_city_testnet::control::{Request, request};
use white_city_testnet::guard::GuardArgs;
use white_city_testnet::{Application, Engine, Error};

/// Exit codes of the program, for its help.
const EXIT_CODES: &str = "Exit codes:
  0  success
  1  it failed, for the reason that is on stderr
  2  wrong arguments";

/// A local network of White City replicas: started, broken and healed.
#[derive(Debug, Parser)]
#[command(name = "white-city-testnet", version, after_help = EXIT_CODES)]
pub struct Cli {
    /// The command.
    #[command(subcommand)]
    pub command: Command,
}

/// Commands of the program.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Start a network in the foreground; Ctrl-C ends it. A directory with a network is continued.
    Up(UpArgs),
    /// End the network of a directory.
    Down(DirArgs),
    /// Show how the replicas are.
    Status(StatusArgs),
    /// Kill a replica's processes; it stays down.
    Kill(ReplicaArgs),
    /// Start a replica that is down.
    Start(ReplicaArgs),
    /// Freeze a replica.
    Pause(ReplicaArgs),
    /// Let a frozen replica go on.
    Resume(ReplicaArgs),
    /// Delete a stopped replica's copy of the chain, but not its keys; also where no launcher runs.
    Wipe(ReplicaArgs),
    /// Wipe a stopped replica and start it with a snapshot of the others' state; it goes on from there.
    Restore(ReplicaArgs),
    /// Show everything once: replicas, parties, a shared key, a signature.
    Demo(demo::DemoArgs),
    /// Print the path of CometBFT; builds it if it isn't there yet.
    Cometbft,
    /// Runs one program and ends it when standard input closes.
    #[command(hide = true)]
    Guard(GuardArgs),
}

/// Options of `up`.
#[derive(Debug, Args)]
pub struct UpArgs {
    /// Directory of the network.
    #[arg(long)]
    pub dir: PathBuf,
    /// Number of replicas, 1 to 16 [default: 4, or those that are there; Solo is one].
    #[arg(long)]
    pub replicas: Option<usize>,
    /// Number of further homes, whose replicas follow the chain and are none of its validators: newcomers for later charters. For a
    /// new network only.
    #[arg(long, default_value_t = 0)]
    pub spares: usize,
    /// Blocks from one snapshot of the state to the next; 0: none are made.
    #[arg(long, value_name = "BLOCKS", default_value_t = 10_000)]
    pub snapshot_blocks: u64,
    /// Blocks that nodes keep, once there is a newer snapshot; 0: all.
    #[arg(long, value_name = "BLOCKS", default_value_t = 100_000)]
    pub keep_blocks: u64,
    /// The network's name [default: drawn].
    #[arg(long)]
    pub chain_id: Option<String>,
    /// An identity key with a quota of its own for sessions, 64 hexadecimal digits; may be given several times, for a new network
    /// only, as it is part of the genesis.
    #[arg(long, value_name = "KEY")]
    pub opener: Vec<String>,
    /// First of three ports per replica [default: free ones].
    #[arg(long)]
    pub port_base: Option<u16>,
    /// Keep the homes in memory: faster, and gone when the network ends.
    #[arg(long)]
    pub tmpfs: bool,
    /// Time that every byte between two replicas takes, in each direction, in milliseconds.
    #[arg(long, value_name = "MS", default_value_t = 0)]
    pub link_delay: u64,
    /// Engine that makes the blocks: cometbft or solo.
    #[arg(long, default_value = "cometbft")]
    pub engine: Engine,
    /// Application behind CometBFT: replica, or kvstore to try the launcher by itself.
    #[arg(long, default_value = "replica", hide = true)]
    pub application: Application,
    /// A program to run instead of white-city-replica, with the same arguments, for tests of
    /// hostile replicas.
    #[arg(long, value_name = "PROGRAM")]
    pub replica_program: Option<PathBuf>,
    /// A replica whose node asks a remote signer at DIR/run/signK.sock instead of its key file,
    /// and waits for it; may be given several times.
    #[arg(long, value_name = "K")]
    pub remote_signer: Vec<usize>,
}

/// The directory of a running network.
#[derive(Debug, Args)]
pub struct DirArgs {
    /// Directory of the network.
    #[arg(long)]
    pub dir: PathBuf,
}

/// Options of `status`.
#[derive(Debug, Args)]
pub struct StatusArgs {
    /// Directory of the network.
    #[arg(long)]
    pub dir: PathBuf,
    /// One JSON object instead of a table.
    #[arg(long)]
    pub json: bool,
}

/// One replica of a running network.
#[derive(Debug, Args)]
pub struct ReplicaArgs {
    /// Its number, from 0.
    pub replica: usize,
    /// Directory of the network.
    #[arg(long)]
    pub dir: PathBuf,
}

/// Runs a command to its end.
pub async fn run(command: Command) -> Result<(), Error> {
    match command {
        Command::Up(args) => up::run(args).await,
        Command::Demo(args) => demo::run(args).await,
        Command::Down(args) => request(&args.dir, Request::Down).await.map(drop),
        Command::Status(args) => status(&args).await,
        Command::Kill(args) => order(&args, |replica| Request::Kill { replica }).await,
        Command::Start(args) => order(&args, |replica| Request::Start { replica }).await,
        Command::Pause(args) => order(&args, |replica| Request::Pause { replica }).await,
        Command::Resume(args) => order(&args, |replica| Request::Resume { replica }).await,
        Command::Wipe(args) => wipe(&args).await,
        Command::Restore(args) => order(&args, |replica| Request::Restore { replica }).await,
        Command::Cometbft => {
            // This program is its own guard.
            let guard =
                Binaries::running().ok_or(Error::Unsupported("a launcher by another name"))?;
            let path = white_city_testnet::cometbft::binary(&guard).await?;
            print(&format!("{}\n", path.display()))
        }
        Command::Guard(_) => Err(Error::Unsupported("the guard runs by itself")),
    }
}

async fn order(args: &ReplicaArgs, make: impl Fn(usize) -> Request) -> Result<(), Error> {
    request(&args.dir, make(args.replica)).await.map(drop)
}

/// Wipes a replica, whether a launcher runs or not.
async fn wipe(args: &ReplicaArgs) -> Result<(), Error> {
    let replica = args.replica;
    match request(&args.dir, Request::Wipe { replica }).await {
        Err(Error::NoLauncher { .. }) => white_city_testnet::wipe_stopped(&args.dir, replica),
        other => other.map(drop),
    }
}

async fn status(args: &StatusArgs) -> Result<(), Error> {
    let status = request(&args.dir, Request::Status).await?;
    print(&match args.json {
        true => format!("{status}\n"),
        false => table(&status),
    })
}

/// Prints a result. One that nobody can read is no success, and no panic.
fn print(text: &str) -> Result<(), Error> {
    let mut stdout = std::io::stdout().lock();
    let printed = stdout.write_all(text.as_bytes());
    let printed = printed.and_then(|()| stdout.flush());
    printed.map_err(|error| Error::Refused(format!("the result could not be printed: {error}")))
}

/// A table of the replicas for people.
pub fn table(status: &Value) -> String {
    let mut text = format!(
        "{:<3} {:<11} {:>8} {:>5} {:<9} {:>8} {:>8}  {:<16}  rpc\n",
        "#", "state", "height", "peers", "caught up", "app", "node", "app hash"
    );
    let replicas = status.get("replicas").and_then(Value::as_array);
    for replica in replicas.into_iter().flatten() {
        let shown = |key: &str| match replica.get(key) {
            None | Some(Value::Null) => "-".to_owned(),
            Some(Value::String(text)) => text.clone(),
            Some(other) => other.to_string(),
        };
        let caught_up = match replica.get("catching_up").and_then(Value::as_bool) {
            // One block may be on its way to everybody.
            Some(false) if replica.get("behind").and_then(Value::as_u64) <= Some(1) => "yes",
            Some(_) => "no",
            None => "-",
        };
        let hash: String = shown("app_hash").chars().take(16).collect();
        text += &format!(
            "{:<3} {:<11} {:>8} {:>5} {:<9} {:>8} {:>8}  {hash:<16}  {}\n",
            shown("index"),
            shown("state"),
            shown("height"),
            shown("peers"),
            caught_up,
            shown("app_pid"),
            shown("node_pid"),
            shown("rpc"),
        );
    }
    for replica in replicas.into_iter().flatten() {
        let (index, why) = (replica.get("index"), replica.get("why"));
        if let (Some(index), Some(why)) = (index, why.and_then(Value::as_str)) {
            text += &format!("replica {index}: {why}\n");
        }
    }
    text
}
