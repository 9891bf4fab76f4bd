//! The layouts of `bytes.md`, written a second time, without the crate that is tested.

use sha2::{Digest, Sha256};
use white_city_wire::{Complain, Hash};

/// SHA-256 of parts in a row.
pub fn sha(parts: &[&[u8]]) -> Hash {
    let mut hasher = Sha256::new();
    parts.iter().for_each(|part| hasher.update(part));
    Hash(hasher.finalize().into())
}

/// A tag behind its length.
pub fn tag(name: &str) -> Vec<u8> {
    let len = u32::try_from(name.len()).unwrap_or(u32::MAX);
    [&len.to_be_bytes()[..], name.as_bytes()].concat()
}

/// Digest that a complaint signs.
pub fn complain_digest(complain: &Complain) -> Hash {
    let post = &complain.post;
    let post_digest = sha(&[
        &tag("white-city/post/1"),
        &post.session.0,
        &post.round.to_be_bytes(),
        &post.index.to_be_bytes(),
        &post.transcript.0,
        &post.bcast_hash.0,
        &post.bcast_len.to_be_bytes(),
        &post.p2p_root.0,
        &post.p2p_bytes.to_be_bytes(),
    ]);
    sha(&[
        &tag("white-city/complain/1"),
        &post.session.0,
        &post.round.to_be_bytes(),
        &complain.index.to_be_bytes(),
        &post.index.to_be_bytes(),
        &post_digest.0,
        &complain.leaf.0,
    ])
}

/// An inner node of a tree.
pub fn node(left: &Hash, right: &Hash) -> Hash {
    sha(&[&[1], &left.0, &right.0])
}

/// The root over leaves that are padded with zeros to 2^depth.
pub fn root(leaves: &[Hash], depth: u32) -> Hash {
    if depth == 0 {
        return leaves.first().copied().unwrap_or(Hash::ZERO);
    }
    if leaves.is_empty() {
        let below = root(&[], depth - 1);
        return node(&below, &below);
    }
    let half = usize::try_from(1_u64 << (depth - 1)).unwrap_or(usize::MAX);
    let (left, right) = leaves.split_at(half.min(leaves.len()));
    node(&root(left, depth - 1), &root(right, depth - 1))
}

/// The root over a round's slots.
pub fn slots_root(digests: &[Option<Hash>]) -> Hash {
    let leaves: Vec<Hash> = digests
        .iter()
        .map(|digest| match digest {
            Some(digest) => sha(&[&[0], &tag("white-city/slot/1"), &digest.0]),
            None => Hash::ZERO,
        })
        .collect();
    let depth = (0..).find(|d| leaves.len() <= 1 << d).unwrap_or(0);
    root(&leaves, depth)
}
