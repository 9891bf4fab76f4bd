//! `white-city group …`

mod finding;
mod keygen;
mod sign;

use std::path::Path;

use serde_json::{Value, json};
use white_city_client::{
    files::{create_public, read_public},
    groups::{Group, GroupKey, Imported, Member, Name},
};

use crate::{
    args::{GroupCommand, NetworkArgs},
    contacts::{contact_json, contact_text},
    failure::Failure,
    output::{Output, shown},
};

/// Largest file of a group that is read, bytes.
const GROUP_BYTES_MAX: u64 = 4 << 20;

/// Runs a command.
pub async fn run(
    command: GroupCommand,
    network: &NetworkArgs,
    output: &Output,
) -> Result<(), Failure> {
    let home = output.home()?;
    match command {
        GroupCommand::New { group, member } => {
            let contacts = home.contacts()?;
            let members = member.into_iter().map(|name| {
                let key = *contacts.key_of(&name)?;
                Ok(Member { name, key })
            });
            let group = Group::new(group, members.collect::<Result<_, Failure>>()?)?;
            home.create(&group)?;
            show(&group, output)
        }
        GroupCommand::Show { group } => show(&home.group(&group)?, output),
        GroupCommand::List => {
            let groups = home.groups()?;
            let text: Vec<&str> = groups.iter().map(Name::as_str).collect();
            if text.is_empty() {
                output.note("no groups");
            }
            output.result(&json!({ "groups": groups }), &text.join("\n"))
        }
        GroupCommand::Export { group, out } => {
            let group = home.group(&group)?;
            create_public(&out, &group.export())?;
            let value = json!({ "group": group.name, "file": shown(&out) });
            output.result(&value, &format!("wrote {}", out.display()))
        }
        GroupCommand::Import { file, named, yes } => import(&file, named, yes, output).await,
        GroupCommand::Remove { group } => {
            home.remove(&group)?;
            let value = json!({ "group": group, "result": "removed" });
            output.result(&value, &format!("removed {group}"))
        }
        GroupCommand::Keygen(args) => keygen::run(&args, network, output).await,
        GroupCommand::Sign(args) => sign::run(&args, network, output).await,
    }
}

fn show(group: &Group, output: &Output) -> Result<(), Failure> {
    output.result(&group_json(group), &group_text(group))
}

/// A group for machines.
pub fn group_json(group: &Group) -> Value {
    let members = group.members().iter();
    let members = members.map(|member| contact_json(&member.name, &member.key));
    let keys: Vec<Value> = group.keys().iter().map(key_json).collect();
    json!({ "group": group.name, "contacts": members.collect::<Vec<_>>(), "keys": keys })
}

fn key_json(key: &GroupKey) -> Value {
    json!({
        "public_key": key.public_key, "threshold": key.threshold, "protocol": key.protocol, "session": key.session,
        "network": key.network, "outcome": key.outcome, "share": key.share.as_deref().map(shown),
    })
}

fn group_text(group: &Group) -> String {
    let mut lines = vec![format!("group      {}", group.name)];
    lines.extend(group.members().iter().map(|member| {
        let contact = contact_text(&member.name, &member.key);
        format!("member     {contact}")
    }));
    lines.extend(group.keys().iter().flat_map(key_text));
    lines.join("\n")
}

fn key_text(key: &GroupKey) -> Vec<String> {
    let share = key.share.as_deref();
    let share = share.map_or_else(|| "none here".into(), |share| share.display().to_string());
    vec![
        format!("key        {}", key.public_key),
        format!(
            "           {} sign with it; made in session {}",
            key.threshold, key.session
        ),
        format!("           share: {share}"),
    ]
}

async fn import(
    file: &Path,
    named: Option<Name>,
    yes: bool,
    output: &Output,
) -> Result<(), Failure> {
    let home = output.home()?;
    let bytes = read_public(file, GROUP_BYTES_MAX)?;
    let read = || {
        let contacts = home.contacts()?;
        Group::import(&bytes, named.clone(), &contacts, |name| home.find(name))
    };
    let bad = |error| Failure::usage(format!("{}: {error}", file.display()));
    let imported = read().map_err(bad)?;
    output.note(&import_text(&imported));
    if !yes {
        let (question, nobody) = ("take it? yes or no: ".into(), "this import: expected --yes");
        output
            .consent(question, nobody, "nothing is changed")
            .await?;
    }
    // Whatever was changed since has to go with what was said yes to.
    let now = read().map_err(bad)?;
    if now != imported {
        return Err(Failure::usage(
            "contacts or groups have changed meanwhile: nothing is changed",
        ));
    }
    home.change_contacts(|all| {
        for Member { name, key } in &imported.strangers {
            all.add(name.clone(), *key)?;
        }
        Ok(())
    })?;
    let group = &imported.group;
    if home.find(&group.name)?.is_none() {
        home.create(group)?;
    } else {
        home.change(&group.name, |known| {
            for key in &imported.new_keys {
                known.add_key(key.clone())?;
            }
            Ok(())
        })?;
    }
    show(group, output)
}

fn import_text(imported: &Imported) -> String {
    let mut lines = vec![group_text(&imported.group)];
    lines.extend(imported.strangers.iter().map(|member| {
        format!(
            "{} is no contact yet: compare the fingerprint with whoever that is",
            member.name
        )
    }));
    let renamed = imported.renamed.iter();
    lines.extend(renamed.map(|(there, here)| format!("{there} in the file is {here} here")));
    let (count, name) = (imported.new_keys.len(), &imported.group.name);
    lines.push(format!("{count} of the keys are new to {name}"));
    lines.join("\n")
}
