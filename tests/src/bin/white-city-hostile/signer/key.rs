//! A validator's key, from the file that its node would use itself.

use std::{fs, path::Path};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use ed25519_dalek::{Signer as _, SigningKey};

/// The key.
pub struct ValidatorKey(SigningKey);

impl ValidatorKey {
    /// Reads a `priv_validator_key.json`; the error says what is wrong with it.
    pub fn load(path: &Path) -> Result<Self, String> {
        let text = fs::read_to_string(path).map_err(|error| error.to_string())?;
        let json: serde_json::Value =
            serde_json::from_str(&text).map_err(|error| error.to_string())?;
        let seed = json["priv_key"]["value"]
            .as_str()
            .and_then(|pair| STANDARD.decode(pair).ok())
            .and_then(|pair| pair.first_chunk::<32>().copied())
            .ok_or("expected an Ed25519 key in priv_key.value")?;
        Ok(Self(SigningKey::from_bytes(&seed)))
    }

    /// The public half.
    pub fn public(&self) -> [u8; 32] {
        self.0.verifying_key().to_bytes()
    }

    /// Signs bytes.
    pub fn sign(&self, bytes: &[u8]) -> Vec<u8> {
        self.0.sign(bytes).to_bytes().to_vec()
    }
}
