//! What sessions cost a replica after their end: memory, disk, time at a start and of a round; and what a snapshot of them takes, beside
//! executing all blocks again.
//!
//! ```console
//! $ cargo run --release -p white-city-tests --example kept -- [ERASED [ENDED]]
//! ```
//!
//! A replica without an engine executes and stores so many sessions that end at once and are erased, and among them so many of four
//! parties, four rounds and 100 bytes a post, that have ended and aren't. Then another process starts with its store, and plays some more
//! sessions; so does one with an empty board. `-- 900000 100000` takes hours and some gigabytes of disk.

use std::{
    path::Path,
    process::Command,
    sync::{Arc, mpsc},
    time::{Duration, Instant},
};

use prost::bytes::Bytes;
use white_city_replica::{
    Config, Halt, Replica, Store,
    app::Proposed,
    statesync::{Restorer, Shelf},
};
use white_city_tests::{
    network::{network, rules},
    party::Party,
    scene::spec,
};
use white_city_wire::{
    Hash, Network, SessionId,
    entry::FinishHeader,
    hash::sha256,
    seal::BlockTime,
    tx::{Action, Join, Leave, Open, Post},
};

const PARTIES: u16 = 4;
const ROUNDS: u32 = 4;
const WORDS: usize = 100;
/// Sessions that run at once.
const AT_ONCE: u64 = 500;
/// Sessions whose rounds are timed, one after the other.
const TIMED: u64 = 20;
/// Retention of those that are kept, ms.
const DAYS_MS: u64 = 30 * 86_400_000;

fn main() {
    let args: Vec<String> = std::env::args().skip(1).collect();
    if let [start, path] = args.as_slice()
        && start == "start"
    {
        return started(Path::new(path));
    }
    let number = |place: usize, usual| args.get(place).map_or(usual, |text| text.parse().unwrap());
    let (erased, ended) = (number(0, 90_000_u64), number(1, 10_000_u64));
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("board.redb");
    let began = Instant::now();
    let mut board = Board::new(&path);
    let empty = std::fs::metadata(&path).unwrap().len();
    let ratio = erased.checked_div(ended).unwrap_or(u64::MAX).max(1);
    let (mut gone, mut kept) = (0, 0);
    while gone < erased || kept < ended {
        let wanted = (ended - kept).min(AT_ONCE / 5);
        let short = (wanted * ratio).clamp(AT_ONCE, 4_000).min(erased - gone);
        board.sessions(short, wanted);
        (gone, kept) = (gone + short, kept + wanted);
    }
    for _ in 0..3 + gone / 4_000 {
        board.block(Vec::new());
    }
    let committed = board.replica.committed().unwrap();
    let in_memory = u64::try_from(committed.state.sessions().iter().count()).unwrap();
    assert_eq!(
        (committed.state.sessions().len(), in_memory),
        (erased + ended, ended)
    );
    let (root, height) = (committed.state.root(), committed.tip.height);
    let (network, executing) = (board.network.clone(), board.executing);
    drop((committed, board));
    let bytes = std::fs::metadata(&path).unwrap().len() - empty;
    println!("{erased} erased, {ended} ended, in {:.0?}", began.elapsed());
    println!(
        "store: {bytes} bytes, {} a session",
        bytes / (erased + ended)
    );
    snapshot(folder.path(), (root, height), network, executing);
    let own = std::env::current_exe().unwrap();
    for path in [&path, &folder.path().join("empty.redb")] {
        let started = Command::new(&own).arg("start").arg(path).status().unwrap();
        assert!(started.success());
    }
}

/// Makes a snapshot of the store in a folder, and restores it.
fn snapshot(folder: &Path, (root, height): (Hash, u64), network: Network, executing: Duration) {
    let store = Store::open(&folder.join("board.redb")).unwrap();
    let shelf = Shelf::open(folder.join("snapshots"), 1).unwrap();
    let began = Instant::now();
    shelf.make(height, store.snapshot().unwrap(), Vec::new());
    let manifest = loop {
        if let Some(manifest) = shelf.list().pop() {
            break manifest;
        }
        std::thread::sleep(Duration::from_millis(1));
    };
    let made = began.elapsed();
    let began = Instant::now();
    let count = u32::try_from(manifest.chunks.len()).unwrap();
    let beside = Store::open(&folder.join("restored.redb")).unwrap();
    let mut restorer = Restorer::new(manifest, root, Arc::new(network), &beside).unwrap();
    let mut bytes = 0;
    for number in 0..count {
        let chunk = shelf.chunk(height, number).unwrap();
        bytes += chunk.len();
        restorer.take(number, chunk.into()).unwrap();
    }
    assert_eq!(restorer.end().unwrap().state.root(), root);
    println!(
        "snapshot: {bytes} bytes in {count} chunks, made in {made:.2?}, restored in {:.2?}; the {height} blocks took {executing:.2?}",
        began.elapsed()
    );
}

/// A start with the store at `path`, in a process that did nothing else.
fn started(path: &Path) {
    let before = resident();
    let began = Instant::now();
    let replica = replica(path);
    let took = began.elapsed();
    let bytes = resident() - before;
    let committed = replica.committed();
    let sessions = committed.map_or(0, |committed| committed.state.sessions().len());
    println!(
        "start with {sessions} sessions: {took:.2?}, {bytes} bytes of memory, {} in all",
        resident()
    );
    let mut board = Board::over(replica);
    let (height, executing) = (board.height, board.executing);
    for _ in 0..TIMED {
        board.sessions(0, 1);
    }
    let blocks = u32::try_from(board.height - height).unwrap();
    println!(
        "a block of one round: {:.2?}",
        (board.executing - executing) / blocks
    );
}

