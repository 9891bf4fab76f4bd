//! `white-city group keygen`

use serde_json::{Value, json};
use white_city_client::{
    Hash, IdentityKey, SessionId,
    groups::{Group, GroupKey},
    wire::tx::Open,
};

use super::finding::Working;
use crate::{
    args::{EddsaCommand, GroupKeygenArgs, KeygenArgs, NetworkArgs, PartyArgs, Preset},
    eddsa,
    failure::Failure,
    output::{Output, shown},
    presets::{self, KEYGEN, KeygenInput, read_input},
};

/// Makes a key, and notes it in the group's file.
pub async fn run(
    args: &GroupKeygenArgs,
    network: &NetworkArgs,
    output: &Output,
) -> Result<(), Failure> {
    let mut working = Working::begin(&args.group, &args.member, network, output)?;
    let threshold = args.threshold;
    let what = format!("keygen {threshold}");
    let board = working.client.network().clone();
    let spec = |working: &Working<'_>| {
        let mut opening = working.opening(Preset::Keygen, working.group.roster());
        opening.threshold = Some(threshold);
        presets::spec(&opening, &board)
    };
    let fits = |group: &Group, open: &Open| fits(group, open, threshold);
    let session = working.session(what.as_bytes(), spec, fits).await?;
    let share = match &args.out {
        Some(out) => out.clone(),
        None => {
            let name: String = session.to_string().chars().take(16).collect();
            let folder = output.home()?.shares()?;
            folder.join(format!("{}-{name}.share", working.group.name))
        }
    };
    let party = KeygenArgs {
        session: PartyArgs {
            identity: args.member.identity.clone(),
            session,
            journal: None,
            receipt: None,
            once: false,
        },
        threshold: Some(threshold),
        party: working.group.roster(),
        out: share.clone(),
        unlock: args.member.unlock.clone(),
    };
    let held = output.holding();
    eddsa::run(EddsaCommand::Keygen(party), network, &held).await?;
    let made = held.held().unwrap_or_default();
    let public_key = made.get("public_key").and_then(Value::as_str);
    let public_key = public_key.and_then(Hash::from_hex);
    let public_key = public_key.ok_or_else(|| Failure::other("the key generation gave no key"))?;
    let summary = working.client.summary(session.into()).await?;
    let outcome = summary.terminal.as_ref().map(|end| end.outcome);
    let key = GroupKey {
        network: board.id,
        session,
        protocol: KEYGEN.into(),
        public_key,
        outcome: outcome.unwrap_or_default(),
        threshold,
        share: Some(std::path::absolute(&share).unwrap_or_else(|_| share.clone())),
    };
    let home = output.home()?;
    home.change(&args.group, |group| {
        group.add_key(key.clone())?;
        group.end(&session);
        Ok(())
    })?;
    said(&working.group, &key, &made, output)
}

/// Whether the group makes a key in a session that one of its members has opened.
fn fits(group: &Group, open: &Open, threshold: u16) -> Result<(), String> {
    let spec = &open.spec;
    if spec.protocol != KEYGEN {
        return Err(format!("it runs {:?}, expected {KEYGEN:?}", spec.protocol));
    }
    let input = read_input::<KeygenInput>(spec).map_err(|failure| failure.text)?;
    if input.threshold != threshold {
        let wanted = input.threshold;
        return Err(format!(
            "{wanted} can sign with its key, expected {threshold}"
        ));
    }
    if spec.prev_session != SessionId::ZERO {
        return Err(format!("it continues {}, expected none", spec.prev_session));
    }
    if spec.quorum != spec.parties() {
        let (quorum, parties) = (spec.quorum, spec.parties());
        return Err(format!(
            "{quorum} of {parties} are enough to make the key, expected all"
        ));
    }
    match spec.roster == group.roster() {
        true => Ok(()),
        false => Err("its parties aren't the group's members in their order".into()),
    }
}

fn said(group: &Group, key: &GroupKey, made: &Value, output: &Output) -> Result<(), Failure> {
    let without = made.get("without_share").and_then(Value::as_array);
    let roster: Vec<IdentityKey> = group.roster();
    let name = |index: &Value| {
        let index = usize::try_from(index.as_u64()?).ok()?;
        group.name_of(roster.get(index)?).map(ToString::to_string)
    };
    let without: Vec<String> = without.into_iter().flatten().filter_map(name).collect();
    let members: Vec<_> = group.members().iter().map(|member| &member.name).collect();
    let share = key.share.as_deref().map(shown).unwrap_or_default();
    let value = json!({
        "group": group.name, "public_key": key.public_key, "threshold": key.threshold, "session": key.session,
        "member_names": members, "without_share_names": without, "share": share,
    });
    let all: Vec<&str> = members.iter().map(|name| name.as_str()).collect();
    let mut text = format!(
        "{} has the key {}\nmade by {}; {} of them sign; your share is in {share}",
        group.name,
        key.public_key,
        all.join(", "),
        key.threshold
    );
    if !without.is_empty() {
        text.push_str(&format!("\nwithout a share, maybe: {}", without.join(", ")));
    }
    output.result(&value, &text)
}
