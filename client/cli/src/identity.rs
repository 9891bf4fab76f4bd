//! `white-city identity …`

use serde_json::json;
use white_city_client::{LocalKey, Signer};

use crate::{args::IdentityCommand, failure::Failure, output::Output};

/// Runs a command.
pub fn run(command: &IdentityCommand, output: &Output) -> Result<(), Failure> {
    let key = match command {
        IdentityCommand::New { out } => LocalKey::create(out)?,
        IdentityCommand::Show { file } => LocalKey::load(file)?,
    };
    let public_key = key.identity().to_string();
    output.result(&json!({ "public_key": public_key }), &public_key)
}
