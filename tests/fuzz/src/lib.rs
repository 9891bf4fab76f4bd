//! Everything that reads bytes from outside, each as a function of bytes: what fuzzers call.
//!
//! A [`Target`] is such a function, with inputs to begin from. It panics when an input breaks a promise, and says whether it took
//! the input. The same targets are run by `tests/targets` on what is made up and on the corpora of `corpus`, and under libFuzzer by
//! `guided`.

mod board;
mod board_reads;
mod config;
mod eddsa;
mod frames;
mod genesis;
mod golden;
mod kept;
mod parts;
mod questions;
mod reads;
mod receipts;
mod replica;
mod resigned;
mod sealed;
mod snapshots;
mod transactions;
mod trust_files;

use allocation_counter::measure;

pub use replica::answered;

/// Number of kinds of questions.
pub const QUESTION_KINDS: usize = 11;

/// Memory that an input may take beside what it takes for each of its bytes, bytes.
const MEMORY_BYTES: u64 = 1 << 20;
/// Memory that each byte of an input may take: a decoded message is several times as large as its bytes, and no more.
const MEMORY_BYTES_PER_BYTE: u64 = 64;

/// A reader of bytes.
pub struct Target {
    /// Its name, and that of its corpus.
    pub name: &'static str,
    /// Inputs to begin from, most of which it takes.
    pub seeds: fn() -> Vec<Vec<u8>>,
    /// Number of times that an input takes the time of a cheap one's.
    pub cost: u64,
    /// Memory that it may take whatever the input is, bytes.
    memory: u64,
    run: fn(&[u8]) -> bool,
}

impl Target {
    /// A target that may take little memory.
    const fn new(name: &'static str, seeds: fn() -> Vec<Vec<u8>>, run: fn(&[u8]) -> bool) -> Self {
        Self {
            name,
            seeds,
            cost: 1,
            memory: MEMORY_BYTES,
            run,
        }
    }

    /// The same, which may take more memory.
    const fn within(mut self, memory: u64) -> Self {
        self.memory = memory;
        self
    }

    /// The same, which takes so many times as long.
    const fn costing(mut self, cost: u64) -> Self {
        self.cost = cost;
        self
    }

    /// Hands over an input, and says whether it was taken.
    ///
    /// # Panics
    /// When the input breaks a promise.
    pub fn take(&self, input: &[u8]) -> bool {
        let mut taken = false;
        let mut memory = || measure(|| taken = (self.run)(input)).bytes_max;
        let length = u64::try_from(input.len()).unwrap_or(u64::MAX);
        let max = self.memory + MEMORY_BYTES_PER_BYTE * length;
        // The first input pays for what all of them share.
        let got = match memory() {
            got if got <= max => got,
            _ => memory(),
        };
        assert!(
            got <= max,
            "{}: {length} bytes take {got} bytes of memory, at most {max} may be",
            self.name
        );
        taken
    }
}

/// Every target.
pub static TARGETS: &[Target] = &[
    frames::FRAMES,
    genesis::PARAMETERS,
    genesis::GENESIS,
    questions::QUESTIONS,
    questions::ANSWERS,
    questions::SEALS,
    questions::BITMAPS,
    transactions::TRANSACTIONS,
    transactions::OPENINGS,
    sealed::PAYLOADS,
    parts::PARTS,
    config::CONFIG,
    replica::QUERIES,
    replica::PATHS,
    replica::MEMPOOL,
    replica::COMPLAINTS,
    replica::REVEALS,
    replica::PROPOSALS,
    board::SIMULATED,
    resigned::RESIGNED,
    reads::READS,
    reads::CERTIFIED,
    board_reads::BOARD_READS,
    receipts::RECEIPTS,
    receipts::CERTIFIED,
    receipts::HEADERS,
    kept::JOURNALS,
    kept::VAULTS,
    trust_files::TRUST_FILES,
    snapshots::SNAPSHOTS,
    snapshots::MANIFESTS,
    eddsa::MESSAGES,
    eddsa::SHARES,
];

/// The target with this name.
#[must_use]
pub fn named(name: &str) -> Option<&'static Target> {
    TARGETS.iter().find(|target| target.name == name)
}
