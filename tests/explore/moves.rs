//! Moves that can be tried in a world: by whom, and in words. Bytes come later, since an entry names the transcript that its author has seen.

use std::fmt;

use crate::charters::{Draft, Flaw};

/// Something that a party of a session or an operator, or somebody in its name, tries to have taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Move {
    /// One of the world's sessions; of an operator's word the first.
    pub session: u8,
    /// In whose name: a party's index, or an operator's number.
    pub index: u16,
    /// Index of the party that signs it, or the operator's number.
    pub by: u16,
    /// The thing.
    pub what: What,
}

/// A thing to try.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum What {
    /// Opens the session.
    Open(Opening),
    /// Joins, with one or the other key.
    Join(u8),
    /// Declines.
    Decline,
    /// Aborts, for one reason or another.
    Abort(u8),
    /// Posts in the open round, the one before (-1) or the one after (1).
    Post(i8, Content),
    /// Finishes, likewise, with one or the other outcome.
    Finish(i8, u8),
    /// Shows two entries of a round.
    Evidence(i8, Pair),
    /// Complains about what this party has posted in a round.
    Complain(i8, u16, Aim),
    /// Answers a complaint.
    Reveal(Answer),
    /// Approves a draft of a charter, or withdraws what it approved, rightly or not.
    Say(Option<Draft>, Flaw),
}

/// An opening, and by whom.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Opening {
    /// An opener that the genesis lists.
    Listed,
    /// A stranger.
    Stranger,
    /// A stranger, with an opening that somebody else has signed.
    Forged,
    /// A stranger, whose time to open has passed.
    Expired,
    /// A stranger, whose time to open is too far away.
    TooFar,
    /// A stranger, with more rounds than the board takes.
    TooManyRounds,
    /// A stranger, with more bytes than its quota has.
    TooManyBytes,
    /// A stranger, with more parties than a block has work for.
    TooMuchWork,
    /// A stranger, without a stamp.
    Unstamped,
    /// An opener that the genesis lists, with a stamp, which it doesn't need.
    Stamped,
}

/// Payload of a post.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Content {
    /// A broadcast.
    Plain,
    /// Another broadcast.
    Other,
    /// A payload for each other member, which opens.
    Sealed,
    /// A payload for each other member, which doesn't open.
    Unreadable,
    /// A broadcast over the spec's limit.
    OverSpec,
    /// A broadcast over the board's limit for a transaction.
    TooLarge,
    /// A broadcast that takes nearly all of its author's share.
    Heavy,
    /// A payload for the first party that isn't a member.
    ToOut,
    /// A broadcast after another history.
    OtherHistory,
    /// A broadcast signed for another network.
    OtherNetwork,
}

/// Two entries of one slot.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Pair {
    /// Two posts of one slot.
    Equivocation,
    /// The same in the wrong order.
    WrongOrder,
    /// One post twice.
    Same,
    /// Posts of two rounds.
    TwoSlots,
}

/// Subject of a complaint.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Aim {
    /// The payload in the accused's slot.
    Stored,
    /// A payload that the accused never posted.
    Invented,
}

/// Answer to a complaint.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Answer {
    /// With what was sealed.
    Right,
    /// With something else.
    Wrong,
    /// With more than the spec takes.
    OverSpec,
    /// With what was sealed, but for another complaint.
    OtherComplaint,
}

impl Move {
    /// Something that a party tries in its own name.
    #[must_use]
    pub const fn own(session: u8, index: u16, what: What) -> Self {
        Self {
            session,
            index,
            by: index,
            what,
        }
    }

    /// The same, signed by somebody else.
    #[must_use]
    pub const fn forged(mut self, by: u16) -> Self {
        self.by = by;
        self
    }

    /// What an operator says in its own name.
    #[must_use]
    pub const fn say(operator: u16, draft: Option<Draft>, flaw: Flaw) -> Self {
        Self::own(0, operator, What::Say(draft, flaw))
    }

    /// Whether it is an operator's word.
    #[must_use]
    pub const fn is_word(&self) -> bool {
        matches!(self.what, What::Say(..))
    }

    /// Whether it comes to the same before and after others of its kind, where both are taken.
    #[must_use]
    pub const fn commutes(&self) -> bool {
        self.is_entry() || self.is_word()
    }

    /// Whether it fills a slot.
    #[must_use]
    pub const fn is_entry(&self) -> bool {
        matches!(self.what, What::Join(_) | What::Post(..) | What::Finish(..))
    }
}

fn place(round: i8) -> &'static str {
    match round {
        0 => "the open round",
        1 => "the round to come",
        -1 => "the last closed round",
        _ => "a closed round",
    }
}

impl fmt::Display for What {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Open(opening) => write!(f, "opens the session ({opening:?})"),
            Self::Join(0) => write!(f, "joins"),
            Self::Join(_) => write!(f, "joins with another key"),
            Self::Decline => write!(f, "declines"),
            Self::Abort(0) => write!(f, "aborts"),
            Self::Abort(_) => write!(f, "aborts for another reason"),
            Self::Post(round, content) => {
                let what = match content {
                    Content::Plain => "posts",
                    Content::Other => "posts something else",
                    Content::Sealed => "posts sealed payloads",
                    Content::Unreadable => "posts payloads that nobody can open",
                    Content::OverSpec => "posts more than the spec takes",
                    Content::TooLarge => "posts more than a transaction takes",
                    Content::Heavy => "posts nearly all of its share",
                    Content::ToOut => "posts a payload for a party that is out",
                    Content::OtherHistory => "posts after another history",
                    Content::OtherNetwork => "posts for another network",
                };
                write!(f, "{what} in {}", place(*round))
            }
            Self::Finish(round, outcome) => {
                write!(f, "finishes with outcome {outcome} in {}", place(*round))
            }
            Self::Evidence(round, pair) => {
                let what = match pair {
                    Pair::Equivocation => "is shown to have signed two posts",
                    Pair::WrongOrder => "is shown two posts of, in the wrong order,",
                    Pair::Same => "is shown one post of, twice,",
                    Pair::TwoSlots => "is shown posts of two rounds of, one",
                };
                write!(f, "{what} in {}", place(*round))
            }
            Self::Complain(round, accused, aim) => {
                let what = match aim {
                    Aim::Stored => "the payload",
                    Aim::Invented => "a payload that wasn't posted",
                };
                write!(
                    f,
                    "complains about {what} of party {accused} in {}",
                    place(*round)
                )
            }
            Self::Reveal(Answer::Right) => write!(f, "reveals what it has sealed"),
            Self::Reveal(Answer::Wrong) => write!(f, "reveals something else"),
            Self::Reveal(Answer::OverSpec) => write!(f, "reveals more than the spec takes"),
            Self::Reveal(Answer::OtherComplaint) => write!(f, "answers another complaint"),
            Self::Say(Some(draft), flaw) => write!(f, "approves {draft}{flaw}"),
            Self::Say(None, flaw) => write!(f, "withdraws its approval{flaw}"),
        }
    }
}

impl fmt::Display for Move {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.session > 0 {
            write!(f, "in session {}, ", self.session)?;
        }
        if matches!(self.what, What::Open(_)) {
            return write!(f, "somebody {}", self.what);
        }
        let who = if self.is_word() { "operator" } else { "party" };
        write!(f, "{who} {}", self.index)?;
        if self.by != self.index {
            write!(f, " (signed by {who} {})", self.by)?;
        }
        write!(f, " {}", self.what)
    }
}
