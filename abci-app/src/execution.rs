//! Executing a block, and putting one together: transactions in, state and seal out.

use std::sync::Arc;

use bytes::Bytes;
use sha2::{Digest, Sha256};
use white_city_state_machine::{Block, BlockContext, Ended, State};
use white_city_wire::{
    Hash, Refusal, VerifiedTx,
    limits::SEAL_BYTES,
    seal::{Seal, data_leaf},
    tree::path_of_first,
    tx::Action,
};

use crate::{
    pace::{Load, size},
    packing::{self, Candidate},
    verified::{Decoded, VerifiedCache},
};

/// A block that was executed, with the session that each transaction is of, if it is of one.
pub struct Executed {
    /// The state after it.
    pub ended: Ended,
    /// Its seal.
    pub seal: Seal,
    /// Its valid transactions.
    pub txs: Vec<(Option<u32>, Arc<VerifiedTx>)>,
}

/// Why a block is invalid.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidBlock {
    /// The first item isn't a seal.
    #[error("the block doesn't begin with a seal")]
    NoSeal,
    /// A transaction that is invalid where it stands.
    #[error("transaction {position} is refused: {refusal}")]
    Refused {
        /// Its place in the block.
        position: usize,
        /// Why.
        refusal: Refusal,
    },
    /// More work than a block may have, by the transaction at this place.
    #[error("the work of the block's transactions exceeds {max} at transaction {position}")]
    TooMuchWork {
        /// Its place in the block.
        position: usize,
        /// The limit, included.
        max: u32,
    },
    /// More work that this replica hasn't seen than it does for one proposal at present. Local policy: the same block is judged later.
    #[error("{work} units of work in it are new here, more than this replica does at present")]
    Costly {
        /// Work of transactions that weren't verified before.
        work: u32,
    },
    /// This replica was restored from a snapshot, and still lacks what it needs to judge a proposal.
    #[error(
        "this replica was restored from a snapshot, and doesn't know yet what it needs to judge a proposal"
    )]
    Joining,
    /// The seal names another parent.
    #[error("the seal's parent is {got:?}, expected {expected:?}")]
    Parent {
        /// The seal.
        got: Box<Seal>,
        /// The seal of the last block that this replica has stored.
        expected: Box<Seal>,
    },
    /// The seal carries another root.
    #[error("the seal's root is {got}, execution gives {expected}")]
    Root {
        /// Root in the seal.
        got: Hash,
        /// Root of the state after the block.
        expected: Hash,
    },
}

impl InvalidBlock {
    /// All words that [`InvalidBlock::reason`] gives.
    pub const REASONS: [&'static str; 7] = [
        "no_seal",
        "refused",
        "too_much_work",
        "costly",
        "joining",
        "parent",
        "root",
    ];

    /// A word for the reason, of which there are few.
    #[must_use]
    pub const fn reason(&self) -> &'static str {
        match self {
            Self::NoSeal => "no_seal",
            Self::Refused { .. } => "refused",
            Self::TooMuchWork { .. } => "too_much_work",
            Self::Costly { .. } => "costly",
            Self::Joining => "joining",
            Self::Parent { .. } => "parent",
            Self::Root { .. } => "root",
        }
    }
}

/// Takes the seal off a block.
///
/// # Errors
/// [`InvalidBlock::NoSeal`].
pub fn split(block: &[Bytes]) -> Result<(Seal, &[Bytes]), InvalidBlock> {
    let (first, txs) = block.split_first().ok_or(InvalidBlock::NoSeal)?;
    let seal = Seal::decode(first).ok_or(InvalidBlock::NoSeal)?;
    Ok((seal, txs))
}

/// The seal's siblings below the header's `data_hash`, from the leaf up.
#[must_use]
pub fn seal_path(block: &[Bytes]) -> Vec<Hash> {
    path_of_first(block.iter().map(|item| data_leaf(item)).collect())
}

