//! Progress and waiting as JSON: what the command line and the gateway say alike.

use serde::Serialize;
use serde_json::{Value, json};
use white_city_client::{
    Error, Progress,
    read::Dispute,
    wire::{
        board::Status,
        json::{self, remaining_ms},
    },
};

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
