//! Cards: where an operator's node is and which keys it has, signed by the operator
//!
//! Companies hand them to one another before there is a board, and again when a node moves. A genesis is made of cards, and a node
//! finds its peers by them.

use std::net::Ipv6Addr;

use serde::{Deserialize, Serialize};
use white_city_client::LocalKey;
use white_city_wire::hash::Preimage;
use white_city_wire::signing::{Purpose, signed_bytes};
use white_city_wire::{Hash, IdentityKey, NetworkId, Signature};

/// Largest file, bytes.
pub const CARD_BYTES_MAX: u64 = 16 << 10;
/// Longest name.
const NAME_MAX: usize = 50;
/// Longest address.
const ADDRESS_MAX: usize = 512;

/// What an operator says about its node.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Statement {
    /// Name that people know the node by: 1 to 50 letters, digits, '-', '_' or '.'.
    pub name: String,
    /// Address at which the other nodes reach it: "HOST:PORT".
    pub p2p: String,
    /// Address of its RPC for clients and for the other operators: "http://…", "https://…", or empty.
    pub rpc: String,
    /// The validator's public key.
    pub validator: Hash,
    /// CometBFT's id of the node: 40 hexadecimal digits.
    pub node: String,
    /// The operator's public key.
    pub operator: Hash,
    /// Time of signing, seconds since 1970: of two cards of one operator, the later one holds.
    pub issued: u64,
}

/// A card as it lies in a file: nobody has checked it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    version: u32,
    card: Statement,
    signature: String,
}

/// A card whose operator has signed it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Card {
    statement: Statement,
    signature: Signature,
}

impl Card {
    /// Signs a statement.
    ///
    /// # Errors
    /// What is wrong with the statement, in words.
    pub fn sign(statement: Statement, key: &LocalKey) -> Result<Self, String> {
        check(&statement)?;
        let digest = digest(&statement)?;
        let signature = key.signs_card(&digest);
        Ok(Self {
            statement,
            signature,
        })
    }

    /// Reads a card and checks its signature.
    ///
    /// # Errors
    /// What is wrong with it, in words.
    pub fn parse(text: &str) -> Result<Self, String> {
        if text.len() as u64 > CARD_BYTES_MAX {
            return Err(format!("expected at most {CARD_BYTES_MAX} bytes"));
        }
        let file: File = serde_json::from_str(text).map_err(|error| error.to_string())?;
        if file.version != 1 {
            return Err(format!("version {}: expected 1", file.version));
        }
        check(&file.card)?;
        let mut signature = [0; 64];
        hex::decode_to_slice(&file.signature, &mut signature)
            .map_err(|_| "signature: expected 128 hexadecimal digits")?;
        let signature = Signature(signature);
        let message = signed_bytes(Purpose::Card, &NO_NETWORK, &digest(&file.card)?);
        let key = IdentityKey::from_bytes(&file.card.operator.0)
            .map_err(|error| format!("operator: {error}"))?;
        if !key.verify(&message, &signature) {
            return Err("the signature isn't its operator's".into());
        }
        Ok(Self {
            statement: file.card,
            signature,
        })
    }

    /// The card as a file.
    #[must_use]
    pub fn text(&self) -> String {
        let file = File {
            version: 1,
            card: self.statement.clone(),
            signature: hex::encode(self.signature.0),
        };
        serde_json::to_string_pretty(&file).unwrap_or_default() + "\n"
    }

    /// What it says.
    #[must_use]
    pub fn says(&self) -> &Statement {
        &self.statement
    }

    /// Address as a peer: "ID@HOST:PORT".
    #[must_use]
    pub fn peer(&self) -> String {
        format!("{}@{}", self.statement.node, self.statement.p2p)
    }
}

/// A card is there before the network.
const NO_NETWORK: NetworkId = NetworkId(Hash::ZERO.0);

fn digest(card: &Statement) -> Result<Hash, String> {
    let mut node = [0; 20];
    hex::decode_to_slice(&card.node, &mut node)
        .map_err(|_| "node: expected 40 hexadecimal digits")?;
    Ok(Preimage::new("white-city/card/1")
        .lp(card.name.as_bytes())
        .lp(card.p2p.as_bytes())
        .lp(card.rpc.as_bytes())
        .hash(&card.validator)
        .raw(&node)
        .hash(&card.operator)
        .u64(card.issued)
        .finish())
}

fn check(card: &Statement) -> Result<(), String> {
    check_name(&card.name)?;
    check_address("p2p", &card.p2p)?;
    check_rpc(&card.rpc)?;
    let lower = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
    if card.node.len() != 40 || !card.node.bytes().all(lower) {
        return Err("node: expected 40 hexadecimal digits".into());
    }
    Ok(())
}

/// Checks a node's name.
///
/// # Errors
/// What is wrong with it, in words.
pub fn check_name(name: &str) -> Result<(), String> {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
    if (1..=NAME_MAX).contains(&name.len()) && name.bytes().all(plain) {
        return Ok(());
    }
    Err(format!(
        "name {name:?}: expected 1 to {NAME_MAX} letters, digits, '-', '_' or '.'"
    ))
}

/// Checks the address of an RPC, which may be empty. One that no client takes would keep all others from what they ask there.
///
/// # Errors
/// What is wrong with it, in words.
pub fn check_rpc(rpc: &str) -> Result<(), String> {
    if rpc.is_empty() {
        return Ok(());
    }
    let url = reqwest::Url::parse(rpc).ok().filter(|url| {
        let scheme = ["http", "https"].contains(&url.scheme());
        scheme && url.has_host() && url.query().is_none() && url.fragment().is_none()
    });
    let printable = rpc.bytes().all(|byte| byte.is_ascii_graphic());
    match url {
        Some(_) if printable && rpc.len() <= ADDRESS_MAX => Ok(()),
        _ => Err(format!(
            "rpc {rpc:?}: expected http://HOST:PORT or https://HOST/PATH, or nothing"
        )),
    }
}

