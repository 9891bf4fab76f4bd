//! The application behind CometBFT's four connections. Consensus calls take a lock of their own; `CheckTx` and
//! queries read the last committed state and never wait for them.

mod abci_calls;
mod check_tx;
mod consensus;
mod proposing;
mod work;

use std::sync::{Arc, Condvar, Mutex, MutexGuard, OnceLock, PoisonError, RwLock};

pub use consensus::{Fatal, Proposed};
use white_city_state_machine::{BlockContext, Preview, State};
use white_city_wire::{Refusal, proof::StateProof};
use work::Counters;
pub use work::Work;

use crate::{
    alarm::Gate,
    budget::Budget,
    config::Config,
    fault::FaultFile,
    front::{Answer, Board, Source, Taken},
    halt::Halt,
    parked::Parked,
    pending::Pending,
    query,
    store::{Snapshot, Store, StoreError, Tip},
    verified::VerifiedCache,
    waiting::Bounds,
};

/// The state after the last committed block, for everybody who only reads.
pub struct Committed {
    /// The state.
    pub state: State,
    /// Where the chain stands.
    pub tip: Tip,
    /// The store at the same height.
    pub snapshot: Snapshot,
    /// Whether the last block has changed the state, as far as is known: the engine makes another one at once then, whose header
    /// certifies the change.
    pub is_changed: bool,
}

impl Committed {
    /// The context of a block that would follow at once, for checks that aren't consensus.
    #[must_use]
    pub const fn next_context(&self) -> BlockContext {
        BlockContext {
            height: self.tip.height.saturating_add(1),
            time: self.tip.time,
            parent_hash: self.tip.block_hash,
            parent_time: self.tip.time,
            proposer: [0; 20],
        }
    }

    /// From the header of the last block to the state's root.
    #[must_use]
    pub fn state_proof(&self) -> StateProof {
        StateProof {
            board: self.state.board_root(),
            parent_hash: self.tip.seal.parent_hash,
            parent_time: self.tip.seal.parent_time,
            data_path: self.tip.seal_path.clone(),
        }
    }

    /// A block that would follow at once, in which transactions can be checked.
    #[must_use]
    pub fn peek(&self) -> Preview {
        Preview::new(self.state.clone(), self.next_context())
    }
}

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
    /// What is pending has changed so that a proposal may not have to wait any more.
    news: Condvar,
    /// `None` when proposals don't wait.
    waiting: Option<Bounds>,
    parked: Mutex<Parked>,
    budget: Mutex<Budget>,
    alarms: Gate,
    verified: VerifiedCache,
    counters: Counters,
    /// Where clients can ask beside CometBFT.
    direct_port: OnceLock<u16>,
    halt: Halt,
    fault: FaultFile,
}

impl Board for Replica {
    fn answer(&self, path: &str, data: &[u8]) -> Answer {
        self.shared.counters.queries.count();
        let port = self.shared.direct_port.get();
        query::answer(self.committed().as_deref(), &self.work(), port, path, data)
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
                    state,
                    tip,
                    snapshot,
                    is_changed: false,
                }))
            }
            None => None,
        };
        Ok(Self {
            shared: Arc::new(Shared {
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
                verified: VerifiedCache::new(config.verified_cache_bytes),
                counters: Counters::default(),
                direct_port: OnceLock::new(),
                halt,
                fault: FaultFile::new(config.fault_file.clone()),
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

    /// What this replica has worked so far.
    #[must_use]
    pub fn work(&self) -> Work {
        self.shared.counters.work(self.shared.verified.checked())
    }

    /// Tells clients from now on at which port they can ask the replica itself. Only the first one is told.
    pub fn announce_direct_port(&self, port: u16) {
        let _ = self.shared.direct_port.set(port);
    }

    /// The handle that stops this replica.
    #[must_use]
    pub fn halt(&self) -> &Halt {
        &self.shared.halt
    }

    fn set_committed(&self, committed: Committed) {
        *self
            .shared
            .committed
            .write()
            .unwrap_or_else(PoisonError::into_inner) = Some(Arc::new(committed));
    }

    /// How many alarms this replica takes.
    pub(crate) fn alarms(&self) -> &Gate {
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
