//! Everything that was signed, without the replicas' help to a lie.

use super::*;

const LIES: [Lie<pb::CeremonyReceipt>; 22] = [
    (
        "opener's signature",
        |c, _| c.open.as_mut().unwrap().signature[0] ^= 1,
        "spec",
    ),
    ("spec", |c, _| spec(&mut c.open).quorum = 3, "spec"),
    (
        "a join left out",
        |c, _| drop(c.joins.pop()),
        "round 1: the signature of party 0",
    ),
    (
        "a join's signature",
        |c, _| flip(&mut c.joins[1].signature, 0),
        "join",
    ),
    (
        "a join twice",
        |c, _| c.joins.insert(1, c.joins[0].clone()),
        "don't ascend",
    ),
    (
        "joins in another order",
        |c, _| c.joins.swap(0, 1),
        "don't ascend",
    ),
    (
        "a join of another session",
        |c, _| flip(&mut c.joins[0].session, 0),
        "join",
    ),
    (
        "an entry's signature",
        |c, _| entry(c, 1, 1).signature[0] ^= 1,
        "signature of party 1",
    ),
    (
        "an entry's content",
        |c, _| match entry(c, 1, 1).content.as_mut().unwrap() {
            Content::Post(post) => post.p2p_bytes += 1,
            Content::Outcome(_) => panic!(),
        },
        "signature of party 1",
    ),
    (
        "an entry without content",
        |c, _| entry(c, 1, 1).content = None,
        "content of an entry",
    ),
    (
        "entries in another order",
        |c, _| c.rounds[0].entries.swap(0, 1),
        "don't ascend",
    ),
    (
        "an author past the roster",
        |c, _| entry(c, 1, 1).index = 3,
        "belongs elsewhere",
    ),
    (
        "an author that wraps",
        |c, _| entry(c, 1, 1).index = 65_537,
        "no party 65537",
    ),
    (
        "a finish left out",
        |c, _| drop(c.rounds[1].entries.pop()),
        "one was left out",
    ),
    (
        "a finish's outcome",
        |c, _| {
            entry(c, 2, 0).content = Some(Content::Outcome(vec![6; 32]));
        },
        "one was left out, put in or changed",
    ),
    (
        "a round left out",
        |c, _| drop(c.rounds.remove(0)),
        "one was left out",
    ),
    (
        "no terminal record",
        |c, _| c.terminal = None,
        "no terminal record",
    ),
    (
        "another terminal record",
        |c, _| terminal(c).board_ms += 1,
        "isn't the session's",
    ),
    ("a culprit left out", |c, _| c.culprits.clear(), "culprits"),
    (
        "evidence left out",
        |c, _| c.evidence.clear(),
        "evidence and whom it is about",
    ),
    (
        "evidence that wasn't signed",
        |c, _| {
            flip(&mut c.evidence[0].first.as_mut().unwrap().signature, 0);
        },
        "no signed evidence against party 1",
    ),
    (
        "a word too many",
        |c, _| {
            c.leaves.push(pb::Tx {
                version: 1,
                body: Some(pb::tx::Body::Abort(pb::Abort {
                    signature: vec![1; 64],
                    ..Default::default()
                })),
            })
        },
        "evidence and whom it is about",
    ),
];

const LEFT: [Lie<pb::CeremonyReceipt>; 4] = [
    ("a leaver left out", |c, _| c.left.clear(), "leavers"),
    (
        "a word left out",
        |c, _| c.leaves.clear(),
        "evidence and whom it is about",
    ),
    (
        "a word that wasn't signed",
        |c, _| match c.leaves[0].body.as_mut().unwrap() {
            pb::tx::Body::Abort(abort) => abort.signature[0] ^= 1,
            other => panic!("{other:?}"),
        },
        "what party 2 said when it left is missing",
    ),
    (
        "another word",
        |c, _| match c.leaves[0].body.as_mut().unwrap() {
            pb::tx::Body::Abort(abort) => abort.cause += 1,
            other => panic!("{other:?}"),
        },
        "what party 2 said when it left is missing",
    ),
];

const JOINING: [Lie<pb::CeremonyReceipt>; 1] = [(
    "a join left out",
    |c, _| c.joins.clear(),
    "round 0: the entries aren't",
)];

/// Without the replicas' help: nothing can be left out, put in or changed.
#[test]
fn a_ceremony_with_anything_else_than_what_was_certified_is_refused() {
    refuse(&content!("ceremony", Ceremony), Body::Ceremony, &LIES);
    refuse(
        &content!("ceremony of an abort", Ceremony),
        Body::Ceremony,
        &LEFT,
    );
    refuse(
        &content!("ceremony that never ran", Ceremony),
        Body::Ceremony,
        &JOINING,
    );
}
