//! Two entries for one slot.

use super::*;

use pb::signed_entry::Header;

fn second(receipt: &mut pb::EquivocationReceipt) -> &mut pb::PostHeader {
    let evidence = receipt.evidence.as_mut().unwrap();
    match evidence.second.as_mut().unwrap().header.as_mut().unwrap() {
        Header::Post(post) => post,
        other => panic!("{other:?}"),
    }
}

const LIES: [Lie<pb::EquivocationReceipt>; 9] = [
    ("no spec", |r, _| r.open = None, "no spec"),
    ("no evidence", |r, _| r.evidence = None, "no evidence"),
    (
        "another spec",
        |r, _| spec(&mut r.open).round_ms += 1,
        "spec",
    ),
    (
        "another round",
        |r, _| second(r).round = 2,
        "different slots",
    ),
    (
        "another author",
        |r, _| second(r).index = 0,
        "different slots",
    ),
    (
        "another session",
        |r, _| {
            let evidence = r.evidence.as_mut().unwrap();
            for entry in [
                evidence.first.as_mut().unwrap(),
                evidence.second.as_mut().unwrap(),
            ] {
                if let Some(Header::Post(post)) = entry.header.as_mut() {
                    flip(&mut post.session, 0);
                }
            }
        },
        "the evidence is of another session",
    ),
    (
        "the same entry",
        |r, _| {
            let evidence = r.evidence.as_mut().unwrap();
            evidence.second = evidence.first.clone();
        },
        "they are the same",
    ),
    (
        "the wrong order",
        |r, _| {
            let evidence = r.evidence.as_mut().unwrap();
            std::mem::swap(&mut evidence.first, &mut evidence.second);
        },
        "wrong order",
    ),
    (
        "a signature that isn't the author's",
        |r, _| {
            let evidence = r.evidence.as_mut().unwrap();
            flip(&mut evidence.second.as_mut().unwrap().signature, 0);
        },
        "signature of party 1",
    ),
];

#[test]
fn two_entries_convict_only_their_author_and_only_for_one_slot() {
    refuse(
        &content!("equivocation", Equivocation),
        Body::Equivocation,
        &LIES,
    );
}
