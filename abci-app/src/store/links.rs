//! Links between eras, by the era that they lead to. A row is there from the block that changes the validators on, with its header as soon
//! as the engine gives it.

use prost::Message;
use redb::{ReadableDatabase, ReadableTable, TableDefinition, WriteTransaction};
use white_city_state_machine::Ended;
use white_city_wire::pb;

use super::{Store, StoreError};

/// A link as the store keeps it: without its header as long as the engine hasn't given it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Kept {
    /// Number of the era that it leads to.
    pub era: u32,
    /// Height of its header.
    pub height: u64,
    /// The link.
    pub link: pb::Link,
}

impl Kept {
    /// Whether its header is still missing.
    #[must_use]
    pub fn is_missing(&self) -> bool {
        self.link.signed_header.is_empty()
    }
}

/// Era, from 1, to the height of its link's header and the link.
pub const LINKS: TableDefinition<u32, (u64, &[u8])> = TableDefinition::new("links");

/// Notes that a block has changed the validators: the header after it is the link.
pub fn note(write: &WriteTransaction, ended: &Ended) -> Result<(), StoreError> {
    let term = ended.state.term();
    if !ended.enacted || term.era_height != term.height {
        return Ok(());
    }
    let replicas = term.charter.replicas.iter();
    let link = pb::Link {
        signed_header: Vec::new(),
        validators: replicas.flat_map(|replica| replica.validator.0).collect(),
    };
    let height = term.era_height.saturating_add(1);
    let mut links = write.open_table(LINKS)?;
    links.insert(term.eras, (height, link.encode_to_vec().as_slice()))?;
    Ok(())
}

fn kept(era: u32, (height, link): (u64, &[u8])) -> Result<Kept, StoreError> {
    let link = pb::Link::decode(link).map_err(|_| StoreError::Damaged("a link"))?;
    Ok(Kept { era, height, link })
}

impl Store {
    /// The link that leads to an era, with or without its header.
    #[must_use]
    pub fn link(&self, era: u32) -> Option<Kept> {
        let read = self.database().begin_read().ok()?;
        let links = read.open_table(LINKS).ok()?;
        let row = links.get(era).ok()??;
        kept(era, row.value()).ok()
    }

    /// All links that have their headers, from era 1 on without a gap.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn links(&self) -> Result<Vec<Kept>, StoreError> {
        let read = self.database().begin_read()?;
        let links = read.open_table(LINKS)?;
        let mut whole = Vec::new();
        for row in links.iter()? {
            let (era, link) = row?;
            let link = kept(era.value(), link.value())?;
            if link.is_missing() {
                break;
            }
            whole.push(link);
        }
        Ok(whole)
    }

    /// Stores a link with its header.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn put_link(&self, link: &Kept) -> Result<(), StoreError> {
        let write = self.database().begin_write()?;
        {
            let mut links = write.open_table(LINKS)?;
            let bytes = link.link.encode_to_vec();
            links.insert(link.era, (link.height, bytes.as_slice()))?;
        }
        write.commit()?;
        Ok(())
    }
}
