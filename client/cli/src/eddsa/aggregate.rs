//! Signing all together, each with a key of its own.

use std::path::Path;

use white_city_client::vault::{self, Unlock};
use white_city_eddsa::aggregate::{self, KeyPair};

use super::{
    SIGNING_KEY,
    expected::{self, Given},
    party::Party,
    result::Done,
    sign,
};
use crate::{
    args::SignArgs,
    failure::{Failure, in_file},
    presets::{AggregateInput, read_input},
};

/// Joins the session and runs this party to the end.
pub async fn play(
    party: &mut Party<'_>,
    args: &SignArgs,
    given: &Given,
    unlock: &Unlock,
) -> Result<Done, Failure> {
    let key = load_key(&args.share, unlock)?;
    let input = read_input::<AggregateInput>(party.session.spec())?;
    // The session names the keys, so what is signed under is known before anything is shown to anybody.
    let (keys, public_key) = input.keys()?;
    expected::check_key(&args.expected, &public_key)?;
    let message = input.message.resolve(given.one()?)?;
    let session = party.eddsa_session()?;
    // Before joining, so that nothing that can't run is consented to.
    let started = aggregate::start(session, &key, Some(&keys), &message, party.randomness());
    let started = started.map_err(|error| Failure::usage(error.to_string()))?;
    drop(key);
    party.output.note(&format!(
        "signing under the key {}",
        hex::encode(public_key)
    ));
    party.join().await?;
    let signed = party.run(started).await?;
    sign::finish(party, &signed, &input.message).await
}

/// Reads the key of a single party.
pub fn load_key(path: &Path, unlock: &Unlock) -> Result<KeyPair, Failure> {
    let bytes = vault::load(path, SIGNING_KEY, unlock).map_err(in_file(path))?;
    let seed = <&[u8; 32]>::try_from(bytes.as_slice())
        .map_err(|_| Failure::usage(format!("{}: not a signing key", path.display())))?;
    Ok(KeyPair::from_seed(seed))
}
