//! Opening a session: what is signed once, and sent until the board shows it.

use std::{sync::Arc, time::Duration};

use tokio::time::{Instant, timeout_at};
use white_city_wire::{
    NetworkId, Refusal, SessionId, SignedTx,
    tx::{Action, Open},
};

use crate::{
    Client, Error,
    replicas::Wakeups,
    sending::{Target, Usual, View, What, send},
};

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

/// A session that the board is to show.
struct Opened<'a> {
    client: &'a Client,
    opening: &'a Opening,
    wakeups: Wakeups,
    /// The board's clock when it was looked at last.
    board_ms: u64,
}

impl Client {
    pub(crate) async fn send_opening(&self, opening: &Opening) -> Result<(), Error> {
        let mut opened = Opened {
            client: self,
            opening,
            wakeups: self.wakeups(opening.id),
            board_ms: 0,
        };
        send(self.replicas(), &opening.tx, What::Opening, &mut opened).await
    }
}

impl Target for Opened<'_> {
    fn begin(&mut self) {}

    fn view(&self, usual: Usual) -> View {
        View {
            usual,
            left: None,
            whole: Duration::MAX,
            is_disputed: false,
            is_too_late: self.board_ms > self.opening.open.open_by_ms,
        }
    }

    async fn look(&mut self) -> Result<bool, Error> {
        Ok(self.client.open_of(self.opening.id).await.is_ok())
    }

    async fn wait(&mut self, until: Instant) -> Result<bool, Error> {
        let _ = timeout_at(until, self.wakeups.next()).await;
        let shown = self.client.opening_of(self.opening.id).await;
        self.wakeups.has_looked();
        match shown {
            Ok(_) => return Ok(true),
            Err(Error::UnknownSession(_) | Error::Unreachable(_)) => {}
            // A replica that has just started has no state to answer from.
            Err(Error::Refused { code, .. }) if Refusal::is_for_a_moment(code) => {}
            Err(other) => return Err(other),
        }
        if Instant::now() >= until
            && let Ok(now) = self.client.status().await
        {
            self.board_ms = now.board_ms();
        }
        Ok(false)
    }
}
