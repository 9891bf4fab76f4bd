//! Opening a session: what is signed once, stamped where the charter asks for it, and sent until the board shows it.

use std::{sync::Arc, time::Duration};

use tokio::{
    sync::watch,
    time::{Instant, sleep, timeout_at},
};
use white_city_wire::{
    Charter, Hash, NetworkId, Refusal, SessionId, Signature, SignedTx, Spec,
    stamp::is_stamp,
    tx::{Action, Open},
};

use crate::{
    Client, Error, Stamping, Verified,
    read::BoardStatus,
    replicas::Wakeups,
    sending::{Target, TxKind, Usual, View, send},
    stamping,
};

/// Number of times that the replicas may want another stamp than the charter that this client sees, and the time for them to agree.
const STAMP_DOUBTS: u32 = 3;
const STAMP_DOUBT: Duration = Duration::from_millis(500);

/// A signed opening of a session: of the same session, however often it is sent, and whatever stamp it has.
#[derive(Debug, Clone)]
pub struct Opening {
    tx: Arc<Vec<u8>>,
    signature: Signature,
    open: Open,
    id: SessionId,
    stamping: watch::Sender<Option<Stamping>>,
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
        let verified = tx.verify(&open.opener, open.spec.parties(), network).ok()?;
        Some(Self {
            id: open.session_id(network),
            tx: Arc::new(bytes),
            signature: *verified.signature(),
            open,
            stamping: watch::Sender::new(None),
        })
    }

    /// The same with this stamp, which isn't signed.
    fn put_stamp(&mut self, stamp: u64) -> Result<(), Error> {
        self.open.stamp = stamp;
        let action = Action::Open(self.open.clone());
        let tx = SignedTx::new(action, self.signature).map_err(Error::Spec)?;
        self.tx = Arc::new(tx.encode());
        Ok(())
    }

    /// Whether its stamp is one of so many bits; of none where that is 0.
    fn has_stamp(&self, bits: u8) -> bool {
        match bits {
            0 => self.open.stamp == 0,
            _ => is_stamp(&self.id, self.open.stamp, bits),
        }
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

    /// The stamp that is being computed for it, with each change; `None` when none is.
    #[must_use]
    pub fn stamping(&self) -> watch::Receiver<Option<Stamping>> {
        self.stamping.subscribe()
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
    /// [`Error::Spec`] for a spec that no board takes; [`Error::Stamp`] where the board asks for one that takes too long;
    /// [`Error::QuotaExceeded`]; [`Error::Refused`]; [`Error::Unreachable`]; [`Error::Usage`] when the board's time has passed what the
    /// opening names, without the session.
    pub async fn open(&self, spec: Spec) -> Result<SessionId, Error> {
        let (mut opening, now) = self.signed(spec).await?;
        self.stamp_at(&mut opening, &now).await?;
        self.open_with(&mut opening).await
    }

    /// Signs what opens a session, and sends nothing. Kept somewhere before it is sent with [`Client::open_with`], it is what an
    /// interrupted process goes on with instead of opening another session.
    ///
    /// # Errors
    /// [`Error::Spec`] for a spec that no board takes; [`Error::Sign`]; as [`Client::status`].
    pub async fn opening(&self, spec: Spec) -> Result<Opening, Error> {
        Ok(self.signed(spec).await?.0)
    }

    /// Gives an opening the stamp that the charter in force asks of its opener, and says whether it had another one. A stamp that is
    /// good is kept. Computing one takes the cores that `rayon` has, and no thread of the runtime; [`Opening::stamping`] tells how far it
    /// is. Sending without it is possible: [`Client::open_with`] does the same when the replicas ask for it.
    ///
    /// # Errors
    /// [`Error::Stamp`] for one that takes too long, which is known after a moment; as [`Client::charter`].
    pub async fn stamp(&self, opening: &mut Opening) -> Result<bool, Error> {
        let now = self.status().await?;
        self.stamp_at(opening, &now).await
    }

    /// Sends what opens a session until the board shows it, and returns its id. The same opening can be sent again, whatever came
    /// of it before: it opens one session. Replicas that have no time or no room for it at present are asked again until its time
    /// is over; where they ask for another stamp than it has, because the charter has changed, it gets that.
    ///
    /// # Errors
    /// As [`Client::open`].
    pub async fn open_with(&self, opening: &mut Opening) -> Result<SessionId, Error> {
        let mut doubts = 0;
        loop {
            let refused = match self.send_opening(opening).await {
                Err(Error::Refused { code, .. }) if Refusal::is_stamp(code) => code,
                sent => return sent,
            };
            tracing::debug!(session = %opening.id, code = refused, "another stamp is needed");
            if self.stamp(opening).await? {
                continue;
            }
            // They have seen another charter than this client, or will.
            doubts += 1;
            if doubts > STAMP_DOUBTS {
                return self.send_opening(opening).await;
            }
            sleep(STAMP_DOUBT).await;
        }
    }

    /// Whether nobody can join the session any more: the board's time has passed what the opening names, and it has no such session. As
    /// far as it answers.
    pub async fn is_over(&self, opening: &Opening) -> bool {
        let now = self.status().await;
        now.is_ok_and(|now| now.board_ms() > opening.open.open_by_ms)
            && matches!(
                self.open_of(opening.id).await,
                Err(Error::UnknownSession(_))
            )
    }

    async fn send_opening(&self, opening: &Opening) -> Result<SessionId, Error> {
        let mut opened = Opened {
            client: self,
            opening,
            wakeups: self.wakeups(opening.id),
            board_ms: 0,
        };
        send(self.replicas(), &opening.tx, TxKind::Opening, &mut opened).await?;
        Ok(opening.id)
    }

    /// A signed opening, and the board as it was.
    async fn signed(&self, spec: Spec) -> Result<(Opening, Verified<BoardStatus>), Error> {
        spec.check().map_err(Error::Spec)?;
        let signer = self.signer()?;
        let mut nonce = [0; 32];
        getrandom::fill(&mut nonce).map_err(|error| Error::Random(error.to_string()))?;
        let now = self.status().await?;
        let open = Open {
            spec,
            opener: signer.identity(),
            nonce,
            open_by_ms: now
                .board_ms()
                .saturating_add(self.network().params.max_open_ms / 2),
            stamp: 0,
        };
        let network = self.network().id;
        let action = Action::Open(open);
        let signature = signer.sign(&action, &network).await?;
        let tx = SignedTx::new(action, signature).map_err(Error::Spec)?;
        let opening = Opening::new(tx, &network)
            .ok_or_else(|| Error::usage("signer", "a signature by its own key"))?;
        Ok((opening, now))
    }

    async fn stamp_at(
        &self,
        opening: &mut Opening,
        now: &Verified<BoardStatus>,
    ) -> Result<bool, Error> {
        let charter = self.charter_of(now.charter_hash).await?;
        let bits = charter.stamp_bits_of(&opening.open.opener);
        if opening.has_stamp(bits) {
            return Ok(false);
        }
        let left_ms = opening.open.open_by_ms.saturating_sub(now.board_ms());
        let stamp = match bits {
            0 => 0,
            _ => {
                let left = Duration::from_millis(left_ms);
                stamping::find(opening.id, bits, left, &opening.stamping).await?
            }
        };
        opening.put_stamp(stamp)?;
        Ok(true)
    }

    /// The charter with this hash, or one that has replaced it. It is read once for all openings of the process.
    async fn charter_of(&self, hash: Hash) -> Result<Arc<Charter>, Error> {
        let checked = &self.replicas().checked;
        let genesis = &self.network().charter;
        let known = checked.charter(&hash);
        if let Some(known) = known.or_else(|| (genesis.hash() == hash).then(|| Arc::clone(genesis)))
        {
            return Ok(known);
        }
        let charter = Arc::new(self.charter().await?.into_value().charter);
        checked.note_charter(&charter);
        Ok(charter)
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
            Err(Error::UnknownSession(_) | Error::Unreachable(_) | Error::Behind { .. }) => {}
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
