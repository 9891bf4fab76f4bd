//! Everything that can be wrong with this node, looked at one after the other

use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde_json::Value;
use tokio::net::TcpStream;
use tokio::process::Command;
use tokio::time::timeout;
use white_city_wire::json::Program;
use white_city_wire::{Charter, Hash, Network};

use crate::card::Card;
use crate::files::write_atomic;
use crate::joining::{self, Verified};
use crate::node::{CARDS, NODE_KEY, Node, OPERATOR_KEY, VALIDATOR_KEY};
use crate::rpc;
use crate::rules::{self, Rules, plain};
use crate::running::{self, Programs};
use crate::settings::local;
use crate::{Error, cometbft, fit};

/// Longest that another node may take to answer.
const PATIENCE: Duration = Duration::from_secs(5);
/// Free disk below which a node is in danger, bytes.
const DISK_MIN: u64 = 1 << 30;
/// Seconds that a clock may be off: the others' answers are only so exact.
const CLOCK_MAX: u64 = 2;
/// Blocks that a node may be behind.
const BEHIND_MAX: u64 = 3;

/// What was found about one thing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// The thing.
    pub what: String,
    /// How it is, or what is wrong and what to do.
    pub found: Result<String, String>,
}

/// Looks at everything.
pub async fn examine(node: &Node) -> Vec<Finding> {
    let mut findings = Vec::new();
    let mut note = |what: &str, found: Result<String, String>| {
        findings.push(Finding {
            what: what.into(),
            found,
        });
    };
    note("secrets", secrets(&node.home));
    note("disk", disk(&node.home));
    let network = node.genesis();
    note(
        "genesis",
        match &network {
            Ok(network) => genesis(node, network),
            Err(error) => Err(error.to_string()),
        },
    );
    let programs = Programs::find(node).await;
    note("programs", versions(&programs).await);
    let mut installed = None;
    if let (Ok(_), Ok(programs)) = (&network, &programs) {
        let taken = configuration(node, programs).await;
        note(
            "configuration",
            taken
                .as_ref()
                .map(|_| "the replica takes it".into())
                .map_err(Clone::clone),
        );
        installed = taken.ok().flatten();
    }
    let verified = joining::verified(node).await;
    if let Ok(network) = &network {
        for (what, found) in settled(node, network, verified.as_ref().ok()) {
            note(&what, found);
        }
    }
    let mut clocks = Vec::new();
    for card in &node.others {
        let name = &card.says().name;
        note(&format!("{name}: p2p port"), dialled(card).await);
        let (found, clock) = asked(card, network.as_ref().ok()).await;
        note(&format!("{name}: RPC"), found);
        clocks.extend(clock);
    }
    note("clock", clock(clocks));
    note("board", board(&verified));
    if let Ok(verified) = &verified {
        for (what, found) in numbers(node, installed, &verified.rules).await {
            note(&what, found);
        }
    }
    note("this node", own(node, &verified).await);
    note("progress", ready(node).await);
    findings
}

/// Cards and settings, beside the charter in force, or the first one where that isn't verified.
fn settled(
    node: &Node,
    network: &Network,
    verified: Option<&Verified>,
) -> Vec<(String, Result<String, String>)> {
    let charter = verified.map_or(&*network.charter, |verified| &verified.charter);
    let mut all = vec![("cards".to_owned(), cards(node, charter))];
    for card in &node.others {
        let said = card.says();
        if !charter.is_operator(&said.operator) {
            all.push((format!("{}: card", said.name), Ok(outside(card))));
        }
    }
    let found = fits(node, network).into_iter();
    all.extend(found.map(|found| ("settings".into(), found)));
    all
}

fn secrets(home: &Path) -> Result<String, String> {
    for name in [VALIDATOR_KEY, NODE_KEY, OPERATOR_KEY] {
        let Ok(meta) = home.join(name).metadata() else {
            continue;
        };
        let mode = meta.permissions().mode() & 0o777;
        if mode & 0o077 != 0 {
            return Err(format!(
                "{name} is readable by others (mode {mode:o}): chmod 600 {name}"
            ));
        }
    }
    Ok("readable by their owner only".into())
}

