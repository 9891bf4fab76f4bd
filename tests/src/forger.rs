//! All replicas malicious: whoever holds every validator's key certifies whatever it wants.
//!
//! A [`Forger`] certifies any leaf at any height, in any header. A [`Story`] is a session that it tells: joins, rounds, an
//! end, and what speaks against parties, all of which a test may change before it is certified. A [`ForgedReplica`] tells it
//! to clients, as a replica would; the same story makes receipts.

mod eras;
mod replica;
mod resign;
mod story;
mod telling;

use std::sync::Arc;

use tendermint::{
    AppHash, Hash as TendermintHash, account,
    block::{Header, Height, header::Version, signed_header::SignedHeader},
};
use tendermint_proto::Protobuf;
use white_city_wire::{
    Charter, Hash, Network,
    board::{BoardRoot, SessionLeaf},
    limits::PROTOCOL,
    pb::{self, answer::Body},
    proof::{RoundProof, SessionProof, StateProof},
    seal::BlockTime,
    tree::{append_root_from_path, empty_roots},
};

pub use self::{
    eras::Reign,
    replica::ForgedReplica,
    resign::{certify_leaf, sign_header},
    story::{Dispute, Story},
};
use crate::{
    network::{network, rules},
    tampering::Council,
};

/// Second of the headers' time at height 0.
const GENESIS_SECONDS: i64 = 1_000_000;

/// A network of four validators whose keys are all in one hand.
pub struct Forger {
    council: Council,
    network: Network,
    /// Height of the block in which the validators of the genesis handed over to these.
    era_height: Option<u64>,
}

impl Default for Forger {
    fn default() -> Self {
        Self::new()
    }
}

impl Forger {
    /// The same network in every run.
    #[must_use]
    pub fn new() -> Self {
        let council = Council::new((0..4).map(|seed| [100 + seed; 32]));
        let mut network = Network::clone(&network(4, rules(&[])));
        let mut charter = Charter::clone(&network.charter);
        for (replica, key) in charter.replicas.iter_mut().zip(council.keys()) {
            replica.validator = Hash(key);
        }
        charter.sort();
        network.charter = Arc::new(charter);
        Self {
            council,
            network,
            era_height: None,
        }
    }

    /// The same network, whose validators have handed over to these by the block at this height.
    #[must_use]
    pub fn handed_over(self, council: Council, era_height: u64) -> Self {
        Self {
            council,
            era_height: Some(era_height),
            ..self
        }
    }

    /// The network that its victims trust.
    #[must_use]
    pub const fn network(&self) -> &Network {
        &self.network
    }

    /// Its validators.
    #[must_use]
    pub const fn council(&self) -> &Council {
        &self.council
    }

    /// A header of a block with this data, which names no block before it.
    ///
    /// # Panics
    /// For a height that no header has.
    #[must_use]
    pub fn header(&self, height: u64, data_hash: Hash) -> Header {
        let hash = TendermintHash::Sha256([0; 32]);
        let seconds = GENESIS_SECONDS.saturating_add_unsigned(height);
        Header {
            version: Version { block: 11, app: 0 },
            chain_id: self.network.chain_id.parse().expect("a chain's name"),
            height: Height::try_from(height).expect("a height"),
            time: tendermint::Time::from_unix_timestamp(seconds, 0).expect("a time"),
            last_block_id: None,
            last_commit_hash: Some(hash),
            data_hash: Some(TendermintHash::Sha256(data_hash.0)),
            validators_hash: self.council.hash(),
            next_validators_hash: self.council.hash(),
            consensus_hash: hash,
            app_hash: AppHash::try_from(vec![0; 32]).expect("any bytes"),
            last_results_hash: Some(hash),
            evidence_hash: Some(hash),
            proposer_address: account::Id::new([0; 20]),
        }
    }

