//! Filling an empty store with what was restored.

use prost::Message;
use redb::{Durability, ReadableTable, WriteTransaction};
use white_city_state_machine::{ClosedRound, Frozen};
use white_city_wire::{Hash, Network, SessionId, VerifiedTx, pb, tx::charter_from_pb};

use super::{
    CHARTERS, META, OPENERS, SESSIONS, Store, StoreError, Tip, erased,
    links::LINKS,
    put_genesis, put_meta, put_tx,
    records::{OpenerRecord, SessionRecord},
    rounds,
};

/// One transaction that fills a store.
pub struct Fill {
    write: WriteTransaction,
}

impl Store {
    /// Begins to fill it.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn fill(&self) -> Result<Fill, StoreError> {
        let mut write = self.database().begin_write()?;
        // Until the end it is worth nothing.
        write.set_durability(Durability::None)?;
        Ok(Fill { write })
    }
}

impl Fill {
    /// Writes a link.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn link(&self, era: u32, height: u64, link: &pb::Link) -> Result<(), StoreError> {
        let bytes = link.encode_to_vec();
        let mut links = self.write.open_table(LINKS)?;
        links.insert(era, (height, bytes.as_slice()))?;
        Ok(())
    }

    /// Writes a charter that operators approve; gives its hash.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn charter(&self, charter: &pb::Charter) -> Result<Hash, StoreError> {
        let read = charter_from_pb(charter).map_err(|_| StoreError::Damaged("a charter"))?;
        let (hash, bytes) = (read.hash(), charter.encode_to_vec());
        let mut charters = self.write.open_table(CHARTERS)?;
        charters.insert(&hash.0, bytes.as_slice())?;
        Ok(hash)
    }

    /// Writes an opener.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn opener(&self, number: u32, opener: &OpenerRecord) -> Result<(), StoreError> {
        let mut openers = self.write.open_table(OPENERS)?;
        openers.insert(number, opener.encode_to_vec().as_slice())?;
        Ok(())
    }

    /// Writes a session's record.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn session(&self, number: u32, record: &SessionRecord) -> Result<(), StoreError> {
        let mut sessions = self.write.open_table(SESSIONS)?;
        sessions.insert(number, record.encode_to_vec().as_slice())?;
        Ok(())
    }

    /// Writes what a transaction brings to a session of so many parties.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn tx(&self, session: u32, parties: u16, tx: &VerifiedTx) -> Result<(), StoreError> {
        put_tx(&self.write, (session, parties), tx)
    }

    /// Writes a closed round.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn round(&self, session: u32, round: u32, closed: &ClosedRound) -> Result<(), StoreError> {
        rounds::put(&self.write, (session, round), closed)
    }

    /// Writes an erased session.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn erased(
        &self,
        number: u32,
        id: &SessionId,
        record: &SessionRecord,
    ) -> Result<(), StoreError> {
        erased::put_record(&self.write, number, id, record)
    }

    /// Writes roots of subtrees of erased sessions.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn frozen(&self, frozen: &[Frozen]) -> Result<(), StoreError> {
        erased::put_frozen(&self.write, frozen)
    }

    /// Writes the network, and what the state says of its rules.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn board(
        &self,
        network: &Network,
        rules: &[u8],
        charter: &pb::Charter,
    ) -> Result<(), StoreError> {
        put_genesis(&self.write, network)?;
        let mut meta = self.write.open_table(META)?;
        meta.insert("rules", rules)?;
        meta.insert("charter", charter.encode_to_vec().as_slice())?;
        Ok(())
    }

    /// Writes what is known of the block, and the board's numbers.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn tip(&self, paused_ms: u64, sessions: u64, tip: &Tip) -> Result<(), StoreError> {
        put_meta(&self.write, paused_ms, tip)?;
        let mut meta = self.write.open_table(META)?;
        meta.insert("sessions", sessions.to_be_bytes().as_slice())?;
        Ok(())
    }

    /// Ends it; another one goes on.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn commit(self) -> Result<(), StoreError> {
        Ok(self.write.commit()?)
    }

    /// Ends the last one: what was filled stays.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn commit_for_good(mut self) -> Result<(), StoreError> {
        self.write.set_durability(Durability::Immediate)?;
        self.write.set_quick_repair(true);
        Ok(self.write.commit()?)
    }
}

impl Store {
    /// Notes the hash and time of the last block, which were found after its state was restored; says whether it still is the last one.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn complete(&self, paused_ms: u64, tip: &Tip) -> Result<bool, StoreError> {
        let write = self.database().begin_write()?;
        // Nobody else writes meanwhile, but a block may have been stored since the header was asked for.
        let is_last = {
            let meta = write.open_table(META)?;
            let height = meta.get("height")?;
            height.is_some_and(|height| height.value() == tip.height.to_be_bytes())
        };
        if is_last {
            put_meta(&write, paused_ms, tip)?;
        }
        write.commit()?;
        Ok(is_last)
    }
}

impl Tip {
    /// All that is known of the block after which a state was restored.
    #[must_use]
    pub fn restored(height: u64, root: Hash) -> Self {
        Self {
            height,
            block_hash: Hash::ZERO,
            time: Default::default(),
            seal: white_city_wire::seal::Seal {
                root,
                parent_hash: Hash::ZERO,
                parent_time: Default::default(),
            },
            seal_path: Vec::new(),
            is_restored: true,
        }
    }
}
