//! What a party expects of a session that signs.

use white_city_client::{files::read_public, wire::limits};

use crate::{args::ExpectedArgs, failure::Failure};

/// Checks the session's message, and its key where the session names one.
pub fn check(
    expected: &ExpectedArgs,
    message: &[u8],
    public_key: Option<&[u8; 32]>,
) -> Result<(), Failure> {
    let wanted = match (
        &expected.message,
        &expected.message_hex,
        &expected.message_file,
    ) {
        (Some(text), ..) => Some(text.as_bytes().to_vec()),
        (_, Some(bytes), _) => Some(bytes.0.clone()),
        (.., Some(file)) => Some(read_public(file, limits::INPUT_BYTES_MAX.into())?),
        (None, None, None) => None,
    };
    if wanted.is_some_and(|wanted| wanted != message) {
        return Err(Failure::usage(
            "the session signs another message than the expected one",
        ));
    }
    match (expected.public_key, public_key) {
        (Some(wanted), Some(key)) if wanted != *key => Err(Failure::usage(format!(
            "the session signs with the key {}, expected {}",
            hex::encode(key),
            hex::encode(wanted)
        ))),
        (Some(_), None) => Err(Failure::usage(
            "--public-key: the key of an aggregated signature is only known after joining",
        )),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn another_message_or_key_than_the_expected_one_is_refused() {
        let code = |expected: &ExpectedArgs, key: Option<&[u8; 32]>| {
            check(expected, b"m", key).map_err(|failure| failure.code)
        };
        assert_eq!(code(&ExpectedArgs::default(), None), Ok(()));
        for (text, result) in [("m", Ok(())), ("n", Err(2)), ("", Err(2))] {
            let expected = ExpectedArgs {
                message: Some(text.into()),
                ..Default::default()
            };
            assert_eq!(code(&expected, None), result, "{text}");
        }
        let expected = ExpectedArgs {
            public_key: Some([1; 32]),
            ..Default::default()
        };
        assert_eq!(code(&expected, Some(&[1; 32])), Ok(()));
        assert_eq!(code(&expected, Some(&[2; 32])), Err(2));
        assert_eq!(code(&expected, None), Err(2));
    }
}
