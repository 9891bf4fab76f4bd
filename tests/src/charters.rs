//! Charters that may follow the one in force, and what operators say about them.

use std::{collections::BTreeMap, sync::OnceLock};

use white_city_wire::{
    Charter, Hash, Signature, VerifiedTx,
    approve::{Approve, Word},
    signing::{Purpose, signed_bytes},
    tx::Action,
};

use crate::{board::Board, network::operator, party::Party};

/// The operator with this key, if it is one of [`operator`].
#[must_use]
pub fn operator_with(key: &Hash) -> Option<Party> {
    static NUMBERS: OnceLock<BTreeMap<[u8; 32], u8>> = OnceLock::new();
    let numbers = NUMBERS.get_or_init(|| {
        let all = (0..=u8::MAX).map(|number| (*operator(number).key().as_bytes(), number));
        all.collect()
    });
    numbers.get(&key.0).copied().map(operator)
}

/// A charter that may follow the one in force, with a change.
#[must_use]
pub fn next(board: &Board, change: impl FnOnce(&mut Charter)) -> Charter {
    let mut charter = board.state.charter().clone();
    charter.term += 1;
    charter.previous = board.state.term().charter_hash;
    charter.until_ms = u64::MAX;
    change(&mut charter);
    charter.sort();
    charter
}

/// Signatures of all who become operators by a charter; by nobody where their keys aren't at hand.
#[must_use]
pub fn newcomers(board: &Board, charter: &Charter) -> Vec<Signature> {
    let message = signed_bytes(Purpose::Operate, &board.network().id, &charter.hash());
    let keys = charter.operators_new_to(board.state.charter());
    keys.map(|key| operator_with(key).map_or(Signature([0; 64]), |party| party.sign(&message)))
        .collect()
}

/// An approval with these signatures.
#[must_use]
pub fn approval(board: &Board, charter: &Charter) -> Word {
    Word::Charter {
        newcomers: newcomers(board, charter),
        charter: Box::new(charter.clone()),
    }
}

/// The next word of the operator at this position.
#[must_use]
pub fn word(board: &Board, position: u16, word: Word) -> Approve {
    let mut words = board.state.proposals().iter();
    let standing = words.find(|standing| standing.operator == position);
    Approve {
        term: board.state.charter().term,
        operator: position,
        sequence: standing.map_or(0, |standing| standing.sequence) + 1,
        word,
    }
}

/// A word, signed by the operator at this position, whoever's it says that it is.
///
/// # Panics
/// When that operator's key isn't at hand, which is a mistake in the test.
#[must_use]
pub fn signed(board: &Board, position: u16, approve: Approve) -> VerifiedTx {
    let replicas = &board.state.charter().replicas;
    let key = replicas.get(usize::from(position));
    let operator = key.and_then(|replica| operator_with(&replica.operator));
    let operator = operator.expect("an operator whose key is at hand");
    operator.verified(Action::Approve(approve), 0, &board.network().id)
}

/// What the operator at this position says when it approves a charter.
#[must_use]
pub fn approve(board: &Board, position: u16, charter: &Charter) -> VerifiedTx {
    let approve = word(board, position, approval(board, charter));
    signed(board, position, approve)
}
