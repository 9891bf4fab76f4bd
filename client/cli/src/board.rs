//! `white-city board …`

mod changes;
pub mod health;
pub mod trust;

use std::{fs::OpenOptions, io::Write, path::Path, time::Duration};

use changes::changes;
use serde_json::{Value, json};
use white_city_client::{
    Client, Hash, IdentityKey, LocalKey, Said, Signature,
    files::read_public,
    read::CharterNow,
    wire::{
        Charter,
        signing::{Purpose, signed_bytes},
    },
};

use crate::{
    args::{BoardCommand, Bytes, CharterCommand, NetworkArgs, SignerArgs},
    failure::Failure,
    network,
    output::{Output, to_json},
    unlock,
};

/// Largest charter that is read, bytes: one of 256 replicas and 4 096 openers has some 700 000.
const CHARTER_BYTES_MAX: u64 = 2 << 20;

/// Runs a command.
pub async fn run(
    command: BoardCommand,
    network: &NetworkArgs,
    output: &Output,
) -> Result<(), Failure> {
    match command {
        BoardCommand::Status => health::run(network, output).await,
        BoardCommand::Charter(command) => charter(command, network, output).await,
        BoardCommand::Trust(command) => trust::run(command, network, output).await,
    }
}

async fn charter(
    command: CharterCommand,
    network: &NetworkArgs,
    output: &Output,
) -> Result<(), Failure> {
    match command {
        CharterCommand::Show => show(network, output).await,
        CharterCommand::Status => status(network, output).await,
        CharterCommand::Draft { out, within } => draft(&out, within, network, output).await,
        CharterCommand::Diff { file } => diff(&file, network, output).await,
        CharterCommand::Accept { file, signer } => accept(&file, &signer, network, output),
        CharterCommand::Approve {
            file,
            signer,
            accepted,
            yes,
        } => {
            let client = signing(&signer, network, output)?;
            approve(&client, &file, &accepted, yes, output).await
        }
        CharterCommand::Withdraw { signer } => {
            let client = signing(&signer, network, output)?;
            client.withdraw().await?;
            let text = "this operator approves nothing";
            output.result(&json!({ "result": "withdrawn" }), text)
        }
    }
}

fn signing(args: &SignerArgs, network: &NetworkArgs, output: &Output) -> Result<Client, Failure> {
    network::signing(network, &args.identity, unlock::signer(args, output)?)
}

async fn show(network: &NetworkArgs, output: &Output) -> Result<(), Failure> {
    let now = network::reader(network)?.charter().await?.into_value();
    let charter = to_json(&now.charter);
    let text = pretty(&now.charter);
    output.result(
        &json!({ "charter": charter, "charter_hash": now.charter.hash() }),
        &text,
    )
}

async fn status(network: &NetworkArgs, output: &Output) -> Result<(), Failure> {
    let now = network::reader(network)?.charter().await?;
    let (board_ms, now) = (now.board_ms(), now.into_value());
    output.result(&standing(&now), &told(&now, board_ms))
}

/// The words of the operators, for machines.
pub fn standing(now: &CharterNow) -> Value {
    let operators = (0..).zip(&now.charter.replicas).map(|(position, replica)| {
        let word = now.word_of(position);
        let approves = word.map(|word| word.charter_hash);
        json!({
            "operator": replica.operator,
            "validator": replica.validator,
            "has_voted": now.proven.contains(position),
            "approves": approves.filter(|hash| *hash != Hash::ZERO),
        })
    });
    let proposed = now.proposed.iter().map(|charter| {
        let hash = charter.hash();
        json!({ "charter": charter, "charter_hash": hash, "approvals": now.approvals(&hash) })
    });
    json!({
        "term": now.charter.term,
        "era": now.era,
        "charter_hash": now.charter.hash(),
        "needed": now.needed(),
        "operators": operators.collect::<Vec<_>>(),
        "proposed": proposed.collect::<Vec<_>>(),
    })
}

/// The same for people.
fn told(now: &CharterNow, board_ms: u64) -> String {
    let mut lines = vec![format!(
        "term {}, era {}, protocol {}: charter {}",
        now.charter.term,
        now.era,
        now.protocol,
        now.charter.hash()
    )];
    for (position, replica) in (0..).zip(&now.charter.replicas) {
        let word = now.word_of(position).map(|word| word.charter_hash);
        let word = match word.filter(|hash| *hash != Hash::ZERO) {
            Some(hash) => format!("approves {hash}"),
            None => "approves nothing".into(),
        };
        let has_voted = match now.proven.contains(position) {
            true => "",
            false => "; its validator hasn't been seen to vote",
        };
        lines.push(format!(
            "operator {position} {}: {word}{has_voted}",
            replica.operator
        ));
    }
    for charter in &now.proposed {
        let hash = charter.hash();
        let (approvals, needed) = (now.approvals(&hash), now.needed());
        let left = match charter.until_ms.checked_sub(board_ms) {
            Some(left) => format!("{} s are left", left / 1_000),
            None => "its time is over".into(),
        };
        lines.push(format!(
            "charter {hash} of term {}: {approvals} of the {needed} approvals that it needs; {left}",
            charter.term
        ));
        let changes = changes(&now.charter, charter);
        lines.extend(changes.iter().map(|change| format!("  {change}")));
    }
    lines.join("\n")
}

