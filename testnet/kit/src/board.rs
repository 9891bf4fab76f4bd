//! The board, and its parties.

use std::{
    collections::BTreeMap,
    path::Path,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use tempfile::TempDir;
use tokio::time::{Instant, sleep};
use white_city_client::{
    Client, Hash, IdentityKey, LocalKey, Session, SessionId, Signer, SpecBuilder, Trust, genesis,
    wire::{AppState, charter::OpenerQuota, hash::Preimage, limits::ROSTER_PARTIES_MAX},
};
use white_city_testnet::{Engine, Options, Testnet, default_app_state, solo::Solo};

use crate::proxy::{Habits, Proxy};

/// Time that a round stays open in tests, board time.
const ROUND: Duration = Duration::from_secs(60);
/// Longest that a board in memory may take to make its first block, and the pause between two looks at it.
const START: Duration = Duration::from_secs(30);
const LOOK: Duration = Duration::from_millis(10);
/// Pause between two blocks of an idle board, milliseconds.
const HEARTBEAT_MS: u32 = 200;
/// A Solo that was stopped for this long, milliseconds, stops the sessions' clocks.
const CAP_MS: u32 = 60_000;

/// Bytes that all sessions together may reserve. Nothing is allocated for it.
const BOARD_BYTES: u64 = 1 << 50;

/// Why the kit couldn't do it.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum KitError {
    /// The board couldn't be started.
    #[error(transparent)]
    Board(#[from] white_city_testnet::Error),
    /// A client's failure, outside of the protocol.
    #[error(transparent)]
    Client(#[from] white_city_client::Error),
    /// A file or a port.
    #[error("{what}: {reason}")]
    Io {
        /// Name of the file or port.
        what: &'static str,
        /// The system's error.
        reason: String,
    },
}

impl KitError {
    pub(crate) fn io(what: &'static str) -> impl Fn(&dyn std::fmt::Display) -> Self {
        move |reason| Self::Io {
            what,
            reason: reason.to_string(),
        }
    }
}

/// The identity of the party with this number: the same in every run, and known to everybody. Only for tests.
///
/// # Errors
/// [`KitError::Io`] doesn't happen: every seed makes a key.
pub fn identity(party: u16) -> Result<LocalKey, KitError> {
    let seed = Preimage::new("white-city/kit/identity/1")
        .u16(party)
        .finish();
    LocalKey::from_seed(&seed.0).map_err(|error| KitError::io("identity")(&error))
}

/// Rules of a board on which party 0 opens as many sessions as a test likes; otherwise the defaults.
///
/// # Errors
/// [`KitError`] doesn't happen: the defaults are well-formed, and so is every identity.
pub fn app_state() -> Result<AppState, KitError> {
    let defaults = default_app_state().map_err(white_city_testnet::Error::from);
    let mut app_state = defaults?;
    app_state.charter.max_board_bytes = BOARD_BYTES;
    app_state.charter.openers = vec![OpenerQuota {
        key: Hash(*identity(0)?.identity().as_bytes()),
        max_live: u32::MAX,
        max_bytes: BOARD_BYTES / 2,
    }];
    Ok(app_state)
}

/// A board for tests. Its parties are numbered from 0, and their numbers are their indices.
pub struct Board {
    trust: Trust,
    urls: Vec<String>,
    /// One for each party that was asked for: sessions of one party share what it has verified.
    clients: Mutex<BTreeMap<u16, Client>>,
    proxy: Option<Proxy>,
    solo: Option<Solo>,
    /// Removed with the board.
    _dir: Option<TempDir>,
}

/// One party of one session, which has joined, and whose round 1 is open.
pub struct Party {
    /// Its session.
    pub session: Session,
    /// Its randomness: the same in every run, and again after a crash; another one for each party. Never for real secrets.
    pub seed: [u8; 32],
}

impl Board {
    /// Starts a board in memory. It ends with [`Board::stop`].
    ///
    /// # Errors
    /// [`KitError::Board`], [`KitError::Io`].
    pub async fn solo() -> Result<Self, KitError> {
        let dir = tempfile::tempdir().map_err(|error| KitError::io("temporary folder")(&error))?;
        let mut app_state = app_state()?;
        let params = &mut app_state.params;
        (params.heartbeat_ms, params.cap_ms) = (HEARTBEAT_MS, CAP_MS);
        let options = Options {
            engine: Engine::Solo,
            replicas: 1,
            app_state: Some(app_state),
            ..Options::new(dir.path().join("net"))
        };
        let home = Testnet::create(&options).await?.home(0);
        let solo = Solo::start_in_memory(&home, 0).await?;
        let mut board = Self::of(&dir.path().join("net/genesis.json"), [solo.rpc_url()])?;
        (board.solo, board._dir) = (Some(solo), Some(dir));
        board.wait_first_block().await?;
        Ok(board)
    }

    /// Before its first block a board answers nothing.
    async fn wait_first_block(&self) -> Result<(), KitError> {
        let client = self.client(0)?;
        let deadline = Instant::now() + START;
        loop {
            match client.status().await {
                Ok(_) => return Ok(()),
                Err(error) if Instant::now() > deadline => return Err(error.into()),
                Err(_) => sleep(LOOK).await,
            }
        }
    }

    /// A network that runs elsewhere: four real replicas, for instance.
    ///
    /// # Errors
    /// [`KitError::Io`] for a genesis that is none.
    pub fn of(
        genesis: &Path,
        urls: impl IntoIterator<Item = impl Into<String>>,
    ) -> Result<Self, KitError> {
        let trust = genesis::trust(genesis).map_err(|error| KitError::io("genesis")(&error))?;
        Ok(Self {
            trust,
            urls: urls.into_iter().map(Into::into).collect(),
            clients: Mutex::default(),
            proxy: None,
            solo: None,
            _dir: None,
        })
    }

    /// From now on, new clients also know a second replica, with bad habits: it is the first one seen through a proxy that has them.
    ///
    /// # Errors
    /// [`KitError::Io`] when no port can be used.
    pub async fn add_bad_replica(&mut self, seed: u64, habits: Habits) -> Result<(), KitError> {
        let target = self.urls.first().cloned().unwrap_or_default();
        let proxy = Proxy::start(target, seed, habits).await?;
        // First, so that clients begin with it.
        self.urls.insert(0, proxy.url());
        self.clients = Mutex::default();
        self.proxy = Some(proxy);
        Ok(())
    }

    /// Number of requests that the bad replica has lost, delayed, doubled or lied about.
    #[must_use]
    pub fn bad_answers(&self) -> u64 {
        self.proxy.as_ref().map_or(0, Proxy::bad_answers)
    }

    /// A client of the party with this number.
    ///
    /// # Errors
    /// [`KitError::Client`].
    pub fn client(&self, party: u16) -> Result<Client, KitError> {
        let mut clients = self.clients.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(client) = clients.get(&party) {
            return Ok(client.clone());
        }
        let builder = Client::builder(self.trust.clone())
            .replicas(self.urls.iter().cloned())
            .signer(identity(party)?);
        let client = builder.build()?;
        clients.insert(party, client.clone());
        Ok(client)
    }

    /// A spec for the first `n` parties, with room for any protocol of a few rounds: 64 rounds, 64 KB broadcasts, 4 KB
    /// plaintexts. Everything can be changed.
    #[must_use]
    pub fn spec(&self, protocol: &str, n: u16) -> SpecBuilder {
        let roster: Vec<IdentityKey> = (0..n.min(ROSTER_PARTIES_MAX))
            .filter_map(|party| identity(party).ok())
            .map(|key| key.identity())
            .collect();
        SpecBuilder::new(protocol, 1, roster)
            .max_rounds(64)
            .times(ROUND, ROUND, ROUND)
            .retention(ROUND)
    }

    /// Opens a session; party 0 does.
    ///
    /// # Errors
    /// [`KitError::Client`].
    pub async fn open(&self, spec: SpecBuilder) -> Result<SessionId, KitError> {
        Ok(self.client(0)?.open(spec.build()?).await?)
    }

    /// The party with this number, joined. [`Party::session`] isn't ready before the others have joined, too.
    ///
    /// # Errors
    /// [`KitError::Client`].
    pub async fn join(&self, id: SessionId, party: u16) -> Result<Party, KitError> {
        let mut session = self.client(party)?.session(id).await?;
        session.join().await?;
        let seed = Preimage::new("white-city/kit/seed/1").u16(party).finish().0;
        Ok(Party { session, seed })
    }

    /// Stops the board.
    ///
    /// # Errors
    /// [`KitError::Board`] when it had halted before.
    pub async fn stop(mut self) -> Result<(), KitError> {
        match self.solo.take() {
            Some(solo) => Ok(solo.stop().await?),
            None => Ok(()),
        }
    }
}