fn disk(home: &Path) -> Result<String, String> {
    let free = nix::sys::statvfs::statvfs(home).map_err(|error| error.to_string())?;
    let free = free.blocks_available().saturating_mul(free.fragment_size());
    let text = format!("{} MiB free", free >> 20);
    match free < DISK_MIN {
        true => Err(format!(
            "{text}: a full disk stops the node; expected {} MiB",
            DISK_MIN >> 20
        )),
        false => Ok(text),
    }
}

fn genesis(node: &Node, network: &Network) -> Result<String, String> {
    let said = node.card.says();
    let mut listed = network.charter.replicas.iter();
    let own = listed.find(|replica| replica.operator == said.operator);
    match own {
        Some(replica) if replica.validator != said.validator => Err(format!(
            "it lists another validator key for this operator: {}",
            replica.validator
        )),
        Some(_) => Ok(format!(
            "{}, signed by all {} operators, this one among them",
            network.chain_id,
            network.charter.replicas.len()
        )),
        None => Ok(format!(
            "{}, signed by all {} operators; this node is a newcomer, for a later charter",
            network.chain_id,
            network.charter.replicas.len()
        )),
    }
}

async fn versions(programs: &Result<Programs, Error>) -> Result<String, String> {
    let programs = programs.as_ref().map_err(ToString::to_string)?;
    let engine = printed(&programs.engine, "version").await?;
    let replica = printed(&programs.replica, "--version").await?;
    let wanted = cometbft::VERSION.trim_start_matches('v');
    if engine.trim_start_matches('v') != wanted {
        return Err(format!(
            "the engine {} is {engine}, expected CometBFT {wanted}",
            programs.engine.display()
        ));
    }
    Ok(format!("CometBFT {engine}, {replica}"))
}

async fn printed(program: &Path, argument: &str) -> Result<String, String> {
    let mut command = Command::new(program);
    let output = command.arg(argument).kill_on_drop(true).output();
    let output = timeout(PATIENCE, output).await;
    let output = output.map_err(|_| format!("{} doesn't answer", program.display()))?;
    let output = output.map_err(|error| format!("{}: {error}", program.display()))?;
    let text = String::from_utf8_lossy(&output.stdout);
    Ok(text.lines().next().unwrap_or_default().trim().to_owned())
}

/// Whether the replica takes what it would be started with; written elsewhere, as it may be running. Gives what it says about itself.
async fn configuration(node: &Node, programs: &Programs) -> Result<Option<Program>, String> {
    let folder = tempfile::tempdir().map_err(|error| error.to_string())?;
    let socket = format!("unix://{}", folder.path().join("app.sock").display());
    let text = node
        .replica_file(&socket, node.settings.profile.profile())
        .map_err(|error| error.to_string())?;
    let file = folder.path().join("replica.toml");
    write_atomic(&file, text.as_bytes()).map_err(|error| error.to_string())?;
    let mut command = Command::new(&programs.replica);
    command.arg("--check").arg("--home").arg(folder.path());
    let output = timeout(PATIENCE, command.kill_on_drop(true).output()).await;
    let output = output.map_err(|_| "the replica doesn't answer".to_owned())?;
    let output = output.map_err(|error| error.to_string())?;
    match output.status.success() {
        // An older one says nothing.
        true => Ok(serde_json::from_slice(&output.stdout).ok()),
        false => Err(String::from_utf8_lossy(&output.stderr).trim().to_owned()),
    }
}

/// Whether the settings fit the genesis: one finding, or one for each that doesn't.
fn fits(node: &Node, network: &Network) -> Vec<Result<String, String>> {
    let found = fit::misfits(node, network).map(|misfits| [misfits, fit::crowded(node)].concat());
    match found {
        Ok(none) if none.is_empty() => vec![Ok("they fit the genesis".into())],
        Ok(found) => found.into_iter().map(Err).collect(),
        Err(error) => vec![Err(error.to_string())],
    }
}

