//! The engine's calls about snapshots, what follows from one that was restored, and the blocks that the engine may give up.

use std::{
    path::PathBuf,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
};

use tendermint::block::signed_header::SignedHeader;
use tendermint_proto::v0_38::abci::{
    RequestApplySnapshotChunk, RequestLoadSnapshotChunk, RequestOfferSnapshot,
    ResponseApplySnapshotChunk, ResponseListSnapshots, ResponseLoadSnapshotChunk,
    ResponseOfferSnapshot, Snapshot, response_apply_snapshot_chunk::Result as Applied,
    response_offer_snapshot::Result as Offered,
};
use white_city_verify::genesis::{self, GENESIS_BYTES_MAX};
use white_city_wire::{Hash, Network, hash::sha256, read::split_hashes};

use super::{Committed, Replica};
use crate::{
    config::Config,
    files::read_limited,
    live::Live,
    statesync::{FORMAT, MANIFEST_BYTES_MAX, Manifest, Rejected, Restored, Restorer, Shelf},
    store::{StoreError, Tip},
};

/// Blocks between two times that the engine is told what it may give up: each time it looks through its store.
const PRUNE_EVERY: u64 = 100;

/// A replica's part in state sync.
pub struct StateSync {
    shelf: Shelf,
    /// Blocks that the engine keeps; 0: all.
    keep_blocks: u64,
    /// The genesis, for a replica that starts with a snapshot: CometBFT doesn't bring it then.
    genesis: Option<PathBuf>,
    restoring: Mutex<Option<Restorer>>,
    /// Whether the engine can be asked for its parameters.
    has_engine_rpc: bool,
    /// Whether the engine's parameters were compared with the genesis, where a snapshot was restored: they came from one server.
    is_checked: AtomicBool,
}

impl StateSync {
    /// With the snapshots that are there.
    ///
    /// # Errors
    /// When their folder can't be read.
    pub fn new(config: &Config, is_restored: bool) -> std::io::Result<Self> {
        let has_engine_rpc = !config.engine_rpc.is_empty();
        Ok(Self {
            has_engine_rpc,
            shelf: Shelf::open(config.snapshots.clone(), config.snapshot_blocks)?,
            keep_blocks: config.keep_blocks,
            genesis: Some(config.genesis.clone()).filter(|path| !path.as_os_str().is_empty()),
            restoring: Mutex::default(),
            is_checked: AtomicBool::new(!is_restored || !has_engine_rpc),
        })
    }

    fn restoring(&self) -> MutexGuard<'_, Option<Restorer>> {
        self.restoring
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

impl Replica {
    /// Height of the newest snapshot that it has.
    pub(crate) fn snapshot_height(&self) -> Option<u64> {
        self.shared.state_sync.shelf.newest()
    }

    /// The snapshots that it has.
    pub(super) fn list(&self) -> ResponseListSnapshots {
        let whole = self.shared.state_sync.shelf.list().into_iter();
        let snapshots = whole.map(|manifest| Snapshot {
            height: manifest.height,
            format: FORMAT,
            chunks: u32::try_from(manifest.chunks.len()).unwrap_or(u32::MAX),
            hash: manifest.hash().0.to_vec().into(),
            metadata: manifest.metadata().into(),
        });
        ResponseListSnapshots {
            snapshots: snapshots.collect(),
        }
    }

    /// A chunk of one of them.
    pub(super) fn load_chunk(
        &self,
        request: &RequestLoadSnapshotChunk,
    ) -> ResponseLoadSnapshotChunk {
        let shelf = &self.shared.state_sync.shelf;
        let chunk = (request.format == FORMAT).then(|| shelf.chunk(request.height, request.chunk));
        ResponseLoadSnapshotChunk {
            chunk: chunk.flatten().unwrap_or_default().into(),
        }
    }

    /// Looks at a snapshot that somebody has: whether to restore it.
    pub(super) fn offer(&self, request: RequestOfferSnapshot) -> ResponseOfferSnapshot {
        let height = request
            .snapshot
            .as_ref()
            .map_or(0, |snapshot| snapshot.height);
        let result = match self.begin(request) {
            Ok(()) => Offered::Accept,
            Err(NotBegun::Format) => Offered::RejectFormat,
            Err(NotBegun::Snapshot(why)) => {
                tracing::warn!(height, why, "a snapshot is rejected");
                Offered::Reject
            }
            Err(NotBegun::Here(why)) => {
                tracing::error!(height, why, "no snapshot can be restored");
                Offered::Abort
            }
        };
        ResponseOfferSnapshot {
            result: result.into(),
        }
    }

