//! Queries and answers as they travel. What proves an answer is in [`crate::proof`].

use alloc::{string::ToString, vec::Vec};

use prost::{Message, bytes::Buf};
use serde::{Deserialize, Serialize};

use crate::{
    bitmap::Bitmap,
    board::{Cause, Culprit, Offence, Status, Terminal},
    hash::Hash,
    limits::WIRE_VERSION,
    pb,
    refusal::Refusal,
    spec::to_usize,
};

/// The type of the event that tells whoever follows a replica that a block has changed a session: a hint.
pub const SESSION_EVENT: &str = "white_city.session";
/// State of a session after a block, in short: what the attribute `standing` of [`SESSION_EVENT`] says, as JSON with the fields in
/// this order. Enough to see whether there is anything to read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Standing {
    /// Number of culprits that are flagged.
    pub culprits: u32,
    /// Number of slots of the open round that are filled.
    pub filled: u32,
    /// Number of parties that have left.
    pub left: u32,
    /// The session's number.
    pub number: u32,
    /// The open round.
    pub open_round: u32,
    /// Number of its status.
    pub status: u8,
}

/// Beginning of an identity key, bytes: what the attribute `parties` of [`SESSION_EVENT`] has of each in the roster of a session that the
/// block has opened, in hex, one after the other. Enough for a party to notice that a session may be for it.
pub const KEY_HINT_BYTES: usize = 8;

/// Statuses of sessions that a list is asked for, as a bit for each.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Statuses(u32);

impl Statuses {
    /// All of them.
    pub const ALL: Self = Self(0b111_1110);
    /// Those of sessions that haven't ended.
    pub const LIVE: Self = Self(0b1110);

    /// These.
    pub fn of(statuses: impl IntoIterator<Item = Status>) -> Self {
        let bits = statuses.into_iter().map(bit);
        Self(bits.fold(0, |all, bit| all | bit))
    }

    /// As a question has them, where 0 stands for all; `None` for what are none.
    #[must_use]
    pub const fn from_bits(bits: u32) -> Option<Self> {
        match bits {
            0 => Some(Self::ALL),
            _ if bits & !Self::ALL.0 == 0 => Some(Self(bits)),
            _ => None,
        }
    }

    /// The bits for a question.
    #[must_use]
    pub const fn bits(self) -> u32 {
        self.0
    }

    /// Whether this one is among them.
    #[must_use]
    pub fn has(self, status: Status) -> bool {
        self.0 & bit(status) != 0
    }

    /// Whether they are no others than these.
    #[must_use]
    pub const fn is_within(self, others: Self) -> bool {
        self.0 & !others.0 == 0
    }
}

const fn bit(status: Status) -> u32 {
    1 << status.number()
}

/// The ABCI path of protobuf queries.
pub const QUERY_PATH: &str = "/v1";
/// Path where transactions are handed over at a replica's direct port: a `Handing`.
pub const HANDING_PATH: &str = "/v1/txs";
/// Most transactions of one `Handing`.
pub const HANDING_TXS_MAX: usize = 32;
/// In the `info` of an answer, before the number of the replica's direct port: a hint.
pub const DIRECT_PORT_HINT: &str = "direct-port=";

/// The same for whoever reaches the RPC by TLS: an address follows, `https://…`. It stands after a space, where there is one of each.
pub const DIRECT_URL_HINT: &str = "direct-url=";
/// Beginning of the text with which a direct port refuses, with status 405, to be asked in another way than it should: by this it
/// is known to be one.
pub const DIRECT_PORT_SAYS: &str = "expected POST /v1 with a query";
/// Largest query, bytes.
pub const QUERY_BYTES_MAX: u32 = 1_024;
/// Size that a page of an inbox grows to before it ends, bytes.
pub const PAGE_BYTES: usize = 1 << 20;
/// Sessions on a page of a list; only the last page has fewer.
pub const SESSIONS_PAGE: usize = 100;
/// Sessions that a replica looks at for a page that goes down, before it ends the page where few match.
pub const SESSIONS_LOOKED: usize = 1_000;
/// Openers on a page; only the last page has fewer.
pub const OPENERS_PAGE: usize = 100;

/// Measure of a page of an inbox: it ends with the item with which it is full, neither sooner nor later. So a reader notices when a
/// replica gives less at a time than it could.
#[derive(Debug, Clone, Copy, Default)]
pub struct PageRoom {
    bytes: usize,
}

impl PageRoom {
    /// Puts an item on the page.
    pub fn put(&mut self, item: &pb::InboxItem) {
        self.bytes = self.bytes.saturating_add(item.encoded_len());
    }

    /// Whether nothing more goes on it.
    #[must_use]
    pub const fn is_full(&self) -> bool {
        self.bytes >= PAGE_BYTES
    }
}

/// Encodes a question.
#[must_use]
pub fn encode_query(question: pb::query::Question) -> Vec<u8> {
    pb::Query {
        version: WIRE_VERSION,
        question: Some(question),
    }
    .encode_to_vec()
}

