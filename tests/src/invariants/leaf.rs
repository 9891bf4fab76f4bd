//! `bytes.md`, the state's commitments: a leaf's hashes are those of what the session holds.

use white_city_state_machine::{Body, Session};
use white_city_wire::{
    Hash,
    board::{Offence, Terminal},
};

use super::{
    Property, bodies,
    bytes::{complain_digest, sha, slots_root, tag},
};
use crate::simulator::Observed;

/// Recomputes every hash in every leaf.
#[derive(Default, Clone)]
pub struct Leaf;

impl Property for Leaf {
    const NAME: &'static str = "leaf";

    fn check(&mut self, seen: &Observed) -> Result<(), String> {
        for session in seen.executed.after.sessions().iter() {
            let terminal = session.terminal.as_ref().map_or(Hash::ZERO, terminal_hash);
            let same = session.leaf.terminal == terminal;
            ensure!(same, "session {}: terminal hash", session.number);
        }
        for (session, body) in bodies(&seen.executed.after) {
            check_body(session, body)?;
        }
        Ok(())
    }
}

fn check_body(session: &Session, body: &Body) -> Result<(), String> {
    let (number, leaf) = (session.number, &session.leaf);
    ensure!(leaf.members == body.members, "session {number}: members");
    let digests: Vec<_> = body.slots.iter().map(|slot| slot.digest()).collect();
    ensure!(
        leaf.slots_root == slots_root(&digests),
        "session {number}: slots_root"
    );
    let count = |len: usize| {
        u16::try_from(len)
            .unwrap_or(u16::MAX)
            .to_be_bytes()
            .to_vec()
    };
    let mut left = [tag("white-city/left/1"), count(body.left.len())].concat();
    for (index, digest) in &body.left {
        left.extend([&index.to_be_bytes()[..], &digest.0].concat());
    }
    let none = body.left.is_empty();
    let left = if none { Hash::ZERO } else { sha(&[&left]) };
    ensure!(leaf.left == left, "session {number}: left_hash");
    let mut evidence = [tag("white-city/evidence/1"), count(body.culprits.len())].concat();
    for culprit in &body.culprits {
        evidence.extend(culprit.index.to_be_bytes());
        evidence.push(match culprit.offence {
            Offence::Equivocation => 1,
            Offence::BadPayload => 2,
            Offence::FalseComplaint => 3,
        });
        evidence.extend(culprit.round.to_be_bytes());
        evidence.extend([culprit.a.0, culprit.b.0].concat());
    }
    let none = body.culprits.is_empty();
    let evidence = if none { Hash::ZERO } else { sha(&[&evidence]) };
    ensure!(leaf.evidence == evidence, "session {number}: evidence_hash");
    let dispute = body.dispute.as_ref();
    let dispute = dispute.map_or(Hash::ZERO, |dispute| complain_digest(&dispute.complain));
    ensure!(leaf.dispute == dispute, "session {number}: dispute_hash");
    Ok(())
}

fn terminal_hash(record: &Terminal) -> Hash {
    sha(&[
        &tag("white-city/terminal/1"),
        &[record.status.number()],
        &record.cause.number().to_be_bytes(),
        &record.height.to_be_bytes(),
        &record.board_ms.to_be_bytes(),
        &record.by.to_be_bytes(),
        &record.outcome.0,
        &record.members.size().to_be_bytes(),
        record.members.as_bytes(),
        record.filled.as_bytes(),
    ])
}
