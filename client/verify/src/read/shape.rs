//! The limits of what an answer may hold: what was asked says which parts it has, and how many of each.

use bytes::Bytes;
use prost::Message as _;
use white_city_wire::{
    limits::{ROSTER_PARTIES_MAX, ROUNDS_MAX, TX_BYTES_MAX},
    pb::{self, query::Question},
    read::{OPENERS_PAGE, SESSIONS_PAGE, decode_answer},
};

use super::{Lie, OrLie};
use crate::{
    shape::{self, JOIN_BYTES_MAX, Limit, limit},
    trust::{LINK, LINKS_MAX},
};

const PARTIES: usize = ROSTER_PARTIES_MAX as usize;
/// A hash for each party.
const SLOTS_BYTES: usize = 32 * PARTIES;
/// A hash for each round, and what else a proof has.
const ROOTS_BYTES: usize = 32 * ROUNDS_MAX as usize + 64;
/// Largest payload, or path that leads from one to its root.
const PAYLOAD_BYTES: usize = TX_BYTES_MAX as usize;
const PAYLOAD_PATH_BYTES: usize = 32 * 16;
/// Largest of those parts that have nothing more than once.
const PART_BYTES: usize = 64 << 10;
/// The limit of what nobody looks at: any size that travels.
const ANY: usize = usize::MAX;

const OPEN: [Limit; 6] = [
    limit(1, 1, 0, 128 << 10).of(&SPEC),
    limit(2, 1, 0, 32),
    limit(3, 1, 0, 32),
    limit(4, 1, 0, 0),
    limit(5, 1, 0, 64),
    limit(6, 1, 0, 0),
];

const SPEC: [Limit; 16] = [
    limit(1, 1, 0, PART_BYTES),
    limit(2, 1, 0, 0),
    limit(3, PARTIES, 32, 32),
    limit(4, 1, 0, 0),
    limit(5, 1, 0, 0),
    limit(6, 1, 0, 0),
    limit(7, 1, 0, 0),
    limit(8, 1, 0, 0),
    limit(9, 1, 0, 0),
    limit(10, 1, 0, 0),
    limit(11, 1, 0, 0),
    limit(12, 1, 0, 0),
    limit(13, 1, 0, 0),
    limit(14, 1, 0, PART_BYTES),
    limit(15, 1, 0, 32),
    limit(16, 1, 0, 0),
];

const NOW: [Limit; 4] = [
    limit(1, 1, 0, SLOTS_BYTES),
    limit(2, 1, 0, 1_024),
    limit(3, PARTIES, 32, 256),
    limit(4, PARTIES, 32, 256),
];

const ITEM: [Limit; 5] = [
    limit(1, 1, 64, JOIN_BYTES_MAX),
    limit(2, 1, 64, 512),
    limit(3, 1, 0, PAYLOAD_BYTES),
    limit(4, 1, 0, PAYLOAD_BYTES),
    limit(5, 1, 0, PAYLOAD_PATH_BYTES),
];

/// A decline or an abort.
const WORD: [Limit; 3] = [limit(1, 1, 0, 0), limit(4, 1, 0, 256), limit(7, 1, 0, 256)];
const COMPLAINT: [Limit; 2] = [limit(1, 1, 0, 0), limit(9, 1, 0, 2_048)];
const REVEAL: [Limit; 2] = [limit(1, 1, 0, 0), limit(10, 1, 0, PAYLOAD_BYTES)];

