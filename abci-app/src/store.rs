//! The store of a replica: one file on disk, written in one atomic transaction for each block.

mod erased;
mod error;
mod fill;
mod links;
mod load;
mod p2p;
mod records;
mod rounds;
mod rules;
mod sessions;
mod snapshot;

use std::{
    io::ErrorKind,
    panic::{AssertUnwindSafe, catch_unwind},
    path::{Path, PathBuf},
    sync::{Arc, PoisonError, RwLock},
};

use bytes::Bytes;
use prost::Message;
use redb::{
    Database, ReadableDatabase, ReadableTable, StorageBackend, TableDefinition, WriteTransaction,
};
use white_city_state_machine::{Ended, Frozen, State};
use white_city_wire::{
    Hash, Network, VerifiedTx,
    entry::{Entry, SignedEntry},
    pb,
    read::join_hashes,
    seal::{BlockTime, Seal},
    tx::{Action, entry_to_pb, join_to_pb, open_to_pb},
};

pub use error::StoreError;
pub use fill::Fill;
pub use links::Kept;
pub use p2p::{P2pBlob, Sealed};
pub use records::{OpenerRecord, SessionRecord, StoredEntry, leavers};
pub use snapshot::Snapshot;

use crate::genesis::StoredGenesis;

/// Memory for pages of the file that were read or written lately, bytes; the library's own default is 1 GiB.
const CACHE_BYTES: usize = 128 << 20;

/// Extension of a store that is being restored, which is worth nothing before it takes the other one's place.
const RESTORING: &str = "restoring";
/// Extension of one that is being made.
const MAKING: &str = "making";

/// Version of the layout. A file of another one is refused.
const STORE_VERSION: u32 = 5;

const META: TableDefinition<&str, &[u8]> = TableDefinition::new("meta");
const OPENERS: TableDefinition<u32, &[u8]> = TableDefinition::new("openers");
/// Sessions that aren't erased.
const SESSIONS: TableDefinition<u32, &[u8]> = TableDefinition::new("sessions");
/// Openings of sessions, until erasure.
const OPENS: TableDefinition<u32, &[u8]> = TableDefinition::new("opens");
/// Session, round, index.
type SlotKey = (u32, u32, u16);
/// Headers, signatures and broadcasts, until erasure.
const ENTRIES: TableDefinition<SlotKey, &[u8]> = TableDefinition::new("entries");
/// Sealed payloads, until erasure.
const P2P: TableDefinition<SlotKey, &[u8]> = TableDefinition::new("p2p");
/// Session, index: two signed entries, until erasure.
const EVIDENCE: TableDefinition<(u32, u16), &[u8]> = TableDefinition::new("evidence");
/// Session, index: the transaction with which the party left, until erasure.
const LEAVES: TableDefinition<(u32, u16), &[u8]> = TableDefinition::new("leaves");
/// Session, [`COMPLAINT`] or [`REVEAL`]: the transaction that brought it, until erasure.
const DISPUTES: TableDefinition<(u32, u8), &[u8]> = TableDefinition::new("disputes");
const COMPLAINT: u8 = 0;
const REVEAL: u8 = 1;
/// Identity, session: which sessions have it in their roster, until erasure.
const PARTIES: TableDefinition<(&[u8; 32], u32), ()> = TableDefinition::new("parties");
/// Charters that operators approve in this term, by their hashes.
const CHARTERS: TableDefinition<&[u8; 32], &[u8]> = TableDefinition::new("charters");

/// End of the chain after a block, with all that is told of it or needed for the next one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tip {
    /// Height of the last committed block, 0 before the first.
    pub height: u64,
    /// Its hash, zeros before the first.
    pub block_hash: Hash,
    /// Its header's time, the genesis time before the first.
    pub time: BlockTime,
    /// Its seal, with the root of the state after it.
    pub seal: Seal,
    /// The seal's siblings below the header's `data_hash`, from the leaf up.
    pub seal_path: Vec<Hash>,
    /// Whether the state comes from a snapshot: of the block then only the root is known, and its hash and time once its header was
    /// found.
    pub is_restored: bool,
}

