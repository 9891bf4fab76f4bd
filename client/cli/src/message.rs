//! Messages that are signed: how arguments give one, and how a session's input names one.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use white_city_client::{
    Hash,
    files::read_public,
    wire::{hash::sha256, limits},
};

use crate::{args::Bytes, failure::Failure};

/// Largest message, bytes. Signing takes it into memory as a whole.
pub const MESSAGE_BYTES_MAX: u64 = 64 << 20;

/// A message as a session's input names it: in full where there is room for it, and otherwise so that whoever has it can see that it
/// is the one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Named {
    /// All of it.
    Whole {
        /// In hex.
        message_hex: String,
    },
    /// Each signer brings it.
    ByHash {
        /// Its SHA-256.
        message_sha256: Hash,
        /// Its size.
        message_bytes: u64,
    },
}

/// The message that arguments give, if they give one.
pub fn given(
    text: Option<&String>,
    hex: Option<&Bytes>,
    file: Option<&PathBuf>,
) -> Result<Option<Vec<u8>>, Failure> {
    Ok(match (text, hex, file) {
        (Some(text), ..) => Some(text.as_bytes().to_vec()),
        (_, Some(bytes), _) => Some(bytes.0.clone()),
        (.., Some(file)) => Some(read_public(file, MESSAGE_BYTES_MAX)?),
        (None, None, None) => None,
    })
}

/// Messages of a file: one a line, in hex. None is empty: an empty line would be signed by mistake.
pub fn many(file: &Path) -> Result<Vec<Vec<u8>>, Failure> {
    let bytes = read_public(file, MESSAGE_BYTES_MAX)?;
    let bad = |what: String| Failure::usage(format!("{}: {what}", file.display()));
    let text = std::str::from_utf8(&bytes).map_err(|error| bad(error.to_string()))?;
    let message = |(number, line): (usize, &str)| {
        let bytes = hex::decode(line.trim_end_matches('\r')).ok();
        let bytes = bytes.filter(|bytes| !bytes.is_empty());
        bytes.ok_or_else(|| bad(format!("line {}: expected a message in hex", number + 1)))
    };
    text.lines().enumerate().map(message).collect()
}

impl Named {
    /// The input that says what this message is, in full if that fits.
    pub fn input(
        message: &[u8],
        to_input: impl Fn(Self) -> Result<Vec<u8>, Failure>,
    ) -> Result<Vec<u8>, Failure> {
        let most = usize::try_from(limits::INPUT_BYTES_MAX).unwrap_or(usize::MAX);
        // Two digits a byte: what can't fit isn't encoded.
        if message.len() <= most / 2 {
            let whole = to_input(Self::Whole {
                message_hex: hex::encode(message),
            })?;
            if whole.len() <= most {
                return Ok(whole);
            }
        }
        to_input(Self::ByHash {
            message_sha256: sha256(message),
            message_bytes: size(message),
        })
    }

    /// The message itself: what the session names, which has to be what was given, if something was.
    pub fn resolve(&self, given: Option<&[u8]>) -> Result<Vec<u8>, Failure> {
        match self {
            Self::Whole { message_hex } => {
                let message = hex::decode(message_hex)
                    .map_err(|_| Failure::usage("the session's message_hex isn't hex"))?;
                match given {
                    Some(given) if given != message => Err(Failure::usage(
                        "the session signs another message than the given one",
                    )),
                    _ => Ok(message),
                }
            }
            Self::ByHash {
                message_sha256,
                message_bytes,
            } => {
                let named = format!("{message_bytes} bytes with the SHA-256 {message_sha256}");
                if *message_bytes > MESSAGE_BYTES_MAX {
                    return Err(Failure::usage(format!(
                        "the session signs {named}: at most {MESSAGE_BYTES_MAX} are signed"
                    )));
                }
                let given = given.ok_or_else(|| {
                    Failure::usage(format!(
                        "the session signs {named}, and only names them: expected --message-file with the message itself"
                    ))
                })?;
                let (bytes, hash) = (size(given), sha256(given));
                if (bytes, hash) != (*message_bytes, *message_sha256) {
                    return Err(Failure::usage(format!(
                        "the session signs another message than the given one: {named}, not {bytes} bytes with the SHA-256 {hash}"
                    )));
                }
                Ok(given.to_vec())
            }
        }
    }