    fn begin(&self, request: RequestOfferSnapshot) -> Result<(), NotBegun> {
        let snapshot = request
            .snapshot
            .ok_or(NotBegun::Snapshot("there is none"))?;
        if snapshot.format != FORMAT {
            return Err(NotBegun::Format);
        }
        let bytes = u64::try_from(snapshot.metadata.len()).unwrap_or(u64::MAX);
        let chunks = split_hashes(&snapshot.metadata).filter(|_| bytes <= MANIFEST_BYTES_MAX);
        let chunks = chunks.ok_or(NotBegun::Snapshot("its metadata aren't hashes of chunks"))?;
        if chunks.is_empty() || u32::try_from(chunks.len()) != Ok(snapshot.chunks) {
            return Err(NotBegun::Snapshot("it has another number of chunks"));
        }
        if snapshot.hash != sha256(&snapshot.metadata).0.as_slice() {
            return Err(NotBegun::Snapshot("its hash isn't that of its metadata"));
        }
        let root = Hash::from_slice(&request.app_hash);
        let root = root.ok_or(NotBegun::Snapshot("the root is no hash"))?;
        let here = |error: &dyn std::fmt::Display| NotBegun::Here(error.to_string());
        let network = self.joined_network().map_err(NotBegun::Here)?;
        let manifest = Manifest {
            height: snapshot.height,
            chunks,
        };
        let (height, chunks) = (manifest.height, manifest.chunks.len());
        let store = &self.shared.store;
        let restorer = Restorer::new(manifest, root, Arc::new(network), store);
        *self.shared.state_sync.restoring() = Some(restorer.map_err(|error| here(&error))?);
        tracing::info!(height, chunks, %root, "a snapshot is being restored");
        Ok(())
    }

    /// The network by the genesis file: nothing of it is taken from a snapshot.
    fn joined_network(&self) -> Result<Network, String> {
        let path = self.shared.state_sync.genesis.as_ref();
        let path = path.ok_or("`genesis` in replica.toml names no file")?;
        let named = |error: &dyn std::fmt::Display| format!("{}: {error}", path.display());
        let json = read_limited(path, GENESIS_BYTES_MAX).map_err(|error| named(&error))?;
        genesis::from_json(&json).map_err(|error| named(&error))
    }

    /// Takes a chunk; with the last one the replica has the state.
    pub(super) fn apply_chunk(
        &self,
        request: RequestApplySnapshotChunk,
    ) -> ResponseApplySnapshotChunk {
        let mut restoring = self.shared.state_sync.restoring();
        let (number, sender) = (request.index, request.sender);
        let taken = match restoring.as_mut() {
            Some(restorer) => restorer.take(number, request.chunk),
            None => return applied(Applied::Abort),
        };
        let rejected = match taken {
            Ok(false) => return applied(Applied::Accept),
            Ok(true) => match restoring.take().map(|restorer| self.adopt(restorer)) {
                Some(Ok(())) => return applied(Applied::Accept),
                Some(Err(rejected)) => rejected,
                None => return applied(Applied::Abort),
            },
            Err(rejected) => rejected,
        };
        match &rejected {
            Rejected::Chunk => {
                tracing::warn!(
                    sender,
                    number,
                    "{rejected}: it is fetched from somebody else"
                );
                return ResponseApplySnapshotChunk {
                    refetch_chunks: vec![number],
                    reject_senders: vec![sender],
                    ..applied(Applied::Retry)
                };
            }
            Rejected::Store(StoreError::Database(error)) => {
                tracing::error!(%error, "no snapshot can be restored");
                *restoring = None;
                return applied(Applied::Abort);
            }
            _ => {}
        }
        tracing::warn!(sender, number, %rejected, "the snapshot is rejected");
        *restoring = None;
        ResponseApplySnapshotChunk {
            reject_senders: vec![sender],
            ..applied(Applied::RejectSnapshot)
        }
    }

