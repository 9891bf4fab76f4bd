//! The hashes in CometBFT's headers.

use prost::Message;
use tendermint::{
    Hash, block::Commit, crypto::default::Sha256, merkle::simple_hash_from_byte_vectors,
};

/// The root over a list, as CometBFT builds it.
pub fn root(leaves: &[Vec<u8>]) -> Hash {
    Hash::Sha256(simple_hash_from_byte_vectors::<Sha256>(leaves))
}

/// The root over nothing.
pub fn empty_root() -> Hash {
    root(&[])
}

/// The hash by which the next header names a commit.
pub fn commit_hash(commit: &Commit) -> Hash {
    let signatures: Vec<Vec<u8>> = commit
        .signatures
        .iter()
        .map(|signature| {
            tendermint_proto::v0_38::types::CommitSig::from(signature.clone()).encode_to_vec()
        })
        .collect();
    root(&signatures)
}
