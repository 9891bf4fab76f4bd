//! Last call: after a deadline, blocks count until f + 1 different proposers had no entry of the session to add.
//! So no single replica can make an honest party late.

use white_city_wire::{Bitmap, board::SessionLeaf};

/// What a block means for every session in last call.
#[derive(Debug, Clone, Copy)]
pub struct CallBlock {
    /// The proposer's position among the validators sorted by key.
    pub proposer: Option<u16>,
    /// Whether the block is full, so that an honest proposer may have had no room.
    pub full: bool,
    /// How many replicas may be malicious.
    pub faults: u16,
}

/// Counts a block for a session past its deadline, and says whether its last call is over.
pub fn count(leaf: &mut SessionLeaf, carried_entry: bool, block: CallBlock) -> bool {
    leaf.call_blocks = leaf.call_blocks.saturating_add(1);
    let mut callers = Bitmap::from_bytes(256, &leaf.callers).unwrap_or(Bitmap::empty(256));
    if let Some(proposer) = block.proposer.filter(|_| !carried_entry && !block.full) {
        callers.insert(proposer);
    }
    leaf.callers
        .iter_mut()
        .zip(callers.as_bytes())
        .for_each(|(to, from)| *to = *from);
    callers.count() > block.faults
}
