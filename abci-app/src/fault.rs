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

/// A file that names the step at which the process dies next.
#[derive(Debug, Clone, Default)]
pub struct FaultFile(Option<PathBuf>);

impl FaultFile {
    /// Watches a file, or none.
    #[must_use]
    pub const fn new(path: Option<PathBuf>) -> Self {
        Self(path)
    }

    /// Dies without cleaning up when the file names this step. The file is removed first, so that the next start lives.
    pub fn point(&self, step: Step) {
        if !cfg!(feature = "fault-points") {
            return;
        }
        if let Some(path) = &self.0
            && fs::read_to_string(path).is_ok_and(|text| text.trim() == step.name())
            && fs::remove_file(path).is_ok()
        {
            std::process::abort();
        }
    }
}
