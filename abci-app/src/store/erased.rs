//! What is kept of erased sessions for ever: their leaves, and what proves them. The state keeps nothing of them in memory.

use prost::Message;
use redb::{TableDefinition, WriteTransaction};
use white_city_state_machine::{Frozen, Session};
use white_city_wire::{Hash, SessionId};

use super::{Snapshot, StoreError, records::SessionRecord};

/// Number to leaf and terminal record.
const ERASED: TableDefinition<u32, &[u8]> = TableDefinition::new("erased");
/// Id to number.
const ERASED_IDS: TableDefinition<&[u8; 32], u32> = TableDefinition::new("erased_ids");
/// Level, from 1, and index to the root of a subtree of sessions all of which are erased.
const FROZEN: TableDefinition<(u8, u32), &[u8; 32]> = TableDefinition::new("frozen");

/// Makes the tables.
pub fn prepare(write: &WriteTransaction) -> Result<(), StoreError> {
    write.open_table(ERASED)?;
    write.open_table(ERASED_IDS)?;
    write.open_table(FROZEN)?;
    Ok(())
}

/// Writes a session that a block has erased.
pub fn put(write: &WriteTransaction, session: &Session) -> Result<(), StoreError> {
    let record = SessionRecord::from(session);
    put_record(write, session.number, &session.id(), &record)
}

/// Writes an erased session's record.
pub fn put_record(
    write: &WriteTransaction,
    number: u32,
    id: &SessionId,
    record: &SessionRecord,
) -> Result<(), StoreError> {
    let mut erased = write.open_table(ERASED)?;
    erased.insert(number, record.encode_to_vec().as_slice())?;
    let mut ids = write.open_table(ERASED_IDS)?;
    ids.insert(&id.0, number)?;
    Ok(())
}

/// Writes what the state has let go of.
pub fn put_frozen(write: &WriteTransaction, frozen: &[Frozen]) -> Result<(), StoreError> {
    if frozen.is_empty() {
        return Ok(());
    }
    let mut table = write.open_table(FROZEN)?;
    for Frozen { level, index, hash } in frozen {
        table.insert((*level, *index), &hash.0)?;
    }
    Ok(())
}

impl Snapshot {
    /// An erased session.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn erased(&self, number: u32) -> Result<Option<Session>, StoreError> {
        let Some(record) = self.erased_record(number)? else {
            return Ok(None);
        };
        let (leaf, terminal) = record.leaf_and_end()?;
        Ok(Some(Session {
            number,
            leaf,
            terminal,
            body: None,
            rest: None,
        }))
    }

    /// The record of an erased session.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn erased_record(&self, number: u32) -> Result<Option<SessionRecord>, StoreError> {
        let erased = self.read.open_table(ERASED)?;
        let row = erased.get(number)?;
        let record = row.map(|row| SessionRecord::decode(row.value()));
        let record = record.transpose();
        record.map_err(|_| StoreError::Damaged("an erased session"))
    }

    /// The number of an erased session.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn erased_number(&self, id: &SessionId) -> Result<Option<u32>, StoreError> {
        let ids = self.read.open_table(ERASED_IDS)?;
        Ok(ids.get(&id.0)?.map(|number| number.value()))
    }

    /// The root of a subtree all of whose sessions are erased.
    ///
    /// # Errors
    /// [`StoreError`], also where that isn't so.
    pub fn frozen(&self, level: u8, index: u32) -> Result<Hash, StoreError> {
        let damaged = || StoreError::Damaged("the tree of erased sessions");
        if level == 0 {
            let session = self.erased(index)?.ok_or_else(damaged)?;
            return Ok(session.leaf.hash());
        }
        let frozen = self.read.open_table(FROZEN)?;
        let hash = frozen.get((level, index))?.ok_or_else(damaged)?;
        Ok(Hash(*hash.value()))
    }
}
