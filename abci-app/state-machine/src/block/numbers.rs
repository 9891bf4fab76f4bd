//! Openers as a block sees and changes them, and the numbers that it gives out.

use white_city_wire::{IdentityKey, board::OpenerLeaf};

use super::Block;
use crate::opening::is_stranger;

impl Block {
    pub(super) fn opener(&self, key: &IdentityKey) -> Option<(u32, OpenerLeaf)> {
        let fresh = self.openers.iter().find(|(_, leaf)| leaf.key == *key);
        match fresh {
            Some((number, leaf)) => Some((*number, leaf.clone())),
            None => {
                let (number, leaf) = self.state.opener(key)?;
                Some((number, OpenerLeaf::clone(leaf)))
            }
        }
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
        let fresh = self
            .openers
            .keys()
            .filter(|number| u64::from(**number) >= known)
            .count();
        u32::try_from(known.saturating_add(u64::try_from(fresh).ok()?)).ok()
    }

    /// What openers outside the genesis have reserved, with what this block adds.
    pub(super) fn strangers_bytes(&self) -> u64 {
        let strangers = self
            .openers
            .iter()
            .filter(|(number, _)| is_stranger(self.state.network(), **number));
        strangers.fold(self.state.strangers_bytes(), |sum, (number, leaf)| {
            let before = self
                .state
                .openers()
                .get(*number)
                .map_or(0, |l| l.live_bytes);
            sum.saturating_sub(before).saturating_add(leaf.live_bytes)
        })
    }
}
