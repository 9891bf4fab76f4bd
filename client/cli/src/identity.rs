//! `white-city identity …`

use std::path::Path;

use serde_json::json;
use white_city_client::{LocalKey, Signer, files::refuse_existing};

use crate::{
    args::{IdentityCommand, MaybeUnlockArgs, ProtectArgs},
    failure::{Failure, in_file},
    output::Output,
    unlock,
};

/// Runs a command.
pub fn run(command: &IdentityCommand, output: &Output) -> Result<(), Failure> {
    let key = match command {
        IdentityCommand::New { out, protect } => new(out, protect)?,
        IdentityCommand::Show { file, unlock } => unlock::only(file, unlock, output)?,
    };
    let public_key = key.identity().to_string();
    output.result(&json!({ "public_key": public_key }), &public_key)
}

fn new(out: &Path, protect: &ProtectArgs) -> Result<LocalKey, Failure> {
    // Before a passphrase is stretched.
    refuse_existing(out)?;
    let unlock = unlock::given(&MaybeUnlockArgs {
        passphrase_file: protect.passphrase_file.clone(),
        key_file: protect.key_file.clone(),
    })?;
    Ok(match unlock {
        Some(unlock) => LocalKey::create(out, &unlock).map_err(in_file(out))?,
        None => LocalKey::create_plain(out).map_err(in_file(out))?,
    })
}
