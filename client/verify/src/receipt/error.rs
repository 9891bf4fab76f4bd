//! Why a receipt proves nothing.

use white_city_wire::possible::Impossible;

use crate::{
    history::Contradiction,
    trust::{BadEra, BadHeader, BadLink, NewerRules},
};

/// Why a receipt proves nothing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum BadReceipt {
    /// Larger than is read.
    #[error("{got} bytes, more than a receipt of its kind may have")]
    TooLarge {
        /// Its size, bytes.
        got: usize,
    },
    /// The file isn't what was written.
    #[error("its checksum is wrong: the file was changed or cut, or isn't a receipt")]
    Checksum,
    /// Not the canonical protobuf.
    #[error("it isn't encoded the one canonical way: {0}")]
    Encoding(&'static str),
    /// Of another version of the format.
    #[error("version {got} of the format, expected 1")]
    Version {
        /// The version that it names.
        got: u32,
    },
    /// Of another network than the genesis.
    #[error("it is of another network than the genesis")]
    Network,
    /// Something that every receipt of its kind has.
    #[error("it has no {0}")]
    Missing(&'static str),
    /// A part that can't be what it should be.
    #[error("{what}: {reason}")]
    Part {
        /// The part's name.
        what: &'static str,
        /// The reason why it can't be.
        reason: String,
    },
    /// A header that the network's validators haven't signed.
    #[error("header: {0}")]
    Header(#[from] BadHeader),
    /// A state under rules that this program doesn't know.
    #[error(transparent)]
    Rules(#[from] NewerRules),
    /// A link between eras that isn't one.
    #[error(transparent)]
    Link(#[from] BadLink),
    /// A state of another era than its header's validators.
    #[error(transparent)]
    Era(#[from] BadEra),
    /// A state that isn't the one of the header's block.
    #[error("the state isn't the one that the header's block seals")]
    State,
    /// A session that the state doesn't have, or not like this.
    #[error("the state has no such session")]
    Session,
    /// Parts of different sessions.
    #[error("{0} is of another session")]
    OtherSession(&'static str),
    /// An index past the roster.
    #[error("the roster has no party {0}")]
    NotInRoster(u32),
    /// A signature that isn't its author's.
    #[error("the signature of party {0} doesn't verify")]
    Signature(u16),
    /// A slot that holds something else in the certified state.
    #[error("the session's slot holds something else: the path doesn't lead to round {0}")]
    Slot(u32),
    /// An entry that names another past than the session has.
    #[error("the entry names another transcript than the session has")]
    Transcript,
    /// A state of the session that no board comes to, though the validators have signed it.
    #[error("no board has such a session: {0}")]
    Impossible(Impossible),
    /// The round can still be written into, or the session goes on.
    #[error("{0}")]
    Live(&'static str),
    /// Nobody was late: the session ended for another reason while the round was open, or the slot wasn't a member's.
    #[error("an empty slot of {0} is no absence")]
    NotLate(&'static str),
    /// A round that can't be the session's.
    #[error("round {round}: {what}")]
    Round {
        /// The round; 0 is joining.
        round: u32,
        /// The reason why it can't be.
        what: Contradiction,
    },
    /// The rounds don't lead to the certified transcript.
    #[error("the rounds don't lead to the certified transcript")]
    Rounds,
    /// A terminal record that isn't the session's.
    #[error("the terminal record {0}")]
    Terminal(Impossible),
    /// Fewer finishes than the quorum.
    #[error("{got} parties have signed the outcome, {needed} are needed")]
    TooFew {
        /// Number of finishes.
        got: u16,
        /// The quorum.
        needed: u16,
    },
    /// Two parts that contradict each other.
    #[error("{0} and {1} contradict each other")]
    Differ(&'static str, &'static str),
    /// Two entries that don't convict.
    #[error("the two entries convict nobody: {0}")]
    NoEquivocation(&'static str),
    /// Two histories that are one.
    #[error("no fork: {0}")]
    NoFork(&'static str),
    /// The session has gone on since the receipt was made.
    #[error("the session has gone on since: a new receipt has to be made")]
    MovedOn,
    /// Nothing that a later header could certify.
    #[error("it rests on no state of the session, so a later one adds nothing")]
    NoAnchor,
}

impl BadReceipt {
    /// A part that can't be what it should be.
    pub(super) fn part(what: &'static str) -> impl Fn(&dyn std::fmt::Display) -> Self {
        move |reason| Self::Part {
            what,
            reason: reason.to_string(),
        }
    }
}

/// Anything wrong with a part of a receipt.
pub(super) trait OrBad<T> {
    /// As what is wrong with that part.
    fn or_bad(self, what: &'static str) -> Result<T, BadReceipt>;
}

impl<T, E: std::fmt::Display> OrBad<T> for Result<T, E> {
    fn or_bad(self, what: &'static str) -> Result<T, BadReceipt> {
        self.map_err(|error| BadReceipt::part(what)(&error))
    }
}
