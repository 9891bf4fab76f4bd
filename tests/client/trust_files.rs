//! Trust files, as somebody may have changed them, forged them with the validators' keys, or taken them back to what they were.

mod frozen;
mod kept;
mod loaded;
mod merged;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use ed25519_dalek::SigningKey;
use prost::Message as _;
use serde_json::json;
use white_city_client::{
    Hash, Trust,
    trust::{BadTrustFile, TrustFile, trust_file_checksum},
    wire::{charter::Replica, pb, proof::StateProof},
};
use white_city_testnet::default_app_state;
use white_city_tests::{forger::Forger, tampering::Council};

use crate::eras::{link, set};

/// The sets of validators of a board, and whatever their keys may sign.
struct Board {
    a: Council,
    b: Council,
    c: Council,
    genesis: String,
    trust: Trust,
}

impl Board {
    /// Its genesis names set A.
    fn new() -> Self {
        Self::of(set(50))
    }

    fn of(a: Council) -> Self {
        let genesis = genesis(&a);
        Self {
            trust: Trust::genesis_json(genesis.as_bytes()).unwrap(),
            genesis,
            a,
            b: set(10),
            c: set(20),
        }
    }

    /// A to B at height 10, B to C at height 20.
    fn links(&self) -> Vec<pb::Link> {
        vec![link(10, &self.a, &self.b, 3), link(20, &self.b, &self.c, 3)]
    }

    fn forger(&self) -> Forger {
        let a = Council::new((0..4).map(|seed| [50 + seed; 32]));
        Forger::of(a, self.trust.network().clone())
    }

    fn state(&self, eras: u32, era_height: u64) -> StateProof {
        Forger::state(self.forger().root_in(eras, era_height))
    }

    /// A state under so many votes of the set that signs its header.
    fn mark(&self, height: u64, by: (&Council, usize), eras: (u32, u64)) -> Mark {
        self.certified(height, by, &self.state(eras.0, eras.1))
    }

    fn certified(&self, height: u64, by: (&Council, usize), state: &StateProof) -> Mark {
        self.forger().mark(height, by, state)
    }

    /// A file of what somebody has seen in era 2.
    fn whole(&self) -> pb::TrustFile {
        self.file(self.links(), Some(self.mark(30, (&self.c, 3), (2, 19))))
    }

    fn file(&self, links: Vec<pb::Link>, mark: Option<Mark>) -> pb::TrustFile {
        let (signed_header, state) = mark.unzip();
        pb::TrustFile {
            version: 1,
            genesis: self.genesis.clone().into_bytes(),
            links,
            signed_header: signed_header.unwrap_or_default(),
            state,
            addresses: vec!["http://a:1".into(), "http://b:1".into()],
        }
    }

    fn read(&self, links: Vec<pb::Link>, mark: Option<Mark>) -> Result<TrustFile, BadTrustFile> {
        read(&self.file(links, mark))
    }
}

/// A header with its votes, and the state that it certifies.
type Mark = (Vec<u8>, pb::StateProof);

/// The file with a right checksum.
fn summed(file: &pb::TrustFile) -> Vec<u8> {
    let message = file.encode_to_vec();
    let sum = trust_file_checksum(&message);
    [&message[..], &sum.0].concat()
}

fn read(file: &pb::TrustFile) -> Result<TrustFile, BadTrustFile> {
    TrustFile::from_bytes(&summed(file))
}

fn genesis(validators: &Council) -> String {
    let mut app_state = default_app_state().unwrap();
    app_state.params.random = Hash([9; 32]);
    let keys = validators.keys();
    let operators = (1_u8..).map(|seed| SigningKey::from_bytes(&[seed; 32]).verifying_key());
    let replicas = keys.iter().zip(operators).map(|(key, operator)| Replica {
        validator: Hash(*key),
        operator: Hash(operator.to_bytes()),
    });
    app_state.charter.replicas = replicas.collect();
    app_state.charter.sort();
    let listed = keys.iter().map(|key| {
        let value = STANDARD.encode(key);
        json!({ "address": "", "name": "", "power": "10",
            "pub_key": { "type": "tendermint/PubKeyEd25519", "value": value } })
    });
    json!({
        "genesis_time": "2026-01-01T00:00:00Z",
        "chain_id": "white-city-test",
        "initial_height": "1",
        "consensus_params": {
            "block": { "max_bytes": "20971520", "max_gas": "-1" },
            "evidence": { "max_age_num_blocks": "1", "max_age_duration": "1", "max_bytes": "1048576" },
            "validator": { "pub_key_types": ["ed25519"] },
        },
        "validators": listed.collect::<Vec<_>>(),
        "app_hash": "",
        "app_state": app_state,
    })
    .to_string()
}
