//! A board that runs blocks, the way a replica does it: decode, verify under the key that the board names, apply.

use std::sync::Arc;

use white_city_state_machine::{Block, BlockContext, Ended, Session, State};
use white_city_wire::{
    Hash, Network, NetworkId, Refusal, SessionId, SignedTx, VerifiedTx, hash::sha256,
    seal::BlockTime,
};

/// Candidate for a block.
#[derive(Clone)]
pub enum Candidate {
    /// Bytes from the network.
    Bytes(Vec<u8>),
    /// A transaction that is verified already, under whatever key.
    Verified(Box<VerifiedTx>),
}

impl Candidate {
    /// A transaction that is verified already.
    #[must_use]
    pub fn verified(tx: VerifiedTx) -> Self {
        Self::Verified(Box::new(tx))
    }
}

/// Stands for the number of a session where a transaction is of none.
pub const NO_SESSION: u32 = u32::MAX;

/// A candidate and what became of it.
#[derive(Clone)]
pub struct Outcome {
    /// The transaction, when it could be verified.
    pub tx: Option<VerifiedTx>,
    /// The number of its session ([`NO_SESSION`] for an operator's word), or why it was refused.
    pub result: Result<u32, Refusal>,
}

/// A block that was executed.
#[derive(Clone)]
pub struct Executed {
    /// The state before it.
    pub before: State,
    /// The state after it.
    pub after: State,
    /// Its context.
    pub context: BlockContext,
    /// Its board time, ms.
    pub board_ms: u64,
    /// Candidates that came to it, in order.
    pub candidates: Vec<Candidate>,
    /// Outcome of each.
    pub outcomes: Vec<Outcome>,
}

impl Executed {
    /// The transactions that were applied, with the numbers of their sessions.
    pub fn applied(&self) -> impl Iterator<Item = (&VerifiedTx, u32)> {
        self.outcomes
            .iter()
            .filter_map(|outcome| Some((outcome.tx.as_ref()?, *outcome.result.as_ref().ok()?)))
    }
}

/// A chain of blocks without an engine.
#[derive(Clone)]
pub struct Board {
    /// The state after the last block.
    pub state: State,
    /// Height of the last block, 0 before the first.
    pub height: u64,
    /// Header time of the last block; the genesis time before the first.
    pub time: BlockTime,
}

impl Board {
    /// The board at its genesis.
    #[must_use]
    pub fn new(network: Arc<Network>) -> Self {
        Self {
            height: network.initial_height - 1,
            time: network.genesis_time,
            state: State::genesis(network),
        }
    }

    /// The network.
    #[must_use]
    pub fn network(&self) -> &Arc<Network> {
        self.state.network()
    }

    /// The context of the next block, `step_ms` after the last, proposed by the validator at this position of the
    /// sorted charter in force; by an unknown one past its end.
    #[must_use]
    pub fn next_context(&self, step_ms: u64, proposer: usize) -> BlockContext {
        let ms = self.time.millis() + step_ms;
        BlockContext {
            height: self.height + 1,
            time: BlockTime {
                seconds: i64::try_from(ms / 1_000).unwrap_or(i64::MAX),
                nanos: u32::try_from(ms % 1_000 * 1_000_000).unwrap_or(0),
            },
            parent_hash: sha256(&self.height.to_be_bytes()),
            parent_time: self.time,
            proposer: self
                .state
                .charter()
                .replicas
                .get(proposer)
                .map_or([0; 20], white_city_wire::charter::Replica::address),
            voted: [0; 32],
        }
    }

    /// Runs a block.
    pub fn run(&mut self, context: BlockContext, candidates: Vec<Candidate>) -> Executed {
        let before = self.state.clone();
        let (ended, outcomes) = execute(before.clone(), context, candidates.clone());
        self.state = ended.state.clone();
        self.height = context.height;
        self.time = context.time;
        Executed {
            before,
            after: ended.state,
            context,
            board_ms: ended.board_ms,
            candidates,
            outcomes,
        }
    }

    /// A session.
    ///
    /// # Panics
    /// When there is none with this id.
    #[must_use]
    pub fn session(&self, id: &SessionId) -> &Session {
        self.state.session(id).expect("the session is on the board")
    }

    /// The root.
    #[must_use]
    pub fn root(&self) -> Hash {
        self.state.root()
    }
}

/// Executes a block.
#[must_use]
pub fn execute(
    before: State,
    context: BlockContext,
    candidates: Vec<Candidate>,
) -> (Ended, Vec<Outcome>) {
    let network = before.network().id;
    let mut block = Block::begin(before, context);
    let outcomes = candidates
        .into_iter()
        .map(|candidate| admit(&mut block, &network, candidate))
        .collect();
    (block.end(), outcomes)
}

fn admit(block: &mut Block, network: &NetworkId, candidate: Candidate) -> Outcome {
    let tx = match candidate {
        Candidate::Verified(tx) => *tx,
        Candidate::Bytes(bytes) => match verify(block, network, &bytes) {
            Ok(tx) => tx,
            Err(refusal) => {
                return Outcome {
                    tx: None,
                    result: Err(refusal),
                };
            }
        },
    };
    let result = block.apply(&tx);
    let result = result.map(|number| number.unwrap_or(NO_SESSION));
    Outcome {
        tx: Some(tx),
        result,
    }
}

fn verify(block: &Block, network: &NetworkId, bytes: &[u8]) -> Result<VerifiedTx, Refusal> {
    let tx = SignedTx::decode(bytes)?;
    let (signer, parties) = block.signer(tx.unverified_action())?;
    tx.verify(&signer, parties, network)
}
