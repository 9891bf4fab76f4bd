//! Evidence of equivocation: two signed entries of one slot. It flags the culprit and changes nothing else.

use white_city_wire::{
    IdentityKey, Refusal, SignedEntry,
    board::{Culprit, Status},
    entry::{NoEquivocation, equivocation},
};

use crate::session::{Session, place_of};

/// Checks evidence whose two signatures are `signer`'s.
pub fn check(
    session: &Session,
    pair: &[SignedEntry; 2],
    signer: &IdentityKey,
) -> Result<Culprit, Refusal> {
    if session.status() == Status::Erased {
        return Err(Refusal::Erased);
    }
    let convicted = equivocation(pair);
    if convicted == Err(NoEquivocation::TwoSlots) {
        return Err(Refusal::NoEquivocation("the entries are of two slots"));
    }
    let (_, _, index) = pair[0].entry.slot();
    session.check_signer(index, signer)?;
    let culprit = convicted.map_err(|why| {
        Refusal::NoEquivocation(match why {
            NoEquivocation::TwoSlots => "the entries are of two slots",
            NoEquivocation::Same => "the entries are the same",
            NoEquivocation::Order => "the smaller digest comes first",
        })
    })?;
    if place_of(session.culprits(), index).is_ok() {
        return Err(Refusal::AlreadyFlagged(index));
    }
    Ok(culprit)
}
