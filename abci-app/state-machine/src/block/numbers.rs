//! Openers as a block sees and changes them, and the numbers that it gives out.

use white_city_wire::{IdentityKey, board::OpenerLeaf};

use super::Block;
use crate::{opening::Opening, state::Reserved};

impl Block {
    pub(super) fn opener(&self, key: &IdentityKey) -> Option<(u32, OpenerLeaf)> {
        let (number, stored) = match self.fresh_openers.get(key.as_bytes()) {
            Some(number) => (*number, None),
            None => self
                .state
                .opener(key)
                .map(|(number, leaf)| (number, Some(leaf)))?,
        };
        let leaf = self.openers.get(&number);
        let leaf = leaf.or_else(|| stored.map(AsRef::as_ref))?;
        Some((number, leaf.clone()))
    }

    pub(super) fn opener_mut(&mut self, number: u32) -> Option<&mut OpenerLeaf> {
        if !self.openers.contains_key(&number) {
            let leaf = self.state.openers().get(number)?;
            self.openers.insert(number, OpenerLeaf::clone(leaf));
        }
        self.openers.get_mut(&number)
    }

    pub(super) fn next_session(&self) -> Option<u32> {
        let opened = u64::try_from(self.opened.len()).ok()?;
        u32::try_from(self.state.sessions().len().saturating_add(opened)).ok()
    }

    pub(super) fn next_opener(&self) -> Option<u32> {
        let known = self.state.openers().len();
        let fresh = u64::try_from(self.fresh_openers.len()).ok()?;
        u32::try_from(known.saturating_add(fresh)).ok()
    }

    /// Bytes that sessions reserve, with what this block adds.
    pub(super) fn reserved(&self) -> Reserved {
        let before = self.state.reserved();
        Reserved {
            all: before.all.saturating_add(self.added.all),
            strangers: before.strangers.saturating_add(self.added.strangers),
        }
    }

    /// Counts an opening for its opener.
    pub(super) fn put_opening(&mut self, opening: Opening) {
        let number = opening.opener;
        if u64::from(number) >= self.state.openers().len() {
            let key = *opening.leaf.key.as_bytes();
            self.fresh_openers.insert(key, number);
        }
        self.added.all = self.added.all.saturating_add(opening.reserved);
        if !opening.leaf.listed {
            self.added.strangers = self.added.strangers.saturating_add(opening.reserved);
        }
        self.openers.insert(number, opening.leaf);
    }
}