/// Checks that something is "HOST:PORT", as others can dial it.
///
/// # Errors
/// What is wrong with it, in words.
pub fn check_address(what: &str, address: &str) -> Result<(), String> {
    let bad = || format!("{what} {address:?}: expected HOST:PORT");
    let (host, port) = address.rsplit_once(':').ok_or_else(bad)?;
    let port: u16 = port.parse().map_err(|_| bad())?;
    let in_brackets = host
        .strip_prefix('[')
        .and_then(|rest| rest.strip_suffix(']'));
    let is_host = match in_brackets {
        Some(v6) => v6.parse::<Ipv6Addr>().is_ok(),
        None => is_name(host),
    };
    if is_host && port > 0 && address.len() <= ADDRESS_MAX {
        Ok(())
    } else {
        Err(bad())
    }
}

/// Whether something is a name that can be looked up, or an address of version 4.
fn is_name(host: &str) -> bool {
    let is_label = |label: &str| {
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
        !label.is_empty() && !label.starts_with('-') && label.bytes().all(plain)
    };
    host.trim_end_matches('.').split('.').all(is_label)
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use white_city_client::Signer as _;

    /// A card of the node with this number, and its operator's key.
    pub(crate) fn some(number: u8) -> (Card, LocalKey) {
        let key = LocalKey::from_seed(&[number; 32]).unwrap();
        let statement = Statement {
            name: format!("node{number}"),
            p2p: format!("192.0.2.{number}:26656"),
            rpc: String::new(),
            validator: Hash(
                *LocalKey::from_seed(&[number ^ 0x80; 32])
                    .unwrap()
                    .identity()
                    .as_bytes(),
            ),
            node: format!("{number:040x}"),
            operator: Hash(*key.identity().as_bytes()),
            issued: 1_700_000_000,
        };
        (Card::sign(statement, &key).unwrap(), key)
    }

    #[test]
    fn a_card_is_read_back_and_each_part_of_it_is_signed() {
        let (card, _) = some(1);
        let text = card.text();
        assert_eq!(Card::parse(&text).unwrap(), card);
        assert_eq!(card.peer(), format!("{:040x}@192.0.2.1:26656", 1));
        let said = card.says();
        let other = some(2).0;
        for (from, to) in [
            (said.name.clone(), "node9".to_owned()),
            (said.p2p.clone(), "192.0.2.9:26656".to_owned()),
            (
                "\"rpc\": \"\"".to_owned(),
                "\"rpc\": \"http://x\"".to_owned(),
            ),
            (
                said.validator.to_string(),
                other.says().validator.to_string(),
            ),
            (said.node.clone(), other.says().node.clone()),
            (said.operator.to_string(), other.says().operator.to_string()),
            (said.issued.to_string(), "1700000001".to_owned()),
        ] {
            let changed = text.replacen(&from, &to, 1);
            assert_ne!(changed, text);
            let refused = Card::parse(&changed).unwrap_err();
            assert!(refused.contains("signature"), "{from}: {refused}");
        }
    }

    #[test]
    fn what_nobody_could_dial_is_no_address() {
        for good in ["a.example:1", "192.0.2.1:65535", "[2001:db8::1]:26656"] {
            assert_eq!(check_address("p2p", good), Ok(()), "{good}");
        }
        for bad in [
            "",
            "a",
            ":1",
            "a:",
            "a:0",
            "a:65536",
            "2001:db8::1:26656",
            "a b:1",
            "a,b:1",
            "[]:1",
            "a[b:1",
            "[a]:1",
            "a..b:1",
            "-a:1",
        ] {
            assert!(check_address("p2p", bad).is_err(), "{bad}");
        }
        assert!(check_address("p2p", &format!("{}:1", "a".repeat(510))).is_ok());
        assert!(check_address("p2p", &format!("{}:1", "a".repeat(511))).is_err());
    }

    #[test]
    fn an_rpc_is_one_that_clients_take() {
        for good in ["", "http://a:1", "https://a.example/rpc", "http://[::1]:1/"] {
            assert_eq!(check_rpc(good), Ok(()), "{good}");
        }
        for bad in [
            "http://",
            "ftp://a",
            "a",
            "http://a b",
            "http://a?x",
            "http://a#x",
        ] {
            assert!(check_rpc(bad).is_err(), "{bad}");
        }
        let long = |bytes: usize| format!("http://a/{}", "b".repeat(bytes - 9));
        assert!(check_rpc(&long(512)).is_ok());
        assert!(check_rpc(&long(513)).is_err());
    }

    #[test]
    fn names_and_sizes_are_bounded() {
        let (card, key) = some(1);
        let named = |name: &str| Statement {
            name: name.into(),
            ..card.says().clone()
        };
        assert!(Card::sign(named(&"a".repeat(50)), &key).is_ok());
        for bad in ["", "a b", "a/b", &"a".repeat(51)] {
            assert!(Card::sign(named(bad), &key).is_err(), "{bad}");
        }
        let long = " ".repeat(usize::try_from(CARD_BYTES_MAX).unwrap());
        assert!(Card::parse(&(card.text() + &long)).is_err());
        assert!(Card::parse("{}").is_err());
    }
}
