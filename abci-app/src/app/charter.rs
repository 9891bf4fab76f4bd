//! What a new charter means for the engine: other validators, another version, or a stop before rules that this program doesn't know.

use tendermint_proto::v0_38::{
    abci::ValidatorUpdate,
    crypto::{PublicKey, public_key::Sum},
    types::{ConsensusParams, VersionParams},
};
use white_city_wire::{Charter, Hash, limits::VALIDATOR_POWER, protocol::Known};

/// Changes of the set of validators from one charter to the next: those that go with power 0, and those that come.
pub fn validator_updates(present: &Charter, next: &Charter) -> Vec<ValidatorUpdate> {
    let has = |charter: &Charter, key: &Hash| {
        let mut replicas = charter.replicas.iter();
        replicas.any(|replica| replica.validator == *key)
    };
    let update = |key: &Hash, power| ValidatorUpdate {
        pub_key: Some(PublicKey {
            sum: Some(Sum::Ed25519(key.0.to_vec())),
        }),
        power,
    };
    let power = i64::try_from(VALIDATOR_POWER).unwrap_or(i64::MAX);
    let gone = present.replicas.iter().map(|replica| &replica.validator);
    let gone = gone.filter(|key| !has(next, key)).map(|key| update(key, 0));
    let new = next.replicas.iter().map(|replica| &replica.validator);
    let new = new
        .filter(|key| !has(present, key))
        .map(|key| update(key, power));
    gone.chain(new).collect()
}

/// The version of the rules for the engine's headers, where it changes.
pub fn version_update(present: &Charter, next: &Charter) -> Option<ConsensusParams> {
    (present.protocol != next.protocol).then(|| ConsensusParams {
        version: Some(VersionParams {
            app: next.protocol.into(),
        }),
        ..Default::default()
    })
}

/// What to do, if the rules of the block after `height` are of a number that this program doesn't know.
pub fn unknown_rules(protocol: u32, height: u64, known: Known) -> Option<String> {
    (!known.has(protocol)).then(|| {
        format!(
            "block {} of the board is under protocol {protocol}; this program knows none after {}. All blocks up to {height} are stored: \
             install a program that knows protocol {protocol}, and start it with this home",
            height.saturating_add(1),
            known.newest(),
        )
    })
}
