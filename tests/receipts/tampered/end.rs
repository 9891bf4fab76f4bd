//! Changes to the end of a session.

use super::*;

const LIES: [Lie<pb::EndReceipt>; 21] = [
    (
        "nobody's word",
        |r, _| (r.anchor, r.terminal, r.finishes) = (None, None, None),
        "no end",
    ),
    (
        "a record that nobody certifies",
        |r, _| r.anchor = None,
        "no certified state",
    ),
    (
        "a state without the record",
        |r, _| r.terminal = None,
        "no terminal record",
    ),
    ("finishes without a spec", |r, _| r.open = None, "no spec"),
    (
        "another height",
        |r, _| r.terminal.as_mut().unwrap().height += 1,
        "isn't the session's",
    ),
    (
        "another outcome",
        |r, _| r.terminal.as_mut().unwrap().outcome[0] ^= 1,
        "isn't the session's",
    ),
    (
        "another status than the session's",
        |r, trust| {
            change_leaf(&mut r.anchor, trust, |leaf| {
                leaf.status = Status::Aborted.number().into()
            });
        },
        "another status",
    ),
    (
        "a live session",
        |r, trust| {
            change_leaf(&mut r.anchor, trust, |leaf| {
                leaf.status = Status::Running.number().into()
            });
        },
        "another status",
    ),
    (
        "a finish with a cause",
        |r, trust| {
            r.terminal.as_mut().unwrap().cause = Cause::TooFew.number().into();
            certify_end(r, trust);
        },
        "contradicts itself",
    ),
    (
        "slots of others filled",
        |r, trust| {
            r.terminal.as_mut().unwrap().members = vec![0b001];
            certify_end(r, trust);
        },
        "contradicts itself",
    ),
    (
        "another roster",
        |r, trust| {
            r.terminal.as_mut().unwrap().n = 4;
            certify_end(r, trust);
        },
        "another roster",
    ),
    (
        "too few parties",
        |r, _| {
            let finishes = r.finishes.as_mut().unwrap();
            finishes.parties = vec![0b001];
            finishes.signatures.truncate(64);
        },
        "1 parties have signed the outcome, 2 are needed",
    ),
    (
        "one signature twice",
        |r, _| {
            let signatures = &mut r.finishes.as_mut().unwrap().signatures;
            signatures.copy_within(..64, 64);
        },
        "signature of party 1",
    ),
    (
        "a signature too many",
        |r, _| {
            r.finishes.as_mut().unwrap().signatures.extend([0; 64]);
        },
        "the signatures and whose they are",
    ),
    (
        "a part of a signature",
        |r, _| {
            r.finishes.as_mut().unwrap().signatures.push(0);
        },
        "the signatures and whose they are",
    ),
    (
        "parties past the roster",
        |r, _| {
            r.finishes.as_mut().unwrap().parties = vec![0b1011];
        },
        "the finishes and the roster",
    ),
    (
        "another outcome than they signed",
        |r, _| {
            r.finishes.as_mut().unwrap().outcome[0] ^= 1;
        },
        "signature of party 0",
    ),
    (
        "another past than they signed",
        |r, _| {
            r.finishes.as_mut().unwrap().transcript[0] ^= 1;
        },
        "signature of party 0",
    ),
    (
        "another round",
        |r, _| r.finishes.as_mut().unwrap().round = 1,
        "signature of party 0",
    ),
    (
        "a round past the last one",
        |r, _| r.finishes.as_mut().unwrap().round = 3,
        "round and the spec",
    ),
    (
        "replicas that certify another outcome",
        |r, trust| {
            r.terminal.as_mut().unwrap().outcome[0] ^= 1;
            certify_end(r, trust);
        },
        "the replicas and the parties",
    ),
];

const ABORTED: [Lie<pb::EndReceipt>; 2] = [
    (
        "an abort with an outcome",
        |r, trust| {
            r.terminal.as_mut().unwrap().outcome = vec![1; 32];
            certify_end(r, trust);
        },
        "contradicts itself",
    ),
    (
        "the spec of another session",
        |r, trust| open_again(&mut r.open, trust),
        "the spec is of another session",
    ),
];

#[test]
fn an_end_is_the_certified_record_and_a_quorum_of_one_outcome_and_one_past() {
    let truth = content!("end", End);
    refuse(&truth, Body::End, &LIES);
    refuse(&content!("end by abort", End), Body::End, &ABORTED);
    // Each word is enough by itself; after erasure the replicas' word is left without a spec.
    let trust = made().trust();
    let alone = pb::EndReceipt {
        anchor: None,
        terminal: None,
        ..truth.clone()
    };
    let text = refusal(&trust, Body::End(alone));
    assert!(
        text.starts_with("accepted") && text.contains("no replica"),
        "{text}"
    );
    let alone = pb::EndReceipt {
        open: None,
        finishes: None,
        ..truth
    };
    let text = refusal(&trust, Body::End(alone));
    assert!(
        text.starts_with("accepted") && !text.contains("own signatures"),
        "{text}"
    );
}

fn certify_end(receipt: &mut pb::EndReceipt, trust: &Trust) {
    let terminal = receipt.terminal.as_ref().unwrap();
    let terminal = white_city_client::wire::board::Terminal::try_from(terminal).unwrap();
    change_leaf(&mut receipt.anchor, trust, |leaf| {
        leaf.terminal = terminal.hash().0.to_vec();
        (leaf.n, leaf.members) = (
            terminal.members.size().into(),
            terminal.members.as_bytes().to_vec(),
        );
    });
}