    /// The board's time at this height, milliseconds.
    #[must_use]
    pub fn board_ms(height: u64) -> u64 {
        GENESIS_SECONDS
            .saturating_add_unsigned(height)
            .unsigned_abs()
            .saturating_mul(1_000)
    }

    /// The root of a board on which nothing has happened.
    ///
    /// # Panics
    /// Never: an empty tree has a root.
    #[must_use]
    pub fn board_root(&self) -> BoardRoot {
        let empty = *empty_roots().last().expect("a root");
        let eras = u32::from(self.era_height.is_some());
        let era_height = self.era_height.unwrap_or(0);
        BoardRoot {
            network: self.network.id,
            protocol: PROTOCOL,
            params_hash: self.network.params_hash,
            term: eras,
            charter_hash: self.network.charter.hash(),
            term_height: era_height,
            eras,
            era_height,
            proven: [0; 32],
            proposals_hash: Hash::ZERO,
            sessions: 0,
            sessions_root: empty,
            openers: 0,
            openers_root: empty,
            paused_ms: 0,
        }
    }

    /// Certifies a board with one session, which has this leaf.
    ///
    /// # Panics
    /// For a height that no header has.
    #[must_use]
    pub fn certify(&self, height: u64, leaf: &SessionLeaf) -> Certified {
        self.certify_by(&self.council, self.board_root(), height, leaf)
    }

    /// Certifies a board with this root.
    ///
    /// # Panics
    /// For a height that no header has.
    #[must_use]
    pub fn certify_board(&self, height: u64, board: BoardRoot) -> (SignedHeader, StateProof) {
        self.certify_board_by(&self.council, height, board)
    }

    fn certify_board_by(
        &self,
        by: &Council,
        height: u64,
        board: BoardRoot,
    ) -> (SignedHeader, StateProof) {
        let state = StateProof {
            board,
            parent_hash: Hash::ZERO,
            parent_time: BlockTime::default(),
            data_path: Vec::new(),
        };
        let header = self.header_by(by, height, &state);
        (by.sign(header, by.keys().len()), state)
    }

    /// The same by these validators, on a board with this root but for the session.
    fn certify_by(
        &self,
        by: &Council,
        root: BoardRoot,
        height: u64,
        leaf: &SessionLeaf,
    ) -> Certified {
        let empty = empty_roots();
        let (path, _) = empty.split_at(32);
        let board = BoardRoot {
            sessions: 1,
            sessions_root: append_root_from_path(leaf.hash(), 0, path).expect("32 siblings"),
            openers: 1,
            ..root
        };
        let (header, state) = self.certify_board_by(by, height, board);
        let session = SessionProof {
            number: 0,
            leaf: leaf.clone(),
            path: Vec::new(),
        };
        Certified {
            header,
            state,
            session,
        }
    }
}

/// A session's leaf, and what leads to it from a header with all validators' signatures.
#[derive(Debug, Clone)]
pub struct Certified {
    /// The header.
    pub header: SignedHeader,
    state: StateProof,
    session: SessionProof,
}

impl Certified {
    /// The anchor that certifies the session, as receipts have it.
    #[must_use]
    pub fn anchor(&self) -> pb::Anchor {
        pb::Anchor {
            signed_header: self.header_bytes(),
            state: Some((&self.state).into()),
            session: Some((&self.session).into()),
        }
    }

    /// The header as receipts have it.
    #[must_use]
    pub fn header_bytes(&self) -> Vec<u8> {
        use tendermint_proto::v0_38::types::SignedHeader as Raw;
        <SignedHeader as Protobuf<Raw>>::encode_vec(self.header.clone())
    }

    /// An answer with this body.
    #[must_use]
    pub fn answer(&self, round: Option<&RoundProof>, body: Body) -> pb::Answer {
        pb::Answer {
            version: 1,
            height: self.header.header.height.value(),
            state: Some((&self.state).into()),
            session: Some((&self.session).into()),
            round: round.map(Into::into),
            body: Some(body),
        }
    }
}
