//! The snapshots that a replica keeps: the newest two, each a folder of chunks, whole once its manifest is there.

use std::{
    fs::{self, File},
    io::{self, Read as _, Write as _},
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    thread,
};

use white_city_wire::{
    Hash,
    hash::sha256,
    read::{join_hashes, split_hashes},
};

use super::{
    export::{ExportError, export},
    items::CHUNK_BYTES_MAX,
};
use crate::store::{Kept, Snapshot};

/// Number of snapshots that are kept: whoever fetches one while the next one is made can go on.
const KEPT: usize = 2;
/// Largest manifest that is read, bytes; CometBFT passes on no more as metadata.
pub const MANIFEST_BYTES_MAX: u64 = 4_000_000;
const MANIFEST: &str = "manifest";
const MAKING: &str = "making";
/// Name of one that is given up: nothing is taken out of one that looks whole.
const DROPPED: &str = "dropped";

/// A snapshot: the hashes of its chunks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Manifest {
    /// Height of the state.
    pub height: u64,
    /// Hash of each chunk.
    pub chunks: Vec<Hash>,
}

impl Manifest {
    /// The hashes, one after the other.
    #[must_use]
    pub fn metadata(&self) -> Vec<u8> {
        join_hashes(&self.chunks)
    }

    /// The snapshot's own hash: that of its metadata.
    #[must_use]
    pub fn hash(&self) -> Hash {
        sha256(&self.metadata())
    }
}

/// The snapshots of a replica.
#[derive(Clone)]
pub struct Shelf {
    folder: PathBuf,
    /// Number of blocks from one to the next; 0: none are made.
    every: u64,
    state: Arc<Mutex<State>>,
}

#[derive(Default)]
struct State {
    /// Ascending by height.
    whole: Vec<Manifest>,
    is_making: bool,
    /// Height of the last one that was begun, whatever came of it.
    begun: u64,
}

impl Shelf {
    /// The shelf in a folder, with what is there already. A new snapshot is made `every` so many blocks, or never for 0.
    ///
    /// # Errors
    /// When the folder can't be read.
    pub fn open(folder: PathBuf, every: u64) -> io::Result<Self> {
        let mut whole = Vec::new();
        let entries = match fs::read_dir(&folder) {
            Ok(entries) => entries.collect::<io::Result<Vec<_>>>()?,
            Err(error) if error.kind() == io::ErrorKind::NotFound => Vec::new(),
            Err(error) => return Err(error),
        };
        for entry in entries {
            let height = entry
                .file_name()
                .to_str()
                .and_then(|name| name.parse().ok());
            match height.and_then(|height| read_manifest(&entry.path(), height)) {
                Some(manifest) => whole.push(manifest),
                // What a stop has interrupted. Whatever else is there is left alone.
                None if [MAKING, DROPPED]
                    .iter()
                    .any(|name| entry.file_name() == *name) =>
                {
                    fs::remove_dir_all(entry.path())?;
                }
                None => {}
            }
        }
        whole.sort_by_key(|manifest| manifest.height);
        Ok(Self {
            folder,
            every,
            state: Arc::new(Mutex::new(State {
                whole,
                ..State::default()
            })),
        })
    }

    /// The snapshots that are whole, ascending by height.
    #[must_use]
    pub fn list(&self) -> Vec<Manifest> {
        self.state().whole.clone()
    }

    /// Height of the newest one.
    #[must_use]
    pub fn newest(&self) -> Option<u64> {
        self.state().whole.last().map(|manifest| manifest.height)
    }

    /// Whether one is to be made of the state at this height.
    #[must_use]
    pub fn is_due(&self, height: u64) -> bool {
        let state = self.state();
        let newest = state.whole.last().map_or(0, |manifest| manifest.height);
        let last = newest.max(state.begun);
        self.every > 0 && !state.is_making && height >= last.saturating_add(self.every)
    }

    /// A chunk; `None` where there is none.
    #[must_use]
    pub fn chunk(&self, height: u64, chunk: u32) -> Option<Vec<u8>> {
        let mut bytes = Vec::new();
        let file = File::open(self.folder.join(height.to_string()).join(chunk.to_string()));
        let most = u64::try_from(CHUNK_BYTES_MAX).unwrap_or(u64::MAX);
        file.ok()?.take(most).read_to_end(&mut bytes).ok()?;
        Some(bytes)
    }

    /// Makes one, on a thread of its own, of the store as it is at this height. `done` is told what came of it.
    pub fn make(&self, height: u64, snapshot: Snapshot, links: Vec<Kept>) {
        {
            let mut state = self.state();
            (state.is_making, state.begun) = (true, height);
        }
        let shelf = self.clone();
        let making = thread::Builder::new().name("snapshot".into());
        let started = making.spawn(move || match shelf.write(height, &snapshot, links) {
            Ok(manifest) => {
                let chunks = manifest.chunks.len();
                tracing::info!(height, chunks, "snapshot made");
                shelf.put(manifest);
            }
            Err(error) => {
                tracing::error!(height, %error, "no snapshot could be made");
                shelf.state().is_making = false;
            }
        });
        if let Err(error) = started {
            tracing::error!(height, %error, "no snapshot could be made");
            self.state().is_making = false;
        }
    }

    fn write(
        &self,
        height: u64,
        snapshot: &Snapshot,
        links: Vec<Kept>,
    ) -> Result<Manifest, ExportError> {
        let making = self.folder.join(MAKING);
        remove(&making)?;
        fs::create_dir_all(&making)?;
        let chunks = export(snapshot, links, |number, bytes| {
            write_synced(&making.join(number.to_string()), bytes)
        })?;
        let manifest = Manifest { height, chunks };
        write_synced(&making.join(MANIFEST), &manifest.metadata())?;
        File::open(&making)?.sync_all()?;
        let place = self.folder.join(height.to_string());
        if place.exists() {
            self.give_up(height)?;
        }
        fs::rename(&making, &place)?;
        File::open(&self.folder)?.sync_all()?;
        Ok(manifest)
    }

    /// Shows a snapshot, and drops what is older than those that are kept.
    fn put(&self, manifest: Manifest) {
        let mut state = self.state();
        state.whole.retain(|other| other.height != manifest.height);
        state.whole.push(manifest);
        // At once: whoever sees it may ask for the next one.
        state.is_making = false;
        let surplus = state.whole.len().saturating_sub(KEPT);
        for old in state.whole.drain(..surplus) {
            if let Err(error) = self.give_up(old.height) {
                tracing::warn!(height = old.height, %error, "an old snapshot stays");
            }
        }
    }

    /// Removes a snapshot. A stop in between leaves none that looks whole and isn't: it would be offered.
    fn give_up(&self, height: u64) -> io::Result<()> {
        let dropped = self.folder.join(DROPPED);
        remove(&dropped)?;
        fs::rename(self.folder.join(height.to_string()), &dropped)?;
        fs::remove_dir_all(&dropped)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Removes a folder, if it is there.
fn remove(folder: &Path) -> io::Result<()> {
    match fs::remove_dir_all(folder) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

fn write_synced(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file = File::create(path)?;
    file.write_all(bytes)?;
    file.sync_all()
}

fn read_manifest(folder: &Path, height: u64) -> Option<Manifest> {
    let path = folder.join(MANIFEST);
    if fs::metadata(&path).ok()?.len() > MANIFEST_BYTES_MAX {
        return None;
    }
    let chunks = split_hashes(&fs::read(path).ok()?)?;
    Some(Manifest { height, chunks })
}
