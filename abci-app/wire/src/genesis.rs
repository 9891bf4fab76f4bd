//! Identity of a network: its chain, the board's parameters, and the charter that it began with.

use alloc::{string::String, sync::Arc, vec::Vec};

use serde::{Deserialize, Serialize};

use crate::{
    charter::{BadCharter, Charter},
    hash::{Hash, NetworkId, Preimage},
    limits::{
        BLOCK_WORK_MIN, PROTOCOL, ROSTER_PARTIES_MAX, ROUNDS_MAX, SEAL_BYTES, TX_BYTES_MAX,
        TX_BYTES_MIN, VALIDATOR_POWER, VALIDATORS_MAX,
    },
    seal::BlockTime,
};

/// The board's parameters, which stay as long as the board does.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Params {
    /// Makes the network's id unique.
    pub random: Hash,
    /// Longest time between two blocks of an idle board, ms.
    pub heartbeat_ms: u32,
    /// A longer step between two blocks counts as an outage and stops every clock, ms; at least 3 heartbeats.
    pub cap_ms: u32,
    /// Most parties in a roster.
    pub max_n: u16,
    /// Most rounds of a session.
    pub max_rounds: u32,
    /// Largest transaction, bytes.
    pub max_tx: u32,
    /// From how many bytes of entries in last call on a block has no room for those of a session behind theirs, bytes.
    pub full_block: u32,
    /// Most work of one block: see [`Action::work`](crate::tx::Action::work).
    pub max_work: u32,
    /// Longest duration in a spec, ms.
    pub max_duration_ms: u64,
    /// Furthest that the opening of a session may be limited ahead, ms.
    pub max_open_ms: u64,
}

/// The board's part of the genesis, its `app_state`: what stays, and what the operators may change.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AppState {
    /// The parameters.
    pub params: Params,
    /// The charter of term 0.
    pub charter: Charter,
}

/// A validator as the genesis lists it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Validator {
    /// Its Ed25519 key.
    pub key: [u8; 32],
    /// Its voting power.
    pub power: u64,
}

/// Content of CometBFT's genesis beside the parameters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Chain {
    /// Name of the chain.
    pub chain_id: String,
    /// When it began.
    pub genesis_time: BlockTime,
    /// Its first height; 0 counts as 1.
    pub initial_height: i64,
    /// Its validators in any order.
    pub validators: Vec<Validator>,
    /// `block.max_bytes` of the consensus parameters; -1 is CometBFT's own limit.
    pub block_max_bytes: i64,
    /// `evidence.max_bytes` of the consensus parameters.
    pub evidence_max_bytes: i64,
}

/// Why a genesis is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadGenesis {
    /// A parameter outside its range.
    #[error("genesis parameter {field} is {got}, expected {expected}")]
    Param {
        /// Name of the parameter.
        field: &'static str,
        /// Its value in the genesis.
        got: u64,
        /// Values that it may have.
        expected: &'static str,
    },
    /// The board's part isn't the JSON that it should be.
    #[error("app_state isn't the board's parameters and charter: {0}")]
    Json(String),
    /// A mistake in the charter.
    #[error("genesis charter: {0}")]
    Charter(#[from] BadCharter),
    /// Validators that aren't those of the charter.
    #[error("the genesis' validators aren't those of its charter, each once")]
    Validators,
    /// A validator with another power: equal powers are what `3f + 1` counts, and even ones keep one hostile clock from stopping the
    /// chain.
    #[error("every validator has power 10, one has {0}")]
    Power(u64),
    /// A first height below 0; 0 counts as 1.
    #[error("the initial height is {0}")]
    Height(i64),
    /// A genesis time before 1970.
    #[error("the genesis time is before 1970")]
    Time,
}

/// A genesis that has passed every check.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Network {
    /// Its id, which every signature covers.
    pub id: NetworkId,
    /// Name of the chain.
    pub chain_id: String,
    /// When it began.
    pub genesis_time: BlockTime,
    /// Its first height, at least 1.
    pub initial_height: u64,
    /// The board's parameters.
    pub params: Params,
    /// Their hash.
    pub params_hash: Hash,
    /// The charter of term 0.
    pub charter: Arc<Charter>,
}

/// Bytes of a block that aren't transactions: fixed overhead and header of CometBFT.
const BLOCK_OVERHEAD_BYTES: u64 = 11 + 626;
/// Bytes of a commit beside its signatures, and of one signature at most.
const COMMIT_BYTES: (u64, u64) = (94, 144);
/// CometBFT's own limit for a block.
const BLOCK_BYTES_MAX: u64 = 100 * 1_024 * 1_024;

