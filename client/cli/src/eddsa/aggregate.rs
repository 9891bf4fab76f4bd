//! Signing all together, each with a key of its own.

use std::path::Path;

use white_city_client::vault::{self, Unlock};
use white_city_eddsa::aggregate::{self, KeyPair};

use super::{SIGNING_KEY, expected, party::Party, sign};
use crate::{
    args::SignArgs,
    failure::Failure,
    presets::{AggregateInput, read_input},
};

/// Joins the session and runs this party to the end.
pub async fn run(party: &mut Party<'_>, args: &SignArgs, unlock: &Unlock) -> Result<(), Failure> {
    let key = load_key(&args.share, unlock)?;
    let input = read_input::<AggregateInput>(party.session.spec())?;
    let message = sign::message(&input.message_hex)?;
    expected::check(&args.expected, &message, None)?;
    let session = party.eddsa_session()?;
    // Before joining, so that nothing that can't run is consented to.
    let (round, outgoing) = aggregate::start(session, &key, None, &message, party.randomness())
        .map_err(|error| Failure::usage(error.to_string()))?;
    drop(key);
    party.join().await?;

    let inbox = party.exchange(outgoing).await?;
    let closed = round.close(&inbox.broadcasts);
    let (round, outgoing) = party.checked(closed).await?;
    let public_key = hex::encode(round.key().public_key());
    party
        .output
        .note(&format!("signing under the key {public_key}"));
    let inbox = party.exchange(outgoing).await?;
    let closed = round.close(&inbox.broadcasts);
    let (round, outgoing) = party.checked(closed).await?;
    let inbox = party.exchange(outgoing).await?;
    let closed = round.close(&inbox.broadcasts);
    let signed = party.checked(closed).await?;
    sign::finish(party, &signed, &message).await
}

fn load_key(path: &Path, unlock: &Unlock) -> Result<KeyPair, Failure> {
    let bytes = vault::load(path, SIGNING_KEY, unlock)?;
    let seed = <&[u8; 32]>::try_from(bytes.as_slice())
        .map_err(|_| Failure::usage(format!("{}: not a signing key", path.display())))?;
    Ok(KeyPair::from_seed(seed))
}
