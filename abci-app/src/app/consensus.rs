//! The consensus connection: proposing, judging, executing and storing blocks.

use std::{
    collections::BTreeMap,
    sync::{Arc, PoisonError},
    time::{Duration, Instant},
};

use bytes::Bytes;
use white_city_state_machine::{BlockContext, State};
use white_city_wire::{
    Hash, Network,
    seal::{BlockTime, Seal},
};

use super::{Committed, Replica, charter, noted};
use crate::{
    credit::Credit,
    execution::{self, DecodedBlock, Executed, InvalidBlock},
    fault::{Of, Step},
    front::Source,
    live::Live,
    pace::Load,
    pace::Pace,
    pending::{Account, Pending},
    store::{StoreError, Tip},
};

/// Most executed proposals that are remembered at one height: about one for each of its consensus rounds.
const EXECUTED_MAX: usize = 16;

/// Memory of the consensus connection: the height that is being decided, and what one height leaves to the next.
#[derive(Default)]
pub struct Consensus {
    /// By [`execution::proposal_key`].
    executed: BTreeMap<Hash, Arc<Executed>>,
    /// Block hash to proposal key.
    by_hash: BTreeMap<Hash, Hash>,
    /// When this replica had made, or found valid, the first proposal of this height.
    began: Option<Instant>,
    /// Time that the last block took from then until it was stored; nothing, as long as there was none.
    pub(super) last_block: Duration,
    /// Work that this replica still does for proposals at this height.
    credit: Credit,
    /// Amount that this replica packs into its own.
    pub(super) pace: Pace,
    /// Its own proposal at this height, with the load of all but sessions in last call.
    proposed: Option<OwnProposal>,
    /// The decided block, until it is stored.
    decided: Option<Decided>,
    /// The state's root after the block that is being stored.
    storing: Option<Hash>,
}

/// A proposal that this replica has made.
struct OwnProposal {
    key: Hash,
    /// The part of it that isn't of sessions in last call.
    load: Load,
}

struct Decided {
    executed: Arc<Executed>,
    tip: Tip,
}

/// A proposal or a block, as CometBFT hands it over.
pub struct Proposed {
    /// Its height.
    pub height: u64,
    /// Its header's time.
    pub time: BlockTime,
    /// Address of its proposer.
    pub proposer: [u8; 20],
    /// Addresses of the validators whose votes for the block before it carries.
    pub voters: Vec<[u8; 20]>,
    /// Encoded misbehavior of validators.
    pub misbehavior: Vec<u8>,
    /// Its hash, where it has one.
    pub hash: Option<Hash>,
    /// Seal and transactions.
    pub block: Vec<Bytes>,
}

/// Why a replica can't go on.
#[derive(Debug, thiserror::Error)]
pub enum Fatal {
    /// A consensus call before the genesis.
    #[error("a consensus call before the genesis")]
    NoGenesis,
    /// A committed block that is invalid here.
    #[error(
        "block {height} was committed, but it is invalid here: {reason}. Either more than a third of the validators \
         are malicious, or this replica's state or program is broken. It stops and won't go on with this store."
    )]
    InvalidCommitted {
        /// Its height.
        height: u64,
        /// The rule that it breaks.
        reason: InvalidBlock,
    },
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A commit without a decided block.
    #[error("commit without a decided block")]
    NothingDecided,
}

impl Replica {
    /// Takes the genesis.
    ///
    /// # Errors
    /// [`Fatal::Store`].
    pub fn init(&self, network: Network) -> Result<Hash, Fatal> {
        let trust = super::trust_of(&network, &self.shared.store)?;
        self.set_trust(trust);
        let state = State::genesis(Arc::new(network));
        let root = state.root();
        let tip = Tip {
            height: 0,
            block_hash: Hash::ZERO,
            time: state.network().genesis_time,
            seal: Seal {
                root,
                parent_hash: Hash::ZERO,
                parent_time: state.network().genesis_time,
            },
            seal_path: Vec::new(),
            is_restored: false,
        };
        tracing::info!(chain = state.network().chain_id, network = %state.network().id, %root, "genesis");
        // Nothing is stored yet: until the first block is, an engine that starts brings the genesis again.
        let snapshot = self.shared.store.snapshot()?;
        self.set_committed(Committed {
            live: Live::of(&state),
            state,
            tip,
            snapshot,
            is_changed: false,
        });
        Ok(root)
    }

