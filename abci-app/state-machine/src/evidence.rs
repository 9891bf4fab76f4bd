//! Evidence of equivocation: two signed entries of one slot. It flags the culprit and changes nothing else.

use white_city_wire::{
    Refusal, SignedEntry,
    board::{Culprit, Offence},
};

use white_city_wire::IdentityKey;

use crate::session::Session;

/// Checks evidence whose two signatures are `signer`'s.
pub fn check(
    session: &Session,
    [first, second]: &[SignedEntry; 2],
    signer: &IdentityKey,
) -> Result<Culprit, Refusal> {
    let body = session.body()?;
    let (_, round, index) = first.entry.slot();
    if first.entry.slot() != second.entry.slot() {
        return Err(Refusal::NoEquivocation("the entries are of two slots"));
    }
    body.check_signer(index, signer)?;
    let (a, b) = (first.entry.digest(), second.entry.digest());
    if a == b {
        return Err(Refusal::NoEquivocation("the entries are the same"));
    }
    if a > b {
        return Err(Refusal::NoEquivocation("the smaller digest comes first"));
    }
    if body.culprit(index).is_ok() {
        return Err(Refusal::AlreadyFlagged(index));
    }
    Ok(Culprit {
        index,
        offence: Offence::Equivocation,
        round,
        a,
        b,
    })
}
