//! The request of a session: what it wants of a party, as a policy judges it and an approver is told.

use serde_json::{Map, Value, json};
use white_city_client::{
    IdentityKey, SessionId, Spec,
    wire::{json::Spec as SpecJson, tx::Open},
};

use crate::{
    message::Named,
    output::to_json,
    people::People,
    presets::{
        AGGREGATE, AggregateInput, KEYGEN, KeygenInput, REFRESH, RESHARE, RefreshInput,
        ReshareInput, SIGN, SIGN_MANY, SignInput, SignManyInput, VERSION, read_input,
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
    /// Other holders for a key.
    Reshare {
        /// The key, who deals it and to whom.
        input: ReshareInput,
        /// Those who hold it from then on.
        holders: Vec<IdentityKey>,
    },
    /// A signature with a key that some of these parties have made.
    Sign {
        /// The key.
        public_key: [u8; 32],
        /// The message.
        message: Named,
    },
    /// Signatures of many messages with such a key.
    SignMany {
        /// The key, and the messages.
        input: SignManyInput,
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
            "holders": self.what.holders().map(|all| all.iter().map(IdentityKey::to_string).collect::<Vec<_>>()),
            "text": self.to_text(people),
        });
        let named = match &self.what {
            What::Sign { message, .. } | What::Aggregate { message, .. } => to_json(message),
            What::SignMany { input } => json!({ "messages_hex": input.messages_hex }),
            _ => Value::Null,
        };
        if let (Value::Object(request), Value::Object(named)) = (&mut request, named) {
            request.extend(named);
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
        let messages = self.what.messages();
        let messages: Vec<String> = messages.iter().map(Named::shown).collect();
        let what = match &self.what {
            What::Keygen { threshold } => {
                format!("make a key of which {threshold} can sign")
            }
            What::Refresh { public_key } => {
                format!(
                    "refresh their shares of the key {}",
                    hex::encode(public_key)
                )
            }
            What::Reshare { input, holders } => {
                let holders: Vec<String> = holders.iter().map(|key| people.shown(key)).collect();
                format!(
                    "have the key {} held by {}, of whom {} can sign",
                    input.public_key,
                    holders.join(", "),
                    input.threshold
                )
            }
            What::Sign { .. } | What::SignMany { .. } | What::Aggregate { .. } => format!(
                "sign {} with the key {}",
                messages.join(", "),
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
            RESHARE => {
                let input = read_input::<ReshareInput>(spec).map_err(wrong)?;
                input.plan(spec.parties()).map_err(wrong)?;
                let holders = input.holders(spec);
                Ok(Self::Reshare { input, holders })
            }
            SIGN => {
                let input = read_input::<SignInput>(spec).map_err(wrong)?;
                Ok(Self::Sign {
                    public_key: input.public_key.0,
                    message: input.message,
                })
            }
            SIGN_MANY => {
                let input = read_input::<SignManyInput>(spec).map_err(wrong)?;
                input.messages(None).map_err(wrong)?;
                Ok(Self::SignMany { input })
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
            Self::Reshare { input, .. } => Some(input.threshold),
            _ => None,
        }
    }

    /// The key that is signed with, or whose shares are changed.
    pub const fn public_key(&self) -> Option<[u8; 32]> {
        match self {
            Self::Keygen { .. } => None,
            Self::Refresh { public_key }
            | Self::Sign { public_key, .. }
            | Self::Aggregate { public_key, .. } => Some(*public_key),
            Self::Reshare { input, .. } => Some(input.public_key.0),
            Self::SignMany { input } => Some(input.public_key.0),
        }
    }

    /// Those who hold a key from then on, where they aren't simply all parties.
    fn holders(&self) -> Option<&[IdentityKey]> {
        match self {
            Self::Reshare { holders, .. } => Some(holders),
            _ => None,
        }
    }

    /// The messages that are signed.
    pub fn messages(&self) -> Vec<Named> {
        match self {
            Self::Keygen { .. } | Self::Refresh { .. } | Self::Reshare { .. } => Vec::new(),
            Self::Sign { message, .. } | Self::Aggregate { message, .. } => vec![message.clone()],
            Self::SignMany { input } => {
                let whole = |message_hex: &String| Named::Whole {
                    message_hex: message_hex.clone(),
                };
                input.messages_hex.iter().map(whole).collect()
            }
        }
    }
}