impl Network {
    /// Checks a genesis.
    ///
    /// # Errors
    /// [`BadGenesis`] names what is wrong.
    pub fn new(chain: Chain, app_state: AppState) -> Result<Self, BadGenesis> {
        let AppState { params, charter } = app_state;
        params.check()?;
        charter.check_first()?;
        param(
            charter.protocol == PROTOCOL,
            "charter.protocol",
            charter.protocol.into(),
            "2",
        )?;
        charter.check_fields()?;
        check_validators(&chain.validators, &charter)?;
        params.check_block(chain.block_max_bytes, chain.evidence_max_bytes)?;
        if chain.genesis_time.seconds < 0 {
            return Err(BadGenesis::Time);
        }
        if chain.initial_height < 0 {
            return Err(BadGenesis::Height(chain.initial_height));
        }
        charter.check_keys()?;
        let initial_height = chain.initial_height.max(1);
        let params_hash = params.hash();
        let id = Preimage::new("white-city/network/2")
            .lp(chain.chain_id.as_bytes())
            .i64(chain.genesis_time.seconds)
            .u32(chain.genesis_time.nanos)
            .i64(initial_height)
            .hash(&params_hash)
            .hash(&charter.hash())
            .finish();
        Ok(Self {
            id: NetworkId(id.0),
            chain_id: chain.chain_id,
            genesis_time: chain.genesis_time,
            initial_height: initial_height.unsigned_abs(),
            params,
            params_hash,
            charter: Arc::new(charter),
        })
    }
}

/// Checks that CometBFT's list has the charter's validators, each with the one power.
fn check_validators(listed: &[Validator], charter: &Charter) -> Result<(), BadGenesis> {
    if let Some(other) = listed.iter().find(|v| v.power != VALIDATOR_POWER) {
        return Err(BadGenesis::Power(other.power));
    }
    let mut keys: Vec<&[u8; 32]> = listed.iter().map(|validator| &validator.key).collect();
    keys.sort_unstable();
    let same = keys
        .into_iter()
        .eq(charter.replicas.iter().map(|r| &r.validator.0));
    same.then_some(()).ok_or(BadGenesis::Validators)
}

fn param(
    good: bool,
    field: &'static str,
    got: u64,
    expected: &'static str,
) -> Result<(), BadGenesis> {
    good.then_some(()).ok_or(BadGenesis::Param {
        field,
        got,
        expected,
    })
}

impl Params {
    /// The hash in the network's id and in the root.
    #[must_use]
    pub fn hash(&self) -> Hash {
        Preimage::new("white-city/params/2")
            .hash(&self.random)
            .u32(self.heartbeat_ms)
            .u32(self.cap_ms)
            .u16(self.max_n)
            .u32(self.max_rounds)
            .u32(self.max_tx)
            .u32(self.full_block)
            .u32(self.max_work)
            .u64(self.max_duration_ms)
            .u64(self.max_open_ms)
            .hash(&Hash::ZERO)
            .finish()
    }

    /// Checks what doesn't depend on the engine.
    fn check(&self) -> Result<(), BadGenesis> {
        param(
            self.heartbeat_ms > 0,
            "heartbeat_ms",
            self.heartbeat_ms.into(),
            "at least 1",
        )?;
        param(
            u64::from(self.cap_ms) >= u64::from(self.heartbeat_ms).saturating_mul(3),
            "cap_ms",
            self.cap_ms.into(),
            "at least 3 heartbeats",
        )?;
        param(
            (1..=ROSTER_PARTIES_MAX).contains(&self.max_n),
            "max_n",
            self.max_n.into(),
            "1 to 1024",
        )?;
        param(
            (1..=ROUNDS_MAX).contains(&self.max_rounds),
            "max_rounds",
            self.max_rounds.into(),
            "1 to 65536",
        )?;
        param(
            (TX_BYTES_MIN..=TX_BYTES_MAX).contains(&self.max_tx),
            "max_tx",
            self.max_tx.into(),
            "262144 (256 KB) to 716800 (700 KB)",
        )?;
        param(
            self.full_block > 0,
            "full_block",
            self.full_block.into(),
            "at least 1",
        )?;
        param(
            self.max_work >= BLOCK_WORK_MIN.max(u32::from(self.max_n).saturating_add(1)),
            "max_work",
            self.max_work.into(),
            "at least 4609",
        )
    }

    /// Most bytes of entries that a block has to have room for: those that make it full, one more transaction, and what each one's framing
    /// takes: at most a 32nd, since none is smaller than 100 bytes, and framing is 2 bytes below 128 and 4 at most.
    #[must_use]
    pub fn entries_bytes(&self) -> u64 {
        let entries = u64::from(self.full_block).saturating_add(u64::from(self.max_tx));
        entries.saturating_add(entries / 32)
    }

    /// Checks that the most entries fit what CometBFT calls a block, beside its header, commit of 256 validators, the most evidence that it
    /// may hold, and the seal. Otherwise a proposer could be out of room in a block that doesn't count as full.
    fn check_block(&self, block_max_bytes: i64, evidence_max_bytes: i64) -> Result<(), BadGenesis> {
        let block = u64::try_from(block_max_bytes).unwrap_or(BLOCK_BYTES_MAX);
        let other = BLOCK_OVERHEAD_BYTES
            .saturating_add(COMMIT_BYTES.0)
            .saturating_add(COMMIT_BYTES.1.saturating_mul(VALIDATORS_MAX.into()))
            .saturating_add(u64::try_from(evidence_max_bytes).unwrap_or(0))
            .saturating_add(u64::from(SEAL_BYTES).saturating_add(2));
        if self.entries_bytes() > block.saturating_sub(other) {
            return Err(BadGenesis::Param {
                field: "full_block",
                got: self.full_block.into(),
                expected: "full_block + max_tx that fit into block.max_bytes beside header, commit, evidence and seal",
            });
        }
        Ok(())
    }
}
