//! Transactions: from values to bytes and back, and bytes that are refused.

use serde_json::Value;
use white_city_wire::{
    Complain, Entry, Hash, Refusal, Reveal, Signature, SignedEntry, SignedTx,
    approve::{Approve, Word},
    tx::{Action, Join, Open, Post},
};

use crate::{
    case::{Case, Fields, bytes, hexed},
    entries::{finish_header, leave, p2p, post_header},
    network::spec_of,
};

pub fn transaction(case: &Case) {
    let input = case.input();
    let action = action(input);
    let bytes = case.output().bytes("tx");
    let built = SignedTx::new(action.clone(), input.signature()).unwrap();
    let decoded = SignedTx::decode(&bytes).unwrap();
    assert_eq!(decoded, built);
    assert_eq!(decoded.encode(), bytes);
    assert_eq!(decoded.bytes() as usize, bytes.len());

    let (signer, parties, network) = (
        input.key("signer"),
        input.number("parties"),
        input.network(),
    );
    let verified = decoded.clone().verify(&signer, parties, &network).unwrap();
    // A decoded post knows its p2p root only once it is verified against a roster of a known size.
    assert_eq!(verified.action(), &action);
    let elsewhere = white_city_wire::NetworkId([7; 32]);
    assert!(decoded.verify(&signer, parties, &elsewhere).is_err());

    let encoded = ("tx", hexed(built.encode()));
    match &action {
        Action::Post(post) => case.expect([encoded, ("digest", hexed(post.header.digest().0))]),
        Action::Complain(complain) => {
            case.expect([encoded, ("digest", hexed(complain.digest().0))])
        }
        Action::Reveal(reveal) => case.expect([encoded, ("digest", hexed(reveal.digest().0))]),
        Action::Approve(approve) => case.expect([encoded, ("digest", hexed(approve.digest().0))]),
        Action::Finish(finish) => case.expect([encoded, ("digest", hexed(finish.digest().0))]),
        _ => case.expect([encoded]),
    }
}

fn action(input: Fields<'_>) -> Action {
    match input.text("kind") {
        "open" => Action::Open(Open {
            spec: spec_of(input.object("spec")),
            opener: input.key("opener"),
            nonce: input.bytes32("nonce"),
            open_by_ms: input.number("open_by_ms"),
            stamp: input.number("stamp"),
        }),
        "join" => Action::Join(Join {
            session: input.session(),
            index: input.number("index"),
            key: input.encryption_key("enc_pk"),
        }),
        "decline" | "abort" => Action::Leave {
            session: input.session(),
            index: input.number("index"),
            leave: leave(input),
        },
        "post" => Action::Post(Post::new(
            input.session(),
            input.number("round"),
            (input.number("index"), input.number("parties")),
            input.hash("transcript"),
            input.bytes("bcast"),
            p2p(input),
        )),
        "finish" => Action::Finish(finish_header(input)),
        "evidence" => {
            Action::Evidence([entry(input.object("first")), entry(input.object("second"))])
        }
        "complain" => Action::Complain(Complain {
            post: post_header(input.object("post")),
            index: input.number("index"),
            leaf: input.hash("p2p_leaf"),
            path: input
                .list("p2p_path")
                .map(|sibling| Hash::from_slice(&bytes(sibling.0)).unwrap())
                .collect(),
        }),
        "reveal" => Action::Reveal(Reveal {
            session: input.session(),
            complaint: input.hash("complaint"),
            index: input.number("index"),
            ikm_e: input.bytes32("ikm_e"),
            plaintext: input.bytes("plaintext"),
        }),
        "approve" => Action::Approve(approve(input)),
        other => panic!("unknown kind {other}"),
    }
}

fn approve(input: Fields<'_>) -> Approve {
    let charter = input.get("charter");
    Approve {
        term: input.number("term"),
        operator: input.number("operator"),
        sequence: input.number("sequence"),
        word: match charter.is_null() {
            true => Word::Withdraw,
            false => Word::Charter {
                charter: Box::new(serde_json::from_value(charter.clone()).unwrap()),
                newcomers: input
                    .list("newcomers")
                    .map(|signature| Signature::from_slice(&bytes(signature.0)).unwrap())
                    .collect(),
            },
        },
    }
}

fn entry(input: Fields<'_>) -> SignedEntry {
    SignedEntry {
        entry: match input.text("kind") {
            "post" => Entry::Post(post_header(input)),
            _ => Entry::Finish(finish_header(input)),
        },
        signature: input.signature(),
    }
}

pub fn refused(case: &Case) {
    let bytes = case.input().bytes("tx");
    let code = SignedTx::decode(&bytes).map_or_else(|refusal: Refusal| refusal.code(), |_| 0);
    case.expect([("code", Value::from(code))]);
}
