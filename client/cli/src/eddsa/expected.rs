//! The expectations of a party of a session that signs.

use crate::{args::ExpectedArgs, failure::Failure, message};

/// What a party means to sign.
#[derive(Debug, PartialEq, Eq)]
pub enum Given {
    /// Whatever the session's opener wants signed.
    Any,
    /// One message.
    One(Vec<u8>),
    /// Many, in one session.
    Many(Vec<Vec<u8>>),
}

impl Given {
    /// What the arguments say.
    pub fn read(expected: &ExpectedArgs) -> Result<Self, Failure> {
        if let Some(file) = &expected.messages {
            return Ok(Self::Many(message::many(file)?));
        }
        let given = message::given(
            expected.message.as_ref(),
            expected.message_hex.as_ref(),
            expected.message_file.as_ref(),
        )?;
        match given {
            Some(message) => Ok(Self::One(message)),
            None if expected.any_message => Ok(Self::Any),
            None => Err(Failure::usage(
                "what is to be signed? expected --message, --message-hex, --message-file, --messages or --any-message",
            )),
        }
    }

    /// The one message of a session that signs one; `None` for any.
    pub fn one(&self) -> Result<Option<&[u8]>, Failure> {
        match self {
            Self::Any => Ok(None),
            Self::One(message) => Ok(Some(message)),
            Self::Many(_) => Err(Failure::usage("--messages: the session signs one message")),
        }
    }

    /// The messages of a session that signs many; `None` for any.
    pub fn many(&self) -> Result<Option<&[Vec<u8>]>, Failure> {
        match self {
            Self::Any => Ok(None),
            Self::Many(messages) => Ok(Some(messages)),
            Self::One(_) => Err(Failure::usage(
                "the session signs many messages: expected --messages",
            )),
        }
    }
}

/// Checks the key that the session signs with.
pub fn check_key(expected: &ExpectedArgs, key: &[u8; 32]) -> Result<(), Failure> {
    match expected.public_key {
        Some(wanted) if wanted != *key => Err(Failure::usage(format!(
            "the session signs with the key {}, expected {}",
            hex::encode(key),
            hex::encode(wanted)
        ))),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn another_key_than_the_expected_one_is_refused_and_nothing_is_signed_unsaid() {
        let code = |wanted: Option<[u8; 32]>| {
            let expected = ExpectedArgs {
                public_key: wanted,
                ..Default::default()
            };
            check_key(&expected, &[1; 32]).map_err(|failure| failure.code)
        };
        assert_eq!(code(None), Ok(()));
        assert_eq!(code(Some([1; 32])), Ok(()));
        assert_eq!(code(Some([2; 32])), Err(2));
        assert_eq!(Given::read(&ExpectedArgs::default()).unwrap_err().code, 2);
        let any = ExpectedArgs {
            any_message: true,
            ..Default::default()
        };
        assert_eq!(Given::read(&any).unwrap(), Given::Any);
    }
}
