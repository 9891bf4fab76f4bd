//! `white-city group sign`

use serde_json::{Value, json};
use white_city_client::{
    IdentityKey,
    groups::{Group, GroupKey, Name},
    wire::{hash::sha256, tx::Open},
};

use super::finding::Working;
use crate::{
    args::{EddsaCommand, ExpectedArgs, GroupSignArgs, NetworkArgs, PartyArgs, Preset, SignArgs},
    eddsa,
    failure::Failure,
    message,
    output::Output,
    presets::{self, SIGN, SignInput, read_input},
};

/// Signs a message.
pub async fn run(
    args: &GroupSignArgs,
    network: &NetworkArgs,
    output: &Output,
) -> Result<(), Failure> {
    let mut working = Working::begin(&args.group, &args.member, network, output)?;
    let key = key(&working, args)?.clone();
    let share = args.share.clone().or_else(|| key.share.clone());
    let share = share.ok_or_else(|| {
        let text = format!("no share of the key {} is known here", key.public_key);
        Failure::usage(format!("{text}: expected --share"))
    })?;
    let message = message::given(
        args.message.as_ref(),
        args.message_hex.as_ref(),
        args.message_file.as_ref(),
    )?;
    let message = message.ok_or_else(|| Failure::usage("what is to be signed?"))?;
    let board = working.client.network().clone();
    let what = format!("sign {} {}", key.session, sha256(&message));
    let spec = |working: &Working<'_>| {
        let signers = signers(&working.group, &args.signer, &working.me)?;
        let mut opening = working.opening(Preset::Sign, signers);
        opening.public_key = Some(key.public_key.0);
        opening.previous = Some(key.session);
        opening.message.clone_from(&args.message);
        opening.message_hex.clone_from(&args.message_hex);
        opening.message_file.clone_from(&args.message_file);
        presets::spec(&opening, &board)
    };
    let fits = |group: &Group, open: &Open| fits(group, &key, open, &message);
    let session = working.session(what.as_bytes(), spec, fits).await?;
    let party = SignArgs {
        party: PartyArgs {
            identity: args.member.identity.clone(),
            session,
            journal: None,
            receipt: None,
            once: false,
        },
        share,
        expected: ExpectedArgs {
            message: args.message.clone(),
            message_hex: args.message_hex.clone(),
            message_file: args.message_file.clone(),
            messages: None,
            any_message: false,
            public_key: Some(key.public_key.0),
        },
        unlock: args.member.unlock.clone(),
    };
    let held = output.holding();
    eddsa::run(EddsaCommand::Sign(party), network, &held).await?;
    let made = held.held().unwrap_or_default();
    let spec = working.client.open_of(session).await.map(|open| open.spec);
    let signers = spec.map(|spec| names(&working.group, &spec.roster)).ok();
    let value = with(
        &made,
        working.group.name.as_str(),
        &session.to_string(),
        signers.as_deref(),
    );
    let signature = made.get("signature").and_then(Value::as_str);
    let signature = signature.unwrap_or_default().to_owned();
    let told = output.result(&value, &signature);
    if told.is_ok() {
        working.end(&session)?;
    }
    told
}

fn with(made: &Value, group: &str, session: &str, signers: Option<&[String]>) -> Value {
    let mut value = json!({ "group": group, "session": session, "signer_names": signers });
    if let (Value::Object(value), Value::Object(made)) = (&mut value, made) {
        value.extend(made.clone());
    }
    value
}

fn names(group: &Group, roster: &[IdentityKey]) -> Vec<String> {
    let names = roster.iter().map(|key| {
        let name = group.name_of(key).map(ToString::to_string);
        name.unwrap_or_else(|| key.to_string())
    });
    names.collect()
}

/// The group's key that is meant.
fn key<'a>(working: &'a Working<'_>, args: &GroupSignArgs) -> Result<&'a GroupKey, Failure> {
    let board = working.client.network().id;
    let of_board = working
        .group
        .keys()
        .iter()
        .filter(|key| key.network == board);
    let meant = of_board.filter(|key| {
        args.public_key
            .is_none_or(|wanted| wanted == key.public_key.0)
    });
    // Shares that were refreshed are another entry of the same key, and the newest ones sign.
    let mut meant: Vec<&GroupKey> = meant.collect();
    let newest = meant.pop();
    let is_one = |newest: &&GroupKey| meant.iter().all(|key| key.public_key == newest.public_key);
    match (newest.filter(is_one), newest) {
        (Some(key), _) => Ok(key),
        (None, None) => Err(Failure::usage(format!(
            "{} has no such key on this board: make one with `group keygen`, or import the group",
            working.group.name
        ))),
        (None, Some(_)) => Err(Failure::usage(format!(
            "{} has several keys: expected --public-key",
            working.group.name
        ))),
    }
}

/// The keys of those who sign, in the group's order.
fn signers(group: &Group, named: &[Name], me: &IdentityKey) -> Result<Vec<IdentityKey>, Failure> {
    if named.is_empty() {
        return Ok(group.roster());
    }
    for name in named {
        group.member(name)?;
    }
    let members = group.members().iter();
    let signers = members.filter(|member| named.contains(&member.name));
    let signers: Vec<IdentityKey> = signers.map(|member| member.key).collect();
    if !signers.contains(me) {
        return Err(Failure::usage(
            "--signer: whoever opens it has to be one of them",
        ));
    }
    Ok(signers)
}

/// Whether the group signs this message in a session that one of its members has opened: it names the session that made the key.
fn fits(group: &Group, key: &GroupKey, open: &Open, message: &[u8]) -> Result<(), String> {
    let spec = &open.spec;
    if spec.protocol != SIGN {
        return Err(format!("it runs {:?}, expected {SIGN:?}", spec.protocol));
    }
    if spec.prev_session != key.session {
        let (got, wanted) = (spec.prev_session, key.session);
        return Err(format!(
            "it continues {got}, expected {wanted}, which made the key"
        ));
    }
    let input = read_input::<SignInput>(spec).map_err(|failure| failure.text)?;
    if input.public_key != key.public_key {
        let (got, wanted) = (input.public_key, key.public_key);
        return Err(format!("it signs with the key {got}, expected {wanted}"));
    }
    let named = input.message.resolve(Some(message));
    named.map_err(|failure| failure.text)?;
    let stranger = spec.roster.iter().find(|key| group.name_of(key).is_none());
    stranger.map_or(Ok(()), |key| {
        Err(format!("{key}, who is no member, takes part in it"))
    })
}
