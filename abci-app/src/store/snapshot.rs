//! What is stored, as it is at one moment.

use bytes::Bytes;
use prost::Message;
use redb::{ReadOnlyTable, ReadTransaction, ReadableTable};
use white_city_wire::{Hash, pb};

use super::{
    CHARTERS, COMPLAINT, DISPUTES, EVIDENCE, LEAVES, OPENERS, OPENS, OpenerRecord, P2pBlob,
    PARTIES, REVEAL, Sealed, SlotKey, StoreError, StoredEntry,
};

/// The store at one moment.
pub struct Snapshot {
    pub(super) read: ReadTransaction,
    /// Opened once: an answer about a round looks at each of its slots.
    pub(super) entries: ReadOnlyTable<SlotKey, &'static [u8]>,
    pub(super) p2p: ReadOnlyTable<SlotKey, &'static [u8]>,
}

impl Snapshot {
    /// The opening of a session, until its erasure.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn open(&self, session: u32) -> Result<Option<pb::Open>, StoreError> {
        let opens = self.read.open_table(OPENS)?;
        let Some(bytes) = opens.get(session)? else {
            return Ok(None);
        };
        let open = pb::Open::decode(bytes.value()).map_err(|_| StoreError::Damaged("a spec"))?;
        Ok(Some(open))
    }

    /// An entry without its sealed payloads.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn entry(
        &self,
        session: u32,
        round: u32,
        index: u16,
    ) -> Result<Option<StoredEntry>, StoreError> {
        let Some(bytes) = self.entries.get((session, round, index))? else {
            return Ok(None);
        };
        stored_entry(bytes.value()).map(Some)
    }

    /// The entries of one round with their indices, ascending.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn entries_of_round(
        &self,
        session: u32,
        round: u32,
    ) -> Result<Vec<(u16, StoredEntry)>, StoreError> {
        self.entries
            .range((session, round, 0)..=(session, round, u16::MAX))?
            .map(|row| {
                let (key, bytes) = row?;
                Ok((key.value().2, stored_entry(bytes.value())?))
            })
            .collect()
    }

    /// All entries of a session with their rounds and indices, ascending.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn entries(&self, session: u32) -> Result<Vec<(u32, u16, StoredEntry)>, StoreError> {
        self.entries
            .range((session, 0, 0)..=(session, u32::MAX, u16::MAX))?
            .map(|row| {
                let (key, bytes) = row?;
                let (_, round, index) = key.value();
                Ok((round, index, stored_entry(bytes.value())?))
            })
            .collect()
    }

    /// The sealed payload for `reader` in one post, and its path to the p2p root.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn sealed(
        &self,
        session: u32,
        round: u32,
        index: u16,
        reader: u16,
    ) -> Result<Option<Sealed>, StoreError> {
        let Some(bytes) = self.p2p.get((session, round, index))? else {
            return Ok(None);
        };
        P2pBlob::new(bytes.value())
            .and_then(|blob| blob.payload(reader))
            .map(Some)
            .ok_or(StoreError::Damaged("sealed payloads"))
    }

    /// Every sealed payload of one post.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn all_sealed(
        &self,
        session: u32,
        round: u32,
        index: u16,
    ) -> Result<Vec<pb::Sealed>, StoreError> {
        let Some(bytes) = self.p2p.get((session, round, index))? else {
            return Ok(Vec::new());
        };
        P2pBlob::new(bytes.value())
            .and_then(|blob| blob.all())
            .ok_or(StoreError::Damaged("sealed payloads"))
    }

    /// An opener.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn opener(&self, number: u32) -> Result<OpenerRecord, StoreError> {
        let openers = self.read.open_table(OPENERS)?;
        let row = openers.get(number)?;
        let record = row.and_then(|row| OpenerRecord::decode(row.value()).ok());
        record.ok_or(StoreError::Damaged("an opener"))
    }

    /// All charters that operators approve in this term.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn charters(&self) -> Result<Vec<pb::Charter>, StoreError> {
        let charters = self.read.open_table(CHARTERS)?;
        let damaged = |_| StoreError::Damaged("a charter");
        charters
            .iter()?
            .map(|row| pb::Charter::decode(row?.1.value()).map_err(damaged))
            .collect()
    }

    /// A charter that operators approve in this term.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn charter(&self, hash: &Hash) -> Result<Option<pb::Charter>, StoreError> {
        let charters = self.read.open_table(CHARTERS)?;
        let Some(bytes) = charters.get(&hash.0)? else {
            return Ok(None);
        };
        let charter = pb::Charter::decode(bytes.value());
        charter
            .map(Some)
            .map_err(|_| StoreError::Damaged("a charter"))
    }

    /// The evidence of a session, ascending by index.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn evidence(&self, session: u32) -> Result<Vec<pb::Evidence>, StoreError> {
        let evidence = self.read.open_table(EVIDENCE)?;
        evidence
            .range((session, 0)..=(session, u16::MAX))?
            .map(|row| {
                let (_, bytes) = row?;
                pb::Evidence::decode(bytes.value()).map_err(|_| StoreError::Damaged("evidence"))
            })
            .collect()
    }

    /// The declines and aborts of those who left a session, ascending by index.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn leaves(&self, session: u32) -> Result<Vec<pb::Tx>, StoreError> {
        let leaves = self.read.open_table(LEAVES)?;
        leaves
            .range((session, 0)..=(session, u16::MAX))?
            .map(|row| {
                let (_, bytes) = row?;
                pb::Tx::decode(bytes.value()).map_err(|_| StoreError::Damaged("a leave"))
            })
            .collect()
    }

    /// The transaction that brought a session's complaint.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn complaint(&self, session: u32) -> Result<Option<Vec<u8>>, StoreError> {
        self.disputed((session, COMPLAINT))
    }

    /// The transaction that brought the reveal.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn reveal(&self, session: u32) -> Result<Option<Vec<u8>>, StoreError> {
        self.disputed((session, REVEAL))
    }

    fn disputed(&self, key: (u32, u8)) -> Result<Option<Vec<u8>>, StoreError> {
        let disputes = self.read.open_table(DISPUTES)?;
        Ok(disputes.get(key)?.map(|tx| tx.value().to_vec()))
    }

    /// Numbers of at most `most` sessions with `identity` in their roster, ascending from `from`.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn sessions_of(
        &self,
        identity: &[u8; 32],
        from: u32,
        most: usize,
    ) -> Result<Vec<u32>, StoreError> {
        let parties = self.read.open_table(PARTIES)?;
        parties
            .range((identity, from)..=(identity, u32::MAX))?
            .take(most)
            .map(|row| Ok(row?.0.value().1))
            .collect()
    }

    /// The same from the highest number in a range down.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn sessions_of_down(
        &self,
        identity: &[u8; 32],
        (from, to): (u32, u32),
        most: usize,
    ) -> Result<Vec<u32>, StoreError> {
        let parties = self.read.open_table(PARTIES)?;
        let numbers = parties.range((identity, from)..=(identity, to))?.rev();
        numbers.take(most).map(|row| Ok(row?.0.value().1)).collect()
    }
}

/// Its parts share one copy of the row.
fn stored_entry(row: &[u8]) -> Result<StoredEntry, StoreError> {
    let entry = StoredEntry::decode(Bytes::copy_from_slice(row));
    entry.map_err(|_| StoreError::Damaged("an entry"))
}
