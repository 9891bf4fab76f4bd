//! Floods of a network.

use clap::ValueEnum;

/// One kind of load that costs its sender less than it should cost a board.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, ValueEnum)]
pub enum Flood {
    /// Posts of running sessions, signed by keys that are nobody's.
    UnknownKeys,
    /// Posts, well signed by a member of another session.
    OtherSessions,
    /// Transactions larger than the board takes.
    Oversize,
    /// Random bytes.
    Garbage,
    /// Good openings of small sessions, each by an identity of its own.
    Opens,
    /// Good openings of the largest rosters, each by an identity of its own.
    LargeOpens,
    /// Openings of the largest rosters that nobody has signed.
    UnsignedOpens,
}

impl Flood {
    /// Every kind.
    pub const ALL: [Self; 7] = [
        Self::UnknownKeys,
        Self::OtherSessions,
        Self::Oversize,
        Self::Garbage,
        Self::Opens,
        Self::LargeOpens,
        Self::UnsignedOpens,
    ];

    /// Its name on the command line and in reports.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::UnknownKeys => "unknown-keys",
            Self::OtherSessions => "other-sessions",
            Self::Oversize => "oversize",
            Self::Garbage => "garbage",
            Self::Opens => "opens",
            Self::LargeOpens => "large-opens",
            Self::UnsignedOpens => "unsigned-opens",
        }
    }
}
