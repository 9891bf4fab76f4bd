//! The application behind CometBFT's four connections. Consensus calls take a lock of their own; `CheckTx` and
//! queries read the last committed state and never wait for them.

mod abci_calls;
mod charter;
mod check_tx;
mod consensus;
mod noted;
mod proposing;
mod state_sync;
mod told;

use std::sync::{Arc, Condvar, Mutex, MutexGuard, OnceLock, PoisonError, RwLock};

pub use consensus::{Fatal, Proposed};
use state_sync::StateSync;
use tendermint::block::signed_header::SignedHeader;
use white_city_verify::Trust;
use white_city_wire::{Network, Refusal, pb, protocol::Known};

use crate::{
    alarm::Gate,
    budget::Budget,
    committed::Committed,
    config::Config,
    fault::FaultFile,
    front::{Answer, Board, Source, Taken, Told},
    halt::Halt,
    live::Live,
    metrics::Metrics,
    parked::Parked,
    peers::Peers,
    pending::Pending,
    query,
    store::{Kept, Store, StoreError},
    verified::VerifiedCache,
    waiting::Bounds,
    work::{Counters, Work},
};

/// One replica's application. A clone is another handle on the same one.
#[derive(Clone)]
pub struct Replica {
    shared: Arc<Shared>,
}

struct Shared {
    store: Store,
    /// `None` until the genesis has come.
    committed: RwLock<Option<Arc<Committed>>>,
    consensus: Mutex<consensus::Consensus>,
    pending: Mutex<Pending>,
    /// Signal that what is pending has changed so that a proposal may not have to wait any more.
    news: Condvar,
    /// `None` when proposals don't wait.
    waiting: Option<Bounds>,
    parked: Mutex<Parked>,
    budget: Mutex<Budget>,
    alarms: Gate,
    peers: Peers,
    verified: VerifiedCache,
    counters: Counters,
    metrics: Arc<Metrics>,
    /// The validators of all eras, with the links between them; `None` until the genesis has come.
    trust: RwLock<Option<Trust>>,
    state_sync: StateSync,
    /// What clients are told about where they can ask beside CometBFT.
    direct_hint: OnceLock<String>,
    halt: Halt,
    fault: FaultFile,
    known: Known,
}

impl Board for Replica {
    fn answer(&self, path: &str, data: &[u8]) -> Answer {
        if let Some(told) = self.shared.peers.admits(path) {
            let told = told.map(|()| Told::default());
            return Answer { height: 0, told };
        }
        self.shared.counters.queries.count();
        let hint = self.shared.direct_hint.get().map_or("", String::as_str);
        let trust = self.trust();
        let committed = self.committed();
        query::answer(
            committed.as_deref().zip(trust.as_ref()),
            &self.work(),
            self.known_rules(),
            hint,
            path,
            data,
        )
    }

    fn take(&self, tx: &[u8], source: Source) -> Result<Taken, Refusal> {
        self.check_from(tx, source)
    }
}

