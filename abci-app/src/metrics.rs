//! Numbers about what a replica does, for its operators: what happened how often since its start, and how long it took.
//!
//! Nothing decides anything by them. What a session or a block counts is counted without a clock; how long the engine's calls take is
//! measured around the application ([`Measured`]), which knows nothing of it. No label is a session's id or a key: there would be as many
//! series as sessions. Whatever an alert looks at is there from the start, as 0: of a series that begins with 1 nobody sees that it grew.

mod measured;
mod progress;
mod words;

use std::time::Duration;

use prometheus_client::{
    encoding::EncodeLabelSet,
    metrics::{
        counter::Counter,
        family::{Family, MetricConstructor},
        gauge::Gauge,
        histogram::{Histogram, exponential_buckets},
    },
    registry::Registry,
};
use white_city_wire::{
    Refusal,
    board::{Cause, Offence, Status},
};

pub use measured::Measured;
pub use progress::Progress;
pub use words::status_word;
use words::{CAUSES, OFFENCES, PHASES, cause_word, offence_word, source_word};

use crate::{execution::InvalidBlock, front::Source};

/// One label, whose name is the series'.
macro_rules! label {
    ($(#[$doc:meta])* $name:ident { $($field:ident: $kind:ty),+ }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
        struct $name { $($field: $kind),+ }
    };
}

label!(ByValidator { validator: String });
label!(ByReason { reason: &'static str });
label!(ByCause { cause: &'static str });
label!(ByStatus { status: &'static str });
label!(ByOffence { offence: &'static str });
label!(ByCall { call: &'static str });
label!(OfTransaction { source: &'static str, code: u32 });
label!(OfRequest { path: &'static str, status: u16 });

/// Bounds of the times of calls, seconds: from a millisecond to 16 s.
#[derive(Clone)]
struct CallTimes;

impl MetricConstructor<Histogram> for CallTimes {
    fn new_metric(&self) -> Histogram {
        Histogram::new(exponential_buckets(0.001, 2.0, 15))
    }
}

/// Bounds of the times that rounds are open, seconds: from 50 ms to two weeks.
#[derive(Clone)]
struct RoundTimes;

impl MetricConstructor<Histogram> for RoundTimes {
    fn new_metric(&self) -> Histogram {
        Histogram::new(exponential_buckets(0.05, 4.0, 13))
    }
}

/// The numbers of one replica.
#[derive(Debug)]
pub struct Metrics {
    /// How far it has come, by this machine's clocks.
    pub progress: Progress,
    blocks: Family<ByValidator, Counter>,
    own_votes_missing: Counter,
    proposals_rejected: Family<ByReason, Counter>,
    sessions_ended: Family<ByCause, Counter>,
    slots_missing: Family<ByStatus, Counter>,
    culprits: Family<ByOffence, Counter>,
    transactions: Family<OfTransaction, Counter>,
    direct_requests: Family<OfRequest, Counter>,
    direct_connections: Gauge,
    calls: Family<ByCall, Histogram, CallTimes>,
    rounds: Family<ByStatus, Histogram, RoundTimes>,
}

impl Default for Metrics {
    fn default() -> Self {
        let metrics = Self {
            progress: Progress::default(),
            blocks: Family::default(),
            own_votes_missing: Counter::default(),
            proposals_rejected: Family::default(),
            sessions_ended: Family::default(),
            slots_missing: Family::default(),
            culprits: Family::default(),
            transactions: Family::default(),
            direct_requests: Family::default(),
            direct_connections: Gauge::default(),
            calls: Family::new_with_constructor(CallTimes),
            rounds: Family::new_with_constructor(RoundTimes),
        };
        for reason in InvalidBlock::REASONS {
            drop(
                metrics
                    .proposals_rejected
                    .get_or_create(&ByReason { reason }),
            );
        }
        for cause in CAUSES.map(cause_word) {
            drop(metrics.sessions_ended.get_or_create(&ByCause { cause }));
        }
        for offence in OFFENCES.map(offence_word) {
            drop(metrics.culprits.get_or_create(&ByOffence { offence }));
        }
        for status in PHASES.map(status_word) {
            drop(metrics.slots_missing.get_or_create(&ByStatus { status }));
            drop(metrics.rounds.get_or_create(&ByStatus { status }));
        }
        metrics
    }
}

impl Metrics {
    /// A proposal was judged to be invalid.
    pub fn proposal_rejected(&self, reason: &InvalidBlock) {
        let reason = reason.reason();
        self.proposals_rejected
            .get_or_create(&ByReason { reason })
            .inc();
    }

    /// A session has ended.
    pub fn session_ended(&self, cause: Cause) {
        let cause = cause_word(cause);
        self.sessions_ended.get_or_create(&ByCause { cause }).inc();
    }

    /// What a session was in is over, after so much board time, with so many slots empty.
    pub fn phase_ended(&self, status: Status, open_ms: u64, missing: u64) {
        let status = status_word(status);
        let open = Duration::from_millis(open_ms).as_secs_f64();
        self.rounds
            .get_or_create(&ByStatus { status })
            .observe(open);
        let slots = self.slots_missing.get_or_create(&ByStatus { status });
        slots.inc_by(missing);
    }

    /// Signed evidence against a party was taken.
    pub fn culprit(&self, offence: Offence) {
        let offence = offence_word(offence);
        self.culprits.get_or_create(&ByOffence { offence }).inc();
    }

    /// A transaction came, and was taken or refused.
    pub fn transaction(&self, source: Source, refusal: Option<&Refusal>) {
        let of = OfTransaction {
            source: source_word(source),
            code: refusal.map_or(0, Refusal::code),
        };
        self.transactions.get_or_create(&of).inc();
    }

    /// A request to the direct port was answered.
    pub fn direct_request(&self, path: &'static str, status: u16) {
        let of = OfRequest { path, status };
        self.direct_requests.get_or_create(&of).inc();
    }

    /// A connection to the direct port, which counts until it is dropped.
    pub fn direct_connection(&self) -> OpenConnection<'_> {
        self.direct_connections.inc();
        OpenConnection(&self.direct_connections)
    }

    /// The engine has had a call answered.
    fn call(&self, call: &'static str, took: Duration) {
        self.calls
            .get_or_create(&ByCall { call })
            .observe(took.as_secs_f64());
    }

    /// A block was decided that this validator had proposed; whether it lacks this replica's own vote for the one before.
    fn block(&self, proposer: &[u8], lacks_own_vote: bool) {
        let validator = hex::encode_upper(proposer);
        self.blocks.get_or_create(&ByValidator { validator }).inc();
        self.own_votes_missing.inc_by(lacks_own_vote.into());
    }

    /// Puts all of it into a registry.
    pub fn register(&self, registry: &mut Registry) {
        registry.register(
            "white_city_blocks",
            "Blocks that were decided, by the validator that proposed them (its address, as /status of its node says it)",
            self.blocks.clone(),
        );
        registry.register(
            "white_city_own_votes_missing",
            "Blocks that lack this replica's own vote for the block before",
            self.own_votes_missing.clone(),
        );
        registry.register(
            "white_city_proposals_rejected",
            "Proposals that this replica has voted down, by reason",
            self.proposals_rejected.clone(),
        );
        registry.register(
            "white_city_sessions_ended",
            "Sessions that have ended, by cause; none: they finished",
            self.sessions_ended.clone(),
        );
        registry.register(
            "white_city_slots_missing",
            "Slots that stayed empty in rounds that have closed, by what the session was in",
            self.slots_missing.clone(),
        );
        registry.register(
            "white_city_culprits",
            "Parties against whom signed evidence was taken, by offence",
            self.culprits.clone(),
        );
        registry.register(
            "white_city_transactions",
            "Transactions that this replica was asked to take, by where they came from and the code that they got (0: taken)",
            self.transactions.clone(),
        );
        registry.register(
            "white_city_direct_requests",
            "Requests to the direct port, by path and status of the answer",
            self.direct_requests.clone(),
        );
        registry.register(
            "white_city_direct_connections",
            "Open connections to the direct port",
            self.direct_connections.clone(),
        );
        registry.register(
            "white_city_call_seconds",
            "Time that calls of the engine take: process_proposal and finalize_block execute a block, commit stores it, prepare_proposal also waits for rounds that fill",
            self.calls.clone(),
        );
        registry.register(
            "white_city_round_seconds",
            "Board time that rounds were open which have closed, by what the session was in",
            self.rounds.clone(),
        );
    }
}

/// A connection to the direct port, until it is dropped.
pub struct OpenConnection<'a>(&'a Gauge);

impl Drop for OpenConnection<'_> {
    fn drop(&mut self) {
        self.0.dec();
    }
}
