//! The client: one network, some replicas, and who signs.

use std::{
    path::Path,
    sync::{Arc, OnceLock},
    time::Duration,
};

use tokio::sync::watch;
use white_city_wire::{IdentityKey, Network, SessionId, Signature, board::OpenerLeaf, tx::Open};

use crate::{
    Error, ReplicaLie, Trust, Verified,
    read::{
        BoardStatus, Read, ReadLeaf, ReadOpeners, ReadRound, ReadSession, ReadSignedSpec,
        RoundStatus, SessionRef, SessionState, SessionSummary,
    },
    receipt::{BadReceipt, Receipt},
    replicas::{Freshness, Openings, ReplicaHeight, Replicas, Seen, Wakeups, follow},
    signer::Signer,
    trust::{BadTrustFile, Mark, TrustFile},
    trust_file::{self, TrustFileError},
};

/// Longest time for one question, unless set.
const TIMEOUT: Duration = Duration::from_secs(10);

/// Builds a [`Client`].
#[must_use]
pub struct ClientBuilder {
    trust: Trust,
    mark: Option<Mark>,
    replicas: Vec<String>,
    signer: Option<Arc<dyn Signer>>,
    timeout: Duration,
}

impl ClientBuilder {
    /// Addresses of replicas (http or https), as many as there are, at least `f + 1`; one that is named twice counts once. The
    /// first one is asked first: the nearest. Parties of one session spread their load if they begin with different ones.
    pub fn replicas<U: Into<String>>(mut self, urls: impl IntoIterator<Item = U>) -> Self {
        self.replicas.extend(urls.into_iter().map(Into::into));
        self
    }

    /// A state that was verified before: nothing older is taken, of any replica. [`Client::from_trust_file`] has the file's.
    pub fn not_behind(mut self, mark: Option<Mark>) -> Self {
        self.mark = mark;
        self
    }

    /// The party's signer. Without it the client reads only.
    pub fn signer(mut self, signer: impl Signer + 'static) -> Self {
        self.signer = Some(Arc::new(signer));
        self
    }

    /// Longest time for one question to one replica; 10 seconds unless set.
    pub const fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// The client. Nothing is asked yet.
    ///
    /// # Errors
    /// [`Error::Usage`] without replicas, or with an address that is none.
    pub fn build(self) -> Result<Client, Error> {
        let replicas = Replicas::new(&self.replicas, self.timeout, self.trust)?;
        let replicas = match self.mark {
            Some(mark) => replicas.not_behind(mark),
            None => replicas,
        };
        Ok(Client(Arc::new(Inner {
            replicas: Arc::new(replicas),
            signer: self.signer,
            follower: Arc::default(),
        })))
    }
}

/// A handle on a network. Clones share their connections.
#[derive(Clone)]
pub struct Client(Arc<Inner>);

struct Inner {
    replicas: Arc<Replicas>,
    signer: Option<Arc<dyn Signer>>,
    follower: Arc<OnceLock<watch::Receiver<Seen>>>,
}

impl Client {
    /// Begins with what is trusted: a genesis that the party got from somebody it trusts.
    pub const fn builder(trust: Trust) -> ClientBuilder {
        ClientBuilder {
            trust,
            mark: None,
            replicas: Vec::new(),
            signer: None,
            timeout: TIMEOUT,
        }
    }

    /// Begins with what was verified before: the eras that the file knows are pinned, and nothing older than its state is taken. The
    /// addresses in it are somebody's hints, and not asked unless they are named as replicas.
    pub fn from_trust_file(file: &TrustFile) -> ClientBuilder {
        Self::builder(file.trust()).not_behind(file.mark().cloned())
    }

    /// Everything that this client has verified of the network, for a trust file, with the addresses of its replicas.
    ///
    /// # Errors
    /// [`BadTrustFile::NoGenesis`] where the trust was made of something else than a genesis' JSON.
    pub fn trust_file(&self) -> Result<TrustFile, BadTrustFile> {
        let replicas = &self.0.replicas;
        TrustFile::new(self.trust(), replicas.mark(), replicas.addresses())
    }

