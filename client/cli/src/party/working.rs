//! A service's party in a session that it has said yes to: the same as a person's by `white-city eddsa`.

use std::path::{Path, PathBuf};

use serde_json::Value;
use white_city_client::{Error, SessionId};

use super::{
    decision::{Decision, Says},
    request::{Request, What},
    service::{SUPERSEDES, Service},
};
use crate::{
    args::{
        ExpectedArgs, IdentityArgs, KeygenArgs, PartyArgs, RefreshArgs, ReshareArgs, SignArgs,
        UnlockArgs,
    },
    eddsa::{
        keygen, refresh, reshare,
        result::Done,
        share_file,
        sign::{self, Signing},
    },
    failure::Failure,
    output::Output,
    presets::{AggregateInput, ReshareInput, read_input},
};

/// Runs the party to the end, or goes on with it; gives the result.
///
/// # Errors
/// As the command of the same protocol.
pub async fn run(service: &Service, session: SessionId, output: &Output) -> Result<Value, Failure> {
    let opening = service.client.opening_of(session).await?;
    let request = Request::of(session, opening.0.clone()).map_err(Failure::usage)?;
    let (client, unlock) = (&service.client, &service.unlock);
    let done = match &request.what {
        What::Keygen { threshold } => {
            let args = KeygenArgs {
                session: party(service, session),
                threshold: Some(*threshold),
                party: request.spec().roster.clone(),
                out: service.folder.share(session),
                unlock: opened_already(),
            };
            let earlier = share_file::made(&args.out, unlock, session)?;
            let done = keygen::make(client, &args, earlier, unlock, output).await?;
            made(service, &request, &args.out)?;
            done
        }
        What::Refresh { public_key } => {
            let (out, old) = (service.folder.share(session), request.spec().prev_session);
            let _turn = service.change(*public_key, old)?;
            let share = match out.exists() {
                // Killed after it was made: the old one may have gone already.
                true => out.clone(),
                false => service.keys.share(public_key, old)?,
            };
            let args = RefreshArgs {
                session: party(service, session),
                share,
                out,
                unlock: opened_already(),
            };
            let earlier = share_file::made(&args.out, unlock, session)?;
            let done = refresh::make(client, &args, earlier, unlock, output).await?;
            made(service, &request, &args.out)?;
            service.retire(public_key, old, session)?;
            done
        }
        What::Reshare { input, .. } => reshare(service, &request, input, output).await?,
        What::Sign { .. } | What::SignMany { .. } => {
            let key = request.what.public_key().unwrap_or_default();
            let share = service.keys.share(&key, request.spec().prev_session)?;
            let args = signing(service, &request, share)?;
            sign::make(client, &args, Signing::read(&args)?, unlock, output).await?
        }
        What::Aggregate { .. } => {
            let keys = read_input::<AggregateInput>(request.spec())?.public_keys;
            let own = keys.get(usize::from(index(service, &request)?));
            let key = own.and_then(|key| service.keys.single(&key.0));
            let key = key.ok_or_else(|| Failure::usage("no signing key that the session names"))?;
            let args = signing(service, &request, key)?;
            sign::make(client, &args, Signing::read(&args)?, unlock, output).await?
        }
    };
    Ok(done.value)
}

/// Deals this party's share, or gets a new one, or both; the old one is given up then.
async fn reshare(
    service: &Service,
    request: &Request,
    input: &ReshareInput,
    output: &Output,
) -> Result<Done, Failure> {
    let (session, old) = (request.session, request.spec().prev_session);
    let (index, out) = (index(service, request)?, service.folder.share(session));
    let receives = !input.leaves.contains(&index);
    let key = &input.public_key.0;
    // Killed while the share was given up.
    if !receives && service.folder.has_note(session, SUPERSEDES) {
        service.retire(key, old, session)?;
        return Ok(reshare::gone(input, session));
    }
    let _turn = service.change(*key, old)?;
    let share = match input.joins.contains(&index) {
        true if !out.exists() && service.keys.share(key, old).is_ok() => {
            return Err(Failure::usage(
                "the session gives this party a first share, and it has one: expected it to deal that",
            ));
        }
        true => None,
        // Killed after the new one was made: the old one may have gone already.
        false if receives && out.exists() => Some(out.clone()),
        false => Some(service.keys.share(key, old)?),
    };
    let args = ReshareArgs {
        session: party(service, session),
        share,
        out: receives.then_some(out),
        threshold: Some(input.threshold),
        party: input.holders(request.spec()),
        public_key: Some(input.public_key.0),
        unlock: opened_already(),
    };
    let (client, unlock) = (&service.client, &service.unlock);
    let earlier = reshare::earlier(&args, unlock)?;
    let done = reshare::make(client, &args, earlier, unlock, output).await?;
    if let Some(out) = &args.out {
        made(service, request, out)?;
    }
    service.retire(key, old, session)?;
    Ok(done)
}

/// This party's index in a session.
fn index(service: &Service, request: &Request) -> Result<u16, Failure> {
    let index = request.spec().index_of(&service.identity);
    index.ok_or_else(|| {
        let identity = Box::new(service.identity);
        Error::NotMember { identity }.into()
    })
}

/// Notes a share that was made; in the group that it was made for, too, if the rule names one.
fn made(service: &Service, request: &Request, share: &Path) -> Result<(), Failure> {
    let session = request.session;
    service
        .keys
        .note(share, &service.unlock, &service.identity)?;
    if let Some(Decision {
        says: Says::Join {
            group: Some(group), ..
        },
        ..
    }) = service.folder.decision(session)?
    {
        service
            .folder
            .write_note(session, "group", group.as_str())?;
        service.note_in_group(session, group.as_str());
    }
    Ok(())
}

/// Signs what the policy has let through: the session can't name another message any more.
fn signing(service: &Service, request: &Request, share: PathBuf) -> Result<SignArgs, Failure> {
    let message = service.folder.message(request.session);
    let is_kept = message.exists();
    Ok(SignArgs {
        party: party(service, request.session),
        share,
        expected: ExpectedArgs {
            any_message: !is_kept,
            message_file: is_kept.then_some(message),
            public_key: request.what.public_key(),
            ..Default::default()
        },
        unlock: opened_already(),
    })
}

fn party(service: &Service, session: SessionId) -> PartyArgs {
    PartyArgs {
        identity: IdentityArgs {
            identity: service.identity_file.clone(),
            identity_passphrase_file: None,
            identity_key_file: None,
        },
        session,
        journal: Some(service.folder.journal(session)),
        receipt: Some(service.folder.receipt(session)),
        once: false,
    }
}

/// The service has opened everything when it began.
const fn opened_already() -> UnlockArgs {
    UnlockArgs {
        passphrase_file: None,
        key_file: None,
    }
}
