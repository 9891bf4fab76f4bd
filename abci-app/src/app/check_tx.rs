//! What this replica takes into its mempool.

use std::sync::Arc;

use white_city_wire::{Refusal, VerifiedTx, tx::entry_from_pb};

use super::{Committed, Replica};
use crate::pending::signed_entry;

impl Replica {
    /// Checks a transaction against the last committed state and against what is pending here.
    ///
    /// # Errors
    /// A [`Refusal`].
    pub fn check_tx(&self, bytes: &[u8]) -> Result<(), Refusal> {
        let committed = self.committed().ok_or(Refusal::NotReady)?;
        let block = committed.peek();
        let network = &committed.state.network().id;
        let tx = self.shared.verified.verify(&block, network, bytes)?;
        if let Err(refusal) = block.check(&tx) {
            if matches!(refusal, Refusal::SlotTaken { .. }) {
                self.note_second_entry(&committed, &tx);
            }
            self.pending().release(&tx);
            return Err(refusal);
        }
        self.pending().take(&tx, committed.tip.height)
    }

    /// A second entry for a filled slot is evidence, which this replica will propose.
    fn note_second_entry(&self, committed: &Committed, tx: &Arc<VerifiedTx>) {
        let Some(second) = signed_entry(tx) else {
            return;
        };
        let (session, round, index) = second.entry.slot();
        let first = committed
            .state
            .number(&session)
            .ok()
            .and_then(|number| committed.snapshot.entry(number, round, index).ok()?)
            .and_then(|stored| entry_from_pb(stored.signed.as_ref()).ok());
        self.pending().note_equivocation(first, tx);
    }
}
