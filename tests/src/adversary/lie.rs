//! The ways in which an application can lie to its node, and through it to everybody.

/// One way of lying.
///
/// There is none that names another proposer: the address in a header is CometBFT's, which takes it from the validator
/// key that it signs with, and an application is never asked for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Lie {
    /// Proposes random bytes without a seal.
    Garbage,
    /// Proposes random bytes behind a good seal.
    SealedGarbage,
    /// Takes nothing from the party at index 1 of any roster, and proposes nothing of it.
    Censor,
    /// Proposes transactions in another order than the seal was made for.
    Reorder,
    /// Proposes a seal with another root.
    WrongRoot,
    /// Proposes a seal with another parent.
    WrongParent,
    /// Proposes without the seal.
    NoSeal,
    /// Proposes with the seal at the end.
    SealLast,
    /// Proposes with the seal twice.
    TwoSeals,
    /// Proposes more bytes than CometBFT allows.
    Oversize,
    /// Proposes a block full of transactions of no bytes: engines hash each of them.
    Crumbs,
    /// Proposes a block full of openings by strangers with a thousand new keys each, and a byte of garbage at the end.
    Costly,
    /// Proposes as many of them as a block may have, behind a seal with a wrong root.
    Dearest,
    /// Proposes as many of them as a block may have: they end at once and pay nothing.
    DearestValid,
    /// Takes everything into its mempool, and keeps it there.
    TakeAll,
    /// Takes nothing into its mempool.
    TakeNone,
    /// Votes for every proposal.
    AcceptAll,
    /// Votes for no proposal.
    RejectAll,
    /// Answers queries with random bytes.
    RandomAnswers,
    /// Answers every query as it did the first time, whatever has happened since.
    OldAnswers,
    /// Refuses every query.
    NoAnswers,
    /// Leaves every session out of its lists, and tells nobody of openings.
    Hide,
    /// Takes half a second for every call.
    Slow,
    /// Doesn't answer at all, until it is told otherwise.
    Stall,
    /// Tells its node another app hash than that of the state.
    WrongAppHash,
    /// Sends other chunks than its snapshots name.
    BadChunks,
    /// Offers a snapshot of a later height than it is of.
    ForgedSnapshot,
}

impl Lie {
    /// Every lie.
    pub const ALL: [Self; 27] = [
        Self::Garbage,
        Self::SealedGarbage,
        Self::Censor,
        Self::Reorder,
        Self::WrongRoot,
        Self::WrongParent,
        Self::NoSeal,
        Self::SealLast,
        Self::TwoSeals,
        Self::Oversize,
        Self::Crumbs,
        Self::Costly,
        Self::Dearest,
        Self::DearestValid,
        Self::TakeAll,
        Self::TakeNone,
        Self::AcceptAll,
        Self::RejectAll,
        Self::RandomAnswers,
        Self::OldAnswers,
        Self::NoAnswers,
        Self::Hide,
        Self::Slow,
        Self::Stall,
        Self::WrongAppHash,
        Self::BadChunks,
        Self::ForgedSnapshot,
    ];

    /// Index of the party that [`Lie::Censor`] is against.
    pub const CENSORED: u16 = 1;

    /// Its name in the file `hostile` and in the tally.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Garbage => "garbage",
            Self::SealedGarbage => "sealed-garbage",
            Self::Censor => "censor",
            Self::Reorder => "reorder",
            Self::WrongRoot => "wrong-root",
            Self::WrongParent => "wrong-parent",
            Self::NoSeal => "no-seal",
            Self::SealLast => "seal-last",
            Self::TwoSeals => "two-seals",
            Self::Oversize => "oversize",
            Self::Crumbs => "crumbs",
            Self::Costly => "costly",
            Self::Dearest => "dearest",
            Self::DearestValid => "dearest-valid",
            Self::TakeAll => "take-all",
            Self::TakeNone => "take-none",
            Self::AcceptAll => "accept-all",
            Self::RejectAll => "reject-all",
            Self::RandomAnswers => "random-answers",
            Self::OldAnswers => "old-answers",
            Self::NoAnswers => "no-answers",
            Self::Hide => "hide",
            Self::Slow => "slow",
            Self::Stall => "stall",
            Self::WrongAppHash => "wrong-app-hash",
            Self::BadChunks => "bad-chunks",
            Self::ForgedSnapshot => "forged-snapshot",
        }
    }

    /// Description of it, for people.
    #[must_use]
    pub const fn about(self) -> &'static str {
        match self {
            Self::Garbage => "proposes random bytes without a seal",
            Self::SealedGarbage => "proposes random bytes behind a good seal",
            Self::Censor => "takes and proposes nothing of the party at index 1",
            Self::Reorder => "proposes in another order than the seal was made for",
            Self::WrongRoot => "proposes a seal with another root",
            Self::WrongParent => "proposes a seal with another parent",
            Self::NoSeal => "proposes without the seal",
            Self::SealLast => "proposes with the seal at the end",
            Self::TwoSeals => "proposes with the seal twice",
            Self::Oversize => "proposes more than CometBFT allows: its node stops making blocks",
            Self::Crumbs => "proposes a block full of transactions of no bytes",
            Self::Costly => {
                "proposes a block full of openings with new keys, and garbage at the end"
            }
            Self::Dearest => "proposes what is dearest to check, behind a wrong root",
            Self::DearestValid => "proposes what is dearest to check and valid",
            Self::TakeAll => "takes everything into its mempool",
            Self::TakeNone => "takes nothing into its mempool",
            Self::AcceptAll => "votes for every proposal",
            Self::RejectAll => "votes for no proposal",
            Self::RandomAnswers => "answers queries with random bytes",
            Self::OldAnswers => "answers each query for ever as it did the first time",
            Self::NoAnswers => "refuses every query",
            Self::Hide => "leaves sessions out of its lists and its events",
            Self::Slow => "takes half a second for every call",
            Self::Stall => "doesn't answer its node",
            Self::WrongAppHash => "tells its node a wrong app hash: its node stops making blocks",
            Self::BadChunks => "sends other chunks than its snapshots name",
            Self::ForgedSnapshot => "offers a snapshot of a later height than it is of",
        }
    }

    /// Whether only somebody who starts with a snapshot hears it.
    #[must_use]
    pub const fn is_for_newcomers(self) -> bool {
        matches!(self, Self::BadChunks | Self::ForgedSnapshot)
    }

    /// The lie of this name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|lie| lie.name() == name)
    }

    /// Whether CometBFT's consensus ends itself over it, so that it acts as a crash.
    #[must_use]
    pub const fn stops_its_node(self) -> bool {
        matches!(self, Self::Oversize | Self::WrongAppHash)
    }
}