impl Tip {
    /// Whether the block's hash and time are known.
    #[must_use]
    pub fn is_known(&self) -> bool {
        !self.is_restored || self.block_hash != Hash::ZERO
    }
}

/// The store of one replica.
pub struct Store {
    database: RwLock<Arc<Database>>,
    /// Its file; `None` in memory.
    path: Option<PathBuf>,
}

impl Store {
    /// Opens or creates the file, and removes what a restore beside it has left that was interrupted.
    ///
    /// # Errors
    /// [`StoreError`], also when another process has it open.
    pub fn open(path: &Path) -> Result<Self, StoreError> {
        let store = match path.exists() {
            true => Self::open_file(path)?,
            false => Self::make(path)?,
        };
        for remains in [RESTORING, MAKING] {
            remove(&path.with_extension(remains))?;
        }
        Ok(store)
    }

    /// Makes the file under another name: whoever is killed meanwhile leaves nothing that is no store, and could never be opened.
    fn make(path: &Path) -> Result<Self, StoreError> {
        let making = path.with_extension(MAKING);
        remove(&making)?;
        let store = Self::open_file(&making)?;
        rename(&making, path)?;
        Ok(Self {
            path: Some(path.into()),
            ..store
        })
    }

    fn open_file(path: &Path) -> Result<Self, StoreError> {
        whole(|| {
            let mut builder = Database::builder();
            builder.set_cache_size(CACHE_BYTES);
            Self::prepare(builder.create(path)?, Some(path.into()))
        })
    }

    /// An empty store in place of which nothing is used yet, beside this one.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn beside(&self) -> Result<Self, StoreError> {
        let Some(path) = &self.path else {
            return Self::in_memory();
        };
        let path = path.with_extension(RESTORING);
        remove(&path)?;
        Self::open_file(&path)
    }

    /// Puts a store that was made by [`Store::beside`] in the place of this one, whose content is gone.
    ///
    /// # Errors
    /// [`StoreError`]; this store is as it was.
    pub fn replace(&self, other: Self) -> Result<(), StoreError> {
        if let (Some(from), Some(to)) = (&other.path, &self.path) {
            rename(from, to)?;
        }
        let database = other
            .database
            .into_inner()
            .unwrap_or_else(PoisonError::into_inner);
        *self
            .database
            .write()
            .unwrap_or_else(PoisonError::into_inner) = database;
        Ok(())
    }

    /// A store in memory, for a board that doesn't outlive its process.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn in_memory() -> Result<Self, StoreError> {
        Self::on(redb::backends::InMemoryBackend::new())
    }

    /// A store on something else than a file.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn on(backend: impl StorageBackend) -> Result<Self, StoreError> {
        Self::prepare(Database::builder().create_with_backend(backend)?, None)
    }

    fn prepare(database: Database, path: Option<PathBuf>) -> Result<Self, StoreError> {
        let write = database.begin_write()?;
        {
            let mut meta = write.open_table(META)?;
            let stored = meta.get("version")?.map(|value| value.value().to_vec());
            match stored {
                None => {
                    meta.insert("version", STORE_VERSION.to_be_bytes().as_slice())?;
                }
                Some(bytes) if bytes == STORE_VERSION.to_be_bytes() => {}
                Some(bytes) => {
                    let got = bytes.try_into().map_or(0, u32::from_be_bytes);
                    return Err(StoreError::Version { got });
                }
            }
            // A table is there from when it was first opened for writing: readers fail without.
            write.open_table(OPENERS)?;
            write.open_table(SESSIONS)?;
            write.open_table(OPENS)?;
            write.open_table(ENTRIES)?;
            write.open_table(P2P)?;
            write.open_table(EVIDENCE)?;
            write.open_table(LEAVES)?;
            write.open_table(DISPUTES)?;
            write.open_table(PARTIES)?;
            write.open_table(CHARTERS)?;
            write.open_table(links::LINKS)?;
            rounds::prepare(&write)?;
            erased::prepare(&write)?;
        }
        write.commit()?;
        Ok(Self {
            database: RwLock::new(Arc::new(database)),
            path,
        })
    }

    fn database(&self) -> Arc<Database> {
        let database = self.database.read();
        Arc::clone(&database.unwrap_or_else(PoisonError::into_inner))
    }

    /// State and tip after the last block, checked against its root; `None` before the first block.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn load(&self) -> Result<Option<(State, Tip)>, StoreError> {
        whole(|| load::load(&self.snapshot()?))
    }

    /// Number of the rules of the block after the last one, and that one's height; `None` before the first block. Nothing else is read.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn next_rules(&self) -> Result<Option<(u32, u64)>, StoreError> {
        whole(|| rules::next(&self.snapshot()?))
    }

    /// The store as it is now, whatever is written later.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn snapshot(&self) -> Result<Snapshot, StoreError> {
        let read = self.database().begin_read()?;
        Ok(Snapshot {
            entries: read.open_table(ENTRIES)?,
            p2p: read.open_table(P2P)?,
            read,
        })
    }

    /// Stores a block: all of it or nothing. `frozen` is what the state has let go of in it; `first` writes what the genesis has
    /// brought, too.
    ///
    /// # Errors
    /// [`StoreError`]; the store is as it was.
    pub fn commit(
        &self,
        ended: &Ended,
        frozen: &[Frozen],
        txs: &[(Option<u32>, Arc<VerifiedTx>)],
        tip: &Tip,
        first: bool,
    ) -> Result<(), StoreError> {
        let mut write = self.database().begin_write()?;
        // A process that was killed opens its store again without scanning all of it.
        write.set_quick_repair(true);
        for (session, tx) in txs {
            match session {
                Some(session) => {
                    let parties = ended.state.sessions().get(*session);
                    let parties = parties.map_or(0, |one| one.leaf.members.size());
                    put_tx(&write, (*session, parties), tx)?;
                }
                None => rules::put_charter(&write, tx)?,
            }
        }
        rules::put(&write, ended, first)?;
        links::note(&write, ended)?;
        sessions::put(&write, ended)?;
        erased::put_frozen(&write, frozen)?;
        put_openers(&write, ended, first)?;
        put_meta(&write, ended.state.paused_ms(), tip)?;
        write.commit()?;
        Ok(())
    }
}