fn cards(node: &Node, charter: &Charter) -> Result<String, String> {
    let all = std::iter::once(&node.card).chain(&node.others);
    let known: Vec<Hash> = all.map(|card| card.says().operator).collect();
    let operators = charter.replicas.iter().map(|replica| replica.operator);
    let missing = operators.filter(|one| !known.contains(one));
    let missing: Vec<String> = missing.map(|one| one.to_string()).collect();
    match missing.is_empty() {
        true => Ok(format!("{} of other nodes", node.others.len())),
        false => Err(format!(
            "none of the operator {}: this node doesn't find theirs; ask for it, and `take` it",
            missing.join(", ")
        )),
    }
}

/// What there is to be said of a peer whose operator isn't one now.
fn outside(card: &Card) -> String {
    format!(
        "its operator isn't in the charter in force: a newcomer, or one who has left; delete {CARDS}/{}.json then, and restart",
        card.says().operator
    )
}

async fn dialled(card: &Card) -> Result<String, String> {
    let address = &card.says().p2p;
    match timeout(PATIENCE, TcpStream::connect(address)).await {
        Ok(Ok(_)) => Ok(format!("{address} is open")),
        Ok(Err(error)) => Err(format!("{address}: {error}")),
        Err(_) => Err(format!(
            "{address}: no answer in {} s: a firewall, or the host is down",
            PATIENCE.as_secs()
        )),
    }
}

/// What another node's RPC says, and how far its clock is ahead of this one, seconds.
async fn asked(card: &Card, network: Option<&Network>) -> (Result<String, String>, Option<i64>) {
    let url = &card.says().rpc;
    if url.is_empty() {
        return (Ok("not on its card".into()), None);
    }
    match fetched(url, "status").await {
        Ok((status, clock)) => (compared(card, network, &status), clock),
        Err(error) => (Err(format!("{url}: {error}")), None),
    }
}

/// What a node's RPC answers, and how far its clock is ahead of this one, seconds.
async fn fetched(url: &str, path: &str) -> Result<(Value, Option<i64>), String> {
    let client = reqwest::Client::builder().timeout(PATIENCE).build();
    let client = client.map_err(|error| error.to_string())?;
    let answer = client.get(format!("{}/{path}", url.trim_end_matches('/')));
    let mut answer = answer.send().await.map_err(|error| error.to_string())?;
    let date = answer.headers().get(reqwest::header::DATE);
    let date = date.and_then(|date| date.to_str().ok()).map(str::to_owned);
    let text = rpc::bounded(&mut answer).await?;
    let json = serde_json::from_slice(&text).map_err(|error| error.to_string())?;
    let theirs = date.and_then(|date| httpdate::parse_http_date(&date).ok());
    Ok((
        json,
        theirs.map(|theirs| seconds(theirs) - seconds(SystemTime::now())),
    ))
}

fn seconds(time: SystemTime) -> i64 {
    let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_secs()).unwrap_or(i64::MAX)
}

fn compared(card: &Card, network: Option<&Network>, status: &Value) -> Result<String, String> {
    let at = |path: &str| status.pointer(path).and_then(Value::as_str);
    let id = at("/result/node_info/id").ok_or("it isn't a node's RPC")?;
    if id != card.says().node {
        return Err(format!(
            "it is the node {}, the card says {}",
            plain(id),
            card.says().node
        ));
    }
    let chain = at("/result/node_info/network").unwrap_or_default();
    if let Some(network) = network.filter(|network| network.chain_id != chain) {
        return Err(format!(
            "it is on the chain {}, not {}",
            plain(chain),
            network.chain_id
        ));
    }
    let version = at("/result/node_info/version").unwrap_or_default();
    let height = at("/result/sync_info/latest_block_height").unwrap_or_default();
    Ok(format!(
        "height {}, CometBFT {}",
        plain(height),
        plain(version)
    ))
}

/// The median of how far the others are ahead.
fn clock(mut ahead: Vec<i64>) -> Result<String, String> {
    ahead.sort_unstable();
    let Some(&median) = ahead.get(ahead.len() / 2) else {
        return Ok("not compared: nobody's RPC answered".into());
    };
    match median.unsigned_abs() > CLOCK_MAX {
        true => Err(format!(
            "most of the others are {median} s ahead of this one: set it right, and keep it so (NTP)"
        )),
        false => Ok(format!("within {CLOCK_MAX} s of most of the others")),
    }
}

