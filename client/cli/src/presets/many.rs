//! Many messages that are signed in one session.

use serde::{Deserialize, Serialize};
use white_city_client::{Hash, wire::limits};
use white_city_eddsa::sign::many;

use super::{Needs, SIGN_MANY, json, public_key};
use crate::{args::OpenArgs, failure::Failure, message};

/// Input of [`SIGN_MANY`].
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SignManyInput {
    /// The key to sign with.
    pub public_key: Hash,
    /// The messages, all of each, in hex.
    pub messages_hex: Vec<String>,
}

impl SignManyInput {
    /// The messages, which have to be those that were given, if some were.
    ///
    /// # Errors
    /// When they are others, or none, or too many.
    pub fn messages(&self, given: Option<&[Vec<u8>]>) -> Result<Vec<Vec<u8>>, Failure> {
        let messages = self.messages_hex.iter().map(|text| {
            hex::decode(text).map_err(|_| Failure::usage("the session's messages_hex aren't hex"))
        });
        let messages: Vec<Vec<u8>> = messages.collect::<Result<_, _>>()?;
        check_number(messages.len())?;
        match given {
            Some(given) if given != messages => Err(Failure::usage(
                "the session signs other messages than the given ones, or in another order",
            )),
            _ => Ok(messages),
        }
    }
}

fn check_number(messages: usize) -> Result<u16, Failure> {
    let number = u16::try_from(messages).ok();
    let number = number.filter(|number| (1..=many::MESSAGES_MAX).contains(number));
    number.ok_or_else(|| {
        let most = many::MESSAGES_MAX;
        Failure::usage(format!("{messages} messages, expected 1 to {most}"))
    })
}

/// The rounds and the room that it needs.
pub(super) fn needs(args: &OpenArgs, parties: u16) -> Result<Needs, Failure> {
    let file = args.messages.as_ref();
    let file = file.ok_or_else(|| Failure::usage("what is to be signed? expected --messages"))?;
    let messages = message::many(file)?;
    let number = check_number(messages.len())?;
    let input = SignManyInput {
        public_key: Hash(public_key(args)?),
        messages_hex: messages.iter().map(hex::encode).collect(),
    };
    let (input, most) = (json(&input)?, limits::INPUT_BYTES_MAX);
    if u32::try_from(input.len()).is_ok_and(|bytes| bytes > most) {
        return Err(Failure::usage(format!(
            "--messages: a session has room for {most} bytes, with two digits a byte and 3 more for each message: these take {}",
            input.len()
        )));
    }
    let all_others = parties.saturating_sub(1);
    Ok(Needs {
        protocol: SIGN_MANY,
        input,
        rounds: many::ROUNDS,
        // The key's degree is in no public key, but there are more signers than it.
        max_broadcast: many::max_broadcast_bytes(number, all_others),
        max_p2p: many::max_p2p_bytes(number),
        corrupt: all_others,
    })
}
