//! Operators' words in a block, and the charter that they enact at its end.

use alloc::{sync::Arc, vec::Vec};

use white_city_wire::{
    Charter, Hash, IdentityKey, Refusal,
    approve::{Approve, Proposal, Word},
    board::OpenerLeaf,
    charter::OpenerQuota,
};

use super::{Block, Change};
use crate::approving::{self, Now};

impl Block {
    /// Number of the rules that the block is executed by.
    #[must_use]
    pub const fn protocol(&self) -> u32 {
        self.state.protocol()
    }

    fn proposals(&self) -> &[Proposal] {
        self.proposals
            .as_deref()
            .unwrap_or_else(|| self.state.proposals())
    }

    fn now(&self) -> Now {
        let next = u64::from(self.next_opener().unwrap_or(u32::MAX));
        Now {
            height: self.context.height,
            board_ms: self.board_ms,
            opener_numbers: u64::from(u32::MAX).saturating_sub(next),
        }
    }

    /// Everything but signatures and the charter.
    pub(super) fn check_word(&self, approve: &Approve) -> Result<Proposal, Refusal> {
        approving::check_word(self.state.term(), self.proposals(), approve, self.now())
    }

    /// The same, with the charter and its newcomers' signatures. The operator's own signature has been checked.
    pub(super) fn change_charter<'a>(
        &self,
        approve: &'a Approve,
        signer: &IdentityKey,
    ) -> Result<Change<'a>, Refusal> {
        let proposal = self.check_word(approve)?;
        // Who the operator is follows from the term: a signature that was checked earlier says only whose it is.
        let operator = approving::operator(self.state.term(), approve)?;
        if operator != *signer {
            return Err(Refusal::BadSignature {
                key: Hash(*operator.as_bytes()),
            });
        }
        let Word::Charter { charter, newcomers } = &approve.word else {
            return Ok(Change::Word(proposal, None));
        };
        approving::check_charter(
            self.state.term(),
            charter,
            newcomers,
            self.now(),
            &self.state.network().id,
            |key| self.opener(key).is_some(),
        )?;
        Ok(Change::Word(proposal, Some(charter)))
    }

    pub(super) fn commit_word(&mut self, proposal: Proposal, charter: Option<&Charter>) {
        let mut proposals = self.proposals().to_vec();
        approving::stand(&mut proposals, proposal);
        self.proposals = Some(proposals);
        if let Some(charter) = charter {
            let charter = Arc::new(charter.clone());
            self.charters.insert(proposal.charter_hash, charter);
        }
    }

    /// Begins the next term, if more than two thirds of the operators approve one charter after this block. A block without an approval
    /// changes nothing, so the block that enacts carries the charter.
    pub(super) fn enact(&mut self) -> bool {
        if self.charters.is_empty() {
            return false;
        }
        let approved = approving::approved(self.state.charter(), self.proposals());
        let Some(charter) = approved.and_then(|hash| self.charters.get(&hash)).cloned() else {
            return false;
        };
        // Whoever was in last call has it begin anew: positions and f are others.
        for number in self.last_call.numbers() {
            if let Some(session) = self.session_mut(number)
                && session.status().is_live()
            {
                session.leaf.call_blocks = 0;
                session.leaf.callers = [0; 32];
            }
        }
        self.list_openers(&charter);
        let term = self.state.term().next(charter, self.context.height);
        self.state.set_term(term);
        self.proposals = Some(Vec::new());
        true
    }

    /// Gives openers the quotas of the next charter: those of the present one, and those of the next, which get numbers if they have none.
    fn list_openers(&mut self, next: &Charter) {
        let present = self.state.term().charter.openers.iter();
        let gone: Vec<Hash> = present.map(|opener| opener.key).collect();
        for key in gone {
            self.set_quota(&key, None);
        }
        for opener in &next.openers {
            self.set_quota(&opener.key, Some(opener));
        }
    }

    fn set_quota(&mut self, key: &Hash, quota: Option<&OpenerQuota>) {
        let Ok(key) = IdentityKey::from_accepted(&key.0) else {
            return;
        };
        let known = self.opener(&key).map(|(number, _)| number);
        let Some(number) = known.or_else(|| self.next_opener()) else {
            return;
        };
        if known.is_none() {
            self.fresh_openers.insert(*key.as_bytes(), number);
            self.openers.insert(number, OpenerLeaf::unlisted(key));
        }
        if let Some(leaf) = self.opener_mut(number) {
            leaf.listed = quota.is_some();
            leaf.max_live = quota.map_or(0, |quota| quota.max_live);
            leaf.max_bytes = quota.map_or(0, |quota| quota.max_bytes);
        }
    }
}
