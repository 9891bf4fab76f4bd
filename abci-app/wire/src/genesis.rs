//! Identity of a network: its chain, its validators and the board's parameters, fixed in the genesis.

use alloc::{collections::BTreeSet, string::String, vec::Vec};

use serde::{Deserialize, Serialize};

use crate::{
    hash::{Hash, NetworkId, Preimage, sha256},
    keys::{BadKey, IdentityKey},
    limits::{
        BLOCK_WORK_MIN, GENESIS_OPENERS_MAX, PROTOCOL, ROSTER_PARTIES_MAX, ROUNDS_MAX, SEAL_BYTES,
        TX_BYTES_MAX, VALIDATORS_MAX,
    },
    seal::BlockTime,
};

/// The board's parameters, as the genesis' `app_state` states them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Params {
    /// Version of the rules, 1.
    pub protocol: u32,
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
    /// Most bytes that a spec may state for its entries.
    pub max_session_bytes: u64,
    /// Most bytes that all sessions may reserve.
    pub max_board_bytes: u64,
    /// Longest duration in a spec, ms.
    pub max_duration_ms: u64,
    /// Furthest that the opening of a session may be limited ahead, ms.
    pub max_open_ms: u64,
    /// Whether identities that aren't listed may open sessions.
    pub anyone_may_open: bool,
    /// Most live sessions of such an identity.
    pub anyone_max_live: u32,
    /// Most reserved bytes of such an identity.
    pub anyone_max_bytes: u64,
    /// Reserved; 0.
    pub stamp_bits: u8,
    /// Openers with quotas of their own.
    pub openers: Vec<OpenerQuota>,
}

/// An opener that the genesis lists.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OpenerQuota {
    /// Its identity key.
    pub key: Hash,
    /// Most live sessions at once.
    pub max_live: u32,
    /// Most reserved bytes at once.
    pub max_bytes: u64,
}

/// A validator of the genesis.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Validator {
    /// Its Ed25519 key.
    pub key: [u8; 32],
    /// Its voting power.
    pub power: u64,
}

impl Validator {
    /// The address that headers name it by: the first 20 bytes of the key's SHA-256.
    #[must_use]
    pub fn address(&self) -> [u8; 20] {
        let mut address = [0; 20];
        address
            .iter_mut()
            .zip(sha256(&self.key).0)
            .for_each(|(to, from)| *to = from);
        address
    }
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
    /// The parameters aren't the JSON that they should be.
    #[error("app_state isn't the board's parameters: {0}")]
    Json(String),
    /// An opener's key that may not be used.
    #[error("opener {key}: {reason}")]
    OpenerKey {
        /// The key.
        key: Hash,
        /// The mistake in it.
        reason: BadKey,
    },
    /// An opener that is listed twice.
    #[error("opener {0} is listed twice")]
    OpenerTwice(Hash),
    /// No validators, too many, or one listed twice.
    #[error("expected 1 to 256 different validators, the genesis has {0}")]
    Validators(usize),
    /// Validators whose powers differ or are odd: one hostile clock could stop the chain.
    #[error("validators need equal and even powers (10 is usual), one has {0}")]
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
    /// Its validators, sorted by key.
    pub validators: Vec<Validator>,
    /// The board's parameters.
    pub params: Params,
    /// Their hash.
    pub params_hash: Hash,
    /// The listed openers' keys, parsed, in the genesis' order.
    pub opener_keys: Vec<IdentityKey>,
}

/// Bytes of a block that aren't transactions: fixed overhead and header of CometBFT.
const BLOCK_OVERHEAD_BYTES: u64 = 11 + 626;
/// Bytes of a commit beside its signatures, and of one signature.
const COMMIT_BYTES: (u64, u64) = (94, 109);
/// CometBFT's own limit for a block.
const BLOCK_BYTES_MAX: u64 = 100 * 1_024 * 1_024;

impl Network {
    /// Checks a genesis.
    ///
    /// # Errors
    /// [`BadGenesis`] names what is wrong.
    pub fn new(chain: Chain, params: Params) -> Result<Self, BadGenesis> {
        let validators = sorted_validators(chain.validators)?;
        let opener_keys = params.check()?;
        params.check_block(
            chain.block_max_bytes,
            chain.evidence_max_bytes,
            validators.len(),
        )?;
        if chain.genesis_time.seconds < 0 {
            return Err(BadGenesis::Time);
        }
        if chain.initial_height < 0 {
            return Err(BadGenesis::Height(chain.initial_height));
        }
        let initial_height = chain.initial_height.max(1);
        let params_hash = params.hash();
        let mut preimage = Preimage::new("white-city/network/1")
            .lp(chain.chain_id.as_bytes())
            .i64(chain.genesis_time.seconds)
            .u32(chain.genesis_time.nanos)
            .i64(initial_height)
            .u32(u32::try_from(validators.len()).unwrap_or(u32::MAX));
        for validator in &validators {
            preimage = preimage.raw(&validator.key).u64(validator.power);
        }
        Ok(Self {
            id: NetworkId(preimage.hash(&params_hash).finish().0),
            chain_id: chain.chain_id,
            genesis_time: chain.genesis_time,
            initial_height: initial_height.unsigned_abs(),
            validators,
            params,
            params_hash,
            opener_keys,
        })
    }

    /// Number of replicas that may be malicious: `f = ⌊(k - 1)/3⌋`.
    #[must_use]
    pub fn faults(&self) -> u16 {
        let k = u16::try_from(self.validators.len()).unwrap_or(u16::MAX);
        k.saturating_sub(1) / 3
    }

