//! The directory of a party's journals, and `white-city journal …`

use std::{
    fs,
    io::ErrorKind,
    path::{Path, PathBuf},
};

use serde_json::json;
use white_city_client::{
    SessionId,
    files::make_private_folder,
    journal::{self, JournalError, Kept},
    read::SessionRef,
};

use crate::{
    args::{JournalCommand, NetworkArgs},
    failure::Failure,
    network,
    output::{Output, shown},
};

/// The journal of a party's session: the given one, or one beside the identity. Nothing is made.
pub fn name(given: Option<&PathBuf>, identity: &Path, session: SessionId) -> PathBuf {
    given
        .cloned()
        .unwrap_or_else(|| folder(identity).join(session.to_string()))
}

/// As [`name`], where one beside the identity is in a folder for its owner alone.
pub fn path(
    given: Option<&PathBuf>,
    identity: &Path,
    session: SessionId,
) -> Result<PathBuf, Failure> {
    if given.is_none() {
        folder_made(identity)?;
    }
    Ok(name(given, identity, session))
}

/// The folder of an identity's journals, which is made if it isn't there.
pub fn folder_made(identity: &Path) -> Result<PathBuf, Failure> {
    let folder = folder(identity);
    make_private_folder(&folder)?;
    Ok(folder)
}

fn folder(identity: &Path) -> PathBuf {
    let mut folder = identity.as_os_str().to_owned();
    folder.push(".journals");
    PathBuf::from(folder)
}

/// Runs a command.
pub async fn run(
    command: JournalCommand,
    args: &NetworkArgs,
    output: &Output,
) -> Result<(), Failure> {
    match command {
        JournalCommand::List { identity } => list(&folder(&identity), output),
        JournalCommand::Forget {
            session,
            identity,
            journal,
            even_if_live,
        } => {
            let beside = identity.map(|identity| folder(&identity).join(session.to_string()));
            let path = journal.or(beside);
            let path = path.ok_or_else(|| Failure::usage("expected --identity or --journal"))?;
            if !even_if_live {
                // What isn't there needs no board to say so.
                journal::read(&path).map_err(bad)?;
                check_ended(session, args).await?;
            }
            journal::forget(&path, session).map_err(bad)?;
            let text = format!("forgot {}", path.display());
            output.result(
                &json!({ "result": "forgotten", "session": session, "journal": shown(&path) }),
                &text,
            )
        }
    }
}

fn bad(error: JournalError) -> Failure {
    Failure::usage(error.to_string())
}

/// A party without its journal can't go on in a session that it has joined.
async fn check_ended(session: SessionId, args: &NetworkArgs) -> Result<(), Failure> {
    let summary = network::reader(args)?;
    let summary = summary.summary(SessionRef::Id(session)).await?;
    if summary.terminal.is_some() {
        return Ok(());
    }
    Err(Failure::usage(
        "the session goes on, and without its journal this party can't: expected an ended one, or --even-if-live",
    ))
}

fn list(folder: &Path, output: &Output) -> Result<(), Failure> {
    let io = |error| Failure::usage(format!("{}: {error}", folder.display()));
    let mut found = Vec::new();
    match fs::read_dir(folder) {
        Ok(entries) => {
            for entry in entries {
                let path = entry.map_err(io)?.path();
                if path.extension().is_some_and(|kind| kind == "result") {
                    continue;
                }
                let kept = journal::read(&path);
                found.push((path, kept));
            }
        }
        Err(error) if error.kind() == ErrorKind::NotFound => {}
        Err(error) => return Err(io(error)),
    }
    found.sort_by(|(a, _), (b, _)| a.cmp(b));
    for (path, kept) in &found {
        if let Err(error) = kept {
            output.warning(&format!("{}: {error}", path.display()));
        }
    }
    let journals = found
        .into_iter()
        .filter_map(|(path, kept)| Some((path, kept.ok()?)));
    let (values, lines): (Vec<_>, Vec<_>) = journals
        .map(|(path, kept)| (value(&path, &kept), line(&kept)))
        .unzip();
    if lines.is_empty() {
        output.note(&format!("no journals in {}", folder.display()));
    }
    output.result(&json!({ "journals": values }), &lines.join("\n"))
}

/// A journal, for machines.
pub fn value(path: &Path, kept: &Kept) -> serde_json::Value {
    json!({
        "session": kept.session, "network": kept.network, "identity": kept.identity.to_string(),
        "journal": shown(path), "opened_with": kept.opened_with, "bytes": kept.bytes, "in_use": kept.is_in_use,
    })
}

fn line(kept: &Kept) -> String {
    let is_in_use = if kept.is_in_use { ", in use" } else { "" };
    format!(
        "{}  {} bytes, opened with {}{is_in_use}",
        kept.session, kept.bytes, kept.opened_with
    )
}