    /// Keeps what this client has verified in a trust file, which is made, or goes forward: see [`crate::trust_file::keep`]. From then on
    /// this client knows the eras that the file knows.
    ///
    /// # Errors
    /// [`TrustFileError`]; [`BadTrustFile::fork`] of its reason says whether the file and this client have seen two histories.
    pub fn keep_trust(&self, path: &Path) -> Result<TrustFile, TrustFileError> {
        let known = self.trust_file();
        let known = known.map_err(|reason| TrustFileError::bad(path, reason))?;
        let kept = trust_file::keep(path, &known)?;
        let links = kept.trust().links_from(0);
        let learned = self.trust().learn(&links);
        learned.map_err(|reason| {
            let era = kept.trust().newest_era();
            TrustFileError::bad(path, BadTrustFile::Link { era, reason })
        })?;
        Ok(kept)
    }

    /// The same client for another identity. Both share their connections, the replica that they follow, and what either has
    /// verified (headers, signatures, what opened a session); nothing else of their sessions. For a process that is several parties.
    #[must_use]
    pub fn with_signer(&self, signer: impl Signer + 'static) -> Self {
        Self(Arc::new(Inner {
            replicas: Arc::clone(&self.0.replicas),
            signer: Some(Arc::new(signer)),
            follower: Arc::clone(&self.0.follower),
        }))
    }

    /// The network.
    #[must_use]
    pub fn network(&self) -> &Network {
        self.trust().network()
    }

    /// The trust in a genesis with which answers are checked.
    #[must_use]
    pub fn trust(&self) -> &Trust {
        self.0.replicas.trust()
    }

    /// Answers of replicas that can't be true, the oldest first; the newest 16 are kept.
    #[must_use]
    pub fn lies(&self) -> Vec<Arc<ReplicaLie>> {
        self.0.replicas.lies()
    }

    /// The highest height that this client has verified.
    #[must_use]
    pub fn height(&self) -> u64 {
        self.0.replicas.highest()
    }

    /// Whether enough replicas have answered to know how new the newest state is; `None` before all were asked, as whoever reads something
    /// once, or follows a session, does.
    #[must_use]
    pub fn freshness(&self) -> Option<Freshness> {
        self.0.replicas.freshness()
    }

    /// Asks the board, for an answer from a state of `min_height` or higher; with 0 from any, also an old one. A slow replica is
    /// hedged by another one; one that is silent, behind or lying is left for another one.
    ///
    /// # Errors
    /// [`Error::Unreachable`], [`Error::Refused`] or [`Error::ReplicaLied`] when none gave an answer that verifies; [`Error::Behind`] when
    /// all that answer are behind `min_height`, or what was verified before; [`Error::Fork`].
    pub async fn read<R: Read>(
        &self,
        read: &R,
        min_height: u64,
    ) -> Result<Verified<R::Value>, Error> {
        self.0.replicas.read(read, min_height).await
    }

    /// Asks the board once, for a state as new as any replica proves now: an old one could hide what has come since.
    pub(crate) async fn newest<R: Read>(&self, read: &R) -> Result<Verified<R::Value>, Error> {
        self.0.replicas.read_newest(read).await
    }

    pub(crate) fn replicas(&self) -> &Arc<Replicas> {
        &self.0.replicas
    }

    pub(crate) fn signer(&self) -> Result<Arc<dyn Signer>, Error> {
        let signer = self.0.signer.clone();
        signer.ok_or_else(|| Error::usage("signer", "an identity that signs"))
    }

    /// Wake-ups for one more waiter. The first one starts the following.
    pub(crate) fn wakeups(&self, session: SessionId) -> Wakeups {
        Wakeups::new(self.followed(), session)
    }

    /// The same for a party that waits for sessions.
    pub(crate) fn openings(&self, party: &IdentityKey) -> Openings {
        Openings::new(self.followed(), party)
    }

    fn followed(&self) -> watch::Receiver<Seen> {
        let receiver = self.0.follower.get_or_init(|| {
            let replicas = &self.0.replicas;
            let (sender, receiver) = watch::channel(Seen::new(replicas.witnesses()));
            tokio::spawn(follow(
                Arc::downgrade(replicas),
                replicas.witnesses(),
                sender,
            ));
            receiver
        });
        receiver.clone()
    }

    /// The opening of a session.
    ///
    /// # Errors
    /// [`Error::UnknownSession`], which is never proven; [`Error::Erased`]; as [`Client::read`].
    pub async fn open_of(&self, id: SessionId) -> Result<Open, Error> {
        Ok(self.signed_open_of(id).await?.0)
    }

