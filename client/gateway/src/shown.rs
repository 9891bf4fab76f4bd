//! Progress, waiting and rounds as JSON: what the command line and the gateway say alike.

use std::collections::BTreeMap;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::{Value, json};
use white_city_client::{
    Error, Inbox, Progress,
    read::Dispute,
    wire::{
        board::Status,
        json::{self, remaining_ms},
    },
};
use zeroize::Zeroizing;

/// The round that other parties have to act in first.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Waiting {
    /// The open round; 0 is joining.
    pub open_round: u32,
    /// Indices of the parties that it waits for.
    pub waiting_for: Vec<u16>,
    /// Until when, board time; 0 while the clock hasn't started.
    pub deadline_ms: u64,
    /// Time that is left until then.
    pub remaining_ms: Option<u64>,
    /// The board's time.
    pub board_ms: u64,
}

impl Waiting {
    /// The round that an error waits in, if it is that other parties have to act first.
    #[must_use]
    pub fn of(error: &Error) -> Option<Self> {
        let Error::Waiting {
            round,
            missing,
            deadline_ms,
            board_ms,
        } = error
        else {
            return None;
        };
        Some(Self {
            open_round: *round,
            waiting_for: missing.clone(),
            deadline_ms: *deadline_ms,
            // Only a session that goes on is waited in.
            remaining_ms: remaining_ms(Status::Running, *deadline_ms, *board_ms),
            board_ms: *board_ms,
        })
    }
}

/// The progress of a session, for machines.
#[must_use]
pub fn progress(now: &Progress) -> Value {
    json!({
        "event": "progress",
        "status": now.status,
        "open_round": now.round,
        "filled_count": now.filled,
        "member_count": now.members,
        "waiting_for": now.waiting_for,
        "left": now.left,
        "deadline_ms": now.deadline_ms,
        "remaining_ms": remaining_ms(now.status, now.deadline_ms, now.board_ms),
        "board_ms": now.board_ms,
        "height": now.height,
        "last_call": now.last_call,
        "dispute": now.dispute.as_ref().map(dispute),
    })
}

/// The party that complains and the one that it complains about, which is all that whoever looks on knows of a complaint.
#[must_use]
pub fn dispute(dispute: &Dispute) -> json::Dispute {
    json::Dispute {
        by: dispute.by,
        accused: dispute.accused,
        round: dispute.round,
        ..Default::default()
    }
}

/// Bytes, as base64.
#[derive(Clone, Default)]
pub struct Base64(pub Zeroizing<Vec<u8>>);

impl Serialize for Base64 {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let text = Zeroizing::new(STANDARD.encode(&*self.0));
        serializer.serialize_str(&text)
    }
}

impl<'de> Deserialize<'de> for Base64 {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = Zeroizing::new(String::deserialize(deserializer)?);
        let bytes = STANDARD.decode(&*text);
        bytes
            .map(|bytes| Self(Zeroizing::new(bytes)))
            .map_err(|_| serde::de::Error::custom("expected base64 with its padding"))
    }
}

/// A closed round, for this party.
#[derive(Serialize)]
pub struct Round {
    round: u32,
    posted: Vec<u16>,
    broadcasts: BTreeMap<u16, Base64>,
    p2p: BTreeMap<u16, Base64>,
}

impl From<Inbox> for Round {
    fn from(inbox: Inbox) -> Self {
        let broadcasts = inbox.broadcasts.into_iter();
        let p2p = inbox.p2p.into_iter();
        Self {
            round: inbox.round,
            posted: inbox.posted,
            broadcasts: broadcasts
                .map(|(from, bytes)| (from, Base64(bytes.into())))
                .collect(),
            p2p: p2p.map(|(from, bytes)| (from, Base64(bytes))).collect(),
        }
    }
}
