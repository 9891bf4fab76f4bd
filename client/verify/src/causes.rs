//! Why a session ended, in words.

use white_city_wire::board::Cause;

/// A cause in words.
#[must_use]
pub const fn cause_text(cause: Cause) -> &'static str {
    match cause {
        Cause::None => "finished",
        Cause::TooFew => "too few filled their slots in time",
        Cause::Disagreement => "no group reached the quorum",
        Cause::Left => "too many left",
        Cause::OutOfRounds => "out of rounds",
        Cause::BadPayload => "a p2p payload was proven bad",
        Cause::FalseComplaint => "a complaint was proven false",
        Cause::NoReveal => "a complaint was not answered",
    }
}