/// A block that was decoded, whose work is within the bound.
pub struct DecodedBlock {
    /// Its seal.
    pub seal: Seal,
    txs: Vec<Decoded>,
}

impl DecodedBlock {
    /// The work of its transactions that weren't verified before.
    pub fn new_work(&self) -> u32 {
        let works = self.txs.iter().map(Decoded::new_work);
        works.fold(0, u32::saturating_add)
    }
}

/// Decodes the block that follows a state, and adds up its work before any of it is done. A block with too much of it isn't even decoded to its end.
///
/// # Errors
/// [`InvalidBlock::NoSeal`], [`InvalidBlock::Refused`] or [`InvalidBlock::TooMuchWork`].
pub fn decode(
    state: &State,
    block: &[Bytes],
    cache: &VerifiedCache,
) -> Result<DecodedBlock, InvalidBlock> {
    let (seal, items) = split(block)?;
    let (max, protocol) = (state.params().max_work, state.charter().protocol);
    let (mut txs, mut work) = (Vec::new(), 0_u32);
    for (position, bytes) in (1..).zip(items) {
        let tx = cache.decode(protocol, bytes);
        let tx = tx.map_err(|refusal| InvalidBlock::Refused { position, refusal })?;
        work = work.saturating_add(tx.work());
        if work > max {
            return Err(InvalidBlock::TooMuchWork { position, max });
        }
        txs.push(tx);
    }
    Ok(DecodedBlock { seal, txs })
}

/// Executes a block whose every transaction must be valid, and compares its seal.
///
/// # Errors
/// [`InvalidBlock`].
pub fn execute(
    state: &State,
    context: BlockContext,
    block: DecodedBlock,
    cache: &VerifiedCache,
) -> Result<Executed, InvalidBlock> {
    let DecodedBlock { seal, txs } = block;
    let network = state.network().id;
    let mut open = Block::begin(state.clone(), context);
    let mut valid = Vec::with_capacity(txs.len());
    for (position, tx) in (1..).zip(txs) {
        let refused = |refusal| InvalidBlock::Refused { position, refusal };
        let tx = cache.verify_decoded(&open, &network, tx, |tx| cache.check_opener(tx, &network));
        let tx = tx.map_err(refused)?;
        let session = open.apply(&tx).map_err(refused)?;
        valid.push((session, tx));
    }
    let ended = open.end();
    let expected = ended.seal();
    if (seal.parent_hash, seal.parent_time) != (expected.parent_hash, expected.parent_time) {
        return Err(InvalidBlock::Parent {
            got: Box::new(seal),
            expected: Box::new(expected),
        });
    }
    if seal.root != expected.root {
        return Err(InvalidBlock::Root {
            got: seal.root,
            expected: expected.root,
        });
    }
    Ok(Executed {
        ended,
        seal,
        txs: valid,
    })
}

/// A transaction that may go into a proposal.
pub struct Offered {
    /// Its bytes; `None` for one that this replica holds, which is encoded when it goes in: what is held may be many times what a
    /// block takes.
    pub bytes: Option<Bytes>,
    /// The same, decoded and verified.
    pub tx: Arc<VerifiedTx>,
}

impl Offered {
    /// One that this replica holds.
    pub const fn held(tx: Arc<VerifiedTx>) -> Self {
        Self { bytes: None, tx }
    }
}

/// Space for transactions in a proposal.
#[derive(Debug, Clone, Copy)]
pub struct Room {
    /// Bytes of the whole block's items with their framing: what the engine takes.
    pub bytes: u64,
    /// Most of what isn't of sessions in last call, so that the others get the proposal in time.
    pub others: Load,
}

/// A block that was put together.
pub struct Proposal {
    /// Its effect on the state.
    pub executed: Executed,
    /// Seal and transactions.
    pub block: Vec<Bytes>,
    /// The part of it that isn't of sessions in last call.
    pub others: Load,
}

