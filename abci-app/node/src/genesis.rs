//! `genesis.json`: who the validators are, the board's parameters, and its charter

use std::time::{SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};
use serde_json::json;

use white_city_wire::charter::Replica;
use white_city_wire::genesis::{self, Chain};
use white_city_wire::limits::VALIDATOR_POWER;
use white_city_wire::seal::BlockTime;
use white_city_wire::{AppState, Hash, Params};

use crate::Error;
use crate::keys::{self, Typed};
use crate::params::{Consensus, Defaults};

/// Header, commit of 256 validators and seal, which take 38 KB, and room to spare, beside the entries and the evidence of a block.
const OVERHEAD_BYTES: u64 = 256 * 1024;
/// CometBFT refuses larger blocks whatever the genesis says.
const COMETBFT_BLOCK_MAX_BYTES: u64 = 100 * 1024 * 1024;
/// CometBFT's limit.
const CHAIN_ID_MAX: usize = 50;
/// Hours whose nanoseconds CometBFT's 63 bits hold.
const EVIDENCE_HOURS_MAX: u64 = 2_562_047;

/// The parts of an existing genesis that the launcher needs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Genesis {
    /// Name of the chain, 1 to 50 characters.
    pub chain_id: String,
    /// The validators, in the order of the file.
    pub validators: Vec<GenesisValidator>,
    /// Parameters and charter.
    pub app_state: AppState,
}

/// One of the validators.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct GenesisValidator {
    /// Address, in upper-case hexadecimal.
    pub address: String,
    /// Voting power, as a decimal number.
    pub power: String,
}

/// The keys that one replica brings to the genesis.
pub struct Keys {
    /// Its name in the file, which nothing depends on.
    pub name: String,
    /// Its validator's public key.
    pub validator: [u8; 32],
    /// Its operator's.
    pub operator: [u8; 32],
}

/// All of a board that is agreed on before anybody's keys are known.
#[derive(Debug, Clone)]
pub struct Draft {
    /// Name of the chain, 1 to 50 characters.
    pub chain_id: String,
    /// Time from which on there can be blocks.
    pub time: BlockTime,
    /// CometBFT's part.
    pub consensus: Consensus,
    /// The board's part; its charter has no replicas yet.
    pub app_state: AppState,
}

impl Draft {
    /// A board that begins now, with the engine's defaults.
    ///
    /// # Errors
    /// If the defaults that were compiled in are malformed; a test excludes it.
    pub fn now(chain_id: &str, app_state: AppState) -> Result<Self, Error> {
        let now = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default();
        Ok(Self {
            chain_id: chain_id.into(),
            time: BlockTime {
                seconds: i64::try_from(now.as_secs()).unwrap_or(i64::MAX),
                nanos: now.subsec_nanos(),
            },
            consensus: Defaults::embedded()?.consensus,
            app_state,
        })
    }
}

/// The text of a new genesis, whose charter gets these replicas. It depends on nothing else.
///
/// # Errors
/// [`Error::Option`] and [`Error::Genesis`] say what no replica would accept.
pub fn render(draft: &Draft, replicas: &[Keys]) -> Result<String, Error> {
    let mut app_state = draft.app_state.clone();
    let keys = replicas.iter().map(|keys| Replica {
        validator: Hash(keys.validator),
        operator: Hash(keys.operator),
    });
    app_state.charter.replicas = keys.collect();
    app_state.charter.sort();
    let block_max_bytes = block_max_bytes(&draft.consensus, &app_state.params)?;
    check(draft, &app_state, block_max_bytes)?;
    let validators: Vec<_> = replicas.iter().map(listed).collect();
    let consensus = &draft.consensus;
    let hours = i64::try_from(consensus.evidence_max_age_hours).unwrap_or(i64::MAX);
    let head = json!({
        "genesis_time": rfc3339(draft.time)?,
        "chain_id": draft.chain_id,
        "initial_height": "1",
        "consensus_params": {
            "block": { "max_bytes": block_max_bytes.to_string(), "max_gas": "-1" },
            "evidence": {
                "max_age_num_blocks": consensus.evidence_max_age_blocks.to_string(),
                "max_age_duration": hours.saturating_mul(3_600_000_000_000).to_string(),
                "max_bytes": consensus.evidence_max_bytes.to_string(),
            },
            "validator": { "pub_key_types": ["ed25519"] },
            "version": { "app": "0" },
            "abci": { "vote_extensions_enable_height": "0" },
        },
        "validators": validators,
        "app_hash": "",
        "app_state": null,
    });
    // Parameters and charter keep the order of their fields only when they are written by themselves.
    let text = serde_json::to_string_pretty(&head).map_err(malformed)?;
    let app_state = serde_json::to_string_pretty(&app_state).map_err(malformed)?;
    Ok(text.replace(
        "\"app_state\": null",
        &format!("\"app_state\": {app_state}"),
    ) + "\n")
}

