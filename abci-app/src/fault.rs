//! Places in the life of a block where a test may kill the process. Without the feature `fault-points` there are none.

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

    /// The name in a configuration.
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

/// Where to die: a step, from a height on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FaultPoint {
    /// The step.
    pub step: Step,
    /// The first height at which it counts.
    pub height: u64,
}

impl std::str::FromStr for FaultPoint {
    type Err = String;

    /// Reads `step@height`.
    fn from_str(text: &str) -> Result<Self, String> {
        let expected = || format!("fault point {text:?}: expected step@height");
        let (name, height) = text.split_once('@').ok_or_else(expected)?;
        let step = Step::ALL.into_iter().find(|step| step.name() == name);
        Ok(Self {
            step: step.ok_or_else(expected)?,
            height: height.parse().map_err(|_| expected())?,
        })
    }
}

/// Dies without cleaning up when `fault` names this step and height.
pub fn point(fault: Option<FaultPoint>, step: Step, height: u64) {
    if cfg!(feature = "fault-points")
        && fault.is_some_and(|fault| fault.step == step && height >= fault.height)
    {
        std::process::abort();
    }
}
