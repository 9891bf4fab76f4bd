//! What the commands do

mod ceremony;

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use serde_json::json;
use white_city_client::LocalKey;
use white_city_client::vault::Unlock;
use white_city_node::files::{private_dir, remove};
use white_city_node::home::{self, LAST_SIGNED};
use white_city_node::node::{self, GENESIS_FILE, Node, OPERATOR_KEY, Start};
use white_city_node::process::{Exit, Program, interrupted, this_program};
use white_city_node::running::{self, Programs};
use white_city_node::{Error, backup, cometbft, doctor, fit, joining, sharing};

use crate::args::{CardArgs, Cli, Command, InitArgs, OperatorArgs};

/// CometBFT's stores that it can compact.
const STORES: [&str; 2] = ["blockstore.db", "state.db"];

/// Exit code where something was looked for and found.
const FOUND: u8 = 4;

/// Runs a command.
pub async fn run(cli: Cli) -> Result<ExitCode, Error> {
    let home = cli.home.as_path();
    match cli.command {
        Command::Init(args) => init(home, &args)?,
        Command::Card(args) => card(home, &args)?,
        Command::Share => print(&sharing::share(home)?)?,
        Command::Take { newcomers, files } => {
            for path in &files {
                print(&sharing::take(home, path, newcomers)?)?;
            }
        }
        Command::Genesis(command) => return ceremony::run(home, command),
        Command::Start => start(home).await?,
        Command::Status { json } => status(home, json).await?,
        Command::Doctor { json } => return examine(home, json).await,
        Command::Join => join(home).await?,
        Command::Backup { to } => {
            let height = match Node::open(home) {
                Ok(node) => running::health(&node)
                    .await
                    .ok()
                    .map(|health| health.height),
                Err(_) => None,
            };
            let about = backup::make(home, &to, height)?;
            print(&format!("{}\n", told(&about)))?;
        }
        Command::Restore { from } => {
            let about = backup::restore(home, &from)?;
            print(&format!(
                "{}\nNext: `white-city-node --home {} join`, then `start`.\n",
                told(&about),
                home.display()
            ))?;
        }
        Command::Compact => compact(home).await?,
        Command::Engine => {
            let guard = this_program()?;
            print(&format!("{}\n", cometbft::binary(&guard).await?.display()))?;
        }
        Command::Guard(_) => {}
    }
    Ok(ExitCode::SUCCESS)
}

/// Prints a result.
pub fn print(text: &str) -> Result<(), Error> {
    let mut out = std::io::stdout().lock();
    let written = out.write_all(text.as_bytes()).and_then(|()| out.flush());
    written.map_err(Error::io("write", Path::new("standard output")))
}

fn told(about: &backup::About) -> String {
    let height = match about.height {
        Some(height) => format!("at height {height}"),
        None => "while its node didn't answer".into(),
    };
    format!(
        "{}, {} files, made {} {height}. The chain isn't in it, nor what the validator signed last.",
        about.name,
        about.files.len(),
        about.made
    )
}

fn init(home: &Path, args: &InitArgs) -> Result<(), Error> {
    let start = Start {
        name: args.name.clone(),
        dialled: args.p2p.clone(),
        rpc_url: args.rpc_url.clone(),
        p2p: args.listen_p2p,
        rpc: args.listen_rpc,
        direct: args.direct.clone(),
    };
    // Before there is a key that a second try would find.
    start.check()?;
    node::check_empty(home)?;
    private_dir(home)?;
    let operator = match &args.operator.operator {
        Some(_) => operator(home, &args.operator)?,
        None => {
            let path = home.join(OPERATOR_KEY);
            let made = LocalKey::create_plain(&path);
            made.map_err(|error| bad_key(&path, &error))?
        }
    };
    let card = node::init(home, &start, &operator)?;
    print(&card.text())?;
    if args.operator.operator.is_none() {
        tracing::warn!(
            "{} is the operator's key, unencrypted: no running node needs it. Keep a copy elsewhere, and take it off this machine \
             after the ceremony",
            home.join(OPERATOR_KEY).display()
        );
    }
    Ok(())
}

fn card(home: &Path, args: &CardArgs) -> Result<(), Error> {
    if args.p2p.is_none() && args.rpc_url.is_none() {
        return print(&node::own_card(home)?.text());
    }
    let key = operator(home, &args.operator)?;
    let (p2p, rpc_url) = (args.p2p.as_deref(), args.rpc_url.as_deref());
    print(&node::renew_card(home, &key, p2p, rpc_url)?.text())
}

/// The operator's key, opened.
pub fn operator(home: &Path, args: &OperatorArgs) -> Result<LocalKey, Error> {
    let default = || home.join(OPERATOR_KEY);
    let path = args.operator.clone().unwrap_or_else(default);
    let unlock = match (&args.passphrase_file, &args.key_file) {
        (Some(file), _) => Some(Unlock::passphrase_file(file)),
        (None, Some(file)) => Some(Unlock::key_file(file)),
        (None, None) => None,
    };
    let unlock = unlock.transpose().map_err(|error| bad_key(&path, &error))?;
    LocalKey::load(&path, unlock.as_ref()).map_err(|error| bad_key(&path, &error))
}

