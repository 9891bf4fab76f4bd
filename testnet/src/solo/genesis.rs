//! The parts of a home that Solo needs: the genesis as `InitChain` carries it, and the one key.

use std::path::Path;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use ed25519_dalek::SigningKey;
use serde_json::Value;
use tendermint::Time;
use tendermint_proto::{
    google::protobuf::Timestamp,
    v0_38::{
        abci::{RequestInitChain, ValidatorUpdate},
        crypto::{PublicKey, public_key::Sum},
        types::{BlockParams, ConsensusParams, EvidenceParams, ValidatorParams},
    },
};
use zeroize::Zeroizing;

use crate::json::at;

/// A genesis with one validator, and its key.
pub struct SoloGenesis {
    /// The whole file.
    pub json: Value,
    /// The request that tells the application of the genesis.
    pub init: RequestInitChain,
    /// Signs every header.
    pub key: SigningKey,
    /// The same key, as headers name it.
    pub public_key: tendermint::PublicKey,
    /// The validator's power.
    pub power: u64,
    /// The chain's name.
    pub chain_id: String,
    /// When it began.
    pub time: Time,
    /// Longest time between two blocks of an idle board, ms.
    pub heartbeat_ms: u64,
    /// Largest block, bytes.
    pub block_max_bytes: i64,
}

impl SoloGenesis {
    /// Reads `genesis.json` and `priv_validator_key.json` in `config`.
    pub fn load(config: &Path) -> Result<Self, String> {
        let json = read(&config.join("genesis.json"))?;
        let key = signing_key(&config.join("priv_validator_key.json"))?;
        let public_key = key.verifying_key().to_bytes();
        let public_key = tendermint::PublicKey::from_raw_ed25519(&public_key)
            .ok_or("priv_validator_key.json: expected an Ed25519 key")?;
        let power = one_validator(&json, &key)?;
        let chain_id = text(at(&json, "/chain_id"), "chain_id")?.to_owned();
        let time = Time::parse_from_rfc3339(text(at(&json, "/genesis_time"), "genesis_time")?)
            .map_err(|error| format!("genesis_time: {error}"))?;
        let consensus = at(&json, "/consensus_params");
        let block_max_bytes = number(at(consensus, "/block/max_bytes"), "block.max_bytes")?;
        let evidence_max_bytes =
            number(at(consensus, "/evidence/max_bytes"), "evidence.max_bytes")?;
        let heartbeat_ms = at(&json, "/app_state/params/heartbeat_ms")
            .as_u64()
            .ok_or("app_state.params.heartbeat_ms: expected a number")?;
        let init = RequestInitChain {
            time: Some(timestamp(time)),
            chain_id: chain_id.clone(),
            consensus_params: Some(ConsensusParams {
                block: Some(BlockParams {
                    max_bytes: block_max_bytes,
                    max_gas: -1,
                }),
                evidence: Some(EvidenceParams {
                    max_bytes: evidence_max_bytes,
                    ..Default::default()
                }),
                validator: Some(ValidatorParams {
                    pub_key_types: vec!["ed25519".into()],
                }),
                ..Default::default()
            }),
            validators: vec![ValidatorUpdate {
                pub_key: Some(PublicKey {
                    sum: Some(Sum::Ed25519(key.verifying_key().to_bytes().to_vec())),
                }),
                power: i64::try_from(power).unwrap_or(i64::MAX),
            }],
            app_state_bytes: at(&json, "/app_state").to_string().into(),
            initial_height: 1,
        };
        Ok(Self {
            json,
            init,
            key,
            public_key,
            power,
            chain_id,
            time,
            heartbeat_ms,
            block_max_bytes,
        })
    }
}

/// A time as ABCI carries it.
pub fn timestamp(time: Time) -> Timestamp {
    let nanos = time.unix_timestamp_nanos();
    Timestamp {
        seconds: i64::try_from(nanos.div_euclid(1_000_000_000)).unwrap_or(0),
        nanos: i32::try_from(nanos.rem_euclid(1_000_000_000)).unwrap_or(0),
    }
}

fn read(path: &Path) -> Result<Value, String> {
    let bytes = std::fs::read(path).map_err(|error| format!("{}: {error}", path.display()))?;
    serde_json::from_slice(&bytes).map_err(|error| format!("{}: {error}", path.display()))
}

fn signing_key(path: &Path) -> Result<SigningKey, String> {
    let json = read(path)?;
    let expected = || format!("{}: expected an Ed25519 key", path.display());
    let encoded = at(&json, "/priv_key/value").as_str().ok_or_else(expected)?;
    let bytes = Zeroizing::new(STANDARD.decode(encoded).map_err(|_| expected())?);
    let seed = bytes.first_chunk::<32>().ok_or_else(expected)?;
    Ok(SigningKey::from_bytes(seed))
}

fn one_validator(json: &Value, key: &SigningKey) -> Result<u64, String> {
    let expected = "expected exactly one validator, with the key of this home";
    let validators = at(json, "/validators").as_array().ok_or(expected)?;
    let [validator] = validators.as_slice() else {
        return Err(expected.into());
    };
    let public = STANDARD.encode(key.verifying_key().to_bytes());
    if at(validator, "/pub_key/value").as_str() != Some(&public) {
        return Err(expected.into());
    }
    u64::try_from(number(at(validator, "/power"), "power")?).map_err(|_| expected.into())
}

fn text<'a>(value: &'a Value, name: &str) -> Result<&'a str, String> {
    value
        .as_str()
        .ok_or_else(|| format!("{name}: expected a text"))
}

/// CometBFT writes 64-bit numbers as texts.
fn number(value: &Value, name: &str) -> Result<i64, String> {
    text(value, name)?
        .parse()
        .map_err(|_| format!("{name}: expected a number in quotes"))
}