/// Puts a block together: of the candidates those that are valid and fit, behind the seal. Entries of sessions in last call are left out
/// for the engine's limit and for the bound on a block's work only: an honest party could be late otherwise.
pub fn propose(mut open: Block, max_work: u32, candidates: Vec<Offered>, room: Room) -> Proposal {
    let candidates = candidates.into_iter().map(|offered| {
        let (session, last_call) = open.place(&offered.tx);
        Candidate {
            session,
            last_call,
            size: size(Load {
                bytes: offered.tx.bytes().into(),
                work: offered.tx.work(),
            }),
            item: offered,
        }
    });
    let (urgent, others) = packing::order(candidates.collect());
    let (words, others): (Vec<_>, Vec<_>) = others
        .into_iter()
        .partition(|offered| matches!(offered.tx.action(), Action::Approve(_)));
    let mut left = Load {
        bytes: room.bytes.saturating_sub(in_block(u64::from(SEAL_BYTES))),
        work: max_work,
    };
    let mut valid = Vec::new();
    let mut items = Vec::new();
    let mut has_charter = false;
    let mut add = |left: &mut Load, Offered { bytes, tx }: Offered| {
        // One charter a block: its keys cost more than all else.
        let is_charter = matches!(tx.action(), Action::Approve(_)) && tx.work() > 1;
        if is_charter && has_charter {
            return;
        }
        let (needed, work) = (in_block(u64::from(tx.bytes())), tx.work());
        if needed > left.bytes || work > left.work {
            return;
        }
        if let Ok(session) = open.apply(&tx) {
            left.bytes -= needed;
            left.work -= work;
            items.push(bytes.unwrap_or_else(|| tx.encode().into()));
            valid.push((session, tx));
            has_charter |= is_charter;
        }
    };
    for offered in urgent {
        add(&mut left, offered);
    }
    // What operators say comes right after it, or others' traffic could keep them from changing anything.
    for offered in words {
        add(&mut left, offered);
    }
    left.bytes = left.bytes.min(room.others.bytes);
    left.work = left.work.min(room.others.work);
    let before = left;
    for offered in others {
        add(&mut left, offered);
    }
    let ended = open.end();
    let seal = ended.seal();
    let block = std::iter::once(seal.encode().into()).chain(items).collect();
    let executed = Executed {
        ended,
        seal,
        txs: valid,
    };
    let others = Load {
        bytes: before.bytes - left.bytes,
        work: before.work - left.work,
    };
    Proposal {
        executed,
        block,
        others,
    }
}

/// Bytes of a block that a transaction of `bytes` takes: itself, its length and its tag.
fn in_block(bytes: u64) -> u64 {
    let mut length_bytes = 1;
    let mut rest = bytes >> 7;
    while rest > 0 {
        length_bytes += 1;
        rest >>= 7;
    }
    1 + length_bytes + bytes
}

/// Identifier of a proposal between preparing and processing it, when it has no hash yet.
#[must_use]
pub fn proposal_key(context: &BlockContext, misbehavior: &[u8], block: &[Bytes]) -> Hash {
    let mut hasher = Sha256::new();
    hasher.update(context.height.to_be_bytes());
    hasher.update(context.time.seconds.to_be_bytes());
    hasher.update(context.time.nanos.to_be_bytes());
    hasher.update(context.proposer);
    hasher.update(context.voted);
    hasher.update(
        u64::try_from(misbehavior.len())
            .unwrap_or(u64::MAX)
            .to_be_bytes(),
    );
    hasher.update(misbehavior);
    for item in block {
        hasher.update(u64::try_from(item.len()).unwrap_or(u64::MAX).to_be_bytes());
        hasher.update(item);
    }
    Hash(hasher.finalize().into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_size_in_a_block_is_that_of_a_protobuf_field() {
        for bytes in [0_usize, 1, 127, 128, 16_383, 16_384, 700_000] {
            let field = prost::encoding::bytes::encoded_len(1, &vec![0_u8; bytes]);
            let bytes = u64::try_from(bytes).unwrap();
            assert_eq!(in_block(bytes), u64::try_from(field).unwrap());
        }
    }
}