    /// For people, in any case.
    pub fn shown(&self) -> String {
        let hex = match self {
            Self::Whole { message_hex } => format!("the bytes {message_hex}"),
            Self::ByHash { .. } => String::new(),
        };
        self.to_text().unwrap_or(hex)
    }

    /// For people: text in quotes, so that it can't look like another line.
    pub fn to_text(&self) -> Option<String> {
        match self {
            Self::Whole { message_hex } => {
                let message = hex::decode(message_hex).ok()?;
                String::from_utf8(message)
                    .ok()
                    .map(|text| format!("{text:?}"))
            }
            Self::ByHash {
                message_sha256,
                message_bytes,
            } => Some(format!(
                "{message_bytes} bytes with the SHA-256 {message_sha256}: each signer brings them"
            )),
        }
    }
}

fn size(message: &[u8]) -> u64 {
    u64::try_from(message.len()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn named(message: &[u8]) -> Named {
        let input = Named::input(message, |named| Ok(serde_json::to_vec(&named).unwrap()));
        serde_json::from_slice(&input.unwrap()).unwrap()
    }

    #[test]
    fn a_message_is_in_the_input_as_long_as_it_fits_and_named_by_its_hash_past_that() {
        // {"message_hex":""} has 18 bytes, each byte two digits.
        let most = (16 * 1024 - 18) / 2;
        assert!(matches!(named(&vec![7; most]), Named::Whole { .. }));
        for bytes in [most + 1, 16 * 1024 + 1, 1 << 20] {
            let message = vec![7; bytes];
            let Named::ByHash { message_bytes, .. } = named(&message) else {
                panic!("{bytes}");
            };
            assert_eq!(message_bytes, bytes as u64);
            assert_eq!(named(&message).resolve(Some(&message)).unwrap(), message);
        }
    }

    #[test]
    fn another_message_than_the_given_one_is_refused_and_one_that_is_only_named_has_to_be_given() {
        for size in [1, 100_000] {
            let message = vec![7; size];
            let mut other = message.clone();
            other[size - 1] ^= 1;
            for wrong in [other, vec![7; size + 1], Vec::new()] {
                assert_eq!(named(&message).resolve(Some(&wrong)).unwrap_err().code, 2);
            }
        }
        assert_eq!(named(b"m").resolve(None).unwrap(), b"m");
        let failure = named(&[7; 100_000]).resolve(None).unwrap_err();
        assert!(failure.text.contains("--message-file"), "{}", failure.text);
    }

    #[test]
    fn no_larger_message_than_the_stated_limit_is_signed_whoever_names_it() {
        let at = |message_bytes| Named::ByHash {
            message_sha256: sha256(b"m"),
            message_bytes,
        };
        let text = |named: Named| named.resolve(Some(b"m")).unwrap_err().text;
        let limit = format!("at most {MESSAGE_BYTES_MAX} are signed");
        assert!(text(at(MESSAGE_BYTES_MAX + 1)).contains(&limit));
        assert!(!text(at(MESSAGE_BYTES_MAX)).contains(&limit));
    }

    #[test]
    fn a_message_that_is_text_is_shown_as_text() {
        let shown = |message_hex: &str| {
            Named::Whole {
                message_hex: message_hex.into(),
            }
            .to_text()
        };
        assert_eq!(shown("70617920310a").as_deref(), Some(r#""pay 1\n""#));
        assert_eq!(shown("ff"), None);
    }
}