fn listed(keys: &Keys) -> serde_json::Value {
    json!({
        "address": keys::address(&keys.validator).to_uppercase(),
        "pub_key": Typed::public(&keys.validator),
        "power": VALIDATOR_POWER.to_string(),
        "name": keys.name,
    })
}

/// Reads a genesis, or says what is wrong with it.
///
/// # Errors
/// In words.
pub fn parse(text: &str) -> Result<Genesis, String> {
    let genesis: Genesis = serde_json::from_str(text).map_err(|error| error.to_string())?;
    check_chain_id(&genesis.chain_id).map_err(|error| error.to_string())?;
    Ok(genesis)
}

/// Checks a chain id: 1 to 50 printable characters without spaces or quotes.
///
/// # Errors
/// [`Error::Option`].
pub fn check_chain_id(id: &str) -> Result<(), Error> {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
    if (1..=CHAIN_ID_MAX).contains(&id.len()) && id.bytes().all(plain) {
        return Ok(());
    }
    Err(Error::Option {
        what: "chain id",
        got: format!("{id:?}"),
        expected: format!("1 to {CHAIN_ID_MAX} letters, digits, '-', '_' or '.'"),
    })
}

fn block_max_bytes(consensus: &Consensus, params: &Params) -> Result<u64, Error> {
    let needed = params.entries_bytes() + consensus.evidence_max_bytes + OVERHEAD_BYTES;
    let bytes = needed.max(consensus.block_max_bytes);
    if bytes <= COMETBFT_BLOCK_MAX_BYTES {
        return Ok(bytes);
    }
    Err(Error::Option {
        what: "full_block + max_tx",
        got: format!("{bytes} bytes with evidence and overhead"),
        expected: format!("at most {COMETBFT_BLOCK_MAX_BYTES}, the largest block of CometBFT"),
    })
}

/// Checks that every replica and client will make, before anything is written.
fn check(draft: &Draft, app_state: &AppState, block_max_bytes: u64) -> Result<(), Error> {
    check_chain_id(&draft.chain_id)?;
    let consensus = &draft.consensus;
    for (what, got, most) in [
        (
            "evidence_max_age_blocks",
            consensus.evidence_max_age_blocks,
            i64::MAX.unsigned_abs(),
        ),
        (
            "evidence_max_age_hours",
            consensus.evidence_max_age_hours,
            EVIDENCE_HOURS_MAX,
        ),
    ] {
        // CometBFT would refuse it when it starts, once everybody has signed.
        if !(1..=most).contains(&got) {
            return Err(Error::Option {
                what,
                got: got.to_string(),
                expected: format!("1 to {most}"),
            });
        }
    }
    let chain = Chain {
        chain_id: draft.chain_id.clone(),
        genesis_time: draft.time,
        initial_height: 1,
        validators: app_state
            .charter
            .replicas
            .iter()
            .map(|replica| genesis::Validator {
                key: replica.validator.0,
                power: VALIDATOR_POWER,
            })
            .collect(),
        block_max_bytes: i64::try_from(block_max_bytes).unwrap_or(i64::MAX),
        evidence_max_bytes: i64::try_from(consensus.evidence_max_bytes).unwrap_or(i64::MAX),
    };
    white_city_wire::Network::new(chain, app_state.clone())?;
    Ok(())
}

fn rfc3339(time: BlockTime) -> Result<String, Error> {
    tendermint::Time::from_unix_timestamp(time.seconds, time.nanos)
        .map(|time| time.to_rfc3339())
        .map_err(malformed)
}

