//! Places in the life of a block where a test may kill the process. Without the feature `fault-points` there are none.

use std::{fs, path::PathBuf};

/// A step of a block.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// A proposal is asked for.
    Prepare,
    /// A proposal is ready but not answered.
    Prepared,
    /// A proposal is to be judged.
    Process,
    /// A proposal is judged but not answered.
    Processed,
    /// A block is to be executed.
    Finalize,
    /// A block is executed but not answered.
    Finalized,
    /// A block is to be stored.
    Commit,
    /// A block is stored but not answered.
    Committed,
}

impl Step {
    /// Every step in the order of a block.
    pub const ALL: [Self; 8] = [
        Self::Prepare,
        Self::Prepared,
        Self::Process,
        Self::Processed,
        Self::Finalize,
        Self::Finalized,
        Self::Commit,
        Self::Committed,
    ];

    /// The name in a fault file.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Prepare => "prepare",
            Self::Prepared => "prepared",
            Self::Process => "process",
            Self::Processed => "processed",
            Self::Finalize => "finalize",
            Self::Finalized => "finalized",
            Self::Commit => "commit",
            Self::Committed => "committed",
        }
    }
}

/// A block, as far as it matters to a fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Of {
    /// Any block, of which nothing more is known.
    Any,
    /// The block that enacts another number of the rules: the last one by those before.
    Last,
    /// The first block by the next number.
    First,
}

impl Of {
    /// The word behind the step's name in a fault file.
    #[must_use]
    pub const fn name(self) -> Option<&'static str> {
        match self {
            Self::Any => None,
            Self::Last => Some("last"),
            Self::First => Some("first"),
        }
    }
}

/// A file that names the steps at which the process dies, one after the other: a line has the name of a step (`commit`), or of a step of
/// one block (`commit last`, `commit first`).
#[derive(Debug, Clone, Default)]
pub struct FaultFile(Option<PathBuf>);

impl FaultFile {
    /// Watches a file, or none.
    #[must_use]
    pub const fn new(path: Option<PathBuf>) -> Self {
        Self(path)
    }

    /// Dies without cleaning up when the file's first line names this step. The line is removed first, so that the next start lives.
    pub fn point(&self, step: Step, of: Of) {
        if !cfg!(feature = "fault-points") {
            return;
        }
        let Some(path) = &self.0 else { return };
        let Ok(text) = fs::read_to_string(path) else {
            return;
        };
        let (first, rest) = text.trim().split_once('\n').unwrap_or((text.trim(), ""));
        let mut words = first.split_whitespace();
        let is_named = words.next() == Some(step.name())
            && words.next().is_none_or(|block| of.name() == Some(block));
        if !is_named {
            return;
        }
        let removed = match rest {
            "" => fs::remove_file(path),
            rest => fs::write(path, rest),
        };
        if removed.is_ok() {
            std::process::abort();
        }
    }
}
