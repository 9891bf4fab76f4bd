//! What a snapshot consists of.

use prost::{Message, bytes::Bytes, decode_length_delimiter};
use white_city_wire::pb;

use crate::store::{OpenerRecord, SessionRecord};

/// Number of this layout.
pub const FORMAT: u32 = 1;

/// Size from which on a chunk is full, bytes.
pub const CHUNK_BYTES: usize = 2 << 20;
/// Largest chunk, bytes: a full one and one item more.
pub const CHUNK_BYTES_MAX: usize = CHUNK_BYTES + ITEM_BYTES_MAX;
/// Largest item, bytes: a charter or a transaction at its limit, a link of 256 validators.
pub const ITEM_BYTES_MAX: usize = 2 << 20;

/// One item of a snapshot. They stand in the order of the variants, each session before its transactions.
#[derive(Clone, PartialEq, prost::Message)]
pub struct Item {
    #[prost(oneof = "Content", tags = "1, 2, 3, 4, 5, 6, 7")]
    pub content: Option<Content>,
}

/// See [`Item`].
#[derive(Clone, PartialEq, prost::Oneof)]
pub enum Content {
    /// What the state says of itself; the first item.
    #[prost(message, tag = "1")]
    Board(BoardItem),
    /// The link to the next era, from era 1 on.
    #[prost(message, tag = "2")]
    Link(LinkItem),
    /// A charter that operators approve in this term.
    #[prost(message, tag = "3")]
    Charter(pb::Charter),
    /// The next opener.
    #[prost(message, tag = "4")]
    Opener(OpenerRecord),
    /// The next session, if it isn't erased.
    #[prost(message, tag = "5")]
    Session(SessionItem),
    /// A transaction that this session keeps: its opening, then its entries by round and index, leaves, evidence, complaint and reveal.
    #[prost(bytes = "bytes", tag = "6")]
    Tx(Bytes),
    /// The next session, if it is erased.
    #[prost(message, tag = "7")]
    Erased(SessionItem),
}

/// What the state says of itself.
#[derive(Clone, PartialEq, prost::Message)]
pub struct BoardItem {
    #[prost(uint64, tag = "1")]
    pub height: u64,
    /// As [`crate::store::Store`] keeps them.
    #[prost(bytes = "vec", tag = "2")]
    pub rules: Vec<u8>,
    #[prost(message, optional, tag = "3")]
    pub charter: Option<pb::Charter>,
    #[prost(uint64, tag = "4")]
    pub paused_ms: u64,
    /// Number of sessions.
    #[prost(uint64, tag = "5")]
    pub sessions: u64,
    /// Number of openers.
    #[prost(uint64, tag = "6")]
    pub openers: u64,
}

/// A link between eras.
#[derive(Clone, PartialEq, prost::Message)]
pub struct LinkItem {
    /// Height of its header.
    #[prost(uint64, tag = "1")]
    pub height: u64,
    #[prost(message, optional, tag = "2")]
    pub link: Option<pb::Link>,
}

/// A session's record.
#[derive(Clone, PartialEq, prost::Message)]
pub struct SessionItem {
    #[prost(message, optional, tag = "1")]
    pub record: Option<SessionRecord>,
}

impl From<Content> for Item {
    fn from(content: Content) -> Self {
        Self {
            content: Some(content),
        }
    }
}

/// Reads a chunk; `None` for one that isn't whole items in their one encoding.
pub fn decode_chunk(mut chunk: Bytes) -> Option<Vec<Content>> {
    let mut items = Vec::new();
    while !chunk.is_empty() {
        let bytes = decode_length_delimiter(&mut chunk).ok()?;
        let encoded = (bytes <= chunk.len()).then(|| chunk.split_to(bytes))?;
        let item = Item::decode(encoded.clone()).ok()?;
        if item.encode_to_vec() != encoded {
            return None;
        }
        items.push(item.content?);
    }
    Some(items)
}
