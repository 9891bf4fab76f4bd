//! The root of a client's trust, from a file: the network that a CometBFT `genesis.json` describes.

use std::path::Path;

use white_city_verify::Trust;
pub use white_city_verify::genesis::{GENESIS_BYTES_MAX, GenesisError, from_json};
use white_city_wire::Network;

use crate::files::{FileError, read_public};

/// Why a genesis file isn't taken.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum GenesisFileError {
    /// The file can't be read.
    #[error(transparent)]
    File(#[from] FileError),
    /// The genesis in it is refused.
    #[error(transparent)]
    Genesis(#[from] GenesisError),
}

/// Reads a genesis file.
///
/// # Errors
/// [`GenesisFileError`] says what is wrong with it.
pub fn from_file(path: &Path) -> Result<Network, GenesisFileError> {
    Ok(from_json(&read_public(path, GENESIS_BYTES_MAX)?)?)
}

/// Trusts a genesis file that the party got from somebody it trusts.
///
/// # Errors
/// [`GenesisFileError`] says what is wrong with it; validators of unequal or odd power are refused.
pub fn trust(path: impl AsRef<Path>) -> Result<Trust, GenesisFileError> {
    Ok(Trust::genesis_json(&read_public(
        path.as_ref(),
        GENESIS_BYTES_MAX,
    )?)?)
}

#[cfg(test)]
pub(crate) mod tests {
    use base64::{Engine as _, engine::general_purpose::STANDARD};
    use ed25519_dalek::SigningKey;
    use serde_json::{Value, json};
    use white_city_wire::Network;

    use super::*;

    /// A network of so many validators, whose keys nobody has.
    pub(crate) fn network(validators: u8) -> Network {
        let example = include_str!("../verify/src/genesis/example.json");
        let mut genesis: Value = serde_json::from_str(example).unwrap();
        let key =
            |role: u8, i: u8| SigningKey::from_bytes(&[role, i].repeat(16).try_into().unwrap());
        let key = |role, i| key(role, i).verifying_key().to_bytes();
        let mut keys: Vec<_> = (0..validators).map(|i| (key(1, i), key(2, i))).collect();
        keys.sort_unstable();
        let listed = keys.iter().map(|(validator, _)| {
            let key = STANDARD.encode(validator);
            json!({
                "power": "10", "pub_key": { "type": "tendermint/PubKeyEd25519", "value": key },
            })
        });
        genesis["validators"] = listed.collect();
        let replicas = keys.iter().map(|(validator, operator)| {
            json!({ "validator": hex::encode(validator), "operator": hex::encode(operator) })
        });
        genesis["app_state"]["charter"]["replicas"] = replicas.collect();
        from_json(genesis.to_string().as_bytes()).unwrap()
    }

    #[test]
    fn a_file_is_read_or_the_reason_names_it() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("genesis.json");
        let missing = trust(&path).err().unwrap();
        assert!(matches!(missing, GenesisFileError::File(_)), "{missing}");
        assert!(missing.to_string().contains("genesis.json"), "{missing}");
        std::fs::write(&path, "{}").unwrap();
        let refused = trust(&path).err().unwrap();
        assert!(matches!(refused, GenesisFileError::Genesis(_)), "{refused}");
    }
}