impl Replica {
    /// A replica that goes on where its store ends.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn new(config: &Config, store: Store, halt: Halt) -> Result<Self, StoreError> {
        let committed = match store.load()? {
            Some((state, tip)) => {
                let snapshot = store.snapshot()?;
                tracing::info!(height = tip.height, root = %tip.seal.root, "state loaded");
                Some(Arc::new(Committed {
                    live: Live::of(&state),
                    state,
                    tip,
                    snapshot,
                    is_changed: false,
                }))
            }
            None => None,
        };
        let trust = match &committed {
            Some(committed) => Some(trust_of(committed.state.network(), &store)?),
            None => None,
        };
        let is_restored = committed.as_ref().is_some_and(|c| c.tip.is_restored);
        Ok(Self {
            shared: Arc::new(Shared {
                state_sync: StateSync::new(config, is_restored)?,
                trust: RwLock::new(trust),
                store,
                committed: RwLock::new(committed),
                consensus: Mutex::default(),
                pending: Mutex::new(Pending::new(
                    config.pending_per_identity,
                    config.pending_total,
                    config.pending_bytes(),
                )),
                news: Condvar::new(),
                waiting: config.waiting(),
                parked: Mutex::new(Parked::new(config.parked_bytes)),
                budget: Mutex::new(Budget::new(config.open_keys_per_second)),
                alarms: Gate::new(),
                peers: Peers::new(&config.peer_ids, &config.peers_from),
                verified: VerifiedCache::new(config.verified_cache_bytes),
                counters: Counters::default(),
                metrics: Arc::default(),
                direct_hint: OnceLock::new(),
                halt,
                fault: FaultFile::new(config.fault_file.clone()),
                known: config.known,
            }),
        })
    }

    /// The state after the last committed block; `None` until the genesis has come.
    #[must_use]
    pub fn committed(&self) -> Option<Arc<Committed>> {
        self.shared
            .committed
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    /// Counts of what this replica has worked so far.
    #[must_use]
    pub fn work(&self) -> Work {
        self.shared.counters.work(self.shared.verified.checked())
    }

    /// Numbers for its operators.
    #[must_use]
    pub fn metrics(&self) -> &Arc<Metrics> {
        &self.shared.metrics
    }

    /// Numbers of the rules that its program knows.
    #[must_use]
    pub fn known_rules(&self) -> Known {
        self.shared.known
    }

    /// Number and bytes of the transactions that it holds pending.
    pub(crate) fn held(&self) -> (usize, u64) {
        self.pending().figures()
    }

    /// Bytes of the entries that came too early.
    pub(crate) fn parked_bytes(&self) -> u64 {
        self.parked().bytes()
    }

    /// Tells clients from now on at which port they can ask the replica itself, if without TLS, and at which address by TLS, or nothing. Only the first
    /// ones are told.
    pub fn announce_direct_port(&self, port: Option<u16>, url: &str) {
        let _ = self.shared.direct_hint.set(query::hint(port, url));
    }

    /// The handle that stops this replica.
    #[must_use]
    pub fn halt(&self) -> &Halt {
        &self.shared.halt
    }

    /// The validators of all eras; `None` until the genesis has come.
    fn trust(&self) -> Option<Trust> {
        let trust = self.shared.trust.read();
        trust.unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn set_trust(&self, trust: Trust) {
        let known = self.shared.trust.write();
        *known.unwrap_or_else(PoisonError::into_inner) = Some(trust);
    }

    /// The first link that the engine hasn't given yet.
    #[must_use]
    pub fn missing_link(&self) -> Option<Kept> {
        let newest = self.trust()?.newest_era();
        let eras = self.committed()?.state.term().eras;
        // What is written beside a block isn't in the snapshot of the last one.
        (eras > newest).then(|| self.shared.store.link(newest.saturating_add(1)))?
    }

    /// Checks the header of a link that was missing, and stores it.
    ///
    /// # Errors
    /// The reason why it isn't taken, or not stored.
    pub fn take_link(&self, mut missing: Kept, signed: SignedHeader) -> Result<(), String> {
        let trust = self.trust().ok_or("no genesis")?;
        let header = trust.verify(signed).map_err(|error| error.to_string())?;
        missing.link.signed_header = header.encode();
        let learned = trust.learn(std::slice::from_ref(&missing.link));
        learned.map_err(|error| error.to_string())?;
        let stored = self.shared.store.put_link(&missing);
        stored.map_err(|error| error.to_string())
    }

    fn set_committed(&self, committed: Committed) {
        *self
            .shared
            .committed
            .write()
            .unwrap_or_else(PoisonError::into_inner) = Some(Arc::new(committed));
    }

    /// Shows readers more of the block that they see already; a later one stays.
    fn replace_committed(&self, committed: Committed) {
        let shown = self.shared.committed.write();
        let mut shown = shown.unwrap_or_else(PoisonError::into_inner);
        let height = shown.as_ref().map(|shown| shown.tip.height);
        if height == Some(committed.tip.height) {
            *shown = Some(Arc::new(committed));
        }
    }

    /// The height of the last block, where another one is needed for a deadline and none is known to come.
    #[must_use]
    pub fn alarm_due(&self) -> Option<u64> {
        self.alarms().due(&*self.committed()?)
    }

    /// The bound on the alarms that this replica takes.
    fn alarms(&self) -> &Gate {
        &self.shared.alarms
    }

    fn budget(&self) -> MutexGuard<'_, Budget> {
        self.shared
            .budget
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    fn parked(&self) -> MutexGuard<'_, Parked> {
        self.shared
            .parked
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    fn pending(&self) -> MutexGuard<'_, Pending> {
        self.shared
            .pending
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

/// What to do, if the block after the last stored one is under rules that a program doesn't know.
///
/// # Errors
/// [`StoreError`].
pub fn unknown_rules(store: &Store, known: Known) -> Result<Option<String>, StoreError> {
    let next = store.next_rules()?;
    Ok(next.and_then(|(protocol, height)| charter::unknown_rules(protocol, height, known)))
}

/// The network's validators, with the links that are stored.
fn trust_of(network: &Network, store: &Store) -> Result<Trust, StoreError> {
    let trust = Trust::new(network.clone()).map_err(|_| StoreError::Damaged("the validators"))?;
    let links: Vec<pb::Link> = store.links()?.into_iter().map(|kept| kept.link).collect();
    let learned = trust.learn(&links);
    learned.map_err(|_| StoreError::Damaged("a link between eras"))?;
    Ok(trust)
}
