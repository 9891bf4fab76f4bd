//! The evidence against a party: two entries for one slot, or a slot that stayed empty.

use white_city_wire::{
    Hash,
    entry::{NoEquivocation, equivocation},
    pb,
    tx::entry_from_pb,
};

use super::{BadReceipt, Claim, Place, Proven, anchor, end, error::OrBad};
use crate::trust::Trust;

/// The party's own signatures convict it: no replica is believed.
pub(super) fn verify_equivocation(
    receipt: &pb::EquivocationReceipt,
    trust: &Trust,
) -> Result<Proven, BadReceipt> {
    let (open, id) = anchor::open(receipt.open.as_ref(), trust)?;
    let evidence = receipt.evidence.as_ref();
    let evidence = evidence.ok_or(BadReceipt::Missing("evidence"))?;
    let first = entry_from_pb(evidence.first.as_ref()).or_bad("first entry")?;
    let second = entry_from_pb(evidence.second.as_ref()).or_bad("second entry")?;
    let pair = [first, second];
    if pair[0].entry.slot().0 != id {
        return Err(BadReceipt::OtherSession("the evidence"));
    }
    let culprit = equivocation(&pair).map_err(|why| {
        BadReceipt::NoEquivocation(match why {
            NoEquivocation::TwoSlots => "they are for different slots",
            NoEquivocation::Same | NoEquivocation::Order => {
                "they are the same, or in the wrong order"
            }
        })
    })?;
    let index = culprit.index;
    let place = Place::new((culprit.round, index), &open.spec)?;
    for entry in &pair {
        if !entry.is_signed_by(&place.key, &trust.network().id) {
            return Err(BadReceipt::Signature(index));
        }
    }
    Ok(Proven {
        session: Some(id),
        open: Some(open),
        certified: Vec::new(),
        claim: Claim::Equivocation {
            place,
            digests: [culprit.a, culprit.b],
        },
    })
}

pub(super) fn verify_absence(
    receipt: &pb::AbsenceReceipt,
    trust: &Trust,
) -> Result<Proven, BadReceipt> {
    let (anchored, open) =
        anchor::of_session(receipt.anchor.as_ref(), receipt.open.as_ref(), trust)?;
    let (leaf, round) = (&anchored.leaf, receipt.round);
    let index = u16::try_from(receipt.index);
    let index = index.map_err(|_| BadReceipt::NotInRoster(receipt.index))?;
    let place = Place::new((round, index), &open.spec)?;
    let slot = receipt.slot.as_ref();
    anchor::check_slot(slot, (round, index), Hash::ZERO, leaf, &open.spec)?;
    if leaf.open_round == round && leaf.status.is_live() {
        return Err(BadReceipt::Live(
            "the round is open: an empty slot proves nothing",
        ));
    }
    let ended = leaf.open_round == round;
    match (&receipt.terminal, ended) {
        (None, false) => {}
        (None, true) => return Err(BadReceipt::Missing("terminal record")),
        (Some(_), false) => {
            return Err(BadReceipt::Differ("the terminal record", "a closed round"));
        }
        (Some(terminal), true) => {
            let terminal = end::check_terminal(terminal, &anchored)?;
            end::check_spec(&open, leaf.session, leaf, &terminal)?;
            if !terminal.was_waited_for() {
                return Err(BadReceipt::NotLate("a session that ended before its time"));
            }
            if !terminal.members.contains(index) {
                return Err(BadReceipt::NotLate("somebody who wasn't a member any more"));
            }
        }
    }
    Ok(Proven {
        session: Some(leaf.session),
        certified: vec![anchored.certified(trust)?],
        claim: Claim::Absence { ended, place },
        open: Some(open),
    })
}
