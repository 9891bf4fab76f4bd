//! Changes to the proofs from the header to the value: the seal, the state, the session, the round.

use white_city_wire::pb;

use super::{AnswerChange, Row, flip, lengthen, shorten, swap_hashes};

fn state(answer: &mut pb::Answer) -> Option<&mut pb::StateProof> {
    answer.state.as_mut()
}

fn session(answer: &mut pb::Answer) -> Option<&mut pb::SessionProof> {
    answer.session.as_mut()
}

fn round(answer: &mut pb::Answer) -> Option<&mut pb::RoundProof> {
    answer.round.as_mut()
}

pub(super) const CHANGES: &[Row<AnswerChange>] = &[
    (
        "answer-version",
        "an answer of another version",
        |a, _, r| {
            a.version = u32::try_from(r.below(3)).ok()?;
            Some(())
        },
    ),
    ("state-missing", "no proof of the state", |a, _, _| {
        a.state.take().map(drop)
    }),
    ("state-sessions", "another number of sessions", |a, _, r| {
        state(a)?.sessions ^= 1 << r.below(33);
        Some(())
    }),
    (
        "state-sessions-root",
        "another root over the sessions",
        |a, _, r| flip(&mut state(a)?.sessions_root, r),
    ),
    ("state-openers", "another number of openers", |a, _, r| {
        state(a)?.openers ^= 1 << r.below(33);
        Some(())
    }),
    (
        "state-openers-root",
        "another root over the openers",
        |a, _, r| flip(&mut state(a)?.openers_root, r),
    ),
    (
        "state-protocol",
        "another number of the rules",
        |a, _, r| {
            state(a)?.protocol ^= 1 << r.below(8);
            Some(())
        },
    ),
    (
        "state-paused",
        "another pause, so another board time",
        |a, _, r| {
            state(a)?.paused_ms ^= 1 << r.below(40);
            Some(())
        },
    ),
    (
        "seal-parent-hash",
        "a seal after another block",
        |a, _, r| flip(&mut state(a)?.parent_hash, r),
    ),
    (
        "seal-parent-seconds",
        "a seal after another time",
        |a, _, r| {
            state(a)?.parent_seconds ^= 1 << r.below(33);
            Some(())
        },
    ),
    (
        "seal-parent-nanos",
        "a seal after another fraction of a second",
        |a, _, r| {
            state(a)?.parent_nanos ^= 1 << r.below(30);
            Some(())
        },
    ),
    (
        "data-path",
        "another path from the seal to data_hash",
        |a, _, r| flip(&mut state(a)?.data_path, r),
    ),
    (
        "data-path-cut",
        "a path to data_hash without its end",
        |a, _, _| shorten(&mut state(a)?.data_path),
    ),
    (
        "data-path-longer",
        "a path to data_hash with one more sibling",
        |a, _, r| {
            lengthen(&mut state(a)?.data_path, r);
            Some(())
        },
    ),
    (
        "data-path-endless",
        "a path to data_hash of thousands of siblings",
        |a, _, r| {
            state(a)?.data_path = r.bytes(32 * 2_000);
            Some(())
        },
    ),
    (
        "data-path-odd",
        "a path that isn't a row of 32 bytes",
        |a, _, _| {
            state(a)?.data_path.push(0);
            Some(())
        },
    ),
    ("session-missing", "no proof of the session", |a, _, _| {
        a.session.take().map(drop)
    }),
    (
        "session-number",
        "the session under another number",
        |a, _, r| {
            session(a)?.number ^= 1 << r.below(40);
            Some(())
        },
    ),
    (
        "session-path",
        "another path from the session to the root",
        |a, _, r| flip(&mut session(a)?.path, r),
    ),
    (
        "session-path-cut",
        "a path of the session without its end",
        |a, _, _| shorten(&mut session(a)?.path),
    ),
    (
        "session-path-longer",
        "a path of the session with one more sibling",
        |a, _, r| {
            lengthen(&mut session(a)?.path, r);
            Some(())
        },
    ),
    (
        "session-path-swapped",
        "the siblings of a session's path in another order",
        |a, _, r| swap_hashes(&mut session(a)?.path, r),
    ),
    (
        "round-missing",
        "a closed round without its proof",
        |a, _, _| a.round.take().map(drop),
    ),
    (
        "round-added",
        "the open round with a proof as if it had closed",
        |a, _, _| {
            let leaf = a.session.as_ref()?.leaf.as_ref()?;
            let asks_for_a_round = matches!(
                a.body.as_ref()?,
                pb::answer::Body::Slots(_) | pb::answer::Body::Roster(_)
            );
            let proof = pb::RoundProof {
                before: leaf.transcript.clone(),
                later_roots: Vec::new(),
            };
            (asks_for_a_round && a.round.is_none()).then(|| a.round = Some(proof))
        },
    ),
    ("round-before", "a round after another past", |a, _, r| {
        flip(&mut round(a)?.before, r)
    }),
    ("round-later", "other rounds after the round", |a, _, r| {
        flip(&mut round(a)?.later_roots, r)
    }),
    (
        "round-later-cut",
        "one round less after the round",
        |a, _, _| shorten(&mut round(a)?.later_roots),
    ),
    (
        "round-later-longer",
        "one round more after the round",
        |a, _, r| {
            lengthen(&mut round(a)?.later_roots, r);
            Some(())
        },
    ),
    (
        "round-later-swapped",
        "the rounds after the round in another order",
        |a, _, r| swap_hashes(&mut round(a)?.later_roots, r),
    ),
];
