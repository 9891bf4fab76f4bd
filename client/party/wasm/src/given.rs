//! Inputs in JSON.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize, de::DeserializeOwned};
use serde_json::{Value, json};
use white_city_party::Inbox as Opened;
use white_city_verify::wire::{Hash, SessionId, limits::NOBODY, tx};

use crate::failure::Failure;

/// The session that a call is about.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Of {
    pub session: SessionId,
}

/// What a party posts; bytes in hex.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Post {
    pub round: u32,
    #[serde(default)]
    pub broadcast: String,
    #[serde(default)]
    pub p2p: Vec<(u16, String)>,
}

/// The outcome that a party has come to.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Finish {
    pub outcome: Hash,
}

/// The round that is asked for.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Inbox {
    pub round: u32,
}

/// How a party leaves.
#[derive(Deserialize)]
#[serde(untagged, deny_unknown_fields)]
pub enum Leave {
    Decline {
        decline: u16,
    },
    Abort {
        abort: u16,
        about: Option<u16>,
        detail: Option<Hash>,
    },
}

impl From<Leave> for tx::Leave {
    fn from(leave: Leave) -> Self {
        match leave {
            Leave::Decline { decline } => Self::Decline { reason: decline },
            Leave::Abort {
                abort,
                about,
                detail,
            } => Self::Abort {
                cause: abort,
                about: about.unwrap_or(NOBODY),
                detail: detail.unwrap_or(Hash::ZERO),
            },
        }
    }
}

/// Takes an input apart.
pub fn parsed<T: DeserializeOwned>(json: &[u8]) -> Result<T, Failure> {
    serde_json::from_slice(json).map_err(|error| Failure::usage(error.to_string()))
}

/// Takes a session's input apart, which is written in one way only, as the command line reads it: all that its parties see of it counts.
pub fn exactly<T: Serialize + DeserializeOwned>(json: &[u8]) -> Result<T, Failure> {
    let input: T = parsed(json)?;
    let known = serde_json::to_value(&input);
    let known = known.map_err(|error| Failure::usage(error.to_string()))?;
    match known == parsed::<Value>(json)? {
        true => Ok(input),
        false => Err(Failure::usage(format!("expected {known} and nothing else"))),
    }
}

/// Bytes in hex.
pub fn bytes(text: &str) -> Result<Vec<u8>, Failure> {
    hex::decode(text).map_err(|_| Failure::usage("expected hexadecimal digits"))
}

/// An inbox, bytes in hex.
pub fn shown(inbox: &Opened) -> Value {
    let broadcasts = inbox.broadcasts.iter();
    let p2p = inbox.p2p.iter();
    json!({
        "round": inbox.round,
        "posted": inbox.posted,
        "broadcasts": texts(broadcasts.map(|(from, bytes)| (*from, bytes.as_slice()))),
        "p2p": texts(p2p.map(|(from, bytes)| (*from, bytes.as_slice()))),
    })
}

fn texts<'a>(bytes: impl Iterator<Item = (u16, &'a [u8])>) -> BTreeMap<u16, String> {
    bytes
        .map(|(from, bytes)| (from, hex::encode(bytes)))
        .collect()
}
