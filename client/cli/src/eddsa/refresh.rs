//! Refreshing the shares of a key.

use white_city_client::{Client, vault::Unlock};
use white_city_eddsa::refresh;

use super::{
    made,
    party::Party,
    receipt,
    result::Done,
    share_file::{self, ShareFile},
    sign,
};
use crate::{
    args::{NetworkArgs, RefreshArgs},
    failure::Failure,
    network,
    output::Output,
    presets::{REFRESH, RefreshInput, read_input},
    unlock,
};

/// Refreshes this party's share; gives what an earlier run of the same command has made once more.
pub async fn run(
    args: &RefreshArgs,
    network: &NetworkArgs,
    output: &Output,
) -> Result<(), Failure> {
    let unlock = unlock::vault(&args.unlock)?;
    // Before anything is asked for.
    let earlier = share_file::made(&args.out, &unlock, args.session.session)?;
    let key = unlock::identity(&args.session.identity, Some(&unlock), output)?;
    let client = network::signing(network, &args.session.identity.identity, key)?;
    let done = make(&client, args, earlier, &unlock, output).await?;
    output.note(&format!(
        "delete {} once no session signs with it any more: until then whoever gets enough old shares has the key",
        args.share.display()
    ));
    done.deliver(output)
}

/// Joins the session and runs this party to the end; gives the share that an earlier run has made once more.
pub async fn make(
    client: &Client,
    args: &RefreshArgs,
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

async fn play(party: &mut Party<'_>, args: &RefreshArgs, unlock: &Unlock) -> Result<Done, Failure> {
    party.check_protocol(REFRESH)?;
    let old = ShareFile::load(&args.share, unlock)?;
    let spec = party.session.spec();
    let input = read_input::<RefreshInput>(spec)?;
    party.check_all_of("a refresh", "it refreshes")?;
    let holders = sign::places(spec, &old, &input.public_key)?;
    // Before joining, so that nothing that can't run is consented to.
    let randomness = party.randomness();
    let started = refresh::start(party.eddsa_session()?, &old.share, &holders, randomness);
    let started = started.map_err(|error| Failure::usage(error.to_string()))?;
    let roster = old.roster.clone();
    drop(old);
    party.join().await?;
    let share = party.run(started).await?;
    let share = ShareFile {
        session: party.session.id(),
        roster,
        share,
    };
    made::finish(party, share, &args.out, unlock).await
}