    /// As [`Client::open_of`], with the opener's signature.
    pub(crate) async fn signed_open_of(&self, id: SessionId) -> Result<(Open, Signature), Error> {
        let open = self.read(&ReadSignedSpec(id), 0).await;
        open.map(Verified::into_value)
            .map_err(|error| unknown_session(error.or_erased(), id.into()))
    }

    /// As [`Client::open_of`], with the opener's signature; read once for all that this client does. That a session was erased since is found by
    /// whoever reads on.
    ///
    /// # Errors
    /// As [`Client::open_of`].
    pub async fn opening_of(&self, id: SessionId) -> Result<Arc<(Open, Signature)>, Error> {
        let checked = &self.replicas().checked;
        if let Some(opening) = checked.opening(&id) {
            return Ok(opening);
        }
        let opening = Arc::new(self.signed_open_of(id).await?);
        checked.note_opening(id, Arc::clone(&opening));
        Ok(opening)
    }

    /// The part of a session that stays for ever, by id or number: its leaf and how it ended. After its erasure, too.
    ///
    /// # Errors
    /// [`Error::UnknownSession`], which is never proven; as [`Client::read`].
    pub async fn summary(&self, session: SessionRef) -> Result<Verified<SessionSummary>, Error> {
        let summary = self.newest(&ReadLeaf(session)).await;
        summary.map_err(|error| unknown_session(error, session))
    }

    /// The state of a session. Whoever wants to know its members, and that they are right, follows it: [`Client::observe`].
    ///
    /// # Errors
    /// [`Error::UnknownSession`], which is never proven; [`Error::Erased`]; as [`Client::read`].
    pub async fn state(&self, id: SessionId) -> Result<Verified<SessionState>, Error> {
        let open = self.open_of(id).await?;
        let spec = &open.spec;
        self.newest(&ReadSession { id, spec }).await
    }

    /// The slots of a round that are filled; all entries of a closed round are in it.
    ///
    /// # Errors
    /// [`Error::Refused`] for a round to come; [`Error::UnknownSession`]; [`Error::Erased`]; as [`Client::read`].
    pub async fn round(&self, id: SessionId, round: u32) -> Result<Verified<RoundStatus>, Error> {
        let open = self.open_of(id).await?;
        let spec = &open.spec;
        self.newest(&ReadRound { id, spec, round }).await
    }

    /// A receipt under the newest header, also after the session's erasure.
    ///
    /// # Errors
    /// [`Error::Receipt`] when the session has gone on since the receipt was made, so that a new one has to be made; as
    /// [`Client::read`].
    pub async fn renew(&self, receipt: Receipt) -> Result<Receipt, Error> {
        let session = receipt.anchored_session().map_err(Error::Receipt)?;
        let anchor = self.summary(session.into()).await?.anchor();
        let anchor = anchor.ok_or(Error::Receipt(BadReceipt::NoAnchor))?;
        let renewed = receipt.renewed(anchor, self.trust());
        renewed.map_err(Error::Receipt)
    }

    /// The identities that may open sessions, and what they use, in the order of their numbers.
    ///
    /// # Errors
    /// As [`Client::read`].
    pub async fn openers(&self) -> Result<Vec<OpenerLeaf>, Error> {
        let mut openers = Vec::new();
        loop {
            let from = u32::try_from(openers.len()).unwrap_or(u32::MAX);
            let page = self.newest(&ReadOpeners { from }).await?;
            if page.is_empty() {
                return Ok(openers);
            }
            openers.extend(page.into_value());
        }
    }

    /// The height of each replica, or why it doesn't say, in the order in which they are asked. For
    /// people who wait.
    pub async fn heights(&self) -> Vec<ReplicaHeight> {
        self.replicas().heights().await
    }

    /// The board's own numbers and its time, from the highest state that any replica proves: all are asked.
    ///
    /// # Errors
    /// As [`Client::read`].
    pub async fn status(&self) -> Result<Verified<BoardStatus>, Error> {
        self.0.replicas.freshest().await
    }
}

fn unknown_session(error: Error, session: SessionRef) -> Error {
    match error {
        Error::Refused { code: 32 | 146, .. } => Error::UnknownSession(session.to_string()),
        other => other,
    }
}
