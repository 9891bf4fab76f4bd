//! The state that was committed last, for everybody who only reads.

use white_city_state_machine::{BlockContext, Preview, State};
use white_city_wire::proof::StateProof;

use crate::{
    live::Live,
    store::{Snapshot, Tip},
};

/// The state after the last committed block, for everybody who only reads.
pub struct Committed {
    /// The state.
    pub state: State,
    /// Height, time and seal of the last block.
    pub tip: Tip,
    /// The sessions that haven't ended, by their parties.
    pub live: Live,
    /// The store at the same height.
    pub snapshot: Snapshot,
    /// Whether the last block has changed the state, as far as is known: the engine makes another one at once then, whose header
    /// certifies the change.
    pub is_changed: bool,
}

impl Committed {
    /// The context of a block that would follow at once, for checks that aren't consensus.
    #[must_use]
    pub const fn next_context(&self) -> BlockContext {
        BlockContext {
            height: self.tip.height.saturating_add(1),
            time: self.tip.time,
            parent_hash: self.tip.block_hash,
            parent_time: self.tip.time,
            proposer: [0; 20],
            voted: [0; 32],
        }
    }

    /// From the header of the last block to the state's root.
    #[must_use]
    pub fn state_proof(&self) -> StateProof {
        StateProof {
            board: self.state.board_root(),
            parent_hash: self.tip.seal.parent_hash,
            parent_time: self.tip.seal.parent_time,
            data_path: self.tip.seal_path.clone(),
        }
    }

    /// A block that would follow at once, in which transactions can be checked.
    #[must_use]
    pub fn peek(&self) -> Preview {
        Preview::new(self.state.clone(), self.next_context())
    }
}
