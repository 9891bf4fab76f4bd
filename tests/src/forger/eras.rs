//! Eras as whoever holds their validators' keys tells them: links, and states of any era.

use tendermint::{Hash as TendermintHash, block::Header};
use tendermint_proto::{Protobuf, v0_38::types::SignedHeader as Raw};
use white_city_wire::{
    Hash, Network,
    board::{BoardRoot, SessionLeaf},
    pb,
    proof::StateProof,
    seal::BlockTime,
};

use super::{Certified, Forger};
use crate::tampering::Council;

/// The validators of one era, and how it began.
pub struct Reign {
    /// Those who sign.
    pub council: Council,
    /// Number of the era.
    pub era: u32,
    /// Height of the block that began it; 0 for era 0.
    pub era_height: u64,
    /// Links that are given to whoever asks for some.
    pub links: Vec<pb::Link>,
    /// They are given from the first one on, whatever is asked for.
    pub repeats_links: bool,
}

impl Forger {
    /// A network whose validators' keys are at hand.
    #[must_use]
    pub const fn of(council: Council, network: Network) -> Self {
        Self {
            council,
            network,
            era_height: None,
        }
    }

    /// The link at this height, under so many votes of those who hand over.
    ///
    /// # Panics
    /// For a height that no header has.
    #[must_use]
    pub fn link(&self, height: u64, (own, votes): (&Council, usize), next: &Council) -> pb::Link {
        let header = Header {
            validators_hash: own.hash(),
            next_validators_hash: next.hash(),
            ..self.header(height, Hash([1; 32]))
        };
        let mut keys = next.keys();
        keys.sort_unstable();
        let signed = own.sign(header, votes);
        pb::Link {
            signed_header: Protobuf::<Raw>::encode_vec(signed),
            validators: keys.concat(),
        }
    }

    /// The root of a board in an era that began after the block of this height, on which nothing else has happened.
    #[must_use]
    pub fn root_in(&self, era: u32, era_height: u64) -> BoardRoot {
        BoardRoot {
            term: era,
            term_height: era_height,
            eras: era,
            era_height,
            ..self.board_root()
        }
    }

    /// The state with this root.
    #[must_use]
    pub fn state(board: BoardRoot) -> StateProof {
        StateProof {
            board,
            parent_hash: Hash::ZERO,
            parent_time: BlockTime::default(),
            data_path: Vec::new(),
        }
    }

    /// The header of a block that seals a state, under so many votes.
    ///
    /// # Panics
    /// For a height that no header has.
    #[must_use]
    pub fn mark(
        &self,
        height: u64,
        (by, votes): (&Council, usize),
        state: &StateProof,
    ) -> (Vec<u8>, pb::StateProof) {
        let signed = by.sign(self.header_by(by, height, state), votes);
        (Protobuf::<Raw>::encode_vec(signed), state.into())
    }

    pub(super) fn header_by(&self, by: &Council, height: u64, state: &StateProof) -> Header {
        Header {
            data_hash: Some(TendermintHash::Sha256(state.data_hash().0)),
            validators_hash: by.hash(),
            next_validators_hash: by.hash(),
            ..self.header(height, Hash::ZERO)
        }
    }

    /// As [`Forger::certify`], in another era.
    ///
    /// # Panics
    /// For a height that no header has.
    #[must_use]
    pub fn certify_in(&self, reign: &Reign, height: u64, leaf: &SessionLeaf) -> Certified {
        let root = self.root_in(reign.era, reign.era_height);
        self.certify_by(&reign.council, root, height, leaf)
    }
}
