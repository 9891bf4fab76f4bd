//! One lie for each check: with the checksum right, and where the check is about what parties have signed, with replicas
//! that certify the lie.

use white_city_client::{
    Trust,
    wire::{
        board::{Cause, Status},
        pb::{self, receipt::Body, receipt_entry::Content},
        signing::Purpose,
    },
};

use crate::{
    forge::{
        certify, certify_ceremony, change_leaf, decoded, leaf, leaf_of, refusal, sign,
        sign_entries, sign_header,
    },
    world::made,
};

/// A change, and a part of the reason for which it has to be refused.
type Lie<T> = (&'static str, fn(&mut T, &Trust), &'static str);

macro_rules! content {
    ($name:expr, $kind:ident) => {
        match decoded(&made().receipts[$name]).body {
            Some(Body::$kind(content)) => content,
            other => panic!("{other:?}"),
        }
    };
}

/// Each lie is refused for its own reason, and the truth isn't.
fn refuse<T: Clone>(truth: &T, body: fn(T) -> Body, lies: &[Lie<T>]) {
    let trust = made().trust();
    let accepted = refusal(&trust, body(truth.clone()));
    assert!(accepted.starts_with("accepted"), "{accepted}");
    for (name, lie, expected) in lies {
        let mut content = truth.clone();
        lie(&mut content, &trust);
        let reason = refusal(&trust, body(content));
        assert!(reason.contains(expected), "{name}: {reason}");
    }
}

fn spec(open: &mut Option<pb::Open>) -> &mut pb::Spec {
    open.as_mut().unwrap().spec.as_mut().unwrap()
}

fn entry(ceremony: &mut pb::CeremonyReceipt, round: usize, at: usize) -> &mut pb::ReceiptEntry {
    &mut ceremony.rounds[round - 1].entries[at]
}

fn terminal(ceremony: &mut pb::CeremonyReceipt) -> &mut pb::Terminal {
    ceremony.terminal.as_mut().unwrap()
}

