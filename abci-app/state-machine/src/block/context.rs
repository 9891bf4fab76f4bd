//! The outside, as a block tells it.

use white_city_wire::{Hash, Network, seal::BlockTime};

/// All that a block tells the state machine about the outside.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BlockContext {
    /// The block's height.
    pub height: u64,
    /// Its header's time.
    pub time: BlockTime,
    /// Hash of the block before; zeros in the first block.
    pub parent_hash: Hash,
    /// Header time of the block before; the genesis time in the first block.
    pub parent_time: BlockTime,
    /// Address of the validator that proposed it.
    pub proposer: [u8; 20],
    /// Replicas by position in the charter in force, whose validators' votes for the block before it carries: a bitmap.
    pub voted: [u8; 32],
}

/// Time for which the board was down before a block, ms.
pub(super) fn outage_ms(network: &Network, context: &BlockContext) -> u64 {
    let (time, parent) = (context.time, context.parent_time);
    let step = time.millis().saturating_sub(parent.millis());
    let is_first = context.height <= network.initial_height;
    if is_first || step <= u64::from(network.params.cap_ms) {
        return 0;
    }
    step
}
