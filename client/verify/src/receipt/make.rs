//! From what was read and checked to the parts of a receipt.

use white_city_wire::{
    Bitmap, Entry, Hash, SessionId, Signature, SignedEntry, SignedTx,
    board::{Culprit, Terminal},
    pb::{self, receipt_entry::Content},
    tree::SlotTree,
    tx::{Action, Join, Leave, entry_to_pb, join_to_pb},
};

use crate::{
    history::History,
    read::{RoundStatus, SessionEvidence, SignedDispute},
};

/// The place of one slot in a round, closed or open.
#[must_use]
pub fn slot_pb(round: &RoundStatus, index: u16) -> Option<pb::SlotProof> {
    let path = SlotTree::new(round.slots.clone()).path(index)?;
    Some(pb::SlotProof {
        path: white_city_wire::read::join_hashes(&path),
        round: round.proof.as_ref().map(Into::into),
    })
}

/// The signatures of a session's last round under its outcome; `None` without one.
#[must_use]
pub fn finishes_pb(
    terminal: &Terminal,
    last: &[SignedEntry],
    parties: u16,
) -> Option<pb::Finishes> {
    let mut signatures = Vec::new();
    let mut whose = Bitmap::empty(parties);
    let mut first = None;
    for signed in last {
        let Entry::Finish(finish) = &signed.entry else {
            continue;
        };
        if finish.outcome == terminal.outcome {
            first = first.or(Some(finish));
            whose.insert(finish.index);
            signatures.extend_from_slice(&signed.signature.0);
        }
    }
    first.map(|finish| pb::Finishes {
        round: finish.round,
        transcript: finish.transcript.0.to_vec(),
        outcome: finish.outcome.0.to_vec(),
        parties: whose.as_bytes().to_vec(),
        signatures,
    })
}

/// Everything that was signed in a session that has ended.
#[must_use]
pub fn ceremony_pb(
    history: &History,
    (last_joins, last_entries): (&[(Join, Signature)], &[SignedEntry]),
    evidence: &SessionEvidence,
    session: SessionId,
) -> pb::CeremonyReceipt {
    let joins = history.round(0).map_or(last_joins, |round| &round.joins);
    let closed = (1..history.open_round()).filter_map(|round| history.round(round));
    let mut rounds: Vec<pb::ReceiptRound> = closed.map(|round| round_pb(&round.entries)).collect();
    if history.open_round() > 0 {
        rounds.push(round_pb(last_entries));
    }
    let culprits = evidence.culprits.iter();
    let pairs = culprits.clone().filter_map(|(_, pair)| pair.as_ref());
    let left = evidence.left.iter();
    let dispute = evidence.dispute.as_ref();
    let (complain, reveal) = dispute.map_or((None, None), SignedDispute::to_pb);
    pb::CeremonyReceipt {
        joins: joins
            .iter()
            .map(|(join, by)| join_to_pb(join, by))
            .collect(),
        rounds,
        culprits: culprits
            .map(|(culprit, _): &(Culprit, _)| culprit.into())
            .collect(),
        left: left
            .clone()
            .map(|(index, leave, _)| pb::Leaver {
                index: (*index).into(),
                digest: leave.digest(&session, *index).0.to_vec(),
            })
            .collect(),
        evidence: pairs.map(evidence_pb).collect(),
        leaves: left.filter_map(|word| leave_pb(session, word)).collect(),
        complain,
        reveal,
        ..Default::default()
    }
}

/// Two entries of one slot.
#[must_use]
pub fn evidence_pb([first, second]: &[SignedEntry; 2]) -> pb::Evidence {
    pb::Evidence {
        first: Some(entry_to_pb(first)),
        second: Some(entry_to_pb(second)),
    }
}

/// The transaction with which somebody left.
fn leave_pb(session: SessionId, (index, leave, by): &(u16, Leave, Signature)) -> Option<pb::Tx> {
    let action = Action::Leave {
        session,
        index: *index,
        leave: leave.clone(),
    };
    let tx = SignedTx::new(action, *by).ok()?;
    prost::Message::decode(tx.encode().as_slice()).ok()
}

fn round_pb(entries: &[SignedEntry]) -> pb::ReceiptRound {
    pb::ReceiptRound {
        entries: entries.iter().map(receipt_entry).collect(),
    }
}

/// An entry without what its place says.
fn receipt_entry(signed: &SignedEntry) -> pb::ReceiptEntry {
    let (_, _, index) = signed.entry.slot();
    pb::ReceiptEntry {
        index: index.into(),
        signature: signed.signature.0.to_vec(),
        content: Some(match &signed.entry {
            Entry::Post(post) => Content::Post(pb::PostContent {
                bcast_hash: match post.bcast_hash {
                    Hash::ZERO => Vec::new(),
                    hash => hash.0.to_vec(),
                },
                bcast_len: post.bcast_len,
                p2p_root: post.p2p_root.0.to_vec(),
                p2p_bytes: post.p2p_bytes,
            }),
            Entry::Finish(finish) => Content::Outcome(finish.outcome.0.to_vec()),
        }),
    }
}
