//! One lie for each check: with the checksum right, and where the check is about what parties have signed, with replicas
//! that certify the lie.

macro_rules! content {
    ($name:expr, $kind:ident) => {
        match decoded(&made().receipts[$name]).body {
            Some(Body::$kind(content)) => content,
            other => panic!("{other:?}"),
        }
    };
}

mod absence;
mod anchor;
mod ceremony;
mod disputed_end;
mod end;
mod equivocation;
mod fork;
mod rules;
mod submission;

use prost::bytes::Bytes;
use white_city_client::{
    Trust,
    wire::{
        Bitmap,
        board::{Cause, Status, Terminal},
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

/// Changes a byte.
fn flip(bytes: &mut Bytes, at: usize) {
    let mut changed = bytes.to_vec();
    changed[at] ^= 1;
    *bytes = changed.into();
}

/// A change, and a part of the reason for which it has to be refused.
type Lie<T> = (&'static str, fn(&mut T, &Trust), &'static str);

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

/// Puts an opening of another session with the same spec there, under the opener's signature.
fn open_again(open: &mut Option<pb::Open>, trust: &Trust) {
    let open = open.as_mut().unwrap();
    open.nonce[0] ^= 1;
    let (parsed, _) = white_city_client::wire::tx::open_from_pb(open.clone()).unwrap();
    let id = white_city_client::Hash(parsed.session_id(&trust.network().id).0);
    open.signature = sign(0, Purpose::Open, id, trust);
}

fn entry(ceremony: &mut pb::CeremonyReceipt, round: usize, at: usize) -> &mut pb::ReceiptEntry {
    &mut ceremony.rounds[round - 1].entries[at]
}

fn terminal(ceremony: &mut pb::CeremonyReceipt) -> &mut pb::Terminal {
    ceremony.terminal.as_mut().unwrap()
}
