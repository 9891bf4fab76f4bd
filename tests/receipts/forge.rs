//! Powers of malicious replicas: they state anything about a session, and sign a header for it.

use ed25519_dalek::Signer as _;
use prost::Message as _;
use white_city_client::{
    Hash, Receipt, SessionId, Trust,
    receipt::checksum,
    wire::{
        Entry, FinishHeader, PostHeader,
        board::{SessionLeaf, Terminal, evidence_hash, left_hash, slots_root, transcript_after},
        pb::{self, receipt::Body, receipt_entry::Content},
        signing::{Purpose, join_digest, signed_bytes},
    },
};

use white_city_tests::{forger, tampering::Council};

use crate::world::{party, validator};

/// The protobuf of a receipt.
pub fn decoded(bytes: &[u8]) -> pb::Receipt {
    pb::Receipt::decode(&bytes[..bytes.len() - 32]).unwrap()
}

/// A file with a right checksum.
pub fn summed(receipt: &pb::Receipt) -> Vec<u8> {
    let message = receipt.encode_to_vec();
    let sum = checksum(&message);
    [&message[..], &sum.0].concat()
}

/// A file of this content, for a network.
pub fn file(trust: &Trust, body: Body) -> Vec<u8> {
    summed(&pb::Receipt {
        version: 1,
        network_id: trust.network().id.0.to_vec(),
        links: Vec::new(),
        body: Some(body),
    })
}

/// The fault that is found in this content.
pub fn refusal(trust: &Trust, body: Body) -> String {
    let receipt = Receipt::from_bytes(&file(trust, body));
    match receipt.and_then(|receipt| receipt.verify(trust)) {
        Ok(proven) => format!("accepted: {proven}"),
        Err(bad) => bad.to_string(),
    }
}

/// The board's one validator, and whoever holds its key.
fn council() -> Council {
    Council::new([validator().to_bytes()])
}

/// Changes a header and has the validator sign it.
pub fn sign_header(bytes: &[u8], change: impl FnOnce(&mut tendermint::block::Header)) -> Vec<u8> {
    forger::sign_header(&council(), bytes, change)
}

/// Has the replicas certify whatever an anchor's leaf says now.
pub fn certify(anchor: &mut pb::Anchor, trust: &Trust) {
    forger::certify_leaf(&council(), anchor, trust.network());
}

/// Changes a leaf, and has the replicas certify it.
pub fn change_leaf(
    anchor: &mut Option<pb::Anchor>,
    trust: &Trust,
    change: impl FnOnce(&mut pb::SessionLeaf),
) {
    let anchor = anchor.as_mut().unwrap();
    change(leaf(anchor));
    certify(anchor, trust);
}

pub fn leaf(anchor: &mut pb::Anchor) -> &mut pb::SessionLeaf {
    anchor.session.as_mut().unwrap().leaf.as_mut().unwrap()
}

/// Has the replicas certify whatever a ceremony says now: its rounds, its terminal record, its evidence.
pub fn certify_ceremony(ceremony: &mut pb::CeremonyReceipt, trust: &Trust) {
    let mut anchor = ceremony.anchor.clone().unwrap();
    let id = Hash::from_slice(&leaf(&mut anchor).id).unwrap();
    let n = ceremony
        .open
        .as_ref()
        .unwrap()
        .spec
        .as_ref()
        .unwrap()
        .roster
        .len();
    let mut slots = vec![None; n];
    for join in &ceremony.joins {
        let index = u16::try_from(join.index).unwrap();
        slots[usize::from(index)] = Some(join_digest(
            &SessionId(id.0),
            index,
            join.kem as u8,
            &join.enc_pk,
        ));
    }
    let (mut transcript, mut number) = (id, 0);
    for round in &ceremony.rounds {
        transcript = transcript_after(&transcript, number, &slots_root(slots));
        number += 1;
        slots = vec![None; n];
        for entry in &round.entries {
            let digest = entry_of(entry, SessionId(id.0), number, transcript).digest();
            slots[entry.index as usize] = Some(digest);
        }
    }
    let certified = leaf(&mut anchor);
    certified.transcript = transcript.0.to_vec();
    certified.open_round = number;
    certified.slots_root = slots_root(slots).0.to_vec();
    let terminal = Terminal::try_from(ceremony.terminal.as_ref().unwrap()).unwrap();
    certified.terminal = terminal.hash().0.to_vec();
    certified.n = terminal.members.size().into();
    certified.members = terminal.members.as_bytes().to_vec();
    let culprits: Vec<_> = ceremony
        .culprits
        .iter()
        .map(|c| c.try_into().unwrap())
        .collect();
    certified.evidence = evidence_hash(&culprits).0.to_vec();
    let left = ceremony.left.iter();
    let left: Vec<_> = left
        .map(|l| (l.index as u16, Hash::from_slice(&l.digest).unwrap()))
        .collect();
    certified.left = left_hash(&left).0.to_vec();
    certify(&mut anchor, trust);
    ceremony.anchor = Some(anchor);
}

fn entry_of(entry: &pb::ReceiptEntry, session: SessionId, round: u32, transcript: Hash) -> Entry {
    let index = entry.index as u16;
    let hash = |bytes: &[u8]| Hash::from_slice(bytes).unwrap_or(Hash::ZERO);
    match entry.content.as_ref().unwrap() {
        Content::Post(post) => Entry::Post(PostHeader {
            session,
            round,
            index,
            transcript,
            bcast_hash: hash(&post.bcast_hash),
            bcast_len: post.bcast_len,
            p2p_root: hash(&post.p2p_root),
            p2p_bytes: post.p2p_bytes,
        }),
        Content::Outcome(outcome) => Entry::Finish(FinishHeader {
            session,
            round,
            index,
            transcript,
            outcome: hash(outcome),
        }),
    }
}

/// Has the parties sign all entries again, for the rounds in which they are now.
pub fn sign_entries(ceremony: &mut pb::CeremonyReceipt, trust: &Trust) {
    let id = SessionId::from_slice(&leaf(ceremony.anchor.as_mut().unwrap()).id).unwrap();
    let n = ceremony
        .open
        .as_ref()
        .unwrap()
        .spec
        .as_ref()
        .unwrap()
        .roster
        .len();
    let mut slots = vec![None; n];
    for join in &ceremony.joins {
        let digest = join_digest(&id, join.index as u16, join.kem as u8, &join.enc_pk);
        slots[join.index as usize] = Some(digest);
    }
    let mut transcript = Hash(id.0);
    for (number, round) in (0..).zip(&mut ceremony.rounds) {
        transcript = transcript_after(&transcript, number, &slots_root(slots));
        slots = vec![None; n];
        for entry in &mut round.entries {
            let signed = entry_of(entry, id, number + 1, transcript);
            entry.signature = sign(entry.index as u16, signed.purpose(), signed.digest(), trust);
            slots[entry.index as usize] = Some(signed.digest());
        }
    }
}

/// A party's signature.
pub fn sign(index: u16, purpose: Purpose, digest: Hash, trust: &Trust) -> Vec<u8> {
    let bytes = signed_bytes(purpose, &trust.network().id, &digest);
    party(index).sign(&bytes).to_bytes().to_vec()
}

/// A session's leaf as an anchor has it.
pub fn leaf_of(anchor: &pb::Anchor) -> SessionLeaf {
    let leaf = anchor.session.as_ref().unwrap().leaf.as_ref().unwrap();
    SessionLeaf::try_from(leaf).unwrap()
}
