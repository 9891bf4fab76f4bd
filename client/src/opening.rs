//! Opening a session: what is signed once, and sent until the board shows it.

use std::sync::Arc;

use tokio::time::{Instant, timeout_at};
use white_city_wire::{
    NetworkId, Refusal, SessionId, SignedTx, Spec,
    tx::{Action, Open},
};

use crate::{
    Client, Error,
    replicas::Wakeups,
    sending::{Target, TxKind, Usual, View, send},
};

/// A signed opening of a session: of the same session, however often it is sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Opening {
    tx: Arc<Vec<u8>>,
    open: Open,
    id: SessionId,
}

impl Opening {
    /// The opening that [`Opening::to_bytes`] gave, if it opens a session of this network, and its opener has signed it.
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

    /// The content: what it opens, who does, and until when.
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
    /// Opens a session and returns its id when the board shows it.
    ///
    /// # Errors
    /// [`Error::Spec`] for a spec that no board takes; [`Error::QuotaExceeded`]; [`Error::Refused`]; [`Error::Unreachable`];
    /// [`Error::Usage`] when the board's time has passed what the opening names, without the session.
    pub async fn open(&self, spec: Spec) -> Result<SessionId, Error> {
        self.open_with(&self.opening(spec).await?).await
    }

    /// Signs what opens a session, and sends nothing. Kept somewhere before it is sent with [`Client::open_with`], it is what an
    /// interrupted process goes on with instead of opening another session.
    ///
    /// # Errors
    /// [`Error::Spec`] for a spec that no board takes; [`Error::Sign`]; as [`Client::status`].
    pub async fn opening(&self, spec: Spec) -> Result<Opening, Error> {
        spec.check().map_err(Error::Spec)?;
        let signer = self.signer()?;
        let mut nonce = [0; 32];
        getrandom::fill(&mut nonce).map_err(|error| Error::Random(error.to_string()))?;
        let now = self.status().await?.board_ms();
        let open = Open {
            spec,
            opener: signer.identity(),
            nonce,
            open_by_ms: now.saturating_add(self.network().params.max_open_ms / 2),
            stamp: 0,
        };
        let network = self.network().id;
        let action = Action::Open(open);
        let signature = signer.sign(&action, &network).await?;
        let tx = SignedTx::new(action, signature).map_err(Error::Spec)?;
        Opening::new(tx, &network)
            .ok_or_else(|| Error::usage("signer", "a signature by its own key"))
    }

    /// Sends what opens a session until the board shows it, and returns its id. The same opening can be sent again, whatever came
    /// of it before: it opens one session. Replicas that have no time or no room for it at present are asked again until its time
    /// is over.
    ///
    /// # Errors
    /// As [`Client::open`].
    pub async fn open_with(&self, opening: &Opening) -> Result<SessionId, Error> {
        let mut opened = Opened {
            client: self,
            opening,
            wakeups: self.wakeups(opening.id),
            board_ms: 0,
        };
        send(self.replicas(), &opening.tx, TxKind::Opening, &mut opened).await?;
        Ok(opening.id)
    }
}

impl Target for Opened<'_> {
    fn begin(&mut self) {}

    fn view(&self, usual: Usual) -> View {
        View::of_no_round(usual, self.board_ms > self.opening.open.open_by_ms)
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