async fn draft(
    out: &Path,
    within: Duration,
    network: &NetworkArgs,
    output: &Output,
) -> Result<(), Failure> {
    let now = network::reader(network)?.charter().await?;
    let within = u64::try_from(within.as_millis()).unwrap_or(u64::MAX);
    let until_ms = now.board_ms().saturating_add(within);
    let present = now.into_value().charter;
    let next = Charter {
        term: present.term.saturating_add(1),
        previous: present.hash(),
        until_ms,
        ..present
    };
    let file = OpenOptions::new().write(true).create_new(true).open(out);
    let written = file.and_then(|mut file| writeln!(file, "{}", pretty(&next)));
    written.map_err(|error| Failure::usage(format!("{}: {error}", out.display())))?;
    let file = crate::output::shown(out);
    output.result(&json!({ "file": file, "term": next.term }), &file)
}

/// A charter as people edit it.
fn pretty(charter: &Charter) -> String {
    serde_json::to_string_pretty(charter).unwrap_or_default()
}

/// Reads a charter; replicas and openers may stand in any order in the file.
fn read(file: &Path) -> Result<Charter, Failure> {
    let bad = |what: String| Failure::usage(format!("{}: {what}", file.display()));
    let bytes = read_public(file, CHARTER_BYTES_MAX)?;
    let charter: Result<Charter, _> = serde_json::from_slice(&bytes);
    let mut charter = charter.map_err(|error| bad(format!("no charter: {error}")))?;
    charter.sort();
    let checked = charter.check_fields().and_then(|()| charter.check_keys());
    checked.map_err(|error| bad(error.to_string()))?;
    Ok(charter)
}

/// The charter's hash, which operators compare before they approve it, and what it changes, one change a line.
fn described(next: &Charter, changes: &[String]) -> String {
    let head = format!("charter {} of term {}", next.hash(), next.term);
    let changes = changes.iter().map(|change| format!("\n  {change}"));
    changes.fold(head, |text, change| text + &change)
}

async fn diff(file: &Path, network: &NetworkArgs, output: &Output) -> Result<(), Failure> {
    let next = read(file)?;
    let now = network::reader(network)?.charter().await?.into_value();
    let changes = changes(&now.charter, &next);
    let text = described(&next, &changes);
    output.result(
        &json!({ "charter_hash": next.hash(), "changes": changes }),
        &text,
    )
}

fn accept(
    file: &Path,
    signer: &SignerArgs,
    network: &NetworkArgs,
    output: &Output,
) -> Result<(), Failure> {
    let charter = read(file)?;
    let trust = network::trust(network)?;
    let key: LocalKey = unlock::signer(signer, output)?;
    let mine = Hash(*white_city_client::Signer::identity(&key).as_bytes());
    if !charter.is_operator(&mine) {
        let text = format!("{}: {mine} is none of its operators", file.display());
        return Err(Failure::usage(text));
    }
    let signature = hex::encode(key.accepts(&charter, &trust.network().id).0);
    let hash = charter.hash();
    output.note(&format!("{mine} accepts its place in the charter {hash}"));
    output.result(
        &json!({ "signature": signature, "charter_hash": hash }),
        &signature,
    )
}

async fn approve(
    client: &Client,
    file: &Path,
    accepted: &[Bytes],
    yes: bool,
    output: &Output,
) -> Result<(), Failure> {
    let charter = read(file)?;
    let now = client.charter().await?.into_value();
    let changes = changes(&now.charter, &charter);
    output.note(&described(&charter, &changes));
    let newcomers = newcomers(&now.charter, &charter, accepted, client)?;
    if !yes {
        let question = "Approve this charter? [y/N] ".into();
        output
            .consent(question, "this charter: expected --yes", "nothing was done")
            .await?;
    }
    let hash = charter.hash();
    let (result, text) = match client.approve(charter, newcomers).await? {
        Said::Stands => (
            "approved",
            "approved; board charter status says who else has to",
        ),
        Said::Enacted => ("enacted", "approved: this charter is in force"),
    };
    let value = json!({ "result": result, "charter_hash": hash, "changes": changes });
    output.result(&value, text)
}

/// The signatures of those operators who are new, in the charter's order.
fn newcomers(
    present: &Charter,
    next: &Charter,
    accepted: &[Bytes],
    client: &Client,
) -> Result<Vec<Signature>, Failure> {
    let message = signed_bytes(Purpose::Operate, &client.network().id, &next.hash());
    let new = next.operators_new_to(present).map(|operator| {
        let key = IdentityKey::from_bytes(&operator.0);
        let key = key.map_err(|error| Failure::usage(format!("{operator}: {error}")))?;
        let given = accepted.iter();
        let mut given = given.filter_map(|bytes| Some(Signature(bytes.0.as_slice().try_into().ok()?)));
        let signature = given.find(|signature| key.verify(&message, signature));
        signature.ok_or_else(|| {
            Failure::usage(format!(
                "the new operator {operator} hasn't accepted this charter: expected --accepted with what its own board charter accept prints"
            ))
        })
    });
    new.collect()
}