/// Memory of this process, bytes.
fn resident() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kilobytes: u64 = line
        .unwrap()
        .trim()
        .trim_end_matches(" kB")
        .parse()
        .unwrap();
    kilobytes * 1_024
}

fn replica(path: &Path) -> Replica {
    let (sender, _stops) = mpsc::channel();
    let store = Store::open(path).unwrap();
    Replica::new(&Config::default(), store, Halt::new(sender)).unwrap()
}

struct Board {
    replica: Replica,
    network: Network,
    parties: Vec<Party>,
    height: u64,
    nonce: u64,
    /// Time of judging, executing and storing blocks.
    executing: Duration,
}

impl Board {
    fn new(path: &Path) -> Self {
        Self::over(replica(path))
    }

    /// The board of a replica, which goes on if it has blocks.
    fn over(replica: Replica) -> Self {
        let parties = Party::several(PARTIES.into());
        let mut rules = rules(&[(&parties[0], u32::MAX, u64::MAX / 4)]);
        rules.params.max_work = 1 << 20;
        rules.params.max_tx = 1 << 18;
        rules.params.max_duration_ms = DAYS_MS;
        rules.charter.max_board_bytes = u64::MAX / 2;
        let network = Network::clone(&network(1, rules));
        let height = replica.committed().map(|committed| committed.tip.height);
        if height.is_none() {
            replica.init(network.clone()).unwrap();
        }
        let height = height.unwrap_or(0);
        Self {
            replica,
            network,
            parties,
            height,
            nonce: height << 32,
            executing: Duration::ZERO,
        }
    }

    fn board_ms(&self) -> u64 {
        1_000_000_000 + self.height * 10
    }

    /// Executes and stores a block.
    fn block(&mut self, txs: Vec<Vec<u8>>) {
        let count = txs.len();
        self.height += 1;
        let ms = self.board_ms();
        let proposed = |block| Proposed {
            height: self.height,
            time: BlockTime {
                seconds: i64::try_from(ms / 1_000).unwrap(),
                nanos: u32::try_from(ms % 1_000).unwrap() * 1_000_000,
            },
            proposer: self.network.charter.replicas[0].address(),
            voters: Vec::new(),
            misbehavior: Vec::new(),
            hash: Some(sha256(&self.height.to_be_bytes())),
            block,
        };
        let candidates = txs.into_iter().map(Bytes::from).collect();
        let block = self.replica.propose(proposed(candidates), 1 << 30).unwrap();
        assert_eq!(block.len(), count + 1, "all of them fit and are valid");
        let proposed = proposed(block);
        let began = Instant::now();
        self.replica.judge(&proposed).unwrap().unwrap();
        self.replica.decide(&proposed).unwrap();
        self.replica.store_decided().unwrap();
        self.executing += began.elapsed();
    }

    fn tx(&self, party: u16, action: Action) -> Vec<u8> {
        self.parties[usize::from(party)]
            .tx(action, &self.network.id)
            .encode()
    }

    fn open(&mut self, retention_ms: u64) -> (SessionId, Vec<u8>) {
        self.nonce += 1;
        let mut nonce = [0; 32];
        nonce[..8].copy_from_slice(&self.nonce.to_be_bytes());
        let mut spec = spec(&self.parties, PARTIES);
        spec.max_rounds = ROUNDS + 1;
        spec.retention_ms = retention_ms;
        let open = Open {
            spec,
            opener: *self.parties[0].key(),
            nonce,
            open_by_ms: self.board_ms() + 20,
            stamp: 0,
        };
        let id = open.session_id(&self.network.id);
        (id, self.tx(0, Action::Open(open)))
    }

    /// So many sessions that one party declines, and so many that end well and are kept.
    fn sessions(&mut self, short: u64, whole: u64) {
        let opened: Vec<_> = (0..short).map(|_| self.open(1)).collect();
        let kept: Vec<_> = (0..whole).map(|_| self.open(DAYS_MS)).collect();
        self.block(
            opened
                .iter()
                .chain(&kept)
                .map(|(_, tx)| tx.clone())
                .collect(),
        );
        let declines = opened.iter().map(|(session, _)| {
            let decline = Action::Leave {
                session: *session,
                index: 1,
                leave: Leave::Decline { reason: 0 },
            };
            self.tx(1, decline)
        });
        let mut next: Vec<Vec<u8>> = declines.collect();
        next.extend(self.each(&kept, |_, session, index, key| {
            Action::Join(Join {
                session,
                index,
                key: key.encryption_key(0),
            })
        }));
        self.block(next);
        for round in 1..=ROUNDS {
            let posts = self.each(&kept, |transcript, session, index, _| {
                let words = vec![u8::try_from(index).unwrap(); WORDS];
                let place = (index, PARTIES);
                Action::Post(Post::new(session, round, place, transcript, words, vec![]))
            });
            self.block(posts);
        }
        let finishes = self.each(&kept, |transcript, session, index, _| {
            Action::Finish(FinishHeader {
                session,
                round: ROUNDS + 1,
                index,
                transcript,
                outcome: Hash([1; 32]),
            })
        });
        self.block(finishes);
    }

    /// What each party of each session sends.
    fn each(
        &self,
        sessions: &[(SessionId, Vec<u8>)],
        action: impl Fn(Hash, SessionId, u16, &Party) -> Action,
    ) -> Vec<Vec<u8>> {
        let committed = self.replica.committed().unwrap();
        let each = sessions.iter().flat_map(|(session, _)| {
            let transcript = committed.state.session(session).unwrap().leaf.transcript;
            let (parties, action) = (&self.parties, &action);
            (0..PARTIES).map(move |index| {
                let party = &parties[usize::from(index)];
                self.tx(index, action(transcript, *session, index, party))
            })
        });
        each.collect()
    }
}
