//! Values that arguments can have.

use std::{path::PathBuf, str::FromStr, time::Duration};

use white_city_client::{IdentityKey, SessionId, groups::Name, read::SessionRef};

/// A session by its id (64 hex digits) or its number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Which(pub SessionRef);

impl FromStr for Which {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if let Some(id) = SessionId::from_hex(text) {
            return Ok(Self(SessionRef::Id(id)));
        }
        text.parse()
            .map(|number| Self(SessionRef::Number(number)))
            .map_err(|_| "expected 64 hex digits or a number".into())
    }
}

/// A contact, by name or key.
#[derive(Debug, Clone)]
pub enum Whom {
    /// By name.
    Name(Name),
    /// By key.
    Key(Box<IdentityKey>),
}

impl FromStr for Whom {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if let Ok(name) = text.parse() {
            return Ok(Self::Name(name));
        }
        let key = identity(text).map_err(|_| "expected a name, or 64 hex digits of a key")?;
        Ok(Self::Key(Box::new(key)))
    }
}

/// 64 hex digits.
pub fn session_id(text: &str) -> Result<SessionId, String> {
    SessionId::from_hex(text).ok_or_else(|| "expected 64 hex digits".into())
}

/// An identity key in hex.
pub fn identity(text: &str) -> Result<IdentityKey, String> {
    IdentityKey::from_bytes(&hex32(text)?)
        .map_err(|error| format!("expected an identity's public key, which is none: {error}"))
}

/// Any bytes in hex.
pub fn hex_bytes(text: &str) -> Result<Bytes, String> {
    hex::decode(text)
        .map(Bytes)
        .map_err(|_| "expected an even number of hex digits".into())
}

/// 32 bytes in hex.
pub fn hex32(text: &str) -> Result<[u8; 32], String> {
    let bytes = hex::decode(text).ok();
    let bytes = bytes.and_then(|bytes| <[u8; 32]>::try_from(bytes).ok());
    bytes.ok_or_else(|| "expected 64 hex digits".into())
}

/// Bytes of one argument, which would otherwise be taken for a list of arguments.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bytes(pub Vec<u8>);

/// A file for one party: its index, an equals sign, and the name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Payload {
    /// The recipient.
    pub to: u16,
    /// The file.
    pub file: PathBuf,
}

impl FromStr for Payload {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let split = text.split_once('=').filter(|(_, file)| !file.is_empty());
        let payload = split.and_then(|(to, file)| {
            let (to, file) = (to.parse().ok()?, PathBuf::from(file));
            Some(Self { to, file })
        });
        payload.ok_or_else(|| "expected a party's index and a file, as in 2=secret".into())
    }
}

/// A whole number with a unit: ms, s, m, h or d.
pub fn duration(text: &str) -> Result<Duration, String> {
    let expected = || "expected a whole number and ms, s, m, h or d, as in 10m".to_owned();
    let split = text
        .find(|c: char| !c.is_ascii_digit())
        .ok_or_else(expected)?;
    let (number, unit) = text.split_at(split);
    let number: u64 = number.parse().map_err(|_| expected())?;
    let unit_ms: u64 = match unit {
        "ms" => 1,
        "s" => 1_000,
        "m" => 60_000,
        "h" => 3_600_000,
        "d" => 86_400_000,
        _ => return Err(expected()),
    };
    let ms = number.checked_mul(unit_ms).ok_or("too long")?;
    if ms == 0 {
        return Err("expected at least 1ms".into());
    }
    Ok(Duration::from_millis(ms))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_have_a_unit() {
        let good = [
            ("1ms", 1),
            ("2s", 2_000),
            ("10m", 600_000),
            ("3h", 10_800_000),
            ("1d", 86_400_000),
        ];
        for (text, ms) in good {
            assert_eq!(duration(text), Ok(Duration::from_millis(ms)), "{text}");
        }
        for text in [
            "",
            "10",
            "m",
            "0s",
            "-1s",
            "1.5s",
            "1 s",
            "1w",
            "999999999999999999d",
        ] {
            assert!(duration(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_payload_is_a_file_for_somebody() {
        let file = PathBuf::from("a=b");
        assert_eq!("2=a=b".parse(), Ok(Payload { to: 2, file }));
        for text in ["", "2", "2=", "=a", "-1=a", "65536=a"] {
            assert!(text.parse::<Payload>().is_err(), "{text}");
        }
    }

    #[test]
    fn a_session_is_meant_by_id_or_number() {
        let id = "ab".repeat(32);
        assert_eq!(id.parse(), Ok(Which(SessionRef::Id(SessionId([0xab; 32])))));
        assert_eq!("7".parse(), Ok(Which(SessionRef::Number(7))));
        for text in ["", "abc", "-1", &"ab".repeat(31)] {
            assert!(text.parse::<Which>().is_err(), "{text}");
        }
    }
}
