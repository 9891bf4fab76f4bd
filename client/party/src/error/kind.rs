//! Kinds of errors, by which programs tell them apart.

use white_city_wire::Refusal;

use super::Error;

/// Kind of an [`Error`]: a number that is never given to another kind, and its name.
///
/// Its thousands are the exit code of the command line: see [`Kind::exit_code`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Kind {
    /// The number.
    pub number: u16,
    /// The name, in small letters with underscores.
    pub name: &'static str,
}

impl Kind {
    /// All kinds of errors of this library.
    pub const ALL: [Self; 37] = [
        OTHER,
        WRONG_ROUND,
        RECEIPT,
        SIGN,
        NEWER_RULES,
        RANDOM,
        USAGE,
        SPEC,
        NOT_MEMBER,
        TOO_LARGE,
        JOURNAL,
        OTHER_NETWORK,
        RECIPIENT,
        PARTS,
        NO_ROOM,
        UNREACHABLE,
        BEHIND,
        REFUSED,
        QUOTA,
        STAMP,
        UNKNOWN_SESSION,
        OTHER_CHARTER,
        ABORTED,
        UNKNOWN,
        LEFT,
        ERASED,
        LATE,
        OUT,
        FINISHED,
        NO_JOURNAL,
        DIFFERS,
        UNTRUE,
        FORK,
        SLOT_TAKEN,
        PROTOCOL,
        PART,
        WAITING,
    ];

    /// Exit code of a program that ends with it: 1 any other error, 2 usage, 3 unreachable, 4 refused, 5 aborted, 6 late, 7 untrue, 8 the
    /// protocol was broken, 9 others have to act first.
    #[must_use]
    pub const fn exit_code(&self) -> u8 {
        // At most 65.
        (self.number / 1_000) as u8
    }
}

const fn kind(number: u16, name: &'static str) -> Kind {
    Kind { number, name }
}

const OTHER: Kind = kind(1_000, "other");
const WRONG_ROUND: Kind = kind(1_001, "wrong_round");
const RECEIPT: Kind = kind(1_002, "no_receipt");
const SIGN: Kind = kind(1_003, "not_signed");
const NEWER_RULES: Kind = kind(1_004, "newer_rules");
const RANDOM: Kind = kind(1_005, "no_random_bytes");
const USAGE: Kind = kind(2_000, "usage");
const SPEC: Kind = kind(2_001, "spec");
const NOT_MEMBER: Kind = kind(2_002, "not_member");
const TOO_LARGE: Kind = kind(2_003, "too_large");
const JOURNAL: Kind = kind(2_004, "journal");
const OTHER_NETWORK: Kind = kind(2_005, "other_network");
const RECIPIENT: Kind = kind(2_006, "recipient");
const PARTS: Kind = kind(2_007, "parts");
const NO_ROOM: Kind = kind(2_008, "no_room");
const UNREACHABLE: Kind = kind(3_000, "unreachable");
const BEHIND: Kind = kind(3_001, "behind");
const REFUSED: Kind = kind(4_000, "refused");
const QUOTA: Kind = kind(4_001, "quota");
const STAMP: Kind = kind(4_002, "stamp");
const UNKNOWN_SESSION: Kind = kind(4_003, "unknown_session");
const OTHER_CHARTER: Kind = kind(4_004, "other_charter");
const ABORTED: Kind = kind(5_000, "aborted");
const UNKNOWN: Kind = kind(5_001, "unknown");
const LEFT: Kind = kind(5_002, "left");
const ERASED: Kind = kind(5_003, "erased");
const LATE: Kind = kind(6_000, "late");
const OUT: Kind = kind(6_001, "out");
const FINISHED: Kind = kind(6_002, "finished");
const NO_JOURNAL: Kind = kind(6_003, "no_journal");
const DIFFERS: Kind = kind(6_004, "differs");
const UNTRUE: Kind = kind(7_000, "untrue");
const FORK: Kind = kind(7_001, "fork");
const SLOT_TAKEN: Kind = kind(7_002, "slot_taken");
const PROTOCOL: Kind = kind(8_000, "payload");
const PART: Kind = kind(8_001, "part");
const WAITING: Kind = kind(9_000, "waiting");

impl Error {
    /// The kind of error, for programs.
    #[must_use]
    pub const fn kind(&self) -> Kind {
        match self {
            // The round has closed, or this party is out.
            Self::Refused { code, .. } if Refusal::is_too_late(*code) => LATE,
            Self::Usage { .. } => USAGE,
            Self::Spec(_) => SPEC,
            Self::NotMember { .. } => NOT_MEMBER,
            Self::TooLarge { .. } => TOO_LARGE,
            Self::Journal(_) => JOURNAL,
            Self::OtherNetwork { .. } => OTHER_NETWORK,
            Self::Recipient { .. } => RECIPIENT,
            Self::Parts(_) => PARTS,
            Self::NoRoom { .. } => NO_ROOM,
            Self::Unreachable(_) => UNREACHABLE,
            Self::Behind { .. } => BEHIND,
            Self::Refused { .. } => REFUSED,
            Self::QuotaExceeded { .. } => QUOTA,
            Self::Stamp { .. } => STAMP,
            Self::UnknownSession(_) => UNKNOWN_SESSION,
            Self::OtherCharter { .. } => OTHER_CHARTER,
            Self::Aborted(_) => ABORTED,
            Self::Unknown(_) => UNKNOWN,
            Self::Left => LEFT,
            Self::Erased => ERASED,
            Self::Late { .. } => LATE,
            Self::Out { .. } => OUT,
            Self::Finished { .. } => FINISHED,
            Self::NoJournal { .. } => NO_JOURNAL,
            Self::Differs { .. } => DIFFERS,
            Self::ReplicaLied { .. } => UNTRUE,
            Self::Fork(_) => FORK,
            Self::SlotTaken { .. } => SLOT_TAKEN,
            Self::Payload { .. } => PROTOCOL,
            Self::Part { .. } => PART,
            Self::Waiting { .. } => WAITING,
            Self::WrongRound { .. } => WRONG_ROUND,
            Self::Receipt(_) => RECEIPT,
            Self::Sign(_) => SIGN,
            Self::NewerRules(_) => NEWER_RULES,
            Self::Random(_) => RANDOM,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn no_two_kinds_have_one_number_or_one_name() {
        let numbers: BTreeSet<u16> = Kind::ALL.iter().map(|kind| kind.number).collect();
        let names: BTreeSet<&str> = Kind::ALL.iter().map(|kind| kind.name).collect();
        assert_eq!(
            (numbers.len(), names.len()),
            (Kind::ALL.len(), Kind::ALL.len())
        );
        assert!(
            Kind::ALL
                .iter()
                .all(|kind| (1..=9).contains(&kind.exit_code()))
        );
    }
}
