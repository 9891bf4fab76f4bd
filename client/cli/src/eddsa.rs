//! `white-city eddsa …`: each party runs its own part of a session to the end.

mod aggregate;
mod expected;
mod keygen;
mod party;
mod share_file;
mod sign;

use std::path::Path;

use serde_json::json;
use white_city_client::{files::refuse_existing, vault};
use white_city_eddsa::aggregate::KeyPair;
use zeroize::Zeroizing;

use crate::{
    args::{EddsaCommand, KeyCommand, NetworkArgs, SignArgs, UnlockArgs},
    failure::Failure,
    network,
    output::Output,
    presets::{AGGREGATE, SIGN},
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
        EddsaCommand::Sign(sign_args) => run_sign(&sign_args, args, output).await,
        EddsaCommand::Key(KeyCommand::New { out, unlock }) => new_key(&out, &unlock, output),
        EddsaCommand::KeyFile { out } => {
            vault::create_key_file(&out)?;
            let text = format!("wrote {}", out.display());
            output.result(&json!({ "key_file": out }), &text);
            Ok(())
        }
    }
}

/// Which of the two ways of signing, the session's protocol says.
async fn run_sign(args: &SignArgs, network: &NetworkArgs, output: &Output) -> Result<(), Failure> {
    let unlock = unlock::vault(&args.unlock)?;
    let key = unlock::identity(&args.party.identity, Some(&unlock))?;
    let client = network::signing(network, key)?;
    let mut party = party::Party::enter(&client, &args.party, &unlock, output).await?;
    let result = match party.protocol() {
        SIGN => sign::run(&mut party, args, &unlock).await,
        AGGREGATE => aggregate::run(&mut party, args, &unlock).await,
        other => Err(Failure::usage(format!(
            "the session runs {other:?}, expected {SIGN:?} or {AGGREGATE:?}"
        ))),
    };
    party.close(result)
}

fn new_key(out: &Path, args: &UnlockArgs, output: &Output) -> Result<(), Failure> {
    refuse_existing(out)?;
    let unlock = unlock::vault(args)?;
    let seed = random()?;
    let public_key = hex::encode(KeyPair::from_seed(&seed).public_key());
    vault::store(out, SIGNING_KEY, &*seed, &unlock)?;
    output.result(
        &json!({ "public_key": public_key, "key": out }),
        &public_key,
    );
    Ok(())
}

fn random() -> Result<Zeroizing<[u8; 32]>, Failure> {
    let mut bytes = Zeroizing::new([0; 32]);
    getrandom::fill(&mut *bytes)
        .map_err(|error| Failure::other(format!("no random bytes: {error}")))?;
    Ok(bytes)
}
