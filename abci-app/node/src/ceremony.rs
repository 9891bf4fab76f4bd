//! The ceremony in which operators make a genesis together
//!
//! They agree on a draft (parameters, name, time) and exchange cards; each makes the genesis by itself, and all get the same file, byte
//! by byte; each signs it; a node starts with a genesis only if every operator in it has signed.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use white_city_client::{LocalKey, Signer as _};
use white_city_wire::hash::{Preimage, sha256};
use white_city_wire::seal::BlockTime;
use white_city_wire::signing::{Purpose, signed_bytes};
use white_city_wire::{Hash, IdentityKey, Network, Signature};

use crate::Error;
use crate::card::Card;
use crate::genesis::{self, Draft, Keys};
use crate::params::{Defaults, GENESIS_DEFAULTS};

/// Reads what the operators have agreed on: `config/genesis.toml` with a section `[board]` in front.
///
/// # Errors
/// [`Error::Malformed`] says where and what was expected.
pub fn read_draft(text: &str) -> Result<Draft, Error> {
    let malformed = |reason: String| Error::Malformed {
        path: "draft".into(),
        reason,
    };
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Board {
        chain_id: String,
        genesis_time: String,
    }
    let mut table: toml::Table =
        toml::from_str(text).map_err(|error| malformed(error.to_string()))?;
    let board = table
        .remove("board")
        .ok_or_else(|| malformed("expected [board] with chain_id and genesis_time".into()))?;
    let board: Board = board
        .try_into()
        .map_err(|error: toml::de::Error| malformed(format!("[board] {error}")))?;
    let time = tendermint::Time::parse_from_rfc3339(&board.genesis_time).map_err(|_| {
        malformed(format!(
            "genesis_time {:?}: expected a time like 2026-01-31T12:00:00Z",
            board.genesis_time
        ))
    })?;
    let defaults = Defaults::read(table)?;
    Ok(Draft {
        chain_id: board.chain_id,
        time: BlockTime {
            seconds: time.unix_timestamp(),
            nanos: u32::try_from(time.unix_timestamp_nanos().rem_euclid(1_000_000_000))
                .unwrap_or_default(),
        },
        consensus: defaults.consensus,
        app_state: defaults.app_state,
    })
}

/// The text of a draft that has all defaults.
///
/// # Errors
/// [`Error::Option`] for a chain id that is none.
pub fn new_draft(chain_id: &str) -> Result<String, Error> {
    genesis::check_chain_id(chain_id)?;
    let now = tendermint::Time::now().to_rfc3339();
    // Whole seconds are enough, and easier to compare by eye.
    let seconds = now.get(..19).unwrap_or(&now);
    Ok(format!(
        "# What the operators of a new board agree on before they make its genesis: all need the same file.\n\n\
         [board]\n\
         # Name of the chain: 1 to 50 letters, digits, '-', '_' or '.'. No two boards of anybody's should have one name.\n\
         chain_id = \"{chain_id}\"\n\n\
         # The board's first block is later than this.\n\
         genesis_time = \"{seconds}Z\"\n\n{GENESIS_DEFAULTS}"
    ))
}

/// Makes the genesis of a draft and of the cards of its operators, in any order.
///
/// # Errors
/// [`Error::Option`] if two cards don't go together, and what no replica would accept.
pub fn make(draft: &Draft, cards: &[Card]) -> Result<String, Error> {
    let mut sorted = BTreeMap::new();
    for card in cards {
        let said = card.says();
        for (what, value) in [
            ("name", &said.name),
            ("validator", &said.validator.to_string()),
            ("node", &said.node),
            ("operator", &said.operator.to_string()),
        ] {
            let same = |other: &&Card| {
                let other = other.says();
                *value == other.name
                    || *value == other.validator.to_string()
                    || *value == other.node
                    || *value == other.operator.to_string()
            };
            if cards.iter().filter(same).count() > 1 {
                return Err(Error::Option {
                    what: "cards",
                    got: format!("two with the {what} {value}"),
                    expected: "one card of each operator, with keys of its own".into(),
                });
            }
        }
        sorted.insert(said.operator, card);
    }
    let mut draft = draft.clone();
    if draft.app_state.params.random == Hash::ZERO {
        // Every card has keys that its operator drew: no two boards have the same ones.
        let start = Preimage::new("white-city/ceremony/1").lp(draft.chain_id.as_bytes());
        let all = sorted.values().fold(start, |all, card| {
            let said = card.says();
            all.hash(&said.validator).hash(&said.operator)
        });
        draft.app_state.params.random = all.finish();
    }
    let keys = sorted.values().map(|card| Keys {
        name: card.says().name.clone(),
        validator: card.says().validator.0,
        operator: card.says().operator.0,
    });
    let keys: Vec<Keys> = keys.collect();
    genesis::render(&draft, &keys)
}

/// An operator's consent to a genesis, as a file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct ConsentFile {
    version: u32,
    /// SHA-256 of the genesis file.
    genesis: Hash,
    operator: Hash,
    signature: String,
}

