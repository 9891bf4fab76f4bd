//! The genesis, and the parameters in it.

use serde_json::{Value, json};
use white_city_client::genesis::from_json;
use white_city_tests::rng::Rng;
use white_city_wire::{
    Network, Params,
    genesis::{Chain, Validator},
    seal::BlockTime,
};

use crate::{Target, golden::column};

/// The parameters in a genesis.
pub const PARAMETERS: Target = Target::new("parameters", || seeds(&params()), take_params);

/// A whole genesis.
pub const GENESIS: Target = Target::new("genesis", genesis_seeds, take_genesis);

/// A genesis around parameters.
fn around(params: &Value) -> Value {
    let validators = [
        "AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE=",
        "AgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgI=",
    ];
    let validators: Vec<Value> = validators
        .iter()
        .map(|key| {
            json!({
                "address": "", "name": "", "power": "10",
                "pub_key": { "type": "tendermint/PubKeyEd25519", "value": key },
            })
        })
        .collect();
    json!({
        "genesis_time": "2026-11-22T14:00:00.123456789Z", "chain_id": "fuzz", "initial_height": "1",
        "consensus_params": {
            "block": { "max_bytes": "22020096", "max_gas": "-1" },
            "evidence": { "max_age_num_blocks": "1", "max_age_duration": "1", "max_bytes": "10000" },
        },
        "validators": validators, "app_hash": "", "app_state": params,
    })
}

/// The parameters of the golden file.
fn params() -> Vec<Value> {
    column("network", "/in/params")
        .iter()
        .map(|text| serde_json::from_slice(text).unwrap())
        .collect()
}

/// Texts, and the same with one value replaced by another kind or by the ends of its range.
fn seeds(documents: &[Value]) -> Vec<Vec<u8>> {
    let mut rng = Rng::new(5);
    let others = [
        Value::Null,
        json!(0),
        json!(-1),
        json!(1),
        json!(u64::MAX),
        json!(1e300),
        json!(0.5),
        json!(""),
        json!("0"),
        json!("-1"),
        json!("9223372036854775808"),
        json!([]),
        json!({}),
        json!([[[]]]),
        json!(true),
        json!("0000-00-00T00:00:00Z"),
    ];
    let mut seeds = Vec::new();
    for document in documents {
        for _ in 0..5 {
            seeds.push(document.to_string().into_bytes());
        }
        let mut places = Vec::new();
        walk(document, String::new(), &mut places);
        for place in places {
            let mut changed = document.clone();
            *changed.pointer_mut(&place).unwrap() = rng.pick(&others).unwrap().clone();
            seeds.push(changed.to_string().into_bytes());
        }
    }
    seeds
}

fn walk(value: &Value, at: String, places: &mut Vec<String>) {
    match value {
        Value::Object(fields) => fields
            .iter()
            .for_each(|(name, field)| walk(field, format!("{at}/{name}"), places)),
        Value::Array(items) => (0..)
            .zip(items)
            .for_each(|(i, item): (u32, _)| walk(item, format!("{at}/{i}"), places)),
        _ => {}
    }
    places.push(at);
}

fn network(params: Params) -> Option<Network> {
    let chain = Chain {
        chain_id: "fuzz".into(),
        genesis_time: BlockTime::default(),
        initial_height: 1,
        validators: vec![Validator {
            key: [1; 32],
            power: 10,
        }],
        block_max_bytes: -1,
        evidence_max_bytes: 0,
    };
    Network::new(chain, params).ok()
}

fn take_params(input: &[u8]) -> bool {
    let Ok(params) = serde_json::from_slice::<Params>(input) else {
        return false;
    };
    let again = serde_json::to_string(&params).unwrap();
    assert_eq!(serde_json::from_str::<Params>(&again).unwrap(), params);
    let Some(network) = network(params) else {
        return false;
    };
    let p = &network.params;
    assert!(p.protocol == 1 && p.stamp_bits == 0 && p.heartbeat_ms > 0);
    assert!((1..=1_024).contains(&p.max_n) && (1..=65_536).contains(&p.max_rounds));
    assert!(
        (1..=716_800).contains(&p.max_tx) && u64::from(p.cap_ms) >= 3 * u64::from(p.heartbeat_ms)
    );
    assert!(p.listed_bytes() <= p.max_board_bytes);
    assert_eq!(network.opener_keys.len(), p.openers.len());
    true
}

fn genesis_seeds() -> Vec<Vec<u8>> {
    let documents: Vec<Value> = params().iter().map(around).collect();
    seeds(&documents)
}

fn take_genesis(input: &[u8]) -> bool {
    match from_json(input) {
        Ok(network) => {
            assert!(network.initial_height >= 1 && !network.validators.is_empty());
            assert!((1..=50).contains(&network.chain_id.len()));
            assert!(
                network.genesis_time.seconds >= 0 && network.genesis_time.nanos < 1_000_000_000
            );
            true
        }
        Err(error) => {
            assert!(!error.to_string().is_empty());
            false
        }
    }
}