/// Decodes a question.
///
/// # Errors
/// [`Refusal::TooLarge`], [`Refusal::Version`] or [`Refusal::BadQuery`].
pub fn decode_query(bytes: &[u8]) -> Result<pb::query::Question, Refusal> {
    if bytes.len() > to_usize(QUERY_BYTES_MAX) {
        return Err(Refusal::TooLarge {
            what: "query",
            got: u64::try_from(bytes.len()).unwrap_or(u64::MAX),
            max: QUERY_BYTES_MAX.into(),
        });
    }
    let query = pb::Query::decode(bytes).map_err(|e| Refusal::BadQuery(e.to_string()))?;
    check_version(query.version)?;
    if query.encode_to_vec() != bytes {
        return Err(Refusal::BadQuery(
            "fields out of order, unknown or spelled out".into(),
        ));
    }
    query
        .question
        .ok_or_else(|| Refusal::BadQuery("no question".into()))
}

/// Decodes an answer. `Bytes` are shared with it and not copied.
///
/// # Errors
/// [`Refusal::Malformed`] or [`Refusal::Version`].
pub fn decode_answer(bytes: impl Buf) -> Result<pb::Answer, Refusal> {
    let answer = pb::Answer::decode(bytes).map_err(|_| Refusal::Malformed("answer"))?;
    check_version(answer.version)?;
    Ok(answer)
}

fn check_version(got: u32) -> Result<(), Refusal> {
    if got == WIRE_VERSION {
        return Ok(());
    }
    Err(Refusal::Version {
        got,
        expected: WIRE_VERSION,
    })
}

/// 32-byte values one after the other, as answers carry slots, paths and roots.
#[must_use]
pub fn join_hashes(hashes: &[Hash]) -> Vec<u8> {
    hashes.iter().flat_map(|hash| hash.0).collect()
}

/// Takes [`join_hashes`] apart; `None` when the length isn't a multiple of 32.
#[must_use]
pub fn split_hashes(bytes: &[u8]) -> Option<Vec<Hash>> {
    let (hashes, rest) = bytes.as_chunks::<32>();
    rest.is_empty()
        .then(|| hashes.iter().map(|hash| Hash(*hash)).collect())
}

impl From<&Terminal> for pb::Terminal {
    fn from(terminal: &Terminal) -> Self {
        Self {
            status: terminal.status.number().into(),
            cause: terminal.cause.number().into(),
            height: terminal.height,
            board_ms: terminal.board_ms,
            by: terminal.by.into(),
            outcome: terminal.outcome.0.to_vec(),
            n: terminal.members.size().into(),
            members: terminal.members.as_bytes().to_vec(),
            filled: terminal.filled.as_bytes().to_vec(),
        }
    }
}

impl TryFrom<&pb::Terminal> for Terminal {
    type Error = Refusal;

    fn try_from(terminal: &pb::Terminal) -> Result<Self, Refusal> {
        let n = narrow("n", terminal.n)?;
        let bitmap = |field, bytes: &[u8]| {
            Bitmap::from_bytes(n, bytes).ok_or(Refusal::Field {
                field,
                expected: "a bitmap of n bits",
            })
        };
        Ok(Self {
            status: Status::from_number(terminal.status).ok_or(unknown("status"))?,
            cause: Cause::from_number(terminal.cause).ok_or(unknown("cause"))?,
            height: terminal.height,
            board_ms: terminal.board_ms,
            by: narrow("by", terminal.by)?,
            outcome: Hash::from_slice(&terminal.outcome).ok_or(unknown("outcome"))?,
            members: bitmap("members", &terminal.members)?,
            filled: bitmap("filled", &terminal.filled)?,
        })
    }
}

impl From<&Culprit> for pb::Culprit {
    fn from(culprit: &Culprit) -> Self {
        Self {
            index: culprit.index.into(),
            kind: culprit.offence.number().into(),
            round: culprit.round,
            a: culprit.a.0.to_vec(),
            b: culprit.b.0.to_vec(),
        }
    }
}

impl TryFrom<&pb::Culprit> for Culprit {
    type Error = Refusal;

    fn try_from(culprit: &pb::Culprit) -> Result<Self, Refusal> {
        Ok(Self {
            index: narrow("index", culprit.index)?,
            offence: Offence::from_number(culprit.kind).ok_or(unknown("kind"))?,
            round: culprit.round,
            a: Hash::from_slice(&culprit.a).ok_or(unknown("a"))?,
            b: Hash::from_slice(&culprit.b).ok_or(unknown("b"))?,
        })
    }
}

fn narrow(field: &'static str, value: u32) -> Result<u16, Refusal> {
    u16::try_from(value).map_err(|_| unknown(field))
}

const fn unknown(field: &'static str) -> Refusal {
    Refusal::Field {
        field,
        expected: "a known value",
    }
}
