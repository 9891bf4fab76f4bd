//! `white-city contacts …`

use serde_json::{Value, json};
use white_city_client::{
    IdentityKey,
    groups::{Name, fingerprint},
};

use crate::{
    args::{ContactsCommand, Whom},
    failure::Failure,
    output::Output,
};

/// Runs a command.
pub fn run(command: ContactsCommand, output: &Output) -> Result<(), Failure> {
    let home = output.home()?;
    match command {
        ContactsCommand::Add { name, key } => {
            let added = home.change_contacts(|all| all.add(name.clone(), key))?;
            let how = if added { "added" } else { "known" };
            said(&name, &key, Some(how), output)
        }
        ContactsCommand::Remove { name } => {
            let key = home.change_contacts(|all| all.remove(&name))?;
            said(&name, &key, Some("removed"), output)
        }
        ContactsCommand::Show { whom } => {
            let contacts = home.contacts()?;
            let (name, key) = match whom {
                Whom::Name(name) => (name.clone(), *contacts.key_of(&name)?),
                Whom::Key(key) => {
                    let name = contacts.name_of(&key).cloned();
                    let unknown = || Failure::usage(format!("no contact has the key {key}"));
                    (name.ok_or_else(unknown)?, *key)
                }
            };
            said(&name, &key, None, output)
        }
        ContactsCommand::List => {
            let contacts = home.contacts()?;
            let lines = contacts.iter().map(|(name, key)| contact_text(name, key));
            let text: Vec<String> = lines.collect();
            if text.is_empty() {
                output.note("no contacts");
            }
            let values = contacts.iter().map(|(name, key)| contact_json(name, key));
            let value = json!({ "contacts": values.collect::<Vec<_>>() });
            output.result(&value, &text.join("\n"))
        }
    }
}

/// A contact for machines.
pub fn contact_json(name: &Name, key: &IdentityKey) -> Value {
    json!({ "name": name, "key": key.to_string(), "fingerprint": fingerprint(key) })
}

/// A contact for people.
pub fn contact_text(name: &Name, key: &IdentityKey) -> String {
    format!("{name:<12} {}  {key}", fingerprint(key))
}

fn said(name: &Name, key: &IdentityKey, how: Option<&str>, output: &Output) -> Result<(), Failure> {
    let mut value = contact_json(name, key);
    if let (Value::Object(value), Some(how)) = (&mut value, how) {
        value.insert("result".into(), how.into());
    }
    let how = how.map_or_else(String::new, |how| format!("{how:<8} "));
    output.result(&value, &format!("{how}{}", contact_text(name, key)))
}
