//! CometBFT's key files: the validator's key, its last signature, the node's key

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ed25519_dalek::SigningKey;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use zeroize::{Zeroize as _, Zeroizing};

use crate::Error;
use crate::params::random_bytes;

/// A value with CometBFT's name of its type.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Typed {
    #[serde(rename = "type")]
    kind: String,
    value: String,
}

impl Typed {
    /// An Ed25519 key.
    pub fn public(key: &[u8]) -> Self {
        Self {
            kind: "tendermint/PubKeyEd25519".into(),
            value: STANDARD.encode(key),
        }
    }

    /// The public key's 32 bytes.
    fn public_bytes(&self) -> Option<[u8; 32]> {
        let bytes = STANDARD.decode(&self.value).ok()?;
        (self.kind == "tendermint/PubKeyEd25519")
            .then(|| bytes.try_into().ok())
            .flatten()
    }
}

/// The public half of a validator's key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Validator {
    /// First 20 bytes of SHA-256 of the public key, in upper-case hexadecimal.
    pub address: String,
    /// The public key.
    pub public: Typed,
    /// Its 32 bytes.
    pub key: [u8; 32],
}

/// A key pair, drawn when a home is created; its only way out is into a file.
pub struct KeyPair(SigningKey);

impl KeyPair {
    /// A new pair, from the system's generator.
    ///
    /// # Errors
    /// [`Error::Io`] if that fails.
    pub fn generate() -> Result<Self, Error> {
        let mut seed = random_bytes::<32>()?;
        let key = SigningKey::from_bytes(&seed);
        seed.zeroize();
        Ok(Self(key))
    }

    /// The public half, as a validator.
    pub fn validator(&self) -> Validator {
        let public = self.0.verifying_key();
        Validator {
            address: address(public.as_bytes()).to_uppercase(),
            public: Typed::public(public.as_bytes()),
            key: public.to_bytes(),
        }
    }

    /// The public key.
    pub fn public(&self) -> [u8; 32] {
        self.0.verifying_key().to_bytes()
    }

    /// `priv_validator_key.json`
    pub fn validator_file(&self) -> Zeroizing<String> {
        let Validator {
            address, public, ..
        } = self.validator();
        Zeroizing::new(format!(
            "{{\n  \"address\": \"{address}\",\n  \"pub_key\": {{\n    \"type\": \"{kind}\",\n    \
             \"value\": \"{value}\"\n  }},\n  \"priv_key\": {secret}\n}}\n",
            kind = public.kind,
            value = public.value,
            secret = self.secret().as_str(),
        ))
    }

    /// `node_key.json`
    pub fn node_file(&self) -> Zeroizing<String> {
        Zeroizing::new(format!("{{\"priv_key\":{}}}\n", self.secret().as_str()))
    }

    fn secret(&self) -> Zeroizing<String> {
        let pair = Zeroizing::new(self.0.to_keypair_bytes());
        let value = Zeroizing::new(STANDARD.encode(pair.as_slice()));
        Zeroizing::new(format!(
            "{{\"type\":\"tendermint/PrivKeyEd25519\",\"value\":\"{}\"}}",
            value.as_str()
        ))
    }
}

/// Content of `priv_validator_state.json` for a validator that never signed.
pub const NEVER_SIGNED: &str = "{\n  \"height\": \"0\",\n  \"round\": 0,\n  \"step\": 0\n}\n";

#[derive(Deserialize)]
struct ValidatorFile {
    address: String,
    pub_key: Typed,
}

/// The public half of a `priv_validator_key.json`, or what is wrong with it.
pub fn read_validator(text: &str) -> Result<Validator, String> {
    let file: ValidatorFile = serde_json::from_str(text).map_err(|error| error.to_string())?;
    let public = file
        .pub_key
        .public_bytes()
        .ok_or("expected an Ed25519 public key")?;
    if address(&public).to_uppercase() != file.address {
        return Err("the address is not that of the public key".into());
    }
    Ok(Validator {
        address: file.address,
        public: file.pub_key,
        key: public,
    })
}

#[derive(Deserialize)]
struct NodeFile {
    priv_key: Typed,
}

/// The node id (address of its public key, lower case) of a `node_key.json`, or what is wrong.
pub fn read_node_id(text: &str) -> Result<String, String> {
    let mut file: NodeFile = serde_json::from_str(text).map_err(|error| error.to_string())?;
    let pair = STANDARD.decode(&file.priv_key.value).map(Zeroizing::new);
    file.priv_key.value.zeroize();
    let pair = pair.map_err(|error| error.to_string())?;
    let seed: Option<[u8; 32]> = pair.get(..32).and_then(|seed| seed.try_into().ok());
    let seed = Zeroizing::new(seed.ok_or("expected an Ed25519 key of 64 bytes")?);
    let public = SigningKey::from_bytes(&seed).verifying_key();
    if pair.get(32..) != Some(public.as_bytes().as_slice()) {
        return Err("the two halves of the key do not belong together".into());
    }
    Ok(address(public.as_bytes()))
}

/// Address of a public key, in lower-case hexadecimal.
pub fn address(public: &[u8]) -> String {
    hex::encode(Sha256::digest(public).get(..20).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    // Written by `cometbft init` v0.39.4 and shown by its `show-node-id`.
    const NODE: &str = r#"{"priv_key":{"type":"tendermint/PrivKeyEd25519","value":"1HuaH+k1GNp3E3rsht7d4L+fIC0+vhS9f1UaYJ8jiOwFtDmAyOXRNqDtGmztHxxRlYaOpqejwpxyyqsEgnPIlg=="}}"#;
    const VALIDATOR: &str = r#"{"address":"C615AA787BBF8689E2C1F6E79C204554549465FB","pub_key":{"type":"tendermint/PubKeyEd25519","value":"bMHlHLAC9U20uKdomnz4i/1Uh9SVA+tzgCP5maL9Qs8="},"priv_key":{"type":"tendermint/PrivKeyEd25519","value":""}}"#;

    #[test]
    fn keys_written_by_cometbft_are_read() {
        assert_eq!(
            read_node_id(NODE).unwrap(),
            "87e1670a6e035fdf34ce890dd18d091c54f1b4f9"
        );
        let validator = read_validator(VALIDATOR).unwrap();
        assert_eq!(
            validator.address,
            "C615AA787BBF8689E2C1F6E79C204554549465FB"
        );
    }

    #[test]
    fn what_is_written_is_read_back() {
        let key = KeyPair::generate().unwrap();
        let validator = read_validator(&key.validator_file()).unwrap();
        assert_eq!(validator, key.validator());
        assert_eq!(
            read_node_id(&key.node_file()).unwrap().to_uppercase(),
            validator.address
        );
    }

    #[test]
    fn a_damaged_key_is_refused() {
        assert!(read_validator(&VALIDATOR.replace("C615", "C616")).is_err());
        assert!(read_validator(&VALIDATOR.replace("PubKeyEd25519", "PubKeySecp256k1")).is_err());
        assert!(read_node_id(&NODE.replace("Ilg==", "Img==")).is_err());
        assert!(read_node_id("{}").is_err());
    }
}
