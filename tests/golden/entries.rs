//! Bytes that parties sign, payloads, and transcripts.

use serde_json::{Value, json};
use white_city_wire::{
    FinishHeader, Hash, PostHeader,
    board::{slot_leaf, slots_root, transcript_next, transcript_start},
    entry::{bcast_hash, p2p_leaf},
    hash::sha256,
    limits::NOBODY,
    signing::{abort_digest, complain_digest, decline_digest, join_digest, reveal_digest},
    tx::{Join, Leave, Post},
};

use crate::case::{Case, Fields, bytes, hexed, numbered};

pub fn digest(case: &Case) {
    let input = case.input();
    let digest = match input.text("kind") {
        "join" => join(input),
        "post" => post_header(input).digest(),
        "finish" => finish_header(input).digest(),
        "decline" | "abort" => {
            let digest = leave_digest(input);
            assert_eq!(
                leave(input).digest(&input.session(), input.number("index")),
                digest
            );
            digest
        }
        "complain" => complain_digest(
            &input.session(),
            input.number("round"),
            input.number("index"),
            input.number("accused"),
            &input.hash("accused_post_digest"),
            &input.hash("p2p_leaf"),
        ),
        "reveal" => reveal_digest(
            &input.hash("complain_digest"),
            input.number("index"),
            &input.bytes32("ikm_e"),
            &sha256(&input.bytes("plaintext")),
        ),
        other => panic!("unknown kind {other}"),
    };
    case.expect([("digest", hexed(digest.0))]);
}

fn join(input: Fields<'_>) -> Hash {
    let (session, index) = (input.session(), input.number("index"));
    let key = input.encryption_key("enc_pk");
    let digest = join_digest(&session, index, input.number("kem"), &input.bytes("enc_pk"));
    assert_eq!(
        Join {
            session,
            index,
            key
        }
        .digest(),
        digest
    );
    digest
}

/// The hashed part of a post.
pub fn post_header(input: Fields<'_>) -> PostHeader {
    PostHeader {
        session: input.session(),
        round: input.number("round"),
        index: input.number("index"),
        transcript: input.hash("transcript"),
        bcast_hash: input.hash("bcast_hash"),
        bcast_len: input.number("bcast_len"),
        p2p_root: input.hash("p2p_root"),
        p2p_bytes: input.number("p2p_bytes"),
    }
}

/// A finish.
pub fn finish_header(input: Fields<'_>) -> FinishHeader {
    FinishHeader {
        session: input.session(),
        round: input.number("round"),
        index: input.number("index"),
        transcript: input.hash("transcript"),
        outcome: input.hash("outcome"),
    }
}

/// A decline or an abort.
pub fn leave(input: Fields<'_>) -> Leave {
    if input.text("kind") == "decline" {
        return Leave::Decline {
            reason: input.number("reason"),
        };
    }
    Leave::Abort {
        cause: input.number("cause"),
        about: input.number_or("about", NOBODY),
        detail: input.hash("detail"),
    }
}

fn leave_digest(input: Fields<'_>) -> Hash {
    let (session, index) = (input.session(), input.number("index"));
    match leave(input) {
        Leave::Decline { reason } => decline_digest(&session, index, reason),
        Leave::Abort {
            cause,
            about,
            detail,
        } => abort_digest(&session, index, cause, about, &detail),
    }
}

/// Recipients and what they are sent.
pub fn p2p(input: Fields<'_>) -> Vec<(u16, Vec<u8>)> {
    input
        .list("p2p")
        .map(|sealed| (sealed.number("index"), sealed.bytes("ciphertext")))
        .collect()
}

pub fn payloads(case: &Case) {
    let input = case.input();
    let (bcast, p2p) = (input.bytes("bcast"), p2p(input));
    let leaves: Vec<Value> = p2p.iter().map(|(_, c)| hexed(p2p_leaf(c).0)).collect();
    let author = (0..).find(|i| p2p.iter().all(|(to, _)| to != i)).unwrap();
    let backwards = p2p.into_iter().rev().collect();
    let place = (author, input.number("n"));
    let post = Post::new(
        Default::default(),
        1,
        place,
        Hash::ZERO,
        bcast.clone(),
        backwards,
    );
    assert_eq!(bcast_hash(&bcast), post.header.bcast_hash);
    assert_eq!(post.header.bcast_len as usize, bcast.len());
    case.expect([
        ("bcast_hash", hexed(post.header.bcast_hash.0)),
        ("leaves", Value::from(leaves)),
        ("p2p_root", hexed(post.header.p2p_root.0)),
        ("p2p_bytes", Value::from(post.header.p2p_bytes)),
    ]);
}

pub fn transcript(case: &Case) {
    let input = case.input();
    if let Some(digest) = input.0.get("digest") {
        let digest = Hash::from_slice(&bytes(digest));
        return case.expect([("slot_leaf", hexed(slot_leaf(digest.as_ref()).0))]);
    }
    let session = input.session();
    let mut so_far: Option<Hash> = None;
    let mut found = Vec::new();
    for (round, said) in (0..).zip(case.output().list("rounds")) {
        let slots: Vec<Option<Hash>> = match said.get("slots") {
            Value::Null => numbered(input.number("n")).into_iter().map(Some).collect(),
            listed => listed
                .as_array()
                .unwrap()
                .iter()
                .map(|slot| Hash::from_slice(&bytes(slot)))
                .collect(),
        };
        assert_eq!(slots.len(), input.number::<usize>("n"));
        let root = slots_root(slots);
        let next = match so_far {
            None => transcript_start(&session, &root),
            Some(before) => transcript_next(&before, round, &root),
        };
        found.push(json!({
            "slots": said.get("slots"), "root": hexed(root.0), "transcript": hexed(next.0),
        }));
        so_far = Some(next);
    }
    assert_eq!(found.len(), 4);
    case.expect([("rounds", Value::from(found))]);
}
