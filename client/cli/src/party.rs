//! `white-city party …`: a service that takes part by a policy, and the people whom it asks.

mod approver;
mod audit;
mod deciding;
mod decision;
mod folder;
mod health;
mod keys;
mod policy;
mod queue;
mod request;
mod service;
mod taking;
mod working;

use std::{
    io,
    path::Path,
    sync::{Arc, Mutex},
};

use folder::Folder;
use keys::Keys;
use policy::{Otherwise, Rates, Verdict};
use request::Request;
use serde_json::{Value, json};
use service::{Parts, Service, Told};
use tokio::{
    net::TcpListener,
    signal::unix::{SignalKind, signal},
};
use white_city_client::{IdentityKey, SessionId, Signer, vault::Unlock};

use crate::{
    args::{NetworkArgs, PartyCommand, ServeArgs},
    failure::Failure,
    network,
    output::{Output, shown},
    unlock,
};

/// Runs a command.
pub async fn run(
    command: PartyCommand,
    network: &NetworkArgs,
    output: &Output,
) -> Result<(), Failure> {
    match command {
        PartyCommand::Serve(args) => serve(&args, network, output).await,
        PartyCommand::Check { policy, session } => check(&policy, session, network, output).await,
        PartyCommand::Pending { dir } => queue::pending(&Folder::open(&dir.dir)?, output),
        PartyCommand::Approve(args) => {
            let folder = Folder::open(&args.dir.dir)?;
            queue::say(&folder, args.session, true, &args.reason, output)
        }
        PartyCommand::Decline(args) => {
            let folder = Folder::open(&args.dir.dir)?;
            queue::say(&folder, args.session, false, &args.reason, output)
        }
    }
}

async fn serve(args: &ServeArgs, network: &NetworkArgs, output: &Output) -> Result<(), Failure> {
    let signal_failed = |error: io::Error| Failure::other(format!("no signals: {error}"));
    let mut hangup = signal(SignalKind::hangup()).map_err(signal_failed)?;
    let mut terminate = signal(SignalKind::terminate()).map_err(signal_failed)?;
    let told = Told::load(&args.policy, output.home()?)?;
    let unlock = unlock::vault(&args.unlock)?;
    let key = unlock::identity(&args.identity, Some(&unlock), output)?;
    let (folder, _lock) = Folder::make(&args.dir)?;
    let identity = key.identity();
    let keys = keys(args, &folder, &told, &unlock, &identity)?;
    let client = network::signing(network, &args.identity.identity, key)?;
    let service = Arc::new(Service::new(Parts {
        client,
        identity,
        identity_file: args.identity.identity.clone(),
        unlock,
        folder,
        keys,
        home: output.home()?.clone(),
        told,
    })?);
    let mut health = None;
    if let Some(address) = args.health {
        let bad = |error: io::Error| Failure::usage(format!("--health {address}: {error}"));
        let listener = TcpListener::bind(address).await.map_err(bad)?;
        health = Some(listener.local_addr().map_err(bad)?);
        tokio::spawn(health::serve(listener, Arc::clone(&service)));
    }
    output.result(
        &json!({ "event": "serving", "party": identity.to_string(), "dir": shown(&args.dir), "health": health }),
        &format!(
            "serving {identity}; what is decided and what comes of it: {}",
            service.folder.audit().display()
        ),
    )?;
    let mut following = std::pin::pin!(service.follow());
    loop {
        tokio::select! {
            ended = &mut following => return ended,
            _ = hangup.recv() => match Told::load(&args.policy, output.home()?) {
                Ok(told) => {
                    let groups = told.people.groups();
                    service.keys.note_groups(groups, &service.unlock, &identity);
                    service.tell(told);
                    tracing::warn!("the policy was read again");
                }
                Err(failure) => tracing::error!("the policy stays as it was: {}", failure.text),
            },
            _ = terminate.recv() => {
                tracing::warn!("told to stop: what is under way goes on at the next start");
                return Ok(());
            }
        }
    }
}

/// All shares and signing keys that there are.
fn keys(
    args: &ServeArgs,
    folder: &Folder,
    told: &Told,
    unlock: &Unlock,
    identity: &IdentityKey,
) -> Result<Keys, Failure> {
    let keys = Keys::of(&args.signing_key, service::retired(folder)?, unlock)?;
    for share in folder.shares()?.iter().chain(&args.share) {
        keys.note(share, unlock, identity)?;
    }
    keys.note_groups(told.people.groups(), unlock, identity);
    Ok(keys)
}

/// Says what a policy says.
async fn check(
    policy: &Path,
    session: Option<SessionId>,
    network: &NetworkArgs,
    output: &Output,
) -> Result<(), Failure> {
    let told = Told::load(policy, output.home()?)?;
    let Some(session) = session else {
        let names: Vec<&str> = told.policy.names().collect();
        let text = format!("{} rules: {}", names.len(), names.join(", "));
        return output.result(&json!({ "rules": names }), &text);
    };
    let client = network::reader(network)?;
    let open = client.open_of(session).await?;
    let request = Request::of(session, open).map_err(Failure::usage)?;
    let rates = Mutex::new(Rates::default());
    let verdict = told.policy.judge(&request, audit::now_ms(), &rates);
    let (value, text) = match verdict {
        Verdict::Join { rule, .. } => (
            json!({ "verdict": "join", "rule": rule.name, "asks": rule.approver.is_some() }),
            format!(
                "{}: joins by the rule {:?}{}",
                request.to_text(&told.people),
                rule.name,
                if rule.approver.is_some() {
                    ", once its approver says yes"
                } else {
                    ""
                }
            ),
        ),
        Verdict::No { why, otherwise } => {
            let word = match otherwise {
                Otherwise::Decline => "decline",
                Otherwise::Ignore => "ignore",
            };
            let lines: Vec<String> = why
                .iter()
                .map(|(rule, why)| format!("\n  rule {rule:?}: {why}"))
                .collect();
            let why: Vec<Value> = why
                .iter()
                .map(|(rule, why)| json!({ "rule": rule, "why": why }))
                .collect();
            (
                json!({ "verdict": word, "why": why }),
                format!(
                    "{}: no rule fits ({word}){}",
                    request.to_text(&told.people),
                    lines.concat()
                ),
            )
        }
    };
    output.result(&value, &text)
}
