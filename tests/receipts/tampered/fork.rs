//! Two histories.

use super::*;

fn headers(receipt: &mut pb::ForkReceipt) -> &mut pb::HeaderFork {
    match receipt.fork.as_mut().unwrap() {
        pb::fork_receipt::Fork::Headers(headers) => headers,
        other => panic!("{other:?}"),
    }
}

const LIES: [Lie<pb::ForkReceipt>; 4] = [
    ("no fork", |r, _| r.fork = None, "no fork"),
    (
        "one header",
        |r, _| headers(r).second = headers(r).first.clone(),
        "may be of one chain",
    ),
    (
        "two heights that aren't in a row",
        |r, _| {
            let second = sign_header(&headers(r).second, |header| {
                // From the height before or after the first one's, too.
                header.height = header.height.increment().increment().increment()
            });
            headers(r).second = second;
        },
        "may be of one chain",
    ),
    (
        "an unsigned header",
        |r, _| {
            let last = headers(r).second.len() - 1;
            headers(r).second[last] ^= 1;
        },
        "header",
    ),
];

#[test]
fn a_fork_is_two_certified_histories_that_differ() {
    refuse(&content!("fork of headers", Fork), Body::Fork, &LIES);
}

/// The transcripts before round 2: one history as it was, the other as malicious replicas tell it.
fn forked(trust: &Trust) -> pb::ForkReceipt {
    let mut ceremony = content!("ceremony", Ceremony);
    let side = |ceremony: &pb::CeremonyReceipt| pb::ForkSide {
        anchor: ceremony.anchor.clone(),
        proof: None,
        round_root: Vec::new(),
    };
    let first = side(&ceremony);
    ceremony.joins.truncate(2);
    certify_ceremony(&mut ceremony, trust);
    // This one is told from a round earlier: it needs the round's proof.
    let leaf = leaf_of(ceremony.anchor.as_ref().unwrap());
    let mut second = side(&ceremony);
    second.proof = Some(pb::RoundProof {
        before: leaf.transcript.0.to_vec(),
        later_roots: Vec::new(),
    });
    second.round_root = vec![4; 32];
    let next = white_city_client::wire::board::transcript_next(
        &leaf.transcript,
        2,
        &white_city_client::Hash([4; 32]),
    );
    change_leaf(&mut second.anchor, trust, |leaf| {
        (leaf.open_round, leaf.transcript) = (3, next.0.to_vec());
    });
    let fork = pb::SessionFork {
        round: 2,
        first: Some(first),
        second: Some(second),
    };
    pb::ForkReceipt {
        fork: Some(pb::fork_receipt::Fork::Session(fork)),
    }
}

fn session(receipt: &mut pb::ForkReceipt) -> &mut pb::SessionFork {
    match receipt.fork.as_mut().unwrap() {
        pb::fork_receipt::Fork::Session(session) => session,
        other => panic!("{other:?}"),
    }
}

const LIES_2: [Lie<pb::ForkReceipt>; 8] = [
    (
        "one history",
        |r, _| session(r).second = session(r).first.clone(),
        "transcripts are the same",
    ),
    (
        "one side",
        |r, _| session(r).second = None,
        "no other history",
    ),
    (
        "another round",
        |r, _| session(r).round = 1,
        "lead to round 1",
    ),
    (
        "no round root",
        |r, _| session(r).second.as_mut().unwrap().round_root.clear(),
        "no round's root",
    ),
    (
        "another round root",
        |r, _| session(r).second.as_mut().unwrap().round_root[0] ^= 1,
        "lead to round 2",
    ),
    (
        "another past",
        |r, _| {
            let side = session(r).second.as_mut().unwrap();
            side.proof.as_mut().unwrap().before[0] ^= 1;
        },
        "lead to round 2",
    ),
    (
        "no proof",
        |r, _| session(r).second.as_mut().unwrap().proof = None,
        "lead to round 2",
    ),
    (
        "another session",
        |r, trust| {
            let anchor = session(r).second.as_mut().unwrap().anchor.as_mut().unwrap();
            leaf(anchor).id[0] ^= 1;
            certify(anchor, trust);
        },
        "another session",
    ),
];

#[test]
fn a_fork_of_a_session_is_two_transcripts_before_one_round() {
    refuse(&forked(&made().trust()), Body::Fork, &LIES_2);
}
