//! Headers, and the signatures below them.

use tendermint::{
    AppHash, Hash, Signature, Time, account,
    block::{self, CommitSig, Height, Round, signed_header::SignedHeader},
};

use super::{
    HeaderChange, Row, at,
    council::{Council, signature},
};
use crate::rng::Rng;

/// Lets the commit name the header as it is now.
pub fn rehash(signed: &mut SignedHeader) {
    signed.commit.block_id.hash = signed.header.hash();
}

/// Four validators that are nobody's.
fn strangers(rng: &mut Rng) -> Council {
    Council::new(std::array::from_fn::<_, 4, _>(|_| rng.bytes32()))
}

fn random(rng: &mut Rng) -> Hash {
    Hash::Sha256(rng.bytes32())
}

/// So many votes that the others are no more than two thirds.
fn a_third(signed: &mut SignedHeader) -> impl Iterator<Item = &mut CommitSig> {
    let votes = &mut signed.commit.signatures;
    let enough = votes.len() - votes.len() * 2 / 3;
    votes.iter_mut().take(enough)
}

/// The parts of a vote for the block.
fn vote(vote: &mut CommitSig) -> Option<(&mut account::Id, &mut Time, &mut Option<Signature>)> {
    match vote {
        CommitSig::BlockIdFlagCommit {
            validator_address,
            timestamp,
            signature,
        } => Some((validator_address, timestamp, signature)),
        _ => None,
    }
}

fn flip_signature(signature_: &mut Option<Signature>, rng: &mut Rng) -> Option<()> {
    let mut bytes = signature_.as_ref()?.as_bytes().to_vec();
    super::flip(&mut bytes, rng)?;
    *signature_ = signature(&bytes);
    Some(())
}