fn malformed(error: impl std::fmt::Display) -> Error {
    Error::Malformed {
        path: "genesis.json".into(),
        reason: error.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::keys::KeyPair;

    fn app_state() -> AppState {
        crate::params::with_random(crate::params::default_app_state().unwrap()).unwrap()
    }

    fn keys() -> Keys {
        Keys {
            name: "replica".into(),
            validator: KeyPair::generate().unwrap().public(),
            operator: KeyPair::generate().unwrap().public(),
        }
    }

    #[test]
    fn a_genesis_is_read_back_with_equal_even_powers_and_the_parameters() {
        let replicas: Vec<_> = (0..4).map(|_| keys()).collect();
        let mut expected = app_state();
        let draft = Draft::now("board", expected.clone()).unwrap();
        let text = render(&draft, &replicas).unwrap();
        let genesis = parse(&text).unwrap();
        assert_eq!(genesis.validators.len(), 4);
        for (validator, listed) in genesis.validators.iter().zip(&replicas) {
            assert_eq!(
                (validator.power.as_str(), &validator.address),
                ("10", &keys::address(&listed.validator).to_uppercase())
            );
            let replica = Replica {
                validator: Hash(listed.validator),
                operator: Hash(listed.operator),
            };
            assert!(genesis.app_state.charter.replicas.contains(&replica));
        }
        expected
            .charter
            .replicas
            .clone_from(&genesis.app_state.charter.replicas);
        assert_eq!(genesis.app_state, expected);
        let parsed = serde_json::from_str::<tendermint::Genesis<serde_json::Value>>(&text).unwrap();
        assert_eq!(parsed.consensus_params.block.max_bytes, 2_359_296);
    }

    #[test]
    fn a_full_block_with_one_more_transaction_and_evidence_fits() {
        let defaults = Defaults::embedded().unwrap().consensus;
        let mut params = app_state().params;
        let needed = |params: &Params| {
            let entries = u64::from(params.full_block) + u64::from(params.max_tx);
            entries + entries / 32 + 262_144 + OVERHEAD_BYTES
        };
        assert!(block_max_bytes(&defaults, &params).unwrap() >= needed(&params));
        params.full_block = 40_000_000;
        assert_eq!(
            block_max_bytes(&defaults, &params).unwrap(),
            needed(&params)
        );
        // So many entries that with their framing exactly the largest block is filled.
        let entries = COMETBFT_BLOCK_MAX_BYTES - OVERHEAD_BYTES - 262_144;
        let entries = entries - entries / 33;
        params.full_block = u32::try_from(entries).unwrap() - params.max_tx;
        assert_eq!(
            block_max_bytes(&defaults, &params).unwrap(),
            COMETBFT_BLOCK_MAX_BYTES
        );
        params.max_tx += 1;
        assert!(matches!(
            block_max_bytes(&defaults, &params),
            Err(Error::Option { .. })
        ));
    }

    #[test]
    fn evidence_has_an_age_that_cometbft_takes() {
        let mut draft = Draft::now("board", app_state()).unwrap();
        let replicas: Vec<_> = (0..4).map(|_| keys()).collect();
        let blocks = i64::MAX.unsigned_abs();
        for (blocks, hours, named) in [
            (1, 1, None),
            (blocks, EVIDENCE_HOURS_MAX, None),
            (0, 1, Some("evidence_max_age_blocks")),
            (blocks + 1, 1, Some("evidence_max_age_blocks")),
            (1, 0, Some("evidence_max_age_hours")),
            (1, EVIDENCE_HOURS_MAX + 1, Some("evidence_max_age_hours")),
        ] {
            draft.consensus.evidence_max_age_blocks = blocks;
            draft.consensus.evidence_max_age_hours = hours;
            match (render(&draft, &replicas), named) {
                (Ok(text), None) => {
                    let genesis: serde_json::Value = serde_json::from_str(&text).unwrap();
                    let age = &genesis["consensus_params"]["evidence"]["max_age_duration"];
                    let nanos: i64 = age.as_str().unwrap().parse().unwrap();
                    assert_eq!(nanos / 3_600_000_000_000, hours.cast_signed());
                }
                (Err(Error::Option { what, .. }), Some(named)) => assert_eq!(what, named),
                (other, _) => panic!("{blocks} {hours}: {other:?}"),
            }
        }
    }

    #[test]
    fn a_chain_id_has_one_to_fifty_characters() {
        assert!(check_chain_id("").is_err());
        assert!(check_chain_id("a").is_ok());
        assert!(check_chain_id(&"a".repeat(50)).is_ok());
        assert!(check_chain_id(&"a".repeat(51)).is_err());
        assert!(check_chain_id("a\"b").is_err());
    }
}
