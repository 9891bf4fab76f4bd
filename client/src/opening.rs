//! Opening a session: what is signed once, and sent until the board shows it.

use std::{sync::Arc, time::Duration};

use tokio::time::{Instant, timeout_at};
use white_city_wire::{
    NetworkId, Refusal, SessionId, SignedTx,
    tx::{Action, Open},
};

use crate::{Client, Error, replicas::Replies};

/// Pause before the same opening is sent again: usually, and at most where replicas have no time for it.
const RESEND: (Duration, Duration) = (Duration::from_millis(500), Duration::from_secs(8));

/// A signed opening of a session: of the same session, however often it is sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Opening {
    tx: Arc<Vec<u8>>,
    open: Open,
    id: SessionId,
}

impl Opening {
    /// What [`Opening::to_bytes`] gave, if it opens a session of this network, and its opener has signed it.
    #[must_use]
    pub fn from_bytes(bytes: &[u8], network: &NetworkId) -> Option<Self> {
        Self::new(SignedTx::decode(bytes).ok()?, network)
    }

    pub(crate) fn new(tx: SignedTx, network: &NetworkId) -> Option<Self> {
        let bytes = tx.encode();
        let Action::Open(open) = tx.unverified_action().clone() else {
            return None;
        };
        tx.verify(&open.opener, open.spec.parties(), network).ok()?;
        Some(Self {
            id: open.session_id(network),
            tx: Arc::new(bytes),
            open,
        })
    }

    /// For keeping it. It holds no secret.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        self.tx.to_vec()
    }

    /// The session's id.
    #[must_use]
    pub const fn id(&self) -> SessionId {
        self.id
    }

    /// What it opens, who does, and until when.
    #[must_use]
    pub const fn open(&self) -> &Open {
        &self.open
    }
}

impl Client {
    pub(crate) async fn send_opening(&self, opening: &Opening) -> Result<(), Error> {
        let (id, tx) = (opening.id, &opening.tx);
        let mut wakeups = self.wakeups(id);
        let mut is_sent = false;
        let mut pause = RESEND.0;
        loop {
            let replies = match is_sent {
                false => self.replicas().submit_to_one(tx).await,
                true => self.replicas().submit(tx).await,
            };
            is_sent = true;
            if let Some(refusal) = replies.refusal(self.replicas().witnesses) {
                return self.open_of(id).await.map(|_| ()).map_err(|_| refusal);
            }
            if replies.is_silence() {
                return Err(Error::Unreachable(replies.faults));
            }
            let refused = self.refused_for_now(&replies);
            match &refused {
                Some((code, refusal)) if !Refusal::is_for_a_moment(*code) => {
                    return Err(refusal.clone());
                }
                Some(_) => pause = pause.saturating_mul(2).min(RESEND.1),
                None => pause = RESEND.0,
            }
            let again = Instant::now() + pause;
            while Instant::now() < again {
                let _ = timeout_at(again, wakeups.next()).await;
                let shown = self.opening_of(id).await;
                wakeups.has_looked();
                match shown {
                    Ok(_) => return Ok(()),
                    Err(Error::UnknownSession(_) | Error::Unreachable(_)) => {}
                    // A replica that has just started has no state to answer from.
                    Err(Error::Refused { code, .. }) if Refusal::is_for_a_moment(code) => {}
                    Err(other) => return Err(other),
                }
            }
            self.replicas().doubt_entrance(&replies);
            let now = self.status().await;
            if now.is_ok_and(|now| now.board_ms() > opening.open.open_by_ms) {
                let late = || Error::usage("board", "to take the session in time");
                let refused = refused.map(|(_, refusal)| refusal);
                return match self.open_of(id).await {
                    Ok(_) => Ok(()),
                    Err(_) => Err(refused.unwrap_or_else(late)),
                };
            }
        }
    }

    /// Why none of them has taken it, if so many say so that one of them is honest.
    fn refused_for_now(&self, replies: &Replies) -> Option<(u32, Error)> {
        if replies.taken > 0 || replies.refused.len() < self.replicas().witnesses {
            return None;
        }
        // What isn't over in a moment is what whoever opens it wants to know.
        let mut refused: Vec<_> = replies.refused.iter().collect();
        refused.sort_by_key(|(code, ..)| Refusal::is_for_a_moment(*code));
        let (code, text, replica) = refused.first()?;
        let refusal = Error::from_code(*code, text.clone(), replica.clone());
        Some((*code, refusal))
    }
}