    /// Judges a proposal.
    ///
    /// # Errors
    /// [`Fatal::NoGenesis`]; an invalid proposal is the inner error.
    pub fn judge(&self, proposed: &Proposed) -> Result<Result<(), InvalidBlock>, Fatal> {
        let committed = self.committed().ok_or(Fatal::NoGenesis)?;
        let fault = &self.shared.fault;
        fault.point(Step::Process, next_after(&committed.state));
        if !self.may_vote(&committed) {
            return Ok(Err(InvalidBlock::Joining));
        }
        let context = context(proposed, &committed);
        let key = execution::proposal_key(&context, &proposed.misbehavior, &proposed.block);
        let judged = match self.known(&key) {
            Some(executed) => Ok(executed),
            None => {
                let cache = &self.shared.verified;
                self.decode_affordable(&committed, proposed)
                    .and_then(|block| {
                        self.shared.counters.executions.count();
                        execution::execute(&committed.state, context, block, cache)
                    })
                    .map(Arc::new)
            }
        };
        let verdict = judged.map(|executed| self.remember(key, proposed.hash, executed));
        fault.point(Step::Processed, Of::Any);
        Ok(verdict)
    }

    /// Decodes a proposal, if this replica can afford to check what is new in it.
    fn decode_affordable(
        &self,
        committed: &Committed,
        proposed: &Proposed,
    ) -> Result<DecodedBlock, InvalidBlock> {
        let cache = &self.shared.verified;
        let block = execution::decode(&committed.state, &proposed.block, cache)?;
        let work = block.new_work();
        if self.consensus().credit.spend(work, proposed.height) {
            return Ok(block);
        }
        Err(InvalidBlock::Costly { work })
    }

    /// Executes a decided block, unless it is one of those that were judged here; gives it with the root after it.
    ///
    /// # Errors
    /// [`Fatal`]: whatever fails here must stop the replica.
    pub fn decide(&self, proposed: &Proposed) -> Result<(Arc<Executed>, Hash), Fatal> {
        let committed = self.committed().ok_or(Fatal::NoGenesis)?;
        let fault = &self.shared.fault;
        fault.point(Step::Finalize, next_after(&committed.state));
        let executed = match proposed.hash.and_then(|hash| self.judged(&hash)) {
            Some(executed) => executed,
            None => Arc::new(self.execute_unseen(&committed, proposed)?),
        };
        let root = executed.seal.root;
        let tip = Tip {
            height: proposed.height,
            block_hash: proposed.hash.unwrap_or(Hash::ZERO),
            time: proposed.time,
            seal: executed.seal,
            seal_path: execution::seal_path(&proposed.block),
            is_restored: false,
        };
        self.consensus().decided = Some(Decided {
            executed: Arc::clone(&executed),
            tip,
        });
        fault.point(
            Step::Finalized,
            block_between(&committed.state, &executed.ended.state),
        );
        Ok((executed, root))
    }

    /// Executes a block that this replica was never asked about, or has forgotten: parent and time come from its seal.
    fn execute_unseen(
        &self,
        committed: &Committed,
        proposed: &Proposed,
    ) -> Result<Executed, Fatal> {
        let invalid = |reason| Fatal::InvalidCommitted {
            height: proposed.height,
            reason,
        };
        self.shared.counters.executions.count();
        let cache = &self.shared.verified;
        let block = execution::decode(&committed.state, &proposed.block, cache);
        let block = block.map_err(invalid)?;
        let context = BlockContext {
            parent_hash: block.seal.parent_hash,
            parent_time: block.seal.parent_time,
            ..context(proposed, committed)
        };
        execution::execute(&committed.state, context, block, cache).map_err(invalid)
    }