    /// The position of the validator with this address in the sorted set.
    #[must_use]
    pub fn validator_position(&self, address: &[u8]) -> Option<u16> {
        let position = self
            .validators
            .iter()
            .position(|validator| validator.address() == *address)?;
        u16::try_from(position).ok()
    }
}

fn sorted_validators(mut validators: Vec<Validator>) -> Result<Vec<Validator>, BadGenesis> {
    validators.sort_unstable();
    let count = validators.len();
    let twice = validators
        .windows(2)
        .any(|pair| pair.first().map(|v| v.key) == pair.last().map(|v| v.key));
    let max = crate::spec::to_usize(VALIDATORS_MAX);
    if twice || !(1..=max).contains(&count) {
        return Err(BadGenesis::Validators(count));
    }
    let first = validators.first().map_or(0, |validator| validator.power);
    match validators
        .iter()
        .find(|v| v.power != first || v.power == 0 || v.power & 1 == 1)
    {
        Some(odd) => Err(BadGenesis::Power(odd.power)),
        None => Ok(validators),
    }
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
        let mut preimage = Preimage::new("white-city/params/1")
            .hash(&self.random)
            .u32(self.protocol)
            .u32(self.heartbeat_ms)
            .u32(self.cap_ms)
            .u16(self.max_n)
            .u32(self.max_rounds)
            .u32(self.max_tx)
            .u32(self.full_block)
            .u32(self.max_work)
            .u64(self.max_session_bytes)
            .u64(self.max_board_bytes)
            .u64(self.max_duration_ms)
            .u64(self.max_open_ms)
            .u8(u8::from(self.anyone_may_open))
            .u32(self.anyone_max_live)
            .u64(self.anyone_max_bytes)
            .u8(self.stamp_bits)
            .u32(u32::try_from(self.openers.len()).unwrap_or(u32::MAX));
        for opener in &self.openers {
            preimage = preimage
                .hash(&opener.key)
                .u32(opener.max_live)
                .u64(opener.max_bytes);
        }
        preimage.hash(&Hash::ZERO).finish()
    }

    /// Bytes that the listed openers may reserve together.
    #[must_use]
    pub fn listed_bytes(&self) -> u64 {
        self.openers
            .iter()
            .fold(0, |sum: u64, opener| sum.saturating_add(opener.max_bytes))
    }

    /// Checks what doesn't depend on the engine, and parses the openers' keys.
    fn check(&self) -> Result<Vec<IdentityKey>, BadGenesis> {
        param(
            self.protocol == PROTOCOL,
            "protocol",
            self.protocol.into(),
            "1",
        )?;
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
            (1..=TX_BYTES_MAX).contains(&self.max_tx),
            "max_tx",
            self.max_tx.into(),
            "1 to 716800 (700 KB)",
        )?;
        self.check_bounds()?;
        param(
            self.stamp_bits == 0,
            "stamp_bits",
            self.stamp_bits.into(),
            "0",
        )?;
        param(
            self.openers.len() <= crate::spec::to_usize(GENESIS_OPENERS_MAX),
            "openers",
            u64::try_from(self.openers.len()).unwrap_or(u64::MAX),
            "at most 65536",
        )?;
        param(
            self.listed_bytes() <= self.max_board_bytes,
            "max_board_bytes",
            self.max_board_bytes,
            "at least the sum of the openers' max_bytes",
        )?;
        self.parse_openers()
    }

    /// Checks what bounds a block, beside what the engine says.
    fn check_bounds(&self) -> Result<(), BadGenesis> {
        param(
            self.full_block > 0,
            "full_block",
            self.full_block.into(),
            "at least 1",
        )?;
        param(
            self.max_work >= BLOCK_WORK_MIN,
            "max_work",
            self.max_work.into(),
            "at least 4609",
        )
    }

    fn parse_openers(&self) -> Result<Vec<IdentityKey>, BadGenesis> {
        let mut seen = BTreeSet::new();
        self.openers
            .iter()
            .map(|opener| {
                if !seen.insert(opener.key) {
                    return Err(BadGenesis::OpenerTwice(opener.key));
                }
                IdentityKey::from_bytes(&opener.key.0).map_err(|reason| BadGenesis::OpenerKey {
                    key: opener.key,
                    reason,
                })
            })
            .collect()
    }

    /// Checks that a full block and one more transaction fit what CometBFT calls a block, beside its header,
    /// commit, the most evidence that it may hold, the seal, and what each transaction's framing takes: at most a
    /// 32nd, since none is smaller than 100 bytes, and framing is 2 bytes below 128 and 4 at most. Otherwise a proposer could be out of room
    /// in a block that doesn't count as full.
    fn check_block(
        &self,
        block_max_bytes: i64,
        evidence_max_bytes: i64,
        validators: usize,
    ) -> Result<(), BadGenesis> {
        let block = u64::try_from(block_max_bytes).unwrap_or(BLOCK_BYTES_MAX);
        let validators = u64::try_from(validators).unwrap_or(u64::MAX);
        let other = BLOCK_OVERHEAD_BYTES
            .saturating_add(COMMIT_BYTES.0)
            .saturating_add(COMMIT_BYTES.1.saturating_mul(validators))
            .saturating_add(u64::try_from(evidence_max_bytes).unwrap_or(0))
            .saturating_add(u64::from(SEAL_BYTES).saturating_add(2));
        let wanted = u64::from(self.full_block).saturating_add(u64::from(self.max_tx));
        let wanted = wanted.saturating_add(wanted / 32);
        if wanted > block.saturating_sub(other) {
            return Err(BadGenesis::Param {
                field: "full_block",
                got: self.full_block.into(),
                expected: "full_block + max_tx that fit into block.max_bytes beside header, commit, evidence and seal",
            });
        }
        Ok(())
    }
}
