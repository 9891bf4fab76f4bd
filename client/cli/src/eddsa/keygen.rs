//! Making a key together.

use serde_json::json;
use white_city_client::{Client, Observer, SessionId, vault::Unlock};
use white_city_eddsa::keygen;

use super::{
    consent,
    party::Party,
    result::{self, Done},
    share_file::{self, ShareFile},
};
use crate::{
    args::{KeygenArgs, NetworkArgs},
    failure::Failure,
    network,
    output::{Output, shown},
    presets::{KEYGEN, KeygenInput, read_input},
    progress::parties,
    unlock,
};

/// Makes a key; gives what an earlier run of the same command has made once more.
pub async fn run(args: &KeygenArgs, network: &NetworkArgs, output: &Output) -> Result<(), Failure> {
    let unlock = unlock::vault(&args.unlock)?;
    // Before anything is asked for.
    share_file::made(&args.out, &unlock, args.session.session)?;
    let key = unlock::identity(&args.session.identity, Some(&unlock), output)?;
    let client = network::signing(network, &args.session.identity.identity, key)?;
    make(&client, args, &unlock, output).await?.deliver(output)
}

/// Joins the session and runs this party to the end; gives what an earlier run has made once more.
pub async fn make(
    client: &Client,
    args: &KeygenArgs,
    unlock: &Unlock,
    output: &Output,
) -> Result<Done, Failure> {
    if let Some(share) = share_file::made(&args.out, unlock, args.session.session)? {
        result::end_journal(client, &args.session, unlock, output).await;
        // Nobody can say any more who has no share once the session is erased.
        let observer = client.observe(args.session.session).await.ok();
        return Ok(done(args, &Key::of(&share), observer.as_ref(), output));
    }
    let mut party = Party::enter(client, &args.session, unlock, output).await?;
    let played = play(&mut party, args, unlock).await;
    party.close(played)
}

async fn play(party: &mut Party<'_>, args: &KeygenArgs, unlock: &Unlock) -> Result<Done, Failure> {
    if party.protocol() != KEYGEN {
        return Err(Failure::usage(format!(
            "the session runs {:?}, expected {KEYGEN:?}",
            party.protocol()
        )));
    }
    let spec = party.session.spec();
    let (quorum, input) = (spec.quorum, read_input::<KeygenInput>(spec)?);
    let degree = input.threshold.saturating_sub(1);
    // Before joining, so that nothing that can't run is consented to.
    let (round, outgoing) =
        keygen::start(party.eddsa_session()?, degree, quorum, party.randomness())
            .map_err(|error| Failure::usage(error.to_string()))?;
    consent::to_keygen(&party.session, input.threshold, args, party.output).await?;
    party.join().await?;

    let inbox = party.exchange(outgoing).await?;
    let closed = round.close(&inbox.broadcasts);
    let (round, outgoing) = party.checked(closed).await?;
    let inbox = party.exchange(outgoing).await?;
    let shares = inbox.p2p.iter().map(|(from, share)| (*from, &***share));
    let closed = round.close(&inbox.broadcasts, &shares.collect());
    let share = party.checked(closed).await?;

    let outcome = share.outcome();
    let share = ShareFile {
        session: party.session.id(),
        roster: party.session.spec().roster.clone(),
        share,
    };
    let pending = share.store_pending(&args.out, unlock)?;
    let key = Key::of(&share);
    drop(share);
    party.result_is_safe(outcome);
    if let Err(mut failure) = party.finish(outcome).await {
        if failure.is_waiting() {
            return Err(failure);
        }
        failure.text = format!(
            "{} (the share is kept in {}: others may have seen the session finish)",
            failure.text,
            pending.path().display()
        );
        return Err(failure);
    }
    pending.confirm()?;
    Ok(done(args, &key, Some(&party.session), party.output))
}

/// The part of a share that anybody may know.
struct Key {
    session: SessionId,
    public_key: [u8; 32],
    parties: u16,
    signers_min: u16,
}

impl Key {
    fn of(share: &ShareFile) -> Self {
        Self {
            session: share.session,
            public_key: share.share.public_key(),
            parties: share.share.parties(),
            signers_min: share.share.signers_min(),
        }
    }
}

/// The key, and who may have no share of it: whoever didn't finish with the others has told nobody that it has one.
fn done(args: &KeygenArgs, key: &Key, observer: Option<&Observer>, output: &Output) -> Done {
    let public_key = hex::encode(key.public_key);
    let finished = observer.map(Observer::finished);
    let without: Option<Vec<u16>> = finished.map(|finished| {
        let all = 0..key.parties;
        all.filter(|index| !finished.contains(index)).collect()
    });
    if let Some(without) = without.as_ref().filter(|without| !without.is_empty()) {
        output.warning(&format!(
            "no share was confirmed by parties {}: they may have none, and it takes {} to sign",
            parties(without),
            key.signers_min
        ));
    }
    let value = json!({
        "public_key": public_key,
        "share": shown(&args.out),
        "session": key.session,
        "without_share": without,
    });
    Done {
        value,
        text: public_key,
    }
}