const PARAMS: [Limit; 3] = [limit(1, 1, 0, 32), limit(2, 1, 0, 256), limit(3, 1, 0, ANY)];
const SPEC_ANSWER: [Limit; 1] = [limit(1, 1, 0, 192 << 10).of(&OPEN)];
const ROSTER: [Limit; 1] = [limit(1, PARTIES, 64, JOIN_BYTES_MAX)];
const ROUND: [Limit; 2] = [limit(1, 1, 0, 0), limit(2, 1, 0, SLOTS_BYTES)];
const INBOX: [Limit; 4] = [
    limit(1, 1, 0, 0),
    limit(2, PARTIES, 64, ANY).of(&ITEM),
    limit(3, 1, 0, 0),
    limit(4, 1, 0, ANY).of(&NOW),
];
const TRANSCRIPT: [Limit; 1] = [limit(1, 1, 0, ROOTS_BYTES)];
const EVIDENCE: [Limit; 6] = [
    limit(1, PARTIES, 32, 256),
    limit(2, PARTIES, 32, 256),
    limit(3, PARTIES, 64, 1_024),
    limit(4, PARTIES, 64, 512).of(&WORD),
    limit(5, 1, 0, ANY).of(&COMPLAINT),
    limit(6, 1, 0, ANY).of(&REVEAL),
];
const TERMINAL: [Limit; 1] = [limit(1, 1, 0, 1_024)];
const SESSIONS: [Limit; 2] = [limit(1, SESSIONS_PAGE, 32, 256), limit(2, 1, 0, 0)];
const OPENERS: [Limit; 2] = [limit(1, OPENERS_PAGE, 32, 2_048), limit(2, 1, 0, 0)];

const LINKS: [Limit; 1] = [limit(1, LINKS_MAX, 64, 1 << 19).of(&LINK)];
const CHARTERS: [Limit; 3] = [
    limit(1, 1, 0, PAYLOAD_BYTES).of(&CHARTER),
    limit(2, 256, 32, 64),
    limit(3, 256, 32, PAYLOAD_BYTES).of(&CHARTER),
];
const CHARTER: [Limit; 12] = [
    limit(1, 1, 0, 0),
    limit(2, 1, 0, 32),
    limit(3, 1, 0, 0),
    limit(4, 1, 0, 0),
    limit(5, 1, 0, 0),
    limit(6, 1, 0, 0),
    limit(7, 1, 0, 0),
    limit(8, 1, 0, 0),
    limit(9, 1, 0, 0),
    limit(10, 1, 0, 0),
    limit(11, 256, 64, 68),
    limit(12, 4_096, 32, 64),
];

/// The field with the answer to a question, and what it may consist of.
const fn body(question: &Question) -> Limit {
    let (field, parts): (usize, &'static [Limit]) = match question {
        Question::Params(_) => (10, &PARAMS),
        Question::Session(_) => (11, &NOW),
        Question::Spec(_) => (12, &SPEC_ANSWER),
        Question::Roster(_) => (13, &ROSTER),
        Question::Round(_) => (14, &ROUND),
        Question::Inbox(_) => (15, &INBOX),
        Question::Transcript(_) => (16, &TRANSCRIPT),
        Question::Evidence(_) => (17, &EVIDENCE),
        Question::Terminal(_) => (18, &TERMINAL),
        Question::Sessions(_) => (19, &SESSIONS),
        Question::Openers(_) => (20, &OPENERS),
        Question::Links(_) => (21, &LINKS),
        Question::Charter(_) => (22, &CHARTERS),
    };
    limit(field, 1, 0, ANY).of(parts)
}

/// What answers under all rules have in common, which nothing else is read of.
#[derive(Clone, PartialEq, prost::Message)]
struct Head {
    #[prost(uint64, tag = "2")]
    height: u64,
}

/// The height that an answer says it is of, though nothing else of it may be understood; nothing of it is kept.
#[must_use]
pub fn height(answer: &[u8]) -> Option<u64> {
    Head::decode(answer).ok().map(|head| head.height)
}

/// Decodes an answer to this question.
///
/// # Errors
/// [`Lie`] where it is none.
pub fn decode(question: &Question, answer: Bytes) -> Result<pb::Answer, Lie> {
    let limits = [
        limit(1, 1, 0, 0),
        limit(2, 1, 0, 0),
        limit(3, 1, 0, PART_BYTES),
        limit(4, 1, 0, PART_BYTES),
        limit(5, 1, 0, ROOTS_BYTES),
        body(question),
    ];
    shape::check(&answer, &limits).or_lie("answer")?;
    decode_answer(answer).or_lie("answer")
}
