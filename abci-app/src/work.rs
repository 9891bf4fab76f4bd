//! Counts of what a replica has worked since its start.

use std::sync::atomic::{AtomicU64, Ordering};

use serde::Serialize;

/// Number of times that each thing that costs was done.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Work {
    /// Transactions whose signature was checked.
    pub signatures: u64,
    /// Blocks and proposals that were executed.
    pub executions: u64,
    /// Transactions that the engine asked about or that were handed over, and those about which the engine asked again after a block.
    pub checks: u64,
    /// See `checks`.
    pub rechecks: u64,
    /// Queries that were answered, whichever way they came.
    pub queries: u64,
    /// Proposals that were put together for the engine.
    pub prepared: u64,
    /// Proposals that the engine wanted to have judged.
    pub processed: u64,
    /// Blocks that were decided.
    pub finalized: u64,
    /// Blocks that were stored.
    pub committed: u64,
}

/// The counters that [`Work`] is read from.
#[derive(Default)]
pub(crate) struct Counters {
    pub(crate) executions: Counter,
    pub(crate) checks: Counter,
    pub(crate) rechecks: Counter,
    pub(crate) queries: Counter,
    pub(crate) prepared: Counter,
    pub(crate) processed: Counter,
    pub(crate) finalized: Counter,
    pub(crate) committed: Counter,
}

impl Counters {
    /// The counts up to now.
    pub(crate) fn work(&self, signatures: u64) -> Work {
        Work {
            signatures,
            executions: self.executions.get(),
            checks: self.checks.get(),
            rechecks: self.rechecks.get(),
            queries: self.queries.get(),
            prepared: self.prepared.get(),
            processed: self.processed.get(),
            finalized: self.finalized.get(),
            committed: self.committed.get(),
        }
    }
}

/// A number that only grows.
#[derive(Default)]
pub(crate) struct Counter(AtomicU64);

impl Counter {
    pub(crate) fn count(&self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }

    fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}
