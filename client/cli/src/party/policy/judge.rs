//! Where a policy decides.

use std::{
    collections::BTreeSet,
    path::PathBuf,
    sync::{Mutex, PoisonError},
};

use white_city_client::{IdentityKey, SessionId, files::read_public, wire::hash::sha256};

use super::{Messages, Otherwise, Policy, Rates, Rule};
use crate::{
    message::{MESSAGE_BYTES_MAX, Named},
    party::request::{Request, What},
};

/// What a policy says to a session.
pub enum Verdict<'a> {
    /// Join, once the rule's approver has said yes, if it has one.
    Join {
        /// The rule that fits.
        rule: &'a Rule,
        /// The file with the message, where the session only names it.
        message: Option<PathBuf>,
    },
    /// No rule fits: why each doesn't.
    No {
        /// Name of each rule, and what doesn't fit.
        why: Vec<(String, String)>,
        /// What becomes of it.
        otherwise: Otherwise,
    },
}

impl Policy {
    /// What becomes of a session, at this time, ms since 1970.
    pub fn judge(&self, request: &Request, now_ms: u64, rates: &Mutex<Rates>) -> Verdict<'_> {
        let mut why = Vec::new();
        for rule in &self.rules {
            match rule.fits(request, now_ms, rates) {
                Ok(message) => return Verdict::Join { rule, message },
                Err(reason) => why.push((rule.name.clone(), reason)),
            }
        }
        Verdict::No {
            why,
            otherwise: self.otherwise,
        }
    }
}

impl Rule {
    /// The file with the message, where the session only names it; or why the rule doesn't fit.
    fn fits(
        &self,
        request: &Request,
        now_ms: u64,
        rates: &Mutex<Rates>,
    ) -> Result<Option<PathBuf>, String> {
        let spec = request.spec();
        if !self.protocols.contains(&&*spec.protocol) {
            return Err(format!("protocol: {}", spec.protocol));
        }
        let opener = &request.open.opener;
        if self
            .openers
            .as_ref()
            .is_some_and(|known| !known.contains(opener))
        {
            return Err(format!("openers: {opener} isn't among them"));
        }
        self.members_fit(request)?;
        self.terms.fit(request)?;
        if let Some(hours) = &self.hours
            && !hours.hold(now_ms)
        {
            return Err("hours: not now".into());
        }
        if let Some(keys) = &self.keys
            && let Some(key) = request.what.public_key()
            && !keys.contains(&key)
        {
            let key = hex::encode(key);
            return Err(format!("keys: {key} isn't among them"));
        }
        // Only a session of one message may name it by its hash.
        let mut kept = None;
        for message in request.what.messages() {
            kept = self.messages.fit(&message)?;
        }
        // The last, as it says nothing of the session.
        let rates = rates.lock().unwrap_or_else(PoisonError::into_inner);
        self.has_room(request.session, now_ms, &rates)?;
        Ok(kept)
    }

    /// Whether the rate lets one more in; one that it has let in doesn't count once more.
    ///
    /// # Errors
    /// Why not.
    pub fn has_room(&self, session: SessionId, now_ms: u64, rates: &Rates) -> Result<(), String> {
        match &self.rate {
            Some(rate)
                if !rates.has(&self.name, session)
                    && !rates.have_room(&self.name, rate, now_ms) =>
            {
                Err(format!(
                    "rate: {} sessions in {} s were let in already",
                    rate.sessions,
                    rate.per.as_secs()
                ))
            }
            _ => Ok(()),
        }
    }

    /// Whether nobody else takes part, and the key is the group's.
    fn members_fit(&self, request: &Request) -> Result<(), String> {
        let roster = &request.spec().roster;
        let stranger =
            |known: &[IdentityKey]| roster.iter().find(|key| !known.contains(key)).cloned();
        if let Some(key) = self.members.as_deref().and_then(stranger) {
            return Err(format!("members: {key} isn't among them"));
        }
        let Some(group) = &self.group else {
            return Ok(());
        };
        if let Some(key) = stranger(&group.roster()) {
            return Err(format!("group: {key} isn't in it"));
        }
        match request.what.public_key() {
            // A key of the group is a key of all of it.
            None if roster.len() != group.members().len() => Err(format!(
                "group: a key of {} of its {} members",
                roster.len(),
                group.members().len()
            )),
            Some(key)
                if !matches!(request.what, What::Aggregate { .. })
                    && !group.keys().iter().any(|made| made.public_key.0 == key) =>
            {
                Err(format!("group: {} is no key of it", hex::encode(key)))
            }
            _ => Ok(()),
        }
    }
}

impl Messages {
    /// The file with the message, where the session only names it; or why it isn't signed.
    fn fit(&self, named: &Named) -> Result<Option<PathBuf>, String> {
        let (exact, pattern, folder) = match (self, named) {
            (Self::Any, Named::Whole { .. }) => return Ok(None),
            (Self::Any, Named::ByHash { .. }) => {
                return Err("messages: the session only names its message: expected folder, with the message in it".into());
            }
            (
                Self::These {
                    exact,
                    pattern,
                    folder,
                },
                _,
            ) => (exact, pattern, folder),
        };
        let (path, given) = match named {
            Named::Whole { .. } => (None, None),
            Named::ByHash { message_sha256, .. } => {
                let folder = folder.as_ref().ok_or("messages: the session only names its message, and there is no folder to find it in")?;
                let path = folder.join(message_sha256.to_string());
                let found = read_public(&path, MESSAGE_BYTES_MAX);
                let found = found.map_err(|error| format!("messages: {error}"))?;
                (Some(path), Some(found))
            }
        };
        let message = named.resolve(given.as_deref());
        let message = message.map_err(|failure| format!("messages: {}", failure.text))?;
        let known: BTreeSet<&[u8]> = exact.iter().map(Vec::as_slice).collect();
        let is_text = |text: &str| {
            pattern
                .as_ref()
                .is_some_and(|pattern| pattern.is_match(text))
        };
        // What lies in the folder was put there by whoever decides.
        let is_in_folder = |folder: &PathBuf| {
            let name = sha256(&message).to_string();
            folder.join(name).is_file()
        };
        if known.contains(&*message)
            || std::str::from_utf8(&message).is_ok_and(is_text)
            || folder.as_ref().is_some_and(is_in_folder)
        {
            return Ok(path);
        }
        Err("messages: not one of them".into())
    }
}