fn board(verified: &Result<Verified, Error>) -> Result<String, String> {
    match verified {
        Ok(verified) => Ok(format!(
            "verified at height {}; {} of the others prove a height",
            verified.height, verified.answered
        )),
        Err(error) => Err(error.to_string()),
    }
}

/// Whether the programs of this node and of the others know the rules that the board asks for: this program, the replica that is installed,
/// the one that runs, and the others' by their word.
async fn numbers(
    node: &Node,
    installed: Option<Program>,
    rules: &Rules,
) -> Vec<(String, Result<String, String>)> {
    let told = async |url: &str| {
        let answer = fetched(url, "abci_query?path=%22/json/program%22").await;
        answer.and_then(|(answer, _)| rules::read(&answer))
    };
    let mut all = vec![
        ("rules".to_owned(), Ok(rules.told())),
        ("rules".into(), rules.judged("this program", &rules::own())),
    ];
    if let Some(program) = installed {
        let judged = rules.judged("the replica that is installed", &program);
        all.push(("rules".into(), judged));
    }
    // That it doesn't run, or runs behind, is said elsewhere.
    if let Ok(program) = told(&running::own_rpc(node)).await {
        let judged = rules.judged("the replica that runs", &program);
        all.push(("rules".into(), judged));
    }
    for card in &node.others {
        let said = card.says();
        let found = match said.rpc.as_str() {
            "" => Ok("not on its card".into()),
            url => match told(url).await {
                Ok(program) => rules.judged("its replica", &program),
                Err(error) => Ok(format!("not known: {error}")),
            },
        };
        all.push((format!("{}: rules", said.name), found));
    }
    all
}

async fn own(node: &Node, verified: &Result<Verified, Error>) -> Result<String, String> {
    let health = running::health(node).await;
    let health =
        health.map_err(|error| format!("it doesn't run, or its RPC is elsewhere: {error}"))?;
    let others = u64::try_from(node.others.len()).unwrap_or(u64::MAX);
    let text = format!(
        "height {}, {} of {others} peers",
        health.height, health.peers
    );
    if health.peers < others {
        return Err(format!(
            "{text}: see their p2p ports above, and that they have this node's card"
        ));
    }
    match verified {
        Ok(verified) if verified.height > health.height.saturating_add(BEHIND_MAX) => {
            Err(format!("{text}: the board is at {}", verified.height))
        }
        _ if health.catching_up => Err(format!("{text}: it is catching up")),
        _ => Ok(text),
    }
}

/// What the replica says at its health port: whether blocks come.
async fn ready(node: &Node) -> Result<String, String> {
    let address = &node.settings.health;
    if address.is_empty() {
        return Ok("not asked: `health` in node.toml is empty".into());
    }
    let client = reqwest::Client::builder().no_proxy().timeout(PATIENCE);
    let client = client.build().map_err(|error| error.to_string())?;
    let address = address
        .parse()
        .map(local)
        .map_err(|_| "health".to_owned())?;
    let answer = client.get(format!("http://{address}/ready")).send().await;
    let answer =
        answer.map_err(|error| format!("the replica doesn't answer at {address}: {error}"))?;
    let is_ready = answer.status().is_success();
    let text = answer.text().await.map_err(|error| error.to_string())?;
    let text = text.trim().to_owned();
    if is_ready { Ok(text) } else { Err(text) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_is_judged_by_most_of_the_others() {
        for (ahead, fine) in [
            (vec![], true),
            (vec![0, 1, 3_600], true),
            (vec![3_600, 3_599, 0], false),
            (vec![-2], true),
            (vec![-3], false),
            (vec![3], false),
        ] {
            assert_eq!(clock(ahead.clone()).is_ok(), fine, "{ahead:?}");
        }
    }

    #[test]
    fn another_node_behind_an_address_is_noticed() {
        let (card, _) = crate::card::tests::some(1);
        let status = |id: &str| serde_json::json!({ "result": { "node_info": { "id": id, "network": "x" } } });
        assert!(compared(&card, None, &status(&card.says().node)).is_ok());
        assert!(compared(&card, None, &status("other")).is_err());
        assert!(compared(&card, None, &Value::Null).is_err());
    }
}
