//! The life of a replica that is killed: blocks of a simulated world, whose validators change on the way.

use std::{
    env, fs,
    io::Write as _,
    path::{Path, PathBuf},
    sync::Arc,
    time::{Duration, Instant},
};

use prost::bytes::Bytes;
use tempfile::TempDir;
use tendermint_abci::Application as _;
use tendermint_proto::v0_38::abci::{
    RequestApplySnapshotChunk, RequestLoadSnapshotChunk, RequestOfferSnapshot,
    response_apply_snapshot_chunk::Result as Applied, response_offer_snapshot::Result as Offered,
};
use white_city_replica::{
    Config, Replica, Store,
    statesync::{FORMAT, Manifest, Restorer},
};
use white_city_wire::{Network, read::split_hashes};

use crate::{
    chain::{naive, replica},
    history::{BLOCKS, HISTORY, link_header, root_at},
    restart::seen,
    snapshots::genesis_json,
};

/// Variables of a worker: its folder, and what it does there.
pub const FOLDER: &str = "WHITE_CITY_LIFE";
pub const SCENARIO: &str = "WHITE_CITY_LIFE_OF";

/// Blocks from one snapshot to the next.
const EVERY: u64 = 3;
/// Height until which another replica has made the snapshot that is restored.
const RESTORED_FROM: usize = 14;
/// Time that a snapshot may take.
const PATIENCE: Duration = Duration::from_secs(60);
/// Files beside a home: the genesis, and the folder of whoever has the snapshot that is restored.
const GENESIS: &str = "genesis.json";
const FROM: &str = "from";

/// What is interrupted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scenario {
    /// Blocks, with the snapshots that are made of them.
    Blocks,
    /// A snapshot that is restored, and the blocks after it.
    Restore,
}

impl Scenario {
    pub const fn name(self) -> &'static str {
        match self {
            Self::Blocks => "blocks",
            Self::Restore => "restore",
        }
    }
}

/// Where lives of a kind begin.
pub struct Life {
    scenario: Scenario,
    /// A folder with the home that has made the snapshot that is restored.
    made: TempDir,
}

impl Life {
    pub fn new(scenario: Scenario) -> Self {
        let made = folder();
        if scenario == Scenario::Restore {
            fs::create_dir(home(made.path())).unwrap();
            Worker::open(made.path()).live(RESTORED_FROM);
        }
        Self { scenario, made }
    }

    /// A folder in which a worker begins.
    pub fn folder(&self) -> TempDir {
        let folder = folder();
        fs::create_dir(home(folder.path())).unwrap();
        let network = HISTORY[0].executed.before.network();
        fs::write(folder.path().join(GENESIS), genesis_json(network)).unwrap();
        if self.scenario == Scenario::Restore {
            let from = self.made.path().to_str().unwrap();
            fs::write(folder.path().join(FROM), from).unwrap();
        }
        folder
    }

    pub fn restored_height(&self) -> u64 {
        let made = fs::read_dir(home(self.made.path()).join("snapshots")).unwrap();
        let names = made.flatten().map(|entry| entry.file_name());
        let heights = names.filter_map(|name| name.to_str()?.parse().ok());
        heights.max().unwrap()
    }

    pub fn end(&self) -> u64 {
        u64::try_from(BLOCKS).unwrap()
    }
}

/// A folder in memory, where there is such a place: a process that is killed loses nothing there, and nothing waits for a disk.
pub fn folder() -> TempDir {
    let memory = Path::new("/dev/shm");
    let folder = match memory.is_dir() {
        true => tempfile::tempdir_in(memory),
        false => tempfile::tempdir(),
    };
    folder.unwrap()
}

pub fn home(folder: &Path) -> PathBuf {
    folder.join("home")
}

fn say(words: &str) {
    let mut out = std::io::stdout().lock();
    writeln!(out, "life: {words}").unwrap();
    out.flush().unwrap();
}

/// What the process does: all of it, or what is left of it.
pub fn work() {
    let own = tempfile::tempdir().unwrap();
    let folder = env::var_os(FOLDER).map_or_else(|| own.path().into(), PathBuf::from);
    fs::create_dir_all(home(&folder)).unwrap();
    let worker = Worker::open(&folder);
    say(&format!("opened {}", worker.height()));
    for height in worker.check_snapshots() {
        say(&format!("found {height}"));
    }
    if env::var(SCENARIO).is_ok_and(|name| name == Scenario::Restore.name()) {
        worker.restore();
    }
    worker.live(BLOCKS);
    worker.check_snapshots();
    say("whole");
}

struct Worker {
    folder: PathBuf,
    replica: Replica,
}

