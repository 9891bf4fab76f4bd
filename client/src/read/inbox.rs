//! One closed round as one reader sees it.

use std::time::Duration;

use tokio::time::timeout;
use white_city_wire::{
    Hash, SessionId, SignedEntry, Spec,
    limits::{ENTRY_BYTES, NOBODY},
    pb,
    read::split_hashes,
    tx::entry_from_pb,
};

use super::{Lied, SessionRef, body};
use crate::replicas::{Endpoint, ReadError};

/// How long one replica may take for all pages of a round.
const ROUND_TIMEOUT: Duration = Duration::from_secs(20);

/// An entry as it came, with what its reader may read of it. Nothing of it has been checked yet:
/// [`History::close_round`](crate::history::History::close_round) does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// The author's header and signature.
    pub signed: SignedEntry,
    /// The broadcast, empty where there is none.
    pub broadcast: Vec<u8>,
    /// The reader's sealed payload, empty where there is none.
    pub ciphertext: Vec<u8>,
    /// From the reader's p2p leaf up to the p2p root.
    pub p2p_path: Vec<Hash>,
}

impl Entry {
    /// Reads all pages of a round, at most as many bytes as the spec has room for.
    pub(crate) async fn read_round(
        endpoint: &Endpoint,
        session: SessionId,
        round: u32,
        reader: Option<u16>,
        spec: &Spec,
    ) -> Result<Vec<Self>, ReadError> {
        let pages = Self::read_pages(endpoint, session, round, reader, spec);
        timeout(ROUND_TIMEOUT, pages)
            .await
            .map_err(|_| ReadError::Unreachable("it takes too long to give a round".into()))?
    }

    async fn read_pages(
        endpoint: &Endpoint,
        session: SessionId,
        round: u32,
        reader: Option<u16>,
        spec: &Spec,
    ) -> Result<Vec<Self>, ReadError> {
        let parties = spec.parties();
        let mut entries = Vec::new();
        let (mut from_index, mut bytes): (u32, u64) = (0, 0);
        while from_index < u32::from(parties) {
            let question = pb::query::Question::Inbox(pb::InboxQuery {
                session: SessionRef::Id(session).to_pb(),
                round,
                reader: reader.unwrap_or(NOBODY).into(),
                from_index,
            });
            let answer = endpoint.ask(question).await?;
            let page = body!(answer, Inbox)?;
            if page.round != round {
                return Err(ReadError::Lied("an inbox of another round".into()));
            }
            if page.next_index <= from_index || page.items.len() > usize::from(parties) {
                return Err(ReadError::Lied("pages of an inbox that don't end".into()));
            }
            for item in &page.items {
                let Some(entry) = Self::from_pb(item)? else {
                    continue;
                };
                let (_, _, index) = entry.signed.entry.slot();
                if !(from_index..page.next_index).contains(&index.into()) {
                    return Err(ReadError::Lied("an entry on another page".into()));
                }
                bytes = bytes.saturating_add(entry.bytes());
                if bytes > spec.max_bytes {
                    return Err(ReadError::Lied("more bytes than the spec allows".into()));
                }
                entries.push(entry);
            }
            from_index = page.next_index;
        }
        Ok(entries)
    }

    /// What it counts at least, bytes.
    fn bytes(&self) -> u64 {
        let payload = self.broadcast.len().saturating_add(self.ciphertext.len());
        ENTRY_BYTES.saturating_add(u64::try_from(payload).unwrap_or(u64::MAX))
    }

    /// `None` for an empty slot.
    pub(crate) fn from_pb(item: &pb::InboxItem) -> Result<Option<Self>, ReadError> {
        let signed = match &item.entry {
            None => return Ok(None),
            Some(pb::inbox_item::Entry::Signed(signed)) => signed,
            Some(pb::inbox_item::Entry::Join(_)) => {
                return Err(ReadError::Lied("a join in a running round".into()));
            }
        };
        let p2p_path = split_hashes(&item.p2p_path)
            .ok_or_else(|| ReadError::Lied("p2p path: not a multiple of 32 bytes".into()))?;
        Ok(Some(Self {
            signed: entry_from_pb(Some(signed)).or_lied("inbox")?,
            broadcast: item.broadcast.clone(),
            ciphertext: item.ciphertext.clone(),
            p2p_path,
        }))
    }
}
