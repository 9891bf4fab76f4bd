//! A party's join or entry is on the board.

use white_city_wire::{
    NetworkId, SessionId, Spec,
    board::slot_leaf,
    pb::{self, submission_receipt::Entry as Submitted},
    tx::entry_from_pb,
};

use super::{BadReceipt, Claim, Place, Proven, anchor, error::OrBad};
use crate::{read::check_join, trust::Trust};

pub(super) fn verify(receipt: &pb::SubmissionReceipt, trust: &Trust) -> Result<Proven, BadReceipt> {
    let (anchored, open) =
        anchor::of_session(receipt.anchor.as_ref(), receipt.open.as_ref(), trust)?;
    let (leaf, spec) = (&anchored.leaf, &open.spec);
    let (place, digest, transcript) = match &receipt.entry {
        Some(Submitted::Join(join)) => {
            let (join, _) = check_join(join, leaf.session, spec, trust, None).or_bad("join")?;
            ((0, join.index), join.digest(), None)
        }
        Some(Submitted::Signed(signed)) => {
            let signed = check_entry(signed, leaf.session, spec, &trust.network().id)?;
            let (_, round, index) = signed.entry.slot();
            let transcript = signed.entry.transcript();
            ((round, index), signed.entry.digest(), Some(transcript))
        }
        None => return Err(BadReceipt::Missing("entry")),
    };
    let slot = slot_leaf(Some(&digest));
    let before = anchor::check_slot(receipt.slot.as_ref(), place, slot, leaf, spec)?;
    // An entry is for one history; the board takes no other.
    if transcript.is_some_and(|named| named != before) {
        return Err(BadReceipt::Transcript);
    }
    let closed = leaf.open_round > place.0;
    Ok(Proven {
        session: Some(leaf.session),
        open: Some(open.clone()),
        certified: vec![anchored.certified(trust)?],
        claim: Claim::Submission {
            place: Place::new(place, spec)?,
            digest,
            closed,
        },
    })
}

fn check_entry(
    signed: &pb::SignedEntry,
    id: SessionId,
    spec: &Spec,
    network: &NetworkId,
) -> Result<white_city_wire::SignedEntry, BadReceipt> {
    let signed = entry_from_pb(Some(signed)).or_bad("entry")?;
    let (session, _, index) = signed.entry.slot();
    if session != id {
        return Err(BadReceipt::OtherSession("the entry"));
    }
    let key = spec
        .key(index)
        .map_err(|_| BadReceipt::NotInRoster(index.into()))?;
    if !signed.is_signed_by(key, network) {
        return Err(BadReceipt::Signature(index));
    }
    Ok(signed)
}
