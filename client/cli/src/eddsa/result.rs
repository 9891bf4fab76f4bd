//! The result that a party has in the end, safe before it is printed and before the journal goes.

use std::path::PathBuf;

use serde::Deserialize;
use serde_json::Value;
use white_city_client::{
    Client,
    files::{create_secret, read_secret},
    vault::Unlock,
};

use super::{expected::Given, receipt};
use crate::{
    args::{ExpectedArgs, PartyArgs},
    failure::Failure,
    journal,
    message::Named,
    output::Output,
    presets::SignManyInput,
};

/// Largest kept result, bytes.
const BYTES_MAX: u64 = 1 << 20;

/// A result: one object, and one line for people.
pub struct Done {
    /// For machines.
    pub value: Value,
    /// For people.
    pub text: String,
}

impl Done {
    /// Prints it. Where that fails the result isn't lost.
    pub fn deliver(&self, output: &Output) -> Result<(), Failure> {
        output.result(&self.value, &self.text).map_err(|failure| {
            Failure::other(format!(
                "{}; the same command gives the result once more",
                failure.text
            ))
        })
    }
}

fn journal_of(args: &PartyArgs) -> PathBuf {
    journal::name(args.journal.as_ref(), &args.identity.identity, args.session)
}

/// The file in which the result of a signing session is kept: beside its journal.
fn kept(args: &PartyArgs) -> PathBuf {
    let mut name = journal_of(args).into_os_string();
    name.push(".result");
    name.into()
}

/// Keeps a signature for a run of the same command that comes after the journal has gone.
pub fn keep(args: &PartyArgs, done: &Done) -> Result<(), Failure> {
    let path = kept(args);
    if path.exists() {
        return Ok(());
    }
    Ok(create_secret(&path, done.value.to_string().as_bytes())?)
}

/// What an earlier run has signed and kept, if it is the one that is expected.
pub fn earlier(
    args: &PartyArgs,
    expected: &ExpectedArgs,
    given: &Given,
) -> Result<Option<Done>, Failure> {
    let path = kept(args);
    if !path.exists() {
        return Ok(None);
    }
    let bad = |what: &str| Failure::usage(format!("{}: {what}", path.display()));
    let bytes = read_secret(&path, BYTES_MAX)?;
    let value: Value = serde_json::from_slice(&bytes).map_err(|error| bad(&error.to_string()))?;
    let text = |field: &str| value.get(field).and_then(Value::as_str);
    let none = || bad("expected what an earlier run has signed");
    let key = crate::args::hex32(text("public_key").ok_or_else(none)?);
    super::expected::check_key(expected, &key.map_err(|error| bad(&error))?)?;
    let text = match (text("signature"), value.get("signatures")) {
        (Some(signature), _) => {
            let named = serde_json::from_value::<Named>(value.clone());
            let named = named.map_err(|error| bad(&error.to_string()))?;
            if let Some(given) = given.one()? {
                named.resolve(Some(given))?;
            }
            signature.to_owned()
        }
        (None, Some(Value::Array(signatures))) => {
            let input =
                SignManyInput::deserialize(&value).map_err(|error| bad(&error.to_string()))?;
            input.messages(given.many()?)?;
            let signatures: Vec<&str> = signatures.iter().filter_map(Value::as_str).collect();
            signatures.join("\n")
        }
        _ => return Err(none()),
    };
    Ok(Some(Done { value, text }))
}

/// Does what an earlier run with its result safe has left undone: the receipt that is wanted, and the journal's end.
pub async fn tidy_up(client: &Client, args: &PartyArgs, unlock: &Unlock, output: &Output) {
    receipt::keep_again(client, args, output).await;
    let path = journal_of(args);
    if !path.exists() {
        return;
    }
    let ended = async {
        let session = client.resume_locked(args.session, &path, unlock);
        session.await?.forget()
    };
    if let Err(error) = ended.await {
        output.warning(&format!("the journal stays: {error}"));
    }
}
