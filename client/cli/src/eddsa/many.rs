//! Signing many messages with a shared key, in one session.

use serde_json::json;
use white_city_client::vault::Unlock;
use white_city_eddsa::sign::many;

use super::{
    expected::{self, Given},
    party::Party,
    result::Done,
    share_file::ShareFile,
    sign,
};
use crate::{
    args::SignArgs,
    failure::Failure,
    presets::{SignManyInput, read_input},
};

/// Joins the session and runs this party to the end.
pub async fn play(
    party: &mut Party<'_>,
    args: &SignArgs,
    given: &Given,
    unlock: &Unlock,
) -> Result<Done, Failure> {
    let share = ShareFile::load(&args.share, unlock)?;
    let spec = party.session.spec();
    let input = read_input::<SignManyInput>(spec)?;
    expected::check_key(&args.expected, &input.public_key.0)?;
    let messages = input.messages(given.many()?)?;
    let signers = sign::places(spec, &share, &input.public_key)?;
    let (session, randomness) = (party.eddsa_session()?, party.randomness());
    // Before joining, so that nothing that can't run is consented to.
    let started = many::start(&session, &share.share, &signers, &messages, randomness);
    let started = started.map_err(|error| Failure::usage(error.to_string()))?;
    drop(share);
    party.join().await?;
    let signed = party.run(started).await?;
    let culprits = signed.culprits();
    sign::warn_of(&culprits, party.output);
    let signatures: Vec<String> = signed
        .signed()
        .iter()
        .map(|one| hex::encode(one.signature))
        .collect();
    let done = Done {
        text: signatures.join("\n"),
        value: json!({
            "signatures": signatures,
            "public_key": input.public_key,
            "culprits": culprits,
            "messages_hex": input.messages_hex,
        }),
    };
    sign::agree(party, signed.outcome(), done).await
}
