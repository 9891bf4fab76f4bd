//! The complaint and its answer, as a third party or the accused reads them.

use white_city_wire::pb::{self, answer::Body, tx::Body as Said};

use super::{AnswerChange, Row, flip, shorten};

fn evidence(answer: &mut pb::Answer) -> Option<&mut pb::EvidenceAnswer> {
    match answer.body.as_mut()? {
        Body::Evidence(evidence) => Some(evidence),
        _ => None,
    }
}

fn complaint(answer: &mut pb::Answer) -> Option<&mut pb::Complain> {
    match evidence(answer)?.complain.as_mut()?.body.as_mut()? {
        Said::Complain(complain) => Some(complain),
        _ => None,
    }
}

fn post(answer: &mut pb::Answer) -> Option<&mut pb::PostHeader> {
    complaint(answer)?.post.as_mut()
}

fn reveal(answer: &mut pb::Answer) -> Option<&mut pb::Reveal> {
    match evidence(answer)?.reveal.as_mut()?.body.as_mut()? {
        Said::Reveal(reveal) => Some(reveal),
        _ => None,
    }
}

pub(super) const CHANGES: &[Row<AnswerChange>] = &[
    ("complaint-removed", "a complaint withheld", |a, _, _| {
        evidence(a)?.complain.take().map(drop)
    }),
    (
        "complaint-author",
        "a complaint by somebody else",
        |a, _, _| {
            complaint(a)?.index ^= 3;
            Some(())
        },
    ),
    (
        "complaint-leaf",
        "a complaint about another payload",
        |a, _, r| flip(&mut complaint(a)?.p2p_leaf, r),
    ),
    (
        "complaint-path",
        "a complaint with another path to the post",
        |a, _, r| flip(&mut complaint(a)?.p2p_path, r),
    ),
    (
        "complaint-path-cut",
        "a complaint with a shorter path to the post",
        |a, _, _| shorten(&mut complaint(a)?.p2p_path),
    ),
    (
        "complaint-signature",
        "a complaint with another signature",
        |a, _, r| flip(&mut complaint(a)?.signature, r),
    ),
    (
        "complaint-session",
        "a complaint about another session",
        |a, _, r| flip(&mut post(a)?.session, r),
    ),
    (
        "complaint-round",
        "a complaint about another round",
        |a, _, _| {
            post(a)?.round += 1;
            Some(())
        },
    ),
    (
        "complaint-accused",
        "a complaint about somebody else",
        |a, _, _| {
            post(a)?.index ^= 3;
            Some(())
        },
    ),
    (
        "complaint-history",
        "a complaint about a post of another history",
        |a, _, r| flip(&mut post(a)?.transcript, r),
    ),
    (
        "complaint-root",
        "a complaint about other payloads",
        |a, _, r| flip(&mut post(a)?.p2p_root, r),
    ),
    (
        "complaint-broadcast",
        "a complaint about a post with another broadcast",
        |a, _, r| flip(&mut post(a)?.bcast_hash, r),
    ),
    (
        "reveal-for-complaint",
        "the answer instead of the complaint",
        |a, _, _| {
            let evidence = evidence(a)?;
            let reveal = evidence.reveal.take()?;
            evidence.complain = Some(reveal);
            Some(())
        },
    ),
    ("reveal-removed", "an answer withheld", |a, _, _| {
        evidence(a)?.reveal.take().map(drop)
    }),
    (
        "reveal-plaintext",
        "an answer with another plaintext",
        |a, _, r| flip(&mut reveal(a)?.plaintext, r),
    ),
    ("reveal-key", "an answer with another key", |a, _, r| {
        flip(&mut reveal(a)?.ikm_e, r)
    }),
    (
        "reveal-complaint",
        "an answer to another complaint",
        |a, _, r| flip(&mut reveal(a)?.complaint, r),
    ),
    ("reveal-author", "an answer by somebody else", |a, _, _| {
        reveal(a)?.index ^= 1;
        Some(())
    }),
    (
        "reveal-session",
        "an answer in another session",
        |a, _, r| flip(&mut reveal(a)?.session, r),
    ),
    (
        "reveal-signature",
        "an answer with another signature",
        |a, _, r| flip(&mut reveal(a)?.signature, r),
    ),
];
