//! Why a store can't be used.

use white_city_wire::Hash;

use super::STORE_VERSION;

/// Why the store can't be used.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The file can't be opened, read or written.
    #[error("the store: {0}")]
    Database(Box<redb::Error>),
    /// The file has a layout of another version.
    #[error("the store has layout {got}, expected {STORE_VERSION}")]
    Version {
        /// The version in the file.
        got: u32,
    },
    /// A record that this version can't have written.
    #[error("the store is damaged: {0}")]
    Damaged(&'static str),
    /// Sessions that aren't those that were stored.
    #[error(
        "the store is damaged: its sessions have the root {loaded}, its last block had {stored}"
    )]
    Root {
        /// Root of what was loaded.
        loaded: Hash,
        /// Root that the last block was stored with.
        stored: Hash,
    },
}

impl<E: Into<redb::Error>> From<E> for StoreError {
    fn from(error: E) -> Self {
        Self::Database(Box::new(error.into()))
    }
}
