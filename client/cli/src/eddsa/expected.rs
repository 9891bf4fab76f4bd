//! The expectations of a party of a session that signs.

use crate::{args::ExpectedArgs, failure::Failure, message};

/// The message that the party has; `None` if it signs any.
pub fn message(expected: &ExpectedArgs) -> Result<Option<Vec<u8>>, Failure> {
    let given = message::given(
        expected.message.as_ref(),
        expected.message_hex.as_ref(),
        expected.message_file.as_ref(),
    )?;
    if given.is_none() && !expected.any_message {
        return Err(Failure::usage(
            "what is to be signed? expected --message, --message-hex, --message-file or --any-message",
        ));
    }
    Ok(given)
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
        assert_eq!(message(&ExpectedArgs::default()).unwrap_err().code, 2);
        let any = ExpectedArgs {
            any_message: true,
            ..Default::default()
        };
        assert_eq!(message(&any).unwrap(), None);
    }
}
