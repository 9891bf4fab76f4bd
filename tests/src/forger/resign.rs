//! Receipts that were true once: the validators certify whatever a test has made of them.

use tendermint::{
    Hash as TendermintHash,
    block::{Header, signed_header::SignedHeader},
};
use tendermint_proto::{Protobuf, v0_38::types::SignedHeader as RawSignedHeader};
use white_city_wire::{
    Network, pb,
    proof::{SessionProof, StateProof},
    protocol::Known,
    tree::{append_root_from_path, full_path},
};

use crate::tampering::{Ballot, Council};

/// Changes a header and has all validators sign it, in the consensus round in which it was signed before.
///
/// # Panics
/// When the bytes aren't a signed header.
#[must_use]
pub fn sign_header(council: &Council, bytes: &[u8], change: impl FnOnce(&mut Header)) -> Vec<u8> {
    let signed = <SignedHeader as Protobuf<RawSignedHeader>>::decode(bytes);
    let signed = signed.expect("a signed header");
    let (mut header, round) = (signed.header, signed.commit.round);
    change(&mut header);
    let height = header.height;
    let ballots = vec![Ballot::Block; council.keys().len()];
    let signed = council.commit(header, (height, round), &ballots);
    <SignedHeader as Protobuf<RawSignedHeader>>::encode_vec(signed)
}

/// Has the validators certify whatever an anchor's leaf says now, on this network.
///
/// # Panics
/// When the anchor isn't one.
pub fn certify_leaf(council: &Council, anchor: &mut pb::Anchor, network: &Network) {
    let session = anchor.session.as_ref().expect("a session");
    let session = SessionProof::try_from(session).expect("a session's proof");
    let state = anchor.state.as_mut().expect("a state");
    let mut proof = StateProof::from_pb(state, network, Known::WITH_NEXT).expect("a state's proof");
    let path = full_path(session.number, proof.board.sessions, &session.path);
    let path = path.expect("a path of this board");
    let root = append_root_from_path(session.leaf.hash(), session.number, &path);
    proof.board.sessions_root = root.expect("a root");
    *state = (&proof).into();
    anchor.signed_header = sign_header(council, &anchor.signed_header, |header| {
        header.data_hash = Some(TendermintHash::Sha256(proof.data_hash().0));
    });
}
