//! The client: one network, some replicas, and who signs.

use std::{
    sync::{Arc, OnceLock},
    time::Duration,
};

use tokio::sync::watch;
use white_city_wire::{
    IdentityKey, Network, SessionId, SignedTx, Spec,
    tx::{Action, Open},
};

use crate::{
    Error, SessionView, Unproven,
    read::{BoardStatus, RoundStatus, SessionLine, SessionRef},
    replicas::{ReadError, Replicas, Tally, Wakeups, follow, gather},
    session::{Observer, Session},
    signer::Signer,
};

/// How long one question may take.
const TIMEOUT: Duration = Duration::from_secs(10);
/// Pause between looking for a session that was just opened.
const RESEND: Duration = Duration::from_millis(500);
/// Most sessions of one list.
const LIST_MAX: usize = 100_000;

/// Builds a [`Client`].
#[must_use]
pub struct ClientBuilder {
    network: Network,
    replicas: Vec<String>,
    signer: Option<Arc<dyn Signer>>,
    timeout: Duration,
}

impl ClientBuilder {
    /// Addresses of replicas (http or https), as many as there are, at least `f + 1`; one that is named twice counts once.
    pub fn replicas<U: Into<String>>(mut self, urls: impl IntoIterator<Item = U>) -> Self {
        self.replicas.extend(urls.into_iter().map(Into::into));
        self
    }

    /// Who signs. Without it the client reads only.
    pub fn signer(mut self, signer: impl Signer + 'static) -> Self {
        self.signer = Some(Arc::new(signer));
        self
    }

    /// How long one question to one replica may take; 10 seconds unless set.
    pub const fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// The client. Nothing is asked yet.
    ///
    /// # Errors
    /// [`Error::Usage`] without replicas, or with an address that is none.
    pub fn build(self) -> Result<Client, Error> {
        let faults = self.network.faults();
        let replicas = Replicas::new(&self.replicas, self.timeout, faults)?;
        Ok(Client(Arc::new(Inner {
            network: self.network,
            replicas: Arc::new(replicas),
            signer: self.signer,
            follower: OnceLock::new(),
        })))
    }
}

/// A handle on a network. Clones share their connections.
#[derive(Clone)]
pub struct Client(Arc<Inner>);

struct Inner {
    network: Network,
    replicas: Arc<Replicas>,
    signer: Option<Arc<dyn Signer>>,
    follower: OnceLock<watch::Receiver<crate::replicas::Seen>>,
}

/// A session as anybody can see it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Report {
    /// What opened it, checked against its id; `None` once it is erased.
    pub open: Option<Open>,
    /// What a replica says about it.
    pub view: Unproven<SessionView>,
}

impl Client {
    /// Begins with the network that is trusted: it comes from a genesis that the party got from somebody it trusts.
    pub const fn builder(network: Network) -> ClientBuilder {
        ClientBuilder {
            network,
            replicas: Vec::new(),
            signer: None,
            timeout: TIMEOUT,
        }
    }

    /// The network.
    #[must_use]
    pub fn network(&self) -> &Network {
        &self.0.network
    }

    pub(crate) fn replicas(&self) -> &Arc<Replicas> {
        &self.0.replicas
    }

    pub(crate) fn signer(&self) -> Result<Arc<dyn Signer>, Error> {
        let signer = self.0.signer.clone();
        signer.ok_or_else(|| Error::usage("signer", "an identity that signs"))
    }

    /// Wake-ups for one more waiter. The first one starts the following.
    pub(crate) fn wakeups(&self) -> Wakeups {
        let receiver = self.0.follower.get_or_init(|| {
            let (sender, receiver) = watch::channel(crate::replicas::Seen::default());
            tokio::spawn(follow(Arc::downgrade(&self.0.replicas), sender));
            receiver
        });
        Wakeups::new(receiver.clone())
    }

