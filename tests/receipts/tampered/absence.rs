//! An empty slot.

use super::*;

const LIES: [Lie<pb::AbsenceReceipt>; 10] = [
    (
        "a terminal record of a round that closed",
        |r, _| r.terminal = Some(pb::Terminal::default()),
        "the terminal record",
    ),
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

const LIES_2: [Lie<pb::AbsenceReceipt>; 7] = [
    (
        "no terminal record",
        |r, _| r.terminal = None,
        "no terminal record",
    ),
    (
        "another terminal record",
        |r, _| r.terminal.as_mut().unwrap().height -= 1,
        "isn't the session's",
    ),
    (
        "a cause that a session of this spec doesn't end for",
        |r, trust| change_end(r, trust, |terminal| terminal.cause = Cause::Disagreement),
        "has a cause that its filled",
    ),
    (
        "a party left",
        |r, trust| {
            change_end(r, trust, |terminal| {
                terminal.cause = Cause::Left;
                terminal.by = 0;
            });
        },
        "a session that ended before its time is no absence",
    ),
    (
        "a member that wasn't one any more",
        |r, trust| {
            change_end(r, trust, |terminal| {
                let others = terminal.members.iter().filter(|index| *index != 1);
                let others: Vec<u16> = others.collect();
                terminal.members = Bitmap::empty(3);
                for index in others {
                    terminal.members.insert(index);
                }
            });
        },
        "somebody who wasn't a member any more",
    ),
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

/// Certifies another end.
fn change_end(receipt: &mut pb::AbsenceReceipt, trust: &Trust, change: impl FnOnce(&mut Terminal)) {
    let mut terminal = Terminal::try_from(receipt.terminal.as_ref().unwrap()).unwrap();
    change(&mut terminal);
    receipt.terminal = Some((&terminal).into());
    change_leaf(&mut receipt.anchor, trust, |leaf| {
        leaf.terminal = terminal.hash().0.to_vec();
        (leaf.n, leaf.members) = (
            terminal.members.size().into(),
            terminal.members.as_bytes().to_vec(),
        );
        if terminal.cause == Cause::Left {
            leaf.left = vec![1; 32];
        }
    });
}

#[test]
fn an_absence_is_of_an_empty_slot_of_a_round_that_nobody_can_write_into() {
    refuse(&content!("absence", Absence), Body::Absence, &LIES);
    refuse(
        &content!("absence at the end", Absence),
        Body::Absence,
        &LIES_2,
    );
}
