//! Parameters and charter of a new board, with the defaults of `config/genesis.toml`

use serde::Deserialize;
use white_city_wire::AppState;
use white_city_wire::hash::Hash;

use crate::Error;

/// The commented defaults.
pub const GENESIS_DEFAULTS: &str = include_str!("../../../config/genesis.toml");

/// CometBFT's own consensus parameters, as far as they are ours to choose.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Consensus {
    /// Largest block, bytes.
    pub block_max_bytes: u64,
    /// Blocks after which evidence of double signing is refused, once the time has passed, too.
    pub evidence_max_age_blocks: u64,
    /// Hours likewise.
    pub evidence_max_age_hours: u64,
    /// Most evidence in a block, bytes.
    pub evidence_max_bytes: u64,
}

/// The whole of `config/genesis.toml`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Defaults {
    /// CometBFT's part.
    pub consensus: Consensus,
    #[serde(flatten)]
    /// The board's part.
    pub app_state: AppState,
}

impl Defaults {
    /// Reads the file that was compiled in.
    pub fn embedded() -> Result<Self, Error> {
        Self::read(toml::from_str(GENESIS_DEFAULTS).map_err(malformed)?)
    }

    /// Reads a file of this form.
    ///
    /// # Errors
    /// [`Error::Malformed`] names the key.
    pub fn read(mut table: toml::Table) -> Result<Self, Error> {
        // What makes a board unique has no default, nor has who runs it.
        let zeros = toml::Value::from(hex::encode(Hash::ZERO.0));
        let none = toml::Value::Array(Vec::new());
        let mut insert = |part: &str, name: &str, value: toml::Value| {
            if let Some(part) = table.get_mut(part).and_then(toml::Value::as_table_mut) {
                part.insert(name.into(), value);
            }
        };
        insert("params", "random", zeros.clone());
        insert("charter", "term", 0.into());
        insert("charter", "previous", zeros);
        insert("charter", "until_ms", 0.into());
        insert("charter", "replicas", none);
        table.try_into().map_err(malformed)
    }
}

fn malformed(error: toml::de::Error) -> Error {
    Error::Malformed {
        path: "parameters and charter".into(),
        reason: error.to_string(),
    }
}

/// The defaults of `config/genesis.toml`. `params.random` is zero, which means: drawn when the network is created; and
/// `charter.replicas` is empty: their keys are drawn then.
///
/// # Errors
/// If the file that was compiled in is malformed; a test excludes it.
pub fn default_app_state() -> Result<AppState, Error> {
    Ok(Defaults::embedded()?.app_state)
}

/// Draws `params.random` from the system, unless it was given.
pub fn with_random(mut app_state: AppState) -> Result<AppState, Error> {
    if app_state.params.random == Hash::ZERO {
        app_state.params.random = Hash(random_bytes()?);
    }
    Ok(app_state)
}

/// Bytes from the system's generator.
pub fn random_bytes<const N: usize>() -> Result<[u8; N], Error> {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).map_err(|error| Error::Io {
        action: "draw random bytes from",
        path: "the system".into(),
        source: std::io::Error::other(error.to_string()),
    })?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_defaults_are_those_of_the_commented_file() {
        let defaults = Defaults::embedded().unwrap();
        assert_eq!(defaults.app_state.params.max_tx, 716_800);
        assert_eq!(
            defaults.app_state.params.max_duration_ms,
            30 * 24 * 3_600_000
        );
        assert_eq!(default_app_state().unwrap(), defaults.app_state);
    }

    #[test]
    fn random_is_drawn_once_and_kept_when_given() {
        let one = with_random(default_app_state().unwrap()).unwrap();
        let two = with_random(default_app_state().unwrap()).unwrap();
        assert_ne!(one.params.random, two.params.random);
        assert_eq!(with_random(one.clone()).unwrap(), one);
    }
}
