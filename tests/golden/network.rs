//! Networks, parameters and specs.

use serde_json::Value;
use white_city_wire::{
    AppState, Charter, Network, Params, SessionId, Spec,
    genesis::{Chain, Validator},
    limits::VALIDATOR_POWER,
    reserve::reserved_bytes,
    seal::BlockTime,
    spec::session_id,
    stamp::is_stamp,
};

use crate::case::{Case, Fields, hexed};

pub fn network(case: &Case) {
    let input = case.input();
    let params: Params = serde_json::from_value(input.get("params").clone()).unwrap();
    assert_eq!(&serde_json::to_value(&params).unwrap(), input.get("params"));
    let charter: Charter = serde_json::from_value(input.get("charter").clone()).unwrap();
    let again = serde_json::to_value(&charter).unwrap();
    assert_eq!(&again, input.get("charter"));
    let chain = Chain {
        chain_id: input.text("chain_id").to_owned(),
        genesis_time: BlockTime {
            seconds: input.signed("genesis_s"),
            nanos: input.number("genesis_ns"),
        },
        initial_height: input.signed("initial_height"),
        validators: charter
            .replicas
            .iter()
            .map(|replica| Validator {
                key: replica.validator.0,
                power: VALIDATOR_POWER,
            })
            .collect(),
        block_max_bytes: -1,
        evidence_max_bytes: 1 << 20,
    };
    let network = Network::new(chain, AppState { params, charter }).unwrap();
    assert_eq!(network.params.hash(), network.params_hash);
    case.expect([
        ("params_hash", hexed(network.params_hash.0)),
        ("charter_hash", hexed(network.charter.hash().0)),
        ("network_id", hexed(network.id.0)),
    ]);
}

pub fn stamp(case: &Case) {
    let input = case.input();
    let is_stamp = |bits: &u8| is_stamp(&input.session(), input.number("stamp"), *bits);
    let bits = (0..=64).rev().find(is_stamp).unwrap();
    case.expect([("bits", Value::from(bits))]);
}

pub fn spec(case: &Case) {
    let input = case.input();
    let spec = spec_of(input.object("spec"));
    spec.check().unwrap();
    let id = session_id(
        &input.network(),
        &input.key("opener"),
        &input.bytes32("nonce"),
        input.number("open_by_ms"),
        &spec.hash(),
    );
    case.expect([
        ("spec_hash", hexed(spec.hash().0)),
        ("own_bytes", Value::from(spec.own_bytes())),
        ("reserved_bytes", Value::from(reserved_bytes(&spec))),
        ("session_id", hexed(id.0)),
    ]);
}

/// A spec from its fields.
pub fn spec_of(spec: Fields<'_>) -> Spec {
    Spec {
        protocol: spec.text("protocol").to_owned(),
        version: spec.number("version"),
        kem: spec.kem(),
        roster: spec
            .list("roster")
            .map(|key| {
                white_city_wire::IdentityKey::from_bytes(&crate::case::bytes(key.0)).unwrap()
            })
            .collect(),
        quorum: spec.number("m"),
        corrupt: spec.number("t"),
        max_rounds: spec.number("max_rounds"),
        join_ms: spec.number("join_ms"),
        round_ms: spec.number("round_ms"),
        reveal_ms: spec.number("reveal_ms"),
        retention_ms: spec.number("retention_ms"),
        max_bcast: spec.number("max_bcast"),
        max_p2p: spec.number("max_p2p"),
        max_bytes: spec.number("max_bytes"),
        input: spec.bytes("input"),
        prev_session: SessionId(spec.bytes32("prev_session")),
    }
}
