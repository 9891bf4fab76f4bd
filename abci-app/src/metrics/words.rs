//! Words for labels: those that replicas and programs use for the same things in JSON.

use white_city_wire::board::{Cause, Offence, Status};

use crate::front::Source;

/// What a session can be in while it lives.
pub const PHASES: [Status; 3] = [Status::Joining, Status::Running, Status::Dispute];

/// All causes of an end.
pub const CAUSES: [Cause; 8] = [
    Cause::None,
    Cause::TooFew,
    Cause::Disagreement,
    Cause::Left,
    Cause::OutOfRounds,
    Cause::BadPayload,
    Cause::FalseComplaint,
    Cause::NoReveal,
];

/// All offences.
pub const OFFENCES: [Offence; 3] = [
    Offence::Equivocation,
    Offence::BadPayload,
    Offence::FalseComplaint,
];

/// The word for a status.
#[must_use]
pub const fn status_word(status: Status) -> &'static str {
    match status {
        Status::Joining => "joining",
        Status::Running => "running",
        Status::Dispute => "dispute",
        Status::Finished => "finished",
        Status::Aborted => "aborted",
        Status::Erased => "erased",
    }
}

pub const fn cause_word(cause: Cause) -> &'static str {
    match cause {
        Cause::None => "none",
        Cause::TooFew => "too_few",
        Cause::Disagreement => "disagreement",
        Cause::Left => "left",
        Cause::OutOfRounds => "out_of_rounds",
        Cause::BadPayload => "bad_payload",
        Cause::FalseComplaint => "false_complaint",
        Cause::NoReveal => "no_reveal",
    }
}

pub const fn offence_word(offence: Offence) -> &'static str {
    match offence {
        Offence::Equivocation => "equivocation",
        Offence::BadPayload => "bad_payload",
        Offence::FalseComplaint => "false_complaint",
    }
}

pub const fn source_word(source: Source) -> &'static str {
    match source {
        Source::Engine => "engine",
        Source::EngineAgain => "recheck",
        Source::Client => "direct",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(value: impl serde::Serialize) -> String {
        let shown = serde_json::to_value(value).unwrap();
        shown.as_str().unwrap().to_owned()
    }

    #[test]
    fn the_words_are_those_of_json_and_all_are_there() {
        for (number, cause) in (0..).zip(CAUSES) {
            assert_eq!(Cause::from_number(number), Some(cause));
            assert_eq!(cause_word(cause), shown(cause));
        }
        assert_eq!(Cause::from_number(8), None);
        for (number, offence) in (1..).zip(OFFENCES) {
            assert_eq!(Offence::from_number(number), Some(offence));
            assert_eq!(offence_word(offence), shown(offence));
        }
        assert_eq!(Offence::from_number(4), None);
        for number in 1..=6 {
            let status = Status::from_number(number).unwrap();
            assert_eq!(status_word(status), shown(status));
            assert_eq!(PHASES.contains(&status), status.is_live());
        }
    }
}
