//! Giving a key other holders.

use serde_json::json;
use white_city_client::{Client, End, SessionId, Spec, vault::Unlock};
use white_city_eddsa::reshare::{self, Held};

use super::{
    consent::{self, Wanted},
    made,
    party::Party,
    receipt,
    result::Done,
    share_file::{self, ShareFile},
    sign,
};
use crate::{
    args::{NetworkArgs, ReshareArgs},
    failure::Failure,
    network,
    output::Output,
    presets::{RESHARE, ReshareInput, read_input},
    unlock,
};

/// Runs this party; gives what an earlier run of the same command has made once more.
pub async fn run(
    args: &ReshareArgs,
    network: &NetworkArgs,
    output: &Output,
) -> Result<(), Failure> {
    let unlock = unlock::vault(&args.unlock)?;
    // Before anything is asked for.
    let earlier = earlier(args, &unlock)?;
    let key = unlock::identity(&args.session.identity, Some(&unlock), output)?;
    let client = network::signing(network, &args.session.identity.identity, key)?;
    let done = make(&client, args, earlier, &unlock, output).await?;
    if let Some(share) = &args.share {
        output.note(&format!(
            "delete {} once no session signs with it any more: until then whoever gets enough old shares has the key",
            share.display()
        ));
    }
    done.deliver(output)
}

/// The share that an earlier run has made.
pub fn earlier(args: &ReshareArgs, unlock: &Unlock) -> Result<Option<ShareFile>, Failure> {
    match &args.out {
        Some(out) => share_file::made(out, unlock, args.session.session),
        None => Ok(None),
    }
}

/// Joins the session and runs this party to the end; gives the share that an earlier run has made once more.
pub async fn make(
    client: &Client,
    args: &ReshareArgs,
    earlier: Option<ShareFile>,
    unlock: &Unlock,
    output: &Output,
) -> Result<Done, Failure> {
    receipt::check_free(&args.session)?;
    if let (Some(share), Some(out)) = (earlier, &args.out) {
        return Ok(made::again(client, &args.session, out, (&share, unlock), output).await);
    }
    let mut party = Party::enter(client, &args.session, unlock, output).await?;
    let played = play(&mut party, args, unlock).await;
    party.close(played).await
}

async fn play(party: &mut Party<'_>, args: &ReshareArgs, unlock: &Unlock) -> Result<Done, Failure> {
    party.check_protocol(RESHARE)?;
    let (spec, index) = (party.session.spec(), party.session.index());
    let input = read_input::<ReshareInput>(spec)?;
    let plan = input.plan(spec.parties())?;
    party.check_all_of("a resharing", "are dealt")?;
    check(args, &input, index)?;
    // All have finished it, this party too, or it wouldn't have.
    if args.out.is_none() && matches!(party.session.end(), Some(End::Finished { .. })) {
        return Ok(gone(&input, party.session.id()));
    }
    let old = match &args.share {
        Some(path) => Some(ShareFile::load(path, unlock)?),
        None => None,
    };
    let holders = match &old {
        Some(old) => holders(&input, spec, old)?,
        None => Vec::new(),
    };
    let held = old.as_ref().map(|old| Held {
        key: &old.share,
        holders: &holders,
    });
    // Before joining, so that nothing that can't run is consented to.
    let started = reshare::start(party.eddsa_session()?, plan, held, party.randomness());
    let started = started.map_err(|error| Failure::usage(error.to_string()))?;
    drop(old);
    consent(party, args, &input).await?;
    party.join().await?;
    let reshared = party.run(started).await?;
    let (Some(share), Some(out)) = (reshared.share, &args.out) else {
        party.result_is_safe(reshared.outcome);
        party.finish(reshared.outcome).await?;
        return Ok(gone(&input, party.session.id()));
    };
    let share = ShareFile {
        session: party.session.id(),
        roster: party.session.spec().roster.clone(),
        share,
    };
    made::finish(party, share, out, unlock).await
}

/// Refuses a session that this command isn't for: another part in it, another key.
fn check(args: &ReshareArgs, input: &ReshareInput, index: u16) -> Result<(), Failure> {
    if let Some(key) = args.public_key.filter(|key| *key != input.public_key.0) {
        return Err(Failure::usage(format!(
            "the session is about the key {}, expected {}",
            input.public_key,
            hex::encode(key)
        )));
    }
    let (deals, receives) = (
        !input.joins.contains(&index),
        !input.leaves.contains(&index),
    );
    for (flag, is_given, is_needed, why) in [
        ("--share", args.share.is_some(), deals, "deals its share"),
        ("--out", args.out.is_some(), receives, "gets a new share"),
    ] {
        if is_given != is_needed {
            let (expected, why) = match is_needed {
                true => ("expected", format!("this party {why}")),
                false => ("not expected", format!("this party isn't one that {why}")),
            };
            return Err(Failure::usage(format!("{flag}: {expected}: {why}")));
        }
    }
    Ok(())
}

/// The dealers' indices in the roster of the key.
fn holders(input: &ReshareInput, spec: &Spec, share: &ShareFile) -> Result<Vec<u16>, Failure> {
    let roster = (0..).zip(&spec.roster);
    let dealers = roster.filter(|(party, _)| !input.joins.contains(party));
    sign::places_of(dealers.map(|(_, key)| key), spec, share, &input.public_key)
}

/// Whoever holds the key afterwards can sign with it: this party has to know them.
async fn consent(
    party: &Party<'_>,
    args: &ReshareArgs,
    input: &ReshareInput,
) -> Result<(), Failure> {
    // Without a share of its own this party knows the key from nowhere else.
    let is_known = args.share.is_some() || args.public_key.is_some();
    let holders = input.holders(party.session.spec());
    let names: Vec<String> = holders
        .iter()
        .map(|key| party.output.people().shown(key))
        .collect();
    let wanted = Wanted {
        name: "this resharing",
        what: "those who hold the key afterwards",
        missing: (!is_known).then_some("--public-key"),
        threshold: input.threshold,
        question: format!(
            "have the key {} held by {}, of whom {} can sign? yes or no: ",
            input.public_key,
            names.join(", "),
            input.threshold
        ),
        holders: &holders,
    };
    let given = (args.threshold, &*args.party);
    consent::to_holders(&party.session, wanted, given, party.output).await
}

/// What a party has that gets no new share.
pub fn gone(input: &ReshareInput, session: SessionId) -> Done {
    let public_key = hex::encode(input.public_key.0);
    Done {
        value: json!({ "public_key": public_key, "share": null, "session": session, "without_share": input.leaves }),
        text: public_key,
    }
}