/// The way from the header to the session, which all kinds but one begin with.
#[test]
fn an_anchor_leads_from_the_validators_signatures_to_the_session_or_is_refused() {
    let lies: [Lie<pb::AbsenceReceipt>; 12] = [
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
    refuse(&content!("absence", Absence), Body::Absence, &lies);
}

#[test]
fn an_absence_is_of_an_empty_slot_of_a_round_that_nobody_can_write_into() {
    let lies: [Lie<pb::AbsenceReceipt>; 9] = [
        ("no spec", |r, _| r.open = None, "no spec"),
        (
            "opener's signature",
            |r, _| r.open.as_mut().unwrap().signature[0] ^= 1,
            "spec",
        ),
        (
            "another spec of the same opener",
            |r, trust| {
                let mut open = r.open.clone().unwrap();
                open.nonce[0] ^= 1;
                let (parsed, _) = white_city_client::wire::tx::open_from_pb(open.clone()).unwrap();
                let id = parsed.session_id(&trust.network().id);
                open.signature = sign(0, Purpose::Open, white_city_client::Hash(id.0), trust);
                r.open = Some(open);
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
    refuse(&content!("absence", Absence), Body::Absence, &lies);
    let lies: [Lie<pb::AbsenceReceipt>; 2] = [
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
    refuse(
        &content!("absence at the end", Absence),
        Body::Absence,
        &lies,
    );
}

#[test]
fn a_submission_is_an_entry_under_its_authors_key_in_its_slot_after_the_past_that_it_names() {
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
        signed(receipt).signature = sign(index, entry.entry.purpose(), entry.entry.digest(), trust);
    }
    let lies: [Lie<pb::SubmissionReceipt>; 9] = [
        ("no entry", |r, _| r.entry = None, "no entry"),
        (
            "signature",
            |r, _| signed(r).signature[3] ^= 1,
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
            |r, _| header(r).session[0] ^= 1,
            "the entry is of another session",
        ),
        ("no slot", |r, _| r.slot = None, "no way from the slot"),
        (
            "an entry for another past, certified",
            |r, trust| {
                header(r).transcript[0] ^= 1;
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
    refuse(&content!("submission", Submission), Body::Submission, &lies);
    let join: [Lie<pb::SubmissionReceipt>; 1] = [(
        "a join's signature",
        |r, _| match r.entry.as_mut().unwrap() {
            pb::submission_receipt::Entry::Join(join) => join.signature[0] ^= 1,
            other => panic!("{other:?}"),
        },
        "join",
    )];
    refuse(
        &content!("submission of a join", Submission),
        Body::Submission,
        &join,
    );
}

#[test]
fn an_end_is_the_certified_record_and_a_quorum_of_one_outcome_and_one_past() {
    let lies: [Lie<pb::EndReceipt>; 21] = [
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
    let truth = content!("end", End);
    refuse(&truth, Body::End, &lies);
    let aborted: [Lie<pb::EndReceipt>; 1] = [(
        "an abort with an outcome",
        |r, trust| {
            r.terminal.as_mut().unwrap().outcome = vec![1; 32];
            certify_end(r, trust);
        },
        "contradicts itself",
    )];
    refuse(&content!("end by abort", End), Body::End, &aborted);
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
        leaf.terminal = terminal.hash().0.to_vec()
    });
}

/// Without the replicas' help: nothing can be left out, put in or changed.
#[test]
fn a_ceremony_with_anything_else_than_what_was_certified_is_refused() {
    let lies: [Lie<pb::CeremonyReceipt>; 22] = [
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
            |c, _| c.joins[1].signature[0] ^= 1,
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
            |c, _| c.joins[0].session[0] ^= 1,
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
                c.evidence[0].first.as_mut().unwrap().signature[0] ^= 1;
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
    refuse(&content!("ceremony", Ceremony), Body::Ceremony, &lies);
    let left: [Lie<pb::CeremonyReceipt>; 4] = [
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
    refuse(
        &content!("ceremony of an abort", Ceremony),
        Body::Ceremony,
        &left,
    );
    let joining: [Lie<pb::CeremonyReceipt>; 1] = [(
        "a join left out",
        |c, _| c.joins.clear(),
        "round 0: the entries aren't",
    )];
    refuse(
        &content!("ceremony that never ran", Ceremony),
        Body::Ceremony,
        &joining,
    );
}

/// With replicas that certify every lie: the parties' own signatures and the closing rules are left.
#[test]
fn a_ceremony_that_breaks_the_rules_is_refused_even_if_all_replicas_certify_it() {
    let lies: [Lie<pb::CeremonyReceipt>; 13] = [
        (
            "nothing changed, but a forged signature",
            |c, trust| {
                entry(c, 2, 1).signature[9] ^= 1;
                certify_ceremony(c, trust);
            },
            "signature of party 1",
        ),
        (
            "an entry for another past",
            |c, trust| {
                drop(c.joins.pop());
                certify_ceremony(c, trust);
            },
            "signature of party 0",
        ),
        (
            "too few joins",
            |c, trust| {
                c.joins.truncate(1);
                sign_entries(c, trust);
                certify_ceremony(c, trust);
            },
            "round 0: 1 entries, 2 are needed",
        ),
        (
            "too few posts",
            |c, trust| {
                c.rounds[0].entries.truncate(1);
                sign_entries(c, trust);
                certify_ceremony(c, trust);
            },
            "round 1: 1 entries, 2 are needed",
        ),
        (
            "an entry of somebody who hasn't joined",
            |c, trust| {
                c.joins.remove(1);
                sign_entries(c, trust);
                certify_ceremony(c, trust);
            },
            "party 1 isn't a member",
        ),
        (
            "an entry of somebody who was absent before",
            |c, trust| {
                let mut back = entry(c, 2, 1).clone();
                back.index = 2;
                c.rounds[1].entries.push(back);
                sign_entries(c, trust);
                certify_ceremony(c, trust);
            },
            "party 2 isn't a member",
        ),
        (
            "too few finishes with the outcome",
            |c, trust| {
                entry(c, 2, 1).content = Some(Content::Outcome(vec![6; 32]));
                sign_entries(c, trust);
                certify_ceremony(c, trust);
            },
            "round 2: 1 entries, 2 are needed",
        ),
        (
            "posts that win a round past the last one",
            |c, trust| {
                let posts = c.rounds[0].clone();
                c.rounds.insert(0, posts);
                sign_entries(c, trust);
                certify_ceremony(c, trust);
            },
            "past the spec's last",
        ),
        (
            "a record with other members",
            |c, trust| {
                terminal(c).members = vec![0b111];
                certify_ceremony(c, trust);
            },
            "other members",
        ),
        (
            "a record with other filled slots",
            |c, trust| {
                terminal(c).filled = vec![0b001];
                certify_ceremony(c, trust);
            },
            "other filled slots",
        ),
        (
            "another transcript",
            |c, trust| {
                change_leaf(&mut c.anchor, trust, |leaf| leaf.transcript[0] ^= 1);
            },
            "certified transcript",
        ),
        (
            "a live session",
            |c, trust| {
                change_leaf(&mut c.anchor, trust, |leaf| {
                    leaf.status = Status::Running.number().into()
                });
            },
            "hasn't ended",
        ),
        (
            "a culprit without a signed word",
            |c, trust| {
                c.culprits[0].index = 0;
                certify_ceremony(c, trust);
            },
            "no signed evidence against party 0",
        ),
    ];
    refuse(&content!("ceremony", Ceremony), Body::Ceremony, &lies);
    let never_ran: [Lie<pb::CeremonyReceipt>; 1] = [(
        "an outcome of joining",
        |c, trust| {
            let terminal = terminal(c);
            (terminal.status, terminal.cause) = (Status::Finished.number().into(), 0);
            change_leaf(&mut c.anchor, trust, |leaf| {
                leaf.status = Status::Finished.number().into()
            });
            certify_ceremony(c, trust);
        },
        "never ran",
    )];
    refuse(
        &content!("ceremony that never ran", Ceremony),
        Body::Ceremony,
        &never_ran,
    );
}

#[test]
fn two_entries_convict_only_their_author_and_only_for_one_slot() {
    use pb::signed_entry::Header;
    fn second(receipt: &mut pb::EquivocationReceipt) -> &mut pb::PostHeader {
        let evidence = receipt.evidence.as_mut().unwrap();
        match evidence.second.as_mut().unwrap().header.as_mut().unwrap() {
            Header::Post(post) => post,
            other => panic!("{other:?}"),
        }
    }
    let lies: [Lie<pb::EquivocationReceipt>; 9] = [
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
                        post.session[0] ^= 1;
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
                r.evidence
                    .as_mut()
                    .unwrap()
                    .second
                    .as_mut()
                    .unwrap()
                    .signature[0] ^= 1;
            },
            "signature of party 1",
        ),
    ];
    refuse(
        &content!("equivocation", Equivocation),
        Body::Equivocation,
        &lies,
    );
}

#[test]
fn a_fork_is_two_certified_histories_that_differ() {
    fn headers(receipt: &mut pb::ForkReceipt) -> &mut pb::HeaderFork {
        match receipt.fork.as_mut().unwrap() {
            pb::fork_receipt::Fork::Headers(headers) => headers,
            other => panic!("{other:?}"),
        }
    }
    let lies: [Lie<pb::ForkReceipt>; 4] = [
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
                    header.height = header.height.increment().increment()
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
    refuse(&content!("fork of headers", Fork), Body::Fork, &lies);
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

#[test]
fn a_fork_of_a_session_is_two_transcripts_before_one_round() {
    fn session(receipt: &mut pb::ForkReceipt) -> &mut pb::SessionFork {
        match receipt.fork.as_mut().unwrap() {
            pb::fork_receipt::Fork::Session(session) => session,
            other => panic!("{other:?}"),
        }
    }
    let lies: [Lie<pb::ForkReceipt>; 8] = [
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
    refuse(&forked(&made().trust()), Body::Fork, &lies);
}
