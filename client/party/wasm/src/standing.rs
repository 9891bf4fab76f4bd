//! How a session stands for its party.

use serde_json::{Value, json};
use white_city_party::{AbortRecord, End, Error, Goal};
use white_city_verify::wire::board::{Status, Terminal};
use white_city_wasm::board::Board;

use crate::{failure::Failure, seat::Seat};

/// The end that a record is. What was said by whom is in the session's evidence, which is asked for by itself.
pub fn end_of(terminal: &Terminal) -> End {
    if terminal.status == Status::Finished {
        let outcome = terminal.outcome;
        return End::Finished { outcome };
    }
    let missing = terminal.members.iter();
    let missing = missing.filter(|index| !terminal.filled.contains(*index));
    End::Aborted(Box::new(AbortRecord {
        record: terminal.clone(),
        left: Vec::new(),
        culprits: Vec::new(),
        missing: missing.collect(),
        dispute: None,
    }))
}

/// An end, in JSON.
pub fn shown(end: &End) -> Value {
    let (how, text) = match end {
        End::Finished { outcome } => return json!({ "how": "finished", "outcome": outcome }),
        End::Aborted(record) => ("aborted", record.to_string()),
        End::Unknown(record) => ("unknown", record.to_string()),
    };
    json!({ "how": how, "text": text })
}

impl Seat {
    /// How the session stands, and what has to be sent again until the board shows it.
    pub fn standing(&mut self, board: &Board) -> Result<Value, Failure> {
        let read = self.read(board)?;
        let seen = read.seen();
        let open = seen.history.open_round();
        let (mut send, mut is_shown) = (Vec::new(), false);
        if let Some((digest, tx)) = self.party.leaving()
            && !self.party.is_reached(seen, Goal::Left { digest })?
        {
            send.push(hex::encode(&*tx));
        }
        // Once it has ended nothing is written, and how it has ended is to be said.
        let closed = if seen.end.is_some() { 0..0 } else { 0..open };
        for round in closed {
            if self.party.filling(round).is_some() || self.party.has_signed() {
                self.party.check_own_slot(seen, round)?;
            }
        }
        if let Some(own) = self.party.filling(open) {
            let (digest, tx) = (own.digest, own.tx.clone());
            match self.party.is_slot_filled(seen, open, &digest) {
                Ok(shown) => is_shown = shown,
                // How it has ended is said below.
                Err(Error::Aborted(_) | Error::Finished { .. } | Error::Unknown(_)) => {}
                Err(error) => return Err(error.into()),
            }
            let is_over = seen.end.is_some();
            send.extend(
                tx.filter(|_| !is_shown && !is_over)
                    .map(|tx| hex::encode(&*tx)),
            );
        }
        let end = self.party.as_seen_by_me(seen);
        let now = seen.now;
        Ok(json!({
            "index": self.party.place().index,
            "n": self.party.place().n,
            "open_round": open,
            "joined": self.party.filling(0).is_some(),
            "written": self.party.filling(open).is_some(),
            "shown": is_shown,
            "left": self.party.has_left(seen),
            "waiting_for": now.map(|now| now.waiting_for(seen.history.members())),
            "deadline_ms": now.map(|now| now.leaf.deadline_ms),
            "board_ms": now.map(|now| now.board_ms()),
            "height": read.followed.height(),
            "send": send,
            "end": end.as_ref().map(shown),
        }))
    }
}
