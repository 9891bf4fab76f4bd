//! Everything that can go wrong between a party and the board.

mod kind;

pub use kind::Kind;
pub use white_city_verify::{Fork, cause_text};
use white_city_verify::{
    read::{Convicted, Dispute},
    receipt::BadReceipt,
    trust::NewerRules,
};
use white_city_wire::{Hash, IdentityKey, Refusal, board::Terminal, limits::NOBODY, tx::Leave};

use crate::{
    SignError,
    journal::JournalError,
    parts::{BadName, BadPart},
};

/// Why one replica gave no usable answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReplicaFault {
    /// Its address.
    pub replica: String,
    /// The reason, in words.
    pub reason: String,
}

impl std::fmt::Display for ReplicaFault {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}: {}", self.replica, self.reason)
    }
}

/// A party that left by name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Leaver {
    /// Its index.
    pub index: u16,
    /// Its words, under its own signature: a decline with its reason, or an abort with its cause and whom it is about.
    /// `None` when no replica has its words any more.
    pub word: Option<Leave>,
}

impl std::fmt::Display for Leaver {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "party {}", self.index)?;
        match &self.word {
            None => Ok(()),
            Some(Leave::Decline { reason }) => write!(f, " (declined, reason {reason})"),
            Some(Leave::Abort { cause, about, .. }) if *about == NOBODY => {
                write!(f, " (aborted, cause {cause})")
            }
            Some(Leave::Abort { cause, about, .. }) => {
                write!(f, " (aborted, cause {cause}, about party {about})")
            }
        }
    }
}

/// The end of a session without an outcome: the same record for everybody.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AbortRecord {
    /// The record itself: cause, height, who caused it, members, filled slots.
    pub record: Terminal,
    /// The parties that left by name, in the order of leaving.
    pub left: Vec<Leaver>,
    /// Against whom there is signed evidence, which has been checked.
    pub culprits: Vec<Convicted>,
    /// Members whose slot was empty when the session ended.
    pub missing: Vec<u16>,
    /// The party that complained and the one that it complained about, where the session ended of a complaint. One that wasn't
    /// answered convicts neither.
    pub dispute: Option<Dispute>,
}

impl std::fmt::Display for AbortRecord {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "{} at height {}",
            cause_text(self.record.cause),
            self.record.height
        )?;
        match (&self.dispute, self.record.by()) {
            (Some(dispute), _) => write!(f, ": {dispute}")?,
            (None, Some(by)) => write!(f, ", caused by party {by}")?,
            (None, None) => {}
        }
        list(f, "left", &self.left)?;
        let named = |index: &u16| format!("party {index}");
        let missing: Vec<String> = self.missing.iter().map(named).collect();
        list(f, "empty slots", &missing)?;
        let culprits = self.culprits.iter().map(|culprit| named(&culprit.index));
        list(f, "culprits", &culprits.collect::<Vec<_>>())
    }
}

fn list<T: ToString>(
    f: &mut std::fmt::Formatter<'_>,
    what: &str,
    parties: &[T],
) -> std::fmt::Result {
    if parties.is_empty() {
        return Ok(());
    }
    let parties: Vec<String> = parties.iter().map(T::to_string).collect();
    write!(f, "; {what}: {}", parties.join(", "))
}

/// An answer that can't be true, as evidence for whoever runs the replica.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReplicaLie {
    /// Address of the replica.
    pub replica: String,
    /// The reason why the answer can't be true.
    pub what: String,
    /// The question, a protobuf `Query`.
    pub question: Vec<u8>,
    /// The answer, a protobuf `Answer`.
    pub answer: Vec<u8>,
}

