//! A session's leaf, field by field.

use white_city_wire::pb;

use super::{AnswerChange, Row, flip};

pub(super) fn leaf(answer: &mut pb::Answer) -> Option<&mut pb::SessionLeaf> {
    answer.session.as_mut()?.leaf.as_mut()
}

pub(super) const CHANGES: &[Row<AnswerChange>] = &[
    (
        "leaf-missing",
        "the session's proof without its leaf",
        |a, _, _| a.session.as_mut()?.leaf.take().map(drop),
    ),
    ("leaf-id", "the leaf of another id", |a, _, r| {
        flip(&mut leaf(a)?.id, r)
    }),
    (
        "leaf-status",
        "another status: an end that isn't one, or none",
        |a, _, r| {
            let status = &mut leaf(a)?.status;
            *status = (*status + u32::try_from(r.below(5)).ok()?) % 6 + 1;
            Some(())
        },
    ),
    ("leaf-open-round", "another open round", |a, _, r| {
        let round = &mut leaf(a)?.open_round;
        *round = if r.chance(50) {
            round.wrapping_add(1)
        } else {
            round.wrapping_sub(1)
        };
        Some(())
    }),
    ("leaf-transcript", "another transcript", |a, _, r| {
        flip(&mut leaf(a)?.transcript, r)
    }),
    (
        "leaf-slots-root",
        "another root over the open round's slots",
        |a, _, r| flip(&mut leaf(a)?.slots_root, r),
    ),
    ("leaf-deadline", "another deadline", |a, _, r| {
        let deadline = &mut leaf(a)?.deadline_ms;
        *deadline = if r.chance(30) {
            0
        } else {
            deadline.wrapping_add(r.between(1, 10_000))
        };
        Some(())
    }),
    (
        "leaf-call-blocks",
        "another count of last call",
        |a, _, _| {
            leaf(a)?.call_blocks += 1;
            Some(())
        },
    ),
    (
        "leaf-callers",
        "other validators counted in last call",
        |a, _, r| flip(&mut leaf(a)?.callers, r),
    ),
    ("leaf-dispute", "another complaint", |a, _, r| {
        flip(&mut leaf(a)?.dispute, r)
    }),
    (
        "leaf-terminal",
        "the hash of another terminal record",
        |a, _, r| flip(&mut leaf(a)?.terminal, r),
    ),
    ("leaf-evidence", "the hash of other culprits", |a, _, r| {
        flip(&mut leaf(a)?.evidence, r)
    }),
    ("leaf-left", "the hash of other leavers", |a, _, r| {
        flip(&mut leaf(a)?.left, r)
    }),
    (
        "leaf-alive-again",
        "an ended session that is shown as running, without its terminal record",
        |a, _, _| {
            let leaf = leaf(a)?;
            let ended = leaf.status > 3;
            (leaf.status, leaf.terminal) = (2, vec![0; 32]);
            ended.then_some(())
        },
    ),
];
