//! The root of a client's trust: the network that a CometBFT `genesis.json` describes.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde::Deserialize;
use time::{OffsetDateTime, format_description::well_known::Rfc3339};
use white_city_wire::{
    AppState, Network,
    genesis::{BadGenesis, Chain, Validator},
    seal::BlockTime,
};

/// Largest genesis that is read, bytes. The most openers that a genesis may list fit.
pub const GENESIS_BYTES_MAX: u64 = 16 << 20;
/// Longest name of a chain, by CometBFT's own rule, bytes.
const CHAIN_ID_BYTES_MAX: usize = 50;

/// Why a genesis is refused.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum GenesisError {
    /// Larger than any genesis.
    #[error("the genesis has {got} bytes, at most {GENESIS_BYTES_MAX} are read")]
    TooLarge {
        /// Its size, bytes.
        got: u64,
    },
    /// Not the JSON that it should be.
    #[error("not a genesis of CometBFT with the board's parameters and charter as app_state: {0}")]
    Json(#[from] serde_json::Error),
    /// A field outside its range.
    #[error("genesis field {field} is {got:?}, expected {expected}")]
    Field {
        /// The field's name.
        field: &'static str,
        /// The value that the genesis has.
        got: String,
        /// The values that it may have.
        expected: &'static str,
    },
    /// The network's own rules.
    #[error(transparent)]
    Network(#[from] BadGenesis),
}

#[derive(Deserialize)]
struct Genesis {
    genesis_time: String,
    chain_id: String,
    #[serde(default)]
    initial_height: Option<String>,
    consensus_params: ConsensusParams,
    validators: Vec<GenesisValidator>,
    app_state: AppState,
}

#[derive(Deserialize)]
struct ConsensusParams {
    block: MaxBytes,
    evidence: MaxBytes,
}

#[derive(Deserialize)]
struct MaxBytes {
    max_bytes: String,
}

#[derive(Deserialize)]
struct GenesisValidator {
    pub_key: PubKey,
    power: String,
}

#[derive(Deserialize)]
struct PubKey {
    r#type: String,
    value: String,
}

/// Reads a genesis.
///
/// # Errors
/// [`GenesisError`] says what is wrong with it.
pub fn from_json(json: &[u8]) -> Result<Network, GenesisError> {
    let got = u64::try_from(json.len()).unwrap_or(u64::MAX);
    if got > GENESIS_BYTES_MAX {
        return Err(GenesisError::TooLarge { got });
    }
    let genesis: Genesis = serde_json::from_slice(json)?;
    if !(1..=CHAIN_ID_BYTES_MAX).contains(&genesis.chain_id.len()) {
        return Err(GenesisError::Field {
            field: "chain_id",
            got: genesis.chain_id,
            expected: "1 to 50 bytes",
        });
    }
    let params = genesis.consensus_params;
    let chain = Chain {
        genesis_time: time_of(&genesis.genesis_time)?,
        chain_id: genesis.chain_id,
        initial_height: match genesis.initial_height.as_deref() {
            None | Some("") => 0,
            Some(text) => not_negative("initial_height", text)?,
        },
        validators: genesis
            .validators
            .iter()
            .map(validator)
            .collect::<Result<_, _>>()?,
        block_max_bytes: number("consensus_params.block.max_bytes", &params.block.max_bytes)?,
        evidence_max_bytes: number(
            "consensus_params.evidence.max_bytes",
            &params.evidence.max_bytes,
        )?,
    };
    Ok(Network::new(chain, genesis.app_state)?)
}

fn time_of(text: &str) -> Result<BlockTime, GenesisError> {
    let time = OffsetDateTime::parse(text, &Rfc3339).map_err(|_| GenesisError::Field {
        field: "genesis_time",
        got: text.to_owned(),
        expected: "a time by RFC 3339",
    })?;
    Ok(BlockTime {
        seconds: time.unix_timestamp(),
        nanos: time.nanosecond(),
    })
}

fn number(field: &'static str, text: &str) -> Result<i64, GenesisError> {
    text.parse().map_err(|_| GenesisError::Field {
        field,
        got: text.to_owned(),
        expected: "a whole number as a string",
    })
}

fn not_negative(field: &'static str, text: &str) -> Result<i64, GenesisError> {
    match number(field, text)? {
        number @ 0.. => Ok(number),
        _ => Err(GenesisError::Field {
            field,
            got: text.to_owned(),
            expected: "at least 0",
        }),
    }
}

fn validator(from: &GenesisValidator) -> Result<Validator, GenesisError> {
    let field = |field, got: &str, expected| GenesisError::Field {
        field,
        got: got.to_owned(),
        expected,
    };
    if from.pub_key.r#type != "tendermint/PubKeyEd25519" {
        return Err(field(
            "validators.pub_key.type",
            &from.pub_key.r#type,
            "tendermint/PubKeyEd25519",
        ));
    }
    let key = STANDARD
        .decode(&from.pub_key.value)
        .ok()
        .and_then(|bytes| bytes.try_into().ok())
        .ok_or_else(|| {
            field(
                "validators.pub_key.value",
                &from.pub_key.value,
                "32 bytes in base64",
            )
        })?;
    let power = not_negative("validators.power", &from.power)?.unsigned_abs();
    Ok(Validator { key, power })
}

#[cfg(test)]
pub(crate) mod tests {
    use ed25519_dalek::SigningKey;
    use serde_json::{Value, json};

    use super::*;