/// Signs a genesis file; gives the text of the consent.
///
/// # Errors
/// [`Error::Option`] if its operators don't include this one.
pub fn consent(text: &str, network: &Network, key: &LocalKey) -> Result<String, Error> {
    let operator = Hash(*key.identity().as_bytes());
    if !network.charter.is_operator(&operator) {
        return Err(Error::Option {
            what: "operator",
            got: operator.to_string(),
            expected: "one of those that the genesis lists".into(),
        });
    }
    let file = sha256(text.as_bytes());
    let consent = ConsentFile {
        version: 1,
        genesis: file,
        operator,
        signature: hex::encode(key.consents(&network.id, &file).0),
    };
    Ok(serde_json::to_string_pretty(&consent).unwrap_or_default() + "\n")
}

/// Checks a consent to a genesis file; gives the operator.
///
/// # Errors
/// What is wrong with it, in words.
pub fn read_consent(consent: &str, text: &str, network: &Network) -> Result<Hash, String> {
    let consent: ConsentFile = serde_json::from_str(consent).map_err(|error| error.to_string())?;
    if consent.version != 1 {
        return Err(format!("version {}: expected 1", consent.version));
    }
    let file = sha256(text.as_bytes());
    if consent.genesis != file {
        return Err(format!(
            "it is about another genesis: {}, this one is {file}",
            consent.genesis
        ));
    }
    let mut signature = [0; 64];
    hex::decode_to_slice(&consent.signature, &mut signature)
        .map_err(|_| "signature: expected 128 hexadecimal digits")?;
    let message = signed_bytes(Purpose::Genesis, &network.id, &file);
    let key = IdentityKey::from_bytes(&consent.operator.0)
        .map_err(|error| format!("operator: {error}"))?;
    if !key.verify(&message, &Signature(signature)) {
        return Err("the signature isn't its operator's".into());
    }
    Ok(consent.operator)
}

/// Operators that a genesis lists and that aren't among those that have consented.
#[must_use]
pub fn missing(network: &Network, consented: &[Hash]) -> Vec<Hash> {
    let listed = network.charter.replicas.iter();
    let missing = listed.filter(|replica| !consented.contains(&replica.operator));
    missing.map(|replica| replica.operator).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::card::tests::some;

    fn made(cards: &[Card]) -> (String, Network) {
        let draft = read_draft(&new_draft("ceremony").unwrap()).unwrap();
        let text = make(&draft, cards).unwrap();
        let network = white_city_client::genesis::from_json(text.as_bytes()).unwrap();
        (text, network)
    }

    #[test]
    fn everybody_makes_the_same_genesis_whatever_the_order_of_the_cards() {
        let text = new_draft("ceremony").unwrap();
        let draft = read_draft(&text).unwrap();
        let mut cards: Vec<Card> = (1..=4).map(|number| some(number).0).collect();
        let one = make(&draft, &cards).unwrap();
        cards.reverse();
        assert_eq!(make(&read_draft(&text).unwrap(), &cards).unwrap(), one);
        cards.pop();
        assert_ne!(make(&draft, &cards).unwrap(), one);
        cards.push(some(5).0);
        let other = make(&draft, &cards).unwrap();
        let random = |text: &str| {
            let genesis = genesis::parse(text).unwrap();
            genesis.app_state.params.random
        };
        assert_ne!(random(&one), random(&other));
        assert_ne!(random(&one), Hash::ZERO);
    }

    #[test]
    fn two_cards_that_share_a_key_or_a_name_make_no_genesis() {
        let draft = read_draft(&new_draft("ceremony").unwrap()).unwrap();
        let cards = [some(1).0, some(2).0, some(1).0];
        assert!(matches!(make(&draft, &cards), Err(Error::Option { .. })));
        let (card, key) = some(3);
        let mut said = card.says().clone();
        said.name = "node2".into();
        let cards = [some(2).0, Card::sign(said, &key).unwrap()];
        assert!(matches!(make(&draft, &cards), Err(Error::Option { .. })));
    }

    #[test]
    fn a_consent_is_to_one_file_by_one_operator() {
        let pairs: Vec<_> = (1..=4).map(some).collect();
        let cards: Vec<Card> = pairs.iter().map(|(card, _)| card.clone()).collect();
        let (text, network) = made(&cards);
        let consented: Vec<Hash> = pairs
            .iter()
            .map(|(_, key)| {
                let signed = consent(&text, &network, key).unwrap();
                read_consent(&signed, &text, &network).unwrap()
            })
            .collect();
        assert_eq!(missing(&network, &consented), []);
        assert_eq!(missing(&network, &consented[1..]), [consented[0]]);
        let signed = consent(&text, &network, &pairs[0].1).unwrap();
        let other = text.replace("\"10\"", "\"12\"");
        assert!(read_consent(&signed, &other, &network).is_err());
        let stolen = signed.replace(&consented[0].to_string(), &consented[1].to_string());
        assert!(read_consent(&stolen, &text, &network).is_err());
        let stranger = LocalKey::from_seed(&[77; 32]).unwrap();
        assert!(consent(&text, &network, &stranger).is_err());
    }

    #[test]
    fn a_draft_says_what_it_lacks() {
        let text = new_draft("ceremony").unwrap();
        for (from, to, expected) in [
            ("[board]", "[bored]", "expected [board]"),
            ("genesis_time", "genesis_tame", "genesis_tame"),
            ("Z\"\n", "\"\n", "genesis_time"),
            ("heartbeat_ms", "heartbeat", "heartbeat"),
        ] {
            let refused = read_draft(&text.replacen(from, to, 1)).unwrap_err();
            assert!(refused.to_string().contains(expected), "{refused}");
        }
        assert!(new_draft("a b").is_err());
    }
}
