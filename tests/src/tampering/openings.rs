//! Changes to the opening of a session, and to the board's own numbers and openers.

use white_city_wire::pb::{self, answer::Body};

use super::{AnswerChange, Row, flip, lengthen, one, swap};

fn open(answer: &mut pb::Answer) -> Option<&mut pb::Open> {
    match answer.body.as_mut()? {
        Body::Spec(spec) => spec.open.as_mut(),
        _ => None,
    }
}

fn spec(answer: &mut pb::Answer) -> Option<&mut pb::Spec> {
    open(answer)?.spec.as_mut()
}

fn openers(answer: &mut pb::Answer) -> Option<&mut Vec<pb::Opener>> {
    match answer.body.as_mut()? {
        Body::Openers(openers) => Some(&mut openers.openers),
        _ => None,
    }
}

pub(super) const CHANGES: &[Row<AnswerChange>] = &[
    ("spec-missing", "no spec", |a, _, _| {
        match a.body.as_mut()? {
            Body::Spec(spec) => spec.open.take().map(drop),
            _ => None,
        }
    }),
    ("spec-protocol", "another protocol", |a, _, _| {
        spec(a)?.protocol.push('x');
        Some(())
    }),
    (
        "spec-version",
        "another version of the protocol",
        |a, _, _| {
            spec(a)?.version += 1;
            Some(())
        },
    ),
    (
        "spec-roster-order",
        "members of the roster swapped",
        |a, _, r| swap(&mut spec(a)?.roster, r),
    ),
    (
        "spec-roster-cut",
        "a roster without its last party",
        |a, _, _| spec(a)?.roster.pop().map(drop),
    ),
    (
        "spec-roster-key",
        "another party in the roster",
        |a, _, r| {
            let stranger = crate::party::Party::new(r.next());
            *one(&mut spec(a)?.roster, r)? = stranger.key().as_bytes().to_vec();
            Some(())
        },
    ),
    ("spec-quorum", "another quorum", |a, _, _| {
        spec(a)?.quorum ^= 7;
        Some(())
    }),
    (
        "spec-corrupt",
        "another number of corrupt parties",
        |a, _, _| {
            spec(a)?.corrupt += 1;
            Some(())
        },
    ),
    ("spec-max-rounds", "another last round", |a, _, _| {
        spec(a)?.max_rounds += 1;
        Some(())
    }),
    ("spec-durations", "other deadlines", |a, _, r| {
        let spec = spec(a)?;
        let durations = [
            &mut spec.join_ms,
            &mut spec.round_ms,
            &mut spec.reveal_ms,
            &mut spec.retention_ms,
        ];
        **one(&mut { durations }, r)? += 1;
        Some(())
    }),
    ("spec-sizes", "other limits", |a, _, r| {
        let spec = spec(a)?;
        match r.below(3) {
            0 => spec.max_bcast += 1,
            1 => spec.max_p2p += 1,
            _ => spec.max_bytes += 1,
        }
        Some(())
    }),
    ("spec-input", "something else to be signed", |a, _, r| {
        spec(a)?.input.push(u8::try_from(r.below(256)).ok()?);
        Some(())
    }),
    (
        "spec-previous",
        "a continuation of another session",
        |a, _, r| flip(&mut spec(a)?.prev_session, r),
    ),
    ("open-opener", "another opener", |a, _, r| {
        let stranger = crate::party::Party::new(r.next());
        open(a)?.opener = stranger.key().as_bytes().to_vec();
        Some(())
    }),
    ("open-nonce", "another nonce", |a, _, r| {
        flip(&mut open(a)?.nonce, r)
    }),
    ("open-by", "opened until another time", |a, _, r| {
        open(a)?.open_by_ms ^= 1 << r.below(40);
        Some(())
    }),
    (
        "open-signature",
        "the opener's signature changed",
        |a, _, r| flip(&mut open(a)?.signature, r),
    ),
    (
        "network-id",
        "the numbers of another network",
        |a, _, r| match a.body.as_mut()? {
            Body::Params(params) => flip(&mut params.network_id, r),
            _ => None,
        },
    ),
    ("openers-hidden", "no openers", |a, _, _| {
        let openers = openers(a)?;
        (!openers.is_empty()).then(|| openers.clear())
    }),
    ("openers-order", "openers in another order", |a, _, r| {
        swap(openers(a)?, r)
    }),
    ("opener-key", "somebody else as an opener", |a, _, r| {
        let stranger = crate::party::Party::new(r.next());
        one(openers(a)?, r)?.key = stranger.key().as_bytes().to_vec();
        Some(())
    }),
    (
        "opener-quota",
        "another quota, or another use of it",
        |a, _, r| {
            let opener = one(openers(a)?, r)?;
            match r.below(4) {
                0 => opener.max_live += 1,
                1 => opener.max_bytes += 1,
                2 => opener.live += 1,
                _ => opener.live_bytes += 1,
            }
            Some(())
        },
    ),
    (
        "opener-path",
        "another path to the root over the openers",
        |a, _, r| flip(&mut one(openers(a)?, r)?.path, r),
    ),
    (
        "opener-path-longer",
        "a path to the root over the openers with one more sibling",
        |a, _, r| {
            lengthen(&mut one(openers(a)?, r)?.path, r);
            Some(())
        },
    ),
];
