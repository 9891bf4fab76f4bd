//! Words of operators, signed by them, by somebody else, or with whatever else is wrong with them.

use white_city_tests::{board::Board, charters, network::operator};
use white_city_wire::{Charter, Signature, VerifiedTx, approve::Word, tx::Action};

use super::Binder;
use crate::{
    charters::{Draft, Flaw, position},
    moves::Move,
};

impl Binder {
    /// The word that a move is in this state; `None` where the operator is none, or has said enough.
    pub(super) fn bind_word(
        &mut self,
        board: &Board,
        mv: Move,
        draft: Option<Draft>,
        flaw: Flaw,
    ) -> Option<VerifiedTx> {
        let term = board.state.term();
        let position = position(board, mv.index)?;
        if term.charter.term >= self.world.terms {
            return None;
        }
        let mut approve = charters::word(board, position, Word::Withdraw);
        let sequence = approve.sequence;
        if sequence == 1 && flaw == Flaw::Again {
            return None;
        }
        let key = (mv, term.charter_hash, sequence.into());
        if let Some(known) = self.cache.get(&key) {
            return known.clone();
        }
        if let Some(draft) = draft {
            let charter = draft.charter(&self.world, board);
            self.symbols.insert(charter.hash(), draft.symbol());
            approve.word = Word::Charter {
                newcomers: newcomers(board, &charter, flaw),
                charter: Box::new(charter),
            };
        }
        match flaw {
            Flaw::Term => approve.term += 1,
            Flaw::Position => approve.operator = term.charter.size(),
            Flaw::Number => approve.sequence += 1,
            Flaw::Again => approve.sequence -= 1,
            Flaw::None | Flaw::Newcomers | Flaw::Forged => {}
        }
        let signer = operator(u8::try_from(mv.by).ok()?);
        let action = Action::Approve(approve);
        let network = self.network;
        self.note(&signer, &action, u8::MAX, &network);
        let tx = signer
            .tx(action, &network)
            .verify(signer.key(), 0, &network);
        self.cache.insert(key, tx.ok());
        self.cache.get(&key).cloned().flatten()
    }
}

/// Signatures of those who become operators, rightly or not.
fn newcomers(board: &Board, charter: &Charter, flaw: Flaw) -> Vec<Signature> {
    let right = charters::newcomers(board, charter);
    match flaw {
        Flaw::Newcomers => Vec::new(),
        Flaw::Forged => right.iter().map(|_| Signature([1; 64])).collect(),
        _ => right,
    }
}
