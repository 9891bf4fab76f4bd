//! The records that a journal holds, as protobuf. Nothing here can be printed.

use prost::{Message, Oneof};
use white_city_wire::pb;
use zeroize::{Zeroize, Zeroizing};

/// One record.
#[derive(Clone, PartialEq, Oneof)]
#[prost(skip_debug)]
pub enum Record {
    /// The first one.
    #[prost(message, tag = "1")]
    Seeds(Seeds),
    /// A join or entry that was signed for a slot.
    #[prost(message, boxed, tag = "2")]
    Entry(Box<EntryRecord>),
    /// The transaction with which this party leaves.
    #[prost(bytes, tag = "3")]
    Leave(Vec<u8>),
    /// Something that the protocol wants to find again.
    #[prost(message, tag = "4")]
    Remembered(Remembered),
}

/// A protocol's own state, under a name. The last one of a name counts.
#[derive(Clone, PartialEq, Message)]
#[prost(skip_debug)]
pub struct Remembered {
    /// The name.
    #[prost(string, tag = "1")]
    pub name: String,
    /// The protocol's bytes.
    #[prost(bytes = "vec", tag = "2")]
    pub bytes: Vec<u8>,
}

/// All randomness of one party in one session.
#[derive(Clone, PartialEq, Message)]
#[prost(skip_debug)]
pub struct Seeds {
    /// 32 bytes: the [`white_city_wire::payload::SessionSeed`].
    #[prost(bytes = "vec", tag = "1")]
    pub session: Vec<u8>,
    /// 32 bytes: what the protocol draws from.
    #[prost(bytes = "vec", tag = "2")]
    pub protocol: Vec<u8>,
}

/// A join or an entry. What is sealed in it isn't here: the protocol derives it again from the seeds.
#[derive(Clone, PartialEq, Message)]
#[prost(skip_debug)]
pub struct EntryRecord {
    /// The round; 0 is joining.
    #[prost(uint32, tag = "1")]
    pub round: u32,
    /// The signed transaction: it names the transcript.
    #[prost(bytes = "vec", tag = "2")]
    pub tx: Vec<u8>,
    /// The height of the state that this party had read. Tag 3 held plaintexts once.
    #[prost(uint64, tag = "4")]
    pub height: u64,
    /// The proof of the transcript, should another history show up.
    #[prost(message, optional, tag = "5")]
    pub anchor: Option<pb::Anchor>,
    /// The era of the validators that had certified that state.
    #[prost(uint32, tag = "6")]
    pub era: u32,
    /// Hash of the header of the link to that era; empty in era 0.
    #[prost(bytes = "vec", tag = "7")]
    pub link: Vec<u8>,
}

#[derive(Clone, PartialEq, Message)]
#[prost(skip_debug)]
struct Envelope {
    #[prost(oneof = "Record", tags = "1, 2, 3, 4")]
    record: Option<Record>,
}

impl Record {
    /// The bytes that are sealed.
    #[must_use]
    pub fn to_bytes(&self) -> Zeroizing<Vec<u8>> {
        let envelope = Envelope {
            record: Some(self.clone()),
        };
        let bytes = Zeroizing::new(envelope.encode_to_vec());
        envelope.record.into_iter().for_each(Self::wipe);
        bytes
    }

    /// The record that these bytes are, if they are one.
    #[must_use]
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        Envelope::decode(bytes).ok()?.record
    }

    /// Forgets what is secret in it.
    pub fn wipe(self) {
        match self {
            Self::Seeds(seeds) => seeds.wipe(),
            Self::Remembered(mut remembered) => remembered.bytes.zeroize(),
            Self::Entry(_) | Self::Leave(_) => {}
        }
    }
}

impl Seeds {
    /// Forgets them.
    pub fn wipe(mut self) {
        self.session.zeroize();
        self.protocol.zeroize();
    }
}
