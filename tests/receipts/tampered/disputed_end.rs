//! Ceremonies that ended of a complaint: with replicas that certify every lie, the signatures of the two parties are left.

use prost::Message as _;
use white_city_client::wire::{Complain, SignedTx, tx::Action};

use super::*;

fn complain(ceremony: &mut pb::CeremonyReceipt) -> &mut pb::Complain {
    match ceremony.complain.as_mut().unwrap().body.as_mut().unwrap() {
        pb::tx::Body::Complain(complain) => complain,
        other => panic!("{other:?}"),
    }
}

fn reveal(ceremony: &mut pb::CeremonyReceipt) -> &mut pb::Reveal {
    match ceremony.reveal.as_mut().unwrap().body.as_mut().unwrap() {
        pb::tx::Body::Reveal(reveal) => reveal,
        other => panic!("{other:?}"),
    }
}

/// Has party 1 sign a changed complaint, and the replicas certify it.
fn complain_otherwise(
    ceremony: &mut pb::CeremonyReceipt,
    trust: &Trust,
    change: impl FnOnce(&mut pb::PostHeader),
) {
    change(complain(ceremony).post.as_mut().unwrap());
    let tx = ceremony.complain.as_ref().unwrap().encode_to_vec();
    let tx = SignedTx::decode(&tx).unwrap();
    let Action::Complain(changed) = tx.unverified_action() else {
        panic!("a complaint")
    };
    let digest = Complain::digest(changed);
    complain(ceremony).signature = sign(1, Purpose::Complain, digest, trust);
    change_leaf(&mut ceremony.anchor, trust, |leaf| {
        leaf.dispute = digest.0.to_vec()
    });
}

fn end(ceremony: &mut pb::CeremonyReceipt, cause: Cause, by: u32) {
    let terminal = terminal(ceremony);
    (terminal.cause, terminal.by) = (cause.number().into(), by);
}

const ANSWERED: [Lie<pb::CeremonyReceipt>; 8] = [
    (
        "no complaint",
        |c, _| c.complain = None,
        "the complaint is missing",
    ),
    (
        "no answer",
        |c, _| c.reveal = None,
        "a verdict that isn't about the complaint",
    ),
    (
        "the complaint's signature",
        |c, _| complain(c).signature[9] ^= 1,
        "the signature doesn't verify",
    ),
    (
        "the answer's signature",
        |c, _| reveal(c).signature[9] ^= 1,
        "the signature doesn't verify",
    ),
    (
        "the answer's plaintext",
        |c, _| reveal(c).plaintext.push(1),
        "the signature doesn't verify",
    ),
    (
        "the other one convicted",
        |c, trust| {
            (c.culprits[0].index, c.culprits[0].kind) = (1, 3);
            end(c, Cause::FalseComplaint, 1);
            certify_ceremony(c, trust);
        },
        "a culprit whom the answer doesn't convict",
    ),
    (
        "the other one named",
        |c, trust| {
            end(c, Cause::FalseComplaint, 1);
            certify_ceremony(c, trust);
        },
        "an end that isn't what the answer has shown",
    ),
    (
        "nobody convicted",
        |c, trust| {
            c.culprits.clear();
            certify_ceremony(c, trust);
        },
        "an answer that convicts nobody",
    ),
];

const SILENT: [Lie<pb::CeremonyReceipt>; 4] = [
    (
        "silence as an offence",
        |c, trust| {
            c.culprits.push(pb::Culprit {
                index: 0,
                kind: 2,
                round: 1,
                a: leaf(c.anchor.as_mut().unwrap()).dispute.clone(),
                b: vec![1; 32],
            });
            certify_ceremony(c, trust);
        },
        "a verdict that isn't about the complaint",
    ),
    (
        "silence as a verdict",
        |c, trust| {
            end(c, Cause::BadPayload, 0);
            certify_ceremony(c, trust);
        },
        "an end that isn't what the answer has shown",
    ),
    (
        "a complaint about another post",
        |c, trust| complain_otherwise(c, trust, |post| post.bcast_len += 1),
        "a post that isn't in this history",
    ),
    (
        "a complaint about another history",
        |c, trust| complain_otherwise(c, trust, |post| flip(&mut post.transcript, 0)),
        "a post that isn't in this history",
    ),
];

const WITHOUT: [Lie<pb::CeremonyReceipt>; 1] = [(
    "an end by a dispute",
    |c, trust| {
        end(c, Cause::NoReveal, 0);
        certify_ceremony(c, trust);
    },
    "an end by a dispute that there wasn't",
)];

#[test]
fn a_dispute_convicts_only_by_what_the_two_parties_have_signed() {
    let content = |name| content!(name, Ceremony);
    refuse(
        &content("ceremony of a bad payload"),
        Body::Ceremony,
        &ANSWERED,
    );
    refuse(&content("ceremony of silence"), Body::Ceremony, &SILENT);
    refuse(&content("ceremony of an abort"), Body::Ceremony, &WITHOUT);
}
