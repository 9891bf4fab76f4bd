//! Predicates about charters: what whoever runs a replica may rely on, whatever the other operators say.

use std::collections::{BTreeMap, BTreeSet};

use white_city_state_machine::State;
use white_city_tests::board::Board;
use white_city_wire::{Hash, board::Status};

use crate::{
    binder::Binder,
    charters::{Draft, Flaw, position},
    choices::Choice,
    explorer::Node,
    moves::{Move, What},
};

/// Whether an operator's word has to be taken: a withdrawal of what it approves, and in each term its first approval of a charter that
/// leaves the validators as they are.
#[must_use]
pub fn word_must_be_taken(board: &Board, mv: Move, draft: Option<Draft>, flaw: Flaw) -> bool {
    let Some(position) = position(board, mv.index) else {
        return false;
    };
    let mut words = board.state.proposals().iter();
    let standing = words.find(|word| word.operator == position);
    let waits =
        |draft: Draft| draft == Draft::Brief || draft.is_bad() || draft.changes_validators();
    let right = mv.by == mv.index && flaw == Flaw::None;
    right
        && match draft {
            None => standing.is_some_and(|word| word.charter_hash != Hash::ZERO),
            Some(draft) => standing.is_none() && !waits(draft),
        }
}

/// Checks what a block makes of the rules.
///
/// # Errors
/// The promise that is broken, and how.
pub fn check(binder: &Binder, node: &Node, choice: &Choice, after: &State) -> Result<(), String> {
    if !binder.world.has_charters() {
        return Ok(());
    }
    one_charter_a_term(node, after)?;
    more_than_two_thirds_approved(binder, node, choice, after)?;
    most_keys_stay(node, after)?;
    quotas_are_what_is_open(after)
}

/// A term has one charter, and the next term the next number.
fn one_charter_a_term(node: &Node, after: &State) -> Result<(), String> {
    let (was, is) = (node.board.state.term(), after.term());
    let same = was.charter_hash == is.charter_hash && was.charter == is.charter;
    let follows = is.charter.term == was.charter.term + 1
        && is.charter.previous == was.charter_hash
        && is.charter_hash == is.charter.hash();
    if same || follows {
        Ok(())
    } else {
        Err(format!("two charters of term {}", was.charter.term))
    }
}

/// A term's charter is what more than two thirds of the operators of the term before have said last.
fn more_than_two_thirds_approved(
    binder: &Binder,
    node: &Node,
    choice: &Choice,
    after: &State,
) -> Result<(), String> {
    let before = &node.board.state;
    let words = before.proposals().iter();
    let mut said: BTreeMap<u16, Hash> = words.map(|w| (w.operator, w.charter_hash)).collect();
    for mv in &choice.txs {
        if let (What::Say(draft, _), Some(by)) = (mv.what, position(&node.board, mv.index)) {
            let charter = draft.map(|draft| draft.charter(&binder.world, &node.board));
            said.insert(by, charter.map_or(Hash::ZERO, |charter| charter.hash()));
        }
    }
    let approve = |hash: Hash| said.values().filter(|said| **said == hash).count() * 3;
    let two_thirds = before.charter().replicas.len() * 2;
    let enacted = before.term().charter_hash != after.term().charter_hash;
    if enacted && approve(after.term().charter_hash) <= two_thirds {
        return Err("a charter that too few operators have approved".into());
    }
    let passed_over = said
        .values()
        .find(|hash| **hash != Hash::ZERO && approve(**hash) > two_thirds);
    if !enacted && passed_over.is_some() {
        return Err("a charter that enough operators have approved isn't enacted".into());
    }
    Ok(())
}

/// Of the validators and of the operators at most a third is replaced at once, one at least.
fn most_keys_stay(node: &Node, after: &State) -> Result<(), String> {
    let (was, is) = (node.board.state.charter(), after.charter());
    let most = usize::from(was.faults()).max(1);
    let validators: BTreeSet<Hash> = is.replicas.iter().map(|r| r.validator).collect();
    let operators: BTreeSet<Hash> = is.replicas.iter().map(|r| r.operator).collect();
    let replicas = || was.replicas.iter();
    let gone = replicas()
        .filter(|r| !validators.contains(&r.validator))
        .count();
    let retired = replicas()
        .filter(|r| !operators.contains(&r.operator))
        .count();
    if gone > most || retired > most {
        return Err(format!(
            "{gone} validators and {retired} operators leave at once"
        ));
    }
    Ok(())
}

/// What an opener holds is what its sessions hold, whatever the charter says of it now.
fn quotas_are_what_is_open(after: &State) -> Result<(), String> {
    for (number, opener) in (0_u32..).zip(after.openers().iter()) {
        let own = || {
            after
                .sessions()
                .iter()
                .filter(move |session| session.leaf.opener == number)
        };
        let live = own().filter(|session| session.status().is_live()).count();
        let kept = own().filter(|session| session.status() != Status::Erased);
        let bytes: u64 = kept.map(|session| session.leaf.reserved_bytes).sum();
        let held = (usize::try_from(opener.live).ok(), opener.live_bytes);
        if held != (Some(live), bytes) {
            return Err(format!(
                "opener {number} has {held:?}, its sessions {live} and {bytes}"
            ));
        }
    }
    Ok(())
}
