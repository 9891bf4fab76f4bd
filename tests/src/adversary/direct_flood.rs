//! Attacks on a replica's direct port.

use clap::ValueEnum;

/// One way to take what others need of a direct port.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, ValueEnum)]
pub enum DirectFlood {
    /// Connections that say nothing, opened again as they are closed.
    Silent,
    /// Connections that ask for a large answer and don't read it.
    Unread,
    /// Transactions with bad signatures, each another one.
    BadSignatures,
    /// The largest posts of sessions of the attacker's own, all parties' at once.
    LargePosts,
}

impl DirectFlood {
    /// Every kind.
    pub const ALL: [Self; 4] = [
        Self::Silent,
        Self::Unread,
        Self::BadSignatures,
        Self::LargePosts,
    ];

    /// Its name on the command line and in reports.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Silent => "silent",
            Self::Unread => "unread",
            Self::BadSignatures => "bad-signatures",
            Self::LargePosts => "large-posts",
        }
    }
}
