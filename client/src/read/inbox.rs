//! One closed round as one reader sees it.

use white_city_wire::{
    Hash, SessionId, SignedEntry, limits::NOBODY, pb, read::split_hashes, tx::entry_from_pb,
};

use super::{Lied, SessionRef, body};
use crate::replicas::{Endpoint, ReadError};

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
    /// Reads all pages of a round.
    pub(crate) async fn read_round(
        endpoint: &Endpoint,
        session: SessionId,
        round: u32,
        (reader, parties): (Option<u16>, u16),
    ) -> Result<Vec<Self>, ReadError> {
        let mut entries = Vec::new();
        let mut from_index: u32 = 0;
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
                entries.extend(Self::from_pb(item)?);
            }
            from_index = page.next_index;
        }
        Ok(entries)
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
