//! The beginning of every receipt: the session in a certified state, its spec, and the place of one slot.

use white_city_wire::{
    Hash, SessionId, Spec,
    board::{BoardRoot, SessionLeaf},
    pb,
    possible::Impossible,
    proof::{RoundProof, SessionProof, StateProof},
    read::split_hashes,
    tree::slot_root_from_path,
    tx::Open,
};

use super::{BadReceipt, Certified, error::OrBad};
use crate::{
    read::check_open,
    trust::{Trust, VerifiedHeader},
};

/// A session as a quorum of replicas has certified it.
pub(super) struct Anchored {
    pub(super) leaf: SessionLeaf,
    certified: Certified,
    board: BoardRoot,
    board_ms: u64,
    /// Whether it fits the spec, where there is one.
    fits_spec: Result<(), Impossible>,
}

impl Anchored {
    /// Height and board time of the state.
    pub(super) const fn at(&self) -> (u64, u64) {
        (self.certified.height, self.board_ms)
    }

    /// The certified state, for a claim: of a leaf that a board can have. What is wrong with one kind of receipt is said first.
    pub(super) fn certified(&self, trust: &Trust) -> Result<Certified, BadReceipt> {
        let possible = self.leaf.check(
            trust.replicas_in(self.board.eras),
            &self.board,
            self.board_ms,
        );
        let possible = possible.and(self.fits_spec);
        possible.map_err(BadReceipt::Impossible)?;
        Ok(self.certified)
    }
}

/// Follows an anchor from the validators' signatures to the session.
pub(super) fn check(anchor: Option<&pb::Anchor>, trust: &Trust) -> Result<Anchored, BadReceipt> {
    let anchor = anchor.ok_or(BadReceipt::Missing("certified state"))?;
    let header = check_header(&anchor.signed_header, trust)?;
    trust.check_rules(&header)?;
    let state = anchor.state.as_ref();
    let state = state.ok_or(BadReceipt::Missing("way from the header to the state"))?;
    let state = StateProof::from_pb(state, trust.network(), trust.known()).or_bad("state")?;
    trust.check_era(&header, &state.board)?;
    if state.data_hash() != header.data_hash() {
        return Err(BadReceipt::State);
    }
    let session = anchor.session.as_ref();
    let session = session.ok_or(BadReceipt::Missing("way from the state to the session"))?;
    let session = SessionProof::try_from(session).or_bad("session")?;
    if !session.is_of(&state.board) {
        return Err(BadReceipt::Session);
    }
    let (board_ms, term) = (state.board_ms(&header.time()), state.board.term);
    Ok(Anchored {
        leaf: session.leaf,
        board: state.board,
        board_ms,
        fits_spec: Ok(()),
        certified: Certified {
            height: header.height(),
            era: trust.era_of(&header),
            term: Some(term),
            time: header.time(),
            board_ms: Some(board_ms),
        },
    })
}

/// A header with the signatures of more than two thirds of the validators, in its one encoding.
fn check_header(bytes: &[u8], trust: &Trust) -> Result<VerifiedHeader, BadReceipt> {
    as_encoded(trust.decode_header(bytes)?, bytes)
}

/// The same, whomever it names for the next block.
pub(super) fn check_signed(bytes: &[u8], trust: &Trust) -> Result<VerifiedHeader, BadReceipt> {
    as_encoded(trust.decode_signed(bytes)?, bytes)
}

fn as_encoded(header: VerifiedHeader, bytes: &[u8]) -> Result<VerifiedHeader, BadReceipt> {
    match header.encode() == bytes {
        true => Ok(header),
        false => Err(BadReceipt::Encoding("the header")),
    }
}

/// A spec under its opener's signature, and the session that they make.
pub(super) fn open(
    open: Option<&pb::Open>,
    trust: &Trust,
) -> Result<(Open, SessionId), BadReceipt> {
    let open = open.ok_or(BadReceipt::Missing("spec"))?;
    let (open, id, _) = check_open(open.clone(), trust).or_bad("spec")?;
    Ok((open, id))
}

/// The session that was opened, as it was certified.
pub(super) fn of_session(
    anchor: Option<&pb::Anchor>,
    opened: Option<&pb::Open>,
    trust: &Trust,
) -> Result<(Anchored, Open), BadReceipt> {
    let anchored = check(anchor, trust)?;
    let (open, id) = open(opened, trust)?;
    if anchored.leaf.session != id {
        return Err(BadReceipt::OtherSession("the spec"));
    }
    let fits_spec = anchored.leaf.check_spec(&open.spec);
    Ok((
        Anchored {
            fits_spec,
            ..anchored
        },
        open,
    ))
}

/// Checks that a slot of a round, closed or open, has this leaf, and gives the transcript before the round.
pub(super) fn check_slot(
    slot: Option<&pb::SlotProof>,
    (round, index): (u32, u16),
    slot_leaf: Hash,
    leaf: &SessionLeaf,
    spec: &Spec,
) -> Result<Hash, BadReceipt> {
    let slot = slot.ok_or(BadReceipt::Missing("way from the slot to the session"))?;
    let path = split_hashes(&slot.path).ok_or(BadReceipt::Slot(round))?;
    // How long the path is follows from the spec, so neither padding nor an inner node passes for a slot.
    let root = slot_root_from_path(slot_leaf, index, spec.parties(), &path)
        .ok_or(BadReceipt::Slot(round))?;
    let before = match &slot.round {
        None => (leaf.open_round == round && leaf.slots_root == root).then_some(leaf.transcript),
        Some(proof) => {
            let proof = RoundProof::try_from(proof).or_bad("round")?;
            proof.is_of(leaf, round, &root).then_some(proof.before)
        }
    };
    before.ok_or(BadReceipt::Slot(round))
}
