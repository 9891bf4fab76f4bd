//! Stopping for good: a replica that can't go on says why once, answers nothing any more, and ends the process.

use std::sync::{
    Arc, Mutex,
    atomic::{AtomicBool, Ordering},
    mpsc::Sender,
};

/// Why the process should end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Stop {
    /// Somebody asked for it.
    Requested,
    /// The replica can't go on; the text is the diagnosis.
    Halted(String),
    /// The next block is under rules that this program doesn't know; the text says what to do.
    Outdated(String),
}

/// A handle with which any part of the replica stops all of it.
#[derive(Clone)]
pub struct Halt {
    halted: Arc<AtomicBool>,
    stop: Arc<Mutex<Sender<Stop>>>,
}

impl Halt {
    /// A handle that reports through `stop`.
    #[must_use]
    pub fn new(stop: Sender<Stop>) -> Self {
        Self {
            halted: Arc::new(AtomicBool::new(false)),
            stop: Arc::new(Mutex::new(stop)),
        }
    }

    /// Stops with a diagnosis. Only the first one is reported.
    pub fn halt(&self, diagnosis: String) {
        if self.halted.swap(true, Ordering::SeqCst) {
            return;
        }
        tracing::error!(%diagnosis, "the replica halts");
        self.send(Stop::Halted(diagnosis));
    }

    /// Stops before rules that this program doesn't know.
    pub fn outdated(&self, diagnosis: String) {
        if self.halted.swap(true, Ordering::SeqCst) {
            return;
        }
        tracing::error!(%diagnosis, "the replica stops before rules that it doesn't know");
        self.send(Stop::Outdated(diagnosis));
    }

    /// Asks for a clean stop.
    pub fn request(&self) {
        self.send(Stop::Requested);
    }

    /// Whether the replica has halted.
    #[must_use]
    pub fn is_halted(&self) -> bool {
        self.halted.load(Ordering::SeqCst)
    }

    fn send(&self, stop: Stop) {
        // Nobody listens any more when the process is ending already.
        if let Ok(sender) = self.stop.lock() {
            let _ = sender.send(stop);
        }
    }
}
