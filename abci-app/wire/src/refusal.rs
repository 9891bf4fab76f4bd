//! Why a transaction or a query is refused: numbered for ever, in groups of 16, with what was expected.

use alloc::string::String;

use crate::{charter::BadCharter, hash::Hash, kem::Kem, keys::BadKey};

/// A refusal. It changed nothing. Codes are hints that clients act on, never consensus: a block holds valid
/// transactions only.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Refusal {
    // 16..: what the bytes are
    /// Larger than the board takes.
    #[error("{what} is {got} bytes, at most {max} are taken")]
    TooLarge {
        /// Name of the part.
        what: &'static str,
        /// Its size, bytes.
        got: u64,
        /// The limit, bytes, included.
        max: u64,
    },
    /// No transaction, or a known one in another than the one canonical encoding.
    #[error("not a transaction in its canonical encoding: {0}")]
    Malformed(&'static str),
    /// A version that this board doesn't speak.
    #[error("version {got}, expected {expected}")]
    Version {
        /// The version that came.
        got: u32,
        /// The version that is spoken here.
        expected: u32,
    },
    /// A field outside its range.
    #[error("field {field}: expected {expected}")]
    Field {
        /// Name of the field.
        field: &'static str,
        /// Values that it may have.
        expected: &'static str,
    },
    /// A block's seal, which only proposers write.
    #[error("a seal isn't a transaction")]
    IsSeal,
    /// More work than a block may have.
    #[error("the transaction is {got} units of work, a block has at most {max}")]
    TooMuchWork {
        /// Its work.
        got: u32,
        /// The limit, included.
        max: u32,
    },

    // 32..: who signed
    /// No session has this id.
    #[error("no session {0}")]
    UnknownSession(Hash),
    /// The index is past the end of the roster.
    #[error("index {index}, but the roster has {parties} parties")]
    NotInRoster {
        /// The index that came.
        index: u16,
        /// The roster's size.
        parties: u16,
    },
    /// The signature isn't this key's over these values.
    #[error("the signature doesn't verify under {key}")]
    BadSignature {
        /// The key that should have signed.
        key: Hash,
    },
    /// A key that may not be used.
    #[error("field {field}: {reason}")]
    Key {
        /// Name of the field.
        field: &'static str,
        /// The mistake in the key.
        reason: BadKey,
    },

    // 48..: what the session is doing
    /// Possible only while parties join.
    #[error("the session isn't joining any more")]
    NotJoining,
    /// The session has finished or aborted.
    #[error("the session has ended")]
    Ended,
    /// The session's payloads and spec are gone.
    #[error("the session has ended and is erased")]
    Erased,
    /// This party has left by name.
    #[error("party {0} has left the session")]
    HasLeft(u16),
    /// This party is out: it missed a round, or the join.
    #[error("party {0} is out: it isn't among the members")]
    Out(u16),
    /// Abort needs one's own join.
    #[error("party {0} hasn't joined: it may decline")]
    NotJoined(u16),
    /// Only a reveal and evidence are taken during a dispute.
    #[error("the session is in dispute")]
    InDispute,

    // 64..: the slot
    /// Exactly this is on the board already. A success.
    #[error("stored already")]
    AlreadyStored,
    /// The slot holds another one, for ever.
    #[error("the slot holds {existing} already")]
    SlotTaken {
        /// Digest of the stored entry.
        existing: Hash,
    },
    /// Late: the round has closed.
    #[error("round {round} has closed, round {open} is open")]
    RoundClosed {
        /// The round that was written for.
        round: u32,
        /// The open round.
        open: u32,
    },
    /// Early: the round isn't open yet, as far as this replica knows.
    #[error("round {round} isn't open yet, round {open} is")]
    RoundNotOpen {
        /// The round that was written for.
        round: u32,
        /// The open round.
        open: u32,
    },
    /// The author has seen another history.
    #[error("the entry names another transcript, expected {expected}")]
    Transcript {
        /// The transcript of the last closed round.
        expected: Hash,
    },

    // 80..: what a slot may carry
    /// More than the session takes.
    #[error("{what} is {got} bytes, the session's spec takes {max}")]
    OverSpec {
        /// Name of the part.
        what: &'static str,
        /// Its size, bytes.
        got: u64,
        /// The limit, bytes, included.
        max: u64,
    },
    /// The author's share of the session's bytes is used up.
    #[error("the entry counts {needed} bytes, {left} are left of the author's share")]
    ShareUsedUp {
        /// Bytes that the entry counts.
        needed: u64,
        /// Bytes that are left.
        left: u64,
    },
    /// A p2p payload for somebody who isn't a member any more.
    #[error("a p2p payload for party {0}, which isn't a member")]
    RecipientOut(u16),
    /// The join brings a key of another kind than the session's.
    #[error("the encryption key is of kind {got}, the session's spec says {expected}")]
    OtherKem {
        /// The key's kind.
        got: Kem,
        /// The spec's.
        expected: Kem,
    },
    /// A p2p payload that is too small to be sealed to a key of the session's kind.
    #[error("a p2p payload is {got} bytes, sealed to keys of this session it has at least {min}")]
    UnderSealed {
        /// The payload's size.
        got: u32,
        /// The least.
        min: u32,
    },

    // 96..: opening
    /// The time until which it might be opened has passed.
    #[error("open_by {open_by_ms} ms is before the board's time {board_ms} ms")]
    OpenExpired {
        /// The transaction's limit.
        open_by_ms: u64,
        /// Now, in board time.
        board_ms: u64,
    },
    /// The time until which it may be opened is too far away.
    #[error("open_by {open_by_ms} ms, at most {max_ms} ms is taken now")]
    OpenTooFar {
        /// The transaction's limit.
        open_by_ms: u64,
        /// The latest limit that is taken now.
        max_ms: u64,
    },
    /// This identity may not open sessions here.
    #[error("this identity isn't an opener of this board")]
    NotAnOpener,
    /// As many sessions as the opener may have at once.
    #[error("the opener has {live} live sessions, at most {max}")]
    LiveQuota {
        /// Sessions now.
        live: u32,
        /// The quota.
        max: u32,
    },
    /// The opener's bytes don't suffice.
    #[error("the session reserves {needed} bytes, {left} are left of the opener's quota")]
    BytesQuota {
        /// Bytes that the session would reserve.
        needed: u64,
        /// Bytes that are left.
        left: u64,
    },
    /// The board's bytes don't suffice, or those for strangers.
    #[error(
        "the session reserves {needed} bytes, the board has {left} left for this opener and those like it"
    )]
    BoardFull {
        /// Bytes that the session would reserve.
        needed: u64,
        /// Bytes that are left.
        left: u64,
    },
    /// The spec wants more than the board's genesis allows.
    #[error("spec field {field} is {got}, this board allows {max}")]
    OverParams {
        /// Name of the field.
        field: &'static str,
        /// Its value in the spec.
        got: u64,
        /// The limit, included.
        max: u64,
    },
    /// The opening needs a stamp with more zero bits; or none, and has one.
    #[error("the opening needs a stamp of {bits} leading zero bits; where that is 0, none")]
    Stamp {
        /// Number of bits that are asked for.
        bits: u8,
    },
    /// Every session number or opener number is taken.
    #[error("the board has no numbers left")]
    NumbersUsedUp,

    // 112..: evidence and disputes
    /// The two entries aren't an equivocation.
    #[error("no equivocation: {0}")]
    NoEquivocation(&'static str),
    /// This party is a culprit of this session already.
    #[error("party {0} is flagged already")]
    AlreadyFlagged(u16),
    /// A complaint has to be about a round that has closed, as far as this replica knows.
    #[error("round {round} hasn't closed, round {open} is open")]
    NotClosed {
        /// The round that is complained about.
        round: u32,
        /// The open round.
        open: u32,
    },
    /// There is nothing of this to complain about.
    #[error("no complaint: {0}")]
    NoComplaint(&'static str),
    /// A reveal without a complaint, as far as this replica knows.
    #[error("nothing in this session waits for a reveal")]
    NoDispute,
    /// The reveal answers something else.
    #[error("the reveal answers another complaint, expected {expected}")]
    OtherComplaint {
        /// Digest of the complaint.
        expected: Hash,
    },
    /// Nobody else answers a complaint.
    #[error("party {accused} is the accused, nobody else reveals")]
    NotTheAccused {
        /// Its index.
        accused: u16,
    },

    // 128..: this replica's own policy
    /// This replica holds as many pending transactions of this identity as it will.
    #[error("{pending} transactions of this identity are pending here, at most {max}")]
    TooManyPending {
        /// Pending now.
        pending: u32,
        /// The limit.
        max: u32,
    },
    /// Another entry for this slot is pending here.
    #[error("another entry for this slot is pending: {existing}")]
    SlotPending {
        /// Its digest.
        existing: Hash,
    },
    /// This replica isn't ready yet.
    #[error("this replica has no state yet")]
    NotReady,
    /// This replica has checked as many openings of strangers as it does at a time.
    #[error("checking this opening costs {needed} keys, {left} are left for strangers at present")]
    OpeningsBusy {
        /// Cost in keys: its roster's, and 16.
        needed: u32,
        /// Keys that are left.
        left: u32,
    },
    /// This replica's proposals don't wait, and have only what its engine offers.
    #[error("this replica takes transactions from its engine only")]
    EngineOnly,
    /// This replica has no room for so many bytes more, of this identity, session or opener, or of everybody.
    #[error("{needed} bytes more, {pending} bytes of {of} are pending here, at most {max}")]
    PendingBytes {
        /// Name of the account: the identity's, the session's, the opener's, or everybody's.
        of: &'static str,
        /// Pending now, bytes.
        pending: u64,
        /// Bytes that this one counts.
        needed: u64,
        /// The limit, bytes, included.
        max: u64,
    },
    /// Too many bad transactions came from the sender's address: this one wasn't looked at.
    #[error("too many bad transactions came from this address: it has to wait")]
    TooManyBad,
    /// By this replica's clock no deadline has passed that the board doesn't know of, or too many blocks were asked for.
    #[error("no deadline has passed here that needs a block")]
    AlarmNotDue,

    // 144..: queries
    /// No query in its encoding, or an unknown path.
    #[error("not a query: {0}")]
    BadQuery(String),
    /// The round hasn't closed.
    #[error("round {round} hasn't closed")]
    RoundNotClosed {
        /// The round that was asked for.
        round: u32,
    },
    /// There is no such round, number or page.
    #[error("no such {0}")]
    NotFound(&'static str),
    /// This replica could not read its store.
    #[error("the replica could not read its store: {0}")]
    Store(String),

    // 160..: the charter
    /// A word in another term than the present one.
    #[error("the word is of term {got}, the present one is {present}")]
    Term {
        /// The term that the word names.
        got: u32,
        /// The term in force.
        present: u32,
    },
    /// No replica of the present charter has this position.
    #[error("the present charter has no replica {0}, whose operator could speak")]
    NotAnOperator(u16),
    /// Not the number that follows the operator's last word.
    #[error("the operator's next word has number {expected}")]
    Sequence {
        /// The number that it has to have.
        expected: u32,
    },
    /// The operator has said this already, or there is nothing to withdraw.
    #[error("nothing changes by it: the operator approves this charter, or none to withdraw")]
    NothingChanges,
    /// The operator approved another charter a short while ago.
    #[error("the operator approves another charter from board time {from_ms} ms on")]
    TooSoon {
        /// When it may, board time.
        from_ms: u64,
    },
    /// The charter can't follow the present one.
    #[error("the charter can't be approved: {0}")]
    Charter(&'static str),
    /// The charter isn't one, whatever the present one is.
    #[error("the charter can't be approved: {0}")]
    BadCharter(BadCharter),
}

impl Refusal {
    /// The number of the code. Never reused; 49 is free.
    #[must_use]
    pub const fn code(&self) -> u32 {
        match self {
            Self::TooLarge { .. } => 16,
            Self::Malformed(_) => 17,
            Self::Version { .. } => 18,
            Self::Field { .. } => 19,
            Self::IsSeal => 20,
            Self::TooMuchWork { .. } => 21,
            Self::UnknownSession(_) => 32,
            Self::NotInRoster { .. } => 33,
            Self::BadSignature { .. } => 34,
            Self::Key { .. } => 35,
            Self::NotJoining => 48,
            Self::Ended => 50,
            Self::Erased => 51,
            Self::HasLeft(_) => 52,
            Self::Out(_) => 53,
            Self::NotJoined(_) => 54,
            Self::InDispute => 55,
            Self::AlreadyStored => 64,
            Self::SlotTaken { .. } => 65,
            Self::RoundClosed { .. } => 66,
            Self::RoundNotOpen { .. } => 67,
            Self::Transcript { .. } => 68,
            Self::OverSpec { .. } => 80,
            Self::ShareUsedUp { .. } => 81,
            Self::RecipientOut(_) => 82,
            Self::OtherKem { .. } => 83,
            Self::UnderSealed { .. } => 84,
            Self::OpenExpired { .. } => 96,
            Self::OpenTooFar { .. } => 97,
            Self::NotAnOpener => 98,
            Self::LiveQuota { .. } => 99,
            Self::BytesQuota { .. } => 100,
            Self::BoardFull { .. } => 101,
            Self::OverParams { .. } => 102,
            Self::NumbersUsedUp => 103,
            Self::Stamp { .. } => 104,
            Self::NoEquivocation(_) => 112,
            Self::AlreadyFlagged(_) => 113,
            Self::NotClosed { .. } => 114,
            Self::NoComplaint(_) => 115,
            Self::NoDispute => 116,
            Self::OtherComplaint { .. } => 117,
            Self::NotTheAccused { .. } => 118,
            Self::TooManyPending { .. } => 128,
            Self::SlotPending { .. } => 129,
            Self::NotReady => 130,
            Self::OpeningsBusy { .. } => 131,
            Self::EngineOnly => 132,
            Self::PendingBytes { .. } => 133,
            Self::TooManyBad => 134,
            Self::AlarmNotDue => 135,
            Self::BadQuery(_) => 144,
            Self::RoundNotClosed { .. } => 145,
            Self::NotFound(_) => 146,
            Self::Store(_) => 147,
            Self::Term { .. } => 160,
            Self::NotAnOperator(_) => 161,
            Self::Sequence { .. } => 162,
            Self::NothingChanges => 163,
            Self::TooSoon { .. } => 164,
            Self::Charter(_) => 165,
            Self::BadCharter(_) => 166,
        }
    }

    /// Whether the board holds what was sent, so that sending it again is no failure.
    #[must_use]
    pub const fn is_stored(code: u32) -> bool {
        code == Self::AlreadyStored.code()
    }

    /// Whether it is about the round of an entry: one that opens next, as far as that replica knows, or another one.
    #[must_use]
    pub const fn is_round_not_open(code: u32) -> bool {
        code == Self::RoundNotOpen { round: 0, open: 0 }.code()
    }

    /// Whether a replica holds another transaction for the same thing: of an opening, the same session with another stamp.
    #[must_use]
    pub const fn is_pending(code: u32) -> bool {
        code == Self::SlotPending {
            existing: Hash::ZERO,
        }
        .code()
    }

    /// Whether an opening needs another stamp.
    #[must_use]
    pub const fn is_stamp(code: u32) -> bool {
        code == Self::Stamp { bits: 0 }.code()
    }

    /// Whether the session's payloads are gone.
    #[must_use]
    pub const fn is_erased(code: u32) -> bool {
        code == Self::Erased.code()
    }

    /// Whether it is about what the session is doing or what a slot holds: verified state will say so, too.
    #[must_use]
    pub const fn is_about_state(code: u32) -> bool {
        matches!(code, 48..=79)
    }

    /// Whether the round has closed, or the party is out: its entry can't be taken any more.
    #[must_use]
    pub const fn is_too_late(code: u32) -> bool {
        matches!(code, 53 | 66)
    }

    /// Whether a quota is used up: of the opener, the party, the board, or of what may be pending.
    #[must_use]
    pub const fn is_quota(code: u32) -> bool {
        matches!(code, 81 | 99..=101 | 103 | 128 | 133)
    }

    /// Whether the replica has no time or no room now, or no state yet, so that the same opening may be taken in a moment. A quota of the
    /// board may have room again, too, but whoever opens a session wants to know that now.
    #[must_use]
    pub const fn is_for_a_moment(code: u32) -> bool {
        matches!(code, 128 | 130 | 131 | 133 | 134)
    }

    /// Whether the same bytes may be taken later: this replica is behind, busy or not ready.
    #[must_use]
    pub const fn is_transient(code: u32) -> bool {
        matches!(
            code,
            32 | 67
                | 68
                | 99..=101
                | 114
                | 116
                | 128
                | 130..=134
                | 147
                | 160
                | 162
                | 164
                | 165
        )
    }
}
