//! Closed rounds of sessions that aren't erased: what proofs about them need, though the session isn't in memory.

use redb::{ReadableTable, TableDefinition, WriteTransaction};
use white_city_state_machine::{ClosedRound, Session};
use white_city_wire::Hash;

use super::{Snapshot, StoreError};

/// The root over a round's slots, and the transcript before it.
type Row = (&'static [u8; 32], &'static [u8; 32]);

/// Session and round to what is stored of it.
const ROUNDS: TableDefinition<(u32, u32), Row> = TableDefinition::new("rounds");

/// Makes the table.
pub fn prepare(write: &WriteTransaction) -> Result<(), StoreError> {
    write.open_table(ROUNDS)?;
    Ok(())
}

/// Writes the round that a block may have closed: at most one of a session.
pub fn put_closed(write: &WriteTransaction, session: &Session) -> Result<(), StoreError> {
    let closed = session.body.as_ref().and_then(|body| body.closed.last());
    let (Some(closed), Some(round)) = (closed, session.leaf.open_round.checked_sub(1)) else {
        return Ok(());
    };
    put(write, (session.number, round), closed)
}

/// Writes a closed round, unless it is there.
pub fn put(
    write: &WriteTransaction,
    key: (u32, u32),
    closed: &ClosedRound,
) -> Result<(), StoreError> {
    let mut rounds = write.open_table(ROUNDS)?;
    if rounds.get(key)?.is_none() {
        rounds.insert(key, (&closed.root.0, &closed.before.0))?;
    }
    Ok(())
}

/// Removes those of a session.
pub fn erase(write: &WriteTransaction, session: u32) -> Result<(), StoreError> {
    let mut rounds = write.open_table(ROUNDS)?;
    rounds.retain_in((session, 0)..=(session, u32::MAX), |_, _| false)?;
    Ok(())
}

/// A closed round, as it is stored.
pub struct StoredRound {
    /// Root over its slots.
    pub root: Hash,
    /// The transcript before it.
    pub before: Hash,
}

impl Snapshot {
    /// The closed rounds of a session from one on, ascending.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn rounds_from(&self, session: u32, round: u32) -> Result<Vec<StoredRound>, StoreError> {
        let rounds = self.read.open_table(ROUNDS)?;
        rounds
            .range((session, round)..=(session, u32::MAX))?
            .map(|row| {
                let (_, stored) = row?;
                let (root, before) = stored.value();
                Ok(StoredRound {
                    root: Hash(*root),
                    before: Hash(*before),
                })
            })
            .collect()
    }
}
