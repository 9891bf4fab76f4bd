//! Making a key together.

use serde_json::json;
use white_city_client::vault::Unlock;
use white_city_eddsa::keygen;

use super::{party::Party, share_file, share_file::ShareFile};
use crate::{
    args::{KeygenArgs, NetworkArgs},
    failure::Failure,
    network,
    output::Output,
    presets::{KEYGEN, KeygenInput, read_input},
    unlock,
};

/// Joins a session and runs this party to the end.
pub async fn run(args: &KeygenArgs, network: &NetworkArgs, output: &Output) -> Result<(), Failure> {
    let unlock = unlock::vault(&args.unlock)?;
    share_file::check_free(&args.out, &unlock, args.party.session)?;
    let key = unlock::identity(&args.party.identity, Some(&unlock))?;
    let client = network::signing(network, key)?;
    let mut party = Party::enter(&client, &args.party, &unlock, output).await?;
    let result = play(&mut party, args, &unlock).await;
    party.close(result)
}

async fn play(party: &mut Party<'_>, args: &KeygenArgs, unlock: &Unlock) -> Result<(), Failure> {
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
    party.join().await?;

    let inbox = party.exchange(outgoing).await?;
    let closed = round.close(&inbox.broadcasts);
    let (round, outgoing) = party.checked(closed).await?;
    let inbox = party.exchange(outgoing).await?;
    let shares = inbox.p2p.iter().map(|(from, share)| (*from, &***share));
    let closed = round.close(&inbox.broadcasts, &shares.collect());
    let share = party.checked(closed).await?;

    let (outcome, public_key) = (share.outcome(), hex::encode(share.public_key()));
    let share = ShareFile {
        session: party.session.id(),
        roster: party.session.spec().roster.clone(),
        share,
    };
    let pending = share.store_pending(&args.out, unlock)?;
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
    let result = json!({
        "public_key": public_key, "share": args.out, "session": party.session.id(),
    });
    party.output.result(&result, &public_key);
    Ok(())
}
