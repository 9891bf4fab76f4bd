//! The result that a party has in the end, safe before it is printed and before the journal goes.

use std::path::PathBuf;

use serde_json::Value;
use white_city_client::{
    Client,
    files::{create_secret, read_secret},
    vault::Unlock,
};

use crate::{
    args::{ExpectedArgs, PartyArgs},
    failure::Failure,
    journal,
    output::Output,
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

/// The signature that an earlier run has kept, if it is the one that is expected.
pub fn earlier(
    args: &PartyArgs,
    expected: &ExpectedArgs,
    given: Option<&[u8]>,
) -> Result<Option<Done>, Failure> {
    let path = kept(args);
    if !path.exists() {
        return Ok(None);
    }
    let bad = |what: &str| Failure::usage(format!("{}: {what}", path.display()));
    let bytes = read_secret(&path, BYTES_MAX)?;
    let value: Value = serde_json::from_slice(&bytes).map_err(|error| bad(&error.to_string()))?;
    let text = |field: &str| value.get(field).and_then(Value::as_str);
    let (Some(signature), Some(key)) = (text("signature"), text("public_key")) else {
        return Err(bad("expected a signature that an earlier run has made"));
    };
    let named = serde_json::from_value::<crate::message::Named>(value.clone());
    let named = named.map_err(|error| bad(&error.to_string()))?;
    if let Some(given) = given {
        named.resolve(Some(given.to_vec()))?;
    }
    let key = crate::args::hex32(key).map_err(|error| bad(&error))?;
    super::expected::check_key(expected, &key)?;
    let text = signature.to_owned();
    Ok(Some(Done { value, text }))
}

/// Removes the journal that an earlier run has left behind with its result safe.
pub async fn end_journal(client: &Client, args: &PartyArgs, unlock: &Unlock, output: &Output) {
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