    /// Stores the decided block, in one atomic transaction, and shows it to readers.
    ///
    /// # Errors
    /// [`Fatal`].
    pub fn store_decided(&self) -> Result<Tip, Fatal> {
        let (decided, began, own) = {
            let mut consensus = self.consensus();
            let decided = consensus.decided.take().ok_or(Fatal::NothingDecided)?;
            // It looks among what was executed, so before that is forgotten.
            let own = consensus.own_decided(&decided.executed);
            consensus.executed.clear();
            consensus.by_hash.clear();
            let began = consensus.began.take();
            consensus.storing = Some(decided.tip.seal.root);
            (decided, began, own)
        };
        let Decided { executed, tip } = decided;
        let before = self.committed();
        let of = before.as_ref().map_or(Of::Any, |before| {
            block_between(&before.state, &executed.ended.state)
        });
        self.shared.fault.point(Step::Commit, of);
        let first = before.as_ref().is_none_or(|before| before.tip.height == 0);
        let is_changed = before
            .as_ref()
            .is_some_and(|before| before.tip.seal.root != tip.seal.root);
        let store = &self.shared.store;
        let mut state = executed.ended.state.clone();
        let frozen = state.put_aside(&executed.ended.sessions);
        store.commit(&executed.ended, &frozen, &executed.txs, &tip, first)?;
        self.shared.fault.point(Step::Committed, of);
        let changed = &executed.ended.sessions;
        let live = before.as_ref().map_or_else(
            || Live::of(&state),
            |before| before.live.after(&state, changed),
        );
        self.set_committed(Committed {
            live,
            state,
            tip: tip.clone(),
            snapshot: store.snapshot()?,
            is_changed,
        });
        {
            let mut consensus = self.consensus();
            consensus.storing = None;
            if let Some(began) = began {
                consensus.last_block = began.elapsed();
            }
            if let Some(load) = own {
                let took = consensus.last_block;
                consensus.pace.decided(load, took);
            }
        }
        if let Some(committed) = self.committed() {
            self.consider_snapshot(&committed)?;
        }
        noted::log_block(&executed, &tip);
        noted::count(&self.shared.metrics, before.as_deref(), &executed.ended);
        if let Some(diagnosis) = self.unknown_rules() {
            self.halt().outdated(diagnosis);
            return Ok(tip);
        }
        self.tidy_pending(&executed, tip.height);
        if is_moving(&executed.ended.state) {
            self.verify_pending_again();
        }
        Ok(tip)
    }

    /// What to do, if the rules for the next block are later ones than this program knows.
    #[must_use]
    pub fn unknown_rules(&self) -> Option<String> {
        let committed = self.committed()?;
        let protocol = committed.state.charter().protocol;
        charter::unknown_rules(protocol, committed.tip.height, self.shared.known)
    }

    /// Whether the engine is about to make a block that can have what comes now, though its mempool doesn't have it. It makes one for
    /// what is in its mempool, and after each that changed the state; one whose proposal is there already is too late, but what is in
    /// the mempool either is in it and changes the state, or has another one made.
    pub(super) fn is_block_coming(&self) -> bool {
        if self.pending().is_in_mempool() {
            return true;
        }
        let consensus = self.consensus();
        let Some(committed) = self.committed() else {
            return false;
        };
        let root = committed.tip.seal.root;
        match consensus.storing {
            Some(next) => next != root,
            None if consensus.executed.is_empty() => committed.is_changed,
            None => consensus
                .executed
                .values()
                .any(|executed| executed.seal.root != root),
        }
    }

    fn tidy_pending(&self, executed: &Executed, height: u64) {
        let mut pending = self.pending();
        for (_, tx) in &executed.txs {
            pending.settle(tx);
        }
        pending.forget_unseen(height);
        if let Some(committed) = self.committed() {
            let block = committed.peek();
            self.take_parked(&mut pending, &committed, &executed.ended.sessions);
            let network = &committed.state.network().id;
            let verified = &self.shared.verified;
            pending.retain_found(|evidence| {
                let tx = verified.verify(&block, network, evidence);
                tx.is_ok_and(|tx| block.check(&tx).is_ok())
            });
        }
    }

