//! `white-city eddsa …`: each party runs its own part of a session to the end.

mod aggregate;
mod consent;
mod expected;
pub mod keygen;
mod made;
mod many;
mod party;
mod receipt;
pub mod refresh;
pub mod reshare;
pub mod result;
pub mod share_file;
pub mod sign;

use std::path::Path;

pub use aggregate::load_key;
use serde_json::json;
pub use share_file::ShareFile;
use white_city_client::{files::refuse_existing, vault};
use white_city_eddsa::aggregate::KeyPair;
use zeroize::Zeroizing;

use crate::{
    args::{EddsaCommand, KeyCommand, NetworkArgs, UnlockArgs},
    failure::{Failure, in_file},
    output::{Output, shown},
    presets::aggregate_key,
    unlock,
};

/// Kind of the vaults that hold a single party's signing key.
const SIGNING_KEY: &str = "eddsa-signing-key";

/// Runs a command.
pub async fn run(
    command: EddsaCommand,
    args: &NetworkArgs,
    output: &Output,
) -> Result<(), Failure> {
    match command {
        EddsaCommand::Keygen(keygen_args) => keygen::run(&keygen_args, args, output).await,
        EddsaCommand::Refresh(refresh_args) => refresh::run(&refresh_args, args, output).await,
        EddsaCommand::Reshare(reshare_args) => reshare::run(&reshare_args, args, output).await,
        EddsaCommand::Sign(sign_args) => sign::run(&sign_args, args, output).await,
        EddsaCommand::Key(command) => key(&command, output),
        EddsaCommand::KeyFile { out } => {
            vault::create_key_file(&out).map_err(in_file(&out))?;
            let text = format!("wrote {}", out.display());
            output.result(&json!({ "key_file": shown(&out) }), &text)
        }
    }
}

fn key(command: &KeyCommand, output: &Output) -> Result<(), Failure> {
    let (public_key, file) = match command {
        KeyCommand::New { out, unlock } => (new_key(out, unlock)?, out),
        KeyCommand::Show { file, unlock: args } => {
            (load_key(file, &unlock::vault(args)?)?.public_key(), file)
        }
        KeyCommand::Aggregate { signing_key } => {
            let key = hex::encode(aggregate_key(signing_key)?);
            return output.result(&json!({ "public_key": key }), &key);
        }
    };
    let public_key = hex::encode(public_key);
    let value = json!({ "public_key": public_key, "file": shown(file) });
    output.result(&value, &public_key)
}

fn new_key(out: &Path, args: &UnlockArgs) -> Result<[u8; 32], Failure> {
    refuse_existing(out)?;
    let unlock = unlock::vault(args)?;
    let seed = random()?;
    vault::store(out, SIGNING_KEY, &*seed, &unlock).map_err(in_file(out))?;
    Ok(KeyPair::from_seed(&seed).public_key())
}

fn random() -> Result<Zeroizing<[u8; 32]>, Failure> {
    let mut bytes = Zeroizing::new([0; 32]);
    getrandom::fill(&mut *bytes)
        .map_err(|error| Failure::other(format!("no random bytes: {error}")))?;
    Ok(bytes)
}