fn bad_key(path: &Path, error: &dyn std::fmt::Display) -> Error {
    Error::Malformed {
        path: path.to_owned(),
        reason: error.to_string(),
    }
}

async fn start(home: &Path) -> Result<(), Error> {
    let stop = interrupted()?;
    let node = Node::open(home)?;
    let _lock = home::lock(&node.home)?;
    let network = node.genesis()?;
    for misfit in fit::misfits(&node, &network)? {
        tracing::warn!("{misfit}");
    }
    if node.settings.remote_signer.is_empty() && !node.home.join(LAST_SIGNED).exists() {
        return Err(Error::Unverified(format!(
            "{} is missing, so what this validator signed last isn't known: `white-city-node --home {} join` first",
            LAST_SIGNED,
            node.home.display()
        )));
    }
    if !node.settings.remote_signer.is_empty() {
        // What is signed elsewhere isn't known here: to sign here again takes `join`.
        remove(&node.home.join(LAST_SIGNED))?;
    }
    let programs = Programs::find(&node).await?;
    running::run(&node, &network, &programs, stop).await
}

async fn status(home: &Path, as_json: bool) -> Result<(), Error> {
    let node = Node::open(home)?;
    let health = running::health(&node).await?;
    let name = &node.card.says().name;
    let others = node.others.len();
    if as_json {
        let json = json!({
            "name": name,
            "height": health.height,
            "app_hash": health.app_hash,
            "catching_up": health.catching_up,
            "peers": health.peers,
            "others": others,
        });
        return print(&format!("{json}\n"));
    }
    let catching_up = if health.catching_up {
        ", catching up"
    } else {
        ""
    };
    print(&format!(
        "{name}: height {}{catching_up}, {} of {others} peers\n",
        health.height, health.peers
    ))
}

async fn examine(home: &Path, as_json: bool) -> Result<ExitCode, Error> {
    let node = Node::open(home)?;
    let findings = doctor::examine(&node).await;
    for finding in &findings {
        let (is_fine, text) = match &finding.found {
            Ok(text) => (true, text),
            Err(text) => (false, text),
        };
        if as_json {
            let json = json!({ "what": finding.what, "is_fine": is_fine, "found": text });
            print(&format!("{json}\n"))?;
        } else {
            let mark = if is_fine { "ok  " } else { "BAD " };
            print(&format!("{mark} {}: {text}\n", finding.what))?;
        }
    }
    let is_fine = findings.iter().all(|finding| finding.found.is_ok());
    Ok(ExitCode::from(if is_fine { 0 } else { FOUND }))
}

async fn join(home: &Path) -> Result<(), Error> {
    let node = Node::open(home)?;
    let _lock = home::lock(&node.home)?;
    home::check_ended(&node.home, &node.socket()?).await?;
    node.genesis()?;
    let verified = joining::join(&node).await?;
    let from = match joining::is_pending(&node.home) {
        true => "with a snapshot of it",
        false => "with its first block, as it is too young for snapshots",
    };
    print(&format!(
        "The board is verified at height {}; the next start begins {from}.\n",
        verified.height
    ))
}

async fn compact(home: &Path) -> Result<(), Error> {
    let node = Node::open(home)?;
    let _lock = home::lock(&node.home)?;
    home::check_ended(&node.home, &node.socket()?).await?;
    node.write_configs(&node.genesis()?)?;
    let programs = Programs::find(&node).await?;
    let before = size(&node.home.join("data"));
    let program = Program {
        guard: programs.guard,
        program: programs.engine,
        args: vec![
            "experimental-compact-goleveldb".into(),
            "--home".into(),
            node.home.clone().into_os_string(),
        ],
        env: Vec::new(),
        dir: Some(node.home.clone()),
        stdout: None,
        stderr: node.home.join("compact.log"),
    };
    let mut process = program.start().await?;
    let exit = process.wait().await;
    if exit != Exit::Code(0) {
        return Err(Error::Ended(format!(
            "compacting {} ended, {exit}: see compact.log",
            STORES.join(" and ")
        )));
    }
    let after = size(&node.home.join("data"));
    print(&format!("data/: {before} bytes before, {after} now\n"))
}

/// Bytes of all files in a folder.
fn size(folder: &Path) -> u64 {
    let entries = folder.read_dir().into_iter().flatten().flatten();
    let sizes = entries.map(|entry| match entry.metadata() {
        Ok(meta) if meta.is_dir() => size(&entry.path()),
        Ok(meta) => meta.len(),
        Err(_) => 0,
    });
    sizes.sum()
}

/// The path of the genesis in a home.
pub fn genesis_path(home: &Path) -> PathBuf {
    home.join(GENESIS_FILE)
}
