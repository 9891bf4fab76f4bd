//! The records of the store. Their layout is the replica's own; nothing of it is hashed or leaves the process.

use bytes::Bytes;
use white_city_state_machine::Session;
use white_city_wire::{
    Hash,
    board::{Culprit, OpenerLeaf, SessionLeaf, Terminal},
    pb,
};

use super::StoreError;

/// A session without its spec and entries, which have rows of their own.
#[derive(Clone, PartialEq, prost::Message)]
pub struct SessionRecord {
    /// Its leaf.
    #[prost(message, optional, tag = "1")]
    pub leaf: Option<pb::SessionLeaf>,
    /// Its end, if it has ended.
    #[prost(message, optional, tag = "2")]
    pub terminal: Option<pb::Terminal>,
    /// Parties with signed evidence against them.
    #[prost(message, repeated, tag = "3")]
    pub culprits: Vec<pb::Culprit>,
    /// Parties that left by name.
    #[prost(message, repeated, tag = "4")]
    pub left: Vec<pb::Leaver>,
    /// The spec's name of the protocol.
    #[prost(string, tag = "5")]
    pub protocol: String,
}

impl From<&Session> for SessionRecord {
    fn from(session: &Session) -> Self {
        let body = session.body.as_ref();
        Self {
            leaf: Some((&session.leaf).into()),
            terminal: session.terminal.as_ref().map(pb::Terminal::from),
            culprits: session.culprits().iter().map(pb::Culprit::from).collect(),
            left: body.map_or_else(Vec::new, |body| leavers(&body.left)),
            protocol: body.map_or_else(String::new, |body| body.spec.protocol.clone()),
        }
    }
}

impl SessionRecord {
    /// The leaf, and the end that it commits to.
    ///
    /// # Errors
    /// [`StoreError::Damaged`].
    pub fn leaf_and_end(&self) -> Result<(SessionLeaf, Option<Terminal>), StoreError> {
        let damaged = || StoreError::Damaged("a session");
        let leaf = self.leaf.as_ref().map(SessionLeaf::try_from);
        let leaf = leaf.and_then(Result::ok).ok_or_else(damaged)?;
        let terminal = self.terminal.as_ref().map(Terminal::try_from);
        let terminal = terminal.transpose().map_err(|_| damaged())?;
        let end = terminal.as_ref().map_or(Hash::ZERO, Terminal::hash);
        (end == leaf.terminal).then_some(()).ok_or_else(damaged)?;
        Ok((leaf, terminal))
    }

    /// Parties with signed evidence against them.
    ///
    /// # Errors
    /// [`StoreError::Damaged`].
    pub fn culprits(&self) -> Result<Vec<Culprit>, StoreError> {
        let culprits = self.culprits.iter().map(Culprit::try_from);
        culprits
            .collect::<Result<_, _>>()
            .map_err(|_| StoreError::Damaged("a session"))
    }

    /// Parties that left by name.
    ///
    /// # Errors
    /// [`StoreError::Damaged`].
    pub fn left(&self) -> Result<Vec<(u16, Hash)>, StoreError> {
        let damaged = || StoreError::Damaged("a session");
        let left = self.left.iter().map(|leaver| {
            let index = u16::try_from(leaver.index).map_err(|_| damaged())?;
            Ok((index, Hash::from_slice(&leaver.digest).ok_or_else(damaged)?))
        });
        left.collect()
    }
}

/// Those who left, as answers and records carry them.
pub fn leavers(left: &[(u16, Hash)]) -> Vec<pb::Leaver> {
    left.iter()
        .map(|(index, digest)| pb::Leaver {
            index: (*index).into(),
            digest: digest.0.to_vec(),
        })
        .collect()
}

/// An opener.
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub struct OpenerRecord {
    /// Its key.
    #[prost(bytes = "vec", tag = "1")]
    pub key: Vec<u8>,
    /// Whether the charter lists it.
    #[prost(bool, tag = "2")]
    pub listed: bool,
    /// Most live sessions.
    #[prost(uint32, tag = "3")]
    pub max_live: u32,
    /// Most bytes that they reserve.
    #[prost(uint64, tag = "4")]
    pub max_bytes: u64,
    /// Number of its live sessions.
    #[prost(uint32, tag = "5")]
    pub live: u32,
    /// Bytes that its sessions reserve.
    #[prost(uint64, tag = "6")]
    pub live_bytes: u64,
}

impl From<&OpenerLeaf> for OpenerRecord {
    fn from(opener: &OpenerLeaf) -> Self {
        Self {
            key: opener.key.as_bytes().to_vec(),
            listed: opener.listed,
            max_live: opener.max_live,
            max_bytes: opener.max_bytes,
            live: opener.live,
            live_bytes: opener.live_bytes,
        }
    }
}

/// An entry or a join with its signature, without sealed payloads.
#[derive(Clone, PartialEq, prost::Message)]
pub struct StoredEntry {
    /// A join, in round 0.
    #[prost(message, optional, tag = "1")]
    pub join: Option<pb::Join>,
    /// A post or finish, in the other rounds.
    #[prost(message, optional, tag = "2")]
    pub signed: Option<pb::SignedEntry>,
    /// The post's broadcast.
    #[prost(bytes = "bytes", tag = "3")]
    pub broadcast: Bytes,
}

impl StoredEntry {
    /// A join.
    #[must_use]
    pub const fn join(join: pb::Join) -> Self {
        Self {
            join: Some(join),
            signed: None,
            broadcast: Bytes::new(),
        }
    }

    /// A post or finish.
    #[must_use]
    pub const fn signed(signed: pb::SignedEntry, broadcast: Bytes) -> Self {
        Self {
            join: None,
            signed: Some(signed),
            broadcast,
        }
    }
}
