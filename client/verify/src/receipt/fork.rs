//! Two histories that the validators have signed.

use white_city_wire::{Hash, SessionId, pb, proof::RoundProof};

use super::{BadReceipt, Certified, Claim, ForkClaim, Proven, anchor, error::OrBad};
use crate::trust::Trust;

pub(super) fn verify(receipt: &pb::ForkReceipt, trust: &Trust) -> Result<Proven, BadReceipt> {
    match &receipt.fork {
        Some(pb::fork_receipt::Fork::Headers(fork)) => headers(fork, trust),
        Some(pb::fork_receipt::Fork::Session(fork)) => session(fork, trust),
        Some(pb::fork_receipt::Fork::Back(fork)) => back(fork, trust),
        None => Err(BadReceipt::Missing("fork")),
    }
}

fn headers(fork: &pb::HeaderFork, trust: &Trust) -> Result<Proven, BadReceipt> {
    // One of the two may be another link than the one that is known.
    let first = anchor::check_signed(&fork.first, trust)?;
    let second = anchor::check_signed(&fork.second, trust)?;
    if first.is_of_one_chain_with(&second) {
        return Err(BadReceipt::NoFork("the two headers may be of one chain"));
    }
    // What the two blocks seal isn't here, so neither is their board time.
    let certified = [&first, &second].map(|header| Certified {
        era: trust.era_of(header),
        term: None,
        height: header.height(),
        time: header.time(),
        board_ms: None,
    });
    Ok(Proven {
        session: None,
        open: None,
        certified: certified.to_vec(),
        claim: Claim::Fork(ForkClaim::Headers {
            heights: [first.height(), second.height()],
            hashes: [first.hash(), second.hash()],
            convicted: first.convicted_with(&second),
        }),
    })
}

/// Two states of one session, of which the later one undoes something.
fn back(fork: &pb::WentBack, trust: &Trust) -> Result<Proven, BadReceipt> {
    let earlier = anchor::check(fork.earlier.as_ref(), trust)?;
    let later = anchor::check(fork.later.as_ref(), trust)?;
    if earlier.leaf.session != later.leaf.session {
        return Err(BadReceipt::OtherSession("the later state"));
    }
    if earlier.at().0 >= later.at().0 {
        return Err(BadReceipt::NoFork("the later state isn't later"));
    }
    let undone = earlier.leaf.undone_by(&later.leaf);
    let undone = undone.ok_or(BadReceipt::NoFork(
        "the later state may go on from the other",
    ))?;
    Ok(Proven {
        session: Some(earlier.leaf.session),
        open: None,
        certified: vec![earlier.certified(trust)?, later.certified(trust)?],
        claim: Claim::Fork(ForkClaim::Back {
            rounds: [earlier.leaf.open_round, later.leaf.open_round],
            undone,
        }),
    })
}

fn session(fork: &pb::SessionFork, trust: &Trust) -> Result<Proven, BadReceipt> {
    let (first, first_id, first_certified) = side(fork.first.as_ref(), fork.round, trust)?;
    let (second, second_id, second_certified) = side(fork.second.as_ref(), fork.round, trust)?;
    if first_id != second_id {
        return Err(BadReceipt::OtherSession("the second history"));
    }
    if first == second {
        return Err(BadReceipt::NoFork("the two transcripts are the same"));
    }
    Ok(Proven {
        session: Some(first_id),
        open: None,
        certified: vec![first_certified, second_certified],
        claim: Claim::Fork(ForkClaim::Session {
            round: fork.round,
            transcripts: [first, second],
        }),
    })
}

/// The transcript before the round, in one of the histories.
fn side(
    side: Option<&pb::ForkSide>,
    round: u32,
    trust: &Trust,
) -> Result<(Hash, SessionId, Certified), BadReceipt> {
    let side = side.ok_or(BadReceipt::Missing("other history"))?;
    let anchored = anchor::check(side.anchor.as_ref(), trust)?;
    let leaf = &anchored.leaf;
    let before = match &side.proof {
        None => (leaf.open_round == round && side.round_root.is_empty()).then_some(leaf.transcript),
        Some(proof) => {
            let proof = RoundProof::try_from(proof).or_bad("round")?;
            let root = Hash::from_slice(&side.round_root);
            let root = root.ok_or(BadReceipt::Missing("round's root"))?;
            proof.is_of(leaf, round, &root).then_some(proof.before)
        }
    };
    let before = before.ok_or(BadReceipt::Slot(round))?;
    Ok((before, leaf.session, anchored.certified(trust)?))
}