impl Worker {
    fn open(folder: &Path) -> Self {
        let home = home(folder);
        let config = Config {
            snapshots: home.join("snapshots"),
            snapshot_blocks: EVERY,
            genesis: folder.join(GENESIS),
            ..naive()
        };
        let (replica, _) = replica(Some(&home.join("board.redb")), &config);
        let worker = Self {
            folder: folder.into(),
            replica,
        };
        for remains in ["restoring", "making"] {
            assert!(!home.join(format!("board.{remains}")).exists(), "{remains}");
        }
        let height = worker.height();
        if height > 0 {
            let committed = worker.replica.committed().unwrap();
            assert_eq!(committed.tip.seal.root, root_at(height));
            assert_eq!(committed.state.root(), root_at(height));
        }
        worker
    }

    fn height(&self) -> u64 {
        let committed = self.replica.committed();
        committed.map_or(0, |committed| committed.tip.height)
    }

    fn offered(&self) -> Vec<u64> {
        let offered = self.replica.list_snapshots().snapshots.into_iter();
        offered.map(|snapshot| snapshot.height).collect()
    }

    /// Restores each snapshot that it offers, into nowhere; gives their heights.
    fn check_snapshots(&self) -> Vec<u64> {
        for offered in self.replica.list_snapshots().snapshots {
            let manifest = Manifest {
                height: offered.height,
                chunks: split_hashes(&offered.metadata).unwrap(),
            };
            let network = Arc::clone(HISTORY[0].executed.before.network());
            let beside = Store::in_memory().unwrap();
            let root = root_at(offered.height);
            let mut restorer = Restorer::new(manifest, root, network, &beside).unwrap();
            for index in 0..offered.chunks {
                let chunk = chunk_of(&self.replica, offered.height, index);
                restorer.take(index, chunk).unwrap();
            }
            assert_eq!(restorer.end().unwrap().state.root(), root);
        }
        self.offered()
    }

    /// The blocks that it hasn't stored, up to a number.
    fn live(&self, blocks: usize) {
        let stored = usize::try_from(self.height()).unwrap();
        let mut last = self.offered().last().copied().unwrap_or(0);
        if stored == 0 {
            let network = HISTORY[0].executed.before.network();
            self.replica.init(Network::clone(network)).unwrap();
        }
        for height in stored..blocks {
            let observed = &HISTORY[height];
            let block = seen(observed, observed.block());
            let (_, root) = self.replica.decide(&block).unwrap();
            assert_eq!(root, observed.root);
            self.replica.store_decided().unwrap();
            let height = self.height();
            say(&format!("stored {height}"));
            if self.is_due(last) {
                last = height;
                self.wait_for_snapshot(height);
            }
            // The engine has the header of the link as soon as there is a block after it.
            self.take_links();
        }
    }

    /// Whether a snapshot is made of the last block: not where the validators change, and not without their links.
    fn is_due(&self, last: u64) -> bool {
        let committed = self.replica.committed().unwrap();
        let (height, term) = (committed.tip.height, committed.state.term());
        let changes = term.eras > 0 && height <= term.era_height + 1;
        height >= last + EVERY && !changes && self.replica.missing_link().is_none()
    }

    fn wait_for_snapshot(&self, height: u64) {
        let until = Instant::now() + PATIENCE;
        while self.offered().last() != Some(&height) {
            assert!(Instant::now() < until, "no snapshot at {height}");
            std::thread::sleep(Duration::from_millis(1));
        }
        say(&format!("offers {height}"));
    }

    fn take_links(&self) {
        while let Some(missing) = self.replica.missing_link() {
            if self.height() <= missing.height {
                return;
            }
            let header = link_header(missing.height);
            let era = missing.era;
            self.replica.take_link(missing, header).unwrap();
            say(&format!("link {era}"));
        }
    }

    /// Restores what another replica has, as long as the engine doesn't know that it was done.
    fn restore(&self) {
        let done = self.folder.join("engine");
        if done.exists() {
            return;
        }
        let from = fs::read_to_string(self.folder.join(FROM)).unwrap();
        let from = Self::open(Path::new(&from));
        let mut snapshot = from.replica.list_snapshots().snapshots.pop().unwrap();
        let (height, chunks) = (snapshot.height, snapshot.chunks);
        let app_hash = root_at(height).0.to_vec().into();
        let snapshot = Some(std::mem::take(&mut snapshot));
        let offer = RequestOfferSnapshot { snapshot, app_hash };
        assert_eq!(self.replica.offer_snapshot(offer).result(), Offered::Accept);
        for index in 0..chunks {
            let applied = self
                .replica
                .apply_snapshot_chunk(RequestApplySnapshotChunk {
                    index,
                    chunk: chunk_of(&from.replica, height, index),
                    sender: "peer".into(),
                });
            assert_eq!(applied.result(), Applied::Accept);
        }
        assert_eq!(self.height(), height);
        fs::write(done, "").unwrap();
        say(&format!("stored {height}"));
    }
}

fn chunk_of(replica: &Replica, height: u64, chunk: u32) -> Bytes {
    let request = RequestLoadSnapshotChunk {
        height,
        format: FORMAT,
        chunk,
    };
    replica.load_snapshot_chunk(request).chunk
}
