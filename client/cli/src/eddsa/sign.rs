//! Signing with a shared key.

use std::collections::BTreeSet;

use serde_json::json;
use white_city_client::{SessionId, Spec, vault::Unlock};
use white_city_eddsa::{Signed, sign};

use super::{expected, party::Party, share_file::ShareFile};
use crate::{
    args::SignArgs,
    failure::Failure,
    presets::{SignInput, read_input},
};

/// Joins the session and runs this party to the end.
pub async fn run(party: &mut Party<'_>, args: &SignArgs, unlock: &Unlock) -> Result<(), Failure> {
    let share = ShareFile::load(&args.share, unlock)?;
    let spec = party.session.spec();
    let input = read_input::<SignInput>(spec)?;
    let message = message(&input.message_hex)?;
    expected::check(&args.expected, &message, Some(&input.public_key.0))?;
    let signers = signers(spec, &share, &input)?;
    let session = party.eddsa_session()?;
    // Before joining, so that nothing that can't run is consented to.
    let (round, outgoing) = sign::start(
        session,
        &share.share,
        &signers,
        &message,
        party.randomness(),
    )
    .map_err(|error| Failure::usage(error.to_string()))?;
    drop(share);
    party.join().await?;

    let inbox = party.exchange(outgoing).await?;
    let closed = round.close(&inbox.broadcasts);
    let (round, outgoing) = party.checked(closed).await?;
    let inbox = party.exchange(outgoing).await?;
    let shares = inbox.p2p.iter().map(|(from, share)| (*from, &***share));
    let closed = round.close(&inbox.broadcasts, &shares.collect());
    let round = party.checked(closed).await?;
    // An empty round: whoever is shown another history can't get past it, and no partial signature is out yet.
    let inbox = party.exchange(Default::default()).await?;
    let confirmed: BTreeSet<u16> = inbox.posted.iter().copied().collect();
    let closed = round.close(&confirmed);
    let (round, outgoing) = party.checked(closed).await?;
    let inbox = party.exchange(outgoing).await?;
    let closed = round.close(&inbox.broadcasts);
    let signed = party.checked(closed).await?;
    finish(party, &signed, &message).await
}

/// Finishes with the signature as outcome, and prints it once the others agree.
pub async fn finish(party: &mut Party<'_>, signed: &Signed, message: &[u8]) -> Result<(), Failure> {
    if !signed.culprits.is_empty() {
        let culprits: Vec<String> = signed.culprits.iter().map(u16::to_string).collect();
        party.output.warning(&format!(
            "wrong partial signatures, which weren't needed, from: {}",
            culprits.join(", ")
        ));
    }
    let signature = hex::encode(signed.signature);
    let finished = party.finish(signed.outcome()).await;
    if finished.as_ref().is_err_and(|failure| failure.is_waiting()) {
        return finished;
    }
    if finished.is_err() {
        party
            .output
            .warning("the session didn't finish, but the signature exists and is valid");
    }
    let result = json!({
        "signature": signature,
        "public_key": hex::encode(signed.public_key),
        "message_hex": hex::encode(message),
        "culprits": signed.culprits,
    });
    party.output.result(&result, &signature);
    party.result_is_safe(signed.outcome());
    finished
}

/// The bytes of a message in hex.
pub fn message(hex: &str) -> Result<Vec<u8>, Failure> {
    hex::decode(hex).map_err(|_| Failure::usage("the session's message_hex isn't hex"))
}

/// Checks that the session signs with this share's key, and gives its parties' indices in the roster that made the key.
fn signers(spec: &Spec, share: &ShareFile, input: &SignInput) -> Result<Vec<u16>, Failure> {
    if input.public_key.0 != share.share.public_key() {
        return Err(Failure::usage(format!(
            "the session signs with the key {}, the share belongs to {}",
            input.public_key,
            hex::encode(share.share.public_key())
        )));
    }
    if spec.prev_session != SessionId::ZERO && spec.prev_session != share.session {
        return Err(Failure::usage(format!(
            "the session continues {}, the share was made in {}",
            spec.prev_session, share.session
        )));
    }
    let signers = spec.roster.iter().map(|key| {
        let stranger = || Failure::usage(format!("{key} was not in the roster that made the key"));
        share.index_of(key).ok_or_else(stranger)
    });
    signers.collect()
}
