//! The bytes that a validator signs, as CometBFT 0.38 and later define them.

use prost::Message as _;
use tendermint_proto::v0_38::types::{
    BlockId, CanonicalBlockId, CanonicalPartSetHeader, CanonicalProposal, CanonicalVote,
    CanonicalVoteExtension, Proposal, SignedMsgType, Vote,
};

/// Those of a vote.
pub fn vote(vote: &Vote, chain_id: &str) -> Vec<u8> {
    CanonicalVote {
        r#type: vote.r#type,
        height: vote.height,
        round: vote.round.into(),
        block_id: block_id(vote.block_id.as_ref()),
        timestamp: vote.timestamp,
        chain_id: chain_id.into(),
    }
    .encode_length_delimited_to_vec()
}

/// Those of a vote's extension, which CometBFT expects with every precommit for a block, used or not.
pub fn extension(vote: &Vote, chain_id: &str) -> Option<Vec<u8>> {
    let for_a_block = block_id(vote.block_id.as_ref()).is_some();
    let precommit = vote.r#type == i32::from(SignedMsgType::Precommit);
    (precommit && for_a_block).then(|| {
        CanonicalVoteExtension {
            extension: vote.extension.clone(),
            height: vote.height,
            round: vote.round.into(),
            chain_id: chain_id.into(),
        }
        .encode_length_delimited_to_vec()
    })
}

/// Those of a proposal.
pub fn proposal(proposal: &Proposal, chain_id: &str) -> Vec<u8> {
    CanonicalProposal {
        r#type: SignedMsgType::Proposal.into(),
        height: proposal.height,
        round: proposal.round.into(),
        pol_round: proposal.pol_round.into(),
        block_id: block_id(proposal.block_id.as_ref()),
        timestamp: proposal.timestamp,
        chain_id: chain_id.into(),
    }
    .encode_length_delimited_to_vec()
}

/// A vote for no block names none.
fn block_id(id: Option<&BlockId>) -> Option<CanonicalBlockId> {
    let id = id.filter(|id| !id.hash.is_empty())?;
    let parts = id.part_set_header.as_ref()?;
    Some(CanonicalBlockId {
        hash: id.hash.clone(),
        part_set_header: Some(CanonicalPartSetHeader {
            total: parts.total,
            hash: parts.hash.clone(),
        }),
    })
}
