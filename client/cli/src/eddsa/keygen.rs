//! Making a key together.

use white_city_client::{Client, vault::Unlock};
use white_city_eddsa::keygen;

use super::{
    consent::{self, Wanted},
    made,
    party::Party,
    receipt,
    result::Done,
    share_file::{self, ShareFile},
};
use crate::{
    args::{KeygenArgs, NetworkArgs},
    failure::Failure,
    network,
    output::Output,
    presets::{KEYGEN, KeygenInput, read_input},
    unlock,
};

/// Makes a key; gives what an earlier run of the same command has made once more.
pub async fn run(args: &KeygenArgs, network: &NetworkArgs, output: &Output) -> Result<(), Failure> {
    let unlock = unlock::vault(&args.unlock)?;
    // Before anything is asked for.
    let earlier = share_file::made(&args.out, &unlock, args.session.session)?;
    let key = unlock::identity(&args.session.identity, Some(&unlock), output)?;
    let client = network::signing(network, &args.session.identity.identity, key)?;
    let done = make(&client, args, earlier, &unlock, output).await?;
    done.deliver(output)
}

/// Joins the session and runs this party to the end; gives the share that an earlier run has made once more.
pub async fn make(
    client: &Client,
    args: &KeygenArgs,
    earlier: Option<ShareFile>,
    unlock: &Unlock,
    output: &Output,
) -> Result<Done, Failure> {
    receipt::check_free(&args.session)?;
    if let Some(share) = earlier {
        return Ok(made::again(client, &args.session, &args.out, (&share, unlock), output).await);
    }
    let mut party = Party::enter(client, &args.session, unlock, output).await?;
    let played = play(&mut party, args, unlock).await;
    party.close(played).await
}

async fn play(party: &mut Party<'_>, args: &KeygenArgs, unlock: &Unlock) -> Result<Done, Failure> {
    party.check_protocol(KEYGEN)?;
    let spec = party.session.spec();
    let (quorum, input) = (spec.quorum, read_input::<KeygenInput>(spec)?);
    let degree = input.threshold.saturating_sub(1);
    // Before joining, so that nothing that can't run is consented to.
    let started = keygen::start(party.eddsa_session()?, degree, quorum, party.randomness());
    let started = started.map_err(|error| Failure::usage(error.to_string()))?;
    let roster = &party.session.spec().roster;
    let wanted = Wanted {
        name: "this key generation",
        what: "the parties that make the key",
        missing: None,
        threshold: input.threshold,
        holders: roster,
        question: format!(
            "make a key with these {} parties, of whom {} can sign? yes or no: ",
            roster.len(),
            input.threshold
        ),
    };
    let given = (args.threshold, &*args.party);
    consent::to_holders(&party.session, wanted, given, party.output).await?;
    party.join().await?;
    let share = party.run(started).await?;

    let share = ShareFile {
        session: party.session.id(),
        roster: party.session.spec().roster.clone(),
        share,
    };
    made::finish(party, share, &args.out, unlock).await
}
