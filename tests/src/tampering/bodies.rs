//! Changes to the state of a session: slots, culprits and leavers; rosters, rounds, transcripts.

use white_city_wire::pb::{self, answer::Body};

use super::{AnswerChange, Row, flip, lengthen, one, remove, repeat, shorten, swap, swap_hashes};

/// The state of the session, alone or on the first page of an inbox. An erased session has nothing but its record.
pub(super) fn now(answer: &mut pb::Answer) -> Option<&mut pb::SessionAnswer> {
    const ERASED: u32 = 6;
    let leaf = answer.session.as_ref()?.leaf.as_ref()?;
    if leaf.status == ERASED {
        return None;
    }
    match answer.body.as_mut()? {
        Body::SessionNow(now) => Some(now),
        Body::Inbox(inbox) => inbox.now.as_mut(),
        _ => None,
    }
}

/// The leaves of slots, of the open round or of the one that was asked about.
fn slots(answer: &mut pb::Answer) -> Option<&mut Vec<u8>> {
    match answer.body {
        Some(Body::Slots(_)) => match answer.body.as_mut()? {
            Body::Slots(slots) => Some(&mut slots.slots),
            _ => None,
        },
        _ => Some(&mut now(answer)?.slots),
    }
}

fn culprits(answer: &mut pb::Answer) -> Option<&mut Vec<pb::Culprit>> {
    if matches!(answer.body, Some(Body::Evidence(_))) {
        return Some(&mut evidence(answer)?.culprits);
    }
    Some(&mut now(answer)?.culprits)
}

fn left(answer: &mut pb::Answer) -> Option<&mut Vec<pb::Leaver>> {
    if matches!(answer.body, Some(Body::Evidence(_))) {
        return Some(&mut evidence(answer)?.left);
    }
    Some(&mut now(answer)?.left)
}

fn evidence(answer: &mut pb::Answer) -> Option<&mut pb::EvidenceAnswer> {
    match answer.body.as_mut()? {
        Body::Evidence(evidence) => Some(evidence),
        _ => None,
    }
}

fn roster(answer: &mut pb::Answer) -> Option<&mut Vec<pb::Join>> {
    match answer.body.as_mut()? {
        Body::Roster(roster) => Some(&mut roster.joins),
        _ => None,
    }
}

fn roots(answer: &mut pb::Answer) -> Option<&mut Vec<u8>> {
    match answer.body.as_mut()? {
        Body::Transcript(transcript) => Some(&mut transcript.roots),
        _ => None,
    }
}