/// Why a client could not do what it was asked.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The client was built without what it needs, or asked for something impossible.
    #[error("{what}: expected {expected}")]
    Usage {
        /// The part's name.
        what: &'static str,
        /// The values that are possible.
        expected: String,
    },
    /// Something that was to be sent breaks a rule that holds on every board: a spec's field, for instance. It wasn't sent.
    #[error("no board would take this: {0}")]
    Spec(Refusal),
    /// This identity isn't in the session's roster.
    #[error("{identity} is not in the session's roster")]
    NotMember {
        /// The signer's key.
        identity: Box<IdentityKey>,
    },
    /// The round closed without this party's entry.
    #[error(
        "late: round {round} closed without this party's entry, round {open} is open (height {height})"
    )]
    Late {
        /// The round that was missed; 0 is joining.
        round: u32,
        /// The round that is open now.
        open: u32,
        /// Height at which it was seen.
        height: u64,
    },
    /// The party isn't among the members: it missed an earlier round, or left.
    #[error("out: this party isn't among the members of round {round}")]
    Out {
        /// The open round.
        round: u32,
    },
    /// The slot holds another entry, which this process didn't sign.
    #[error("the slot of round {round} holds {existing}, which isn't what this party signed now")]
    SlotTaken {
        /// The round; 0 is joining.
        round: u32,
        /// Digest of the stored entry, or its slot leaf while the round is open.
        existing: Hash,
    },
    /// The validators have signed two histories: more replicas than tolerated are malicious. This party stops.
    #[error("{0}")]
    Fork(Box<Fork>),
    /// The slot of this party is in use, and neither this process nor its journal has any memory of what was signed for it. It doesn't write.
    #[error(
        "this party's slot of round {round} is filled, and this process doesn't know with what: it can't go on writing"
    )]
    NoJournal {
        /// The round; 0 is joining.
        round: u32,
    },
    /// The session ended without an outcome.
    #[error("the session aborted: {0}")]
    Aborted(Box<AbortRecord>),
    /// The replicas certify that the session ended without an outcome, but this party had finished before. An abort needs no
    /// quorum of parties: if more replicas than tolerated are malicious, others may have seen the session finished.
    #[error(
        "unknown: the replicas say that the session aborted, after this party had finished: {0}"
    )]
    Unknown(Box<AbortRecord>),
    /// The session finished, so nothing more can be written.
    #[error("the session has finished with the outcome {outcome}")]
    Finished {
        /// The agreed outcome.
        outcome: Hash,
    },
    /// This party has left the session by name.
    #[error("this party has left the session")]
    Left,
    /// The session has ended and its spec and payloads are gone.
    #[error("the session has ended and is erased")]
    Erased,
    /// The party did things out of order.
    #[error("round {asked} was asked for, expected {expected}")]
    WrongRound {
        /// The round that was asked for.
        asked: u32,
        /// The rounds that are possible.
        expected: String,
    },
    /// More than there is room for. Nothing was signed or sent.
    #[error("{what} has {bytes} bytes, at most {max} fit: {limit}")]
    TooLarge {
        /// Name of what is too large.
        what: &'static str,
        /// Its size, bytes.
        bytes: u64,
        /// The most, bytes.
        max: u64,
        /// The place where that is set.
        limit: &'static str,
    },
    /// This party has signed something else for this round: whoever goes on after a crash has to post the same again.
    #[error(
        "round {round}: this party has signed something else for it; with the same randomness and inboxes a protocol posts the same"
    )]
    Differs {
        /// The round.
        round: u32,
    },
    /// A p2p payload can't be opened: it wasn't sealed for this place and key.
    #[error("the payload that party {from} sent in round {round} can't be opened")]
    Payload {
        /// The sender.
        from: u16,
        /// The round.
        round: u32,
    },
    /// A post that isn't the next part of what its author posts, which all members see in the same round; one who can't open what
    /// it sends has [`Error::Payload`] instead.
    #[error("what party {from} posted in round {round} isn't the next part of its post: {why}")]
    Part {
        /// Its author.
        from: u16,
        /// The board's round.
        round: u32,
        /// The rule that it breaks.
        why: BadPart,
    },
    /// A session whose protocol's name says something about parts that this program doesn't know. It isn't joined.
    #[error(transparent)]
    Parts(#[from] BadName),
    /// A spec without room for all that a protocol may post.
    #[error("the spec has no room for the protocol: {what} is {has}, expected at least {needed}")]
    NoRoom {
        /// The limit's name.
        what: &'static str,
        /// The most that the spec allows.
        has: u64,
        /// The least that the protocol needs.
        needed: u64,
    },
    /// A payload for somebody who can't read it.
    #[error("a payload for party {to}, which isn't another member")]
    Recipient {
        /// The recipient's index.
        to: u16,
    },
    /// An answer contradicts what was signed, or itself.
    #[error("{replica} gave an answer that can't be true: {what}")]
    ReplicaLied {
        /// Its address.
        replica: String,
        /// The reason why the answer can't be true.
        what: String,
    },
    /// Every replica that answers shows headers of another network than the genesis describes: one of both is the wrong one. (Or all
    /// of them lie; then they could as well have kept silent.)
    #[error(
        "the replicas that answer serve another network than the genesis describes: is it the right genesis, and are these its replicas? ({replica}: {what})"
    )]
    OtherNetwork {
        /// The address of one of them.
        replica: String,
        /// The difference that it shows.
        what: String,
    },
    /// The board is under rules that this program doesn't know: its validators have signed their number.
    #[error("{0}")]
    NewerRules(NewerRules),
    /// No replica gave a usable answer.
    #[error("no replica answers: {}", faults(.0))]
    Unreachable(Vec<ReplicaFault>),
    /// Every replica that answers is behind a state that was verified before, by this client, or according to its trust file or a journal.
    /// Replicas may be late; a board that stays behind was rolled back, or is a branch that goes on from the past.
    #[error(
        "behind: the replicas that answer show height {shown} and nothing newer, and height {expected} was verified before"
    )]
    Behind {
        /// The highest height that any of them shows, which isn't taken.
        shown: u64,
        /// The height that was verified before.
        expected: u64,
    },
    /// The board has no such session, as far as the replicas that answered know.
    #[error("no session {0}")]
    UnknownSession(String),
    /// The replicas refuse what was sent or asked.
    #[error("refused by {replica}: {text} (code {code})")]
    Refused {
        /// The number of the [`Refusal`].
        code: u32,
        /// The replica's words about it.
        text: String,
        /// Its address.
        replica: String,
    },
    /// The board shows that this operator has said something else in this term, here or on another machine.
    #[error(
        "this operator's word about {} stands on the board: whoever changes its mind withdraws first (and finds out who has its key, if that wasn't \
         its own word)",
        charter(.standing)
    )]
    OtherCharter {
        /// Hash of the charter that it has approved; zeros if it has withdrawn.
        standing: Hash,
    },
    /// A quota of the opener, of the party, or of the board is used up.
    #[error("quota exceeded, says {replica}: {text} (code {code})")]
    QuotaExceeded {
        /// The number of the [`Refusal`].
        code: u32,
        /// The replica's words about it.
        text: String,
        /// Its address.
        replica: String,
    },
    /// The board asks an opener that it doesn't list for a stamp, and it would take so long here that the opening's time might be over.
    #[error(
        "the board asks this opener for a stamp of {bits} leading zero bits: about {hashes} hashes, {}; the opening has {} left, of \
         which a quarter has to be enough. Have the opener listed in the charter, or use more cores",
        stamp_time(*.hashes, *.hashes_per_second),
        seconds(*.left_ms / 1_000)
    )]
    Stamp {
        /// Leading zero bits that are asked for.
        bits: u8,
        /// Number of hashes that this takes on average.
        hashes: u64,
        /// The number that this machine was seen to compute.
        hashes_per_second: u64,
        /// Time that was left for it, milliseconds.
        left_ms: u64,
    },
    /// The signer gave no signature.
    #[error(transparent)]
    Sign(#[from] SignError),
    /// The journal of this session can't be used.
    #[error(transparent)]
    Journal(#[from] JournalError),
    /// The other parties have to act first, and this party was told to wait for nobody.
    #[error("{} for {}", waits(*round), parties(missing))]
    Waiting {
        /// The open round; 0 is joining.
        round: u32,
        /// Indices of the parties that it waits for.
        missing: Vec<u16>,
        /// Until then, board time in milliseconds; 0 while the clock hasn't started.
        deadline_ms: u64,
        /// The board's time, milliseconds.
        board_ms: u64,
    },
    /// No receipt: what was asked for can't be proven, or one doesn't verify.
    #[error("no receipt: {0}")]
    Receipt(BadReceipt),
    /// The operating system gave no random bytes.
    #[error("no random bytes: {0}")]
    Random(String),
}

fn waits(round: u32) -> String {
    match round {
        0 => "joining is open, and waits".into(),
        _ => format!("round {round} is open, and waits"),
    }
}

fn charter(standing: &Hash) -> String {
    match *standing {
        Hash::ZERO => "no charter".into(),
        hash => format!("the charter {hash}"),
    }
}

fn parties(indices: &[u16]) -> String {
    let named: Vec<String> = indices.iter().map(u16::to_string).collect();
    let one = if indices.len() == 1 {
        "party"
    } else {
        "parties"
    };
    format!("{one} {}", named.join(", "))
}

fn stamp_time(hashes: u64, hashes_per_second: u64) -> String {
    let time = seconds(hashes / hashes_per_second.max(1));
    format!("{time} at {hashes_per_second} hashes a second")
}

fn seconds(seconds: u64) -> String {
    match seconds {
        0..=600 => format!("{seconds} s"),
        601..=36_000 => format!("{} min", seconds / 60),
        _ => format!("{} h", seconds / 3_600),
    }
}

fn faults(faults: &[ReplicaFault]) -> String {
    let faults: Vec<String> = faults.iter().map(ReplicaFault::to_string).collect();
    faults.join("; ")
}

impl Error {
    /// The error for a refusal code that a replica gave.
    #[doc(hidden)]
    #[must_use]
    pub fn from_code(code: u32, text: String, replica: String) -> Self {
        if Refusal::is_quota(code) {
            return Self::QuotaExceeded {
                code,
                text,
                replica,
            };
        }
        Self::Refused {
            code,
            text,
            replica,
        }
    }

    /// The meaning of a refusal to speak of a session's payloads.
    #[doc(hidden)]
    #[must_use]
    pub fn or_erased(self) -> Self {
        match self {
            Self::Refused { code, .. } if Refusal::is_erased(code) => Self::Erased,
            other => other,
        }
    }

    /// An error of whoever calls.
    #[doc(hidden)]
    #[must_use]
    pub fn usage(what: &'static str, expected: impl Into<String>) -> Self {
        Self::Usage {
            what,
            expected: expected.into(),
        }
    }
}
