//! Approvals: which of an operator's words are taken, and which charters it may approve.

use alloc::{collections::BTreeSet, vec::Vec};

use white_city_wire::{
    Charter, Hash, IdentityKey, NetworkId, Refusal, Signature,
    approve::{Approve, Proposal, Word},
    limits::APPROVAL_PACE_MS,
    signing::{Purpose, signed_bytes},
};

use crate::term::{Term, changes_validators};

/// Circumstances of a block in which approvals are checked.
#[derive(Debug, Clone, Copy)]
pub struct Now {
    /// The block's height.
    pub height: u64,
    /// Its board time, ms.
    pub board_ms: u64,
    /// Numbers that openers can still get.
    pub opener_numbers: u64,
}

/// Gives the operator who has to have signed.
///
/// # Errors
/// [`Refusal::Term`] or [`Refusal::NotAnOperator`].
pub fn operator(term: &Term, approve: &Approve) -> Result<IdentityKey, Refusal> {
    if approve.term != term.charter.term {
        return Err(Refusal::Term {
            got: approve.term,
            present: term.charter.term,
        });
    }
    let replica = term.charter.replicas.get(usize::from(approve.operator));
    let replica = replica.ok_or(Refusal::NotAnOperator(approve.operator))?;
    IdentityKey::from_accepted(&replica.operator.0)
        .map_err(|_| Refusal::NotAnOperator(approve.operator))
}

/// Checks all but signatures and the charter itself, and gives the word as it would stand.
///
/// # Errors
/// The [`Refusal`] that comes first.
pub fn check_word(
    term: &Term,
    proposals: &[Proposal],
    approve: &Approve,
    now: Now,
) -> Result<Proposal, Refusal> {
    operator(term, approve)?;
    let charter_hash = approve.charter_hash();
    let standing = standing(proposals, approve.operator);
    let sequence = standing.map_or(0, |standing| standing.sequence);
    if standing.is_some_and(|s| s.sequence == approve.sequence && s.charter_hash == charter_hash) {
        return Err(Refusal::AlreadyStored);
    }
    let expected = sequence.saturating_add(1);
    if approve.sequence != expected || sequence == u32::MAX {
        return Err(Refusal::Sequence { expected });
    }
    let approved = standing.map_or(Hash::ZERO, |standing| standing.charter_hash);
    if approved == charter_hash {
        return Err(Refusal::NothingChanges);
    }
    // The time of a charter's approval outlives its withdrawal: otherwise whoever withdraws could approve as often as it likes.
    let board_ms = match (&approve.word, standing) {
        (Word::Withdraw, standing) => standing.map_or(0, |standing| standing.board_ms),
        (Word::Charter { .. }, None) => now.board_ms,
        (Word::Charter { .. }, Some(standing)) => {
            let from_ms = standing.board_ms.saturating_add(APPROVAL_PACE_MS);
            if now.board_ms < from_ms {
                return Err(Refusal::TooSoon { from_ms });
            }
            now.board_ms
        }
    };
    Ok(Proposal {
        operator: approve.operator,
        sequence: approve.sequence,
        board_ms,
        charter_hash,
    })
}

/// Checks whether a charter may follow the one in force: what is cheap first, keys and signatures last. Within a term nothing but time
/// can make it unacceptable again, so it is asked when it is approved, and not when it is enacted.
///
/// # Errors
/// The [`Refusal`] that comes first.
pub fn check_charter(
    term: &Term,
    next: &Charter,
    newcomers: &[Signature],
    now: Now,
    network: &NetworkId,
    is_known: impl Fn(&IdentityKey) -> bool,
) -> Result<(), Refusal> {
    let present = &term.charter;
    let no = |what| Err(Refusal::Charter(what));
    if Some(next.term) != present.term.checked_add(1) || next.previous != term.charter_hash {
        return no("it doesn't follow the charter in force");
    }
    if now.board_ms > next.until_ms {
        return no("its time is over");
    }
    if next.protocol != present.protocol && Some(next.protocol) != present.protocol.checked_add(1) {
        return no("its protocol is neither the present number nor the next");
    }
    next.check_fields().map_err(Refusal::BadCharter)?;
    check_keys_stay(present, next)?;
    if changes_validators(present, next) && now.height < term.era_height.saturating_add(2) {
        return no("the validators have changed in one of the last two blocks");
    }
    let unproven = next
        .replicas
        .iter()
        .filter(|r| !term.is_proven(&r.validator));
    if unproven.count() > usize::from(next.faults().max(1)) {
        return no("too many of its validators haven't been seen to vote");
    }
    let unknown = next.openers.iter().filter(|opener| {
        !IdentityKey::from_accepted(&opener.key.0).is_ok_and(|key| is_known(&key))
    });
    if u64::try_from(unknown.count()).unwrap_or(u64::MAX) > now.opener_numbers {
        return no("it has more new openers than there are numbers left");
    }
    let expected: Vec<&Hash> = next.operators_new_to(present).collect();
    if newcomers.len() != expected.len() {
        return no("it doesn't come with one signature of each new operator");
    }
    next.check_keys().map_err(Refusal::BadCharter)?;
    let message = signed_bytes(Purpose::Operate, network, &next.hash());
    for (key, signature) in expected.into_iter().zip(newcomers) {
        let signed =
            IdentityKey::from_accepted(&key.0).is_ok_and(|key| key.verify(&message, signature));
        if !signed {
            return Err(Refusal::BadSignature { key: *key });
        }
    }
    Ok(())
}

/// One charter takes at most a third of the keys away: whoever holds the others goes on.
fn check_keys_stay(present: &Charter, next: &Charter) -> Result<(), Refusal> {
    let most = usize::from(present.faults().max(1));
    let validators: BTreeSet<Hash> = next.replicas.iter().map(|r| r.validator).collect();
    let operators: BTreeSet<Hash> = next.replicas.iter().map(|r| r.operator).collect();
    let present = present.replicas.iter();
    let gone = present
        .clone()
        .filter(|r| !validators.contains(&r.validator));
    if gone.count() > most {
        return Err(Refusal::Charter("too many validators leave at once"));
    }
    let gone = present.filter(|r| !operators.contains(&r.operator));
    if gone.count() > most {
        return Err(Refusal::Charter("too many operators leave at once"));
    }
    Ok(())
}

/// The charter that more than two thirds of the operators approve.
pub fn approved(charter: &Charter, proposals: &[Proposal]) -> Option<Hash> {
    let counted = |hash: &Hash| {
        let votes = proposals.iter().filter(|p| p.charter_hash == *hash).count();
        votes.saturating_mul(3) > charter.replicas.len().saturating_mul(2)
    };
    let mut hashes = proposals.iter().map(|proposal| proposal.charter_hash);
    hashes.find(|hash| *hash != Hash::ZERO && counted(hash))
}

/// The word of an operator that stands.
pub fn standing(proposals: &[Proposal], operator: u16) -> Option<&Proposal> {
    proposals
        .binary_search_by_key(&operator, |proposal| proposal.operator)
        .ok()
        .and_then(|place| proposals.get(place))
}

/// Puts a word into its place, instead of the operator's last one.
pub fn stand(proposals: &mut Vec<Proposal>, proposal: Proposal) {
    let place = proposals.binary_search_by_key(&proposal.operator, |p| p.operator);
    match place {
        Ok(place) => {
            if let Some(standing) = proposals.get_mut(place) {
                *standing = proposal;
            }
        }
        Err(place) => proposals.insert(place, proposal),
    }
}