/// Renames a file for good.
fn rename(from: &Path, to: &Path) -> Result<(), StoreError> {
    std::fs::rename(from, to)?;
    let folder = to.parent().filter(|folder| !folder.as_os_str().is_empty());
    Ok(std::fs::File::open(folder.unwrap_or(Path::new(".")))?.sync_all()?)
}

/// Removes a file, if it is there.
fn remove(path: &Path) -> Result<(), StoreError> {
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != ErrorKind::NotFound => Err(error.into()),
        _ => Ok(()),
    }
}

/// Reads a file that something else than this program may have written to: the library's own checks of what it finds there panic.
fn whole<T>(read: impl FnOnce() -> Result<T, StoreError>) -> Result<T, StoreError> {
    let damaged = Err(StoreError::Damaged(
        "it can't be read, as the message above says",
    ));
    catch_unwind(AssertUnwindSafe(read)).unwrap_or(damaged)
}

/// Writes what a transaction brings to a session of so many parties.
fn put_tx(
    write: &WriteTransaction,
    (session, parties): (u32, u16),
    tx: &VerifiedTx,
) -> Result<(), StoreError> {
    let signature = *tx.signature();
    let entry = |round, index, stored: StoredEntry| -> Result<(), StoreError> {
        let key = (session, round, index);
        write
            .open_table(ENTRIES)?
            .insert(key, stored.encode_to_vec().as_slice())?;
        Ok(())
    };
    match tx.action() {
        Action::Open(open) => {
            let bytes = open_to_pb(open, &signature).encode_to_vec();
            write.open_table(OPENS)?.insert(session, bytes.as_slice())?;
            let mut parties = write.open_table(PARTIES)?;
            for key in &open.spec.roster {
                parties.insert((key.as_bytes(), session), ())?;
            }
        }
        Action::Join(join) => {
            let stored = StoredEntry::join(join_to_pb(join, &signature));
            entry(0, join.index, stored)?;
        }
        Action::Post(post) => {
            let signed = SignedEntry {
                entry: Entry::Post(post.header.clone()),
                signature,
            };
            let (round, index) = (post.header.round, post.header.index);
            let stored = StoredEntry::signed(entry_to_pb(&signed), post.broadcast.clone().into());
            entry(round, index, stored)?;
            if !post.p2p.is_empty() {
                let blob = P2pBlob::encode(post, parties);
                let key = (session, round, index);
                write.open_table(P2P)?.insert(key, blob.as_slice())?;
            }
        }
        Action::Finish(finish) => {
            let signed = SignedEntry {
                entry: Entry::Finish(finish.clone()),
                signature,
            };
            let stored = StoredEntry::signed(entry_to_pb(&signed), Bytes::new());
            entry(finish.round, finish.index, stored)?;
        }
        Action::Leave { index, .. } => {
            let key = (session, *index);
            write
                .open_table(LEAVES)?
                .insert(key, tx.encode().as_slice())?;
        }
        // Of no session.
        Action::Approve(_) => {}
        Action::Complain(_) => put_dispute(write, (session, COMPLAINT), tx)?,
        Action::Reveal(_) => put_dispute(write, (session, REVEAL), tx)?,
        Action::Evidence([first, second]) => {
            let (_, _, index) = first.entry.slot();
            let evidence = pb::Evidence {
                first: Some(entry_to_pb(first)),
                second: Some(entry_to_pb(second)),
            };
            let key = (session, index);
            write
                .open_table(EVIDENCE)?
                .insert(key, evidence.encode_to_vec().as_slice())?;
        }
    }
    Ok(())
}