    /// Goes on with what was restored.
    fn adopt(&self, restorer: Restorer) -> Result<(), Rejected> {
        let Restored {
            store,
            state,
            tip,
            trust,
        } = restorer.end()?;
        self.shared.store.replace(store)?;
        let snapshot = self.shared.store.snapshot()?;
        let sync = &self.shared.state_sync;
        sync.is_checked
            .store(!sync.has_engine_rpc, Ordering::SeqCst);
        tracing::info!(height = tip.height, root = %tip.seal.root, "the snapshot is restored");
        self.set_trust(trust);
        self.set_committed(Committed {
            live: Live::of(&state),
            state,
            tip,
            snapshot,
            is_changed: false,
        });
        Ok(())
    }

    /// Whether it may say anything about proposals: after a snapshot only when it knows the block before them, and that its engine's
    /// parameters are the board's.
    pub(super) fn may_vote(&self, committed: &Committed) -> bool {
        committed.tip.is_known() && self.shared.state_sync.is_checked.load(Ordering::SeqCst)
    }

    /// What is still to be found out after a snapshot was restored: whether the engine's parameters are the genesis's, with that
    /// genesis; and the height of the block whose header is missing.
    pub(crate) fn unfinished(&self) -> (Option<PathBuf>, Option<u64>) {
        let sync = &self.shared.state_sync;
        let unchecked = !sync.is_checked.load(Ordering::SeqCst);
        let genesis = sync.genesis.clone().filter(|_| unchecked);
        let tip = self.committed().map(|committed| committed.tip.clone());
        let missing = tip.filter(|tip| !tip.is_known()).map(|tip| tip.height);
        (genesis, missing)
    }

    /// The engine's parameters are those of the genesis.
    pub(crate) fn parameters_are_checked(&self) {
        self.shared
            .state_sync
            .is_checked
            .store(true, Ordering::SeqCst);
    }

    /// Takes the header of the block after which the state was restored, unless another one has come meanwhile.
    pub(crate) fn complete_tip(&self, signed: SignedHeader) -> Result<(), String> {
        let trust = self.trust().ok_or("no genesis")?;
        let header = trust.verify(signed).map_err(|error| error.to_string())?;
        let committed = self.committed().ok_or("no genesis")?;
        if committed.tip.height != header.height() {
            return Err("it is of another height".into());
        }
        let tip = Tip {
            block_hash: header.hash(),
            time: header.time(),
            ..committed.tip.clone()
        };
        let (store, state) = (&self.shared.store, committed.state.clone());
        let stored = store.complete(state.paused_ms(), &tip);
        if !stored.map_err(|error| error.to_string())? {
            return Ok(());
        }
        let snapshot = store.snapshot().map_err(|error| error.to_string())?;
        self.replace_committed(Committed {
            live: committed.live.clone(),
            state,
            tip,
            snapshot,
            is_changed: false,
        });
        Ok(())
    }

    /// Makes a snapshot, if one is due: not where the validators are about to change, and not before their links are there.
    pub(super) fn consider_snapshot(&self, committed: &Committed) -> Result<(), StoreError> {
        let (height, term) = (committed.tip.height, committed.state.term());
        let changes = term.eras > 0 && height <= term.era_height.saturating_add(1);
        let shelf = &self.shared.state_sync.shelf;
        if changes || !shelf.is_due(height) {
            return Ok(());
        }
        let links = self.shared.store.links()?;
        if u32::try_from(links.len()) == Ok(term.eras) {
            shelf.make(height, self.shared.store.snapshot()?, links);
        }
        Ok(())
    }

    /// The first height whose block the engine has to keep; 0: all.
    pub(super) fn retain_height(&self, tip: &Tip) -> u64 {
        let sync = &self.shared.state_sync;
        if sync.keep_blocks == 0 || !tip.height.is_multiple_of(PRUNE_EVERY) {
            return 0;
        }
        let by_age = tip.height.saturating_sub(sync.keep_blocks);
        let by_snapshot = sync.shelf.newest().unwrap_or(0);
        // A link is in the block after its header.
        let by_link = self.missing_link().map_or(u64::MAX, |link| link.height);
        by_age.min(by_snapshot).min(by_link)
    }
}

/// Why a snapshot isn't restored.
enum NotBegun {
    Format,
    Snapshot(&'static str),
    Here(String),
}

fn applied(result: Applied) -> ResponseApplySnapshotChunk {
    ResponseApplySnapshotChunk {
        result: result.into(),
        ..Default::default()
    }
}