pub(super) const CHANGES: &[Row<AnswerChange>] = &[
    ("body-missing", "an answer without a body", |a, _, _| {
        a.body.take().map(drop)
    }),
    ("slots", "another slot leaf", |a, _, r| flip(slots(a)?, r)),
    ("slots-swapped", "two slots exchanged", |a, _, r| {
        swap_hashes(slots(a)?, r)
    }),
    (
        "slots-emptied",
        "a slot that is filled, shown as empty",
        |a, _, r| {
            let (hashes, _) = slots(a)?.as_chunks_mut::<32>();
            *one(hashes, r)? = [0; 32];
            Some(())
        },
    ),
    ("slots-cut", "one slot less", |a, _, _| shorten(slots(a)?)),
    (
        "slots-padded",
        "empty slots up to the width of the tree: the same root over another roster",
        |a, _, _| {
            slots(a)?.extend([0; 32]);
            Some(())
        },
    ),
    ("slots-longer", "one slot more", |a, _, r| {
        lengthen(slots(a)?, r);
        Some(())
    }),
    (
        "round-number",
        "slots that name another round",
        |a, _, r| match a.body.as_mut()? {
            Body::Slots(slots) => {
                slots.round ^= 1 << r.below(3);
                Some(())
            }
            _ => None,
        },
    ),
    ("culprit-added", "a culprit without evidence", |a, _, r| {
        let mut digests = [r.bytes32(), r.bytes32()];
        digests.sort_unstable();
        culprits(a)?.push(pb::Culprit {
            index: 3,
            kind: 1,
            round: 1,
            a: digests[0].to_vec(),
            b: digests[1].to_vec(),
        });
        Some(())
    }),
    ("culprit-removed", "a culprit hidden", |a, _, r| {
        remove(culprits(a)?, r)
    }),
    (
        "culprit-index",
        "somebody else as the culprit",
        |a, _, r| {
            one(culprits(a)?, r)?.index ^= 1;
            Some(())
        },
    ),
    ("culprit-kind", "a culprit of another offence", |a, _, r| {
        one(culprits(a)?, r)?.kind += 1;
        Some(())
    }),
    ("culprit-round", "a culprit in another round", |a, _, r| {
        one(culprits(a)?, r)?.round += 1;
        Some(())
    }),
    (
        "culprit-digest",
        "a culprit convicted by something else",
        |a, _, r| flip(&mut one(culprits(a)?, r)?.a, r),
    ),
    (
        "leaver-added",
        "somebody who left, and didn't",
        |a, _, r| {
            left(a)?.push(pb::Leaver {
                index: 0,
                digest: r.bytes(32),
            });
            Some(())
        },
    ),
    ("leaver-removed", "somebody's leaving hidden", |a, _, r| {
        remove(left(a)?, r)
    }),
    ("leaver-index", "somebody else left", |a, _, r| {
        one(left(a)?, r)?.index ^= 1;
        Some(())
    }),
    (
        "leaver-digest",
        "somebody left with other words",
        |a, _, r| flip(&mut one(left(a)?, r)?.digest, r),
    ),
    ("leavers-swapped", "another order of leaving", |a, _, r| {
        swap(left(a)?, r)
    }),
    (
        "evidence-removed",
        "a culprit whose two entries are withheld",
        |a, _, r| remove(&mut evidence(a)?.evidence, r),
    ),
    (
        "evidence-half",
        "one of the two entries withheld",
        |a, _, r| one(&mut evidence(a)?.evidence, r)?.second.take().map(drop),
    ),
    (
        "evidence-same",
        "the same entry twice as evidence",
        |a, _, r| {
            let pair = one(&mut evidence(a)?.evidence, r)?;
            pair.second.clone_from(&pair.first);
            Some(())
        },
    ),
    (
        "evidence-signature",
        "evidence with another signature",
        |a, _, r| {
            flip(
                &mut one(&mut evidence(a)?.evidence, r)?
                    .first
                    .as_mut()?
                    .signature,
                r,
            )
        },
    ),
    (
        "evidence-swapped",
        "the two entries in the wrong order",
        |a, _, r| {
            let pair = one(&mut evidence(a)?.evidence, r)?;
            std::mem::swap(&mut pair.first, &mut pair.second);
            Some(())
        },
    ),
    (
        "word-removed",
        "what somebody said when it left, withheld",
        |a, _, r| remove(&mut evidence(a)?.leaves, r),
    ),
    (
        "word-changed",
        "what somebody said when it left, changed",
        |a, _, r| {
            use pb::tx::Body as Said;
            match one(&mut evidence(a)?.leaves, r)?.body.as_mut()? {
                Said::Abort(abort) => abort.cause ^= 1 << r.below(16),
                Said::Decline(decline) => decline.reason ^= 1 << r.below(16),
                _ => return None,
            }
            Some(())
        },
    ),
    (
        "word-signature",
        "what somebody said when it left, with another signature",
        |a, _, r| {
            use pb::tx::Body as Said;
            match one(&mut evidence(a)?.leaves, r)?.body.as_mut()? {
                Said::Abort(abort) => flip(&mut abort.signature, r),
                Said::Decline(decline) => flip(&mut decline.signature, r),
                _ => None,
            }
        },
    ),
    (
        "roster-join-removed",
        "somebody's join withheld",
        |a, _, r| remove(roster(a)?, r),
    ),
    (
        "roster-join-twice",
        "somebody's join there twice",
        |a, _, r| repeat(roster(a)?, r),
    ),
    ("roster-order", "the joins in another order", |a, _, r| {
        swap(roster(a)?, r)
    }),
    ("roster-index", "a join of somebody else", |a, _, r| {
        one(roster(a)?, r)?.index ^= 1 << r.below(17);
        Some(())
    }),
    (
        "roster-key",
        "a join with another encryption key",
        |a, _, r| {
            let key = crate::party::Party::new(r.next()).encryption_key(0);
            one(roster(a)?, r)?.enc_pk = key.as_bytes().to_vec().into();
            Some(())
        },
    ),
    (
        "roster-signature",
        "a join with another signature",
        |a, _, r| flip(&mut one(roster(a)?, r)?.signature, r),
    ),
    (
        "transcript-root",
        "another round in the transcript",
        |a, _, r| flip(roots(a)?, r),
    ),
    (
        "transcript-cut",
        "the transcript without its last round",
        |a, _, _| shorten(roots(a)?),
    ),
    (
        "transcript-longer",
        "the transcript with one round more",
        |a, _, r| {
            lengthen(roots(a)?, r);
            Some(())
        },
    ),
    (
        "transcript-order",
        "the rounds of the transcript in another order",
        |a, _, r| swap_hashes(roots(a)?, r),
    ),
];
