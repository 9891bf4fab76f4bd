//! From CometBFT's `InitChain` to a checked [`Network`], and back and forth to the store.

use serde::{Deserialize, Serialize};
use tendermint_proto::v0_38::{abci::RequestInitChain, crypto::public_key::Sum};
use white_city_wire::{
    AppState, Charter, Network,
    genesis::{BadGenesis, Chain, Validator},
    limits::VALIDATOR_POWER,
    seal::BlockTime,
};

/// Why a chain can't be served.
#[derive(Debug, thiserror::Error)]
pub enum GenesisError {
    /// The genesis is refused.
    #[error("the genesis is refused: {0}")]
    Refused(#[from] BadGenesis),
    /// A part that CometBFT always sends is missing.
    #[error("the genesis has no {0}")]
    Missing(&'static str),
    /// A validator with another kind of key.
    #[error("validator {0} has no Ed25519 key")]
    ValidatorKey(usize),
}

/// Checks what CometBFT says of the genesis.
///
/// # Errors
/// [`GenesisError`] names what is wrong.
pub fn network(request: &RequestInitChain) -> Result<Network, GenesisError> {
    let time = request
        .time
        .as_ref()
        .ok_or(GenesisError::Missing("genesis_time"))?;
    let consensus = request
        .consensus_params
        .as_ref()
        .ok_or(GenesisError::Missing("consensus_params"))?;
    let block = consensus
        .block
        .as_ref()
        .ok_or(GenesisError::Missing("consensus_params.block"))?;
    let evidence = consensus
        .evidence
        .as_ref()
        .ok_or(GenesisError::Missing("consensus_params.evidence"))?;
    let validators = request
        .validators
        .iter()
        .enumerate()
        .map(|(position, validator)| {
            let key = match validator.pub_key.as_ref().and_then(|key| key.sum.as_ref()) {
                Some(Sum::Ed25519(bytes)) => bytes.as_slice().try_into().ok(),
                _ => None,
            };
            Ok(Validator {
                key: key.ok_or(GenesisError::ValidatorKey(position))?,
                power: u64::try_from(validator.power).unwrap_or(0),
            })
        })
        .collect::<Result<_, GenesisError>>()?;
    let chain = Chain {
        chain_id: request.chain_id.clone(),
        genesis_time: BlockTime {
            seconds: time.seconds,
            nanos: u32::try_from(time.nanos).unwrap_or(0),
        },
        initial_height: request.initial_height,
        validators,
        block_max_bytes: block.max_bytes,
        evidence_max_bytes: evidence.max_bytes,
    };
    let kinds = consensus.validator.as_ref();
    if !kinds.is_some_and(|kinds| kinds.pub_key_types.iter().any(|kind| kind == "ed25519")) {
        return Err(GenesisError::Missing(
            "ed25519 among consensus_params.validator.pub_key_types",
        ));
    }
    Ok(Network::new(chain, app_state(&request.app_state_bytes)?)?)
}

/// Reads parameters and charter from the genesis' `app_state`.
///
/// # Errors
/// [`BadGenesis::Json`].
pub fn app_state(app_state: &[u8]) -> Result<AppState, BadGenesis> {
    serde_json::from_slice(app_state).map_err(|error| BadGenesis::Json(error.to_string()))
}

/// A genesis as the store keeps it.
#[derive(Serialize, Deserialize)]
pub(crate) struct StoredGenesis {
    chain_id: String,
    seconds: i64,
    nanos: u32,
    initial_height: u64,
    app_state: AppState,
}

impl From<&Network> for StoredGenesis {
    fn from(network: &Network) -> Self {
        Self {
            chain_id: network.chain_id.clone(),
            seconds: network.genesis_time.seconds,
            nanos: network.genesis_time.nanos,
            initial_height: network.initial_height,
            app_state: AppState {
                params: network.params.clone(),
                charter: Charter::clone(&network.charter),
            },
        }
    }
}

impl StoredGenesis {
    /// Checks it again, but for the block size, which CometBFT has accepted.
    pub(crate) fn network(self) -> Result<Network, BadGenesis> {
        let replicas = self.app_state.charter.replicas.iter();
        let validators = replicas
            .map(|replica| Validator {
                key: replica.validator.0,
                power: VALIDATOR_POWER,
            })
            .collect();
        let chain = Chain {
            chain_id: self.chain_id,
            genesis_time: BlockTime {
                seconds: self.seconds,
                nanos: self.nanos,
            },
            initial_height: i64::try_from(self.initial_height).unwrap_or(i64::MAX),
            validators,
            block_max_bytes: -1,
            evidence_max_bytes: 0,
        };
        Network::new(chain, self.app_state)
    }
}
