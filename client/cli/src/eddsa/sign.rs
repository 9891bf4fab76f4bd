//! Signing with a shared key.

use serde_json::{Value, json};
use white_city_client::{Client, Hash, IdentityKey, SessionId, Spec, vault::Unlock};
use white_city_eddsa::{Signed, sign};

use super::{
    aggregate,
    expected::{self, Given},
    many,
    party::Party,
    receipt,
    result::{self, Done},
    share_file::ShareFile,
};
use crate::{
    args::{NetworkArgs, SignArgs},
    failure::Failure,
    message::Named,
    network,
    output::Output,
    presets::{AGGREGATE, SIGN, SIGN_MANY, SignInput, read_input},
    unlock,
};

/// Signs; gives what an earlier run of the same command has signed once more.
pub async fn run(args: &SignArgs, network: &NetworkArgs, output: &Output) -> Result<(), Failure> {
    let unlock = unlock::vault(&args.unlock)?;
    // Before anything is asked for.
    let signing = Signing::read(args)?;
    let key = unlock::identity(&args.party.identity, Some(&unlock), output)?;
    let client = network::signing(network, &args.party.identity.identity, key)?;
    let done = make(&client, args, signing, &unlock, output).await?;
    done.deliver(output)
}

/// What is known before anything is asked of anybody.
pub struct Signing {
    given: Given,
    /// What an earlier run of the same command has signed.
    earlier: Option<Done>,
}

impl Signing {
    /// Reads it.
    pub fn read(args: &SignArgs) -> Result<Self, Failure> {
        let given = Given::read(&args.expected)?;
        let earlier = result::earlier(&args.party, &args.expected, &given)?;
        Ok(Self { given, earlier })
    }
}

/// Joins the session and runs this party to the end; gives what an earlier run has signed once more.
pub async fn make(
    client: &Client,
    args: &SignArgs,
    Signing { given, earlier }: Signing,
    unlock: &Unlock,
    output: &Output,
) -> Result<Done, Failure> {
    receipt::check_free(&args.party)?;
    if let Some(done) = earlier {
        result::tidy_up(client, &args.party, unlock, output).await;
        return Ok(done);
    }
    let mut party = Party::enter(client, &args.party, unlock, output).await?;
    let played = match party.protocol() {
        SIGN => play(&mut party, args, &given, unlock).await,
        SIGN_MANY => many::play(&mut party, args, &given, unlock).await,
        // Which of the two ways of signing, the session's protocol says.
        AGGREGATE => aggregate::play(&mut party, args, &given, unlock).await,
        other => Err(Failure::usage(format!(
            "the session runs {other:?}, expected {SIGN:?}, {SIGN_MANY:?} or {AGGREGATE:?}"
        ))),
    };
    if let Ok(done) = &played
        && let Err(failure) = result::keep(&args.party, done)
    {
        // Then the journal is what gives it once more.
        output.warning(&format!("the signature isn't kept: {}", failure.text));
        return played;
    }
    party.close(played).await
}

/// Joins the session and runs this party to the end.
async fn play(
    party: &mut Party<'_>,
    args: &SignArgs,
    given: &Given,
    unlock: &Unlock,
) -> Result<Done, Failure> {
    let share = ShareFile::load(&args.share, unlock)?;
    let spec = party.session.spec();
    let input = read_input::<SignInput>(spec)?;
    expected::check_key(&args.expected, &input.public_key.0)?;
    let message = input.message.resolve(given.one()?)?;
    let signers = places(spec, &share, &input.public_key)?;
    let session = party.eddsa_session()?;
    // Before joining, so that nothing that can't run is consented to.
    let randomness = party.randomness();
    let started = sign::start(session, &share.share, &signers, &message, randomness);
    let started = started.map_err(|error| Failure::usage(error.to_string()))?;
    drop(share);
    party.join().await?;
    let signed = party.run(started).await?;
    finish(party, &signed, &input.message).await
}

/// Finishes with the signature as outcome, and gives it once the others agree.
pub async fn finish(
    party: &mut Party<'_>,
    signed: &Signed,
    message: &Named,
) -> Result<Done, Failure> {
    warn_of(&signed.culprits, party.output);
    let signature = hex::encode(signed.signature);
    let mut value = json!({
        "signature": signature,
        "public_key": hex::encode(signed.public_key),
        "culprits": signed.culprits,
    });
    if let (Value::Object(value), Ok(Value::Object(named))) =
        (&mut value, serde_json::to_value(message))
    {
        value.extend(named);
    }
    let done = Done {
        value,
        text: signature,
    };
    agree(party, signed.outcome(), done).await
}

/// Says who sent partial signatures that were wrong and not needed.
pub fn warn_of(culprits: &[u16], output: &Output) {
    if !culprits.is_empty() {
        let culprits: Vec<String> = culprits.iter().map(u16::to_string).collect();
        output.warning(&format!(
            "wrong partial signatures, which weren't needed, from: {}",
            culprits.join(", ")
        ));
    }
}

/// Finishes with this outcome, and gives what was signed once the others agree.
pub async fn agree(party: &mut Party<'_>, outcome: [u8; 32], done: Done) -> Result<Done, Failure> {
    match party.finish(outcome).await {
        Ok(()) => Ok(done),
        Err(failure) if failure.is_waiting() => Err(failure),
        Err(failure) => {
            party
                .output
                .warning("the session didn't finish, but what was signed exists and is valid");
            party.output.result(&done.value, &done.text)?;
            party.result_is_safe(outcome);
            Err(failure)
        }
    }
}

/// Checks that the session is about this share of this key, and gives its parties' indices in the roster that made the key.
pub fn places(spec: &Spec, share: &ShareFile, key: &Hash) -> Result<Vec<u16>, Failure> {
    places_of(spec.roster.iter(), spec, share, key)
}

/// Checks that the session is about this share of this key, and gives the indices of these parties in the roster that made the key.
pub fn places_of<'a>(
    parties: impl Iterator<Item = &'a IdentityKey>,
    spec: &Spec,
    share: &ShareFile,
    key: &Hash,
) -> Result<Vec<u16>, Failure> {
    if key.0 != share.share.public_key() {
        return Err(Failure::usage(format!(
            "the session is about the key {key}, the share belongs to {}",
            hex::encode(share.share.public_key())
        )));
    }
    if spec.prev_session != SessionId::ZERO && spec.prev_session != share.session {
        return Err(Failure::usage(format!(
            "the session continues {}, the share was made in {}",
            spec.prev_session, share.session
        )));
    }
    let places = parties.map(|key| {
        let stranger = || Failure::usage(format!("{key} was not in the roster that made the key"));
        share.index_of(key).ok_or_else(stranger)
    });
    places.collect()
}
