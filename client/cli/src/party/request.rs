//! The request of a session: what it wants of a party, as a policy judges it and an approver is told.

use serde_json::{Map, Value, json};
use white_city_client::{
    SessionId, Spec,
    wire::{json::Spec as SpecJson, tx::Open},
};

use crate::{
    message::Named,
    output::to_json,
    people::People,
    presets::{
        AGGREGATE, AggregateInput, KEYGEN, KeygenInput, REFRESH, RefreshInput, SIGN, SignInput,
        VERSION, read_input,
    },
};

/// Longest text of a session that isn't joined, characters.
const TEXT_CHARS_MAX: usize = 500;

/// A session that names this party, and what is computed in it.
pub struct Request {
    /// The session.
    pub session: SessionId,
    /// Everything that its opener has signed.
    pub open: Open,
    /// The protocol, and what it is to compute.
    pub what: What,
}

/// What a session computes, of what this program can.
pub enum What {
    /// A key.
    Keygen {
        /// Number of signers that it takes.
        threshold: u16,
    },
    /// Other shares of a key.
    Refresh {
        /// The key.
        public_key: [u8; 32],
    },
    /// A signature with a key that some of these parties have made.
    Sign {
        /// The key.
        public_key: [u8; 32],
        /// The message.
        message: Named,
    },
    /// A signature of all, each with a key of its own.
    Aggregate {
        /// The key that it verifies under.
        public_key: [u8; 32],
        /// The message.
        message: Named,
    },
}

impl Request {
    /// Reads what a session wants.
    ///
    /// # Errors
    /// Why this program can't do it.
    pub fn of(session: SessionId, open: Open) -> Result<Self, String> {
        let what = What::of(&open.spec)?;
        Ok(Self {
            session,
            open,
            what,
        })
    }

    /// The session's spec.
    pub const fn spec(&self) -> &Spec {
        &self.open.spec
    }

    /// The session for an approver, and for people who decide.
    pub fn to_json(&self, people: &People) -> Value {
        let spec = self.spec();
        let named = std::iter::once(&self.open.opener).chain(&spec.roster);
        let names: Map<String, Value> = named
            .filter_map(|key| Some((key.to_string(), people.name_of(key)?.to_string().into())))
            .collect();
        let mut request = json!({
            "session": self.session,
            "spec": SpecJson::from(&self.open),
            "names": names,
            "threshold": self.what.threshold(),
            "public_key": self.what.public_key().map(hex::encode),
            "text": self.to_text(people),
        });
        if let (Value::Object(request), Some(Value::Object(message))) =
            (&mut request, self.what.message().map(to_json))
        {
            request.extend(message);
        }
        request
    }

    /// What the audit log says of a session that isn't joined: strangers can have a party refuse as many as they like.
    pub fn to_short_json(&self, people: &People) -> Value {
        let text: String = self.to_text(people).chars().take(TEXT_CHARS_MAX).collect();
        json!({
            "opener": self.open.opener.to_string(),
            "protocol": self.spec().protocol,
            "public_key": self.what.public_key().map(hex::encode),
            "text": text,
        })
    }

    /// The session in one line, for people.
    pub fn to_text(&self, people: &People) -> String {
        let opener = people.shown(&self.open.opener);
        let message = self.what.message().map(|message| {
            let hex = match message {
                Named::Whole { message_hex } => format!("the bytes {message_hex}"),
                Named::ByHash { .. } => String::new(),
            };
            message.to_text().unwrap_or(hex)
        });
        let what = match (&self.what, message) {
            (What::Keygen { threshold }, _) => {
                format!("make a key of which {threshold} can sign")
            }
            (What::Refresh { public_key }, _) => {
                format!(
                    "refresh their shares of the key {}",
                    hex::encode(public_key)
                )
            }
            (_, message) => format!(
                "sign {} with the key {}",
                message.unwrap_or_default(),
                hex::encode(self.what.public_key().unwrap_or_default())
            ),
        };
        let roster: Vec<String> = self
            .spec()
            .roster
            .iter()
            .map(|key| people.shown(key))
            .collect();
        format!("{opener} asks {} to {what}", roster.join(", "))
    }
}

impl What {
    fn of(spec: &Spec) -> Result<Self, String> {
        let wrong = |failure: crate::failure::Failure| failure.text;
        if spec.version != VERSION {
            return Err(format!(
                "version {} of {:?}, expected {VERSION}",
                spec.version, spec.protocol
            ));
        }
        match &*spec.protocol {
            KEYGEN => {
                let threshold = read_input::<KeygenInput>(spec).map_err(wrong)?.threshold;
                Ok(Self::Keygen { threshold })
            }
            REFRESH => {
                let public_key = read_input::<RefreshInput>(spec)
                    .map_err(wrong)?
                    .public_key
                    .0;
                Ok(Self::Refresh { public_key })
            }
            SIGN => {
                let input = read_input::<SignInput>(spec).map_err(wrong)?;
                Ok(Self::Sign {
                    public_key: input.public_key.0,
                    message: input.message,
                })
            }
            AGGREGATE => {
                let input = read_input::<AggregateInput>(spec).map_err(wrong)?;
                let (_, public_key) = input.keys().map_err(wrong)?;
                Ok(Self::Aggregate {
                    public_key,
                    message: input.message,
                })
            }
            other => Err(format!("this program doesn't run {other:?}")),
        }
    }

    /// Number of signers that the key takes that is made.
    pub const fn threshold(&self) -> Option<u16> {
        match self {
            Self::Keygen { threshold } => Some(*threshold),
            _ => None,
        }
    }

    /// The key that is signed with, or whose shares are refreshed.
    pub const fn public_key(&self) -> Option<[u8; 32]> {
        match self {
            Self::Keygen { .. } => None,
            Self::Refresh { public_key }
            | Self::Sign { public_key, .. }
            | Self::Aggregate { public_key, .. } => Some(*public_key),
        }
    }

    /// The message that is signed.
    pub const fn message(&self) -> Option<&Named> {
        match self {
            Self::Keygen { .. } | Self::Refresh { .. } => None,
            Self::Sign { message, .. } | Self::Aggregate { message, .. } => Some(message),
        }
    }
}