    pub(crate) fn example(validators: u8) -> Value {
        let mut keys: Vec<_> = (0..validators).map(|i| (key(1, i), key(2, i))).collect();
        keys.sort_unstable();
        let mut example: Value =
            serde_json::from_str(include_str!("genesis/example.json")).unwrap();
        let listed = keys.iter().map(|(validator, _)| {
            json!({
                "address": "", "name": "", "power": "10",
                "pub_key": { "type": "tendermint/PubKeyEd25519", "value": STANDARD.encode(validator) },
            })
        });
        example["validators"] = listed.collect();
        let replicas = keys.iter().map(|(validator, operator)| {
            json!({ "validator": hex::encode(validator), "operator": hex::encode(operator) })
        });
        example["app_state"]["charter"]["replicas"] = replicas.collect();
        example
    }

    /// The key of this role of the replica with this number.
    fn key(role: u8, replica: u8) -> [u8; 32] {
        let seed = [role, replica].repeat(16).try_into().unwrap();
        SigningKey::from_bytes(&seed).verifying_key().to_bytes()
    }

    pub(crate) fn network(validators: u8) -> Network {
        parse(&example(validators)).unwrap()
    }

    fn parse(genesis: &Value) -> Result<Network, GenesisError> {
        from_json(genesis.to_string().as_bytes())
    }

    /// The example with one field replaced, by its JSON pointer.
    fn with(pointer: &str, value: Value) -> Result<Network, GenesisError> {
        let mut genesis = example(4);
        *genesis.pointer_mut(pointer).unwrap() = value;
        parse(&genesis)
    }

    #[test]
    fn a_genesis_becomes_the_network_that_it_describes() {
        let network = parse(&example(4)).unwrap();
        assert_eq!(network.chain_id, "white-city-test");
        assert_eq!(network.charter.size(), 4);
        assert_eq!(network.charter.faults(), 1);
        assert_eq!(network.genesis_time.nanos, 123_456_789);
        assert_eq!(network.genesis_time.seconds, 1_795_356_000);
        assert_eq!(network.initial_height, 1);
    }

    #[test]
    fn whatever_names_the_network_changes_its_id_and_whatever_does_not_leaves_it() {
        let id = parse(&example(4)).unwrap().id;
        let different = [
            ("/genesis_time", json!("2026-11-22T14:00:00.123456788Z")),
            ("/chain_id", json!("other")),
            ("/initial_height", json!("2")),
            ("/app_state/params/max_n", json!(3)),
            ("/app_state/charter/anyone_max_live", json!(3)),
            (
                "/app_state/charter/replicas/0/operator",
                json!(hex::encode(key(3, 0))),
            ),
        ];
        for (pointer, value) in different {
            assert_ne!(with(pointer, value).unwrap().id, id, "{pointer}");
        }
        // The same instant, and height 0 counts as 1.
        let same = [
            (
                "/genesis_time",
                json!("2026-11-22T16:00:00.123456789+02:00"),
            ),
            ("/initial_height", json!("0")),
            ("/initial_height", Value::Null),
            ("/validators/0/name", json!("renamed")),
        ];
        for (pointer, value) in same {
            assert_eq!(with(pointer, value).unwrap().id, id, "{pointer}");
        }
    }

    #[test]
    fn bad_fields_are_refused_by_name() {
        let bad = [
            ("/genesis_time", json!("yesterday"), "genesis_time"),
            ("/chain_id", json!(""), "chain_id"),
            ("/chain_id", json!("x".repeat(51)), "chain_id"),
            ("/initial_height", json!("-1"), "initial_height"),
            (
                "/validators/1/pub_key/type",
                json!("tendermint/PubKeySecp256k1"),
                "pub_key.type",
            ),
            (
                "/validators/1/pub_key/value",
                json!("AAAA"),
                "pub_key.value",
            ),
            ("/validators/1/power", json!("-10"), "power"),
            ("/validators/1/power", json!("ten"), "power"),
            ("/validators/1/power", json!("12"), "power"),
            ("/validators/1/power", json!(10), "string"),
            (
                "/consensus_params/block/max_bytes",
                json!("much"),
                "block.max_bytes",
            ),
            (
                "/consensus_params/block/max_bytes",
                json!("1000"),
                "full_block",
            ),
            (
                "/validators/1/pub_key/value",
                json!(STANDARD.encode(key(3, 0))),
                "validators",
            ),
            ("/app_state/params/max_n", json!(1025), "max_n"),
            ("/app_state/params/max_work", json!(4608), "max_work"),
            ("/app_state/params/max_tx", json!(262_143), "max_tx"),
            ("/app_state/charter/protocol", json!(1), "protocol"),
            ("/app_state/charter/protocol", json!(3), "protocol"),
            ("/app_state/charter/term", json!(1), "term"),
            ("/app_state/charter/until_ms", json!(1), "term"),
            ("/app_state/charter/stamp_bits", json!(41), "stamp_bits"),
            (
                "/app_state/charter/replicas/0/operator",
                json!(hex::encode([0; 32])),
                "operator",
            ),
            (
                "/app_state/charter/replicas/0/operator",
                json!(hex::encode(key(2, 1))),
                "two roles",
            ),
            ("/app_state", json!({}), "params"),
        ];
        for (pointer, value, named) in bad {
            let error = with(pointer, value.clone()).unwrap_err().to_string();
            assert!(error.contains(named), "{pointer} = {value}: {error}");
        }
        assert!(from_json(b"").is_err());
    }

    #[test]
    fn a_genesis_is_read_up_to_its_limit_and_refused_past_it() {
        let max = usize::try_from(GENESIS_BYTES_MAX).unwrap();
        let mut json = example(4).to_string().into_bytes();
        json.resize(max, b' ');
        assert!(from_json(&json).is_ok());
        json.push(b' ');
        assert!(matches!(
            from_json(&json),
            Err(GenesisError::TooLarge { .. })
        ));
    }
}