    /// Opens a session and returns its id when the board shows it.
    ///
    /// # Errors
    /// [`Error::Spec`] for a spec that no board takes; [`Error::QuotaExceeded`]; [`Error::Refused`]; [`Error::Unreachable`];
    /// [`Error::Usage`] when the board's time has passed what the opening names, without the session.
    pub async fn open(&self, spec: Spec) -> Result<SessionId, Error> {
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
        };
        let network = self.network().id;
        let (id, open_by_ms) = (open.session_id(&network), open.open_by_ms);
        let action = Action::Open(open);
        let signature = signer.sign(&action, &network).await?;
        let tx = SignedTx::new(action, signature).map_err(Error::Spec)?;
        self.send_open(id, open_by_ms, Arc::new(tx.encode()))
            .await?;
        Ok(id)
    }

    async fn send_open(
        &self,
        id: SessionId,
        open_by_ms: u64,
        tx: Arc<Vec<u8>>,
    ) -> Result<(), Error> {
        let mut wakeups = self.wakeups();
        loop {
            let replies = self.replicas().submit(&tx).await;
            if let Some(refusal) = replies.refusal(self.replicas().witnesses) {
                return self.open_of(id).await.map(|_| ()).map_err(|_| refusal);
            }
            if replies.is_silence() {
                return Err(Error::Unreachable(replies.faults));
            }
            // A quota may have room again later, but whoever opens a session wants to know now.
            if replies.taken == 0
                && replies.refused.len() >= self.replicas().witnesses
                && let Some((code, text, replica)) = replies.refused.first().cloned()
            {
                return Err(Error::from_code(code, text, replica));
            }
            let again = tokio::time::Instant::now() + RESEND;
            while tokio::time::Instant::now() < again {
                let _ = tokio::time::timeout_at(again, wakeups.next()).await;
                match self.open_of(id).await {
                    Ok(_) => return Ok(()),
                    Err(Error::UnknownSession(_) | Error::Unreachable(_)) => {}
                    Err(other) => return Err(other),
                }
            }
            if self.is_past(open_by_ms).await {
                return match self.open_of(id).await {
                    Ok(_) => Ok(()),
                    Err(_) => Err(Error::usage("board", "to take the session in time")),
                };
            }
        }
    }

    /// Whether enough replicas say that the board's time is past this for one of them to be honest.
    async fn is_past(&self, board_ms: u64) -> bool {
        let (order, network) = (self.replicas().in_order(), self.network().id);
        let asked = order.iter().map(|e| BoardStatus::read(e, &network));
        let answers = gather(self.replicas().witnesses, asked).await;
        let past = answers
            .iter()
            .flatten()
            .filter(|status| status.board_ms() > board_ms);
        past.count() >= self.replicas().witnesses
    }

    /// This party's handle on a session.
    ///
    /// # Errors
    /// [`Error::NotMember`]; [`Error::UnknownSession`]; [`Error::Erased`]; [`Error::Unreachable`].
    pub async fn session(&self, id: SessionId) -> Result<Session, Error> {
        Session::new(self.clone(), id).await
    }

    /// A reader of a session.
    ///
    /// # Errors
    /// [`Error::UnknownSession`]; [`Error::Erased`]; [`Error::Unreachable`].
    pub async fn observe(&self, id: SessionId) -> Result<Observer, Error> {
        Observer::new(self.clone(), id, None).await
    }

    /// A session as it stands, by id or number, erased or not.
    ///
    /// # Errors
    /// [`Error::UnknownSession`]; [`Error::Unreachable`].
    pub async fn show(&self, session: SessionRef) -> Result<Report, Error> {
        let mut tally = Tally::default();
        for endpoint in self.replicas().in_order() {
            match SessionView::read(&endpoint, session).await {
                Ok(view) => {
                    let open = match self.open_of(view.unproven_value().id).await {
                        Ok(open) => Some(open),
                        Err(Error::Erased | Error::UnknownSession(_)) => None,
                        Err(error) => return Err(error),
                    };
                    return Ok(Report { open, view });
                }
                Err(error) => self.replicas().note(&mut tally, &endpoint, error)?,
            }
        }
        Err(unknown_session(tally.into_error(), session))
    }

    /// Which slots of a round are filled.
    ///
    /// # Errors
    /// [`Error::Refused`] for a round to come; [`Error::UnknownSession`]; [`Error::Unreachable`].
    pub async fn round(
        &self,
        session: SessionRef,
        round: u32,
    ) -> Result<Unproven<RoundStatus>, Error> {
        let mut tally = Tally::default();
        for endpoint in self.replicas().in_order() {
            match RoundStatus::read(&endpoint, session, round).await {
                Ok(status) => return Ok(status),
                Err(error) => self.replicas().note(&mut tally, &endpoint, error)?,
            }
        }
        Err(unknown_session(tally.into_error(), session))
    }

    /// The sessions in the order of their numbers: all, or those with this party in their roster.
    ///
    /// # Errors
    /// [`Error::Unreachable`].
    pub async fn sessions(&self, party: Option<&IdentityKey>) -> Result<Vec<SessionLine>, Error> {
        let mut tally = Tally::default();
        for endpoint in self.replicas().in_order() {
            let mut lines = Vec::new();
            let mut from = 0;
            let error = loop {
                match SessionLine::read_page(&endpoint, party, from).await {
                    Ok(page) => {
                        let (page, next) = page.into_unproven_value();
                        let last = page.is_empty() || next <= from || lines.len() >= LIST_MAX;
                        lines.extend(page);
                        if last {
                            return Ok(lines);
                        }
                        from = next;
                    }
                    // The end of the list, where it is a page past the last one.
                    Err(ReadError::Refused { code: 146, .. }) if from > 0 => return Ok(lines),
                    Err(error) => break error,
                }
            };
            self.replicas().note(&mut tally, &endpoint, error)?;
        }
        Err(tally.into_error())
    }

    /// The board's own numbers, from the highest state that at least one honest replica has reached.
    ///
    /// # Errors
    /// [`Error::Unreachable`]; [`Error::ReplicaLied`] when they serve another network.
    pub async fn status(&self) -> Result<Unproven<BoardStatus>, Error> {
        let order = self.replicas().in_order();
        let network = self.network().id;
        let asked = order.iter().map(async |endpoint| {
            let status = BoardStatus::read(endpoint, &network).await;
            status.map_err(|error| (endpoint, error))
        });
        let mut tally = Tally::default();
        let mut answers = Vec::new();
        for answer in gather(self.replicas().witnesses, asked).await {
            match answer {
                Ok(status) => answers.push(status),
                Err((endpoint, error)) => self.replicas().note(&mut tally, endpoint, error)?,
            }
        }
        answers.sort_by_key(|status| std::cmp::Reverse(status.height()));
        let honest = self.replicas().witnesses.min(answers.len());
        let chosen = answers.into_iter().take(honest).next_back();
        chosen.ok_or_else(|| tally.into_error())
    }
}

fn unknown_session(error: Error, session: SessionRef) -> Error {
    match error {
        Error::Refused { code: 32 | 146, .. } => Error::UnknownSession(session.to_string()),
        other => other,
    }
}
