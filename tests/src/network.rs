//! Small networks for tests of the pure state machine.

use std::sync::Arc;

use white_city_wire::{
    AppState, Charter, Hash, Network, Params,
    charter::{OpenerQuota, Replica},
    genesis::{Chain, Validator},
    limits::{PROTOCOL, TX_BYTES_MIN, VALIDATOR_POWER},
    seal::BlockTime,
};

use crate::party::Party;

/// Number of the first operator's identity, and of the first validator's.
const OPERATORS: u64 = 1 << 40;
const VALIDATORS: u64 = 1 << 41;

/// Small rules: everything has a limit that a test can reach.
#[must_use]
pub fn rules(openers: &[(&Party, u32, u64)]) -> AppState {
    AppState {
        params: Params {
            random: Hash([7; 32]),
            heartbeat_ms: 1_000,
            cap_ms: 3_000,
            max_n: 16,
            max_rounds: 8,
            max_tx: 8_192,
            full_block: 4_096,
            max_work: 8_192,
            max_duration_ms: 100_000,
            max_open_ms: 10_000,
        },
        charter: Charter {
            term: 0,
            previous: Hash::ZERO,
            until_ms: 0,
            protocol: PROTOCOL,
            max_session_bytes: 100_000,
            max_board_bytes: 1_000_000,
            anyone_may_open: true,
            anyone_max_live: 3,
            anyone_max_bytes: 200_000,
            stamp_bits: 0,
            replicas: Vec::new(),
            openers: openers
                .iter()
                .map(|(party, max_live, max_bytes)| OpenerQuota {
                    key: Hash(*party.key().as_bytes()),
                    max_live: *max_live,
                    max_bytes: *max_bytes,
                })
                .collect(),
        },
    }
}

/// The same rules with a largest transaction that a genesis may say: what a replica has stored is checked as a genesis again.
#[must_use]
pub fn storable(mut rules: AppState) -> AppState {
    rules.params.max_tx = rules.params.max_tx.max(TX_BYTES_MIN);
    rules
}

/// Whoever runs the replica with this number: its number isn't its position in a charter.
#[must_use]
pub fn operator(number: u8) -> Party {
    Party::new(OPERATORS + u64::from(number))
}

/// The seed of the key with which the replica with this number votes.
#[must_use]
pub fn validator_seed(number: u8) -> [u8; 32] {
    Party::seed(VALIDATORS + u64::from(number))
}

/// The keys of the replica with this number.
#[must_use]
pub fn replica(number: u8) -> Replica {
    let validator = Party::new(VALIDATORS + u64::from(number));
    Replica {
        validator: Hash(*validator.key().as_bytes()),
        operator: Hash(*operator(number).key().as_bytes()),
    }
}

/// A network of `k` replicas, whose genesis is at second 1 000 000. Its largest transaction may be smaller than any genesis may say, so
/// that tests reach it.
///
/// # Panics
/// When the genesis is refused, which is a mistake in the test.
#[must_use]
pub fn network(k: u8, mut rules: AppState) -> Arc<Network> {
    rules.charter.replicas = (0..k).map(replica).collect();
    rules.charter.sort();
    let max_tx = rules.params.max_tx;
    rules = storable(rules);
    let chain = Chain {
        chain_id: "white-city-test".into(),
        genesis_time: BlockTime {
            seconds: 1_000_000,
            nanos: 0,
        },
        initial_height: 1,
        validators: rules
            .charter
            .replicas
            .iter()
            .map(|replica| Validator {
                key: replica.validator.0,
                power: VALIDATOR_POWER,
            })
            .collect(),
        block_max_bytes: -1,
        evidence_max_bytes: 0,
    };
    match Network::new(chain, rules) {
        Ok(network) => with_params(&network, |params| params.max_tx = max_tx),
        Err(error) => panic!("the test's genesis is refused: {error}"),
    }
}

/// The same network with another bound on a block's work, which no genesis may say: so small that a few entries take the room of those
/// behind them.
#[must_use]
pub fn with_max_work(network: &Network, max_work: u32) -> Arc<Network> {
    with_params(network, |params| params.max_work = max_work)
}

fn with_params(network: &Network, change: impl FnOnce(&mut Params)) -> Arc<Network> {
    let mut network = network.clone();
    change(&mut network.params);
    network.params_hash = network.params.hash();
    Arc::new(network)
}
