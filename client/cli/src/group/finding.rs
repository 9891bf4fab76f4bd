//! The session that a member takes part in: one that it has begun, one that it opens, or one that another member opens.

use white_city_client::{
    Client, FoundSession, Hash, IdentityKey, SessionId, Signer as _, Spec,
    groups::{Begun, Group, Name},
    read::SessionRef,
    vault::Unlock,
    wire::{board::Status, hash::sha256, tx::Open},
};

use crate::{
    args::{MemberArgs, NetworkArgs, OpenArgs, Preset, SignerArgs},
    failure::Failure,
    network,
    output::Output,
    presets,
    session::open,
    unlock,
};

/// A member at work.
pub struct Working<'a> {
    pub group: Group,
    pub client: Client,
    pub me: IdentityKey,
    pub output: &'a Output,
    args: &'a MemberArgs,
}

impl<'a> Working<'a> {
    /// The member that the arguments name.
    pub fn begin(
        name: &Name,
        args: &'a MemberArgs,
        network: &NetworkArgs,
        output: &'a Output,
    ) -> Result<Self, Failure> {
        let group = output.home()?.group(name)?;
        let unlock: Unlock = unlock::vault(&args.unlock)?;
        let key = unlock::identity(&args.identity, Some(&unlock), output)?;
        let me = key.identity();
        if group.name_of(&me).is_none() {
            return Err(Failure::usage(format!(
                "{}: the identity {me} is no member of {}",
                args.identity.identity.display(),
                group.name
            )));
        }
        let client = network::signing(network, &args.identity.identity, key)?;
        Ok(Self {
            group,
            client,
            me,
            output,
            args,
        })
    }

    /// The session for what is asked for, noted in the group's file before anybody joins it. `spec` describes the one that is opened; `fits`
    /// says why one that others have opened isn't it.
    pub async fn session(
        &mut self,
        what: &[u8],
        spec: impl FnOnce(&Self) -> Result<Spec, Failure>,
        fits: impl Fn(&Group, &Open) -> Result<(), String>,
    ) -> Result<SessionId, Failure> {
        let (asked, board) = (sha256(what), self.client.network().id);
        if let Some(begun) = self.group.begun(&board, &asked).cloned() {
            let wanted = self.args.session.unwrap_or(begun.session);
            if wanted == begun.session && self.goes_on(&begun).await? {
                self.say_which(&begun.session);
                return Ok(begun.session);
            }
        }
        let (session, protocol, kept) = if self.args.open {
            let spec = spec(self)?;
            let protocol = spec.protocol.clone();
            let identity = &self.args.identity.identity;
            let wait = self.args.join_timeout;
            let (opening, kept) =
                open::open_waiting(&self.client, identity, (spec, wait), self.output).await?;
            (opening.id(), protocol, kept)
        } else {
            let found = self.found(fits).await?;
            let protocol = found.open.map(|open| open.spec.protocol);
            (found.id, protocol.unwrap_or_default(), None)
        };
        self.note(session, protocol, asked)?;
        // Now that it is noted an interrupted run goes on from there.
        if let Some(kept) = kept {
            kept.forget();
        }
        self.say_which(&session);
        Ok(session)
    }

    fn say_which(&self, session: &SessionId) {
        let text = format!("session {session} of the group {}", self.group.name);
        self.output.note(&text);
    }

    fn note(&mut self, session: SessionId, protocol: String, asked: Hash) -> Result<(), Failure> {
        let begun = Begun {
            network: self.client.network().id,
            session,
            protocol,
            asked,
        };
        self.group.begin(begun.clone());
        let home = self.output.home()?;
        home.change(&self.group.name, |group| {
            group.begin(begun);
            Ok(())
        })?;
        Ok(())
    }

    /// Notes that the session has ended for this member.
    pub fn end(&self, session: &SessionId) -> Result<(), Failure> {
        let home = self.output.home()?;
        home.change(&self.group.name, |group| {
            group.end(session);
            Ok(())
        })?;
        Ok(())
    }

    /// Whether a session that was begun has a result to come, or one to give once more.
    async fn goes_on(&self, begun: &Begun) -> Result<bool, Failure> {
        let summary = self.client.summary(SessionRef::Id(begun.session)).await?;
        let goes_on = !matches!(summary.leaf.status, Status::Aborted | Status::Erased);
        if !goes_on {
            self.end(&begun.session)?;
        }
        Ok(goes_on)
    }

    /// The session that another member has opened, or will.
    async fn found(
        &self,
        fits: impl Fn(&Group, &Open) -> Result<(), String>,
    ) -> Result<FoundSession, Failure> {
        let mut discovery = self.client.discover(&self.me);
        let waits = match &self.args.session {
            Some(session) => format!("looking for session {session}"),
            None => format!(
                "waiting for the session that another member of {} opens (--open opens one)",
                self.group.name
            ),
        };
        self.output.note(&waits);
        loop {
            let found = discovery.next().await?;
            let Some(open) = &found.open else {
                continue;
            };
            let is_named = self.args.session.is_none_or(|session| session == found.id);
            let of_member = match self.group.name_of(&open.opener) {
                Some(_) => Ok(()),
                None => Err(format!("{} isn't a member and has opened it", open.opener)),
            };
            match of_member.and_then(|()| fits(&self.group, open)) {
                Ok(()) if is_named => return Ok(found),
                Err(why) if is_named && self.args.session.is_some() => {
                    return Err(Failure::usage(format!("session {}: {why}", found.id)));
                }
                Err(why) => tracing::debug!(session = %found.id, why, "not this one"),
                Ok(()) => {}
            }
        }
    }

    /// Arguments that describe a session of these members.
    pub fn opening(&self, preset: Preset, party: Vec<IdentityKey>) -> OpenArgs {
        OpenArgs {
            identity: SignerArgs {
                identity: self.args.identity.identity.clone(),
                unlock: crate::args::MaybeUnlockArgs {
                    passphrase_file: None,
                    key_file: None,
                },
            },
            party,
            quorum: None,
            corrupt: None,
            join_timeout: self.args.join_timeout,
            round_timeout: self.args.round_timeout,
            reveal_timeout: self.args.round_timeout,
            retention: RETENTION,
            wait: self.args.join_timeout,
            kem: None,
            previous: None,
            preset: Some(preset),
            threshold: None,
            message: None,
            message_hex: None,
            message_file: None,
            messages: None,
            joins: Vec::new(),
            leaves: Vec::new(),
            public_key: None,
            signing_key: Vec::new(),
            protocol: None,
            protocol_version: presets::VERSION,
            max_rounds: 0,
            max_broadcast: 0,
            max_p2p: 0,
            max_bytes: None,
            input_hex: None,
        }
    }
}

/// Time that payloads of a group's sessions stay after the end.
const RETENTION: std::time::Duration = std::time::Duration::from_secs(86_400);
