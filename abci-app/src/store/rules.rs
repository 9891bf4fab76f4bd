//! The rules in force and the operators' words, as the store keeps them.

use std::{collections::BTreeSet, sync::Arc};

use prost::Message;
use redb::{ReadableTable, ReadableTableMetadata, WriteTransaction};
use white_city_state_machine::{Ended, Rules, Term};
use white_city_wire::{
    Charter, Hash, VerifiedTx,
    approve::{Approve, Word},
    pb,
    tx::{Action, charter_from_pb, charter_to_pb, proposal_from_pb, proposal_to_pb},
};

use super::{
    CHARTERS, META, OPENERS, Snapshot, StoreError,
    load::{meta, number},
};

/// What a state says about the rules, beside the charter in force.
#[derive(Clone, PartialEq, prost::Message)]
struct RulesRecord {
    #[prost(uint64, tag = "1")]
    pub term_height: u64,
    #[prost(uint32, tag = "2")]
    pub eras: u32,
    #[prost(uint64, tag = "3")]
    pub era_height: u64,
    #[prost(bytes = "vec", tag = "4")]
    pub proven: Vec<u8>,
    #[prost(uint32, tag = "5")]
    pub protocol: u32,
    #[prost(message, repeated, tag = "6")]
    pub proposals: Vec<pb::Proposal>,
}

impl From<&Rules> for RulesRecord {
    fn from(rules: &Rules) -> Self {
        let proposals = rules.proposals.iter().map(proposal_to_pb);
        Self {
            term_height: rules.term.height,
            eras: rules.term.eras,
            era_height: rules.term.era_height,
            proven: rules.term.proven.to_vec(),
            protocol: rules.protocol,
            proposals: proposals.collect(),
        }
    }
}

impl RulesRecord {
    /// The rules with this charter; `None` for a record that isn't one.
    fn with(self, charter: Charter) -> Option<Rules> {
        let proposals = self
            .proposals
            .iter()
            .map(|word| proposal_from_pb(word).ok());
        Some(Rules {
            proposals: proposals.collect::<Option<_>>()?,
            protocol: self.protocol,
            term: Term {
                charter_hash: charter.hash(),
                charter: Arc::new(charter),
                height: self.term_height,
                eras: self.eras,
                era_height: self.era_height,
                proven: self.proven.try_into().ok()?,
            },
        })
    }
}

/// Keeps a charter that an operator approves: the root has its hash only.
pub fn put_charter(write: &WriteTransaction, tx: &VerifiedTx) -> Result<(), StoreError> {
    if let Action::Approve(Approve {
        word: Word::Charter { charter, .. },
        ..
    }) = tx.action()
    {
        let bytes = charter_to_pb(charter).encode_to_vec();
        let mut charters = write.open_table(CHARTERS)?;
        charters.insert(&charter.hash().0, bytes.as_slice())?;
    }
    Ok(())
}

/// Writes what the state says about the rules, and drops charters that nobody approves any more.
pub fn put(write: &WriteTransaction, ended: &Ended, first: bool) -> Result<(), StoreError> {
    let rules = ended.state.rules();
    let mut meta = write.open_table(META)?;
    if first || ended.enacted {
        let charter = charter_to_pb(&rules.term.charter).encode_to_vec();
        meta.insert("charter", charter.as_slice())?;
    }
    let record = RulesRecord::from(&rules).encode_to_vec();
    let same = meta.get("rules")?.is_some_and(|old| old.value() == record);
    if same {
        return Ok(());
    }
    meta.insert("rules", record.as_slice())?;
    let wanted: BTreeSet<Hash> = rules.proposals.iter().map(|p| p.charter_hash).collect();
    let mut charters = write.open_table(CHARTERS)?;
    charters.retain(|hash, _| wanted.contains(&Hash(*hash)))?;
    Ok(())
}

/// The one field of a charter that charters under all rules have in this place.
#[derive(Clone, PartialEq, prost::Message)]
struct Numbered {
    #[prost(uint32, tag = "4")]
    protocol: u32,
}

/// Number of the rules that the next block is executed by, and the height of the last one.
pub fn next(snapshot: &Snapshot) -> Result<Option<(u32, u64)>, StoreError> {
    let Some(charter) = meta(snapshot, "charter")? else {
        return Ok(None);
    };
    let damaged = |_| StoreError::Damaged("the charter");
    let charter = Numbered::decode(charter.as_slice()).map_err(damaged)?;
    let height = number(snapshot, "height")?;
    Ok(Some((charter.protocol, height)))
}

/// What the state says about the rules. The root is over all of it.
pub fn load(snapshot: &Snapshot) -> Result<Rules, StoreError> {
    let damaged = || StoreError::Damaged("the charter");
    let charter = meta(snapshot, "charter")?.ok_or_else(damaged)?;
    let charter = pb::Charter::decode(charter.as_slice()).map_err(|_| damaged())?;
    let charter = charter_from_pb(&charter).map_err(|_| damaged())?;
    let record = meta(snapshot, "rules")?.ok_or_else(damaged)?;
    let record = RulesRecord::decode(record.as_slice()).map_err(|_| damaged())?;
    record.with(charter).ok_or_else(damaged)
}

/// What the board says of itself, as it is stored.
pub struct StoredBoard {
    /// Height of the last block.
    pub height: u64,
    /// The rules' record.
    pub rules: Vec<u8>,
    /// The charter in force.
    pub charter: pb::Charter,
    /// Time that the board was down, ms.
    pub paused_ms: u64,
    /// Number of sessions.
    pub sessions: u64,
    /// Number of openers.
    pub openers: u64,
}

impl Snapshot {
    /// What the board says of itself.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn board(&self) -> Result<StoredBoard, StoreError> {
        let damaged = || StoreError::Damaged("the charter");
        let charter = meta(self, "charter")?.ok_or_else(damaged)?;
        Ok(StoredBoard {
            height: number(self, "height")?,
            rules: meta(self, "rules")?.ok_or_else(damaged)?,
            charter: pb::Charter::decode(charter.as_slice()).map_err(|_| damaged())?,
            paused_ms: number(self, "paused_ms")?,
            sessions: number(self, "sessions")?,
            openers: self.read.open_table(OPENERS)?.len()?,
        })
    }
}
