//! The genesis, and the parameters in it.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde_json::{Value, json};
use white_city_client::genesis::from_json;
use white_city_tests::rng::Rng;
use white_city_wire::{
    AppState, Network,
    genesis::{Chain, Validator},
    seal::BlockTime,
};

use crate::{Target, golden::column};

/// The parameters in a genesis.
pub const PARAMETERS: Target = Target::new("parameters", || seeds(&app_states()), take_params);

/// A whole genesis.
pub const GENESIS: Target = Target::new("genesis", genesis_seeds, take_genesis);

/// A genesis around parameters and a charter.
fn around(app_state: &Value) -> Value {
    let replicas = app_state["charter"]["replicas"].as_array().unwrap();
    let validators: Vec<Value> = replicas
        .iter()
        .map(|replica| {
            let key = hex::decode(replica["validator"].as_str().unwrap()).unwrap();
            let key = STANDARD.encode(key);
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
        "validators": validators, "app_hash": "", "app_state": app_state,
    })
}

/// A genesis that describes a network.
pub fn good() -> String {
    let documents = app_states().iter().map(around).collect::<Vec<_>>();
    let mut documents = documents.iter().map(Value::to_string);
    let good = documents.find(|text| from_json(text.as_bytes()).is_ok());
    good.expect("one of the golden file's")
}

/// Parameters and charters of the golden file.
fn app_states() -> Vec<Value> {
    let cases = column("network", "/in");
    let cases = cases.iter().map(|text| {
        let case: Value = serde_json::from_slice(text).unwrap();
        json!({ "params": case["params"], "charter": case["charter"] })
    });
    cases.collect()
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

fn network(app_state: AppState) -> Option<Network> {
    let replicas = app_state.charter.replicas.iter();
    let validators = replicas.map(|replica| Validator {
        key: replica.validator.0,
        power: 10,
    });
    let chain = Chain {
        chain_id: "fuzz".into(),
        genesis_time: BlockTime::default(),
        initial_height: 1,
        validators: validators.collect(),
        block_max_bytes: -1,
        evidence_max_bytes: 0,
    };
    Network::new(chain, app_state).ok()
}

fn take_params(input: &[u8]) -> bool {
    let Ok(app_state) = serde_json::from_slice::<AppState>(input) else {
        return false;
    };
    let again = serde_json::to_string(&app_state).unwrap();
    let again = serde_json::from_str::<AppState>(&again).unwrap();
    assert_eq!(again, app_state);
    let Some(network) = network(app_state) else {
        return false;
    };
    let p = &network.params;
    let charter = &network.charter;
    assert!(charter.protocol == 2 && charter.stamp_bits <= 40 && p.heartbeat_ms > 0);
    assert!((1..=1_024).contains(&p.max_n) && (1..=65_536).contains(&p.max_rounds));
    assert!(
        (262_144..=716_800).contains(&p.max_tx)
            && u64::from(p.cap_ms) >= 3 * u64::from(p.heartbeat_ms)
    );
    assert!(charter.listed_bytes() <= Some(charter.max_board_bytes));
    assert!((1..=256).contains(&charter.size()));
    true
}

fn genesis_seeds() -> Vec<Vec<u8>> {
    let documents: Vec<Value> = app_states().iter().map(around).collect();
    seeds(&documents)
}

fn take_genesis(input: &[u8]) -> bool {
    match from_json(input) {
        Ok(network) => {
            assert!(network.initial_height >= 1 && network.charter.size() > 0);
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