fn put_dispute(
    write: &WriteTransaction,
    key: (u32, u8),
    tx: &VerifiedTx,
) -> Result<(), StoreError> {
    let mut disputes = write.open_table(DISPUTES)?;
    disputes.insert(key, tx.encode().as_slice())?;
    Ok(())
}

fn put_openers(write: &WriteTransaction, ended: &Ended, first: bool) -> Result<(), StoreError> {
    let mut openers = write.open_table(OPENERS)?;
    let all = u32::try_from(ended.state.openers().len()).unwrap_or(u32::MAX);
    let changed: Vec<u32> = if first {
        (0..all).collect()
    } else {
        ended.openers.clone()
    };
    for number in changed {
        if let Some(opener) = ended.state.openers().get(number) {
            let record = OpenerRecord::from(opener.as_ref());
            openers.insert(number, record.encode_to_vec().as_slice())?;
        }
    }
    if first {
        put_genesis(write, ended.state.network())?;
    }
    Ok(())
}

fn put_genesis(write: &WriteTransaction, network: &Network) -> Result<(), StoreError> {
    let genesis = StoredGenesis::from(network);
    let json = serde_json::to_vec(&genesis).map_err(|_| StoreError::Damaged("genesis"))?;
    write.open_table(META)?.insert("genesis", json.as_slice())?;
    Ok(())
}

fn put_meta(write: &WriteTransaction, paused_ms: u64, tip: &Tip) -> Result<(), StoreError> {
    let mut meta = write.open_table(META)?;
    let is_restored = [u8::from(tip.is_restored)];
    meta.insert("is_restored", is_restored.as_slice())?;
    meta.insert("height", tip.height.to_be_bytes().as_slice())?;
    meta.insert("block_hash", tip.block_hash.as_bytes().as_slice())?;
    meta.insert("seal", tip.seal.encode().as_slice())?;
    meta.insert("seal_path", join_hashes(&tip.seal_path).as_slice())?;
    meta.insert("seconds", tip.time.seconds.to_be_bytes().as_slice())?;
    meta.insert("nanos", tip.time.nanos.to_be_bytes().as_slice())?;
    meta.insert("paused_ms", paused_ms.to_be_bytes().as_slice())?;
    Ok(())
}
