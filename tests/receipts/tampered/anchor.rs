//! The way from the header to the session, which all kinds but one begin with.

use super::*;

const LIES: [Lie<pb::AbsenceReceipt>; 12] = [
    ("no anchor", |r, _| r.anchor = None, "no certified state"),
    (
        "no header",
        |r, _| r.anchor.as_mut().unwrap().signed_header.clear(),
        "header",
    ),
    (
        "header cut",
        |r, _| {
            r.anchor.as_mut().unwrap().signed_header.pop();
        },
        "header",
    ),
    (
        "an unsigned change of the header",
        |r, _| {
            let header = &mut r.anchor.as_mut().unwrap().signed_header;
            let at = header.windows(8).position(|w| w == b"receipts").unwrap();
            header[at] ^= 1;
        },
        "a header of the chain",
    ),
    (
        "a signature that isn't the validator's",
        |r, _| {
            let header = &mut r.anchor.as_mut().unwrap().signed_header;
            let last = header.len() - 1;
            header[last] ^= 1;
        },
        "signature isn't its validator's",
    ),
    (
        "an unknown field in the header",
        |r, _| {
            r.anchor.as_mut().unwrap().signed_header.extend([0x78, 1]);
        },
        "canonical way: the header",
    ),
    (
        "other validators",
        |r, _| {
            let header = &mut r.anchor.as_mut().unwrap().signed_header;
            *header = sign_header(header, |h| h.validators_hash = h.data_hash.unwrap());
        },
        "validators_hash",
    ),
    (
        "a header of another block",
        |r, _| {
            let header = &mut r.anchor.as_mut().unwrap().signed_header;
            *header = sign_header(header, |h| h.data_hash = h.last_commit_hash);
        },
        "isn't the one that the header's block seals",
    ),
    (
        "no state",
        |r, _| r.anchor.as_mut().unwrap().state = None,
        "no way from the header",
    ),
    (
        "another state",
        |r, _| {
            r.anchor.as_mut().unwrap().state.as_mut().unwrap().paused_ms += 1;
        },
        "isn't the one that the header's block seals",
    ),
    (
        "another leaf",
        |r, _| leaf(r.anchor.as_mut().unwrap()).deadline_ms += 1,
        "no such session",
    ),
    (
        "no session",
        |r, _| r.anchor.as_mut().unwrap().session = None,
        "no way from the state",
    ),
];

/// The way from the header to the session, which all kinds but one begin with.
#[test]
fn an_anchor_leads_from_the_validators_signatures_to_the_session_or_is_refused() {
    refuse(&content!("absence", Absence), Body::Absence, &LIES);
}