pub(super) const CHANGES: &[Row<HeaderChange>] = &[
    ("header-chain", "a header of another chain", |h, _, r| {
        h.header.chain_id = format!("chain-{}", r.below(1_000)).parse().ok()?;
        Some(())
    }),
    (
        "header-chain-rehashed",
        "a header of another chain, and a commit that names it",
        |h, _, r| {
            h.header.chain_id = format!("chain-{}", r.below(1_000)).parse().ok()?;
            rehash(h);
            Some(())
        },
    ),
    (
        "header-height",
        "a header that says another height",
        |h, _, r| {
            let other = h.header.height.value() ^ (1 << r.below(20));
            h.header.height = Height::try_from(other).ok()?;
            Some(())
        },
    ),
    (
        "header-height-with-commit",
        "a header and a commit that say another height",
        |h, _, r| {
            let other = h.header.height.value() ^ (1 << r.below(20));
            h.header.height = Height::try_from(other).ok()?;
            h.commit.height = h.header.height;
            rehash(h);
            Some(())
        },
    ),
    (
        "header-time",
        "a header of another time, so another board time",
        |h, _, r| {
            h.header.time = h
                .header
                .time
                .checked_add(std::time::Duration::from_millis(r.between(1, 100_000)))?;
            Some(())
        },
    ),
    (
        "header-time-rehashed",
        "a header of another time, and a commit that names it",
        |h, _, r| {
            h.header.time = h
                .header
                .time
                .checked_add(std::time::Duration::from_millis(r.between(1, 100_000)))?;
            rehash(h);
            Some(())
        },
    ),
    (
        "header-last-block",
        "a header after another block",
        |h, _, r| {
            h.header.last_block_id.as_mut()?.hash = random(r);
            Some(())
        },
    ),
    (
        "header-last-commit",
        "a header with another last commit",
        |h, _, r| {
            h.header.last_commit_hash = Some(random(r));
            Some(())
        },
    ),
    (
        "header-data",
        "a header of another block's data",
        |h, _, r| {
            h.header.data_hash = Some(random(r));
            Some(())
        },
    ),
    (
        "header-data-rehashed",
        "a header of another block's data, and a commit that names it",
        |h, _, r| {
            h.header.data_hash = Some(random(r));
            rehash(h);
            Some(())
        },
    ),
    (
        "header-validators",
        "a header with another validator set",
        |h, _, r| {
            h.header.validators_hash = random(r);
            Some(())
        },
    ),
    (
        "header-next-validators",
        "a header with another next validator set",
        |h, _, r| {
            h.header.next_validators_hash = random(r);
            Some(())
        },
    ),
    (
        "header-consensus",
        "a header of other consensus parameters",
        |h, _, r| {
            h.header.consensus_hash = random(r);
            Some(())
        },
    ),
    (
        "header-app-hash",
        "a header with another app hash",
        |h, _, r| {
            h.header.app_hash = AppHash::try_from(r.bytes(32)).ok()?;
            Some(())
        },
    ),
    (
        "header-results",
        "a header with other results",
        |h, _, r| {
            h.header.last_results_hash = Some(random(r));
            Some(())
        },
    ),
    (
        "header-evidence",
        "a header with other evidence",
        |h, _, r| {
            h.header.evidence_hash = Some(random(r));
            Some(())
        },
    ),
    (
        "header-proposer",
        "a header of another proposer",
        |h, _, r| {
            h.header.proposer_address = account::Id::new(r.bytes(20).try_into().ok()?);
            Some(())
        },
    ),
    (
        "header-of-strangers",
        "a header that other validators have signed, with their own set: a wrong validator set",
        |h, _, r| {
            let strangers = strangers(r);
            let mut header = h.header.clone();
            (header.validators_hash, header.next_validators_hash) =
                (strangers.hash(), strangers.hash());
            *h = strangers.sign(header, 4);
            Some(())
        },
    ),
    (
        "header-signed-by-strangers",
        "a forged header that names the right validators and was signed by others",
        |h, _, r| {
            let mut header = h.header.clone();
            header.data_hash = Some(random(r));
            *h = strangers(r).sign(header, 4);
            Some(())
        },
    ),
    (
        "header-old",
        "the header of another height",
        |h, memory, r| {
            *h = memory.another_header(h.header.height.value(), r)?.clone();
            Some(())
        },
    ),
    (
        "commit-old",
        "the header under the votes for another height",
        |h, memory, r| {
            h.commit = memory
                .another_header(h.header.height.value(), r)?
                .commit
                .clone();
            Some(())
        },
    ),
    (
        "votes-old",
        "the header under the votes for another height, in its own commit",
        |h, memory, r| {
            let other = memory.another_header(h.header.height.value(), r)?;
            h.commit.signatures.clone_from(&other.commit.signatures);
            Some(())
        },
    ),
    (
        "commit-round",
        "a commit of another consensus round",
        |h, _, r| {
            h.commit.round = Round::try_from(u32::try_from(r.between(1, 9)).ok()?).ok()?;
            Some(())
        },
    ),
    ("commit-height", "a commit of another height", |h, _, _| {
        h.commit.height = h.commit.height.increment();
        Some(())
    }),
    ("commit-block", "a commit for another block", |h, _, r| {
        h.commit.block_id.hash = random(r);
        Some(())
    }),
    (
        "commit-parts",
        "a commit for other parts of the block",
        |h, _, r| {
            h.commit.block_id.part_set_header = block::parts::Header::new(1, random(r)).ok()?;
            Some(())
        },
    ),
    ("votes-none", "no votes at all", |h, _, _| {
        h.commit.signatures.fill(CommitSig::BlockIdFlagAbsent);
        Some(())
    }),
    (
        "votes-too-few",
        "votes of no more than two thirds",
        |h, _, _| {
            a_third(h).for_each(|vote| *vote = CommitSig::BlockIdFlagAbsent);
            Some(())
        },
    ),
    (
        "votes-nil",
        "so many votes for no block that the others are too few",
        |h, _, _| {
            a_third(h).for_each(|vote| {
                if let CommitSig::BlockIdFlagCommit {
                    validator_address,
                    timestamp,
                    signature,
                } = vote.clone()
                {
                    *vote = CommitSig::BlockIdFlagNil {
                        validator_address,
                        timestamp,
                        signature,
                    };
                }
            });
            Some(())
        },
    ),
    (
        "votes-cut",
        "a vote less than there are validators",
        |h, _, _| h.commit.signatures.pop().map(drop),
    ),
    (
        "votes-longer",
        "a vote twice, and so more votes than validators",
        |h, _, r| super::repeat(&mut h.commit.signatures, r),
    ),
    (
        "votes-duplicated",
        "the vote of one validator in all places",
        |h, _, r| {
            let votes = &mut h.commit.signatures;
            let one = votes.get(at(votes, r)?)?.clone();
            votes.fill(one);
            Some(())
        },
    ),
    (
        "votes-signature",
        "votes with other signatures",
        |h, _, r| a_third(h).try_for_each(|v| flip_signature(vote(v)?.2, r)),
    ),
    (
        "votes-signatures-rotated",
        "everybody's signature in somebody else's vote",
        |h, _, _| {
            let votes = h.commit.signatures.iter_mut();
            let mut signatures: Vec<_> = votes.filter_map(|v| Some(vote(v)?.2)).collect();
            let (last, rest) = signatures.split_last_mut()?;
            rest.iter_mut()
                .for_each(|signature| std::mem::swap(*signature, *last));
            Some(())
        },
    ),
    ("votes-time", "votes of another time", |h, _, r| {
        let later = std::time::Duration::from_millis(r.between(1, 100_000));
        a_third(h).try_for_each(|v| {
            let (_, time, _) = vote(v)?;
            *time = time.checked_add(later)?;
            Some(())
        })
    }),
    (
        "votes-of-strangers",
        "votes that name somebody who isn't a validator",
        |h, _, r| {
            a_third(h).try_for_each(|v| {
                *vote(v)?.0 = account::Id::new(r.bytes(20).try_into().ok()?);
                Some(())
            })
        },
    ),
];
