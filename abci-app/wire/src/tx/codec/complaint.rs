//! Complaints and reveals.

use alloc::vec::Vec;

use super::{hash, index, post_header_from_pb, post_header_to_pb, session, signature};
use crate::{
    dispute::{Complain, Reveal},
    hash::Hash,
    keys::Signature,
    limits::ROSTER_PARTIES_MAX,
    pb,
    read::{join_hashes, split_hashes},
    refusal::Refusal,
    tree::depth,
    tx::Action,
};

pub(super) fn complain_from_pb(complain: &pb::Complain) -> Result<(Action, Signature), Refusal> {
    let field =
        |good: bool, field, expected| good.then_some(()).ok_or(Refusal::Field { field, expected });
    let post = complain.post.as_ref();
    let post = post_header_from_pb(post.ok_or(Refusal::Malformed("no post"))?)?;
    let author = index("index", complain.index)?;
    field(author != post.index, "index", "not the post's author")?;
    let leaf = hash("p2p_leaf", &complain.p2p_leaf)?;
    field(
        leaf != Hash::ZERO,
        "p2p_leaf",
        "that of a payload: everybody sees that one is absent",
    )?;
    let longest = usize::from(depth(ROSTER_PARTIES_MAX));
    let path = split_hashes(&complain.p2p_path).filter(|path| path.len() <= longest);
    let path = path.ok_or(Refusal::Field {
        field: "p2p_path",
        expected: "at most 10 times 32 bytes",
    })?;
    let complaint = Complain {
        post,
        index: author,
        leaf,
        path,
    };
    Ok((Action::Complain(complaint), signature(&complain.signature)?))
}

pub(super) fn complain_to_pb(complain: &Complain, signature: Vec<u8>) -> pb::Complain {
    pb::Complain {
        post: Some(post_header_to_pb(&complain.post)),
        index: complain.index.into(),
        p2p_leaf: complain.leaf.0.to_vec(),
        p2p_path: join_hashes(&complain.path),
        signature,
    }
}

pub(super) fn reveal_from_pb(reveal: pb::Reveal) -> Result<(Action, Signature), Refusal> {
    let answer = Reveal {
        session: session(&reveal.session)?,
        complaint: hash("complaint", &reveal.complaint)?,
        index: index("index", reveal.index)?,
        ikm_e: hash("ikm_e", &reveal.ikm_e)?.0,
        plaintext: reveal.plaintext,
    };
    if answer.plaintext.is_empty() {
        return Err(Refusal::Field {
            field: "plaintext",
            expected: "at least 1 byte",
        });
    }
    Ok((Action::Reveal(answer), signature(&reveal.signature)?))
}

pub(super) fn reveal_to_pb(reveal: &Reveal, signature: Vec<u8>) -> pb::Reveal {
    pb::Reveal {
        session: reveal.session.0.to_vec(),
        complaint: reveal.complaint.0.to_vec(),
        index: reveal.index.into(),
        ikm_e: reveal.ikm_e.to_vec(),
        plaintext: reveal.plaintext.clone(),
        signature,
    }
}
