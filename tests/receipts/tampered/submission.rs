//! An entry in its slot.

use super::*;

fn header(receipt: &mut pb::SubmissionReceipt) -> &mut pb::PostHeader {
    use pb::{signed_entry::Header, submission_receipt::Entry};
    match receipt.entry.as_mut().unwrap() {
        Entry::Signed(pb::SignedEntry {
            header: Some(Header::Post(post)),
            ..
        }) => post,
        other => panic!("{other:?}"),
    }
}

fn signed(receipt: &mut pb::SubmissionReceipt) -> &mut pb::SignedEntry {
    match receipt.entry.as_mut().unwrap() {
        pb::submission_receipt::Entry::Signed(signed) => signed,
        other => panic!("{other:?}"),
    }
}

fn sign_again(receipt: &mut pb::SubmissionReceipt, trust: &Trust) {
    let entry = white_city_client::wire::tx::entry_from_pb(Some(signed(receipt))).unwrap();
    let index = entry.entry.slot().2;
    let signature = sign(index, entry.entry.purpose(), entry.entry.digest(), trust);
    signed(receipt).signature = signature.into();
}

const LIES: [Lie<pb::SubmissionReceipt>; 9] = [
    ("no entry", |r, _| r.entry = None, "no entry"),
    (
        "signature",
        |r, _| flip(&mut signed(r).signature, 3),
        "signature of party 0",
    ),
    (
        "content",
        |r, _| header(r).p2p_bytes += 1,
        "signature of party 0",
    ),
    (
        "another entry, signed",
        |r, trust| {
            header(r).p2p_bytes += 1;
            sign_again(r, trust);
        },
        "holds something else",
    ),
    (
        "another author",
        |r, _| header(r).index = 1,
        "signature of party 1",
    ),
    (
        "an author past the roster",
        |r, _| header(r).index = 3,
        "no party 3",
    ),
    (
        "another session",
        |r, _| flip(&mut header(r).session, 0),
        "the entry is of another session",
    ),
    ("no slot", |r, _| r.slot = None, "no way from the slot"),
    (
        "an entry for another past, certified",
        |r, trust| {
            flip(&mut header(r).transcript, 0);
            sign_again(r, trust);
            let entry = white_city_client::wire::tx::entry_from_pb(Some(signed(r))).unwrap();
            let slot = r.slot.as_mut().unwrap();
            slot.round = None;
            let path = white_city_client::wire::read::split_hashes(&slot.path).unwrap();
            let digest = white_city_client::wire::board::slot_leaf(Some(&entry.entry.digest()));
            let root = white_city_client::wire::tree::slot_root_from_path(digest, 0, 3, &path);
            change_leaf(&mut r.anchor, trust, |leaf| {
                leaf.open_round = 1;
                leaf.slots_root = root.unwrap().0.to_vec();
            });
        },
        "names another transcript",
    ),
];

const JOIN: [Lie<pb::SubmissionReceipt>; 1] = [(
    "a join's signature",
    |r, _| match r.entry.as_mut().unwrap() {
        pb::submission_receipt::Entry::Join(join) => flip(&mut join.signature, 0),
        other => panic!("{other:?}"),
    },
    "join",
)];

#[test]
fn a_submission_is_an_entry_under_its_authors_key_in_its_slot_after_the_past_that_it_names() {
    refuse(&content!("submission", Submission), Body::Submission, &LIES);
    refuse(
        &content!("submission of a join", Submission),
        Body::Submission,
        &JOIN,
    );
}
