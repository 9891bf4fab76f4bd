//! Everything that is said of a replica at its health port.

use std::{
    io,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use bytes::Bytes;
use prometheus_client::{encoding::prometheus_text, registry::Registry};

use super::{
    ceremonies::Ceremonies,
    machine::{disk_of, file_bytes, memory_bytes, resident_bytes},
    node::Node,
    readiness::{Facts, Readiness},
    sheet::Sheet,
};
use crate::{app::Replica, committed::Committed, config::Config};

/// Time for which numbers are good: whoever asks more often gets the same again.
const GOOD_FOR: Duration = Duration::from_secs(1);

/// A replica, watched.
pub struct Monitor {
    replica: Replica,
    node: Arc<Node>,
    store: PathBuf,
    /// When the process started, seconds since 1970.
    started: f64,
    last: Mutex<Option<(Instant, Bytes)>>,
}

impl Monitor {
    /// Watches a replica, and its node, on a thread of its own.
    ///
    /// # Errors
    /// When the thread can't be started.
    pub fn start(replica: Replica, config: &Config) -> io::Result<Self> {
        let started = SystemTime::now().duration_since(UNIX_EPOCH);
        Ok(Self {
            node: Node::watch(replica.clone(), config.engine_rpc.clone())?,
            replica,
            store: config.store.clone(),
            started: started.unwrap_or_default().as_secs_f64(),
            last: Mutex::default(),
        })
    }

    /// Whether the replica is ready.
    #[must_use]
    pub fn readiness(&self) -> Readiness {
        let committed = self.replica.committed();
        let progress = &self.replica.metrics().progress;
        let params = committed.as_ref().map(|c| c.state.params());
        let node = self.node.heard();
        Readiness::of(&Facts {
            is_halted: self.replica.halt().is_halted(),
            height: committed.as_ref().map(|c| c.tip.height),
            heartbeat_ms: params.map(|params| params.heartbeat_ms),
            block_age: progress.block_age(),
            has_stored: progress.has_stored(),
            node: node.as_ref().map_err(Clone::clone),
        })
    }

    /// All numbers, as Prometheus takes them: as they were at most a second ago.
    #[must_use]
    pub fn metrics(&self) -> Bytes {
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        let good = last.as_ref().filter(|(at, _)| at.elapsed() < GOOD_FOR);
        if let Some((_, text)) = good {
            return text.clone();
        }
        let text = Bytes::from(self.gather());
        *last = Some((Instant::now(), text.clone()));
        text
    }

    /// All numbers, as they are now.
    #[must_use]
    pub fn gather(&self) -> String {
        let mut registry = Registry::default();
        self.replica.metrics().register(&mut registry);
        registry.register_collector(Box::new(self.sheet()));
        let mut text = String::new();
        // A string takes all that is written to it.
        let _ = prometheus_text::encode(&mut text, &registry);
        text
    }

    fn sheet(&self) -> Sheet {
        let mut sheet = Sheet::default();
        if let Some(committed) = self.replica.committed() {
            note_ceremonies(&mut sheet, &Ceremonies::of(&committed));
            self.note_board(&mut sheet, &committed);
        }
        self.note_progress(&mut sheet);
        self.note_room(&mut sheet);
        self.note_process(&mut sheet);
        sheet
    }

    fn note_board(&self, sheet: &mut Sheet, committed: &Committed) {
        let (state, term) = (&committed.state, committed.state.term());
        let (charter, params) = (state.charter(), state.params());
        let heartbeat = Duration::from_millis(params.heartbeat_ms.into());
        let heartbeat = Some(heartbeat.as_secs_f64());
        let paused = Duration::from_millis(state.paused_ms()).as_secs_f64();
        let for_strangers = charter.listed_bytes().unwrap_or(u64::MAX);
        let for_strangers = charter.max_board_bytes.saturating_sub(for_strangers);
        let reserved = state.reserved();
        let known = self.replica.known_rules().newest();
        sheet.one(
            "white_city_height",
            "Height of the last block",
            Some(float(committed.tip.height)),
        );
        sheet.one(
            "white_city_heartbeat_seconds",
            "Time after which an idle board makes a block",
            heartbeat,
        );
        sheet.one(
            "white_city_board_paused_seconds",
            "Time that the board was down, during which no session's clock ran",
            Some(paused),
        );
        sheet.one(
            "white_city_term",
            "Number of the charter in force",
            Some(charter.term.into()),
        );
        sheet.one(
            "white_city_era",
            "Changes of the set of validators so far",
            Some(term.eras.into()),
        );
        sheet.one(
            "white_city_replicas",
            "Replicas in the charter in force",
            Some(charter.size().into()),
        );
        sheet.one(
            "white_city_protocol",
            "Number of the rules of the next block",
            Some(charter.protocol.into()),
        );
        sheet.one(
            "white_city_protocol_known",
            "Newest number of the rules that this program knows",
            Some(known.into()),
        );
        sheet.each(
            "white_city_reserved_bytes",
            "Bytes that sessions reserve which aren't erased: of all openers, and of those that the charter doesn't list",
            "opener",
            [("all", float(reserved.all)), ("stranger", float(reserved.strangers))],
        );
        sheet.each(
            "white_city_reserved_bytes_limit",
            "Most bytes that they may reserve",
            "opener",
            [
                ("all", float(charter.max_board_bytes)),
                ("stranger", float(for_strangers)),
            ],
        );
    }

    fn note_progress(&self, sheet: &mut Sheet) {
        let progress = &self.replica.metrics().progress;
        let (readiness, heard) = (self.readiness(), self.node.heard().ok());
        let node = heard.as_ref().map(|heard| &heard.status);
        let is = |is: bool| Some(if is { 1.0 } else { 0.0 });
        let version = node.map_or_else(String::new, |node| node.version.clone());
        sheet.one(
            "white_city_ready",
            "Whether /ready says 200",
            is(readiness.ready),
        );
        sheet.one(
            "white_city_halted",
            "Whether the replica has halted; then its process ends, too",
            is(self.replica.halt().is_halted()),
        );
        sheet.one("white_city_block_age_seconds", "Time since the last block was stored here, or since the start, by this machine's monotonic clock", Some(progress.block_age().as_secs_f64()));
        sheet.one(
            "white_city_clock_offset_seconds",
            "How far this machine's clock is ahead of the median of the validators'",
            progress.offset_seconds(),
        );
        sheet.one(
            "white_city_engine_height",
            "Height of the last block of this replica's node",
            node.map(|node| float(node.height)),
        );
        sheet.one(
            "white_city_earliest_block",
            "Height of the oldest block that its node keeps",
            node.map(|node| float(node.earliest)),
        );
        sheet.one(
            "white_city_peers",
            "Nodes that its node is connected to",
            self.node.peers().map(float),
        );
        sheet.words(
            "white_city_build_info",
            "Versions of the program and of its node; empty where the node doesn't answer",
            vec![
                ("version", env!("CARGO_PKG_VERSION").to_owned()),
                ("engine", version),
            ],
        );
    }

    fn note_room(&self, sheet: &mut Sheet) {
        let (pending, pending_bytes) = self.replica.held();
        let pending = u64::try_from(pending).unwrap_or(u64::MAX);
        let folder = self
            .store
            .parent()
            .filter(|folder| !folder.as_os_str().is_empty());
        let disk = disk_of(folder.unwrap_or(Path::new(".")));
        sheet.one(
            "white_city_pending_transactions",
            "Transactions that wait here for a block",
            Some(float(pending)),
        );
        sheet.one(
            "white_city_pending_bytes",
            "Their bytes, each counting 4 KB more than it has",
            Some(float(pending_bytes)),
        );
        sheet.one(
            "white_city_parked_bytes",
            "Bytes of entries that came a moment too early",
            Some(float(self.replica.parked_bytes())),
        );
        sheet.one(
            "white_city_store_bytes",
            "Size of the store",
            file_bytes(&self.store).map(float),
        );
        sheet.one(
            "white_city_disk_bytes",
            "Size of the disk that the store is on",
            disk.map(|disk| float(disk.bytes)),
        );
        sheet.one(
            "white_city_disk_free_bytes",
            "Free bytes of the disk that the store is on",
            disk.map(|disk| float(disk.free)),
        );
        sheet.one(
            "white_city_snapshot_height",
            "Height of the newest snapshot of the state",
            self.replica.snapshot_height().map(float),
        );
    }

    fn note_process(&self, sheet: &mut Sheet) {
        sheet.one(
            "process_start_time_seconds",
            "When the process started, seconds since 1970",
            Some(self.started),
        );
        sheet.one(
            "process_resident_memory_bytes",
            "Memory that the process has in RAM",
            resident_bytes().map(float),
        );
        sheet.one(
            "white_city_machine_memory_bytes",
            "Memory that the machine has",
            memory_bytes().map(float),
        );
    }
}

fn note_ceremonies(sheet: &mut Sheet, all: &Ceremonies) {
    let phases = [
        ("joining", all.joining),
        ("running", all.running),
        ("dispute", all.dispute),
    ];
    let seconds = |ms| Duration::from_millis(ms).as_secs_f64();
    sheet.each(
        "white_city_sessions",
        "Sessions by status; ended: finished or aborted, and not erased yet; live: not looked at, as there are too many",
        "status",
        [
            ("joining", float(all.joining.sessions)),
            ("running", float(all.running.sessions)),
            ("dispute", float(all.dispute.sessions)),
            ("live", float(all.not_looked_at)),
            ("ended", float(all.ended)),
            ("erased", float(all.erased)),
        ],
    );
    sheet.each(
        "white_city_parties_awaited",
        "Parties that open rounds wait for, over all sessions of this status",
        "status",
        phases.map(|(status, phase)| (status, float(phase.awaited))),
    );
    sheet.each(
        "white_city_round_open_seconds",
        "The longest board time that a round of a session of this status has been open by now",
        "status",
        phases.map(|(status, phase)| (status, seconds(phase.open_ms))),
    );
    sheet.one(
        "white_city_sessions_in_last_call",
        "Sessions whose deadline has passed and whose last entries are called",
        Some(float(all.in_last_call)),
    );
    sheet.one(
        "white_city_last_call_seconds",
        "The longest board time since the deadline of one of them",
        Some(seconds(all.last_call_ms)),
    );
}

/// A number as Prometheus has them all: exact up to 2^53.
const fn float(number: u64) -> f64 {
    number as f64
}
