//! Small networks for tests of the pure state machine.

use std::sync::Arc;

use white_city_wire::{
    Hash, Network, Params,
    genesis::{Chain, OpenerQuota, Validator},
    hash::sha256,
    seal::BlockTime,
};

use crate::party::Party;

/// Small parameters: everything has a limit that a test can reach.
#[must_use]
pub fn params(openers: &[(&Party, u32, u64)]) -> Params {
    Params {
        protocol: 1,
        random: Hash([7; 32]),
        heartbeat_ms: 1_000,
        cap_ms: 3_000,
        max_n: 16,
        max_rounds: 8,
        max_tx: 8_192,
        full_block: 4_096,
        max_work: 8_192,
        max_session_bytes: 100_000,
        max_board_bytes: 1_000_000,
        max_duration_ms: 100_000,
        max_open_ms: 10_000,
        anyone_may_open: true,
        anyone_max_live: 3,
        anyone_max_bytes: 200_000,
        stamp_bits: 0,
        openers: openers
            .iter()
            .map(|(party, max_live, max_bytes)| OpenerQuota {
                key: Hash(*party.key().as_bytes()),
                max_live: *max_live,
                max_bytes: *max_bytes,
            })
            .collect(),
    }
}

/// A network of `k` validators of power 10, whose genesis is at second 1 000 000.
///
/// # Panics
/// When the genesis is refused, which is a mistake in the test.
#[must_use]
pub fn network(k: u8, params: Params) -> Arc<Network> {
    let chain = Chain {
        chain_id: "white-city-test".into(),
        genesis_time: BlockTime {
            seconds: 1_000_000,
            nanos: 0,
        },
        initial_height: 1,
        validators: (0..k)
            .map(|i| Validator {
                key: sha256(&[b'v', i]).0,
                power: 10,
            })
            .collect(),
        block_max_bytes: 1 << 20,
        evidence_max_bytes: 0,
    };
    match Network::new(chain, params) {
        Ok(network) => Arc::new(network),
        Err(error) => panic!("the test's genesis is refused: {error}"),
    }
}

/// The same network with another bound on a block's work, which no genesis may say: so small that a few entries take the room of those
/// behind them.
#[must_use]
pub fn with_max_work(network: &Network, max_work: u32) -> Arc<Network> {
    let mut network = network.clone();
    network.params.max_work = max_work;
    network.params_hash = network.params.hash();
    Arc::new(network)
}
