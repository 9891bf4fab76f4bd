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
        let texts = |keys: &[IdentityKey]| -> Vec<String> {
            keys.iter().map(ToString::to_string).collect()
        };
        let changes = self.what.changes(spec);
        let mut request = json!({
            "session": self.session,
            "spec": SpecJson::from(&self.open),
            "names": names,
            "threshold": self.what.threshold(),
            "public_key": self.what.public_key().map(hex::encode),
            "holders": self.what.holders().map(texts),
            "joins": changes.as_ref().map(|[joins, _]| texts(joins)),
            "leaves": changes.as_ref().map(|[_, leaves]| texts(leaves)),
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
                let mut text = format!(
                    "have the key {} held by {}, of whom {} can sign",
                    input.public_key,
                    holders.join(", "),
                    input.threshold
                );
                let [joins, leaves] = self.what.changes(self.spec()).unwrap_or_default();
                for (what, keys) in [("get a first share", joins), ("give theirs away", leaves)] {
                    let shown: Vec<String> = keys.iter().map(|key| people.shown(key)).collect();
                    if !shown.is_empty() {
                        text.push_str(&format!("; those who {what}: {}", shown.join(", ")));
                    }
                }
                text
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
    pub fn holders(&self) -> Option<&[IdentityKey]> {
        match self {
            Self::Reshare { holders, .. } => Some(holders),
            _ => None,
        }
    }

    /// Those who join, and those who leave, the holders of a key.
    fn changes(&self, spec: &Spec) -> Option<[Vec<IdentityKey>; 2]> {
        let Self::Reshare { input, .. } = self else {
            return None;
        };
        let keys = |places: &[u16]| {
            let keys = places
                .iter()
                .filter_map(|place| spec.roster.get(usize::from(*place)));
            keys.copied().collect()
        };
        Some([keys(&input.joins), keys(&input.leaves)])
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
