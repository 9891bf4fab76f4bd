//! An empty slot.

use super::*;

const LIES: [Lie<pb::AbsenceReceipt>; 9] = [
    ("no spec", |r, _| r.open = None, "no spec"),
    (
        "opener's signature",
        |r, _| r.open.as_mut().unwrap().signature[0] ^= 1,
        "spec",
    ),
    (
        "another spec of the same opener",
        |r, trust| {
            open_again(&mut r.open, trust);
        },
        "the spec is of another session",
    ),
    ("a filled slot", |r, _| r.index = 0, "holds something else"),
    ("another round", |r, _| r.round = 2, "holds something else"),
    ("padding", |r, _| r.index = 3, "no party 3"),
    (
        "an index that wraps",
        |r, _| r.index = 65_538,
        "no party 65538",
    ),
    (
        "another path",
        |r, _| r.slot.as_mut().unwrap().path[0] ^= 1,
        "holds something else",
    ),
    (
        "a shorter path",
        |r, _| r.slot.as_mut().unwrap().path.truncate(32),
        "holds something else",
    ),
];

const LIES_2: [Lie<pb::AbsenceReceipt>; 2] = [
    (
        "the round is still open",
        |r, trust| {
            change_leaf(&mut r.anchor, trust, |leaf| {
                leaf.status = Status::Running.number().into()
            });
        },
        "an empty slot proves nothing",
    ),
    (
        "a complaint stops the round, but it may go on",
        |r, trust| {
            change_leaf(&mut r.anchor, trust, |leaf| {
                leaf.status = Status::Dispute.number().into()
            });
        },
        "an empty slot proves nothing",
    ),
];

#[test]
fn an_absence_is_of_an_empty_slot_of_a_round_that_nobody_can_write_into() {
    refuse(&content!("absence", Absence), Body::Absence, &LIES);
    refuse(
        &content!("absence at the end", Absence),
        Body::Absence,
        &LIES_2,
    );
}