    /// Takes what came too early for the rounds that are open now.
    fn take_parked(&self, pending: &mut Pending, committed: &Committed, changed: &[u32]) {
        let (height, block) = (committed.tip.height, committed.peek());
        let mut parked = self.parked();
        for number in changed {
            let Some(session) = committed.state.sessions().get(*number) else {
                continue;
            };
            for tx in parked.take_opened(session.id(), session.leaf.open_round) {
                let taken = block.check(&tx);
                let now = Instant::now();
                let account = taken.and_then(|()| Account::of(&committed.state, &tx));
                let taken = account
                    .and_then(|account| pending.take(&tx, account, Source::Client, height, now));
                if let Err(refusal) = taken {
                    tracing::debug!(%refusal, "an early entry is dropped");
                }
            }
        }
        parked.forget_old(height);
    }

    pub(super) fn consensus(&self) -> std::sync::MutexGuard<'_, Consensus> {
        self.shared
            .consensus
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    fn known(&self, key: &Hash) -> Option<Arc<Executed>> {
        self.consensus().executed.get(key).cloned()
    }

    fn judged(&self, hash: &Hash) -> Option<Arc<Executed>> {
        let consensus = self.consensus();
        let key = consensus.by_hash.get(hash)?;
        consensus.executed.get(key).cloned()
    }

    /// Remembers what this replica proposes, and how much of it isn't of sessions in last call.
    pub(super) fn remember_own(&self, key: Hash, executed: Arc<Executed>, load: Load) {
        self.remember(key, None, executed);
        let mut consensus = self.consensus();
        if let Some(earlier) = consensus.proposed.replace(OwnProposal { key, load }) {
            // A second turn at one height: the consensus round of the first one ended without a decision.
            consensus.pace.failed(earlier.load);
        }
    }

    pub(super) fn remember(&self, key: Hash, hash: Option<Hash>, executed: Arc<Executed>) {
        let mut consensus = self.consensus();
        consensus.began.get_or_insert_with(Instant::now);
        if consensus.executed.len() >= EXECUTED_MAX {
            // As many proposals at one height mean as many consensus rounds. Whichever of the forgotten ones is decided after all is
            // executed again.
            consensus.executed.clear();
            consensus.by_hash.clear();
        }
        consensus.executed.insert(key, executed);
        if let Some(hash) = hash {
            consensus.by_hash.insert(hash, key);
        }
    }
}

impl Consensus {
    /// The load of this replica's own proposal, if that is what was decided; if it isn't, there was too much in it.
    fn own_decided(&mut self, decided: &Arc<Executed>) -> Option<Load> {
        let own = self.proposed.take()?;
        let is_own = |executed: &Arc<Executed>| Arc::ptr_eq(executed, decided);
        if self.executed.get(&own.key).is_some_and(is_own) {
            return Some(own.load);
        }
        self.pace.failed(own.load);
        None
    }
}

/// Whether another number of the rules is in force for the block after a state.
fn is_moving(state: &State) -> bool {
    state.protocol() != state.charter().protocol
}

/// What is known of the block after a state, for faults.
fn next_after(state: &State) -> Of {
    if is_moving(state) { Of::First } else { Of::Any }
}

/// The same of a block that was executed.
fn block_between(before: &State, after: &State) -> Of {
    if is_moving(after) {
        Of::Last
    } else {
        next_after(before)
    }
}

pub(super) fn context(proposed: &Proposed, committed: &Committed) -> BlockContext {
    BlockContext {
        height: proposed.height,
        time: proposed.time,
        parent_hash: committed.tip.block_hash,
        parent_time: committed.tip.time,
        proposer: proposed.proposer,
        voted: committed.state.charter().positions_of(&proposed.voters),
    }
}
